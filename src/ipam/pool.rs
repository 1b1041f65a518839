use std::{
    collections::{BTreeSet, HashMap},
    net::Ipv4Addr,
};

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;

use super::{AddressRange, Subnet};

/// One subnet with what makes choosing quick: who has which reservation, which addresses were never used, and the used
/// ones by the time they become free.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) subnet: Subnet,
    reserved: HashMap<Ipv4Addr, MacAddr>,
    reservation: HashMap<MacAddr, Ipv4Addr>,
    /// Number of the range, and the next address in it that was never used.
    fresh: (usize, u32),
    /// Used addresses of the ranges by the time they are, or were, free again.
    order: BTreeSet<(DateTime<Utc>, Ipv4Addr)>,
}

impl Pool {
    pub(super) fn new(subnet: Subnet) -> Self {
        let pairs = || subnet.reservations.iter().map(|kept| (kept.address, kept.mac));
        Self {
            reserved: pairs().collect(),
            reservation: pairs().map(|(address, mac)| (mac, address)).collect(),
            fresh: (0, subnet.ranges.first().map_or(0, |range| u32::from(range.first))),
            order: BTreeSet::new(),
            subnet,
        }
    }

    /// The address reserved for a machine.
    pub(super) fn reservation(&self, mac: MacAddr) -> Option<Ipv4Addr> {
        self.reservation.get(&mac).copied()
    }

    /// True when the address is reserved for another machine.
    pub(super) fn reserved_for_other(&self, address: Ipv4Addr, mac: MacAddr) -> bool {
        self.reserved.get(&address).is_some_and(|owner| *owner != mac)
    }

    /// True for addresses that may be given to a machine without a reservation.
    pub(super) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        let net = &self.subnet.network;
        self.subnet.ranges.iter().any(|range| range.contains(address))
            && !self.reserved.contains_key(&address)
            && self.subnet.router != Some(address)
            && (net.prefix_len() > 30 || (address != net.network() && address != net.broadcast()))
    }

    /// Addresses that may be given to machines without a reservation, router and the like included.
    pub(super) fn size(&self) -> u64 {
        let reserved = self
            .reserved
            .keys()
            .filter(|address| self.subnet.ranges.iter().any(|range| range.contains(**address)))
            .count();
        let all: u64 = self.subnet.ranges.iter().map(AddressRange::len).sum();
        all.saturating_sub(reserved as u64)
    }

    /// Keeps the order right when an address becomes free at another time than before.
    pub(super) fn moved(&mut self, address: Ipv4Addr, from: Option<DateTime<Utc>>, to: DateTime<Utc>) {
        if !self.subnet.ranges.iter().any(|range| range.contains(address)) {
            return;
        }
        if let Some(from) = from {
            self.order.remove(&(from, address));
        }
        self.order.insert((to, address));
    }

    /// The next address that was never used; `used` says which are in use by other ways, such as a request for one.
    pub(super) fn next_fresh(&mut self, used: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        loop {
            let (number, next) = self.fresh;
            let range = self.subnet.ranges.get(number)?;
            if next < u32::from(range.first) || next > u32::from(range.last) {
                let following = self.subnet.ranges.get(number + 1)?;
                self.fresh = (number + 1, u32::from(following.first));
                continue;
            }
            let address = Ipv4Addr::from(next);
            if self.is_dynamic(address) && !used(address) {
                // Not moved on: the address counts as used as soon as a slot holds it.
                return Some(address);
            }
            match next.checked_add(1) {
                Some(after) => self.fresh.1 = after,
                None => self.fresh = (number + 1, 0),
            }
        }
    }

    /// The address that has been free for the longest time.
    pub(super) fn longest_free(&self, now: DateTime<Utc>, usable: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        self.order
            .iter()
            .take_while(|(until, _)| *until <= now)
            .map(|(_, address)| *address)
            .find(|address| self.is_dynamic(*address) && usable(*address))
    }
}
