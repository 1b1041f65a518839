//! Made-up SMBIOS tables: what versions 2.4 to 3.7 allow, and what they do not.

use muster_agent::gather::smbios::{Smbios, parse};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

/// Writes structures one after the other, as firmware does.
#[derive(Default)]
struct Tables {
    bytes: Vec<u8>,
    next: u16,
}

impl Tables {
    /// Adds a structure: `body` follows the four bytes of the header. Answers with its handle.
    fn add(&mut self, kind: u8, body: &[u8], strings: &[&str]) -> u16 {
        let handle = self.next;
        self.next += 1;
        self.bytes.extend([kind, u8::try_from(body.len() + 4).unwrap()]);
        self.bytes.extend(handle.to_le_bytes());
        self.bytes.extend(body);
        for text in strings {
            self.bytes.extend(text.as_bytes());
            self.bytes.push(0);
        }
        if strings.is_empty() {
            self.bytes.push(0);
        }
        self.bytes.push(0);
        handle
    }

    fn parse_as(&self, entry: &[u8]) -> Smbios {
        parse(entry, &self.bytes)
    }
}

/// A 32-bit entry point of version 2.`minor`.
fn entry2(minor: u8, count: u16) -> Vec<u8> {
    let mut bytes = vec![0; 31];
    bytes[..4].copy_from_slice(b"_SM_");
    bytes[5..8].copy_from_slice(&[31, 2, minor]);
    bytes[0x1c..0x1e].copy_from_slice(&count.to_le_bytes());
    bytes
}

/// A 64-bit entry point of version 3.`minor`.
fn entry3(minor: u8) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    bytes[..5].copy_from_slice(b"_SM3_");
    bytes[6..9].copy_from_slice(&[24, 3, minor]);
    bytes
}

/// Bytes at offsets of the specification, which count the four bytes of the header.
fn body(length: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; length - 4];
    for (offset, value) in fields {
        bytes[offset - 4..offset - 4 + value.len()].copy_from_slice(value);
    }
    bytes
}

const UUID: [u8; 16] = [
    0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
];

fn uuid_under(entry: &[u8], uuid: [u8; 16]) -> Option<String> {
    let mut tables = Tables::default();
    tables.add(1, &body(0x1b, &[(0x08, &uuid)]), &[]);
    tables.parse_as(entry).system.unwrap().uuid
}

#[test]
fn the_byte_order_of_the_uuid_follows_the_version() {
    let little = Some("00112233-4455-6677-8899-aabbccddeeff".to_owned());
    let network = Some("33221100-5544-7766-8899-aabbccddeeff".to_owned());
    assert_eq!(uuid_under(&entry2(4, 0), UUID), network);
    assert_eq!(uuid_under(&entry2(5, 0), UUID), network);
    assert_eq!(uuid_under(&entry2(6, 0), UUID), little);
    assert_eq!(uuid_under(&entry2(8, 0), UUID), little);
    assert_eq!(uuid_under(&entry3(3), UUID), little);
    // 2.51 is how some firmware writes 2.6; 2.33 is 2.3 in the wrong radix.
    assert_eq!(uuid_under(&entry2(0x33, 0), UUID), little);
    assert_eq!(uuid_under(&entry2(0x21, 0), UUID), network);
    assert_eq!(uuid_under(&entry3(7), [0; 16]), None);
    assert_eq!(uuid_under(&entry3(7), [0xff; 16]), None);
}

#[test]
fn texts_that_are_not_there_are_absent() {
    let mut tables = Tables::default();
    tables.add(1, &body(0x1b, &[(0x04, &[1, 0, 9, 2])]), &["  Maker, Inc. ", "   "]);
    let system = tables.parse_as(&entry2(8, 0)).system.unwrap();
    assert_eq!(system.vendor.as_deref(), Some("Maker, Inc."));
    assert_eq!((system.product, system.version, system.serial), (None, None, None));
}

