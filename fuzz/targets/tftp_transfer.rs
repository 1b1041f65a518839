//! A hostile client: a transfer ends, in bounded packets, whatever comes when.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_wire::tftp::{Action, End, Limits, Mode, Options, Request, Transfer};

fuzz_target!(|script: &[u8]| {
    let Some(([high, low, block_high, block_low, window, flags], steps)) = script.split_first_chunk() else {
        return;
    };
    let len = u64::from(u16::from_be_bytes([*high, *low]));
    let options = Options {
        block_size: (flags & 1 != 0).then(|| u16::from_be_bytes([*block_high, *block_low])),
        transfer_size: flags & 2 != 0,
        timeout: (flags & 4 != 0).then_some(*window),
        window_size: (flags & 8 != 0).then_some(u16::from(*window)),
    };
    let request = Request {
        file: "f".into(),
        mode: Mode::Octet,
        options,
    };
    let limits = Limits::default();
    let mut transfer = Transfer::new(&request, len, &limits, 0);
    let mut now = 0;
    let mut steps = steps.chunks(3);
    loop {
        // Between two events no more than a window and an error go out.
        let mut sent = 0;
        let wait_until = loop {
            match transfer.poll(now) {
                Action::Send(packet) => {
                    sent += 1;
                    assert!(packet.len() <= usize::from(limits.max_block) + 4);
                    assert!(sent <= u64::from(limits.max_window) + 1);
                }
                Action::Read { offset, len: wanted } => {
                    assert!(offset + wanted as u64 <= len && wanted <= usize::from(transfer.block_size()));
                    transfer.supply(&vec![0; wanted]);
                }
                Action::WaitUntil(at) => break at,
                Action::Done(report) => {
                    assert!(report.bytes <= len);
                    assert!(report.end != End::Completed || report.bytes == len);
                    assert!(report.duration_ms <= limits.max_total_ms + 255_000);
                    return;
                }
            }
        };
        match steps.next() {
            // The client says nothing more: time alone must end it.
            None => {
                assert!(wait_until >= now);
                now = wait_until;
                transfer.on_timeout(now);
            }
            Some([255, rest @ ..]) => {
                now += rest.first().map_or(1, |step| u64::from(*step) * 100);
                transfer.on_timeout(now);
            }
            Some([254, rest @ ..]) => transfer.on_packet(rest, now),
            Some([253, ..]) => transfer.on_packet(&[0, 5, 0, 8, b'x'], now),
            Some([_, high, low]) => transfer.on_packet(&[0, 4, *high, *low], now),
            Some([low, ..] | [low]) => transfer.on_packet(&[0, 4, 0, *low], now),
            Some([]) => {}
        }
    }
});
