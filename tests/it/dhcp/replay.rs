//! Every packet of real boots, asked again in each mode.

use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::Path};

use muster::{
    discovery::ArrivalPort,
    ipam::Mode,
    store::{HostQuery, HostSort},
};
use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType, PxeVendorOptions, VendorClass, decode};

use super::rig::{Rig, SERVER, arrival, lab, reserved};

/// What was sent to the server's port, of each capture.
fn captures() -> Vec<(String, Vec<Message>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/wire/tests/fixtures/pcaps");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let file = fs::read(path).unwrap();
            let packets = frames(&file)
                .into_iter()
                .filter_map(udp_to_67)
                .map(|payload| decode(payload).unwrap())
                .collect();
            (name, packets)
        })
        .collect()
}

fn le32(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The frames of a little-endian pcap or pcapng file.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    const ENHANCED_PACKET: usize = 6;
    let mut frames = Vec::new();
    if file.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) {
        let mut at = 24;
        while at + 16 <= file.len() {
            let len = le32(file, at + 8);
            frames.push(&file[at + 16..at + 16 + len]);
            at += 16 + len;
        }
    } else {
        let mut at = 0;
        while at + 12 <= file.len() {
            if le32(file, at) == ENHANCED_PACKET {
                let len = le32(file, at + 20);
                frames.push(&file[at + 28..at + 28 + len]);
            }
            at += le32(file, at + 4);
        }
    }
    frames
}

fn udp_to_67(frame: &[u8]) -> Option<&[u8]> {
    let be16 = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    if frame.len() < 42 || be16(12) != 0x0800 || frame[23] != 17 {
        return None;
    }
    let at = 14 + usize::from(frame[14] & 0xf) * 4;
    (be16(at + 2) == 67).then(|| &frame[at + 8..at + usize::from(be16(at + 4))])
}

fn boots(packet: &Message) -> bool {
    packet.is_ipxe() || packet.vendor() != VendorClass::Other
}

/// Holds the boot part of an answer to what the client is.
fn check_boot(packet: &Message, answer: &Message, proxy: bool, place: &str) {
    let mac = packet.mac().unwrap();
    let file = answer.boot_file_name();
    if packet.is_ipxe() {
        let script = format!("http://{SERVER}:8081/boot/ipxe?mac={mac}");
        assert_eq!(file, Some(script.as_str()), "{place}");
        let quick = answer.ipxe.as_ref().is_some_and(|ipxe| ipxe.no_pxedhcp());
        assert_eq!(
            quick, !proxy,
            "{place}: no-pxedhcp in our own answers, never beside another server"
        );
    } else {
        assert_eq!(answer.ipxe, None, "{place}");
        match packet.vendor() {
            VendorClass::PxeClient { .. } => {
                assert_eq!(file, Some("snponly.efi"), "{place}");
                assert_eq!(answer.siaddr, SERVER, "{place}");
                let direct = answer
                    .pxe_vendor_options()
                    .and_then(|options| options.discovery_control);
                let expected = (!proxy).then_some(PxeVendorOptions::USE_BOOT_FILE);
                assert_eq!(direct, expected, "{place}");
            }
            VendorClass::HttpClient { .. } => {
                assert_eq!(file, Some("http://10.77.0.1:8081/boot/loader/snponly.efi"), "{place}");
            }
            VendorClass::Other => assert_eq!(file, None, "{place}"),
        }
    }
    let word = match packet.vendor() {
        VendorClass::PxeClient { .. } => Some(b"PXEClient".to_vec()),
        VendorClass::HttpClient { .. } => Some(b"HTTPClient".to_vec()),
        VendorClass::Other => None,
    };
    assert_eq!(answer.vendor_class, word, "{place}");
}

fn check_lease(packet: &Message, answer: Option<&Message>, place: &str) {
    let answer = answer.unwrap_or_else(|| panic!("{place}: no answer"));
    let expected = match packet.message_type {
        Some(MessageType::Discover) => MessageType::Offer,
        _ => MessageType::Ack,
    };
    assert_eq!(answer.message_type, Some(expected), "{place}");
    assert_eq!(answer.server_id, Some(SERVER), "{place}");
    assert_eq!(answer.lease_time, Some(3600), "{place}");
    assert_eq!(answer.routers, [SERVER], "{place}");
    if expected == MessageType::Ack {
        assert_eq!(Some(answer.yiaddr), packet.requested_ip, "{place}");
    }
    check_boot(packet, answer, false, place);
}

