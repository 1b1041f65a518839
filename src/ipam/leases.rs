use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;

use super::{Chosen, Lease, LeaseState, Mode, NoAddress, Subnet, pool::Pool};

/// How long an offer keeps its address. Firmware waits some seconds for other offers, and up to a minute between tries.
const OFFER: TimeDelta = TimeDelta::seconds(60);

/// How long an address that a client found in use is kept out.
const QUARANTINE: TimeDelta = TimeDelta::hours(1);

/// Where a subnet stands in the list given to [`Leases::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubnetNo(usize);

impl SubnetNo {
    /// The place in the list.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }

    /// The most specific subnet an address lies in.
    #[must_use]
    pub fn of(subnets: &[Subnet], address: Ipv4Addr) -> Option<Self> {
        most_specific(subnets.iter(), address)
    }
}

fn most_specific<'a>(subnets: impl Iterator<Item = &'a Subnet>, address: Ipv4Addr) -> Option<SubnetNo> {
    subnets
        .enumerate()
        .filter(|(_, subnet)| subnet.network.contains(&address))
        .max_by_key(|(_, subnet)| subnet.network.prefix_len())
        .map(|(number, _)| SubnetNo(number))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Offered,
    Kept(LeaseState),
}

#[derive(Debug, Clone)]
struct Slot {
    mac: MacAddr,
    usage: Use,
    /// From then on the address is free for others.
    until: DateTime<Utc>,
    /// The last lease; none while only offered.
    lease: Option<Lease>,
}

/// An address given: in memory at once, promised to the client only when it is on disk.
#[derive(Debug, Clone)]
pub struct Bound {
    /// To be written.
    pub lease: Lease,
    /// Other addresses of the same machine in the same subnet, now given back: to be written as well.
    pub given_up: Vec<Lease>,
    before: Option<Slot>,
    /// What [`Self::given_up`] was before.
    given_up_before: Vec<(Ipv4Addr, Slot)>,
}

/// Use of one subnet's ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Addresses for machines without a reservation.
    pub total: u64,
    /// Leased now, reservations included.
    pub bound: u64,
    /// Offered, not yet taken.
    pub offered: u64,
    /// Kept out because a client found them in use.
    pub declined: u64,
}

/// What the client said of itself, kept with the lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientWords {
    /// Option 61.
    pub client_id: Option<Vec<u8>>,
    /// Option 12.
    pub hostname: Option<String>,
}

/// Every address in use, and the choice of the next one.
///
/// Keyed on the hardware address, so that firmware, iPXE, collection image and installed system, which send different
/// client identifiers, keep one address.
#[derive(Debug, Default)]
pub struct Leases {
    pools: Vec<Pool>,
    slots: HashMap<Ipv4Addr, Slot>,
    by_mac: HashMap<MacAddr, Vec<Ipv4Addr>>,
    /// The servers' own addresses, never given out.
    own: HashSet<Ipv4Addr>,
}

impl Leases {
    /// From the settings and what is on disk.
    #[must_use]
    pub fn new(subnets: &[Subnet], stored: Vec<Lease>, now: DateTime<Utc>) -> Self {
        let mut leases = Self {
            pools: subnets.iter().cloned().map(Pool::new).collect(),
            ..Self::default()
        };
        for mut lease in stored {
            // Written before the clock was set back: it lasts for its length from now, not until a far day.
            if lease.starts_at > now {
                let length = (lease.ends_at - lease.starts_at).max(TimeDelta::zero());
                lease.starts_at = now;
                lease.ends_at = now + length;
            }
            let slot = Slot {
                mac: lease.mac,
                usage: Use::Kept(lease.state),
                until: lease.ends_at,
                lease: Some(lease.clone()),
            };
            leases.put(lease.address, slot);
        }
        leases
    }

    /// The most specific subnet an address lies in.
    #[must_use]
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<SubnetNo> {
        most_specific(self.pools.iter().map(|pool| &pool.subnet), address)
    }

    /// A subnet's settings.
    #[must_use]
    pub fn subnet(&self, number: SubnetNo) -> Option<&Subnet> {
        self.pools.get(number.0).map(|pool| &pool.subnet)
    }

    /// Says that an address is a server's own.
    pub fn keep_out(&mut self, address: Ipv4Addr) {
        if !self.own.contains(&address) {
            self.own.insert(address);
        }
    }

    /// True for addresses that [`Self::keep_out`] was told of.
    #[must_use]
    pub fn is_own(&self, address: Ipv4Addr) -> bool {
        self.own.contains(&address)
    }

