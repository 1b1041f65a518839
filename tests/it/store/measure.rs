//! How fast the ledger takes a rack room that is switched on. Not a test of right and wrong: run it by name with
//! `cargo test --release --test it measure -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use muster::{
    boot::BootId,
    inventory::{HostId, new_id},
    search::parse,
    store::{HostQuery, Store, Write},
};
use muster_facts::{Dimm, Disk, Facts, MacAddr, PciDevice};

use super::samples::*;

const MACHINES: u16 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn measure_a_room_switched_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let store = Store::open(&url).await.expect("opens");
    store.migrate().await.expect("migrates");
    let hosts: Vec<_> = (0..MACHINES).map(host).collect();

    let first_packet = hosts.iter().zip(0_u16..).map(|(host, n)| {
        let boot = BootId(new_id(at(0)));
        let line = Write::Event(event(Some(host.id), Some(boot), n));
        vec![created_with(host, &[mac(n)]), line]
    });
    tell("hosts made", all(&store, first_packet.collect()).await);

    let acks = hosts.iter().zip(0_u16..).map(|(host, n)| {
        let [high, low] = n.to_be_bytes();
        let mut taken = lease(low, mac(n), 0, 3600);
        taken.address = [10, 77, high, low].into();
        let mut writes = vec![Write::Lease(taken)];
        writes.extend((0..4).map(|_| Write::Event(event(Some(host.id), None, n))));
        writes
    });
    tell("leases with four events", all(&store, acks.collect()).await);

    let reports = hosts.iter().zip(0_u16..).map(|(host, n)| {
        let report = loaded(host.id, &[mac(n), mac(n | 0x8000)]);
        vec![Write::Facts(Box::new(saved(host, report, at(9))))]
    });
    tell("reports", all(&store, reports.collect()).await);

    let started = Instant::now();
    let query = HostQuery {
        search: Some(parse("poweredge 00:77:01").expect("a search").at(at(0))),
        limit: 50,
        ..HostQuery::default()
    };
    let found = store.hosts(&query).await.expect("readable").total;
    println!("a search that finds {found}: {:?}", started.elapsed());
    let started = Instant::now();
    let view = store.load_view().await.expect("readable");
    println!("a view of {} hosts: {:?}", view.hosts.len(), started.elapsed());
}

/// Hands everything in at once and waits for the last answer; gives the time of all and of the slowest answer.
async fn all(store: &Store, submissions: Vec<Vec<Write>>) -> (usize, Duration) {
    let count = submissions.len();
    let started = Instant::now();
    let answers = submissions.into_iter().map(|writes| {
        let writer = store.writer();
        async move { writer.commit(writes).await }
    });
    for answer in futures_util::future::join_all(answers).await {
        answer.expect("committed");
    }
    (count, started.elapsed())
}

fn tell(what: &str, (count, took): (usize, Duration)) {
    let rate = count as f64 / took.as_secs_f64();
    println!("{count} {what}: {took:?}, {rate:.0} a second, the last answered after {took:?}");
}

/// The report of a two-socket server with all slots filled.
fn loaded(host: HostId, macs: &[MacAddr]) -> Facts {
    let mut report = facts(&host.to_string(), macs);
    report.disks = (0..8)
        .map(|n| Disk {
            name: format!("sd{n}"),
            size_bytes: 960_197_124_096,
            model: Some("MZ7LH960".to_owned()),
            serial: Some(format!("{host}-{n}")),
            wwn: Some(format!("naa.{:016x}", host.0.as_u128() as u64 ^ n)),
            ..Disk::default()
        })
        .collect();
    report.memory.dimms = (0..16)
        .map(|n| Dimm {
            slot: format!("A{n}"),
            size_bytes: 32 << 30,
            serial: Some(format!("{host}-{n}")),
            ..Dimm::default()
        })
        .collect();
    report.pci = (0..80)
        .map(|n| PciDevice {
            address: format!("0000:{n:02x}:00.0"),
            class: "088000".to_owned(),
            vendor_id: "8086".to_owned(),
            device_id: "2021".to_owned(),
            ..PciDevice::default()
        })
        .collect();
    report
}