#[test]
fn a_structure_of_an_old_version_has_no_later_fields() {
    let mut tables = Tables::default();
    tables.add(1, &body(0x08, &[(0x04, &[1, 2, 0, 3])]), &["Maker", "Model", "S1"]);
    tables.add(
        17,
        &body(0x15, &[(0x0c, &512_u16.to_le_bytes()), (0x10, &[1])]),
        &["A1"],
    );
    tables.add(
        4,
        &body(0x1a, &[(0x04, &[1]), (0x14, &2400_u16.to_le_bytes()), (0x18, &[0x41])]),
        &["CPU1"],
    );
    let found = tables.parse_as(&entry2(0, 0));
    assert_eq!(found.system.unwrap().serial.as_deref(), Some("S1"));
    assert_eq!((found.dimms[0].size_bytes, found.dimms[0].speed_mts), (512 * MIB, None));
    assert_eq!((found.packages[0].max_mhz, found.packages[0].cores), (Some(2400), None));
}

#[test]
fn sizes_of_modules() {
    let mut tables = Tables::default();
    let mut add = |size: u16, extended: u32, slot: &str| {
        let fields: [(usize, &[u8]); 4] = [
            (0x0c, &size.to_le_bytes()),
            (0x10, &[1]),
            (0x12, &[0x22]),
            (0x1c, &extended.to_le_bytes()),
        ];
        tables.add(17, &body(0x28, &fields), &[slot]);
    };
    add(0, 0, "empty");
    add(16 * 1024, 0, "in MiB");
    add(0x8000 | 512, 0, "in KiB");
    add(0x7fff, 64 * 1024, "extended");
    add(0x7fff, 0x8000_0000 | (128 * 1024), "reserved bit");
    add(0xffff, 0, "unknown");
    let found = tables.parse_as(&entry2(8, 0));
    let sizes: Vec<(&str, u64)> = found
        .dimms
        .iter()
        .map(|dimm| (dimm.slot.as_str(), dimm.size_bytes))
        .collect();
    let expected = [
        ("in MiB", 16 * 1024 * MIB),
        ("in KiB", 512 << 10),
        ("extended", 64 * 1024 * MIB),
        ("reserved bit", 128 * 1024 * MIB),
        ("unknown", 0),
    ];
    assert_eq!(sizes, expected);
    assert_eq!((found.slots, found.unknown_size), (Some(6), true));
    assert_eq!(found.dimms[0].kind.as_deref(), Some("DDR5"));
}

#[test]
fn speeds_beyond_a_word_are_extended() {
    let mut tables = Tables::default();
    let mut add = |length: usize, word: u16, rated: u32, configured: u32| {
        let (rated, configured) = (rated.to_le_bytes(), configured.to_le_bytes());
        let mut fields: Vec<(usize, &[u8])> = vec![(0x0c, &[0, 0x40])];
        let word = word.to_le_bytes();
        fields.extend([(0x15, word.as_slice()), (0x20, word.as_slice())]);
        if length >= 0x5c {
            fields.extend([(0x54, rated.as_slice()), (0x58, configured.as_slice())]);
        }
        tables.add(17, &body(length, &fields), &[]);
    };
    add(0x5c, 0xffff, 70_000, 0x8000_0000 | 68_000);
    add(0x5c, 6400, 70_000, 70_000);
    add(0x28, 0xffff, 0, 0);
    add(0x5c, 0, 0, 0);
    let found = tables.parse_as(&entry3(3));
    let speeds: Vec<_> = found
        .dimms
        .iter()
        .map(|dimm| (dimm.speed_mts, dimm.configured_mts))
        .collect();
    assert_eq!(
        speeds,
        [
            (Some(70_000), Some(68_000)),
            (Some(6400), Some(6400)),
            (None, None),
            (None, None)
        ]
    );
}

#[test]
fn only_system_memory_counts() {
    let mut tables = Tables::default();
    let ram = tables.add(16, &body(0x17, &[(0x05, &[3])]), &[]);
    let flash = tables.add(16, &body(0x17, &[(0x05, &[5])]), &[]);
    for (array, size) in [(ram, 1024_u16), (ram, 0), (flash, 16), (0xeeee, 2048)] {
        let fields: [(usize, &[u8]); 2] = [(0x04, &array.to_le_bytes()), (0x0c, &size.to_le_bytes())];
        tables.add(17, &body(0x15, &fields), &[]);
    }
    let found = tables.parse_as(&entry3(0));
    assert_eq!(found.slots, Some(3));
    assert_eq!(
        found.dimms.iter().map(|dimm| dimm.size_bytes / MIB).collect::<Vec<_>>(),
        [1024, 2048]
    );
}

