//! The one place of this room that speaks to the kernel directly.
#![expect(unsafe_code, reason = "SIOCSARP has no safe wrapper in the crates we use")]

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, BorrowedFd},
};

use muster_facts::MacAddr;
use nix::libc;

/// Teaches the kernel a neighbour's hardware address, so that a datagram reaches a client that has an address
/// and cannot answer ARP yet (RFC 2131 §4.1). The entry ages like one that was learned.
///
/// # Errors
/// Without `CAP_NET_ADMIN`, or when the interface is gone.
pub(super) fn set_neighbour(
    socket: BorrowedFd<'_>,
    interface: &str,
    address: Ipv4Addr,
    mac: MacAddr,
) -> io::Result<()> {
    let mut request = libc::arpreq {
        arp_pa: sockaddr_of(address),
        arp_ha: hardware_of(mac),
        arp_flags: libc::ATF_COM,
        arp_netmask: empty(),
        arp_dev: [0; 16],
    };
    // One byte stays zero: the kernel reads a C string.
    for (to, from) in request.arp_dev.iter_mut().take(15).zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // SAFETY: `request` is a fully initialised `arpreq` that lives through the call; the kernel only reads it.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSARP, &raw const request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

const fn empty() -> libc::sockaddr {
    libc::sockaddr {
        sa_family: 0,
        sa_data: [0; 14],
    }
}

/// `sockaddr_in` in the generic form: family, port (two bytes), address (four bytes).
fn sockaddr_of(address: Ipv4Addr) -> libc::sockaddr {
    let mut generic = empty();
    generic.sa_family = libc::AF_INET as libc::sa_family_t;
    for (to, from) in generic.sa_data.iter_mut().skip(2).zip(address.octets()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    generic
}

fn hardware_of(mac: MacAddr) -> libc::sockaddr {
    let mut generic = empty();
    generic.sa_family = libc::ARPHRD_ETHER;
    for (to, from) in generic.sa_data.iter_mut().zip(mac.0) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    generic
}
