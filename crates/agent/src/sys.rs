//! What only the running kernel can tell, by ioctl and raw socket: the crate's only unsafe code.
#![expect(unsafe_code, reason = "ioctls and packet sockets have no safe wrapper in nix")]

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The hypervisor's name for itself: CPUID leaf `4000_0000h`, registers EBX, ECX, EDX. Ask only when
/// the CPU reports a hypervisor; `None` on other architectures.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn hypervisor_signature() -> Option<[u8; 12]> {
    let leaf = std::arch::x86_64::__cpuid(0x4000_0000);
    let mut signature = [0; 12];
    signature[0..4].copy_from_slice(&leaf.ebx.to_le_bytes());
    signature[4..8].copy_from_slice(&leaf.ecx.to_le_bytes());
    signature[8..12].copy_from_slice(&leaf.edx.to_le_bytes());
    Some(signature)
}

/// The hypervisor's name for itself exists on x86 only.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub const fn hypervisor_signature() -> Option<[u8; 12]> {
    None
}

const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GPERMADDR: u32 = 0x20;

/// `struct ethtool_perm_addr` with room for the longest address (`MAX_ADDR_LEN`).
#[repr(C)]
struct PermanentAddress {
    cmd: u32,
    size: u32,
    data: [u8; 32],
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    cmd: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    erom_version: [u8; 32],
    reserved: [u8; 12],
    counts: [u32; 5],
}

/// The address burnt into an interface; empty when the driver does not tell it.
///
/// # Errors
/// What the kernel answers: no such interface, or a driver without the request.
pub fn permanent_address(interface: &str) -> io::Result<Vec<u8>> {
    let mut request = PermanentAddress {
        cmd: ETHTOOL_GPERMADDR,
        size: 32,
        data: [0; 32],
    };
    ethtool(interface, &mut request)?;
    let length = usize::try_from(request.size).unwrap_or(0).min(request.data.len());
    Ok(request.data[..length].to_vec())
}

/// The firmware version of an interface as its driver tells it; may be blank or `N/A`.
///
/// # Errors
/// What the kernel answers: no such interface, or a driver without the request.
pub fn firmware_version(interface: &str) -> io::Result<String> {
    let mut request = DriverInfo {
        cmd: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        version: [0; 32],
        firmware: [0; 32],
        bus: [0; 32],
        erom_version: [0; 32],
        reserved: [0; 12],
        counts: [0; 5],
    };
    ethtool(interface, &mut request)?;
    let length = request
        .firmware
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(request.firmware.len());
    Ok(String::from_utf8_lossy(&request.firmware[..length]).into_owned())
}

/// Sends one request of `SIOCETHTOOL`. `T` starts with the request's number and is laid out as the
/// kernel's structure of that request.
fn ethtool<T>(interface: &str, request: &mut T) -> io::Result<()> {
    // SAFETY: a zeroed `ifreq` is a valid one, it is plain data.
    let mut envelope: libc::ifreq = unsafe { std::mem::zeroed() };
    let name = interface.as_bytes();
    if name.len() >= envelope.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in envelope.ifr_name.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    envelope.ifr_ifru.ifru_data = std::ptr::from_mut(request).cast();
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).or_else(|_| {
        // An image without a loopback address still has a wildcard one.
        std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))
    })?;
    // SAFETY: the envelope and the request it points to live until the call returns, and the
    // request is as large as the kernel's structure of its number (see the callers).
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut envelope) };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Ethernet type of LLDP, and the address its frames are sent to (IEEE 802.1AB 7.1).
const ETH_P_LLDP: u16 = 0x88cc;
const LLDP_GROUP: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];

