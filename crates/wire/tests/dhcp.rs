//! DHCP messages: what is read, what is refused, what is sent.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests may panic")]

use std::{collections::BTreeMap, net::Ipv4Addr};

use muster_facts::MacAddr;
use muster_wire::dhcp::{
    Architecture, BootServer, DecodeError, IpxeOptions, MAX_DATAGRAM, MAX_REPLY, MIN_LEN, MenuEntry, Message,
    MessageType, Opcode, OptionFault, PxeVendorOptions, RelayInfo, Undi, VendorClass, decode, encode, encode_within,
};
use proptest::prelude::*;
use uuid::Uuid;

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);

/// A DISCOVER with these bytes as options, without end marker or padding.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = encode(&Message::new(Opcode::BootRequest, 7, MAC));
    bytes.truncate(240);
    bytes.extend(options);
    bytes
}

fn read(options: &[u8]) -> Message {
    decode(&with_options(options)).unwrap()
}

fn fault(code: u8, why: &'static str) -> OptionFault {
    OptionFault { code, why }
}

#[test]
fn the_fixed_part_is_checked_before_anything_is_read() {
    let good = with_options(&[53, 1, 1]);
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        decode(&bytes)
    };
    assert_eq!(decode(&good[..239]), Err(DecodeError::TooShort { len: 239 }));
    assert_eq!(decode(&[]), Err(DecodeError::TooShort { len: 0 }));
    assert_eq!(
        decode(&[0; MAX_DATAGRAM + 1]),
        Err(DecodeError::TooLong { len: MAX_DATAGRAM + 1 })
    );
    assert_eq!(changed(0, 3), Err(DecodeError::Op { op: 3 }));
    assert_eq!(changed(1, 0), Err(DecodeError::HardwareType));
    assert_eq!(changed(2, 16), Err(DecodeError::HardwareLength { htype: 1, hlen: 16 }));
    assert_eq!(
        changed(2, 255),
        Err(DecodeError::HardwareLength { htype: 1, hlen: 255 })
    );
    assert_eq!(
        changed(236, 0),
        Err(DecodeError::Cookie {
            cookie: [0, 0x82, 0x53, 0x63]
        })
    );
    // InfiniBand sends no address at all (RFC 4390).
    let mut infiniband = good.clone();
    (infiniband[1], infiniband[2]) = (32, 0);
    assert_eq!(decode(&infiniband).unwrap().mac(), None);
    assert_eq!(decode(&good).unwrap().mac(), Some(MAC));
}

#[test]
fn a_bad_option_loses_only_itself() {
    // A host name that is no text and a mask of three bytes, before what matters.
    let message = read(&[
        53, 1, 1, 12, 2, 0xff, 0xfe, 1, 3, 255, 255, 0, 93, 2, 0, 7, 60, 9, b'P', b'X',
    ]);
    assert_eq!(message.message_type, Some(MessageType::Discover));
    assert_eq!(message.architectures, [Architecture::X64]);
    let mut faults = message.faults;
    faults.sort_by_key(|fault| fault.code);
    assert_eq!(
        faults,
        [
            fault(1, "is not one IPv4 address"),
            fault(12, "is not UTF-8 text"),
            fault(60, "the datagram ends inside it"),
        ]
    );
}

#[test]
fn faults_are_bounded() {
    let options: Vec<u8> = (0..=255).flat_map(|code| [code, 1, 0xff]).collect();
    assert!(read(&options).faults.len() <= Message::MAX_FAULTS);
}

#[test]
fn several_architectures_are_kept_in_order() {
    let message = read(&[93, 6, 0, 16, 0, 7, 0, 0]);
    assert_eq!(
        message.architectures,
        [Architecture::X64_Http, Architecture::X64, Architecture::X86_Bios]
    );
    assert_eq!(message.architecture(), Some(Architecture::X64_Http));
    assert_eq!(
        read(&[93, 3, 0, 7, 0]).faults,
        [fault(93, "is not a list of two-byte architectures")]
    );
    let named = read(b"\x3c\x20PXEClient:Arch:00011:UNDI:003000");
    assert_eq!(named.architecture(), Some(Architecture(11)));
}

#[test]
fn long_options_are_joined_and_split() {
    let name = "a".repeat(300);
    let mut message = Message::request(MessageType::Discover, 1, MAC);
    message.boot_file = Some(name.clone());
    let bytes = encode(&message);
    assert_eq!(decode(&bytes).unwrap().boot_file, Some(name));
    // An option that cannot be split, sent twice: the first counts.
    assert_eq!(read(&[53, 1, 3, 53, 1, 1]).message_type, Some(MessageType::Request));
}

