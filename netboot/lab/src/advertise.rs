//! IPv6 router advertisements on a lab's bridge, as a network with an IPv6 router has them.
//!
//! The iPXE that QEMU brings (2019) tries IPv6 beside DHCP and waits 13 s for an advertisement before it boots by either.

use std::{
    io,
    net::{Ipv6Addr, SocketAddrV6},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{LabError, Namespace};

/// How often the router speaks; machines are heard at once, so solicitations need no answer of their own.
const INTERVAL: Duration = Duration::from_millis(250);
/// The router's address; it routes nothing.
const ROUTER: &str = "fe80::1/64";
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Type 134, hop limit 64, no address service, router lifetime 0: nobody takes it for a default route (RFC 4861 section 4.2).
/// The kernel fills in the checksum.
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A router that advertises; it falls silent when this is dropped.
#[derive(Debug)]
pub struct Advertiser {
    stopped: Arc<AtomicBool>,
    running: Option<JoinHandle<()>>,
}

impl Advertiser {
    /// Advertises on `interface` of `namespace`.
    ///
    /// # Errors
    /// When the address or the socket is refused, for example without IPv6.
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self, LabError> {
        namespace.ip(&["address", "add", ROUTER, "dev", interface, "nodad"])?;
        let (socket, target) = namespace.enter(|| open(interface))?.map_err(LabError::io(format!(
            "opening the advertisements' socket on {interface}"
        )))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        let running = thread::spawn(move || {
            while !flag.load(Ordering::Acquire) {
                // While no machine is on, the bridge has no link and refuses to send.
                let _ = socket.send_to(&ADVERTISEMENT, &target.into());
                thread::sleep(INTERVAL);
            }
        });
        Ok(Self {
            stopped,
            running: Some(running),
        })
    }
}

impl Drop for Advertiser {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

fn open(interface: &str) -> io::Result<(Socket, SocketAddrV6)> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    let index = nix::net::if_::if_nametoindex(interface)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Receivers refuse an advertisement that could have passed a router.
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_loop_v6(false)?;
    Ok((socket, SocketAddrV6::new(ALL_NODES, 0, 0, index)))
}
