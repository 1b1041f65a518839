//! Broken set-ups as far as DHCP sees them, from real packets to the word on the host's page.

use muster::{
    boot::{Architecture, Event, EventKind, Level, LoaderTable, Policy},
    discovery::Discovery,
    ipam::{AddressRange, Mode},
};

use super::rig::{MAC, Rig, discover, firmware, ip, ipxe, lab, select, uefi};

async fn boot(rig: &Rig, wrap: fn(muster_wire::dhcp::Message) -> muster_wire::dhcp::Message) {
    let offer = rig.ask(&wrap(discover(MAC))).await.unwrap();
    rig.ask(&wrap(select(MAC, offer.yiaddr))).await.unwrap();
}

fn fetched(discovery: &Discovery, file: &str) {
    discovery.note(Event::new(discovery.now(), MAC, EventKind::TftpDone, Level::Info).with("file", file));
}

#[tokio::test]
async fn no_subnet() {
    let rig = Rig::new(Vec::new()).await;
    assert_eq!(rig.ask(&uefi(discover(MAC))).await, None);
    assert_eq!(rig.verdict(MAC).await, "no_subnet");
}

#[tokio::test]
async fn other_server_first() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    rig.ask(&uefi(discover(MAC))).await.unwrap();
    let mut chosen = uefi(select(MAC, ip(60)));
    chosen.server_id = Some(ip(9));
    rig.ask(&chosen).await;
    assert_eq!(rig.verdict(MAC).await, "other_server_first");
    let host = rig.discovery.host_by_mac(MAC).unwrap();
    assert_eq!(
        host.boot_verdict.as_deref(),
        Some("other_server_first"),
        "lists show it"
    );
}

#[tokio::test]
async fn wrong_loader() {
    let mut loaders = LoaderTable::default();
    loaders.set(Architecture::X64Uefi, "undionly.kpxe");
    let policy = Policy {
        loaders,
        ..Policy::default()
    };
    let rig = Rig::with(lab(Mode::Pool), policy).await;
    boot(&rig, uefi).await;
    fetched(&rig.discovery, "undionly.kpxe");
    rig.pass(40);
    assert_eq!(rig.verdict(MAC).await, "wrong_loader");
    rig.discovery.sweep();
    let host = rig.discovery.host_by_mac(MAC).unwrap();
    assert_eq!(host.boot_verdict.as_deref(), Some("wrong_loader"), "by time alone");
}

#[tokio::test]
async fn proxy_ignored() {
    let rig = Rig::new(lab(Mode::Proxy)).await;
    rig.ask(&uefi(discover(MAC))).await.unwrap();
    let mut chosen = uefi(select(MAC, ip(60)));
    chosen.server_id = Some(ip(9));
    rig.ask(&chosen).await;
    rig.pass(40);
    assert_eq!(rig.verdict(MAC).await, "proxy_ignored");
}

#[tokio::test]
async fn pool_exhausted() {
    let mut subnets = lab(Mode::Pool);
    subnets[0].ranges = vec![AddressRange {
        first: ip(100),
        last: ip(100),
    }];
    let rig = Rig::new(subnets).await;
    rig.lease(muster_facts::MacAddr([2, 0, 0, 0, 0, 1])).await;
    assert_eq!(rig.ask(&uefi(discover(MAC))).await, None);
    assert_eq!(rig.verdict(MAC).await, "pool_exhausted");
}

#[tokio::test]
async fn http_unreachable() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    boot(&rig, ipxe).await;
    assert_eq!(rig.verdict(MAC).await, "in_progress");
    rig.pass(30);
    assert_eq!(rig.verdict(MAC).await, "http_unreachable");
}

#[tokio::test]
async fn refused_by_policy() {
    let policy = Policy {
        refuse: vec!["52:54:00:77:*".parse().unwrap()],
        ..Policy::default()
    };
    let rig = Rig::with(lab(Mode::Pool), policy).await;
    assert_eq!(rig.ask(&uefi(discover(MAC))).await, None);
    assert_eq!(rig.verdict(MAC).await, "refused_by_policy");
}

#[tokio::test]
async fn loader_loop() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    for _ in 0..3 {
        boot(&rig, uefi).await;
        fetched(&rig.discovery, "snponly.efi");
        rig.pass(8);
    }
    assert_eq!(rig.verdict(MAC).await, "loader_loop");
}

#[tokio::test]
async fn no_loader_and_not_known() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    let strange = firmware(discover(MAC), "PXEClient:Arch:00027:UNDI:003000", 27);
    let offer = rig.ask(&strange).await.unwrap();
    assert_eq!(offer.boot_file_name(), None);
    assert_eq!(rig.verdict(MAC).await, "no_loader");
    std::fs::remove_file(rig.folder.path().join("snponly.efi")).unwrap();
    rig.discovery.files().look();
    boot(&rig, uefi).await;
    assert_eq!(rig.verdict(MAC).await, "no_loader");

    let rig = Rig::new(super::rig::reserved(&[])).await;
    assert_eq!(rig.ask(&uefi(discover(MAC))).await, None);
    assert_eq!(rig.verdict(MAC).await, "not_known");
}