#[test]
fn overloaded_fields_are_read_as_options() {
    let mut bytes = with_options(&[53, 1, 2, 52, 1, 3]);
    bytes[44..47].copy_from_slice(&[66, 1, b't']);
    bytes[108..114].copy_from_slice(&[67, 2, b'a', b'b', 255, 9]);
    let message = decode(&bytes).unwrap();
    assert_eq!(
        (message.tftp_server.as_deref(), message.boot_file.as_deref()),
        (Some("t"), Some("ab"))
    );
    assert_eq!((message.sname.as_str(), message.file.as_str()), ("", ""));
    assert_eq!(message.faults, []);
    assert_eq!(read(&[52, 1, 9]).faults, [fault(52, "is not 1, 2 or 3")]);
}

#[test]
fn user_classes_come_in_two_forms() {
    let classes = |raw: &[u8]| {
        let mut message = Message::request(MessageType::Discover, 1, MAC);
        message.user_class = Some(raw.to_vec());
        let classes: Vec<String> = message
            .user_classes()
            .iter()
            .map(|class| String::from_utf8_lossy(class).into())
            .collect();
        (classes, message.is_ipxe())
    };
    assert_eq!(classes(b"iPXE"), (vec!["iPXE".into()], true));
    assert_eq!(classes(b"\x04iPXE\x03lab"), (vec!["iPXE".into(), "lab".into()], true));
    assert_eq!(classes(b"\x04gPXE"), (vec!["gPXE".into()], false));
    assert_eq!(classes(b"\0\0"), (vec!["\0\0".into()], false));
    assert!(read(&[175, 3, 19, 1, 1]).is_ipxe());
}

#[test]
fn vendor_classes_are_parsed() {
    let undi = Some((3, 16));
    assert_eq!(
        VendorClass::parse(b"PXEClient:Arch:00007:UNDI:003016"),
        VendorClass::PxeClient {
            arch: Some(Architecture::X64),
            undi
        }
    );
    assert_eq!(
        VendorClass::parse(b"HTTPClient:Arch:00016:UNDI:003016\0"),
        VendorClass::HttpClient {
            arch: Some(Architecture::X64_Http),
            undi
        }
    );
    assert_eq!(
        VendorClass::parse(b"PXEClient"),
        VendorClass::PxeClient { arch: None, undi: None }
    );
    assert_eq!(
        VendorClass::parse("PXEClient:Arch:99999:UNDI:00é".as_bytes()),
        VendorClass::PxeClient { arch: None, undi: None }
    );
    assert_eq!(VendorClass::parse(b"MSFT 5.0"), VendorClass::Other);
    assert_eq!(VendorClass::parse(b"\xff"), VendorClass::Other);
}

/// Found by the fuzzer: 64 bytes of name with a control character were read, written as option 66, and refused there.
#[test]
fn a_server_name_with_control_characters_is_refused_as_in_its_option() {
    let mut bytes = with_options(&[53, 1, 1, 255]);
    bytes[44..108].fill(b'n');
    bytes[50] = 1;
    let message = decode(&bytes).unwrap();
    assert_eq!(message.sname, "");
    assert_eq!(
        message.faults,
        [fault(0, "server name or boot file field has control characters")]
    );
    assert_eq!(decode(&encode(&message)).unwrap().faults, []);
}

#[test]
fn a_uuid_of_zeros_or_of_another_kind_is_none() {
    let uuid = Uuid::parse_str("4c4c4544-0077-4410-8077-b4c04f775331").unwrap();
    let mut message = Message::request(MessageType::Discover, 1, MAC);
    assert_eq!(message.uuid(), None);
    message.set_uuid(uuid);
    let raw = message.machine_id_raw.clone().unwrap();
    assert_eq!(raw[..9], [0, 0x44, 0x45, 0x4c, 0x4c, 0x77, 0, 0x10, 0x44]);
    assert_eq!(decode(&encode(&message)).unwrap().uuid(), Some(uuid));
    message.set_uuid(Uuid::nil());
    assert_eq!(message.machine_id(), None);
    message.machine_id_raw = Some([&[1][..], &raw[1..]].concat());
    assert_eq!(message.uuid(), None);
}

