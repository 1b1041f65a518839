//! Any datagram is a line or nothing, and its texts are fit to be kept.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    if let Some(message) = muster_wire::syslog::parse(datagram) {
        assert!(message.severity <= 7 && message.program.len() <= 256);
        assert!(!message.text.is_empty() && !message.text.contains(char::is_control));
    }
});