    /// Chooses an address and keeps it for a minute. `known` machines get one of the ranges in mode `reserved` too.
    ///
    /// # Errors
    /// Why there is none.
    pub fn offer(
        &mut self,
        number: SubnetNo,
        mac: MacAddr,
        requested: Option<Ipv4Addr>,
        known: bool,
        now: DateTime<Utc>,
    ) -> Result<(Ipv4Addr, Chosen), NoAddress> {
        let (address, chosen) = self.choose(number, mac, requested, known, now)?;
        // A running lease is not shortened by an offer of the same address.
        let running = self
            .slots
            .get(&address)
            .is_some_and(|slot| slot.usage == Use::Kept(LeaseState::Bound) && slot.until > now);
        if !running {
            let lease = self.slots.get(&address).and_then(|slot| slot.lease.clone());
            let slot = Slot {
                mac,
                usage: Use::Offered,
                until: now + OFFER,
                lease: lease.filter(|lease| lease.mac == mac),
            };
            self.put(address, slot);
        }
        Ok((address, chosen))
    }

    fn choose(
        &mut self,
        number: SubnetNo,
        mac: MacAddr,
        requested: Option<Ipv4Addr>,
        known: bool,
        now: DateTime<Utc>,
    ) -> Result<(Ipv4Addr, Chosen), NoAddress> {
        let Self { pools, slots, own, .. } = self;
        let pool = pools.get_mut(number.0).ok_or(NoAddress::Outside)?;
        let dynamic = gives_ranges(&pool.subnet, known);
        let reservation = pool.reservation(mac);
        let free = |address: Ipv4Addr| !own.contains(&address) && is_free(slots.get(&address), mac, now);
        if let Some(address) = reservation {
            if free(address) {
                return Ok((address, Chosen::Reservation));
            }
            if !dynamic {
                return Err(NoAddress::ReservationInUse);
            }
        }
        if !dynamic {
            return Err(NoAddress::NotKnown);
        }
        let mine = self.by_mac.get(&mac).into_iter().flatten().copied();
        let usable = |address: &Ipv4Addr| pool.is_dynamic(*address) && free(*address);
        if let Some(address) = mine
            .filter(usable)
            .max_by_key(|address| slots.get(address).map(|slot| slot.until))
        {
            return Ok((address, Chosen::Own));
        }
        if let Some(address) = requested.filter(usable) {
            return Ok((address, Chosen::Requested));
        }
        if let Some(address) = pool.next_fresh(|address| slots.contains_key(&address) || own.contains(&address)) {
            return Ok((address, Chosen::NeverUsed));
        }
        pool.longest_free(now, free)
            .map(|address| (address, Chosen::LongestFree))
            .ok_or(NoAddress::Exhausted)
    }

    /// Gives an address that the client asks for, or extends it.
    ///
    /// # Errors
    /// Why the client cannot have this one.
    pub fn bind(
        &mut self,
        number: SubnetNo,
        mac: MacAddr,
        address: Ipv4Addr,
        known: bool,
        words: ClientWords,
        now: DateTime<Utc>,
    ) -> Result<Bound, NoAddress> {
        let pool = self.pools.get(number.0).ok_or(NoAddress::Outside)?;
        if self.own.contains(&address) || pool.reserved_for_other(address, mac) {
            return Err(NoAddress::Taken);
        }
        match pool.reservation(mac) {
            Some(reserved) if reserved == address => {}
            // The reservation came after the lease: the machine is moved to it.
            Some(reserved) if is_free(self.slots.get(&reserved), mac, now) => return Err(NoAddress::OtherAddress),
            _ if !gives_ranges(&pool.subnet, known) => return Err(NoAddress::NotKnown),
            _ if !pool.is_dynamic(address) => return Err(NoAddress::Outside),
            _ => {}
        }
        if !is_free(self.slots.get(&address), mac, now) {
            return Err(NoAddress::Taken);
        }
        let length = TimeDelta::from_std(pool.subnet.lease_time).unwrap_or(TimeDelta::days(365));
        let before = self.slots.get(&address).cloned();
        let since = before
            .as_ref()
            .filter(|slot| slot.usage == Use::Kept(LeaseState::Bound) && slot.until > now && slot.mac == mac)
            .and_then(|slot| slot.lease.as_ref())
            .map_or(now, |lease| lease.starts_at.min(now));
        let lease = Lease {
            address,
            mac,
            client_id: words.client_id,
            hostname: words.hostname,
            state: LeaseState::Bound,
            starts_at: since,
            ends_at: now + length,
        };
        self.keep(&lease);
        let (given_up, given_up_before) = self.give_up_others(number, mac, address, now);
        Ok(Bound {
            lease,
            given_up,
            before,
            given_up_before,
        })
    }