#[test]
fn relay_information_is_read_and_goes_back_last() {
    let relay = [
        1, 4, b'g', b'e', b'-', b'7', 2, 2, 9, 9, 5, 4, 10, 1, 0, 0, 11, 4, 10, 1, 0, 254,
    ];
    let mut options = vec![82, 22];
    options.extend(relay);
    options.extend([61, 3, 1, 2, 3, 97, 17]);
    options.extend([0; 17]);
    let mut request = read(&options);
    request.giaddr = Ipv4Addr::new(10, 1, 0, 254);
    let found = request.relay.clone().unwrap();
    assert_eq!(found.circuit_id(), Some(&b"ge-7"[..]));
    assert_eq!(found.remote_id(), Some(&[9, 9][..]));
    assert_eq!(found.link_selection(), Some(Ipv4Addr::new(10, 1, 0, 0)));
    assert_eq!(found.server_id_override(), Some(Ipv4Addr::new(10, 1, 0, 254)));

    let mut reply = Message::reply_to(&request, MessageType::Offer);
    reply.others.insert(224, vec![1]);
    let bytes = encode(&reply);
    let end = bytes.iter().rposition(|byte| *byte == 255).unwrap();
    assert_eq!(bytes[end - 22..end], relay);
    let again = decode(&bytes).unwrap();
    assert_eq!((again.xid, again.giaddr, again.mac()), (7, request.giaddr, Some(MAC)));
    assert_eq!(
        (again.client_id, again.machine_id_raw),
        (request.client_id, request.machine_id_raw)
    );
}

#[test]
fn answers_fit_what_the_client_takes() {
    let mut request = Message::request(MessageType::Discover, 1, MAC);
    assert_eq!(request.reply_limit(), 548);
    request.max_size = Some(1);
    assert_eq!(request.reply_limit(), 548);
    request.max_size = Some(1472);
    assert_eq!(request.reply_limit(), 1444);
    request.max_size = Some(u16::MAX);
    assert_eq!(request.reply_limit(), MAX_REPLY);

    let mut reply = Message::reply_to(&request, MessageType::Ack);
    reply.server_id = Some(Ipv4Addr::LOCALHOST);
    reply.boot_file = Some("http://10.0.0.1:8081/boot/ipxe".into());
    reply.relay = Some(RelayInfo { raw: vec![1, 1, 1] });
    reply.message = Some("m".repeat(250));
    reply.others.insert(200, vec![7; 200]);
    let whole = decode(&encode(&reply)).unwrap();
    assert_eq!(whole, reply);
    let cut = encode_within(&reply, 548);
    assert!(cut.len() <= 548);
    let cut = decode(&cut).unwrap();
    assert_eq!(cut.others, BTreeMap::new(), "the least needed goes first");
    assert_eq!(
        (cut.message, cut.boot_file, cut.relay),
        (reply.message.clone(), reply.boot_file.clone(), reply.relay.clone())
    );
    reply.parameters = vec![1; 5000];
    let smallest = decode(&encode_within(&reply, 0)).unwrap();
    assert_eq!(smallest.server_id, reply.server_id);
}

#[test]
fn short_messages_are_padded_and_long_names_moved() {
    let mut message = Message::request(MessageType::Inform, 1, MAC);
    assert_eq!(encode(&message).len(), MIN_LEN);
    message.file = "f".repeat(128);
    message.sname = "s".repeat(64);
    let again = decode(&encode(&message)).unwrap();
    assert_eq!((again.file.as_str(), again.sname.as_str()), ("", ""));
    assert_eq!(again.boot_file_name(), Some("f".repeat(128).as_str()));
    assert_eq!(again.tftp_server, Some("s".repeat(64)));
    message.file = "f".repeat(127);
    assert_eq!(
        decode(&encode(&message)).unwrap().boot_file_name(),
        Some("f".repeat(127).as_str())
    );
}

#[test]
fn pxe_vendor_options_are_written_and_read() {
    let options = PxeVendorOptions {
        discovery_control: Some(PxeVendorOptions::USE_BOOT_FILE),
        boot_servers: vec![
            BootServer {
                kind: 0x8000,
                addresses: vec![Ipv4Addr::new(10, 0, 0, 1)],
            },
            BootServer {
                kind: 1,
                addresses: vec![],
            },
        ],
        menu: vec![MenuEntry {
            kind: 0,
            text: "Local disk".into(),
        }],
        prompt: Some((3, "F8".into())),
        boot_item: Some((0x8000, 0)),
    };
    let raw = options.encode();
    assert_eq!(raw[..3], [6, 1, 8]);
    assert_eq!(raw.last(), Some(&255));
    assert_eq!(PxeVendorOptions::parse(&raw), options);
    // What does not fit a sub-option is left out, never cut in the middle.
    let many = PxeVendorOptions {
        menu: vec![
            MenuEntry {
                kind: 1,
                text: "x".repeat(100)
            };
            9
        ],
        ..PxeVendorOptions::default()
    };
    assert_eq!(PxeVendorOptions::parse(&many.encode()).menu.len(), 2);
}

