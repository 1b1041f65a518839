//! Any SMBIOS tables are read as far as they go, and the texts are fit to be reported.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_agent::gather::smbios;

fuzz_target!(|input: &[u8]| {
    // The first byte is the length of the entry point; the tables follow it.
    let Some((len, rest)) = input.split_first() else { return };
    let Some((entry, tables)) = rest.split_at_checked(usize::from(*len)) else {
        return;
    };
    let found = smbios::parse(entry, tables);
    assert_eq!(found, smbios::parse(entry, tables));
    if let Some(system) = found.system {
        for text in [system.vendor, system.product, system.serial, system.uuid] {
            assert!(text.is_none_or(|text| !text.is_empty() && !text.contains(char::is_control)));
        }
    }
});
