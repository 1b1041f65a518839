use muster_facts::{Bmc, Board, Chassis, Disk, Facts, MacAddr, Nic};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::inventory::HostId;

fn id(n: u128) -> HostId {
    HostId(Uuid::from_u128(n))
}

fn mac(n: u8) -> MacAddr {
    MacAddr([0x3c, 0xec, 0xef, 0, 1, n])
}

/// A server with all its labels; machines of different `n` share nothing.
fn server(n: u8) -> Facts {
    let mut facts = Facts::default();
    facts.system.vendor = Some("Dell Inc.".to_owned());
    facts.system.serial = Some(format!("7CXA{n:03}"));
    facts.system.uuid = Some(format!("4c4c4544-0043-5810-8059-b7c04f4e{n:02x}5a"));
    facts.board = Some(Board {
        vendor: Some("Dell Inc.".to_owned()),
        serial: Some(format!(".7CXA{n:03}.CN7475153A02C9.")),
        ..Board::default()
    });
    facts.chassis = Some(Chassis {
        vendor: Some("Dell Inc.".to_owned()),
        serial: Some(format!("7CXA{n:03}")),
        ..Chassis::default()
    });
    facts.bmc = Some(Bmc {
        mac: Some(mac(100 + n)),
        ..Bmc::default()
    });
    facts.nics = nics(&[n * 2, n * 2 + 1]);
    facts.disks = disks(&[n]);
    facts
}

/// A board whose maker filled nothing in.
fn nameless(macs: &[u8], wwns: &[u8]) -> Facts {
    let mut facts = Facts::default();
    facts.system.vendor = Some("System manufacturer".to_owned());
    facts.system.serial = Some("Default string".to_owned());
    facts.system.uuid = Some("03000200-0400-0500-0006-000700080009".to_owned());
    facts.board = Some(Board {
        serial: Some("To Be Filled By O.E.M.".to_owned()),
        ..Board::default()
    });
    facts.nics = nics(macs);
    facts.disks = disks(wwns);
    facts
}

fn nics(numbers: &[u8]) -> Vec<Nic> {
    let nic = |n: &u8| Nic {
        mac: Some(mac(*n)),
        ..Nic::default()
    };
    numbers.iter().map(nic).collect()
}

fn disks(numbers: &[u8]) -> Vec<Disk> {
    let disk = |n: &u8| Disk {
        wwn: Some(format!("naa.5000c500a1b2c3{n:02x}")),
        ..Disk::default()
    };
    numbers.iter().map(disk).collect()
}

/// A ledger where `id(n)` reported the n-th of `facts`, counted from 1.
fn ledger(facts: &[&Facts]) -> KeyIndex {
    let mut known = KeyIndex::new();
    for (n, facts) in (1..).zip(facts) {
        known.set(id(n), keys_of(facts));
    }
    known
}

fn who(facts: &Facts, known: &KeyIndex) -> Identified {
    identify(&keys_of(facts), known)
}

#[track_caller]
fn same(facts: &Facts, known: &KeyIndex, expected: u128) {
    match who(facts, known) {
        Identified::Same { host, .. } => assert_eq!(host, id(expected)),
        other => panic!("expected host {expected}, got {other:?}"),
    }
}

#[track_caller]
fn ambiguous(facts: &Facts, known: &KeyIndex, expected: &[u128]) {
    match who(facts, known) {
        Identified::Ambiguous { hosts, .. } => {
            assert_eq!(hosts, expected.iter().copied().map(id).collect::<Vec<_>>());
        }
        other => panic!("expected doubt about {expected:?}, got {other:?}"),
    }
}

#[test]
fn a_server_is_recognised_and_a_stranger_is_new() {
    let known = ledger(&[&server(1), &server(2)]);
    let Identified::Same { host, by, stubs } = who(&server(1), &known) else {
        panic!("known");
    };
    assert_eq!((host, by.kind, stubs), (id(1), KeyKind::SystemUuid, vec![]));
    assert_eq!(who(&server(3), &known), Identified::New);
    assert_eq!(who(&Facts::default(), &known), Identified::New);
}

