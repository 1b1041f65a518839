//! Any frame is an announcement or a fault, and its texts are fit to be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(found) = muster_wire::lldp::parse(frame) {
        for text in [
            Some(found.chassis_id),
            Some(found.port_id),
            found.port_description,
            found.system_name,
        ] {
            assert!(text.is_none_or(|text| !text.is_empty() && !text.contains(char::is_control)));
        }
    }
});
