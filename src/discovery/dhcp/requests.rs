//! What each kind of request gets (RFC 2131 §4.3).

use std::net::{IpAddr, Ipv4Addr};

use chrono::TimeDelta;
use muster_wire::dhcp::{Message, MessageType};

use super::{
    answer::{self, As},
    case::{Case, rule_of},
};
use crate::{
    boot::{Action, EventKind, Level, Rule},
    ipam::{ClientWords, Mode, Subnet, SubnetNo},
    store::Write,
};

/// Longest client identifier and host name kept with a lease, bytes.
const MAX_WORDS: usize = 255;

impl<'a> Case<'a> {
    pub(super) fn discover(&mut self) {
        self.tell(|case| case.event(EventKind::DhcpDiscover, Level::Info));
        let Some((number, subnet)) = self.served() else { return };
        if subnet.mode == Mode::Proxy {
            return self.offer_beside();
        }
        let known = self.is_known();
        let (mac, requested, now) = (self.mac, self.packet.requested_ip, self.now);
        match self.view.leases.offer(number, mac, requested, known, now) {
            Ok((address, chosen)) => {
                self.view.exhausted.remove(&number);
                let mut offer = answer::answer(self.packet, MessageType::Offer, self.arrival.server);
                offer.yiaddr = address;
                put_lease(&mut offer, subnet, self);
                let words = [("choice", chosen.as_str().to_owned())];
                self.send_boot(offer, As::Server, EventKind::DhcpOffer, &words);
            }
            Err(why) => self.no_address(number, why),
        }
    }

    pub(super) fn request(&mut self) {
        let wanted = self
            .packet
            .requested_ip
            .or(Some(self.packet.ciaddr).filter(|address| !address.is_unspecified()));
        self.tell(|case| {
            let event = case.event(EventKind::DhcpRequest, Level::Info);
            match wanted {
                Some(wanted) => event.with("address", wanted.to_string()),
                None => event,
            }
        });
        if let Some(server) = self.packet.server_id
            && !self.is_us(server)
        {
            return self.other_server_chosen(server, wanted);
        }
        let Some((number, subnet)) = self.served() else { return };
        let Some(wanted) = wanted.filter(|_| subnet.mode.gives_addresses()) else {
            return self.silence(Rule::NotForServers, Level::Info);
        };
        if let Some(rule) = self.objection(number, subnet, wanted) {
            return match rule {
                Rule::NoRecord | Rule::NotKnown => self.silence(rule, Level::Warn),
                rule => self.nak(rule, wanted),
            };
        }
        let short = |text: &Vec<u8>| text.iter().copied().take(MAX_WORDS).collect();
        let words = ClientWords {
            client_id: self.packet.client_id.as_ref().map(short),
            hostname: self.packet.hostname.clone().filter(|name| name.len() <= MAX_WORDS),
        };
        let (mac, known, now) = (self.mac, self.is_known(), self.now);
        match self.view.leases.bind(number, mac, wanted, known, words, now) {
            Ok(bound) => {
                let writes = &mut self.outcome.writes;
                writes.push(Write::Lease(bound.lease.clone()));
                writes.extend(bound.given_up.iter().cloned().map(Write::Lease));
                if let Some(host) = self.host {
                    let address = Some(IpAddr::V4(wanted));
                    writes.push(Write::HostSeen { host, at: now, address });
                    self.view.change_host(host, |host| {
                        host.address = address;
                        host.last_seen_at = now;
                    });
                }
                self.outcome.bound = Some(bound);
                self.outcome.leases_changed = true;
                let mut ack = answer::answer(self.packet, MessageType::Ack, self.arrival.server);
                ack.yiaddr = wanted;
                ack.ciaddr = self.packet.ciaddr;
                put_lease(&mut ack, subnet, self);
                self.send_boot(ack, As::Server, EventKind::DhcpAck, &[]);
            }
            Err(why) => match rule_of(why) {
                // Chosen from us: it waits for a word.
                rule if self.packet.server_id.is_some() => self.nak(rule, wanted),
                rule @ (Rule::NoRecord | Rule::NotKnown) => self.silence(rule, Level::Warn),
                rule => self.nak(rule, wanted),
            },
        }
    }

    /// Why a client cannot keep the address it remembers; `None` when it may be tried.
    fn objection(&self, number: SubnetNo, subnet: &Subnet, wanted: Ipv4Addr) -> Option<Rule> {
        let leases = &self.view.leases;
        let selecting = self.packet.server_id.is_some();
        let remembers = leases.remembers(number, self.mac);
        if !selecting && subnet.mode == Mode::Reserved && !self.is_known() && !remembers {
            // Not one of ours: another server may serve it.
            return Some(Rule::NotKnown);
        }
        if !subnet.network.contains(&wanted) {
            return Some(Rule::WrongNetwork);
        }
        if selecting || !self.packet.ciaddr.is_unspecified() {
            return None;
        }
        // INIT-REBOOT: RFC 2131 §4.3.2 wants silence without a record, and a NAK with another one.
        match leases.lease_of(number, self.mac, self.now) {
            Some(lease) if lease.address != wanted => Some(Rule::OtherLease),
            Some(_) => None,
            None if leases.is_anothers(number, wanted, self.mac, self.now) => Some(Rule::AddressTaken),
            None if !remembers => Some(Rule::NoRecord),
            None => None,
        }
    }