#[test]
fn swapped_parts_keep_the_host() {
    let known = ledger(&[&server(1), &server(2)]);
    let mut changed = server(1);
    changed.nics = nics(&[50, 51]);
    same(&changed, &known, 1);
    changed.disks = disks(&[60, 61]);
    changed.bmc = None;
    same(&changed, &known, 1);
    // Even when the parts come from a machine that is known.
    changed.nics = server(2).nics;
    changed.disks = server(2).disks;
    same(&changed, &known, 1);
}

#[test]
fn a_replaced_board_keeps_the_host_while_something_else_speaks_for_it() {
    let known = ledger(&[&server(1), &server(2)]);
    let mut changed = server(1);
    changed.system.uuid = server(9).system.uuid;
    changed.board = server(9).board;
    changed.bmc = server(9).bmc;
    changed.nics = nics(&[50, 51]);
    // The label on the box and the disks in it.
    same(&changed, &known, 1);
    // The label and a card.
    changed.disks = disks(&[60]);
    changed.nics = nics(&[2, 51]);
    same(&changed, &known, 1);
    // The label alone: the box may be all that is left.
    changed.nics = nics(&[50, 51]);
    ambiguous(&changed, &known, &[1]);
}

#[test]
fn a_uuid_in_the_other_byte_order_is_the_same() {
    let mut only_uuid = Facts::default();
    only_uuid.system.uuid = Some("4C4C4544-0043-5810-8059-B7C04F4E5A32".to_owned());
    let mut swapped = Facts::default();
    swapped.system.uuid = Some("44454c4c-4300-1058-8059-b7c04f4e5a32".to_owned());
    assert_eq!(keys_of(&only_uuid), keys_of(&swapped));
    same(&swapped, &ledger(&[&only_uuid]), 1);
}

#[test]
fn machines_without_names_are_told_apart_by_their_parts() {
    let (first, second) = (nameless(&[1], &[]), nameless(&[2], &[]));
    assert!(keys_of(&first).iter().all(|key| key.kind == KeyKind::Mac));
    let known = ledger(&[&first]);
    assert_eq!(who(&second, &known), Identified::New);
    let known = ledger(&[&first, &second]);
    same(&first, &known, 1);
    same(&second, &known, 2);
    // A card is added.
    same(&nameless(&[1, 7], &[]), &known, 1);
}

#[test]
fn a_nameless_machine_with_another_card_is_known_by_its_disks() {
    let known = ledger(&[&nameless(&[1, 2], &[1])]);
    same(&nameless(&[1, 3], &[1]), &known, 1);
    // One of two cards, other disks: it may be another machine with that card in it.
    ambiguous(&nameless(&[1, 3], &[2]), &known, &[1]);
    // Only a disk: disks move.
    assert_eq!(who(&nameless(&[5, 6], &[1]), &known), Identified::New);
}

#[test]
fn zeros_are_no_name() {
    for uuid in [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "not a uuid",
        "",
    ] {
        let mut facts = Facts::default();
        facts.system.uuid = Some(uuid.to_owned());
        facts.system.serial = Some("0000000000".to_owned());
        facts.nics = vec![Nic {
            mac: Some(MacAddr([0; 6])),
            ..Nic::default()
        }];
        assert_eq!(keys_of(&facts), [], "{uuid}");
    }
}

#[test]
fn copies_with_one_uuid_are_doubted_and_then_kept_apart() {
    let original = server(1);
    let mut copy = server(2);
    copy.system.uuid = original.system.uuid.clone();
    let known = ledger(&[&original]);
    ambiguous(&copy, &known, &[1]);
    // Once both are in the ledger, each is recognised as itself.
    let known = ledger(&[&original, &copy]);
    same(&original, &known, 1);
    same(&copy, &known, 2);
    // Copies of a virtual machine on shared storage: a disk in common proves nothing.
    copy.disks.extend(original.disks.clone());
    ambiguous(&copy, &ledger(&[&original]), &[1]);
}

