//! One packet being decided, under the view's lock.

use std::{net::Ipv4Addr, sync::MutexGuard};

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType};

use super::{
    answer::{self, As, BootTarget},
    client::Client,
    counts::Counters,
};
use crate::{
    boot::{Action, Available, BootRequest, Decision, Event, EventKind, Level, Rule, decide},
    discovery::{Answer, Arrival, Discovery, View},
    inventory::{HostId, State},
    ipam::{Bound, NoAddress, Subnet, SubnetNo},
    store::Write,
};

/// What follows from one packet.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) mac: MacAddr,
    pub(super) answer: Option<Answer>,
    /// The host entered for it, to be on disk before anything else.
    pub(super) entered: Option<(HostId, Write)>,
    /// An address that must be on disk before the answer goes.
    pub(super) bound: Option<Bound>,
    pub(super) writes: Vec<Write>,
    pub(super) events: Vec<Event>,
    pub(super) leases_changed: bool,
}

impl Outcome {
    const fn of(mac: MacAddr) -> Self {
        Self {
            mac,
            answer: None,
            entered: None,
            bound: None,
            writes: Vec::new(),
            events: Vec::new(),
            leases_changed: false,
        }
    }

    /// The host that was to be entered was not: what happened is told of the one that is known instead, if any.
    pub(super) fn belongs_to(&mut self, host: Option<HostId>) {
        self.events.retain(|event| event.kind != EventKind::HostCreated);
        for event in &mut self.events {
            event.host = host;
        }
        self.writes.retain_mut(|write| match (write, host) {
            (Write::Event(event), _) => {
                event.host = host;
                event.kind != EventKind::HostCreated
            }
            (Write::HostSeen { host: of, .. } | Write::BootVerdict { host: of, .. }, Some(host)) => {
                *of = host;
                true
            }
            (Write::HostSeen { .. } | Write::BootVerdict { .. }, None) => false,
            _ => true,
        });
    }
}

pub(super) struct Case<'a> {
    pub(super) discovery: &'a Discovery,
    pub(super) view: MutexGuard<'a, View>,
    pub(super) packet: &'a Message,
    pub(super) arrival: &'a Arrival,
    pub(super) mac: MacAddr,
    pub(super) client: Client,
    pub(super) subnet: Option<(SubnetNo, &'a Subnet)>,
    pub(super) now: DateTime<Utc>,
    pub(super) host: Option<HostId>,
    state: Option<State>,
    decision: Decision,
    /// Packets of machines that boot are told in the transcript; all others are counted.
    told: bool,
    pub(super) outcome: Outcome,
}

impl<'a> Case<'a> {
    pub(super) fn open(
        discovery: &'a Discovery,
        packet: &'a Message,
        arrival: &'a Arrival,
        mac: MacAddr,
        now: DateTime<Utc>,
    ) -> Self {
        let policy = discovery.policy();
        let client = Client::of(packet, &policy.loaders);
        let subnet = subnet_of(discovery.subnets(), packet, arrival);
        let mut view = discovery.view();
        view.leases.keep_out(arrival.server);
        let mut outcome = Outcome::of(mac);
        let host = view
            .host_by_mac(mac)
            .or_else(|| packet.uuid().and_then(|uuid| view.host_by_uuid(uuid)));
        let mut told = client.stage.boots();
        let host = match host {
            None if told && view.has_room_for_stub() => {
                let host = view.add_stub(mac, now);
                let id = host.id;
                outcome.entered = Some((id, Write::HostCreated(Box::new(host), vec![mac])));
                outcome
                    .events
                    .push(Event::new(now, mac, EventKind::HostCreated, Level::Info));
                Some(id)
            }
            known => known,
        };
        let state = host.and_then(|host| view.host(host)).map(|host| host.state);
        told |= state == Some(State::Installing);
        if told {
            view.boot_of(mac, client.stage, now);
            if let Some(host) = host {
                // A NIC that was put into a machine whose UUID is known: its boot belongs to that machine.
                view.learn_interface(mac, host);
                outcome.writes.extend(view.saw_host(host, now));
            }
        }
        let request = BootRequest {
            mac,
            stage: client.stage,
            host: state,
            // Firmware and iPXE get the same either way; only the script differs.
            install: None,
            loader: host.and_then(|host| view.loaders.get(&host).copied()),
        };
        let available = Available {
            image: true,
            loader: &|name| discovery.files().has_loader(name),
        };
        let decision = decide(&request, policy, &available);
        Self {
            discovery,
            view,
            packet,
            arrival,
            mac,
            client,
            subnet,
            now,
            host,
            state,
            decision,
            told,
            outcome,
        }
    }

    /// True for machines that mode `reserved` serves without a reservation: those that are in the ledger by more than
    /// a packet.
    pub(super) fn is_known(&self) -> bool {
        self.state.is_some_and(|state| state != State::Discovered)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.decision.action == Action::Refuse
    }

    pub(super) const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// True for an address by which servers of this ledger are known.
    pub(super) fn is_us(&self, server: Ipv4Addr) -> bool {
        let named = self.packet.relay.as_ref().and_then(|relay| relay.server_id_override());
        server == self.arrival.server || named == Some(server) || self.view.leases.is_own(server)
    }

