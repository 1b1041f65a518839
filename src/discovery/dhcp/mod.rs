//! DHCP: what each message gets, by the mode of its subnet.

mod answer;
mod case;
mod client;
mod counts;
mod others;
mod requests;

use std::sync::Arc;

use muster_wire::dhcp::{Message, MessageType, Opcode};

pub(in crate::discovery) use counts::Counters;
pub use counts::DhcpCounts;

use super::{Answer, Arrival, ArrivalPort, Discovery, FeedItem};
use crate::{
    boot::{Event, EventKind, Level, Rule},
    ipam::Bound,
    store::{StoreError, Write},
};
use case::{Case, Outcome};

/// Leases written at once when the clock was set.
const LEASES_AT_ONCE: usize = 256;

impl Discovery {
    /// Decides one message and gives the answer once what it promises is on disk. `None`: nothing is sent.
    ///
    /// What is decided depends on the order in which calls are first polled: those of one client must be in order.
    pub async fn dhcp(&self, packet: &Message, arrival: &Arrival) -> Option<Answer> {
        if packet.op == Opcode::BootRequest && arrival.kind != ArrivalPort::Client {
            self.follow_clock().await;
        }
        let mut outcome = self.consider(packet, arrival)?;
        if let Some((host, created)) = outcome.entered.take()
            && let Err(error) = self.writer().commit(vec![created]).await
        {
            let known = self.not_entered(host, outcome.mac, error).await;
            if let Err(error) = &known {
                // Not on disk, not in memory: its next packet tries again.
                tracing::warn!(%error, mac = %outcome.mac, "a new host could not be entered");
            }
            outcome.belongs_to(known.ok());
        }
        self.tell_verdicts(&outcome.writes);
        let writes = std::mem::take(&mut outcome.writes);
        match outcome.bound.take() {
            // An address given back or declined: nobody waits for it, yet it may not be lost as a line of a transcript
            // may.
            None if outcome.leases_changed => {
                if let Err(error) = self.writer().commit(writes).await {
                    tracing::error!(%error, mac = %outcome.mac, "the end of a lease could not be written");
                }
            }
            None => self.writer().post(writes),
            Some(bound) => {
                if let Err(error) = self.writer().commit(writes).await {
                    outcome.answer = self.not_promised(packet, arrival, &bound, &error);
                    outcome.events.retain(|event| event.kind != EventKind::DhcpAck);
                    outcome.leases_changed = false;
                }
            }
        }
        if outcome.leases_changed {
            self.feed().tell(FeedItem::Leases);
        }
        for event in outcome.events {
            if event.kind == EventKind::HostCreated
                && let Some(host) = event.host
            {
                self.feed().tell(FeedItem::Host(host));
            }
            self.feed().tell(FeedItem::Event(Arc::new(event)));
        }
        outcome.answer
    }

    /// The part that is decided at once, under the lock.
    fn consider(&self, packet: &Message, arrival: &Arrival) -> Option<Outcome> {
        if packet.op != Opcode::BootRequest {
            self.heard_reply(packet, arrival);
            return None;
        }
        if arrival.kind == ArrivalPort::Client {
            return None;
        }
        let counters = self.counters();
        counters.received(packet.message_type);
        let now = self.now();
        // Only Ethernet boots here, and an address that names no interface would collect the leases of many.
        let mac = packet.mac().filter(|mac| packet.htype == 1 && !mac.is_unusable())?;
        let kind = packet.message_type?;
        let mut case = Case::open(self, packet, arrival, mac, now);
        match (kind, arrival.kind) {
            (MessageType::Request | MessageType::Inform, ArrivalPort::Proxy) => case.boot_server(),
            (MessageType::Discover, ArrivalPort::Dhcp) => case.discover(),
            (MessageType::Request, ArrivalPort::Dhcp) => case.request(),
            (MessageType::Decline, ArrivalPort::Dhcp) => case.decline(),
            (MessageType::Release, ArrivalPort::Dhcp) => case.release(),
            (MessageType::Inform, ArrivalPort::Dhcp) => case.inform(),
            _ => case.silence(Rule::NotForServers, Level::Info),
        }
        Some(case.close())
    }

    /// Takes back a promise that could not be written, and says what the client hears instead.
    fn not_promised(&self, packet: &Message, arrival: &Arrival, bound: &Bound, error: &StoreError) -> Option<Answer> {
        let taken = matches!(error, StoreError::AddressTaken(_));
        let (mac, address, now) = (bound.lease.mac, bound.lease.address, self.now());
        self.view().leases.undo(bound, taken, now);
        let (kind, rule) = if taken {
            (EventKind::DhcpNak, Rule::AddressTaken)
        } else {
            Counters::add(&self.counters().not_written);
            tracing::error!(%address, %mac, %error, "an address is not given: the lease could not be written");
            (EventKind::DhcpSilence, Rule::NotWritten)
        };
        if self.boot_session(mac).is_some() {
            let event = Event::new(now, mac, kind, Level::Fail)
                .by(rule)
                .with("address", address.to_string());
            self.note(event);
        }
        // Another server of this ledger has given the address in the meantime.
        taken.then(|| {
            let mut message = answer::answer(packet, MessageType::Nak, arrival.server);
            // A relay has to broadcast it: the client has no address that it may use (RFC 2131 §4.3.2).
            message.broadcast |= !packet.giaddr.is_unspecified();
            Answer { message }
        })
    }

    /// When the clock was set, leases keep their remaining length, in memory and on disk.
    async fn follow_clock(&self) {
        let Some(steady) = self.inner.clock.steady() else {
            return;
        };
        let moved = {
            let now = self.now();
            let mut view = self.view();
            let Some(by) = view.jumps.look(now, steady) else { return };
            let moved = view.leases.shift(by);
            tracing::warn!(
                seconds = by.num_seconds(),
                leases = moved.len(),
                "the clock was set; leases keep their remaining time"
            );
            moved
        };
        // In portions, so that answers to other machines get their turns in between; as the leases are by then.
        for some in moved.chunks(LEASES_AT_ONCE) {
            let writes = {
                let view = self.view();
                let kept = some.iter().filter_map(|address| view.leases.kept(*address));
                kept.cloned().map(Write::Lease).collect()
            };
            if let Err(error) = self.writer().commit(writes).await {
                tracing::error!(%error, "leases could not be written with their times by the clock that was set");
            }
        }
    }
}