#[tokio::test]
async fn a_pool_answers_every_packet() {
    let mut seen = 0;
    for (name, packets) in captures() {
        let rig = Rig::new(lab(Mode::Pool)).await;
        for (number, packet) in packets.iter().enumerate() {
            let answer = rig.ask(packet).await;
            check_lease(packet, answer.as_ref(), &format!("{name} #{number}"));
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} packets were replayed");
}

#[tokio::test]
async fn reserved_mode_answers_the_machines_it_knows() {
    for (name, packets) in captures() {
        let known: BTreeMap<MacAddr, Ipv4Addr> = packets
            .iter()
            .filter_map(|packet| Some((packet.mac()?, packet.requested_ip?)))
            .collect();
        let known: Vec<_> = known.into_iter().collect();
        let rig = Rig::new(reserved(&known)).await;
        let strange = Rig::new(reserved(&[])).await;
        for (number, packet) in packets.iter().enumerate() {
            let place = format!("{name} #{number}");
            let answer = rig.ask(packet).await;
            let kept = known.iter().find(|(mac, _)| Some(*mac) == packet.mac());
            match (kept, packet.requested_ip) {
                // The other server of this capture gave an installed system a second address.
                (Some((_, kept)), Some(asked)) if asked != *kept => {
                    let kind = answer.and_then(|answer| answer.message_type);
                    assert_eq!(kind, Some(MessageType::Nak), "{place}");
                }
                (Some(_), _) => check_lease(packet, answer.as_ref(), &place),
                (None, _) => {}
            }
            let answer = strange.ask(packet).await;
            // A machine that says it chose this server is told that it cannot have the address.
            let nak = answer.is_none_or(|answer| answer.message_type == Some(MessageType::Nak));
            assert!(nak, "{place}: an unknown machine was given something");
        }
    }
}

#[tokio::test]
async fn beside_another_server_only_boot_clients_are_answered_and_get_no_address() {
    for (name, packets) in captures() {
        let rig = Rig::new(lab(Mode::Proxy)).await;
        for (number, packet) in packets.iter().enumerate() {
            let place = format!("{name} #{number}");
            let answer = rig.ask(packet).await;
            if packet.message_type != Some(MessageType::Discover) || !boots(packet) {
                assert_eq!(answer, None, "{place}");
                continue;
            }
            let offer = answer.unwrap_or_else(|| panic!("{place}: no offer"));
            assert_eq!(offer.message_type, Some(MessageType::Offer), "{place}");
            assert!(offer.yiaddr.is_unspecified(), "{place}");
            assert_eq!((offer.lease_time, offer.routers.len()), (None, 0), "{place}");
            check_boot(packet, &offer, true, &place);
            // The boot server's port gives the same file to whoever asks there.
            let mut again = packet.clone();
            again.message_type = Some(MessageType::Request);
            again.ciaddr = Ipv4Addr::new(10, 77, 0, 60);
            let ack = rig.ask_by(&again, &arrival(ArrivalPort::Proxy)).await.unwrap();
            assert_eq!(ack.message_type, Some(MessageType::Ack), "{place}");
            assert_eq!(ack.boot_file_name(), offer.boot_file_name(), "{place}");
        }
    }
}

#[tokio::test]
async fn an_observer_says_nothing_and_names_every_boot_client() {
    for (name, packets) in captures() {
        let rig = Rig::new(lab(Mode::Observe)).await;
        let nowhere = Rig::new(Vec::new()).await;
        for (number, packet) in packets.iter().enumerate() {
            assert_eq!(rig.ask(packet).await, None, "{name} #{number}");
            assert_eq!(nowhere.ask(packet).await, None, "{name} #{number}");
        }
        rig.store.drain().await.unwrap();
        let query = HostQuery {
            limit: 50,
            sort: HostSort::default(),
            ..HostQuery::default()
        };
        let hosts = rig.store.hosts(&query).await.unwrap();
        let macs: std::collections::BTreeSet<_> = packets.iter().filter(|p| boots(p)).map(Message::mac).collect();
        assert_eq!(hosts.total, macs.len() as u64, "{name}");
    }
}

#[tokio::test]
async fn every_capture_is_one_boot_from_firmware_to_script() {
    let name = "uefi-ovmf-httpboot-snponly.pcap";
    let (_, packets) = captures().into_iter().find(|(file, _)| file == name).unwrap();
    let rig = Rig::new(lab(Mode::Pool)).await;
    for packet in &packets {
        rig.pass(2);
        rig.ask(packet).await;
    }
    let events = rig.transcript(packets[0].mac().unwrap()).await;
    let boots: std::collections::BTreeSet<_> = events.iter().map(|event| event.boot.map(|boot| boot.0)).collect();
    assert_eq!(boots.len(), 1, "one boot");
    let words: Vec<_> = events
        .iter()
        .map(|event| format!("{} {}", event.kind.as_str(), event.rule.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        words,
        [
            "host_created -",
            "dhcp_discover -",
            "dhcp_offer loader_for_architecture",
            "dhcp_request -",
            "dhcp_ack loader_for_architecture",
            "dhcp_discover -",
            "dhcp_offer ipxe_script",
            "dhcp_request -",
            "dhcp_ack ipxe_script",
        ]
    );
}
