//! What a listener bears: connections, heads that never end, readers that stop. Over real sockets; what is waited for is
//! always the other side's doing, never a time of our own.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, extract::ConnectInfo, routing::get};
use muster::http::{HttpBounds, serve_http};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const DOWNLOAD: usize = 64 << 20;

struct Listener {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Listener {
    async fn start(bounds: HttpBounds, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let served = tokio::spawn(serve_http(listener, router, bounds, stop.clone()));
        Self { address, stop, served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that has been answered once and is kept open.
    async fn visitor(&self) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(ASK).await.unwrap();
        assert_eq!(status(&mut stream).await.as_deref(), Some("200"));
        stream
    }
}

fn short() -> HttpBounds {
    HttpBounds {
        head: Duration::from_millis(50),
        stall: Duration::from_millis(50),
        ..HttpBounds::default()
    }
}

fn pages() -> Router {
    Router::new()
        .route(
            "/",
            get(async |client: ConnectInfo<SocketAddr>| client.0.ip().to_string()),
        )
        .route("/image", get(async || Bytes::from(vec![7; DOWNLOAD])))
}

/// The status of the next answer; `None` when the connection was closed instead.
async fn status(stream: &mut TcpStream) -> Option<String> {
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&answer[..length]).into_owned();
    text.split(' ').nth(1).map(str::to_owned)
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let listener = Listener::start(short(), pages()).await;
    let mut slow = listener.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut idle = listener.visitor().await;
    for stream in [&mut slow, &mut idle] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_stops_is_given_up() {
    let listener = Listener::start(short(), pages()).await;
    let mut stream = listener.connect().await;
    stream
        .write_all(b"GET /image HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    listener.stop.cancel();
    // The listener ends when its last connection has: nothing has been read of the download.
    listener.served.await.unwrap();
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken).await;
    assert!(taken.len() < DOWNLOAD, "{}", taken.len());
}

#[tokio::test]
async fn one_address_has_its_share_and_no_more() {
    let bounds = HttpBounds {
        per_address: 2,
        ..HttpBounds::default()
    };
    let trusting = HttpBounds {
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        ..bounds.clone()
    };
    let listener = Listener::start(bounds, pages()).await;
    let (first, _second) = (listener.visitor().await, listener.visitor().await);
    let mut third = listener.connect().await;
    assert_eq!(status(&mut third).await, None);
    drop(first);
    loop {
        // Until the server has seen that the first is gone.
        let mut next = listener.connect().await;
        if next.write_all(ASK).await.is_ok() && status(&mut next).await.is_some() {
            break;
        }
    }

    let listener = Listener::start(trusting, pages()).await;
    let mut many = Vec::new();
    for _ in 0..5 {
        many.push(listener.visitor().await);
    }
}

#[tokio::test]
async fn who_finds_no_room_waits_for_it() {
    let bounds = HttpBounds {
        connections: 1,
        ..HttpBounds::default()
    };
    let listener = Listener::start(bounds, pages()).await;
    let first = listener.visitor().await;
    let mut second = listener.connect().await;
    second.write_all(ASK).await.unwrap();
    drop(first);
    assert_eq!(status(&mut second).await.as_deref(), Some("200"));
}

#[tokio::test]
async fn what_is_being_answered_is_finished() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, gone) = (Arc::clone(&asked), Arc::clone(&go));
    let answer = async move || {
        told.notify_one();
        gone.notified().await;
        "done"
    };
    let listener = Listener::start(HttpBounds::default(), Router::new().route("/", get(answer))).await;
    let mut idle = listener.connect().await;
    let mut busy = listener.connect().await;
    busy.write_all(ASK).await.unwrap();
    asked.notified().await;
    listener.stop.cancel();
    // An idle connection is closed at once.
    assert_eq!(status(&mut idle).await, None);
    let ended = Arc::new(AtomicBool::new(false));
    let (seen, served) = (Arc::clone(&ended), listener.served);
    let served = tokio::spawn(async move {
        served.await.unwrap();
        seen.store(true, Ordering::SeqCst);
    });
    assert!(!ended.load(Ordering::SeqCst), "it waits for the answer");
    go.notify_one();
    assert_eq!(status(&mut busy).await.as_deref(), Some("200"));
    served.await.unwrap();
    assert!(TcpStream::connect(listener.address).await.is_err(), "the port is free");
}
