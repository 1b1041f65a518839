//! Keeps the machine on the network for as long as it runs: links, addresses, renewals.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use muster_facts::MacAddr;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::choice::{Choice, Step};
use super::console::Console;
use super::reach::{Reach, Reached};
use super::trouble::Trouble;
use crate::net::dhcp::Lease;
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

/// The address the machine has got.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// The interface that has it.
    pub(super) interface: Interface,
    /// The lease.
    pub(super) lease: Lease,
}

/// Runs for ever: sends every new address to `addresses` and shows the state on `console`. What `reach` tells of the
/// server decides whether the port that is used is worth it.
pub(super) fn keep(boot_interface: Option<MacAddr>, console: &Console, reach: &Reach, addresses: &Sender<Bound>) -> ! {
    let mut network = Network::new(boot_interface, Instant::now());
    loop {
        let now = Instant::now();
        for bound in network.step(now, reach.now()) {
            // An attempt that is under way goes by the old address.
            reach.moved(Instant::now());
            // The receiver outlives this thread; a send to nobody changes nothing here.
            let _ = addresses.send(bound);
        }
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
    /// Since when each port asks, or has its address.
    since: BTreeMap<u32, Instant>,
    choice: Choice,
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
            choice: Choice::new(boot_interface, now),
        }
    }

    /// One look at links and datagrams. Gives the addresses that were set.
    fn step(&mut self, now: Instant, reached: Reached) -> Vec<Bound> {
        self.interfaces = interfaces(Path::new("/sys"));
        for interface in &self.interfaces {
            // Once each, also those not asked on: facts tell the link of every interface.
            self.raised.entry(interface.index).or_insert_with(|| {
                apply(&Request::link_up(interface.index))
                    .err()
                    .map(|error| error.to_string())
            });
        }
        let wanted = self.choice.wanted(&self.interfaces, reached, now);
        self.ports.retain(|index, _| wanted.contains(index));
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
        let steps: Vec<Step> = changes
            .into_iter()
            .flat_map(|(index, change)| self.choice.take(index, change))
            .collect();
        steps
            .into_iter()
            .filter_map(|step| self.tell_kernel(step, now))
            .collect()
    }

    fn tell_kernel(&mut self, step: Step, now: Instant) -> Option<Bound> {
        match step {
            Step::Add(index, lease) => {
                let set = apply(&Request::add_address(index, lease.address, lease.prefix));
                let routed = match (&set, lease.router) {
                    (Ok(()), Some(router)) => apply(&Request::default_route(index, router)),
                    _ => Ok(()),
                };
                let refusal = set.and(routed).err();
                let refusal = refusal.map(|error| format!("{} cannot be set: {error}", lease.address));
                self.raised.insert(index, refusal);
                let interface = self.interfaces.iter().find(|interface| interface.index == index)?;
                Some(Bound {
                    interface: interface.clone(),
                    lease,
                })
            }
            Step::Remove(index, lease) => {
                let _ = apply(&Request::remove_address(index, lease.address, lease.prefix));
                self.since.insert(index, now);
                None
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
                match self.choice.used() {
                    Some(used) if used.index == interface.index => {
                        line.push_str(&format!(" {}/{}", used.lease.address, used.lease.prefix));
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
        let asking = self
            .since
            .values()
            .map(|since| now.saturating_duration_since(*since))
            .max();
        let used = self.choice.used();
        let blink = used
            .and_then(|used| used.dark)
            .is_some_and(|since| now.saturating_duration_since(since) < DARK_GRACE);
        if blink {
            return (lines, None);
        }
        if let Some(used) = used {
            return (lines, dark(&self.interfaces, used.index));
        }
        let waited = now.saturating_duration_since(self.started);
        let tried = self.choice.candidates(&self.interfaces, now);
        (
            lines,
            trouble(&self.interfaces, &tried, self.boot_interface, waited, asking),
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

fn labels(found: &[&Interface]) -> Vec<String> {
    found.iter().map(|interface| interface.label()).collect()
}

/// What is wrong with the port that is used.
fn dark(interfaces: &[Interface], used: u32) -> Option<Trouble> {
    let port = interfaces.iter().find(|port| port.index == used && !port.link)?;
    Some(Trouble::NoLink {
        interfaces: labels(&[port]),
    })
}

/// What is wrong while no port has an address, if anything is and it has had time to get right. `tried` are the ports
/// to ask on, `asking` is how long the longest asking one has had a link.
fn trouble(
    interfaces: &[Interface],
    tried: &[&Interface],
    boot: Option<MacAddr>,
    waited: Duration,
    asking: Option<Duration>,
) -> Option<Trouble> {
    if waited < LINK_GRACE {
        return None;
    }
    if interfaces.is_empty() {
        return Some(Trouble::NoInterface);
    }
    if tried.is_empty() {
        return None;
    }
    let linked: Vec<&Interface> = tried.iter().copied().filter(|interface| interface.link).collect();
    if linked.is_empty() {
        return Some(Trouble::NoLink {
            interfaces: labels(tried),
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

    #[test]
    fn troubles_come_after_their_grace() {
        let unlit = [port(0, false)];
        let lit = [port(0, true)];
        let none: [Interface; 0] = [];
        let soon = Duration::from_secs(1);
        let trouble = |found: &[Interface], boot, waited, asking| {
            let tried: Vec<&Interface> = found.iter().collect();
            trouble(found, &tried, boot, waited, asking)
        };
        assert_eq!(trouble(&none, None, soon, None), None);
        assert_eq!(trouble(&none, None, LATE, None), Some(Trouble::NoInterface));
        let label = vec!["eth0 (52:54:00:77:00:00)".to_owned()];
        let no_link = Some(Trouble::NoLink {
            interfaces: label.clone(),
        });
        assert_eq!(trouble(&unlit, None, LATE, None), no_link);
        assert_eq!(trouble(&lit, None, LATE, Some(soon)), None);
        let silent = Some(Trouble::NoDhcpAnswer { interfaces: label });
        assert_eq!(trouble(&lit, None, LATE, Some(LATE)), silent);
        let elsewhere = Some(MacAddr([2; 6]));
        let missing = Some(Trouble::BootInterfaceMissing {
            mac: "02:02:02:02:02:02".to_owned(),
        });
        assert_eq!(trouble(&lit, elsewhere, LATE, Some(soon)), missing);
        assert_eq!((dark(&lit, 0), dark(&unlit, 0)), (None, no_link));
    }
}
