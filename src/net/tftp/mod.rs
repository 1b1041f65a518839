//! The TFTP edge: one listening socket, one socket and one task per transfer.

mod listener;
mod loaders;
mod transfer;

use std::{net::SocketAddrV4, sync::Arc};

use muster_wire::tftp::{ErrorCode, Limits, Report, Request};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::discovery::BootFile;

pub use listener::TftpListener;

/// Bounds of the whole server, beside the [`Limits`] of each transfer.
#[derive(Debug, Clone, Copy)]
pub struct TftpBounds {
    /// Transfers at once. Each costs a socket and two datagrams of memory; the content is shared.
    pub max_transfers: usize,
    /// Of those, transfers of one client address at once.
    pub max_per_client: usize,
    /// Limits of one transfer.
    pub transfer: Limits,
}

impl Default for TftpBounds {
    fn default() -> Self {
        Self {
            max_transfers: 2000,
            max_per_client: 8,
            transfer: Limits::default(),
        }
    }
}

/// Who asks: both ends of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TftpClient {
    /// The client.
    pub from: SocketAddrV4,
    /// The address of ours that it asked: answers come from there.
    pub server: std::net::Ipv4Addr,
}

/// What is told to a client whose request is not served.
#[derive(Debug, Clone)]
pub struct TftpRefusal {
    /// RFC 1350 error code.
    pub code: ErrorCode,
    /// For the person at the console.
    pub text: String,
}

/// Decides what a request gets and is told how each one ended.
pub trait TftpContent: Send + Sync + 'static {
    /// What the events of one transfer have in common.
    type Ticket: Send + 'static;

    /// Called once per request, where blocking is allowed.
    ///
    /// # Errors
    /// The refusal that is sent to the client.
    fn open(&self, client: TftpClient, request: &Request) -> Result<(BootFile, Self::Ticket), TftpRefusal>;

    /// Called once per opened transfer.
    fn ended(&self, ticket: Self::Ticket, report: &Report);

    /// A datagram that is no request: counted, and told once per sender.
    fn malformed(&self, client: TftpClient, why: &str);
}

struct Server<C> {
    content: Arc<C>,
    bounds: TftpBounds,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// Serves until `stop`; returns when the running transfers have ended or been cut.
///
/// # Errors
/// When the listening socket can no longer be read.
pub async fn run_tftp<C: TftpContent>(
    listener: TftpListener,
    content: Arc<C>,
    bounds: TftpBounds,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let server = Server {
        content,
        bounds,
        places: Arc::new(Semaphore::new(bounds.max_transfers)),
        tasks: TaskTracker::new(),
    };
    let result = server.listen(listener, &stop).await;
    server.tasks.close();
    server.tasks.wait().await;
    result
}