/// A socket that receives the LLDP frames of one interface, Ethernet header included, without
/// blocking. It needs `CAP_NET_RAW`.
///
/// # Errors
/// What the kernel answers, such as a missing capability or an interface that is gone.
pub fn lldp_socket(interface: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(ETH_P_LLDP.to_be())) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let index = i32::try_from(interface).map_err(|_| io::ErrorKind::InvalidInput)?;

    // SAFETY: a zeroed `sockaddr_ll` is a valid one, it is plain data.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_LLDP.to_be();
    address.sll_ifindex = index;
    // SAFETY: pointer and length are those of one `sockaddr_ll`.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }

    // SAFETY: a zeroed `packet_mreq` is a valid one, it is plain data.
    let mut member: libc::packet_mreq = unsafe { std::mem::zeroed() };
    member.mr_ifindex = index;
    member.mr_type = libc::PACKET_MR_MULTICAST as u16;
    member.mr_alen = 6;
    member.mr_address[..6].copy_from_slice(&LLDP_GROUP);
    // SAFETY: pointer and length are those of one `packet_mreq`.
    let joined = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            (&raw const member).cast(),
            size_of::<libc::packet_mreq>() as libc::socklen_t,
        )
    };
    if joined < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(socket)
    }
}

/// `struct ipmi_msg`.
#[repr(C)]
struct IpmiMessage {
    netfn: u8,
    cmd: u8,
    data_len: u16,
    data: *mut u8,
}

/// `struct ipmi_req`.
#[repr(C)]
struct IpmiRequest {
    addr: *mut u8,
    addr_len: u32,
    msgid: libc::c_long,
    msg: IpmiMessage,
}

/// `struct ipmi_recv`.
#[repr(C)]
struct IpmiReceived {
    recv_type: i32,
    addr: *mut u8,
    addr_len: u32,
    msgid: libc::c_long,
    msg: IpmiMessage,
}

/// `struct ipmi_system_interface_addr`.
#[repr(C)]
struct IpmiSystemInterface {
    addr_type: i32,
    channel: i16,
    lun: u8,
}

const IPMI_SYSTEM_INTERFACE: i32 = 0x0c;
const IPMI_BMC_CHANNEL: i16 = 0x0f;

mod ioctl {
    use super::{IpmiReceived, IpmiRequest};

    nix::ioctl_read!(send_command, b'i', 13, IpmiRequest);
    nix::ioctl_readwrite!(receive_truncated, b'i', 11, IpmiReceived);
}

/// Sends one request to the management controller and waits for its answer: completion code, then
/// data (IPMI 2.0 chapter 5). `device` is `/dev/ipmi0`, opened for reading and writing.
///
/// # Errors
/// What the driver answers; [`io::ErrorKind::TimedOut`] when nothing came within `wait`.
pub fn ipmi(device: &File, netfn: u8, cmd: u8, data: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
    let mut data = data.to_vec();
    let mut address = IpmiSystemInterface {
        addr_type: IPMI_SYSTEM_INTERFACE,
        channel: IPMI_BMC_CHANNEL,
        lun: 0,
    };
    let address_length = u32::try_from(size_of::<IpmiSystemInterface>()).map_err(io::Error::other)?;
    let msgid = libc::c_long::from(netfn) << 8 | libc::c_long::from(cmd);
    let mut request = IpmiRequest {
        addr: (&raw mut address).cast(),
        addr_len: address_length,
        msgid,
        msg: IpmiMessage {
            netfn,
            cmd,
            data_len: u16::try_from(data.len()).map_err(io::Error::other)?,
            data: data.as_mut_ptr(),
        },
    };
    // SAFETY: the request, its address and its data live until the call returns, and the lengths
    // are theirs; the driver copies what it keeps.
    unsafe { ioctl::send_command(device.as_raw_fd(), &raw mut request) }?;

    let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
    let mut waiting = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
    if poll(&mut waiting, timeout)? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    // Room for the longest address (`struct ipmi_addr`) and message (`IPMI_MAX_MSG_LENGTH`).
    let (mut from, mut answer) = ([0_u8; 40], [0_u8; 272]);
    let mut received = IpmiReceived {
        recv_type: 0,
        addr: from.as_mut_ptr(),
        addr_len: 40,
        msgid: 0,
        msg: IpmiMessage {
            netfn: 0,
            cmd: 0,
            data_len: 272,
            data: answer.as_mut_ptr(),
        },
    };
    // SAFETY: both buffers live until the call returns and are as long as stated.
    unsafe { ioctl::receive_truncated(device.as_raw_fd(), &raw mut received) }?;
    if received.msgid != msgid {
        return Err(io::Error::other("the answer belongs to another request"));
    }
    let length = usize::from(received.msg.data_len).min(answer.len());
    Ok(answer[..length].to_vec())
}
