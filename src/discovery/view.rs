//! What decisions read: hosts by key, running boots, leases. Kept current after each commit.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;
use uuid::Uuid;

use super::tokens::Tokens;
use crate::{
    boot::{BootId, Event, Session, Stage, Surroundings, Verdict, VerdictCode, diagnose},
    install::OpenInstalls,
    inventory::{Host, HostId, Key, KeyIndex, State, new_id},
    ipam::{JumpWatch, Leases, Subnet, SubnetNo},
    store::{DhcpServerSeen, KnownHost, Snapshot, Write},
};

/// Events of one boot kept for its verdict.
const MAX_EVENTS: usize = 96;

/// Of a loop that goes on for hours its beginning is kept, which says how it came to it, and its end, which decides.
const KEPT_FIRST: usize = 32;

/// A boot is forgotten this long after its last event; its transcript is on disk.
const FORGET: TimeDelta = TimeDelta::hours(1);

/// Boots kept in memory at once; a flood of invented machines pushes out boots, not the server.
const MAX_RUNNING: usize = 32_768;

/// Longest time between two sweeps that is taken for time that has passed.
const CLOCK_SET: TimeDelta = TimeDelta::days(1);

/// Interfaces learned from packets of hosts that are known by their UUID.
const MAX_LEARNED: usize = 65_536;

/// That a machine was heard of is written at most this often while it does nothing else.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Other DHCP servers kept in memory; on a real network there are a handful.
pub(super) const MAX_SERVERS: usize = 256;

/// Addresses remembered of clients that other servers gave one.
const MAX_SEEN_ADDRESSES: usize = 16_384;

/// One boot that runs, or ran lately.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) session: Session,
    /// Oldest first.
    pub(super) events: Vec<Event>,
    /// The verdict last written to the host's row.
    told: Option<VerdictCode>,
}

/// Hosts, boots and addresses in memory.
#[derive(Debug, Default)]
pub struct View {
    hosts: HashMap<HostId, Host>,
    by_mac: HashMap<MacAddr, HostId>,
    /// What hosts are recognised by when facts arrive.
    keys: KeyIndex,
    /// Rights to report.
    pub(super) tokens: Tokens,
    running: HashMap<MacAddr, Running>,
    /// Who uses an address that we did not give out.
    seen_addresses: HashMap<Ipv4Addr, MacAddr>,
    /// Every address in use.
    pub(super) leases: Leases,
    /// Subnets whose exhaustion was told.
    pub(super) exhausted: HashSet<SubnetNo>,
    /// Other DHCP servers by address and our interface.
    pub(super) servers: HashMap<(Ipv4Addr, String), DhcpServerSeen>,
    /// Notices when the clock is set.
    pub(super) jumps: JumpWatch,
    /// When [`Self::forget`] was called last.
    swept_at: Option<DateTime<Utc>>,
    /// The revision of what is desired at which hosts' names were read.
    pub(super) names_at: Option<u64>,
    /// Installations that run.
    pub(super) installs: OpenInstalls,
    /// Hosts in state `discovered`, to bound what packets alone can make.
    stubs: usize,
}

impl View {
    /// The view of what is on disk.
    pub(super) fn load(
        snapshot: &Snapshot,
        servers: Vec<DhcpServerSeen>,
        subnets: &[Subnet],
        now: DateTime<Utc>,
    ) -> Self {
        let mut view = Self {
            tokens: Tokens::new(snapshot.tokens.clone()),
            leases: Leases::new(subnets, snapshot.leases.clone(), now),
            ..Self::default()
        };
        for server in servers.into_iter().take(MAX_SERVERS) {
            view.servers.insert((server.address, server.interface.clone()), server);
        }
        for known in &snapshot.hosts {
            view.adopt(known);
        }
        view
    }

    /// Takes in a host as it is on disk.
    pub(super) fn adopt(&mut self, known: &KnownHost) {
        for mac in &known.interfaces {
            self.by_mac.insert(*mac, known.host.id);
        }
        let reported = known.host.reported_at.is_some();
        self.keys.enter(known.host.id, known.keys.clone(), reported);
        self.put_host(known.host.clone());
    }

    /// One host's row.
    #[must_use]
    pub fn host(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(&id)
    }

    /// What hosts are recognised by.
    #[must_use]
    pub const fn keys(&self) -> &KeyIndex {
        &self.keys
    }

    /// What hosts are recognised by, to be changed.
    pub const fn keys_mut(&mut self) -> &mut KeyIndex {
        &mut self.keys
    }

