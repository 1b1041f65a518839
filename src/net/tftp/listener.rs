use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::AsRawFd,
};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt::Ipv4PacketInfo};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::TftpClient;

/// A request is at most 512 bytes (RFC 2347); what is longer is cut and then refused.
const MAX_DATAGRAM: usize = 1500;

/// The socket that takes requests. It learns which of our addresses each one came to (`IP_PKTINFO`),
/// because boot ROMs drop answers from another.
#[derive(Debug)]
pub struct TftpListener {
    socket: UdpSocket,
    local: SocketAddrV4,
}

impl TftpListener {
    /// Binds; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken or not allowed.
    pub fn bind(address: SocketAddrV4) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        socket.bind(&SocketAddr::V4(address).into())?;
        setsockopt(&socket, Ipv4PacketInfo, &true)?;
        // A rack that starts together asks within the same few milliseconds.
        socket.set_recv_buffer_size(1 << 20)?;
        let socket = UdpSocket::from_std(socket.into())?;
        let SocketAddr::V4(local) = socket.local_addr()? else {
            return Err(io::Error::other("bound to an address that is not IPv4"));
        };
        Ok(Self { socket, local })
    }

    /// The bound address.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddrV4 {
        self.local
    }

    /// The next datagram and both its ends.
    pub(super) async fn receive(&self) -> io::Result<(Vec<u8>, TftpClient)> {
        self.socket
            .async_io(Interest::READABLE, || {
                receive_now(self.socket.as_raw_fd(), *self.local.ip())
            })
            .await
    }

    /// Answers without a transfer: an error packet. Lost when the socket is full, as UDP may be.
    pub(super) fn refuse(&self, to: SocketAddrV4, packet: &[u8]) {
        if let Err(error) = self.socket.try_send_to(packet, to.into()) {
            tracing::debug!(client = %to, %error, "tftp refusal not sent");
        }
    }
}

fn receive_now(socket: std::os::fd::RawFd, bound: Ipv4Addr) -> io::Result<(Vec<u8>, TftpClient)> {
    let mut buffer = [0_u8; MAX_DATAGRAM];
    let mut control = nix::cmsg_space!(nix::libc::in_pktinfo);
    let (len, from, server) = {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let message = recvmsg::<SockaddrIn>(socket, &mut parts, Some(&mut control), MsgFlags::empty())?;
        let from = message
            .address
            .map(SocketAddrV4::from)
            .ok_or_else(|| io::Error::other("datagram without a sender"))?;
        let server = message
            .cmsgs()?
            .find_map(|control| match control {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)))
                }
                _ => None,
            })
            .unwrap_or(bound);
        (message.bytes, from, server)
    };
    let datagram = buffer.get(..len).unwrap_or_default().to_vec();
    Ok((datagram, TftpClient { from, server }))
}
