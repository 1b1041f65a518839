use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::{AsFd, AsRawFd},
};

use muster_facts::MacAddr;
use nix::{
    libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
        sockopt::Ipv4PacketInfo,
    },
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::addressing::Destination;
use crate::net::sys;

/// UDP ports of DHCP and PXE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhcpPorts {
    /// Where clients ask.
    pub server: u16,
    /// Where clients listen.
    pub client: u16,
    /// Where boot servers beside another DHCP server are asked (PXE 2.1 §2.2).
    pub proxy: u16,
}

impl DhcpPorts {
    /// 67, 68 and 4011.
    pub const STANDARD: Self = Self {
        server: 67,
        client: 68,
        proxy: 4011,
    };
}

/// Longest datagram looked at. Larger ones are cut and then refused as malformed.
pub(super) const MAX_DATAGRAM: usize = 1500;

/// A wildcard UDP socket that knows by which interface each datagram came and answers by the same.
#[derive(Debug)]
pub struct DhcpListener {
    socket: UdpSocket,
    local: SocketAddrV4,
}

/// One datagram and how it came.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) len: usize,
    pub(super) from: SocketAddrV4,
    /// Kernel index of the interface.
    pub(super) index: u32,
    /// The address of ours it was sent to; the interface's own when it was a broadcast.
    pub(super) asked: Ipv4Addr,
}

impl DhcpListener {
    /// Binds to every address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the port is taken or not allowed.
    pub fn bind(port: u16) -> io::Result<Self> {
        Self::open(Ipv4Addr::UNSPECIFIED, port, false)
    }

    /// Hears what is broadcast to a port and nothing else: this machine's own DHCP client keeps its unicast, and may
    /// bind the same port.
    ///
    /// # Errors
    /// When the port is held by a program that does not share it, or is not allowed.
    pub fn overhear(port: u16) -> io::Result<Self> {
        Self::open(Ipv4Addr::BROADCAST, port, true)
    }

    fn open(address: Ipv4Addr, port: u16, shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        socket.set_broadcast(true)?;
        socket.set_reuse_address(shared)?;
        socket.bind(&SocketAddr::from((address, port)).into())?;
        setsockopt(&socket, Ipv4PacketInfo, &true)?;
        // Ten thousand machines that power on together fit in here.
        socket.set_recv_buffer_size(8 << 20)?;
        let socket = UdpSocket::from_std(socket.into())?;
        let SocketAddr::V4(local) = socket.local_addr()? else {
            return Err(io::Error::other("bound to an address that is not IPv4"));
        };
        Ok(Self { socket, local })
    }

    /// The bound port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.local.port()
    }

    pub(super) async fn receive(&self, buffer: &mut [u8; MAX_DATAGRAM]) -> io::Result<Received> {
        self.socket
            .async_io(Interest::READABLE, || self.receive_now(buffer))
            .await
    }

    fn receive_now(&self, buffer: &mut [u8; MAX_DATAGRAM]) -> io::Result<Received> {
        let mut control = nix::cmsg_space!(libc::in_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<SockaddrIn>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let from = message
            .address
            .map(SocketAddrV4::from)
            .ok_or_else(|| io::Error::other("datagram without a sender"))?;
        let info = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(info),
            _ => None,
        });
        let (index, asked) = info.map_or((0, Ipv4Addr::UNSPECIFIED), |info| {
            (
                u32::try_from(info.ipi_ifindex).unwrap_or(0),
                Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)),
            )
        });
        Ok(Received {
            len: message.bytes,
            from,
            index,
            asked,
        })
    }

    /// Sends by the interface the question came in by, from the address that was asked.
    ///
    /// # Errors
    /// When the kernel refuses; a full queue counts as one.
    pub(super) async fn send(
        &self,
        bytes: &[u8],
        to: Destination,
        interface: &str,
        index: u32,
        from: Ipv4Addr,
    ) -> io::Result<()> {
        let (to, index) = match to {
            // Routing finds the way, but the answer keeps the address that was asked.
            Destination::Routed(to) => (to, 0),
            Destination::Broadcast(port) => (SocketAddrV4::new(Ipv4Addr::BROADCAST, port), index),
            Destination::Unconfigured(to, mac) => (self.reachable(to, mac, interface), index),
        };
        self.socket
            .async_io(Interest::WRITABLE, || self.send_now(bytes, to, index, from))
            .await
    }

    /// The client's own address once the kernel knows its hardware address, else everybody's.
    fn reachable(&self, to: SocketAddrV4, mac: MacAddr, interface: &str) -> SocketAddrV4 {
        match sys::set_neighbour(self.socket.as_fd(), interface, *to.ip(), mac) {
            Ok(()) => to,
            Err(error) => {
                tracing::debug!(%mac, interface, %error, "neighbour not set; the answer is broadcast");
                SocketAddrV4::new(Ipv4Addr::BROADCAST, to.port())
            }
        }
    }

    fn send_now(&self, bytes: &[u8], to: SocketAddrV4, index: u32, from: Ipv4Addr) -> io::Result<()> {
        let info = libc::in_pktinfo {
            ipi_ifindex: libc::c_int::try_from(index).unwrap_or(0),
            ipi_spec_dst: libc::in_addr {
                s_addr: u32::from(from).to_be(),
            },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(bytes)],
            &[ControlMessage::Ipv4PacketInfo(&info)],
            MsgFlags::empty(),
            Some(&SockaddrIn::from(to)),
        )?;
        Ok(())
    }
}
