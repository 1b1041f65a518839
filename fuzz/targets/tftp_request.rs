//! Any datagram to the TFTP port is a request or a fault, and a transfer can start from it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_wire::tftp::{Limits, Transfer, parse_request};

fuzz_target!(|datagram: &[u8]| {
    match parse_request(datagram) {
        Ok(request) => {
            let limits = Limits::default();
            let transfer = Transfer::new(&request, 1 << 40, &limits, 0);
            assert!(transfer.block_size() <= limits.max_block);
            assert!(transfer.window_size() <= limits.max_window.into());
        }
        Err(fault) => {
            if let Some(answer) = fault.answer() {
                assert!(answer.len() <= 205);
            }
        }
    }
});