#[test]
fn ipxe_options_are_set_and_read() {
    let options = IpxeOptions::default().with_no_pxedhcp().with_no_pxedhcp();
    assert_eq!(options.raw, [176, 1, 1]);
    assert!(options.no_pxedhcp());
    let client = IpxeOptions {
        raw: vec![
            0xb1, 5, 1, 0x80, 0x86, 0x10, 0x0e, 0xeb, 3, 1, 0, 0, 0x13, 1, 1, 0x24, 1, 1,
        ],
    };
    assert_eq!(client.pci_id(), Some((0x8086, 0x100e)));
    assert_eq!(client.version(), Some((1, 0, 0)));
    assert_eq!(
        (client.http(), client.https(), client.efi(), client.no_pxedhcp()),
        (true, false, true, false)
    );
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

fn raw(most: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..most))
}

fn word(most: usize) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(
        proptest::collection::vec(proptest::char::range('!', 'z'), 0..most).prop_map(String::from_iter),
    )
}

prop_compose! {
    /// Messages that fit one frame.
    fn message()(
        (op, xid, secs, broadcast) in (any::<bool>(), any::<u32>(), any::<u16>(), any::<bool>()),
        mac in any::<[u8; 6]>(),
        addresses in proptest::collection::vec(address(), 4),
        kind in proptest::option::of(any::<u8>()),
        (requested_ip, server_id, subnet_mask) in (proptest::option::of(address()), proptest::option::of(address()), proptest::option::of(address())),
        (routers, dns) in (proptest::collection::vec(address(), 0..4), proptest::collection::vec(address(), 0..4)),
        (lease_time, max_size) in (any::<Option<u32>>(), any::<Option<u16>>()),
        (sname, file, hostname, boot_file) in (word(63), word(127), word(60), word(280)),
        (client_id, vendor_class, vendor_options, user_class) in (raw(40), raw(60), raw(60), raw(20)),
        (parameters, architectures) in (proptest::collection::vec(any::<u8>(), 0..40), proptest::collection::vec(any::<u16>(), 0..5)),
        (undi, id, relay, ipxe) in (any::<Option<[u8; 3]>>(), any::<Option<[u8; 17]>>(), raw(60), raw(60)),
        others in proptest::collection::btree_map(200_u8..255, proptest::collection::vec(any::<u8>(), 0..20), 0..4),
    ) -> Message {
        let mut message = Message::new(if op { Opcode::BootRequest } else { Opcode::BootReply }, xid, MacAddr(mac));
        (message.secs, message.broadcast) = (secs, broadcast);
        (message.ciaddr, message.yiaddr, message.siaddr, message.giaddr) =
            (addresses[0], addresses[1], addresses[2], addresses[3]);
        message.message_type = kind.map(MessageType::from);
        (message.requested_ip, message.server_id, message.subnet_mask) = (requested_ip, server_id, subnet_mask);
        (message.routers, message.dns) = (routers, dns);
        (message.lease_time, message.max_size) = (lease_time, max_size);
        (message.sname, message.file) = (sname.unwrap_or_default(), file.unwrap_or_default());
        (message.hostname, message.boot_file) = (hostname, boot_file);
        (message.client_id, message.vendor_class) = (client_id, vendor_class);
        (message.vendor_options, message.user_class) = (vendor_options, user_class);
        message.parameters = parameters;
        message.architectures = architectures.into_iter().map(Architecture).collect();
        message.undi = undi.map(|[kind, major, minor]| Undi { kind, major, minor });
        message.machine_id_raw = id.map(|id| id.to_vec());
        message.relay = relay.map(|raw| RelayInfo { raw });
        message.ipxe = ipxe.map(|raw| IpxeOptions { raw });
        message.others = others;
        message
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(message in message()) {
        let bytes = encode(&message);
        prop_assert!((MIN_LEN..=MAX_REPLY).contains(&bytes.len()));
        prop_assert_eq!(decode(&bytes).unwrap(), message);
    }

    #[test]
    fn any_limit_is_kept(message in message(), limit in 0_usize..2000) {
        let bytes = encode_within(&message, limit);
        prop_assert!(bytes.len() <= limit.clamp(MIN_LEN, MAX_REPLY));
        let again = decode(&bytes).unwrap();
        prop_assert_eq!(again.message_type, message.message_type);
        prop_assert_eq!(again.faults, vec![]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_options_are_read(options in proptest::collection::vec(any::<u8>(), 0..700), fields in any::<[u8; 16]>()) {
        let mut bytes = with_options(&options);
        bytes[44..60].copy_from_slice(&fields);
        let message = decode(&bytes).unwrap();
        let _ = (message.pxe_vendor_options(), message.vendor(), message.user_classes().len(), message.uuid());
        let again = decode(&encode(&message)).unwrap();
        prop_assert_eq!(again.faults, vec![]);
    }
}
