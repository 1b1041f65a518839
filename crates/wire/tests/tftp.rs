//! TFTP transfers over a network that loses, doubles and reorders.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

use std::collections::BTreeMap;

use muster_wire::tftp::{
    Action, End, ErrorCode, Limits, Mode, Options, Report, Request, RequestFault, Transfer, error_packet, parse_request,
};
use proptest::prelude::*;

/// A small generator: the same seed gives the same network.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Network {
    /// Packets in a hundred.
    lost: u64,
    doubled: u64,
    /// Most milliseconds on the way; over 1 reorders.
    delay: u64,
}

/// A client by RFC 1350 and 7440, of the eager kind: it acknowledges again whatever it has had.
struct Client {
    block: u64,
    window: u64,
    content: Vec<u8>,
    had: u64,
    in_window: u64,
    complete: bool,
    last: Vec<u8>,
}

impl Client {
    fn ack(&mut self) -> Vec<u8> {
        self.in_window = 0;
        let number = (self.had & 0xffff) as u16;
        self.last = [vec![0, 4], number.to_be_bytes().to_vec()].concat();
        self.last.clone()
    }

    fn on_packet(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        match packet[1] {
            6 => (self.had == 0).then(|| self.ack()),
            3 => {
                let number = u16::from_be_bytes([packet[2], packet[3]]);
                let ahead = number.wrapping_sub((self.had & 0xffff) as u16);
                if self.complete || ahead != 1 {
                    return Some(self.ack());
                }
                self.had += 1;
                self.in_window += 1;
                self.content.extend(&packet[4..]);
                self.complete = (packet.len() as u64) - 4 < self.block;
                (self.complete || self.in_window == self.window).then(|| self.ack())
            }
            _ => None,
        }
    }
}

struct Outcome {
    report: Report,
    content: Vec<u8>,
    sent: u64,
}

fn request(options: Options) -> Request {
    Request {
        file: "undionly.kpxe".into(),
        mode: Mode::Octet,
        options,
    }
}

fn run(content: &[u8], options: Options, limits: &Limits, network: Network, seed: u64) -> Outcome {
    let mut transfer = Transfer::new(&request(options), content.len() as u64, limits, 0);
    let mut client = Client {
        block: transfer.block_size().into(),
        window: transfer.window_size(),
        content: Vec::new(),
        had: 0,
        in_window: 0,
        complete: false,
        last: vec![0, 4, 0, 0],
    };
    let mut dice = Dice(seed | 1);
    // Arrivals by time and order; true goes to the client.
    let mut flying: BTreeMap<(u64, u64), (bool, Vec<u8>)> = BTreeMap::new();
    let (mut now, mut order, mut sent) = (0, 0, 0);
    let mut fly = |flying: &mut BTreeMap<_, _>, now: u64, to_client: bool, packet: &[u8]| {
        for copy in 0..2 {
            let flies = if copy == 0 {
                dice.roll(100) >= network.lost
            } else {
                dice.roll(100) < network.doubled
            };
            if flies {
                order += 1;
                let at = now + 1 + if network.delay > 0 { dice.roll(network.delay) } else { 0 };
                flying.insert((at, order), (to_client, packet.to_vec()));
            }
        }
    };
    let mut client_patience = 3000;
    for _ in 0..5_000_000_u64 {
        match transfer.poll(now) {
            Action::Send(packet) => {
                sent += 1;
                assert!(packet.len() <= usize::from(transfer.block_size()).max(512) + 4);
                fly(&mut flying, now, true, &packet);
            }
            Action::Read { offset, len } => transfer.supply(&content[offset as usize..offset as usize + len]),
            Action::Done(report) => {
                return Outcome {
                    report,
                    content: client.content,
                    sent,
                };
            }
            Action::WaitUntil(until) => {
                let arrival = flying.first_key_value().map(|(key, _)| key.0).unwrap_or(u64::MAX);
                now = until.min(arrival).min(client_patience).max(now);
                if now == client_patience {
                    client_patience = now + 3000;
                    if !client.complete && !transfer_offers_only(&client) {
                        let last = client.last.clone();
                        fly(&mut flying, now, false, &last);
                    }
                }
                while flying.first_key_value().is_some_and(|(key, _)| key.0 <= now) {
                    let (_, (to_client, packet)) = flying.pop_first().unwrap();
                    if !to_client {
                        transfer.on_packet(&packet, now);
                    } else if let Some(answer) = client.on_packet(&packet) {
                        client_patience = now + 3000;
                        fly(&mut flying, now, false, &answer);
                    }
                }
                transfer.on_timeout(now);
            }
        }
    }
    panic!("the transfer never ends");
}

