use chrono::{DateTime, Utc};
use muster_facts::{Board, CpuPackage, Dimm, Disk, Facts, LldpNeighbour, MacAddr, Nic, PciDevice, Unread};
use uuid::Uuid;

use super::*;
use crate::inventory::{ComponentKind, HostId, Source};

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).expect("a time")
}

const HOST: HostId = HostId(Uuid::from_u128(1));

fn disk(name: &str, serial: &str) -> Disk {
    Disk {
        name: name.to_owned(),
        size_bytes: 960_197_124_096,
        model: Some("MZ7LH960".to_owned()),
        serial: Some(serial.to_owned()),
        firmware: Some("904Q".to_owned()),
        ..Disk::default()
    }
}

fn nic(name: &str, n: u8) -> Nic {
    Nic {
        name: name.to_owned(),
        mac: Some(MacAddr([0x3c, 0xec, 0xef, 0, 0, n])),
        driver: Some("ixgbe".to_owned()),
        ..Nic::default()
    }
}

fn machine() -> Facts {
    let mut facts = Facts::default();
    facts.system.vendor = Some("Dell Inc.".to_owned());
    facts.system.uuid = Some("4C4C4544-0043-5810-8059-B7C04F4E5A32".to_owned());
    facts.board = Some(Board {
        serial: Some(".7CX.".to_owned()),
        ..Board::default()
    });
    facts.cpu.cores = 16;
    facts.cpu.packages = vec![CpuPackage {
        socket: "CPU1".to_owned(),
        version: Some("Xeon Gold 6130".to_owned()),
        ..CpuPackage::default()
    }];
    facts.memory.total_bytes = 64 << 30;
    facts.memory.dimms = vec![Dimm {
        slot: "A1".to_owned(),
        size_bytes: 32 << 30,
        serial: Some("11AA22BB".to_owned()),
        ..Dimm::default()
    }];
    facts.disks = vec![disk("sda", "S1"), disk("sdb", "S2")];
    facts.nics = vec![nic("eno1", 1), nic("eno2", 2)];
    facts
}

fn changed(after: &Facts) -> Vec<(String, Option<String>, Option<String>)> {
    let told = Told {
        host: HOST,
        source: Source::Netboot,
        actor: None,
        at: at(),
    };
    let changes = diff(Some(&machine()), after, &told);
    assert!(changes.iter().all(|change| change.host == HOST && change.at == at()));
    assert!(changes.is_sorted_by_key(|change| change.id));
    changes
        .into_iter()
        .map(|change| (change.field, change.before, change.after))
        .collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_first_report_and_a_repeated_one_change_nothing() {
    let told = Told {
        host: HOST,
        source: Source::Agent,
        actor: None,
        at: at(),
    };
    assert_eq!(diff(None, &machine(), &told), []);
    assert_eq!(changed(&machine()), []);
}

#[test]
fn another_order_of_disks_and_cards_is_no_change() {
    let mut after = machine();
    after.disks = vec![disk("sda", "S2"), disk("sdb", "S1")];
    after.nics = vec![nic("eth0", 2), nic("eth1", 1)];
    assert_eq!(changed(&after), []);
}

#[test]
fn what_varies_without_meaning_is_no_change() {
    let mut after = machine();
    after.version = 7;
    after.collection.at_unix_s = 99;
    after.collection.duration_ms = 12;
    after.memory.usable_bytes = Some(5);
    after.kernel.cmdline = text("BOOTIF=01-02");
    after.nics[0].link = Some(true);
    after.nics[0].speed_mbps = Some(10_000);
    after.unread = vec![Unread {
        what: "bmc".to_owned(),
        why: "no driver".to_owned(),
    }];
    assert_eq!(changed(&after), []);
}

#[test]
fn the_order_of_addresses_is_no_change_but_an_address_is() {
    let mut before = machine();
    before.nics[0].addresses = vec!["10.0.0.5/24".to_owned(), "fd00::5/64".to_owned()];
    let mut after = machine();
    after.nics[0].addresses = vec!["fd00::5/64".to_owned(), "10.0.0.5/24".to_owned()];
    let told = Told {
        host: HOST,
        source: Source::Agent,
        actor: text("user:anna"),
        at: at(),
    };
    assert_eq!(diff(Some(&before), &after, &told), []);
    after.nics[0].addresses = vec!["10.0.0.6/24".to_owned()];
    let changes = diff(Some(&before), &after, &told);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].field, "nics[3c:ec:ef:00:00:01].addresses");
    assert_eq!(changes[0].before, text("10.0.0.5/24, fd00::5/64"));
    assert_eq!(changes[0].actor, text("user:anna"));
}