    /// Number of hosts.
    #[must_use]
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// Hosts that are known by packets alone.
    #[must_use]
    pub const fn stub_count(&self) -> usize {
        self.stubs
    }

    /// The host an interface belongs to.
    #[must_use]
    pub fn host_by_mac(&self, mac: MacAddr) -> Option<HostId> {
        self.by_mac.get(&mac).copied()
    }

    /// The host of a system UUID, when it is one host's alone.
    #[must_use]
    pub fn host_by_uuid(&self, uuid: Uuid) -> Option<HostId> {
        let key = Key::system_uuid(&uuid.to_string())?;
        match self.keys.holders(&key) {
            [host] => Some(*host),
            _ => None,
        }
    }

    /// The interfaces of a host. Looks at all: for what people do, not for packets.
    pub(super) fn macs_of(&self, host: HostId) -> Vec<MacAddr> {
        let mut macs: Vec<_> = self
            .by_mac
            .iter()
            .filter_map(|(mac, owner)| (*owner == host).then_some(*mac))
            .collect();
        macs.sort();
        macs
    }

    /// Puts in or replaces a host's row.
    pub fn put_host(&mut self, host: Host) {
        self.stubs += usize::from(host.state == State::Discovered);
        if let Some(before) = self.hosts.insert(host.id, host) {
            self.stubs -= usize::from(before.state == State::Discovered);
        }
    }

    /// Changes a host's row, when it is known.
    pub fn change_host(&mut self, id: HostId, change: impl FnOnce(&mut Host)) {
        if let Some(mut host) = self.hosts.get(&id).cloned() {
            change(&mut host);
            self.put_host(host);
        }
    }

    /// Notes that a host boots; gives the write when that is due.
    pub(super) fn saw_host(&mut self, id: HostId, now: DateTime<Utc>) -> Option<Write> {
        let host = self.hosts.get_mut(&id)?;
        if now - host.last_seen_at < SEEN_EVERY {
            return None;
        }
        host.last_seen_at = now;
        Some(Write::HostSeen {
            host: id,
            at: now,
            address: None,
        })
    }

    /// Says which host an interface belongs to from now on.
    pub fn put_interface(&mut self, mac: MacAddr, host: HostId) {
        self.by_mac.insert(mac, host);
    }

    /// Remembers an interface of a host that was recognised by something else, until its report says so for good.
    pub(super) fn learn_interface(&mut self, mac: MacAddr, host: HostId) {
        if self.by_mac.len() < self.hosts.len().saturating_add(MAX_LEARNED) {
            self.by_mac.entry(mac).or_insert(host);
        }
    }

    /// Takes a host out, with its interfaces and keys.
    pub fn remove_host(&mut self, id: HostId) {
        self.remove_hosts(&[id]);
    }

    /// [`Self::remove_host`] of many, in one walk over the interfaces.
    fn remove_hosts(&mut self, ids: &[HostId]) {
        if ids.is_empty() {
            return;
        }
        for id in ids {
            if let Some(host) = self.hosts.remove(id) {
                self.stubs -= usize::from(host.state == State::Discovered);
            }
            self.keys.remove(*id);
        }
        let gone: HashSet<&HostId> = ids.iter().collect();
        self.by_mac.retain(|_, owner| !gone.contains(owner));
    }

    /// Remembers who uses an address that we did not give out.
    pub fn saw_address(&mut self, address: Ipv4Addr, mac: MacAddr) {
        if self.seen_addresses.len() >= MAX_SEEN_ADDRESSES && !self.seen_addresses.contains_key(&address) {
            // Which one is lost does not matter: it is learned again by the client's next packet.
            if let Some(any) = self.seen_addresses.keys().next().copied() {
                self.seen_addresses.remove(&any);
            }
        }
        self.seen_addresses.insert(address, mac);
    }

    /// Who was last seen to use an address that another server gave.
    pub(super) fn seen_at(&self, address: Ipv4Addr) -> Option<MacAddr> {
        self.seen_addresses.get(&address).copied()
    }

    /// The boot of one interface that runs, or ran within the hour.
    #[must_use]
    pub fn boot_session(&self, mac: MacAddr) -> Option<BootId> {
        self.running.get(&mac).map(|running| running.session.id)
    }

