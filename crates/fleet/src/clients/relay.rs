use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, Opcode, decode, encode};
use tokio::{net::UdpSocket, sync::mpsc, time::Instant};

/// Answers waiting for one machine; more are dropped, as a NIC would.
const QUEUE: usize = 16;

/// A DHCP relay agent that all machines of a fleet stand behind: one socket, many clients.
#[derive(Debug)]
pub struct Relay {
    socket: UdpSocket,
    server: SocketAddrV4,
    giaddr: Ipv4Addr,
    clients: Mutex<HashMap<MacAddr, mpsc::Sender<Message>>>,
    answers: AtomicU64,
}

/// Why a machine got no answer.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Nobody answered.
    #[error("no DHCP answer after {tries} tries in {seconds:.1} s")]
    Silence {
        /// Packets sent.
        tries: u32,
        /// Time waited.
        seconds: f64,
    },
    /// The socket failed.
    #[error("the relay's socket failed")]
    Socket(#[from] io::Error),
}

impl Relay {
    /// A relay at `address` (its IP is the giaddr) that forwards to `server`. It ends when dropped.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start(address: SocketAddrV4, server: SocketAddrV4) -> io::Result<Arc<Self>> {
        let raw = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM.nonblocking(), None)?;
        raw.bind(&SocketAddr::V4(address).into())?;
        raw.set_recv_buffer_size(8 << 20)?;
        let socket = UdpSocket::from_std(raw.into())?;
        let relay = Arc::new(Self {
            socket,
            server,
            giaddr: *address.ip(),
            clients: Mutex::default(),
            answers: AtomicU64::new(0),
        });
        tokio::spawn(Self::hand_out(Arc::downgrade(&relay)));
        Ok(relay)
    }

    /// A machine's place behind the relay.
    pub fn plug(self: &Arc<Self>, mac: MacAddr) -> RelayPort {
        let (sender, answers) = mpsc::channel(QUEUE);
        self.clients().insert(mac, sender);
        RelayPort {
            relay: Arc::clone(self),
            mac,
            answers,
        }
    }

    /// DHCP answers that came so far, to all machines.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Sends bytes that are no DHCP message.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn send_garbage(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send_to(bytes, self.server).await.map(|_| ())
    }

    async fn send(&self, message: &Message) -> io::Result<()> {
        let mut relayed = message.clone();
        relayed.giaddr = self.giaddr;
        relayed.hops = 1;
        self.socket.send_to(&encode(&relayed), self.server).await.map(|_| ())
    }

    async fn hand_out(relay: Weak<Self>) {
        let mut buffer = vec![0; 2048];
        loop {
            let Some(relay) = relay.upgrade() else { return };
            // A short wait, so that a relay nobody holds any more ends.
            let received = tokio::time::timeout(Duration::from_secs(1), relay.socket.recv_from(&mut buffer)).await;
            let Ok(Ok((len, _))) = received else { continue };
            let Some(Ok(message)) = buffer.get(..len).map(decode) else {
                continue;
            };
            if message.op != Opcode::BootReply {
                continue;
            }
            relay.answers.fetch_add(1, Ordering::Relaxed);
            if let Some(client) = message.mac().and_then(|mac| relay.clients().get(&mac).cloned()) {
                // A full queue loses the packet, as a full ring does.
                let _ = client.try_send(message);
            }
        }
    }

    fn clients(&self) -> std::sync::MutexGuard<'_, HashMap<MacAddr, mpsc::Sender<Message>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One machine's place behind the relay.
#[derive(Debug)]
pub struct RelayPort {
    relay: Arc<Relay>,
    mac: MacAddr,
    answers: mpsc::Receiver<Message>,
}

impl RelayPort {
    /// Sends `message` and waits for an answer that `wanted` takes, sending again after 1, 2, 4 and 8 s
    /// with `secs` counted on, as firmware does.
    ///
    /// `copies` is how often each packet is sent; `lose` drops that many good answers.
    ///
    /// # Errors
    /// When nobody answers, or the socket fails.
    pub async fn ask(
        &mut self,
        mut message: Message,
        copies: u32,
        mut lose: u32,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, RelayError> {
        while self.answers.try_recv().is_ok() {}
        let began = Instant::now();
        for (tries, wait) in [1_u64, 2, 4, 8, 8].into_iter().enumerate() {
            message.secs = u16::try_from(began.elapsed().as_secs()).unwrap_or(u16::MAX);
            for _ in 0..copies {
                self.relay.send(&message).await?;
            }
            let deadline = Instant::now() + Duration::from_secs(wait);
            while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, self.answers.recv()).await {
                if answer.xid != message.xid || !wanted(&answer) {
                    continue;
                }
                if lose == 0 {
                    return Ok(answer);
                }
                lose -= 1;
            }
            tracing::debug!(mac = %self.mac, tries, "no answer yet");
        }
        Err(RelayError::Silence {
            tries: 5 * copies,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// The relay, for what is not a question.
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.relay
    }
}

impl Drop for RelayPort {
    fn drop(&mut self) {
        self.relay.clients().remove(&self.mac);
    }
}