#[test]
fn a_swapped_disk_is_one_gone_and_one_come() {
    let mut after = machine();
    after.disks[0] = disk("sda", "S9");
    let label = text("MZ7LH960 960197124096 bytes");
    assert_eq!(
        changed(&after),
        [
            ("disks[S1]".to_owned(), label.clone(), None),
            ("disks[S9]".to_owned(), None, label),
        ]
    );
}

#[test]
fn fields_change_one_by_one() {
    let mut after = machine();
    after.disks[1].firmware = text("905Q");
    after.memory.total_bytes = 128 << 30;
    after.board = None;
    after.hostname = text("node-1");
    assert_eq!(
        changed(&after),
        [
            ("board.serial".to_owned(), text(".7CX."), None),
            ("disks[S2].firmware".to_owned(), text("904Q"), text("905Q")),
            ("hostname".to_owned(), None, text("node-1")),
            (
                "memory.total_bytes".to_owned(),
                text("68719476736"),
                text("137438953472")
            ),
        ]
    );
}

#[test]
fn members_without_a_name_of_their_own_are_counted() {
    let mut after = machine();
    let nameless = || PciDevice {
        vendor_id: "10de".to_owned(),
        device_id: "20b0".to_owned(),
        ..PciDevice::default()
    };
    after.gpus = vec![nameless(), nameless()];
    assert_eq!(
        changed(&after),
        [
            ("gpus[?#2]".to_owned(), None, text("10de:20b0")),
            ("gpus[?]".to_owned(), None, text("10de:20b0")),
        ]
    );
}

#[test]
fn the_summary_is_what_lists_show() {
    let summary = summary(&machine());
    assert_eq!(summary.uuid.as_deref(), Some("4c4c4544-0043-5810-8059-b7c04f4e5a32"));
    assert_eq!(
        (summary.disks, summary.nics, summary.cores),
        (Some(2), Some(2), Some(16))
    );
    assert_eq!(summary.disk_bytes, Some(2 * 960_197_124_096));
    assert_eq!(super::summary(&Facts::default()), crate::inventory::Summary::default());
}

#[test]
fn interfaces_that_are_gone_stay_as_absent() {
    let before = interfaces(HOST, &[], &machine(), at());
    assert!(before.iter().all(|interface| interface.present));
    let mut after = machine();
    after.nics = vec![nic("eth0", 2), nic("eth1", 3), nic("eth2", 3)];
    after.nics[1].lldp = Some(LldpNeighbour {
        switch: text("sw-7"),
        port: text("Eth1/3"),
        ..LldpNeighbour::default()
    });
    after.nics.push(Nic::default());
    let interfaces = interfaces(HOST, &before, &after, at());
    let shown: Vec<_> = interfaces
        .iter()
        .map(|interface| (interface.mac.0[5], interface.present, interface.name.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, false, Some("eno1")),
            (2, true, Some("eth0")),
            (3, true, Some("eth2"))
        ]
    );
    let mut one = machine();
    one.nics = vec![after.nics[1].clone()];
    let found = super::interfaces(HOST, &[], &one, at());
    assert_eq!(found[0].neighbour.as_deref(), Some("sw-7 Eth1/3"));
}

#[test]
fn components_keep_their_keys_and_twins_are_counted() {
    let before = components(HOST, &[], &machine());
    let kinds: Vec<_> = before.iter().map(|part| (part.kind, part.key.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (ComponentKind::Cpu, "CPU1"),
            (ComponentKind::Dimm, "11AA22BB"),
            (ComponentKind::Disk, "S1"),
            (ComponentKind::Disk, "S2"),
        ]
    );
    let mut after = machine();
    after.disks = vec![disk("sda", "S2")];
    after.memory.dimms = vec![
        Dimm {
            serial: text("00000000"),
            slot: "A1".to_owned(),
            ..Dimm::default()
        },
        Dimm {
            serial: text("00000000"),
            slot: "A2".to_owned(),
            ..Dimm::default()
        },
    ];
    let shown: Vec<_> = components(HOST, &before, &after)
        .into_iter()
        .map(|part| (part.key, part.present))
        .collect();
    let expected = [
        ("CPU1", true),
        ("00000000", true),
        ("00000000#2", true),
        ("11AA22BB", false),
        ("S1", false),
        ("S2", true),
    ];
    assert_eq!(shown, expected.map(|(key, present)| (key.to_owned(), present)));
}
