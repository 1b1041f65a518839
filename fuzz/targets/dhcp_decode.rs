//! Any datagram is read or refused; what was read is written, and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_wire::dhcp::{MAX_REPLY, MIN_LEN, Message, MessageType, decode, encode, encode_within};

fuzz_target!(|datagram: &[u8]| {
    let Ok(message) = decode(datagram) else { return };
    assert!(message.faults.len() <= Message::MAX_FAULTS);
    let _ = (
        message.mac(),
        message.vendor(),
        message.is_ipxe(),
        message.uuid(),
        message.architecture(),
    );
    if let Some(options) = message.pxe_vendor_options() {
        let _ = options.encode();
    }
    if let Some(relay) = &message.relay {
        let _ = (
            relay.circuit_id(),
            relay.remote_id(),
            relay.link_selection(),
            relay.server_id_override(),
        );
    }
    if let Some(ipxe) = &message.ipxe {
        let _ = (ipxe.version(), ipxe.pci_id(), ipxe.clone().with_no_pxedhcp());
    }
    // The first writing may leave out what does not fit; from then on nothing changes.
    let written = decode(&encode(&message)).expect("what is written can be read");
    assert_eq!(written.faults, []);
    assert_eq!(decode(&encode(&written)), Ok(written));

    let reply = Message::reply_to(&message, MessageType::Offer);
    let bytes = encode_within(&reply, message.reply_limit());
    assert!((MIN_LEN..=MAX_REPLY).contains(&bytes.len()));
});