    pub(super) fn decline(&mut self) {
        let Some(address) = self.packet.requested_ip else {
            return;
        };
        if self.packet.server_id.is_some_and(|server| !self.is_us(server)) {
            return;
        }
        let Some(lease) = self.view.leases.decline(self.mac, address, self.now) else {
            return;
        };
        tracing::warn!(%address, mac = %self.mac, "a client found its address in use; it is kept out for an hour");
        self.outcome.writes.push(Write::Lease(lease));
        self.outcome.leases_changed = true;
        // Told for every client: an address conflict is somebody's trouble.
        let event = self
            .event(EventKind::DhcpDecline, Level::Warn)
            .by(Rule::AddressInUse)
            .with("address", address.to_string());
        self.outcome.events.push(event);
    }

    pub(super) fn release(&mut self) {
        let address = self.packet.ciaddr;
        if self.packet.server_id.is_some_and(|server| !self.is_us(server)) {
            return;
        }
        let Some(lease) = self.view.leases.release(self.mac, address, self.now) else {
            return;
        };
        self.outcome.writes.push(Write::Lease(lease));
        self.outcome.leases_changed = true;
        self.tell(|case| {
            case.event(EventKind::DhcpRelease, Level::Info)
                .by(Rule::GivenBack)
                .with("address", address.to_string())
        });
    }

    pub(super) fn inform(&mut self) {
        self.tell(|case| case.event(EventKind::DhcpInform, Level::Info));
        if self.packet.ciaddr.is_unspecified() {
            return self.silence(Rule::NotForServers, Level::Info);
        }
        let Some((_, subnet)) = self.served() else { return };
        let mut ack = answer::answer(self.packet, MessageType::Ack, self.arrival.server);
        ack.ciaddr = self.packet.ciaddr;
        if subnet.mode == Mode::Proxy {
            if !self.client.wants_boot_file() {
                return self.silence(Rule::NotABootClient, Level::Info);
            }
            return self.send_boot(ack, As::BootServer, EventKind::DhcpAck, &[]);
        }
        // RFC 2131 §4.3.5: no address and no times.
        answer::put_network(&mut ack, subnet, self.mac);
        self.send_boot(ack, As::Server, EventKind::DhcpAck, &[]);
    }

    /// Port 4011: a client that has its address from elsewhere, or from us, asks for its boot file.
    pub(super) fn boot_server(&mut self) {
        self.tell(|case| case.event(EventKind::DhcpRequest, Level::Info).with("port", "4011"));
        let Some(_) = self.served() else { return };
        if !self.client.wants_boot_file() {
            return self.silence(Rule::NotABootClient, Level::Info);
        }
        if self.decision().action == Action::AddressOnly {
            let (rule, level) = (self.decision().rule, self.decision().level);
            return self.silence(rule, level);
        }
        let uses = [self.packet.ciaddr, *self.arrival.from.ip()];
        if let Some(address) = uses.into_iter().find(|address| !address.is_unspecified()) {
            self.view.saw_address(address, self.mac);
        }
        let mut ack = answer::answer(self.packet, MessageType::Ack, self.arrival.server);
        ack.ciaddr = self.packet.ciaddr;
        self.send_boot(ack, As::BootServer, EventKind::DhcpAck, &[]);
    }

    /// The subnet, unless nothing is answered: refused, in no subnet, or only observed.
    fn served(&mut self) -> Option<(SubnetNo, &'a Subnet)> {
        let Some((number, subnet)) = self.subnet else {
            self.silence(Rule::NoSubnet, Level::Fail);
            return None;
        };
        if subnet.mode == Mode::Observe {
            self.silence(Rule::Observe, Level::Info);
            return None;
        }
        if self.is_refused() {
            self.silence(Rule::RefusedByPolicy, Level::Fail);
            return None;
        }
        Some((number, subnet))
    }

    fn offer_beside(&mut self) {
        if !self.client.wants_boot_file() {
            return self.silence(Rule::NotABootClient, Level::Info);
        }
        if self.decision().action == Action::AddressOnly {
            let (rule, level) = (self.decision().rule, self.decision().level);
            return self.silence(rule, level);
        }
        let offer = answer::answer(self.packet, MessageType::Offer, self.arrival.server);
        self.send_boot(offer, As::Proxy, EventKind::ProxyOffer, &[]);
    }
}

/// Address options of an offer or a lease.
fn put_lease(message: &mut Message, subnet: &Subnet, case: &Case<'_>) {
    answer::put_network(message, subnet, case.mac);
    let length = TimeDelta::from_std(subnet.lease_time).unwrap_or(TimeDelta::days(365));
    answer::put_times(message, length);
}
