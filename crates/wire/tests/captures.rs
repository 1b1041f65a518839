//! Every packet of real boots, held to what another decoder read.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests may panic")]

use std::{collections::HashMap, fs, path::PathBuf};

use muster_wire::{
    dhcp::{Message, MessageType, VendorClass, decode, encode},
    tftp::parse_request,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps")
}

fn le32(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

/// The frames of a little-endian pcap or pcapng file.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    if file.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) {
        let mut at = 24;
        while at + 16 <= file.len() {
            let len = le32(file, at + 8);
            frames.push(&file[at + 16..at + 16 + len]);
            at += 16 + len;
        }
    } else {
        assert!(file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]), "neither pcap nor pcapng");
        let mut at = 0;
        while at + 12 <= file.len() {
            const ENHANCED_PACKET: usize = 6;
            if le32(file, at) == ENHANCED_PACKET {
                let len = le32(file, at + 20);
                frames.push(&file[at + 28..at + 28 + len]);
            }
            at += le32(file, at + 4);
        }
    }
    frames
}

/// Destination port and payload of an unfragmented UDP datagram over IPv4.
fn udp(frame: &[u8]) -> Option<(u16, u16, &[u8])> {
    if frame.len() < 42 || be16(frame, 12) != 0x0800 || frame[23] != 17 || be16(frame, 20) & 0x3fff != 0 {
        return None;
    }
    let at = 14 + usize::from(frame[14] & 0xf) * 4;
    let len = usize::from(be16(frame, at + 4));
    Some((be16(frame, at), be16(frame, at + 2), &frame[at + 8..at + len]))
}

struct Capture {
    name: String,
    datagrams: Vec<(u16, u16, Vec<u8>)>,
    /// The summary's lines, in the order of the packets.
    summary: Vec<String>,
}

fn captures() -> Vec<Capture> {
    let summary = fs::read_to_string(folder().join("SUMMARY.txt")).unwrap();
    let mut all: Vec<Capture> = Vec::new();
    for line in summary.lines() {
        if let Some(head) = line.strip_prefix("== ") {
            let name = head.split(' ').next().unwrap().to_owned();
            let file = fs::read(folder().join(&name)).unwrap();
            let datagrams = frames(&file)
                .into_iter()
                .filter_map(udp)
                .map(|(from, to, payload)| (from, to, payload.to_vec()))
                .collect();
            all.push(Capture {
                name,
                datagrams,
                summary: Vec::new(),
            });
        } else {
            all.last_mut().unwrap().summary.push(line.trim().to_owned());
        }
    }
    all
}