    /// Takes back an address whose lease could not be written. When another server has it, it is kept out for a while.
    pub fn undo(&mut self, bound: &Bound, taken_elsewhere: bool, now: DateTime<Utc>) {
        let address = bound.lease.address;
        let slot = if taken_elsewhere {
            Some(Slot {
                mac: bound.lease.mac,
                usage: Use::Kept(LeaseState::Declined),
                until: now + QUARANTINE,
                lease: None,
            })
        } else {
            bound.before.clone()
        };
        match slot {
            Some(slot) => self.put(address, slot),
            None => self.free(address, bound.lease.mac),
        }
        for (address, slot) in &bound.given_up_before {
            self.put(*address, slot.clone());
        }
    }

    /// The machine gives its address back. `None` when it is not its own.
    pub fn release(&mut self, mac: MacAddr, address: Ipv4Addr, now: DateTime<Utc>) -> Option<Lease> {
        self.end(mac, address, LeaseState::Released, now)
    }

    /// The machine found its address in use by somebody else. `None` when it was neither given nor offered to it.
    pub fn decline(&mut self, mac: MacAddr, address: Ipv4Addr, now: DateTime<Utc>) -> Option<Lease> {
        self.end(mac, address, LeaseState::Declined, now)
    }

    fn end(&mut self, mac: MacAddr, address: Ipv4Addr, state: LeaseState, now: DateTime<Utc>) -> Option<Lease> {
        let slot = self.slots.get(&address)?;
        let offered = slot.usage == Use::Offered;
        let theirs = slot.mac == mac && (offered || slot.usage == Use::Kept(LeaseState::Bound));
        if !theirs || (offered && state == LeaseState::Released) {
            return None;
        }
        let mut lease = slot.lease.clone().unwrap_or(Lease {
            address,
            mac,
            client_id: None,
            hostname: None,
            state,
            starts_at: now,
            ends_at: now,
        });
        lease.state = state;
        lease.ends_at = match state {
            LeaseState::Declined => now + QUARANTINE,
            _ => now,
        };
        self.keep(&lease);
        Some(lease)
    }

    /// The client took another server's offer: ours is free again.
    pub fn withdraw(&mut self, mac: MacAddr) {
        let offered: Vec<Ipv4Addr> = self
            .by_mac
            .get(&mac)
            .into_iter()
            .flatten()
            .copied()
            .filter(|address| self.slots.get(address).is_some_and(|slot| slot.usage == Use::Offered))
            .collect();
        for address in offered {
            let lease = self.slots.get(&address).and_then(|slot| slot.lease.clone());
            match lease {
                Some(lease) => self.keep(&lease),
                None => self.free(address, mac),
            }
        }
    }

    /// The machine's running lease in a subnet.
    #[must_use]
    pub fn lease_of(&self, number: SubnetNo, mac: MacAddr, now: DateTime<Utc>) -> Option<&Lease> {
        let network = self.pools.get(number.0)?.subnet.network;
        self.by_mac
            .get(&mac)?
            .iter()
            .filter(|address| network.contains(*address))
            .filter_map(|address| self.slots.get(address))
            .filter(|slot| slot.usage == Use::Kept(LeaseState::Bound) && slot.until > now)
            .find_map(|slot| slot.lease.as_ref())
    }

    /// True when the machine had an address here at any time that is remembered, or has one reserved.
    #[must_use]
    pub fn remembers(&self, number: SubnetNo, mac: MacAddr) -> bool {
        let Some(pool) = self.pools.get(number.0) else {
            return false;
        };
        let mut addresses = self.by_mac.get(&mac).into_iter().flatten();
        let had = |address: &Ipv4Addr| self.slots.get(address).is_some_and(|slot| slot.lease.is_some());
        pool.reservation(mac).is_some()
            || addresses.any(|address| pool.subnet.network.contains(address) && had(address))
    }

    /// The last lease of an address, ended ones too.
    #[must_use]
    pub fn kept(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.slots.get(&address)?.lease.as_ref()
    }

    /// Whose running lease the address is of.
    #[must_use]
    pub fn bound_to(&self, address: Ipv4Addr, now: DateTime<Utc>) -> Option<MacAddr> {
        let slot = self.slots.get(&address)?;
        (slot.usage == Use::Kept(LeaseState::Bound) && slot.until > now).then_some(slot.mac)
    }

    /// Who has the address, or had it last.
    #[must_use]
    pub fn holder(&self, address: Ipv4Addr) -> Option<MacAddr> {
        self.slots.get(&address).map(|slot| slot.mac)
    }

    /// True when another machine holds the address now, or it is reserved for one.
    #[must_use]
    pub fn is_anothers(&self, number: SubnetNo, address: Ipv4Addr, mac: MacAddr, now: DateTime<Utc>) -> bool {
        let reserved = self
            .pools
            .get(number.0)
            .is_some_and(|pool| pool.reserved_for_other(address, mac));
        reserved || self.own.contains(&address) || !is_free(self.slots.get(&address), mac, now)
    }

