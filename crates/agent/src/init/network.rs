//! Keeps the machine on the network for as long as it runs: links, addresses, renewals.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use muster_facts::MacAddr;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::console::Console;
use super::trouble::Trouble;
use crate::net::dhcp::{Change, Lease};
use crate::net::link::{Interface, interfaces};
use crate::net::netlink::{Request, apply};
use crate::net::port::Port;

/// How often interfaces and links are looked at.
const TICK: Duration = Duration::from_millis(250);
/// Drivers and links need this long on ordinary hardware; only then is their absence a trouble.
const LINK_GRACE: Duration = Duration::from_secs(10);
/// Servers need this long to answer under load; only then is their silence a trouble.
const ANSWER_GRACE: Duration = Duration::from_secs(8);
/// A link that is gone for less is told in the interface's line alone: switches and drivers blink.
const DARK_GRACE: Duration = Duration::from_secs(3);
/// How long the interface the firmware booted from may take to appear: drivers go in one after the other, and that of
/// a RAID controller may take many seconds.
const BOOT_INTERFACE_GRACE: Duration = Duration::from_secs(30);
/// How long only the interface the firmware booted from is tried.
const BOOT_INTERFACE_ALONE: Duration = Duration::from_secs(60);

/// The address the machine has got.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// The interface that has it.
    pub(super) interface: Interface,
    /// The lease.
    pub(super) lease: Lease,
}

/// Runs for ever: sends every new address to `addresses` and shows the state on `console`.
pub(super) fn keep(boot_interface: Option<MacAddr>, console: &Console, addresses: &Sender<Bound>) -> ! {
    let mut network = Network::new(boot_interface, Instant::now());
    loop {
        network.step(Instant::now(), addresses);
        let (lines, trouble) = network.view(Instant::now());
        console.update(|status| {
            status.interfaces = lines;
            status.network_trouble = trouble;
        });
        network.rest(Instant::now());
    }
}

struct Network {
    boot_interface: Option<MacAddr>,
    started: Instant,
    interfaces: Vec<Interface>,
    /// Indexes that were told to come up, with the kernel's refusal if there was one.
    raised: BTreeMap<u32, Option<String>>,
    ports: BTreeMap<u32, Port>,
    /// Since when each port asks, or the bound one has no link.
    since: BTreeMap<u32, Instant>,
    /// The interface that has the address.
    bound: Option<(u32, Lease)>,
    /// Since when that interface has no link.
    dark: Option<Instant>,
}

impl Network {
    fn new(boot_interface: Option<MacAddr>, now: Instant) -> Self {
        Self {
            boot_interface,
            started: now,
            interfaces: Vec::new(),
            raised: BTreeMap::new(),
            ports: BTreeMap::new(),
            since: BTreeMap::new(),
            bound: None,
            dark: None,
        }
    }

    fn step(&mut self, now: Instant, addresses: &Sender<Bound>) {
        self.interfaces = interfaces(Path::new("/sys"));
        for interface in &self.interfaces {
            // Once each, also those not asked on: facts tell the link of every interface.
            self.raised.entry(interface.index).or_insert_with(|| {
                apply(&Request::link_up(interface.index))
                    .err()
                    .map(|error| error.to_string())
            });
        }
        let wanted: BTreeSet<u32> = candidates(&self.interfaces, self.boot_interface, now - self.started)
            .into_iter()
            .filter(|interface| match &self.bound {
                Some((index, _)) => interface.index == *index,
                None => interface.link,
            })
            .map(|interface| interface.index)
            .collect();
        let bound = self.bound.as_ref().map(|(index, _)| *index);
        let lit = self
            .interfaces
            .iter()
            .any(|interface| Some(interface.index) == bound && interface.link);
        self.dark = (bound.is_some() && !lit).then(|| self.dark.unwrap_or(now));
        self.ports
            .retain(|index, _| wanted.contains(index) || Some(*index) == bound);
        self.since.retain(|index, _| wanted.contains(index));
        for interface in self
            .interfaces
            .iter()
            .filter(|interface| wanted.contains(&interface.index))
        {
            self.since.entry(interface.index).or_insert(now);
            if !self.ports.contains_key(&interface.index)
                && let Ok(port) = Port::open(interface.clone(), seed(), now)
            {
                self.ports.insert(interface.index, port);
            }
        }
        let mut changes = Vec::new();
        for (index, port) in &mut self.ports {
            changes.extend(port.receive(now).map(|change| (*index, change)));
            changes.extend(port.poll(now).map(|change| (*index, change)));
        }
        for (index, change) in changes {
            self.take(index, change, addresses, now);
        }
    }

