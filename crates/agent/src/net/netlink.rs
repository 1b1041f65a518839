//! Brings interfaces up and sets addresses and the default route, by rtnetlink (rtnetlink(7)).

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
    sockopt::ReceiveTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const AF_INET: u8 = 2;
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_DHCP: u8 = 16;
const RTN_UNICAST: u8 = 1;
const RTNH_F_ONLINK: u32 = 4;
/// Bytes of the header of a message.
const HEADER: usize = 16;

/// A change of the network's state, as the bytes of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    /// Brings the interface up.
    #[must_use]
    pub fn link_up(index: u32) -> Self {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(IFF_UP.to_ne_bytes());
        // Only this flag changes.
        body.extend(IFF_UP.to_ne_bytes());
        Self {
            kind: RTM_NEWLINK,
            flags: 0,
            body,
        }
    }

    /// Gives the interface an address, or keeps the one it has.
    #[must_use]
    pub fn add_address(index: u32, address: Ipv4Addr, prefix: u8) -> Self {
        Self {
            kind: RTM_NEWADDR,
            flags: NLM_F_CREATE | NLM_F_REPLACE,
            body: address_body(index, address, prefix),
        }
    }

    /// Takes an address away.
    #[must_use]
    pub fn remove_address(index: u32, address: Ipv4Addr, prefix: u8) -> Self {
        Self {
            kind: RTM_DELADDR,
            flags: 0,
            body: address_body(index, address, prefix),
        }
    }

    /// Makes `router` the default route. It is taken to be on the link even when the prefix does
    /// not say so: hosting networks give /32 addresses.
    #[must_use]
    pub fn default_route(index: u32, router: Ipv4Addr) -> Self {
        let mut body = vec![AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_DHCP, 0, RTN_UNICAST];
        body.extend(RTNH_F_ONLINK.to_ne_bytes());
        attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
        attribute(&mut body, RTA_GATEWAY, &router.octets());
        Self {
            kind: RTM_NEWROUTE,
            flags: NLM_F_CREATE | NLM_F_REPLACE,
            body,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(HEADER + self.body.len()).unwrap_or_default();
        let mut out = Vec::with_capacity(HEADER + self.body.len());
        out.extend(length.to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend((self.flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        // One request is open at a time, so the sequence number tells nothing.
        out.extend(1u32.to_ne_bytes());
        out.extend(0u32.to_ne_bytes());
        out.extend(&self.body);
        out
    }
}

/// Sends one request to the kernel and waits for its answer.
///
/// # Errors
/// What the kernel answers, or a socket error.
pub fn apply(request: &Request) -> io::Result<()> {
    let socket: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(5))?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    send(socket.as_raw_fd(), &request.bytes(), MsgFlags::empty())?;
    let mut buffer = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    outcome(buffer.get(..length).unwrap_or_default())
}

/// Reads the kernel's answer: an error message with code 0 is an acknowledgement.
fn outcome(answer: &[u8]) -> io::Result<()> {
    let kind = answer
        .get(4..6)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u16::from_ne_bytes);
    let code = answer
        .get(HEADER..HEADER + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the kernel's netlink answer is not understood",
        )),
    }
}

fn address_body(index: u32, address: Ipv4Addr, prefix: u8) -> Vec<u8> {
    let mut body = vec![AF_INET, prefix, 0, 0];
    body.extend(index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &address.octets());
    attribute(&mut body, IFA_ADDRESS, &address.octets());
    body
}

/// All attributes here are 4 bytes long, so no padding is needed.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8; 4]) {
    body.extend(8u16.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_lengths_the_kernel_checks() {
        for (request, length) in [
            (Request::link_up(2), 32),
            (Request::add_address(2, Ipv4Addr::new(10, 0, 0, 5), 24), 40),
            (Request::remove_address(2, Ipv4Addr::new(10, 0, 0, 5), 24), 40),
            (Request::default_route(2, Ipv4Addr::new(10, 0, 0, 1)), 44),
        ] {
            let bytes = request.bytes();
            assert_eq!(bytes.len(), length, "{request:?}");
            assert_eq!(bytes[..4], u32::try_from(length).unwrap().to_ne_bytes());
        }
    }

    #[test]
    fn the_kernels_answers() {
        let answer = |code: i32| {
            let mut bytes = vec![0; HEADER];
            bytes[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
            bytes.extend(code.to_ne_bytes());
            bytes
        };
        assert!(outcome(&answer(0)).is_ok());
        assert_eq!(outcome(&answer(-17)).unwrap_err().raw_os_error(), Some(17));
        assert!(outcome(&answer(i32::MIN)).is_err());
        assert!(outcome(&[]).is_err());
    }
}
