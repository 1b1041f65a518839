use std::{
    collections::HashMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use nix::{ifaddrs::getifaddrs, net::if_::if_nametoindex};

/// Addresses come and go; asking the kernel for each packet would cost more than the packet.
const FRESH: Duration = Duration::from_secs(2);

/// One interface with its IPv4 addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) addresses: Vec<Ipv4Addr>,
}

/// The interfaces of this machine by kernel index.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    known: HashMap<u32, Interface>,
    read_at: Option<Instant>,
}

impl Interfaces {
    /// The interface with this index; reads them again when the last look is too old.
    pub(super) fn get(&mut self, index: u32, now: Instant) -> Option<&Interface> {
        let fresh = self.read_at.is_some_and(|at| now.duration_since(at) < FRESH);
        if !fresh {
            self.known = read();
            self.read_at = Some(now);
        }
        self.known.get(&index)
    }
}

fn read() -> HashMap<u32, Interface> {
    let mut known: HashMap<u32, Interface> = HashMap::new();
    let Ok(addresses) = getifaddrs() else {
        return known;
    };
    for entry in addresses {
        let Ok(index) = if_nametoindex(entry.interface_name.as_str()) else {
            continue;
        };
        let interface = known.entry(index).or_insert_with(|| Interface {
            name: entry.interface_name.clone(),
            addresses: Vec::new(),
        });
        if let Some(address) = entry.address.as_ref().and_then(|address| address.as_sockaddr_in()) {
            interface.addresses.push(address.ip());
        }
    }
    known
}
