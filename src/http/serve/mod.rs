//! Serving a listener within bounds: how many connections, of one address and in all, how long a request head may take,
//! and how long a reader may take nothing. Without them a few hundred idle clients would use up the process's files, and
//! machines could neither boot nor report.

mod seldom;
mod stalls;

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::crowd::{Crowd, Seat};
use crate::auth::ClientAddress;
use seldom::Seldom;
use stalls::Stalls;

/// Largest head of a request, and the most that is read ahead of a body, bytes.
const READ_AHEAD: usize = 64 * 1024;
/// Pause after the system gave no connection, for want of files or memory: trying at once would only spin.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// What one listener bears.
#[derive(Debug, Clone)]
pub struct HttpBounds {
    /// Connections at once. More wait in the kernel's queue until one ends.
    pub connections: usize,
    /// Of those, connections of one client address (for IPv6 its /64). More are closed at once.
    pub per_address: usize,
    /// Addresses that `per_address` does not bind: proxies, and this machine itself.
    pub trusted: Vec<IpNet>,
    /// Longest wait for the whole head of a request, also of the next one on a connection that is kept open.
    pub head: Duration,
    /// Longest time in which a reader may take nothing of what is sent to it.
    pub stall: Duration,
}

impl Default for HttpBounds {
    fn default() -> Self {
        Self {
            connections: 8192,
            per_address: 256,
            trusted: Vec::new(),
            head: Duration::from_secs(15),
            stall: Duration::from_secs(30),
        }
    }
}

impl HttpBounds {
    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// Serves until `stop`; then finishes the requests it has. Handlers find the client's address as
/// `ConnectInfo<SocketAddr>`. Dropping the future cuts what is still being answered.
pub async fn serve_http(listener: TcpListener, router: Router, bounds: HttpBounds, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let crowd = Crowd::new(bounds.per_address, usize::MAX);
    let (mut refusals, mut shortages) = (Seldom::default(), Seldom::default());
    let mut connections = JoinSet::new();
    loop {
        if places.available_permits() == 0
            && let Some(times) = shortages.note(Instant::now())
        {
            tracing::warn!(
                most = bounds.connections,
                times,
                "as many connections are open as may be; further ones wait"
            );
        }
        let (place, stream, client) = tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let seat = if bounds.trusts(client.ip()) {
            None
        } else {
            match crowd.enter(ClientAddress::of(client.ip())) {
                Ok(seat) => Some(seat),
                Err(_full) => {
                    if let Some(refused) = refusals.note(Instant::now()) {
                        tracing::warn!(
                            client = %client.ip(),
                            most = bounds.per_address,
                            refused,
                            "an address has too many connections open; further ones are closed"
                        );
                    }
                    continue;
                }
            }
        };
        let serving = converse(stream, client, router.clone(), bounds.head, bounds.stall, stop.clone());
        connections.spawn(async move {
            let _held: (OwnedSemaphorePermit, Option<Seat<ClientAddress>>) = (place, seat);
            serving.await;
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let place = loop {
        // The semaphore is never closed.
        if let Ok(place) = Arc::clone(places).acquire_owned().await {
            break place;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, client)) => return (place, stream, client),
            // The client went away before it was its turn.
            Err(error) if is_clients_own(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; the next try is in a second");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
    }
}

fn is_clients_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// All requests of one connection.
async fn converse(
    stream: TcpStream,
    client: SocketAddr,
    router: Router,
    head: Duration,
    stall: Duration,
    stop: CancellationToken,
) {
    // Answers are written whole: waiting to fill a packet would only delay them. Without it they merely come later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| answer(router.clone(), client, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // GRUB knows `Content-Length` in this spelling only, and without it waits for the connection to end.
        .title_case_headers(true)
        .header_read_timeout(head)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(Stalls::new(stream, stall)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Noise of the network: clients that hang up, stall or talk something else.
        tracing::debug!(%client, %error, "a connection ended before its time");
    }
}

async fn answer(router: Router, client: SocketAddr, mut request: Request<Incoming>) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(client));
    router.oneshot(request.map(Body::new)).await
}
