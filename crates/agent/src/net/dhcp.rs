//! A DHCP client without sockets or clock (RFC 2131, figure 5).
//!
//! The owner sends what [`Client::poll`] gives, hands every datagram to [`Client::receive`] and
//! wakes it at [`Client::wake_at`].

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType, Opcode};

/// What the image calls itself in option 60.
pub const VENDOR_CLASS: &[u8] = b"muster-agent";

/// REQUESTs that may stay unanswered before everything starts over.
const REQUEST_ATTEMPTS: u32 = 4;
/// The longest pause between two messages while there is no address.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// The shortest pause between two renewals (RFC 2131 4.4.5).
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);
/// A lease without a time, or a shorter one, is treated as this long, so that renewals never flood.
const SHORTEST_LEASE: Duration = Duration::from_secs(30);

/// An address given by a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// Length of the network's prefix, 0 to 32.
    pub prefix: u8,
    /// The first router, if there is one.
    pub router: Option<Ipv4Addr>,
    /// The server that gave it.
    pub server: Ipv4Addr,
    /// How long it holds; `None` for ever.
    pub duration: Option<Duration>,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// What to send.
    pub message: Message,
    /// The server's address; `None` is the broadcast address.
    pub to: Option<Ipv4Addr>,
}

/// What a datagram or the time changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The address is ours (again, when it was renewed).
    Bound(Lease),
    /// The server took the address back or the lease ran out: it must not be used any more.
    Lost,
}

#[derive(Debug)]
enum State {
    Selecting,
    Requesting { offer: Lease },
    Bound { lease: Lease, times: Times },
    Renewing { lease: Lease, times: Times },
}

#[derive(Debug, Clone, Copy)]
struct Times {
    renew: Instant,
    rebind: Instant,
    end: Instant,
}

/// The client of one interface.
#[derive(Debug)]
pub struct Client {
    mac: MacAddr,
    vendor_class: Vec<u8>,
    xid: u32,
    random: u64,
    started: Instant,
    state: State,
    attempts: u32,
    /// When the next message is due; `None` with a lease that never ends.
    due: Option<Instant>,
    /// When the REQUEST that was last answered or is open went out: leases count from there.
    asked: Instant,
}

