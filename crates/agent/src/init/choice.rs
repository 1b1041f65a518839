//! Which ports are asked for an address, and which one is used.
//!
//! No sockets and no clock: the network tells what it sees, and does what it is told. One port is used at a time. When
//! it has lost its link, or the server cannot be reached by it, the others are asked while it keeps its address, and
//! the first one to get an address takes its place.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use muster_facts::MacAddr;

use super::reach::Reached;
use crate::net::dhcp::{Change, Lease};
use crate::net::link::Interface;

/// How long the interface the firmware booted from may take to appear: drivers go in one after the other, and that of
/// a RAID controller may take many seconds.
const BOOT_INTERFACE_GRACE: Duration = Duration::from_secs(30);
/// How long only the interface the firmware booted from is tried.
const BOOT_INTERFACE_ALONE: Duration = Duration::from_secs(60);
/// How long the port that is used may be without a link before others are asked: switches and drivers blink.
const DARK_LIMIT: Duration = Duration::from_secs(5);
/// How long the server may be out of reach before others are asked: it may only be starting anew.
const SILENT_LIMIT: Duration = Duration::from_secs(30);
/// How long ports that were of no use before are left out, so that each of the others has its turn first.
const ROUND: Duration = Duration::from_secs(20);

/// The port that is used.
#[derive(Debug, Clone)]
pub(super) struct Used {
    /// Its index.
    pub(super) index: u32,
    /// Its address.
    pub(super) lease: Lease,
    /// Since when it has no link.
    pub(super) dark: Option<Instant>,
    /// Since when others are asked as well.
    astray: Option<Instant>,
}

/// What the kernel has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The port has this address.
    Add(u32, Lease),
    /// The port must not use this address any more.
    Remove(u32, Lease),
}

/// What was chosen so far.
#[derive(Debug)]
pub(super) struct Choice {
    boot: Option<MacAddr>,
    started: Instant,
    used: Option<Used>,
    /// Ports that were given up since the server last answered.
    left: BTreeSet<u32>,
}

impl Choice {
    /// Nothing is chosen yet. `boot` is the interface the firmware booted from.
    pub(super) fn new(boot: Option<MacAddr>, now: Instant) -> Self {
        Self {
            boot,
            started: now,
            used: None,
            left: BTreeSet::new(),
        }
    }

    /// The port that is used.
    pub(super) fn used(&self) -> Option<&Used> {
        self.used.as_ref()
    }

    /// The ports to ask on as long as none is used, links or not: the one the firmware booted from, and after a while
    /// all.
    pub(super) fn candidates<'a>(&self, interfaces: &'a [Interface], now: Instant) -> Vec<&'a Interface> {
        let waited = now.saturating_duration_since(self.started);
        let boot_port = interfaces.iter().find(|interface| Some(interface.mac) == self.boot);
        match (self.boot, boot_port) {
            (Some(_), Some(port)) if waited < BOOT_INTERFACE_ALONE => vec![port],
            (Some(_), None) if waited < BOOT_INTERFACE_GRACE => Vec::new(),
            _ => interfaces.iter().collect(),
        }
    }

    /// The ports that need a client now; the one that is used always does, to keep its address.
    pub(super) fn wanted(&mut self, interfaces: &[Interface], reached: Reached, now: Instant) -> BTreeSet<u32> {
        if reached == Reached::Yes {
            self.left.clear();
        }
        let Some(used) = &mut self.used else {
            let tried = self.candidates(interfaces, now);
            return tried
                .into_iter()
                .filter(|port| port.link)
                .map(|port| port.index)
                .collect();
        };
        let lit = interfaces.iter().any(|port| port.index == used.index && port.link);
        used.dark = (!lit).then(|| used.dark.unwrap_or(now));
        let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        let dark = used.dark.is_some_and(|since| over(since, DARK_LIMIT));
        let silent = matches!(reached, Reached::No(since) if over(since, SILENT_LIMIT));
        used.astray = (dark || silent).then(|| used.astray.unwrap_or(now));
        let mut wanted = BTreeSet::from([used.index]);
        if let Some(since) = used.astray {
            if over(since, ROUND) {
                self.left.clear();
            }
            let others = interfaces.iter().filter(|port| port.link);
            wanted.extend(others.map(|port| port.index).filter(|index| !self.left.contains(index)));
        }
        wanted
    }

    /// Takes what the client of a port has found.
    pub(super) fn take(&mut self, index: u32, change: Change) -> Vec<Step> {
        match change {
            Change::Bound(lease) => self.bound(index, lease),
            Change::Lost => match self.used.take_if(|used| used.index == index) {
                Some(used) => vec![Step::Remove(index, used.lease)],
                None => Vec::new(),
            },
        }
    }

    fn bound(&mut self, index: u32, lease: Lease) -> Vec<Step> {
        let mut steps = Vec::new();
        match &self.used {
            Some(used) if used.index == index => {
                let old = &used.lease;
                if (old.address, old.prefix, old.router) == (lease.address, lease.prefix, lease.router) {
                    return steps;
                }
            }
            // It was asked, but the one that is used has come right since.
            Some(used) if used.astray.is_none() => return steps,
            Some(used) => {
                // First, so that two ports in one network do not both answer for it.
                steps.push(Step::Remove(used.index, used.lease.clone()));
                self.left.insert(used.index);
            }
            None => {}
        }
        steps.push(Step::Add(index, lease.clone()));
        self.used = Some(Used {
            index,
            lease,
            dark: None,
            astray: None,
        });
        steps
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
