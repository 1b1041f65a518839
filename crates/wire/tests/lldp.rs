//! LLDP announcements of several switches.
#![expect(clippy::cast_possible_truncation, reason = "tests may panic")]

use muster_wire::lldp::{LldpError, Neighbour, parse};
use proptest::prelude::*;

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let head = u16::from(kind) << 9 | value.len() as u16;
    [&head.to_be_bytes(), value].concat()
}

fn announcement() -> Vec<u8> {
    [
        tlv(1, &[4, 0x00, 0x1c, 0x73, 0xaa, 0xbb, 0xcc]),
        tlv(2, b"\x05Ethernet1/7"),
        tlv(3, &[0, 120]),
        tlv(4, b"rack 12, server 3"),
        tlv(5, b"leaf-12a.example\n"),
        tlv(6, b"a switch"),
        tlv(127, &[0x00, 0x12, 0x0f, 1, 3, 0x6c]),
        tlv(127, &[0x00, 0x80, 0xc2, 1, 0x0f, 0xa0]),
        tlv(0, &[]),
        vec![0; 9],
    ]
    .concat()
}

fn frame(tag: &[u8]) -> Vec<u8> {
    let head = [0x01, 0x80, 0xc2, 0, 0, 0x0e, 0x00, 0x1c, 0x73, 1, 2, 3];
    [&head, tag, &[0x88, 0xcc], &announcement()].concat()
}

#[test]
fn frames_and_bare_announcements_are_read() {
    let expected = Neighbour {
        chassis_id: "00:1c:73:aa:bb:cc".into(),
        port_id: "Ethernet1/7".into(),
        port_description: Some("rack 12, server 3".into()),
        system_name: Some("leaf-12a.example".into()),
        vlan: Some(4000),
        ttl: 120,
    };
    assert_eq!(parse(&announcement()).unwrap(), expected);
    assert_eq!(parse(&frame(&[])).unwrap(), expected);
    assert_eq!(parse(&frame(&[0x81, 0, 0, 7])).unwrap(), expected);
}

#[test]
fn identities_are_shown_by_their_kind() {
    let shown = |chassis: &[u8], port: &[u8]| {
        let found = parse(&[tlv(1, chassis), tlv(2, port), tlv(3, &[0, 0])].concat()).unwrap();
        (found.chassis_id, found.port_id)
    };
    assert_eq!(
        shown(&[5, 1, 10, 0, 0, 1], &[3, 2, 0, 0, 0, 0, 9]),
        ("10.0.0.1".into(), "02:00:00:00:00:09".into())
    );
    let v6: Vec<u8> = [&[5, 2, 0xfe, 0x80][..], &[0; 13], &[1]].concat();
    assert_eq!(shown(&v6, b"\x07local"), ("fe80::1".into(), "local".into()));
    // A MAC of a wrong length is shown as what text it has.
    assert_eq!(shown(b"\x04sw", b"\x01swp3"), ("sw".into(), "swp3".into()));
}

#[test]
fn what_is_no_announcement_is_refused() {
    assert_eq!(parse(&[]), Err(LldpError::Missing { what: "chassis id" }));
    assert_eq!(parse(&tlv(2, b"\x05a")), Err(LldpError::Missing { what: "chassis id" }));
    let no_ttl = [tlv(1, b"\x07a"), tlv(2, b"\x07b")].concat();
    assert_eq!(parse(&no_ttl), Err(LldpError::Missing { what: "time to live" }));
    let mut cut = announcement();
    cut.truncate(30);
    assert!(matches!(parse(&cut), Err(LldpError::Cut { .. })));
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..80) {
        let _ = parse(&bytes);
        let mut mixed = frame(&[]);
        mixed.truncate(cut);
        mixed.extend(bytes);
        let _ = parse(&mixed);
    }
}