/// Before its first packet a client repeats its request, which is the listener's business.
fn transfer_offers_only(client: &Client) -> bool {
    client.had == 0
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 31 + place / 509) as u8).collect()
}

const IPXE: Options = Options {
    block_size: Some(1432),
    transfer_size: true,
    timeout: None,
    window_size: None,
};
const OVMF: Options = Options {
    block_size: Some(1468),
    transfer_size: true,
    timeout: None,
    window_size: Some(4),
};

#[test]
fn a_good_network_needs_every_packet_once() {
    for options in [Options::default(), IPXE, OVMF] {
        for len in [0, 1, 511, 512, 513, 1431, 1432, 1468 * 4, 70_000] {
            let outcome = run(&bytes(len), options, &Limits::default(), Network::default(), 1);
            assert_eq!(outcome.report.end, End::Completed);
            assert_eq!(outcome.report.retransmits, 0);
            assert_eq!(outcome.report.bytes, len as u64);
            assert!(outcome.content == bytes(len));
        }
    }
}

#[test]
fn block_numbers_wrap_to_zero() {
    // 8-byte blocks: the number wraps twice.
    let content = bytes(8 * 140_000 + 3);
    for window_size in [None, Some(16)] {
        let options = Options {
            block_size: Some(8),
            window_size,
            ..Options::default()
        };
        let outcome = run(
            &content,
            options,
            &Limits::default(),
            Network {
                lost: 0,
                doubled: 1,
                delay: 0,
            },
            7,
        );
        assert_eq!(outcome.report.end, End::Completed);
        assert!(outcome.content == content);
    }
}

#[test]
fn doubled_packets_start_no_storm() {
    let content = bytes(300_000);
    let network = Network {
        lost: 0,
        doubled: 100,
        delay: 0,
    };
    let lockstep = run(&content, IPXE, &Limits::default(), network, 3);
    assert_eq!(lockstep.report.end, End::Completed);
    assert_eq!(lockstep.report.retransmits, 0, "each block goes out once");
    let windows = run(&content, OVMF, &Limits::default(), network, 3);
    assert_eq!(windows.report.end, End::Completed);
    let blocks = 300_000 / 1468 + 1;
    assert!(
        windows.sent <= 1 + blocks * 2,
        "{} packets for {blocks} blocks",
        windows.sent
    );
}

#[test]
fn retries_are_counted_since_the_last_progress() {
    // Far more losses than max_retries, never that many in a row.
    let content = bytes(1432 * 400);
    let limits = Limits {
        max_total_ms: u64::MAX,
        ..Limits::default()
    };
    let outcome = run(
        &content,
        IPXE,
        &limits,
        Network {
            lost: 10,
            doubled: 0,
            delay: 0,
        },
        11,
    );
    assert_eq!(outcome.report.end, End::Completed);
    assert!(outcome.report.retransmits > 20);
}

#[test]
fn a_lost_oack_is_sent_again() {
    let mut transfer = Transfer::new(&request(IPXE), 10, &Limits::default(), 0);
    let Action::Send(first) = transfer.poll(0) else {
        panic!("no OACK")
    };
    assert_eq!(first, b"\0\x06blksize\x001432\0tsize\x0010\0");
    let Action::WaitUntil(at) = transfer.poll(0) else {
        panic!("data before the ACK")
    };
    assert_eq!(at, 1000);
    transfer.on_timeout(at);
    assert_eq!(transfer.poll(at), Action::Send(first));
    assert_eq!(transfer.poll(at), Action::WaitUntil(at + 2000));
}

