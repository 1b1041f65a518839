//! The DHCP edge: sockets, both ends of each datagram, and where an answer goes. What to answer is decided in
//! `discovery`.

mod addressing;
mod interfaces;
mod listener;
mod serve;

pub use listener::{DhcpListener, DhcpPorts};
pub use serve::run_dhcp;
