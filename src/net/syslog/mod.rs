//! Log lines of installers, by UDP and TCP. Only lines of machines with a running installation are kept; the others are
//! dropped at once.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use muster_wire::syslog::{LONGEST, parse};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{install::LogLine, provision::install::Installs};

/// Lines that wait to be taken in; more are dropped.
const QUEUE: usize = 4096;
/// Connections at once.
const CONNECTIONS: usize = 512;
/// A connection that is silent for this long is closed.
const SILENCE: Duration = Duration::from_secs(3600);

type Heard = (SocketAddr, Vec<u8>);

/// Listens until `stop`.
///
/// # Errors
/// When a socket fails for good.
pub async fn run_syslog(
    udp: UdpSocket,
    tcp: TcpListener,
    installs: Installs,
    stop: CancellationToken,
) -> Result<(), io::Error> {
    let (queue, lines) = mpsc::channel(QUEUE);
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = take_in(lines, installs) => Ok(()),
        ended = datagrams(udp, queue.clone()) => ended,
        () = connections(tcp, queue) => Ok(()),
    }
}

/// One line after the other: the order in which an installer says things matters.
async fn take_in(mut lines: mpsc::Receiver<Heard>, installs: Installs) {
    while let Some((client, bytes)) = lines.recv().await {
        let Some(message) = parse(&bytes) else { continue };
        let line = LogLine {
            program: &message.program,
            message: &message.text,
        };
        if let Err(error) = installs.log_line(client.ip().to_canonical(), &line).await {
            tracing::warn!(%error, "a line of an installer could not be kept");
        }
    }
}

async fn datagrams(udp: UdpSocket, queue: mpsc::Sender<Heard>) -> Result<(), io::Error> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let (length, client) = udp.recv_from(&mut buffer).await?;
        // A full queue means a flood: what is dropped is a log line.
        let _ = queue.try_send((client, buffer.get(..length).unwrap_or_default().to_vec()));
    }
}

async fn connections(tcp: TcpListener, queue: mpsc::Sender<Heard>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match tcp.accept().await {
            Ok((stream, client)) => {
                let queue = queue.clone();
                tokio::spawn(async move {
                    let _held = place;
                    read_lines(stream, client, queue).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Lines that end with a newline, and those that say their length first (RFC 6587).
async fn read_lines(stream: TcpStream, client: SocketAddr, queue: mpsc::Sender<Heard>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut one = (&mut reader).take(LONGEST as u64);
        let read = tokio::time::timeout(SILENCE, one.read_until(b'\n', &mut line)).await;
        match read {
            Ok(Ok(length)) if length > 0 => {
                let counted = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let framed = counted > 0 && line.get(counted..counted + 2) == Some(b" <");
                let line = if framed { line.split_off(counted + 1) } else { line };
                // A slow ledger slows the sender; nothing is lost.
                if queue.send((client, line)).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
