use std::net::{Ipv4Addr, SocketAddrV4};

use muster_wire::dhcp::Message;

/// Which of our sockets a DHCP message came to, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArrivalPort {
    /// Where clients ask (67).
    Dhcp,
    /// Where boot servers beside another DHCP server are asked (4011).
    Proxy,
    /// Where clients listen (68): other servers' broadcasts are heard there. Never answered.
    Client,
}

/// How a DHCP message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Name of the interface.
    pub interface: String,
    /// Kernel index of the interface.
    pub index: u32,
    /// Our address on it: the server identifier. Unspecified when it has none.
    pub server: Ipv4Addr,
    /// Which socket.
    pub kind: ArrivalPort,
    /// Who sent it: the client, or its relay.
    pub from: SocketAddrV4,
}

/// What is sent back; where to is the edge's to work out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The reply.
    pub message: Message,
}