    fn take(&mut self, index: u32, change: Change, addresses: &Sender<Bound>, now: Instant) {
        match change {
            Change::Bound(lease) => {
                if let Some((other, _)) = &self.bound
                    && *other != index
                {
                    return;
                }
                if let Some((_, old)) = &self.bound
                    && (old.address, old.prefix, old.router) == (lease.address, lease.prefix, lease.router)
                {
                    return;
                }
                let set = apply(&Request::add_address(index, lease.address, lease.prefix));
                let routed = match (&set, lease.router) {
                    (Ok(()), Some(router)) => apply(&Request::default_route(index, router)),
                    _ => Ok(()),
                };
                if let Err(error) = set.and(routed) {
                    self.raised
                        .insert(index, Some(format!("{} cannot be set: {error}", lease.address)));
                }
                self.bound = Some((index, lease.clone()));
                if let Some(interface) = self.interfaces.iter().find(|interface| interface.index == index) {
                    // The receiver outlives this thread; a send to nobody changes nothing here.
                    let _ = addresses.send(Bound {
                        interface: interface.clone(),
                        lease,
                    });
                }
            }
            Change::Lost => {
                if let Some((index, lease)) = self.bound.take() {
                    let _ = apply(&Request::remove_address(index, lease.address, lease.prefix));
                    self.since.insert(index, now);
                }
            }
        }
    }

    /// What is shown: one line for each interface, and the trouble.
    fn view(&self, now: Instant) -> (Vec<String>, Option<Trouble>) {
        let lines = self
            .interfaces
            .iter()
            .map(|interface| {
                let driver = interface.driver.as_deref().unwrap_or("no driver name");
                let mut line = format!("{} {} ({driver})", interface.name, interface.mac);
                line.push_str(if interface.link { " link" } else { " no link" });
                match &self.bound {
                    Some((index, lease)) if *index == interface.index => {
                        line.push_str(&format!(" {}/{}", lease.address, lease.prefix));
                    }
                    _ if self.ports.contains_key(&interface.index) => line.push_str(" asking for an address"),
                    _ => {}
                }
                if let Some(Some(refusal)) = self.raised.get(&interface.index) {
                    line.push_str(&format!(" ({refusal})"));
                }
                line
            })
            .collect();
        let waited = now.saturating_duration_since(self.started);
        let asking = self
            .since
            .values()
            .map(|since| now.saturating_duration_since(*since))
            .max();
        let blink = self
            .dark
            .is_some_and(|since| now.saturating_duration_since(since) < DARK_GRACE);
        if blink {
            return (lines, None);
        }
        let bound = self.bound.as_ref().map(|(index, _)| *index);
        (
            lines,
            trouble(&self.interfaces, self.boot_interface, bound, waited, asking),
        )
    }

    /// Sleeps until a datagram comes, a client is due or it is time to look again.
    fn rest(&self, now: Instant) {
        let due = self.ports.values().filter_map(|port| port.client().wake_at()).min();
        let pause = due.map_or(TICK, |due| due.saturating_duration_since(now).min(TICK));
        let mut sockets: Vec<PollFd<'_>> = self
            .ports
            .values()
            .map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN))
            .collect();
        // A millisecond at least, so that a clock that stands does not make this spin.
        let pause = pause.max(Duration::from_millis(1));
        let _ = poll(&mut sockets, PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX));
    }
}

/// The interfaces to ask on: the one the firmware booted from, and after a while all.
fn candidates(interfaces: &[Interface], boot: Option<MacAddr>, waited: Duration) -> Vec<&Interface> {
    let boot_port = interfaces.iter().find(|interface| Some(interface.mac) == boot);
    match (boot, boot_port) {
        (Some(_), Some(port)) if waited < BOOT_INTERFACE_ALONE => vec![port],
        (Some(_), None) if waited < BOOT_INTERFACE_GRACE => Vec::new(),
        _ => interfaces.iter().collect(),
    }
}

