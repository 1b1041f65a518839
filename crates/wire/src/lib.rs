//! Muster's wire formats: bytes in, bytes out.
//!
//! Nothing here opens a socket, asks for the time or panics on input. Callers bring datagrams and
//! a clock; this crate gives back typed messages and the bytes to send. Every parser is fuzzed.
#![deny(missing_docs)]
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation)]

pub mod cpio;
pub mod dhcp;
pub mod lldp;
pub mod syslog;
pub mod tftp;