    /// An event of this packet, with what every one of them carries.
    pub(super) fn event(&self, kind: EventKind, level: Level) -> Event {
        let mut event = Event::new(self.now, self.mac, kind, level);
        event.host = self.host;
        let mut put = |name: &str, value: String| event.params.insert(name.to_owned(), value);
        put("interface", self.arrival.interface.clone());
        put("client", self.client.stage.as_str().to_owned());
        if let Some(arch) = self.client.arch {
            put("arch", arch.to_string());
        }
        if let Some((_, subnet)) = self.subnet {
            put("subnet", subnet.network.to_string());
            put("mode", subnet.mode.as_str().to_owned());
        }
        if !self.packet.giaddr.is_unspecified() {
            put("relay", self.packet.giaddr.to_string());
        }
        event
    }

    /// Tells an event, when this client's packets are told.
    pub(super) fn tell(&mut self, event: impl FnOnce(&Self) -> Event) {
        if self.told {
            let event = event(self);
            self.outcome.events.push(event);
        }
    }

    /// No answer, and why.
    pub(super) fn silence(&mut self, rule: Rule, level: Level) {
        Counters::add(&self.discovery.counters().silences);
        let pattern = self.discovery.policy().refused_by(self.mac);
        self.tell(|case| {
            let event = case.event(EventKind::DhcpSilence, level).by(rule);
            match pattern.filter(|_| rule == Rule::RefusedByPolicy) {
                Some(pattern) => event.with("pattern", pattern.to_string()),
                None => event,
            }
        });
    }

    /// A refusal of the address the client asks for.
    pub(super) fn nak(&mut self, rule: Rule, address: Ipv4Addr) {
        let mut nak = answer::answer(self.packet, MessageType::Nak, self.arrival.server);
        nak.message = Some(rule.as_str().replace('_', " "));
        // RFC 2131 §4.3.2: through a relay only a broadcast reaches a client with a wrong address.
        nak.broadcast |= !self.packet.giaddr.is_unspecified();
        self.tell(|case| {
            case.event(EventKind::DhcpNak, Level::Warn)
                .by(rule)
                .with("address", address.to_string())
        });
        self.send(nak);
    }

    /// Sends an answer with what the client needs to boot, and tells it.
    pub(super) fn send_boot(&mut self, mut answer: Message, we: As, kind: EventKind, words: &[(&str, String)]) {
        let server = self.arrival.server;
        let target = BootTarget::of(&self.decision.action, || self.discovery.boot_base(server), self.mac);
        answer::put_boot(&mut answer, target.as_ref(), &self.client, server, we, self.packet);
        let yours = answer.yiaddr;
        self.tell(|case| {
            let rule = match case.decision.rule {
                Rule::LoaderForArchitecture if we == As::BootServer => Rule::BootServerAsked,
                rule => rule,
            };
            let mut event = case
                .event(kind, case.decision.level)
                .by(rule)
                .with("server", server.to_string());
            if !yours.is_unspecified() {
                event = event.with("address", yours.to_string());
            }
            match &target {
                Some(BootTarget::File(file)) => event = event.with("file", file.clone()),
                Some(BootTarget::Url(url)) => event = event.with("url", url.clone()),
                None => {}
            }
            for (name, value) in words {
                event = event.with(name, value.clone());
            }
            event
        });
        self.send(answer);
    }

    pub(super) fn send(&mut self, message: Message) {
        self.discovery.counters().sent(message.message_type);
        self.outcome.answer = Some(Answer { message });
    }

    /// Why no address was found, told once in the log for a pool that runs out.
    pub(super) fn no_address(&mut self, number: SubnetNo, why: NoAddress) {
        let rule = rule_of(why);
        if why == NoAddress::Exhausted
            && self.view.exhausted.insert(number)
            && let Some((_, subnet)) = self.subnet
        {
            tracing::warn!(subnet = %subnet.network, "{why}");
        }
        self.silence(rule, Level::Fail);
    }

    /// Takes the events into their boots and gives what follows.
    pub(super) fn close(mut self) -> Outcome {
        if self.outcome.events.is_empty() {
            return self.outcome;
        }
        let surroundings = self.discovery.surroundings();
        for event in std::mem::take(&mut self.outcome.events) {
            let (event, writes) = self.view.record(event, &surroundings);
            self.outcome.writes.extend(writes);
            self.outcome.events.push(event);
        }
        self.outcome
    }
}

/// The rule of an address that could not be had.
pub(super) const fn rule_of(why: NoAddress) -> Rule {
    match why {
        NoAddress::Exhausted => Rule::PoolExhausted,
        NoAddress::NotKnown => Rule::NotKnown,
        NoAddress::ReservationInUse => Rule::ReservationInUse,
        NoAddress::Taken => Rule::AddressTaken,
        NoAddress::OtherAddress => Rule::OtherLease,
        NoAddress::Outside => Rule::NoRecord,
    }
}

/// The subnet a packet is about: what the relay says, else the address the client uses, else the interface's.
fn subnet_of<'a>(subnets: &'a [Subnet], packet: &Message, arrival: &Arrival) -> Option<(SubnetNo, &'a Subnet)> {
    let link = packet.relay.as_ref().and_then(|relay| relay.link_selection());
    let address = if let Some(link) = link {
        link
    } else if !packet.giaddr.is_unspecified() {
        packet.giaddr
    } else if !packet.ciaddr.is_unspecified()
        && packet.ciaddr == *arrival.from.ip()
        && SubnetNo::of(subnets, packet.ciaddr).is_some()
    {
        // By unicast through routers: the interface it came in by says nothing of the client's network.
        packet.ciaddr
    } else {
        arrival.server
    };
    let number = SubnetNo::of(subnets, address)?;
    Some((number, subnets.get(number.index())?))
}