#[test]
fn counts_of_cores_beyond_a_byte_are_extended() {
    let mut tables = Tables::default();
    let mut add = |status: u8, short: u8, long: u16, length: usize| {
        let long = long.to_le_bytes();
        let mut fields: Vec<(usize, &[u8])> = vec![(0x04, &[1])];
        let (status, short) = ([status], [short]);
        fields.extend([
            (0x18, status.as_slice()),
            (0x23, short.as_slice()),
            (0x25, short.as_slice()),
        ]);
        if length >= 0x30 {
            fields.extend([(0x2a, long.as_slice()), (0x2e, long.as_slice())]);
        }
        tables.add(4, &body(length, &fields), &["P0"]);
    };
    add(0x41, 0xff, 288, 0x30);
    add(0x41, 64, 64, 0x32);
    add(0x41, 0, 0, 0x30);
    add(0x41, 0xff, 0xffff, 0x30);
    add(0x41, 0xff, 0, 0x28);
    add(0x00, 8, 8, 0x30);
    let found = tables.parse_as(&entry3(7));
    let cores: Vec<_> = found
        .packages
        .iter()
        .map(|package| (package.cores, package.threads))
        .collect();
    let expected = [
        (Some(288), Some(288)),
        (Some(64), Some(64)),
        (None, None),
        (None, None),
        (Some(255), Some(255)),
    ];
    assert_eq!(cores, expected, "and the empty socket is left out");
}

#[test]
fn sizes_of_the_rom() {
    let rom = |short: u8, extended: Option<u16>| {
        let mut tables = Tables::default();
        let extended_bytes = extended.unwrap_or(0).to_le_bytes();
        let length = if extended.is_some() { 0x1a } else { 0x12 };
        let short = [short];
        let mut fields: Vec<(usize, &[u8])> = vec![(0x09, &short)];
        if extended.is_some() {
            fields.extend([
                (0x14, [0xff, 0xff, 0xff, 0xff].as_slice()),
                (0x18, extended_bytes.as_slice()),
            ]);
        }
        tables.add(0, &body(length, &fields), &[]);
        tables.parse_as(&entry3(1)).bios.unwrap()
    };
    assert_eq!(rom(0x0f, None).rom_bytes, Some(MIB));
    assert_eq!(rom(0xff, None).rom_bytes, Some(16 * MIB));
    assert_eq!(rom(0xff, Some(32)).rom_bytes, Some(32 * MIB));
    assert_eq!(rom(0xff, Some(0x4001)).rom_bytes, Some(1024 * MIB));
    assert_eq!(rom(0xff, Some(0xc001)).rom_bytes, None);
    assert_eq!((rom(0, Some(1)).revision, rom(0, Some(1)).ec_revision), (None, None));
}

#[test]
fn the_first_board_and_chassis_are_the_machines_own() {
    let mut tables = Tables::default();
    tables.add(
        2,
        &body(0x0f, &[(0x04, &[1, 2, 0, 3, 4])]),
        &["Maker", "Main", "B1", "A1"],
    );
    tables.add(2, &body(0x0f, &[(0x05, &[1])]), &["Riser"]);
    tables.add(
        3,
        &body(0x15, &[(0x04, &[1, 0x97, 0, 2, 3]), (0x11, &[2])]),
        &["Maker", "C1", "A2"],
    );
    let found = tables.parse_as(&entry2(7, 3));
    let (board, chassis) = (found.board.unwrap(), found.chassis.unwrap());
    assert_eq!(
        (board.product.as_deref(), board.asset_tag.as_deref()),
        (Some("Main"), Some("A1"))
    );
    assert_eq!(chassis.kind.as_deref(), Some("Rack Mount Chassis"), "bit 7 is a lock");
    assert_eq!((chassis.height_u, chassis.serial.as_deref()), (Some(2), Some("C1")));
}