impl Client {
    /// A client that starts asking at once. `seed` makes transaction ids and pauses differ between machines.
    #[must_use]
    pub fn new(mac: MacAddr, seed: u64, now: Instant) -> Self {
        let own = mac.0.iter().fold(seed | 1, |sum, byte| {
            sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte)
        });
        let mut client = Self {
            mac,
            vendor_class: VENDOR_CLASS.to_vec(),
            xid: 0,
            random: own,
            started: now,
            state: State::Selecting,
            attempts: 0,
            due: Some(now),
            asked: now,
        };
        client.xid = client.draw();
        client
    }

    /// The same client under another name in option 60.
    #[must_use]
    pub fn calling_itself(mut self, vendor_class: &[u8]) -> Self {
        self.vendor_class = vendor_class.to_vec();
        self
    }

    /// When [`Client::poll`] has to be called next; `None`: never, unless a datagram comes.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        match (&self.state, self.due) {
            (State::Renewing { times, .. }, Some(due)) => Some(due.min(times.end)),
            (_, due) => due,
        }
    }

    /// The lease, while there is one.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound { lease, .. } | State::Renewing { lease, .. } => Some(lease),
            State::Selecting | State::Requesting { .. } => None,
        }
    }

    /// What is due at `now`: a message to send, and [`Change::Lost`] when the lease has run out.
    pub fn poll(&mut self, now: Instant) -> (Option<Transmit>, Option<Change>) {
        if self.wake_at().is_none_or(|wake| wake > now) {
            return (None, None);
        }
        match &self.state {
            State::Selecting => (Some(self.discover(now)), None),
            State::Requesting { offer } if self.attempts < REQUEST_ATTEMPTS => {
                let offer = offer.clone();
                (Some(self.request(&offer, now)), None)
            }
            State::Requesting { .. } => {
                self.start_over(now);
                (Some(self.discover(now)), None)
            }
            State::Bound { lease, times } | State::Renewing { lease, times } => {
                let (lease, times) = (lease.clone(), *times);
                if now >= times.end {
                    self.start_over(now);
                    return (Some(self.discover(now)), Some(Change::Lost));
                }
                (Some(self.renew(lease, times, now)), None)
            }
        }
    }

    /// Takes a server's message; `None` when it says nothing to this client now.
    pub fn receive(&mut self, message: &Message, now: Instant) -> Option<Change> {
        if message.op != Opcode::BootReply || message.xid != self.xid || message.mac() != Some(self.mac) {
            return None;
        }
        match (message.message_type?, &self.state) {
            (MessageType::Offer, State::Selecting) => {
                let offer = lease_of(message)?;
                self.state = State::Requesting { offer };
                self.attempts = 0;
                self.due = Some(now);
                None
            }
            (MessageType::Ack, State::Requesting { offer })
                if message.server_id.is_none_or(|id| id == offer.server) =>
            {
                self.bind(lease_of(message)?, message)
            }
            (MessageType::Ack, State::Renewing { lease, .. }) => {
                let renewed = lease_of(message)?;
                if renewed.address != lease.address {
                    return None;
                }
                self.bind(renewed, message)
            }
            (MessageType::Nak, State::Requesting { .. }) => {
                self.start_over(now);
                // A server that refuses what it offered must not be asked in a tight circle.
                self.due = Some(now + self.jittered(Duration::from_secs(2)));
                None
            }
            (MessageType::Nak, State::Renewing { .. }) => {
                self.start_over(now);
                Some(Change::Lost)
            }
            _ => None,
        }
    }

    fn bind(&mut self, lease: Lease, message: &Message) -> Option<Change> {
        self.attempts = 0;
        match lease.duration {
            Some(duration) => {
                let limit = |value: Option<u32>, default: Duration, longest: Duration| {
                    value
                        .map_or(default, |seconds| Duration::from_secs(u64::from(seconds)))
                        .min(longest)
                };
                let rebind = limit(message.rebinding_time, duration * 7 / 8, duration);
                let renew = limit(message.renewal_time, duration / 2, rebind).max(SHORTEST_LEASE / 2);
                let times = Times {
                    renew: self.asked + renew,
                    rebind: self.asked + rebind,
                    end: self.asked + duration,
                };
                self.due = Some(times.renew.min(times.end));
                self.state = State::Bound {
                    lease: lease.clone(),
                    times,
                };
            }
            None => {
                let never = self.asked + Duration::from_secs(u64::from(u32::MAX));
                self.due = None;
                self.state = State::Bound {
                    lease: lease.clone(),
                    times: Times {
                        renew: never,
                        rebind: never,
                        end: never,
                    },
                };
            }
        }
        Some(Change::Bound(lease))
    }

    fn start_over(&mut self, now: Instant) {
        self.state = State::Selecting;
        self.attempts = 0;
        self.started = now;
        self.due = Some(now);
        self.xid = self.draw();
    }

    fn discover(&mut self, now: Instant) -> Transmit {
        self.pause(now);
        Transmit {
            message: self.message(MessageType::Discover, now),
            to: None,
        }
    }

    fn request(&mut self, offer: &Lease, now: Instant) -> Transmit {
        self.pause(now);
        self.asked = now;
        let mut message = self.message(MessageType::Request, now);
        message.requested_ip = Some(offer.address);
        message.server_id = Some(offer.server);
        Transmit { message, to: None }
    }

    /// Unicast to the server until T2, then to everyone (RFC 2131 4.4.5).
    fn renew(&mut self, lease: Lease, times: Times, now: Instant) -> Transmit {
        if matches!(self.state, State::Bound { .. }) {
            self.xid = self.draw();
            self.started = now;
        }
        self.asked = now;
        let rebinding = now >= times.rebind;
        let until = if rebinding { times.end } else { times.rebind };
        let half = until.saturating_duration_since(now) / 2;
        self.due = Some((now + half.max(RENEWAL_PAUSE)).min(if half > RENEWAL_PAUSE { until } else { times.end }));
        let mut message = self.message(MessageType::Request, now);
        message.ciaddr = lease.address;
        message.broadcast = false;
        let to = (!rebinding).then_some(lease.server);
        self.state = State::Renewing { lease, times };
        Transmit { message, to }
    }

    fn pause(&mut self, now: Instant) {
        let pause = LONGEST_PAUSE.min(Duration::from_secs(2 << self.attempts.min(5)));
        self.due = Some(now + self.jittered(pause));
        self.attempts = self.attempts.saturating_add(1);
    }

    fn message(&self, kind: MessageType, now: Instant) -> Message {
        let mut message = Message::request(kind, self.xid, self.mac);
        message.secs = u16::try_from(now.saturating_duration_since(self.started).as_secs()).unwrap_or(u16::MAX);
        // Until the address is set, the kernel takes no unicast.
        message.broadcast = true;
        message.parameters = vec![1, 3, 51, 54, 58, 59];
        message.max_size = Some(1500);
        message.vendor_class = Some(self.vendor_class.clone());
        let mut id = vec![1];
        id.extend(self.mac.0);
        message.client_id = Some(id);
        message
    }

    /// 7/8 to 9/8 of `pause`: machines that got power together do not ask together.
    fn jittered(&mut self, pause: Duration) -> Duration {
        let spread = self.draw() % 256;
        pause * 7 / 8 + pause / 4 * spread / 256
    }

    /// The next number of a linear congruential generator; unpredictability is not needed here.
    fn draw(&mut self) -> u32 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.random >> 32).unwrap_or_default()
    }
}

/// What the message gives; `None` without an address (a ProxyDHCP answer) or without a server.
fn lease_of(message: &Message) -> Option<Lease> {
    let address = message.yiaddr;
    if address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
        return None;
    }
    let server = message.server_id.filter(|id| !id.is_unspecified())?;
    let prefix = message
        .subnet_mask
        .map_or_else(|| classful_prefix(address), |mask| u32::from(mask).leading_ones());
    let duration = match message.lease_time {
        None | Some(u32::MAX) => None,
        Some(seconds) => Some(Duration::from_secs(u64::from(seconds)).max(SHORTEST_LEASE)),
    };
    Some(Lease {
        address,
        prefix: u8::try_from(prefix).unwrap_or(32),
        router: message.routers.iter().copied().find(|router| !router.is_unspecified()),
        server,
        duration,
    })
}

/// Without option 1 the address's class says how long the prefix is.
fn classful_prefix(address: Ipv4Addr) -> u32 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        _ => 24,
    }
}

#[cfg(test)]
#[path = "dhcp_tests.rs"]
mod tests;
