use std::{
    collections::{HashMap, HashSet},
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_wire::tftp::{Action, End, ErrorCode, Limits, Mode, Report, Request, Transfer, error_packet, parse_request};
use tokio::{net::UdpSocket, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Server, TftpClient, TftpContent, TftpListener, TftpRefusal};
use crate::discovery::BootFile;

/// Ports of the running transfers by client: one client cannot take every place, and a request that came
/// twice is served once.
type Running = Arc<Mutex<HashMap<Ipv4Addr, HashSet<u16>>>>;

/// Errors in a row after which the socket is taken to be broken.
const MAX_FAILURES: u32 = 1000;

impl<C: TftpContent> Server<C> {
    pub(super) async fn listen(&self, listener: TftpListener, stop: &CancellationToken) -> io::Result<()> {
        let listener = Arc::new(listener);
        let running = Running::default();
        let mut failures = 0;
        loop {
            let (datagram, client) = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                received = listener.receive() => match received {
                    Ok(received) => received,
                    // Of one datagram, or passing: not an end, unless it stays.
                    Err(error) if failures < MAX_FAILURES => {
                        failures += 1;
                        tracing::debug!(%error, "tftp receive");
                        tokio::task::yield_now().await;
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            failures = 0;
            self.answer(&listener, &running, &datagram, client, stop);
        }
    }

    fn answer(
        &self,
        listener: &Arc<TftpListener>,
        running: &Running,
        datagram: &[u8],
        client: TftpClient,
        stop: &CancellationToken,
    ) {
        let request = match parse_request(datagram) {
            Ok(request) => request,
            Err(fault) => {
                self.content.malformed(client, &fault.to_string());
                if let Some(answer) = fault.answer() {
                    listener.refuse(client.from, &answer);
                }
                return;
            }
        };
        if request.mode == Mode::Netascii {
            self.content.malformed(client, "transfer mode netascii; use octet");
            listener.refuse(
                client.from,
                &error_packet(ErrorCode::IllegalOperation, "only mode octet is served"),
            );
            return;
        }
        let place = match Place::take(running, client.from, self.bounds.max_per_client) {
            Ok(place) => place,
            Err(NoPlace::Repeated) => return,
            Err(NoPlace::TooMany) => {
                listener.refuse(
                    client.from,
                    &error_packet(ErrorCode::NotDefined, "too many transfers of this client"),
                );
                return;
            }
        };
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            listener.refuse(
                client.from,
                &error_packet(ErrorCode::NotDefined, "the server is busy, ask again"),
            );
            return;
        };
        let asked = Asked {
            client,
            request,
            limits: self.bounds.transfer,
        };
        let (content, listener, stop) = (Arc::clone(&self.content), Arc::clone(listener), stop.clone());
        self.tasks.spawn(async move {
            let refused = asked.serve(content, &stop).await;
            // The place first: a client that reads a refusal may ask again at once from the same port.
            drop((permit, place));
            if let Err(refusal) = refused {
                listener.refuse(client.from, &error_packet(refusal.code, &refusal.text));
            }
        });
    }
}

/// One request that has its place.
struct Asked {
    client: TftpClient,
    request: Request,
    limits: Limits,
}

impl Asked {
    /// Runs the transfer to its end.
    async fn serve<C: TftpContent>(self, content: Arc<C>, stop: &CancellationToken) -> Result<(), TftpRefusal> {
        let Self {
            client,
            request,
            limits,
        } = self;
        // The first time a loader is asked for it is read from the disk, and other clients do not wait for that.
        let opening = Arc::clone(&content);
        let opened = tokio::task::spawn_blocking(move || (opening.open(client, &request), request)).await;
        let (file, ticket, request) = match opened {
            Ok((Ok((file, ticket)), request)) => (file, ticket, request),
            Ok((Err(refusal), _)) => return Err(refusal),
            Err(stopped) => {
                tracing::error!(client = %client.from, error = %stopped, "a tftp request was not answered");
                return Ok(());
            }
        };
        let began = Instant::now();
        let transfer = Transfer::new(&request, file.bytes.len() as u64, &limits, 0);
        let driven = tokio::select! {
            driven = drive(transfer, &file, client, began) => driven,
            () = stop.cancelled() => Ok(cut(began)),
        };
        let report = driven.unwrap_or_else(|error| {
            tracing::warn!(client = %client.from, %error, "tftp transfer broke off");
            cut(began)
        });
        content.ended(ticket, &report);
        Ok(())
    }
}

/// Runs one transfer on a socket of its own, from the address that was asked.
async fn drive(mut transfer: Transfer, file: &BootFile, client: TftpClient, began: Instant) -> io::Result<Report> {
    let socket = UdpSocket::bind(SocketAddrV4::new(client.server, 0)).await?;
    socket.connect(SocketAddr::V4(client.from)).await?;
    let mut buffer = [0_u8; 1500];
    loop {
        match transfer.poll(since(began)) {
            Action::Send(datagram) => match socket.send(&datagram).await {
                Ok(_) => {}
                Err(error) if passes(&error) => {}
                Err(error) => return Err(error),
            },
            Action::Read { offset, len } => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                match file.bytes.get(start..start.saturating_add(len)) {
                    Some(block) => transfer.supply(block),
                    None => transfer.on_read_error(),
                }
            }
            Action::WaitUntil(at_ms) => {
                let deadline = began + Duration::from_millis(at_ms);
                match tokio::time::timeout_at(deadline, socket.recv(&mut buffer)).await {
                    Ok(Ok(len)) => transfer.on_packet(buffer.get(..len).unwrap_or_default(), since(began)),
                    Ok(Err(error)) if passes(&error) => {}
                    Ok(Err(error)) => return Err(error),
                    Err(_late) => transfer.on_timeout(since(began)),
                }
            }
            Action::Done(report) => return Ok(report),
        }
    }
}

/// Errors of one datagram, not of the socket: an ICMP answer to an earlier one, a full queue.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, WouldBlock,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | Interrupted | WouldBlock
    ) || error.raw_os_error() == Some(nix::libc::ENOBUFS)
}

fn since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn cut(began: Instant) -> Report {
    Report {
        bytes: 0,
        duration_ms: since(began),
        retransmits: 0,
        end: End::ContentFailed,
    }
}

/// One client's share of the places; given back when dropped.
struct Place {
    running: Running,
    client: SocketAddrV4,
}

enum NoPlace {
    /// This request is being served: the network doubled it, or the client asks again.
    Repeated,
    TooMany,
}

impl Place {
    fn take(running: &Running, client: SocketAddrV4, most: usize) -> Result<Self, NoPlace> {
        let mut clients = running.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = clients.entry(*client.ip()).or_default();
        if ports.contains(&client.port()) {
            return Err(NoPlace::Repeated);
        }
        if ports.len() >= most {
            return Err(NoPlace::TooMany);
        }
        ports.insert(client.port());
        drop(clients);
        Ok(Self {
            running: Arc::clone(running),
            client,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ports) = clients.get_mut(self.client.ip()) {
            ports.remove(&self.client.port());
            if ports.is_empty() {
                clients.remove(self.client.ip());
            }
        }
    }
}