#[test]
fn management_controllers() {
    let mut tables = Tables::default();
    tables.add(38, &body(0x12, &[(0x04, &[1, 0x20])]), &[]);
    // A network interface of three bytes, then two protocol records, the second of them Redfish.
    tables.add(42, &[0x40, 3, 4, 1, 2, 2, 0x02, 1, 0, 0x04, 2, 9, 9], &[]);
    let found = tables.parse_as(&entry3(2)).bmc.unwrap();
    assert_eq!((found.ipmi_version.as_deref(), found.redfish), (Some("2.0"), true));

    let mut broken = Tables::default();
    broken.add(42, &[0x40, 200, 4], &[]);
    assert!(!broken.parse_as(&entry3(2)).bmc.unwrap().redfish);
    assert_eq!(Tables::default().parse_as(&entry3(2)).bmc, None);
}

#[test]
fn the_walk_ends_where_it_must() {
    let mut tables = Tables::default();
    tables.add(1, &body(0x1b, &[(0x07, &[1])]), &["S1"]);
    tables.add(127, &[], &[]);
    tables.add(2, &body(0x0f, &[]), &[]);
    let found = tables.parse_as(&entry3(0));
    assert_eq!(
        (found.board, found.problems),
        (None, vec![]),
        "nothing after the end-of-table structure"
    );

    let mut counted = Tables::default();
    counted.add(1, &body(0x1b, &[]), &[]);
    counted.add(2, &body(0x0f, &[]), &[]);
    assert_eq!(
        counted.parse_as(&entry2(8, 1)).board,
        None,
        "nothing after the stated count"
    );
}

#[test]
fn a_broken_structure_costs_only_what_follows() {
    let mut start = Tables::default();
    start.add(1, &body(0x1b, &[(0x07, &[1])]), &["S1"]);
    for (tail, problem) in [
        (vec![2, 3, 9, 0, 0, 0], "states 3 bytes"),
        (vec![2, 200, 9, 0, 0, 0], "reaches beyond"),
        (vec![2, 6, 9, 0, 1, 0, b'A', b'B'], "do not end"),
    ] {
        let bytes = [start.bytes.clone(), tail].concat();
        let found = parse(&entry3(0), &bytes);
        assert_eq!(found.system.unwrap().serial.as_deref(), Some("S1"));
        assert_eq!(found.problems.len(), 1);
        assert!(found.problems[0].contains(problem), "{:?}", found.problems);
    }
    // The last structure is cut within its strings: what is there is kept.
    let cut = [start.bytes.clone(), vec![2, 6, 9, 0, 1, 0, b'A', b'B']].concat();
    assert_eq!(parse(&entry3(0), &cut).board.unwrap().vendor.as_deref(), Some("AB"));
}

#[test]
fn without_an_entry_point_the_tables_are_read_all_the_same() {
    let mut tables = Tables::default();
    tables.add(1, &body(0x1b, &[(0x08, &UUID)]), &[]);
    let found = tables.parse_as(b"");
    assert_eq!(
        found.system.unwrap().uuid.as_deref(),
        Some("00112233-4455-6677-8899-aabbccddeeff")
    );
    assert_eq!(found.problems.len(), 1);
    let mut legacy = b"_DMI_".to_vec();
    legacy.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0x24]);
    assert_eq!(tables.parse_as(&legacy).problems, Vec::<String>::new());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(entry in prop::collection::vec(any::<u8>(), 0..40), tables in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&entry, &tables);
        let _ = parse(&entry3(7), &tables);
    }

    /// Headers of known types with arbitrary lengths reach further than noise does.
    #[test]
    fn arbitrary_structures_never_panic(
        parts in prop::collection::vec((prop::sample::select(vec![0_u8, 1, 2, 3, 4, 16, 17, 38, 42, 127]), any::<u8>(), prop::collection::vec(any::<u8>(), 0..120)), 0..20),
        minor in any::<u8>(),
        count in any::<u16>(),
    ) {
        let mut tables = Vec::new();
        for (kind, length, bytes) in parts {
            tables.extend([kind, length, 0, 0]);
            tables.extend(bytes);
            tables.extend([0, 0]);
        }
        let found = parse(&entry2(minor, count), &tables);
        prop_assert!(found.dimms.len() <= tables.len());
    }
}
