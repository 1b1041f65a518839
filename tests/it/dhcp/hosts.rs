//! Hosts that are made by a packet alone.

use muster::{
    boot::Policy,
    ipam::Mode,
    store::{HostQuery, Store},
};

use super::rig::{MAC, Rig, discover, lab, uefi};

const DAY: i64 = 24 * 3600;

async fn hosts(rig: &Rig) -> u64 {
    rig.store.drain().await.unwrap();
    let query = HostQuery {
        limit: 10,
        ..HostQuery::default()
    };
    rig.store.hosts(&query).await.unwrap().total
}

#[tokio::test]
async fn a_machine_of_which_nothing_came_for_a_month_is_forgotten_and_entered_anew() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    rig.ask(&uefi(discover(MAC))).await.unwrap();
    rig.pass(29 * DAY);
    rig.ask(&uefi(discover(MAC))).await.unwrap();
    rig.pass(29 * DAY);
    rig.discovery.sweep();
    assert_eq!(hosts(&rig).await, 1, "it was heard of less than a month ago");
    rig.pass(DAY);
    rig.discovery.sweep();
    assert_eq!(hosts(&rig).await, 0);
    assert_eq!(rig.discovery.host_by_mac(MAC), None);
    rig.ask(&uefi(discover(MAC))).await.unwrap();
    assert_eq!(hosts(&rig).await, 1);
}

#[tokio::test]
async fn a_machine_that_another_server_of_the_ledger_entered_is_the_same_host_here() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("ledger").display());
    let open = || async { Store::open(&url).await.unwrap() };
    let store = open().await;
    store.migrate().await.unwrap();
    let one = Rig::on(store, lab(Mode::Pool), Policy::default()).await;
    let other = Rig::on(open().await, lab(Mode::Pool), Policy::default()).await;
    one.ask(&uefi(discover(MAC))).await.unwrap();
    other.ask(&uefi(discover(MAC))).await.unwrap();
    let entered = one.discovery.host_by_mac(MAC).unwrap();
    assert_eq!(other.discovery.host_by_mac(MAC).map(|host| host.id), Some(entered.id));
    assert_eq!(hosts(&other).await, 1);
}