#[test]
fn a_silent_client_is_given_up() {
    let mut transfer = Transfer::new(&request(OVMF), 1 << 40, &Limits::default(), 5);
    let (mut now, mut sent) = (5, 0);
    let report = loop {
        match transfer.poll(now) {
            Action::Send(_) => sent += 1,
            Action::Read { .. } => panic!("content before the OACK is acknowledged"),
            Action::WaitUntil(at) => {
                now = at;
                transfer.on_timeout(now);
            }
            Action::Done(report) => break report,
        }
    };
    assert_eq!((sent, report.end, report.bytes), (7, End::TimedOut, 0));
    assert_eq!(report.duration_ms, 1000 + 2000 + 4000 + 4 * 8000);
}

#[test]
fn a_size_probe_is_an_ordinary_abort() {
    let mut transfer = Transfer::new(&request(OVMF), 4321, &Limits::default(), 0);
    assert!(matches!(transfer.poll(0), Action::Send(_)));
    transfer.on_packet(b"\0\x05\0\x08User aborted\x07 the transfer\0rest", 3);
    let Action::Done(report) = transfer.poll(4) else {
        panic!("not over")
    };
    let text = "User aborted the transfer".to_owned();
    assert_eq!(report.end, End::AbortedByClient { code: 8, text });
    assert_eq!(report.duration_ms, 4);
}

#[test]
fn a_missing_last_ack_is_told_apart() {
    let mut transfer = Transfer::new(&request(Options::default()), 100, &Limits::default(), 0);
    let mut now = 0;
    let end = loop {
        match transfer.poll(now) {
            Action::Send(_) => {}
            Action::Read { len, .. } => transfer.supply(&vec![0; len]),
            Action::WaitUntil(at) => {
                now = at;
                transfer.on_timeout(now);
            }
            Action::Done(report) => break report.end,
        }
    };
    assert_eq!(end, End::Unconfirmed);
}

#[test]
fn no_transfer_is_longer_than_allowed() {
    let limits = Limits {
        max_total_ms: 10_000,
        max_retries: 1000,
        ..Limits::default()
    };
    let mut transfer = Transfer::new(&request(OVMF), 100, &limits, 0);
    let mut now = 0;
    let mut last = Vec::new();
    let report = loop {
        match transfer.poll(now) {
            Action::Send(packet) => last = packet,
            Action::Read { .. } => panic!("content before the OACK is acknowledged"),
            Action::WaitUntil(at) => {
                now = at;
                transfer.on_timeout(now);
            }
            Action::Done(report) => break report,
        }
    };
    assert_eq!((report.end, report.duration_ms), (End::TooSlow, 10_000));
    assert_eq!(last[..4], [0, 5, 0, 0], "the client is told");
}

#[test]
fn content_of_another_length_ends_the_transfer() {
    let mut transfer = Transfer::new(&request(Options::default()), 100, &Limits::default(), 0);
    assert_eq!(transfer.poll(0), Action::Read { offset: 0, len: 100 });
    transfer.supply(&[0; 99]);
    assert!(matches!(transfer.poll(0), Action::Send(packet) if packet.starts_with(&[0, 5])));
    assert!(matches!(
        transfer.poll(0),
        Action::Done(Report {
            end: End::ContentFailed,
            ..
        })
    ));
}

#[test]
fn options_are_clamped_or_refused() {
    let asked = Options {
        block_size: Some(65464),
        transfer_size: false,
        timeout: Some(255),
        window_size: Some(65535),
    };
    let mut transfer = Transfer::new(&request(asked), 1 << 30, &Limits::default(), 0);
    assert_eq!(
        transfer.poll(0),
        Action::Send(b"\0\x06blksize\x001468\0windowsize\x0032\0".to_vec())
    );
}

