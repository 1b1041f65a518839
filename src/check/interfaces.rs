use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use muster_facts::MacAddr;
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

/// A network interface of this machine that is up and is no loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalInterface {
    /// The kernel's name.
    pub name: String,
    /// Its hardware address, when it has one of Ethernet's.
    pub mac: Option<MacAddr>,
    /// Its IPv4 addresses with their prefix lengths.
    pub addresses: Vec<Ipv4Net>,
}

/// Interfaces that are up, without loopback, by name.
///
/// # Errors
/// When the kernel does not list them.
pub fn local_interfaces() -> std::io::Result<Vec<LocalInterface>> {
    let mut found: Vec<LocalInterface> = Vec::new();
    for entry in getifaddrs()? {
        if !entry.flags.contains(InterfaceFlags::IFF_UP) || entry.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            continue;
        }
        let position = found
            .iter()
            .position(|interface| interface.name == entry.interface_name)
            .unwrap_or_else(|| {
                found.push(LocalInterface {
                    name: entry.interface_name.clone(),
                    mac: None,
                    addresses: Vec::new(),
                });
                found.len() - 1
            });
        let (Some(interface), Some(address)) = (found.get_mut(position), entry.address) else {
            continue;
        };
        if let Some(mac) = address.as_link_addr().and_then(|link| link.addr()) {
            interface.mac = Some(MacAddr(mac)).filter(|mac| !mac.is_unusable());
        }
        if let Some(ip) = address.as_sockaddr_in() {
            let mask = entry
                .netmask
                .and_then(|mask| mask.as_sockaddr_in().map(|mask| mask.ip()))
                .unwrap_or(Ipv4Addr::BROADCAST);
            if let Ok(network) = Ipv4Net::with_netmask(ip.ip(), mask) {
                interface.addresses.push(network);
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
