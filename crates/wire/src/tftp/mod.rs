//! TFTP as a boot server speaks it: read requests only, no socket, no clock.
//!
//! RFC 1350 with the options of RFC 2347, block size (RFC 2348), timeout and transfer size
//! (RFC 2349) and window size (RFC 7440). [`parse_request`] reads what comes to port 69;
//! [`Transfer`] is one transfer after that, driven by its caller:
//!
//! ```text
//! loop {
//!     match transfer.poll(now) {
//!         Action::Send(datagram)      => send it,
//!         Action::Read { offset, len } => transfer.supply(that part of the content),
//!         Action::WaitUntil(ms)       => a datagram came: transfer.on_packet(bytes, now)
//!                                        the time came:   transfer.on_timeout(now),
//!         Action::Done(report)        => break,
//!     }
//! }
//! ```
//!
//! A transfer holds no content but the one block about to be sent, whatever the client asks for.

mod request;
mod transfer;

pub use request::{Mode, Options, Request, RequestFault, parse_request};
pub use tftpd::ErrorCode;
pub use transfer::{Action, End, Limits, Report, Transfer};

/// The bytes of an ERROR packet (RFC 1350 §5). The text is for the person at the console; it is
/// cut at 200 bytes.
#[must_use]
pub fn error_packet(code: ErrorCode, text: &str) -> Vec<u8> {
    let mut end = text.len().min(200);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let msg: String = text.get(..end).unwrap_or_default().replace('\0', " ");
    tftpd::Packet::Error { code, msg }.serialize().unwrap_or_default()
}