#[test]
fn requests_are_read() {
    let parsed =
        parse_request(b"\0\x01snponly.efi\0OCTET\0tsize\x000\0BLKSIZE\x001468\0windowsize\x004\0foo\0bar\0").unwrap();
    assert_eq!(parsed.file, "snponly.efi");
    assert_eq!(parsed.mode, Mode::Octet);
    assert_eq!(parsed.options, OVMF);
    let odd = parse_request(b"\0\x01a\0octet\0blksize\x007\0timeout\0many\0windowsize\x000\0tsize").unwrap();
    assert_eq!(odd.options, Options::default());
}

#[test]
fn what_is_no_read_request_is_refused() {
    let malformed = |datagram: &[u8]| matches!(parse_request(datagram), Err(RequestFault::Malformed { .. }));
    assert_eq!(parse_request(b"\0\x02a\0octet\0"), Err(RequestFault::Write));
    assert_eq!(
        parse_request(b"\0\x04\0\x01"),
        Err(RequestFault::NotARequest { opcode: 4 })
    );
    assert_eq!(parse_request(b"\0"), Err(RequestFault::NotARequest { opcode: 0 }));
    assert!(malformed(b"\0\x01a"));
    assert!(malformed(b"\0\x01\0octet\0"));
    assert!(malformed(b"\0\x01\xff\0octet\0"));
    assert!(malformed(&[&b"\0\x01"[..], &[b'a'; 2000]].concat()));
    let mode = parse_request(b"\0\x01a\0mail\0").unwrap_err();
    assert_eq!(mode, RequestFault::Mode { mode: "mail".into() });
    assert!(mode.answer().unwrap().starts_with(&[0, 5, 0, 4]));
    assert_eq!(RequestFault::NotARequest { opcode: 4 }.answer(), None);
}

#[test]
fn error_texts_are_cut_between_characters() {
    let packet = error_packet(ErrorCode::FileNotFound, &"é".repeat(300));
    assert_eq!(packet.len(), 4 + 200 + 1);
    assert_eq!(packet[..4], [0, 5, 0, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_network_that_lets_packets_through_delivers(
        seed in any::<u64>(), len in 0_usize..60_000, lost in 0_u64..15, doubled in 0_u64..30, delay in 0_u64..6,
        block_size in proptest::option::of(8_u16..2000), window_size in proptest::option::of(1_u16..64),
    ) {
        let content = bytes(len / if block_size.is_some_and(|size| size < 64) { 20 } else { 1 });
        let options = Options { block_size, transfer_size: true, timeout: None, window_size };
        let limits = Limits { max_total_ms: u64::MAX, max_retries: 12, ..Limits::default() };
        let outcome = run(&content, options, &limits, Network { lost, doubled, delay }, seed);
        prop_assert!(matches!(outcome.report.end, End::Completed | End::Unconfirmed), "{:?}", outcome.report);
        prop_assert!(outcome.content == content);
    }

    #[test]
    fn requests_never_panic(datagram in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse_request(&datagram);
    }

    #[test]
    fn rubbish_never_panics_a_transfer(packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..20), 0_u64..5000), 0..60)) {
        let mut transfer = Transfer::new(&request(OVMF), 5000, &Limits::default(), 0);
        transfer.on_packet(&[0, 4, 0, 0], 0);
        let mut now = 0;
        for (mut packet, wait) in packets {
            now += wait;
            if let [high, low, ..] = packet.as_mut_slice() {
                (*high, *low) = (0, 4 + (*low & 1));
            }
            for _ in 0..64 {
                match transfer.poll(now) {
                    Action::Read { len, .. } => transfer.supply(&vec![0; len]),
                    Action::Send(_) => {}
                    Action::WaitUntil(_) | Action::Done(_) => break,
                }
            }
            transfer.on_packet(&packet, now);
            transfer.on_timeout(now);
        }
    }
}