/// What is wrong, if anything is and it has had time to get right. `asking` is how long the longest
/// asking (or bound) port has had a link.
fn trouble(
    interfaces: &[Interface],
    boot: Option<MacAddr>,
    bound: Option<u32>,
    waited: Duration,
    asking: Option<Duration>,
) -> Option<Trouble> {
    let labels = |found: &[&Interface]| found.iter().map(|interface| interface.label()).collect();
    if let Some(index) = bound {
        let port = interfaces.iter().find(|interface| interface.index == index);
        return match port {
            Some(port) if !port.link => Some(Trouble::NoLink {
                interfaces: vec![port.label()],
            }),
            _ => None,
        };
    }
    if waited < LINK_GRACE {
        return None;
    }
    if interfaces.is_empty() {
        return Some(Trouble::NoInterface);
    }
    let tried = candidates(interfaces, boot, waited);
    if tried.is_empty() {
        return None;
    }
    let linked: Vec<&Interface> = tried.iter().copied().filter(|interface| interface.link).collect();
    if linked.is_empty() {
        return Some(Trouble::NoLink {
            interfaces: labels(&tried),
        });
    }
    if asking.is_none_or(|asking| asking < ANSWER_GRACE) {
        let missing = boot.filter(|mac| interfaces.iter().all(|interface| interface.mac != *mac))?;
        return Some(Trouble::BootInterfaceMissing {
            mac: missing.to_string(),
        });
    }
    Some(Trouble::NoDhcpAnswer {
        interfaces: labels(&linked),
    })
}

/// Differs between machines that start together: the kernel's random boot id.
fn seed() -> u64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.iter()
        .fold(0, |sum: u64, byte| sum.rotate_left(5) ^ u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_secs(30);

    fn port(index: u32, link: bool) -> Interface {
        let mac = MacAddr([0x52, 0x54, 0, 0x77, 0, u8::try_from(index).unwrap()]);
        Interface {
            name: format!("eth{index}"),
            index,
            mac,
            driver: None,
            link,
        }
    }

    fn names(found: &[&Interface]) -> Vec<String> {
        found.iter().map(|interface| interface.name.clone()).collect()
    }

    #[test]
    fn the_boot_interface_is_asked_alone_first() {
        let all = [port(0, true), port(1, true)];
        let boot = Some(all[1].mac);
        assert_eq!(names(&candidates(&all, boot, Duration::ZERO)), ["eth1"]);
        assert_eq!(names(&candidates(&all, boot, BOOT_INTERFACE_ALONE)), ["eth0", "eth1"]);
        assert_eq!(names(&candidates(&all, None, Duration::ZERO)), ["eth0", "eth1"]);
        let elsewhere = Some(MacAddr([2; 6]));
        assert!(candidates(&all, elsewhere, Duration::ZERO).is_empty());
        assert!(candidates(&all, elsewhere, LINK_GRACE).is_empty());
        let late = candidates(&all, elsewhere, BOOT_INTERFACE_GRACE);
        assert_eq!(names(&late), ["eth0", "eth1"]);
    }

    #[test]
    fn troubles_come_after_their_grace() {
        let dark = [port(0, false)];
        let lit = [port(0, true)];
        let none: [Interface; 0] = [];
        let soon = Duration::from_secs(1);
        assert_eq!(trouble(&none, None, None, soon, None), None);
        assert_eq!(trouble(&none, None, None, LATE, None), Some(Trouble::NoInterface));
        let label = vec!["eth0 (52:54:00:77:00:00)".to_owned()];
        assert_eq!(
            trouble(&dark, None, None, LATE, None),
            Some(Trouble::NoLink {
                interfaces: label.clone()
            })
        );
        assert_eq!(trouble(&lit, None, None, LATE, Some(soon)), None);
        let silent = Some(Trouble::NoDhcpAnswer {
            interfaces: label.clone(),
        });
        assert_eq!(trouble(&lit, None, None, LATE, Some(LATE)), silent);
        let elsewhere = Some(MacAddr([2; 6]));
        let missing = Some(Trouble::BootInterfaceMissing {
            mac: "02:02:02:02:02:02".to_owned(),
        });
        assert_eq!(trouble(&lit, elsewhere, None, LINK_GRACE, None), None);
        assert_eq!(trouble(&lit, elsewhere, None, LATE, Some(soon)), missing);
        assert_eq!(trouble(&lit, elsewhere, Some(0), LATE, Some(LATE)), None);
        assert_eq!(
            trouble(&dark, None, Some(0), LATE, None),
            Some(Trouble::NoLink { interfaces: label })
        );
    }
}
