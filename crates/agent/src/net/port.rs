//! One interface that asks for an address: its socket and its DHCP client.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Instant;

use muster_wire::dhcp::{decode, encode};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket,
    sockopt::{BindToDevice, Broadcast, ReuseAddr},
};

use super::dhcp::{Change, Client, Transmit};
use super::link::Interface;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

/// A DHCP client on its interface.
#[derive(Debug)]
pub struct Port {
    /// The interface as it was when the client started.
    pub interface: Interface,
    client: Client,
    socket: UdpSocket,
}

impl Port {
    /// Opens the client's socket on `interface`, which must be up.
    ///
    /// # Errors
    /// When the socket cannot be made or tied to the interface.
    pub fn open(interface: Interface, seed: u64, now: Instant) -> io::Result<Self> {
        let client = Client::new(interface.mac, seed, now);
        Self::open_with(interface, client)
    }

    /// The same with a client that was made for this interface.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(interface: Interface, client: Client) -> io::Result<Self> {
        let descriptor = socket(
            AddressFamily::Inet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )?;
        setsockopt(&descriptor, ReuseAddr, &true)?;
        setsockopt(&descriptor, Broadcast, &true)?;
        setsockopt(&descriptor, BindToDevice, &OsString::from(&interface.name))?;
        bind(descriptor.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, CLIENT_PORT))?;
        Ok(Self {
            client,
            interface,
            socket: UdpSocket::from(descriptor),
        })
    }

    /// The client's state.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends what is due. A message that could not be sent counts as lost on the way: it is
    /// sent again when its time comes.
    pub fn poll(&mut self, now: Instant) -> Option<Change> {
        let (transmit, change) = self.client.poll(now);
        if let Some(Transmit { message, to }) = transmit {
            let to = SocketAddrV4::new(to.unwrap_or(Ipv4Addr::BROADCAST), SERVER_PORT);
            let _ = self.socket.send_to(&encode(&message), to);
        }
        change
    }

    /// Reads every datagram that has come.
    pub fn receive(&mut self, now: Instant) -> Option<Change> {
        let mut buffer = [0; 4096];
        let mut change = None;
        // Bounded, so that a flood cannot hold the thread here.
        for _ in 0..64 {
            let Ok(length) = self.socket.recv(&mut buffer) else {
                break;
            };
            let Some(Ok(message)) = buffer.get(..length).map(decode) else {
                continue;
            };
            change = self.client.receive(&message, now).or(change);
        }
        change
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
