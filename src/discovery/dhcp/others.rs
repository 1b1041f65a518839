//! Other DHCP servers: learned from clients that choose them and from what they broadcast.

use std::net::Ipv4Addr;

use chrono::{DateTime, TimeDelta, Utc};
use muster_wire::dhcp::{Message, MessageType, VendorClass};

use super::case::Case;
use crate::{
    boot::{Event, EventKind, Level, Rule},
    discovery::{Arrival, Discovery, FeedItem, View, view::MAX_SERVERS},
    ipam::SubnetNo,
    store::{DhcpServerSeen, Write},
};

/// A server's row is written at most this often while nothing but its counts changes.
const WRITE_EVERY: TimeDelta = TimeDelta::minutes(1);

impl Case<'_> {
    /// The client took another server's offer: ours is free again.
    pub(super) fn other_server_chosen(&mut self, server: Ipv4Addr, address: Option<Ipv4Addr>) {
        let mac = self.mac;
        self.view.leases.withdraw(mac);
        if let Some(address) = address {
            self.view.saw_address(address, mac);
        }
        let write = heard(&mut self.view, self.arrival, server, false, false, self.now);
        self.outcome.writes.extend(write);
        let lost = self.subnet.is_some_and(|(_, subnet)| subnet.mode.gives_addresses());
        let level = if lost { Level::Fail } else { Level::Info };
        self.tell(|case| {
            let event = case
                .event(EventKind::DhcpOtherServer, level)
                .by(Rule::OtherServerChosen)
                .with("server", server.to_string());
            match address {
                Some(address) => event.with("address", address.to_string()),
                None => event,
            }
        });
    }
}

impl Discovery {
    /// A reply that was heard: of another server, or our own broadcast coming back.
    pub(super) fn heard_reply(&self, packet: &Message, arrival: &Arrival) {
        let offers = matches!(packet.message_type, Some(MessageType::Offer | MessageType::Ack));
        let from = Some(*arrival.from.ip()).filter(|address| !address.is_unspecified());
        let Some(server) = packet.server_id.or(from).filter(|_| offers) else {
            return;
        };
        let now = self.now();
        let mut view = self.view();
        if server == arrival.server || view.leases.is_own(server) {
            return;
        }
        super::Counters::add(&self.counters().foreign);
        let pxe = packet.boot_file_name().is_some() || packet.vendor() != VendorClass::Other;
        let mut writes = Vec::from_iter(heard(&mut view, arrival, server, true, pxe, now));
        let mut told = None;
        if let Some(mac) = packet.mac() {
            if packet.message_type == Some(MessageType::Ack) && !packet.yiaddr.is_unspecified() {
                view.saw_address(packet.yiaddr, mac);
            }
            if view.boot_session(mac).is_some() {
                let mut event = Event::new(now, mac, EventKind::DhcpOtherServer, Level::Info)
                    .by(Rule::OtherServerHeard)
                    .with("server", server.to_string())
                    .with("interface", arrival.interface.clone());
                let subnet =
                    SubnetNo::of(self.subnets(), arrival.server).and_then(|number| self.subnets().get(number.index()));
                if let Some(subnet) = subnet {
                    if subnet.mode.gives_addresses() {
                        event.level = Level::Warn;
                    }
                    event = event
                        .with("mode", subnet.mode.as_str())
                        .with("subnet", subnet.network.to_string());
                }
                if !packet.yiaddr.is_unspecified() {
                    event = event.with("address", packet.yiaddr.to_string());
                }
                if let Some(file) = packet.boot_file_name() {
                    event = event.with("file", file.chars().take(200).collect::<String>());
                }
                let (event, more) = view.record(event, &self.surroundings());
                writes.extend(more);
                told = Some(event);
            }
        }
        drop(view);
        if writes.is_empty() {
            return;
        }
        self.tell_verdicts(&writes);
        self.writer().post(writes);
        self.feed().tell(FeedItem::Leases);
        if let Some(event) = told {
            self.feed().tell(FeedItem::Event(event.into()));
        }
    }
}

/// Counts another server; gives its row when that is due to be written.
fn heard(
    view: &mut View,
    arrival: &Arrival,
    server: Ipv4Addr,
    offer: bool,
    pxe: bool,
    now: DateTime<Utc>,
) -> Option<Write> {
    let key = (server, arrival.interface.clone());
    let full = view.servers.len() >= MAX_SERVERS;
    let known = view.servers.contains_key(&key);
    if full && !known {
        return None;
    }
    if !known {
        tracing::warn!(%server, interface = arrival.interface, "another DHCP server serves clients here");
    }
    let seen = view.servers.entry(key).or_insert_with(|| DhcpServerSeen {
        address: server,
        interface: arrival.interface.clone(),
        mac: None,
        offers_seen: 0,
        first_seen_at: now,
        last_seen_at: now,
        answers_pxe_since: None,
    });
    let due = !known || (pxe && seen.answers_pxe_since.is_none()) || now - seen.last_seen_at >= WRITE_EVERY;
    seen.offers_seen += u64::from(offer);
    if pxe {
        seen.answers_pxe_since.get_or_insert(now);
    }
    if !due {
        return None;
    }
    seen.last_seen_at = now;
    Some(Write::DhcpServer(seen.clone()))
}
