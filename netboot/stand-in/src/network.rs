//! One address by DHCP, on the interface the machine booted from.

use std::{
    net::Ipv4Addr,
    os::fd::AsFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use muster_agent::net::{
    dhcp::{Change, Client},
    link::{Interface, interfaces},
    netlink::{Request, apply},
    port::Port,
};
use muster_facts::MacAddr;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long the interface, its link and the server's answer may take together.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkFault {
    /// No interface, or none with a link.
    #[error("no interface with a link within {} s", LIMIT.as_secs())]
    NoLink,
    /// Nobody answered.
    #[error("no DHCP answer on {interface} within {} s", LIMIT.as_secs())]
    NoAnswer {
        /// Which interface.
        interface: String,
    },
    /// The system refused.
    #[error("{interface} cannot be set up")]
    Refused {
        /// Which interface.
        interface: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The address the machine has got. It is used for a minute or two, so it is not renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The interface's name.
    pub(crate) interface: String,
    /// Its address.
    pub(crate) address: Ipv4Addr,
    /// Who gave it.
    pub(crate) server: Ipv4Addr,
}

/// Brings the boot interface up and gets an address, under the vendor class that Anaconda's initramfs uses.
pub(crate) fn up(boot: Option<MacAddr>) -> Result<Bound, NetworkFault> {
    let started = Instant::now();
    let interface = linked(boot, started)?;
    let refused = |source| NetworkFault::Refused {
        interface: interface.name.clone(),
        source,
    };
    let class = vendor_class();
    let client = Client::new(interface.mac, 1, Instant::now()).calling_itself(class.as_bytes());
    let mut port = Port::open_with(interface.clone(), client).map_err(refused)?;
    while started.elapsed() < LIMIT {
        let now = Instant::now();
        let polled = port.poll(now);
        if let Some(Change::Bound(lease)) = port.receive(now).or(polled) {
            apply(&Request::add_address(interface.index, lease.address, lease.prefix)).map_err(refused)?;
            if let Some(router) = lease.router {
                apply(&Request::default_route(interface.index, router)).map_err(refused)?;
            }
            return Ok(Bound {
                interface: interface.name,
                address: lease.address,
                server: lease.server,
            });
        }
        let mut sockets = [PollFd::new(port.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut sockets, PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::MAX));
    }
    Err(NetworkFault::NoAnswer {
        interface: interface.label(),
    })
}

/// The interface of that address, or the first that there is, once it has a link.
fn linked(boot: Option<MacAddr>, started: Instant) -> Result<Interface, NetworkFault> {
    let mut raised = false;
    while started.elapsed() < LIMIT {
        let found = interfaces(Path::new("/sys"))
            .into_iter()
            .find(|interface| boot.is_none_or(|mac| mac == interface.mac));
        match found {
            Some(interface) if interface.link => return Ok(interface),
            Some(interface) if !raised => {
                apply(&Request::link_up(interface.index)).map_err(|source| NetworkFault::Refused {
                    interface: interface.name,
                    source,
                })?;
                raised = true;
            }
            _ => thread::sleep(LOOK),
        }
    }
    Err(NetworkFault::NoLink)
}

/// `anaconda-Linux 6.12.0 x86_64`: as Anaconda's initramfs writes it from `uname -srm`.
fn vendor_class() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| "anaconda-Linux".to_owned(),
        |name| {
            format!(
                "anaconda-{} {} {}",
                name.sysname().to_string_lossy(),
                name.release().to_string_lossy(),
                name.machine().to_string_lossy()
            )
        },
    )
}
