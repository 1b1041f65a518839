use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use muster_wire::dhcp::{Message, MessageType, decode, encode_within};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    DhcpListener, DhcpPorts,
    addressing::destination,
    interfaces::{Interface, Interfaces},
    listener::{MAX_DATAGRAM, Received},
};
use crate::discovery::{Arrival, ArrivalPort, Discovery};

/// Questions being answered at once. More wait in the socket, where the kernel drops what does not fit: clients ask
/// again.
const MAX_AT_ONCE: usize = 4096;

/// Of those, places that are kept for machines that have an offer: when more is asked than can be answered, finishing
/// what has begun is worth more than beginning what nobody will wait for. At some thousand answers a second, the rest
/// is a quarter of a second of waiting; clients wait one second for an offer and more for the next.
const KEPT_FOR_REQUESTS: usize = 3072;

/// Questions of one machine that wait for its earlier ones. Clients send a handful per boot.
const MAX_PER_CLIENT: usize = 8;

/// Errors in a row after which the socket is taken to be broken.
const MAX_FAILURES: u32 = 1000;

/// A question and how it came. In a box: a channel sets aside room for 32 of what it carries, and there is a channel for
/// each machine that asks.
type Question = Box<(Message, Arrival)>;

/// One socket's questions on their way to `discovery` and back.
struct Desk {
    discovery: Discovery,
    listener: Arc<DhcpListener>,
    ports: DhcpPorts,
    kind: ArrivalPort,
    /// Empty: all interfaces.
    only: Vec<String>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// Answers what comes to one socket until `stop`. Nothing that arrives ends it.
///
/// # Errors
/// When the socket itself can no longer be read.
pub async fn run_dhcp(
    listener: DhcpListener,
    kind: ArrivalPort,
    ports: DhcpPorts,
    only: Vec<String>,
    discovery: Discovery,
    stop: CancellationToken,
) -> io::Result<()> {
    let desk = Desk {
        discovery,
        listener: Arc::new(listener),
        ports,
        kind,
        only,
        places: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        tasks: TaskTracker::new(),
    };
    let ended = desk.listen(&stop).await;
    desk.tasks.close();
    desk.tasks.wait().await;
    ended
}

impl Desk {
    async fn listen(&self, stop: &CancellationToken) -> io::Result<()> {
        let mut interfaces = Interfaces::default();
        let mut buffer = [0; MAX_DATAGRAM];
        let mut failures = 0;
        // Questions of one machine are answered in order; machines do not wait for each other.
        let mut lines: HashMap<[u8; 16], mpsc::Sender<Question>> = HashMap::new();
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                received = self.listener.receive(&mut buffer) => received,
            };
            let received = match received {
                Ok(received) => received,
                // What an earlier answer came back with (ICMP), or a signal: not an end, unless it stays.
                Err(error) if failures < MAX_FAILURES => {
                    failures += 1;
                    tracing::debug!(%error, "dhcp receive");
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            failures = 0;
            let Some(question) = self.read(&buffer, &received, &mut interfaces) else {
                continue;
            };
            self.queue(&mut lines, question);
        }
    }

    /// The message, unless it is none or not for us.
    fn read(&self, buffer: &[u8; MAX_DATAGRAM], received: &Received, interfaces: &mut Interfaces) -> Option<Question> {
        let interface = interfaces.get(received.index, Instant::now())?;
        if !self.only.is_empty() && !self.only.contains(&interface.name) {
            return None;
        }
        let server = self.own_name(received, interface);
        let arrival = Arrival {
            interface: interface.name.clone(),
            index: received.index,
            server,
            kind: self.kind,
            from: received.from,
        };
        let datagram = buffer.get(..received.len)?;
        match catch_unwind(AssertUnwindSafe(|| decode(datagram))) {
            Ok(Ok(message)) => Some(Box::new((message, arrival))),
            Ok(Err(fault)) => {
                self.discovery
                    .dhcp_malformed(received.from, &arrival.interface, &fault.to_string());
                None
            }
            Err(_panic) => {
                self.discovery
                    .dhcp_malformed(received.from, &arrival.interface, "the decoder stopped on it");
                None
            }
        }
    }

    /// The address of ours that the client sees: the one it asked. A client without an address asks by broadcast; on
    /// an interface with several addresses it belongs to the one that is in a configured subnet.
    fn own_name(&self, received: &Received, interface: &Interface) -> Ipv4Addr {
        let asked = Some(received.asked).filter(|asked| !asked.is_unspecified() && !asked.is_broadcast());
        let candidates = || asked.into_iter().chain(interface.addresses.iter().copied());
        let served = || candidates().find(|address| self.discovery.serves(*address));
        let by_broadcast = received.from.ip().is_unspecified();
        by_broadcast
            .then(served)
            .flatten()
            .or_else(|| candidates().next())
            .unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    fn queue(&self, lines: &mut HashMap<[u8; 16], mpsc::Sender<Question>>, question: Question) {
        let client = question.0.chaddr;
        let question = match lines.get(&client) {
            None => question,
            Some(line) => match line.try_send(question) {
                // In line behind its earlier ones, or too many of them: the client asks again.
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(question)) => question,
            },
        };
        let begins = question.0.message_type == Some(MessageType::Discover);
        if begins && self.places.available_permits() <= KEPT_FOR_REQUESTS {
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return;
        };
        if lines.len() > 2 * MAX_AT_ONCE {
            lines.retain(|_, line| !line.is_closed());
        }
        let (line, mut waiting) = mpsc::channel(MAX_PER_CLIENT);
        lines.insert(client, line);
        let desk = self.answering();
        self.tasks.spawn(async move {
            desk.answer(&question).await;
            while let Ok(question) = waiting.try_recv() {
                desk.answer(&question).await;
            }
            // Closed before the place is given back: what comes from now on starts a line of its own.
            waiting.close();
            while let Ok(question) = waiting.try_recv() {
                desk.answer(&question).await;
            }
            drop(place);
        });
    }

    fn answering(&self) -> Answering {
        Answering {
            discovery: self.discovery.clone(),
            listener: Arc::clone(&self.listener),
            ports: self.ports,
        }
    }
}

/// What one machine's line needs.
struct Answering {
    discovery: Discovery,
    listener: Arc<DhcpListener>,
    ports: DhcpPorts,
}

impl Answering {
    async fn answer(&self, (request, arrival): &(Message, Arrival)) {
        let Some(answer) = self.discovery.dhcp(request, arrival).await else {
            return;
        };
        let to = destination(request, &answer.message, arrival, self.ports);
        let bytes = encode_within(&answer.message, request.reply_limit());
        let sent = self
            .listener
            .send(&bytes, to, &arrival.interface, arrival.index, arrival.server)
            .await;
        if let Err(error) = sent {
            tracing::warn!(?to, interface = arrival.interface, %error, "a DHCP answer could not be sent");
        }
    }
}