/// DHCP messages of a capture; those of clients with their line of the summary.
fn messages(capture: &Capture) -> Vec<(Message, Vec<u8>, Option<&str>)> {
    let mut lines = capture.summary.iter().filter(|line| line.contains("->67"));
    let mut found = Vec::new();
    for (_, to, payload) in &capture.datagrams {
        if matches!(to, 67 | 68 | 4011) {
            let message = decode(payload).unwrap();
            let line = (*to == 67).then(|| lines.next().map(String::as_str)).flatten();
            found.push((message, payload.clone(), line));
        }
    }
    assert!(lines.next().is_none(), "{}: the summary has more packets", capture.name);
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_client_says_what_the_summary_says() {
    let mut seen = 0;
    for capture in captures() {
        for (message, payload, line) in messages(&capture) {
            let Some(line) = line else { continue };
            seen += 1;
            let place = format!("{}: {line}", capture.name);
            assert_eq!(message.faults, [], "{place}");
            let kind = if line.contains("DISCOVER") {
                MessageType::Discover
            } else {
                MessageType::Request
            };
            assert_eq!(message.message_type, Some(kind), "{place}");
            let values: HashMap<&str, &str> = line.split(' ').filter_map(|word| word.split_once('=')).collect();
            assert_eq!(message.secs.to_string(), values["secs"], "{place}");
            assert_eq!(message.broadcast, values["flags"] == "8000", "{place}");
            assert_eq!(payload.len().to_string(), values["len"], "{place}");
            if values["order"] == ".." {
                continue;
            }
            let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|raw| String::from_utf8(raw.clone()).unwrap());
            let raw = |bytes: Option<&[u8]>| bytes.map(hex);
            assert_eq!(
                text(&message.vendor_class).as_deref(),
                values.get("60").copied(),
                "{place}"
            );
            assert_eq!(message.is_ipxe(), values.get("77") == Some(&"b'iPXE'"), "{place}");
            let arch = message.architectures.first().map(|arch| format!("{:04x}", arch.0));
            assert_eq!(arch.as_deref(), values.get("93").copied(), "{place}");
            let undi = message.undi.map(|undi| hex(&[undi.kind, undi.major, undi.minor]));
            assert_eq!(undi.as_deref(), values.get("94").copied(), "{place}");
            assert_eq!(
                raw(message.machine_id_raw.as_deref()).as_deref(),
                values.get("97").copied(),
                "{place}"
            );
            assert_eq!(
                raw(message.client_id.as_deref()).as_deref(),
                values.get("61").copied(),
                "{place}"
            );
            let ipxe = message.ipxe.as_ref().map(|ipxe| hex(&ipxe.raw));
            assert_eq!(ipxe.as_deref(), values.get("175").copied(), "{place}");
            if let (
                Some(arch),
                VendorClass::PxeClient { arch: named, .. } | VendorClass::HttpClient { arch: named, .. },
            ) = (message.architectures.first(), message.vendor())
            {
                assert_eq!(named, Some(*arch), "{place}");
            }
            let zero = values
                .get("97")
                .is_none_or(|raw| raw.bytes().all(|digit| digit == b'0'));
            assert_eq!(message.uuid().is_none(), zero, "{place}");
        }
    }
    assert!(seen > 45, "{seen} packets");
}

#[test]
fn option_97_is_read_in_its_mixed_byte_order() {
    let all = captures();
    let uuid_of = |name: &str| {
        let capture = all.iter().find(|capture| capture.name == name).unwrap();
        messages(capture)[0].0.uuid().map(|uuid| uuid.to_string())
    };
    // The wire has 44454c4c 7700 1044 8077 b4c04f775331.
    assert_eq!(
        uuid_of("bios-e1000-builtin-ipxe-rom.pcap").as_deref(),
        Some("4c4c4544-0077-4410-8077-b4c04f775331")
    );
    assert_eq!(uuid_of("bios-virtio-builtin-ipxe-rom__no-RA-zero-uuid.pcap"), None);
}

#[test]
fn every_message_keeps_its_meaning_when_written_again() {
    for capture in captures() {
        for (message, payload, _) in messages(&capture) {
            assert_eq!(message.faults, [], "{}", capture.name);
            let again = encode(&message);
            assert_eq!(decode(&again).unwrap(), message, "{}", capture.name);
            assert_eq!(again[..236], payload[..236], "{}", capture.name);
            assert!(again.len() >= 300);
        }
    }
}

#[test]
fn every_read_request_is_understood() {
    let mut seen = 0;
    for capture in captures() {
        let mut lines = capture.summary.iter().filter(|line| line.contains(" TFTP "));
        for (_, to, payload) in &capture.datagrams {
            if *to != 69 {
                continue;
            }
            let request = parse_request(payload).unwrap();
            let Some(line) = lines.next() else { continue };
            seen += 1;
            let wanted = line.split('\'').nth(1).unwrap();
            assert_eq!(request.file, wanted.split(' ').next().unwrap());
            assert_eq!(request.options.transfer_size, wanted.contains("tsize 0"));
            let number = |name: &str| wanted.split_once(name)?.1.split(' ').next()?.parse().ok();
            assert_eq!(request.options.block_size, number("blksize "));
            assert_eq!(request.options.window_size, number("windowsize "));
        }
    }
    assert!(seen > 20, "{seen} requests");
}
