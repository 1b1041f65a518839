//! Hosts that people enter and name while the server runs.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo, http::Request};
use chrono::Utc;
use muster::{
    desired::{Distro, Family, HostPlan, Parent, Profile, Tree, Values},
    http::boot::{BootBounds, boot_router},
    inventory::{Host, HostId, Source, State},
    provision::{Catalog, NewHost},
    store::{FactsSaved, Write},
};
use muster_facts::MacAddr;
use serde_json::Value;
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

/// A catalogue with a profile `web`.
async fn catalog_with_profile(site: &Site) -> Catalog {
    let catalog = Catalog::new(site.store.clone(), &[]);
    let distro = Distro {
        name: "rocky9".into(),
        family: Family::Redhat,
        id: "rocky".into(),
        version: "9.4".into(),
        codename: None,
        arch: "x86_64".into(),
        tree: Tree::Path("/srv/rocky9".into()),
        kernel: "images/pxeboot/vmlinuz".into(),
        initrd: "images/pxeboot/initrd.img".into(),
        values: Values::default(),
    };
    catalog.add_distro(distro, "cli", site.now()).await.unwrap();
    let profile = Profile {
        name: "web".into(),
        parent: Parent::Distro("rocky9".into()),
        values: Values::default(),
    };
    catalog.add_profile(profile, "cli", site.now()).await.unwrap();
    catalog
}

fn planned(host: HostId, profile: Option<&str>) -> HostPlan {
    HostPlan {
        profile: profile.map(str::to_owned),
        ..HostPlan::empty(host)
    }
}

#[tokio::test]
async fn a_host_that_nobody_has_heard_of_was_not_seen_and_waits_for_its_profile() {
    let site = Site::new().await;
    let catalog = catalog_with_profile(&site).await;
    let new = NewHost {
        name: "web1".to_owned(),
        macs: vec![MAC.to_string()],
        profile: Some("web".to_owned()),
        values: Values::default(),
    };
    let id = catalog.add_host(new, "cli", site.now()).await.unwrap();
    let kept = async || site.store.host(id).await.unwrap().unwrap();
    assert_eq!((kept().await.state, kept().await.seen_at()), (State::Assigned, None));
    let signed = site.signed_in().await;
    let shown = site
        .get(&format!("/api/v1/hosts/{id}"), &[("cookie", signed.as_str())])
        .await
        .json();
    assert_eq!(
        (&shown["state"], &shown["last_seen_at"]),
        (&"assigned".into(), &Value::Null)
    );

    let now = site.now();
    catalog.set_plan(planned(id, None), "cli", now).await.unwrap();
    assert_eq!(kept().await.state, State::Discovered);
    catalog.set_plan(planned(id, Some("web")), "cli", now).await.unwrap();
    assert_eq!(kept().await.state, State::Assigned);
    let moves: Vec<_> = site
        .store
        .changes(id, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|change| (change.field, change.after.unwrap_or_default()))
        .collect();
    assert_eq!(moves.len(), 2);
    assert!(
        moves.contains(&("state".to_owned(), "assigned".to_owned())),
        "{moves:?}"
    );
    // Nothing was heard of it: it ends whole.
    assert!(catalog.remove_host(&kept().await, "cli", now).await.unwrap());
    assert!(site.store.host(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_profile_that_is_given_by_a_command_moves_the_host_and_the_server_learns_it() {
    let site = Site::new().await;
    let catalog = catalog_with_profile(&site).await;
    let boots = || {
        Request::get(format!("/boot/ipxe?mac={MAC}&platform=efi"))
            .extension(ConnectInfo(SocketAddr::from(([10, 77, 0, 50], 40_000))))
            .body(Body::empty())
            .unwrap()
    };
    let router = boot_router(site.discovery.clone(), BootBounds::default());
    router.clone().oneshot(boots()).await.unwrap();
    let id = site.discovery.host_by_mac(MAC).unwrap().id;
    let state = || site.discovery.host_by_mac(MAC).unwrap().state;
    assert_eq!(state(), State::Discovered);

    let now = site.now();
    catalog.set_plan(planned(id, Some("web")), "cli", now).await.unwrap();
    assert_eq!(site.store.host(id).await.unwrap().unwrap().state, State::Assigned);
    site.discovery.learn_names().await.unwrap();
    assert_eq!(state(), State::Assigned);
    // Only values change: it stays where it is.
    catalog.set_plan(planned(id, Some("web")), "cli", now).await.unwrap();
    catalog.remove_plan(id, "cli", now).await.unwrap();
    site.discovery.learn_names().await.unwrap();
    assert_eq!(state(), State::Discovered, "it never reported");
}

#[tokio::test]
async fn a_report_does_not_undo_what_a_command_has_moved() {
    let site = Site::new().await;
    let catalog = catalog_with_profile(&site).await;
    let facts = muster_fleet::hardware::facts(1, 0, muster_fleet::Firmware::Uefi, 0);
    let id = site.reported(facts.clone()).await;
    catalog
        .set_plan(planned(id, Some("web")), "cli", site.now())
        .await
        .unwrap();
    // A report that was judged before: the server did not know of the command.
    let stale = Host {
        state: State::Inventoried,
        ..site.store.host(id).await.unwrap().unwrap()
    };
    let saved = FactsSaved {
        interfaces: Vec::new(),
        components: Vec::new(),
        keys: Vec::new(),
        source: Source::Netboot,
        host: stale,
        facts,
        at: site.now(),
        changes: Vec::new(),
        events: Vec::new(),
        absorbed: Vec::new(),
    };
    site.store
        .writer()
        .commit(vec![Write::Facts(Box::new(saved))])
        .await
        .unwrap();
    assert_eq!(site.store.host(id).await.unwrap().unwrap().state, State::Assigned);
}