#[test]
fn copies_without_serials_are_doubted_by_their_parts() {
    let machine = |n: u8| {
        let mut facts = nameless(&[n], &[n]);
        facts.system.uuid = server(1).system.uuid;
        facts
    };
    ambiguous(&machine(2), &ledger(&[&machine(1)]), &[1]);
    // The same machine with its only card replaced keeps its disk.
    let mut swapped = machine(1);
    swapped.nics = nics(&[9]);
    same(&swapped, &ledger(&[&machine(1)]), 1);
}

#[test]
fn a_value_on_many_hosts_is_no_key() {
    let machine = |n: u8| {
        let mut facts = nameless(&[n], &[n]);
        facts.system.uuid = server(1).system.uuid;
        facts
    };
    let known = ledger(&[&machine(1), &machine(2), &machine(3)]);
    assert_eq!(who(&machine(4), &known), Identified::New);
    same(&machine(2), &known, 2);
}

#[test]
fn a_dongle_seen_on_two_machines_merges_nothing() {
    let dongle = 90;
    let mut first = server(1);
    first.nics.extend(nics(&[dongle]));
    let mut second = server(2);
    second.nics.extend(nics(&[dongle]));
    assert_eq!(who(&second, &ledger(&[&first])), Identified::New);
    // On a machine without a name it cannot be excluded: a person looks.
    ambiguous(
        &nameless(&[dongle, 5], &[]),
        &ledger(&[&nameless(&[dongle, 4], &[])]),
        &[1],
    );
    ambiguous(&second, &ledger(&[&nameless(&[dongle], &[])]), &[1]);
    // The same addresses by a collector that may not read serials: the same machine.
    let unprivileged = Facts {
        nics: second.nics.clone(),
        ..Facts::default()
    };
    same(&second, &ledger(&[&unprivileged]), 1);
    same(&unprivileged, &ledger(&[&second]), 1);
}

#[test]
fn parts_of_two_kinds_in_another_machine_need_a_person() {
    let mut rebuilt = server(2);
    rebuilt.nics = server(1).nics;
    assert_eq!(who(&rebuilt, &ledger(&[&server(1)])), Identified::New);
    rebuilt.disks = server(1).disks;
    ambiguous(&rebuilt, &ledger(&[&server(1)]), &[1]);
}

#[test]
fn a_stub_becomes_the_host_or_is_absorbed_by_it() {
    let facts = server(1);
    let stub = |known: &mut KeyIndex, host, n| known.add(host, Key::mac(mac(n)).expect("a key"));
    // Nothing but the packet: the stub is the host.
    let mut known = KeyIndex::new();
    stub(&mut known, id(7), 2);
    assert_eq!(
        who(&facts, &known),
        Identified::Same {
            host: id(7),
            by: Key::mac(mac(2)).expect("a key"),
            stubs: vec![]
        }
    );
    // Both interfaces asked: one stub takes the other.
    stub(&mut known, id(8), 3);
    let Identified::Same { host, stubs, .. } = who(&facts, &known) else {
        panic!("known");
    };
    assert_eq!((host, stubs), (id(7), vec![id(8)]));
    // The host had other cards before: its stub goes into it.
    let mut before = facts.clone();
    before.nics = nics(&[70, 71]);
    known.set(id(1), keys_of(&before));
    let Identified::Same { host, by, stubs } = who(&facts, &known) else {
        panic!("known");
    };
    assert_eq!((host, by.kind, stubs), (id(1), KeyKind::SystemUuid, vec![id(7), id(8)]));
    // In doubt the stubs are still this machine's.
    let mut copy = server(2);
    copy.system.uuid = facts.system.uuid.clone();
    let mut known = ledger(&[&facts]);
    stub(&mut known, id(9), 4);
    assert_eq!(
        who(&copy, &known),
        Identified::Ambiguous {
            hosts: vec![id(1)],
            stubs: vec![id(9)]
        }
    );
}

