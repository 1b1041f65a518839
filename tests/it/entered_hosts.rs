//! Hosts that people enter and name while the server runs.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo, http::Request};
use chrono::Utc;
use muster::{
    desired::Values,
    http::boot::{BootBounds, boot_router},
    provision::{Catalog, NewHost},
};
use muster_facts::MacAddr;
use tower::ServiceExt;

use super::site::Site;

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 0x21]);

#[tokio::test]
async fn a_host_is_known_by_its_name_when_it_boots_first() {
    let site = Site::new().await;
    // As a command does it, beside the server.
    let catalog = Catalog::new(site.store.clone(), &[]);
    let new = NewHost {
        name: "web1".to_owned(),
        macs: vec![MAC.to_string()],
        profile: None,
        values: Values::default(),
    };
    let id = catalog.add_host(new, "cli", Utc::now()).await.unwrap();
    assert!(site.discovery.host_by_mac(MAC).is_none(), "the server was not told");

    let boots = Request::get(format!("/boot/ipxe?mac={MAC}&platform=efi"))
        .extension(ConnectInfo(SocketAddr::from(([10, 77, 0, 50], 40_000))))
        .body(Body::empty())
        .unwrap();
    let router = boot_router(site.discovery.clone(), BootBounds::default());
    router.oneshot(boots).await.unwrap();
    let known = site.discovery.host_by_mac(MAC).unwrap();
    assert_eq!((known.id, known.name.as_deref()), (id, Some("web1")));

    catalog.rename_host(&known, "web2", "cli", Utc::now()).await.unwrap();
    site.discovery.learn_names().await.unwrap();
    let known = site.discovery.host_by_mac(MAC).unwrap();
    assert_eq!(known.name.as_deref(), Some("web2"));
    let history = site.store.changes(id, None, 10).await.unwrap();
    assert_eq!(
        (history[0].field.as_str(), history[0].after.as_deref()),
        ("name", Some("web2"))
    );
    // It was heard of: what was wanted of it goes, the host stays.
    assert!(!catalog.remove_host(&known, "cli", Utc::now()).await.unwrap());
    assert!(site.store.host(id).await.unwrap().is_some());
}