    /// The clock was set by `by`: every running time keeps its remaining length. Gives the addresses whose leases changed.
    pub fn shift(&mut self, by: TimeDelta) -> Vec<Ipv4Addr> {
        let addresses: Vec<Ipv4Addr> = self.slots.keys().copied().collect();
        let mut changed = Vec::new();
        for address in addresses {
            let Some(mut slot) = self.slots.get(&address).cloned() else {
                continue;
            };
            // A clock set to beyond what time can be is not followed.
            let moved = |time: DateTime<Utc>| time.checked_add_signed(by).unwrap_or(time);
            slot.until = moved(slot.until);
            if let Some(lease) = &mut slot.lease {
                lease.starts_at = moved(lease.starts_at);
                lease.ends_at = moved(lease.ends_at);
                changed.push(address);
            }
            self.put(address, slot);
        }
        changed
    }

    /// Use of a subnet, counted now.
    #[must_use]
    pub fn usage(&self, number: SubnetNo, now: DateTime<Utc>) -> Usage {
        let Some(pool) = self.pools.get(number.0) else {
            return Usage::default();
        };
        let mut usage = Usage {
            total: pool.size(),
            ..Usage::default()
        };
        for (address, slot) in &self.slots {
            if slot.until <= now || !pool.subnet.network.contains(address) {
                continue;
            }
            match slot.usage {
                Use::Offered => usage.offered += 1,
                Use::Kept(LeaseState::Bound) => usage.bound += 1,
                Use::Kept(LeaseState::Declined) => usage.declined += 1,
                Use::Kept(LeaseState::Released) => {}
            }
        }
        usage
    }

    /// Gives back the machine's other addresses of the subnet: one machine, one address. With what they were before.
    fn give_up_others(
        &mut self,
        number: SubnetNo,
        mac: MacAddr,
        kept: Ipv4Addr,
        now: DateTime<Utc>,
    ) -> (Vec<Lease>, Vec<(Ipv4Addr, Slot)>) {
        let Some(network) = self.pools.get(number.0).map(|pool| pool.subnet.network) else {
            return Default::default();
        };
        let Some(addresses) = self.by_mac.get(&mac).filter(|addresses| addresses.len() > 1) else {
            return Default::default();
        };
        let others: Vec<Ipv4Addr> = addresses
            .iter()
            .copied()
            .filter(|address| *address != kept && network.contains(address))
            .collect();
        others
            .into_iter()
            .filter_map(|address| {
                let before = self.slots.get(&address)?.clone();
                Some((self.release(mac, address, now)?, (address, before)))
            })
            .unzip()
    }

    fn keep(&mut self, lease: &Lease) {
        let slot = Slot {
            mac: lease.mac,
            usage: Use::Kept(lease.state),
            until: lease.ends_at,
            lease: Some(lease.clone()),
        };
        self.put(lease.address, slot);
    }

    /// An address that was held for a moment and never given: free, and the first to be given again.
    fn free(&mut self, address: Ipv4Addr, mac: MacAddr) {
        let slot = Slot {
            mac,
            usage: Use::Offered,
            until: DateTime::UNIX_EPOCH,
            lease: None,
        };
        self.put(address, slot);
    }

    /// The only place that changes slots: keeps the indexes right.
    fn put(&mut self, address: Ipv4Addr, slot: Slot) {
        let (until, mac) = (slot.until, slot.mac);
        let before = self.slots.insert(address, slot);
        if let Some(number) = self.subnet_of(address)
            && let Some(pool) = self.pools.get_mut(number.0)
        {
            pool.moved(address, before.as_ref().map(|slot| slot.until), until);
        }
        let owner = before.map(|slot| slot.mac);
        if owner == Some(mac) {
            return;
        }
        if let Some(owner) = owner
            && let Some(addresses) = self.by_mac.get_mut(&owner)
        {
            addresses.retain(|kept| *kept != address);
            if addresses.is_empty() {
                self.by_mac.remove(&owner);
            }
        }
        self.by_mac.entry(mac).or_default().push(address);
    }
}

/// True when the subnet gives this machine an address of its ranges.
const fn gives_ranges(subnet: &Subnet, known: bool) -> bool {
    match subnet.mode {
        Mode::Pool => true,
        Mode::Reserved => known,
        Mode::Observe | Mode::Proxy => false,
    }
}

/// True when the machine may have the address: nobody has it, or it is its own, or its time is over.
fn is_free(slot: Option<&Slot>, mac: MacAddr, now: DateTime<Utc>) -> bool {
    slot.is_none_or(|slot| {
        slot.until <= now
            || match slot.usage {
                Use::Offered | Use::Kept(LeaseState::Bound | LeaseState::Released) => slot.mac == mac,
                Use::Kept(LeaseState::Declined) => false,
            }
    })
}