#[test]
fn a_stub_with_the_name_of_another_machine_is_not_taken() {
    let mut known = KeyIndex::new();
    known.add(id(7), Key::mac(mac(2)).expect("a key"));
    let uuid = server(5).system.uuid.expect("a uuid");
    known.add(id(7), Key::system_uuid(&uuid).expect("a key"));
    assert_eq!(who(&server(1), &known), Identified::New);
}

#[test]
fn an_index_forgets_and_replaces() {
    let mut known = ledger(&[&server(1)]);
    let key = Key::mac(mac(2)).expect("a key");
    assert_eq!(known.holders(&key), [id(1)]);
    known.add(id(1), key.clone());
    assert_eq!(known.holders(&key), [id(1)]);
    known.set(id(1), keys_of(&server(3)));
    assert_eq!(known.holders(&key), []);
    known.enter(id(1), vec![key], false);
    assert!(known.is_stub(id(1)), "put back as it was before a report that failed");
    known.remove(id(1));
    assert!(known.keys(id(1)).is_empty() && known.is_stub(id(1)));
    assert_eq!(who(&server(3), &known), Identified::New);
}

proptest! {
    #[test]
    fn no_text_of_firmware_breaks_it(serial in ".{0,40}", uuid in ".{0,40}", wwn in ".{0,40}", octets: [u8; 6]) {
        let mut facts = Facts::default();
        facts.system.serial = Some(serial);
        facts.system.uuid = Some(uuid);
        facts.disks = vec![Disk { wwn: Some(wwn), ..Disk::default() }];
        facts.nics = vec![Nic { mac: Some(MacAddr(octets)), ..Nic::default() }];
        let keys = keys_of(&facts);
        let known = ledger(&[&facts]);
        prop_assert!(keys.is_sorted());
        if keys.iter().any(|key| key.kind != KeyKind::DiskWwn) {
            same(&facts, &known, 1);
        }
    }

    #[test]
    fn both_byte_orders_of_any_uuid_are_one_key(bytes: [u8; 16]) {
        let uuid = Uuid::from_bytes(bytes);
        let swapped = Uuid::from_bytes(uuid.to_bytes_le());
        prop_assert_eq!(Key::system_uuid(&uuid.to_string()), Key::system_uuid(&swapped.to_string()));
    }

    #[test]
    fn a_named_machine_keeps_its_host_whatever_parts_it_has(
        own in 1_u8..20,
        cards in prop::collection::vec(40_u8..90, 0..4),
        drives in prop::collection::vec(0_u8..90, 0..4),
    ) {
        let everybody: Vec<Facts> = (1..20).map(server).collect();
        let known = ledger(&everybody.iter().collect::<Vec<_>>());
        let mut changed = server(own);
        changed.nics = nics(&cards);
        changed.disks = disks(&drives);
        same(&changed, &known, u128::from(own));
    }

    #[test]
    fn machines_that_share_only_parts_of_one_kind_are_never_merged(
        cards in prop::collection::vec(2_u8..40, 1..6),
        drives in prop::collection::vec(1_u8..20, 1..6),
        disks_too: bool,
    ) {
        let everybody: Vec<Facts> = (1..20).map(server).collect();
        let known = ledger(&everybody.iter().collect::<Vec<_>>());
        let mut stranger = server(30);
        if disks_too {
            stranger.disks = disks(&drives);
        } else {
            stranger.nics = nics(&cards);
        }
        prop_assert_eq!(who(&stranger, &known), Identified::New);
    }

    #[test]
    fn the_order_of_keys_and_hosts_does_not_matter(mut order in Just((1_u8..12).collect::<Vec<_>>()).prop_shuffle(), who_is in 1_u8..12) {
        let mut known = KeyIndex::new();
        for n in &order {
            known.set(id(u128::from(*n)), keys_of(&server(*n)));
        }
        let mut keys = keys_of(&server(who_is));
        order.truncate(keys.len());
        keys.sort_by_key(|key| (key.value.len() + usize::from(order[0])) % 7);
        let found = identify(&keys, &known);
        prop_assert_eq!(found, who(&server(who_is), &known));
    }
}