    /// The boot a packet or request of this stage belongs to; a new one when the machine has started anew.
    pub fn boot_of(&mut self, mac: MacAddr, stage: Stage, now: DateTime<Utc>) -> BootId {
        if let Some(running) = self.running.get_mut(&mac)
            && !running.session.is_over(stage, now)
        {
            running.session.packet(stage, now);
            return running.session.id;
        }
        let session = Session::begin(BootId(new_id(now)), stage, now);
        let id = session.id;
        let fresh = Running {
            session,
            events: Vec::new(),
            told: None,
        };
        if self.running.len() >= MAX_RUNNING
            && !self.running.contains_key(&mac)
            && let Some(any) = self.running.keys().next().copied()
        {
            self.running.remove(&any);
        }
        self.running.insert(mac, fresh);
        id
    }

    /// Fills in host and boot, takes the event into its boot, and gives what has to be written.
    pub(super) fn record(&mut self, mut event: Event, surroundings: &Surroundings) -> (Event, Vec<Write>) {
        let mut writes = Vec::with_capacity(2);
        if let Some(mac) = event.mac {
            event.host = event.host.or_else(|| self.host_by_mac(mac));
            if let Some(running) = self.running.get_mut(&mac)
                && event.boot.is_none_or(|boot| boot == running.session.id)
            {
                event.boot = Some(running.session.id);
                running.session.event(&event);
                if running.events.len() >= MAX_EVENTS {
                    running.events.remove(KEPT_FIRST);
                }
                running.events.push(event.clone());
                let host = event.host;
                writes.extend(running.tell(host, surroundings, event.at));
            }
        }
        self.remember(&writes);
        writes.push(Write::Event(event.clone()));
        (event, writes)
    }

    /// The verdict of the running boot of an interface.
    pub(super) fn verdict(&self, mac: MacAddr, surroundings: &Surroundings, now: DateTime<Utc>) -> Option<Verdict> {
        let running = self.running.get(&mac)?;
        Some(diagnose(&running.events, surroundings, now))
    }

    /// Interfaces with a boot that runs, or ran within the hour.
    pub(super) fn running(&self) -> Vec<MacAddr> {
        self.running.keys().copied().collect()
    }

    /// Verdicts on the boots of `macs` that have changed by time alone.
    pub(super) fn judge_anew(
        &mut self,
        macs: &[MacAddr],
        surroundings: &Surroundings,
        now: DateTime<Utc>,
    ) -> Vec<Write> {
        let mut writes = Vec::new();
        for mac in macs {
            let host = self.by_mac.get(mac).copied();
            if let Some(running) = self.running.get_mut(mac) {
                writes.extend(running.tell(host, surroundings, now));
            }
        }
        self.remember(&writes);
        writes
    }

    /// Forgets boots and rights that are long over, and gives the hosts that were forgotten with them: known by a
    /// packet alone and not heard of since ([`super::hosts`]).
    pub(super) fn forget(&mut self, now: DateTime<Utc>) -> Vec<HostId> {
        self.tokens.forget(now);
        self.running.retain(|_, running| now - running.session.last_at < FORGET);
        self.follow_clock(now);
        let stale = self.stale_stubs(now);
        self.remove_hosts(&stale);
        stale
    }

    /// A clock that was set makes nobody stale: sweeps come every few seconds, so what lies between two of them beyond a
    /// day is no time that has passed.
    fn follow_clock(&mut self, now: DateTime<Utc>) {
        let before = self.swept_at.replace(now);
        let Some(by) = before.map(|before| now - before).filter(|by| *by > CLOCK_SET) else {
            return;
        };
        for host in self.hosts.values_mut().filter(|host| host.state == State::Discovered) {
            host.last_seen_at = host.last_seen_at.checked_add_signed(by).unwrap_or(now);
        }
    }

    /// Every host.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// Puts verdicts that are about to be written into the rows kept here.
    fn remember(&mut self, writes: &[Write]) {
        for write in writes {
            if let Write::BootVerdict {
                host,
                verdict,
                booted_at,
            } = write
                && let Some(host) = self.hosts.get_mut(host)
            {
                host.boot_verdict = Some(verdict.clone());
                host.booted_at = Some(*booted_at);
            }
        }
    }
}

impl Running {
    /// The write of a verdict that is not the one written last.
    fn tell(&mut self, host: Option<HostId>, surroundings: &Surroundings, now: DateTime<Utc>) -> Option<Write> {
        let host = host?;
        let code = diagnose(&self.events, surroundings, now).code;
        if self.told == Some(code) {
            return None;
        }
        self.told = Some(code);
        Some(Write::BootVerdict {
            host,
            verdict: code.as_str().to_owned(),
            booted_at: self.session.began_at,
        })
    }
}
