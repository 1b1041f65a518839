//! A port of the real machine that leads to a server inside a namespace.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{LabError, Namespace, network};

/// How long connecting to the server inside may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A forwarded port; it is closed when this is dropped. Connections that are open end with their server.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Forward {
    /// Listens on `outside` in this process's own namespace and connects what comes to `inside` in `namespace`.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(outside: SocketAddr, namespace: &Namespace, inside: SocketAddr) -> Result<Self, LabError> {
        let listener =
            TcpListener::bind(outside).map_err(LabError::io(format!("listening on {outside} for the page")))?;
        let address = listener
            .local_addr()
            .map_err(LabError::io("reading the listening address"))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let path = namespace.path();
        let flag = Arc::clone(&stopped);
        let accepting = thread::spawn(move || {
            for outer in listener.incoming() {
                if flag.load(Ordering::Acquire) {
                    break;
                }
                if let Ok(outer) = outer {
                    let path = path.clone();
                    thread::spawn(move || connect(outer, &path, inside));
                }
            }
        });
        Ok(Self {
            address,
            stopped,
            accepting: Some(accepting),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // The thread waits for a connection: give it one to wake up by.
        if TcpStream::connect_timeout(&self.address, CONNECT_LIMIT).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

/// Joins one connection with one inside the namespace, until either side ends.
fn connect(outer: TcpStream, namespace: &Path, inside: SocketAddr) {
    let namespace = PathBuf::from(namespace);
    let Ok(Ok(inner)) = thread::spawn(move || {
        network::enter_this_thread(&namespace).map_err(io::Error::other)?;
        TcpStream::connect_timeout(&inside, CONNECT_LIMIT)
    })
    .join() else {
        // The server inside is gone or not up yet; the browser sees a closed connection.
        return;
    };
    let (Ok(outer_reader), Ok(inner_reader)) = (outer.try_clone(), inner.try_clone()) else {
        return;
    };
    let answers = thread::spawn(move || pour(inner_reader, outer));
    pour(outer_reader, inner);
    let _ = answers.join();
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    // An error is a side that has gone; the other is told in either case.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
