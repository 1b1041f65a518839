//! The TFTP edge against clients we did not write: the tftpd crate's, tftp-hpa and curl.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use muster::{
    discovery::BootFile,
    net::tftp::{TftpBounds, TftpClient, TftpContent, TftpListener, TftpRefusal, run_tftp},
};
use muster_wire::tftp::{End, ErrorCode, Report, Request};
use tokio_util::sync::CancellationToken;

/// One file in memory, and what was told about its transfers.
#[derive(Default)]
struct OneFile {
    content: Bytes,
    ended: Mutex<Vec<Report>>,
    malformed: Mutex<Vec<String>>,
}

impl TftpContent for OneFile {
    type Ticket = ();

    fn open(&self, _client: TftpClient, request: &Request) -> Result<(BootFile, ()), TftpRefusal> {
        if request.file.trim_start_matches('/') != "loader.bin" {
            return Err(TftpRefusal {
                code: ErrorCode::FileNotFound,
                text: format!("no file {}", request.file),
            });
        }
        Ok((
            BootFile {
                bytes: self.content.clone(),
                etag: "\"x\"".into(),
                sha256: "x".into(),
            },
            (),
        ))
    }

    fn ended(&self, (): (), report: &Report) {
        self.ended.lock().unwrap().push(report.clone());
    }

    fn malformed(&self, _client: TftpClient, why: &str) {
        self.malformed.lock().unwrap().push(why.to_owned());
    }
}

struct Served {
    files: Arc<OneFile>,
    address: SocketAddrV4,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start(len: usize) -> Self {
        // Not periodic in any block size, so that a swapped or doubled block shows.
        let content: Vec<u8> = (0..len as u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8)
            .collect();
        let files = Arc::new(OneFile {
            content: content.into(),
            ..OneFile::default()
        });
        let listener = TftpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr();
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_tftp(
            listener,
            Arc::clone(&files),
            TftpBounds::default(),
            stop.clone(),
        ));
        Self {
            files,
            address,
            stop,
            task,
        }
    }

    /// Runs a blocking client, then stops the server and gives back what it told.
    async fn with_client<T: Send + 'static>(
        self,
        client: impl FnOnce(SocketAddrV4) -> T + Send + 'static,
    ) -> (T, Arc<OneFile>) {
        let address = self.address;
        let answer = tokio::task::spawn_blocking(move || client(address)).await.unwrap();
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        (answer, self.files)
    }
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed by this test (`cargo xtask test` installs it): {error}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read(path: &Path) -> Bytes {
    std::fs::read(path).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn tftp_hpa_fetches_past_the_block_number_wrap() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let target = out.clone();
    // 65,536 blocks of 512 bytes and some: the 16-bit block number wraps.
    let len = 512 * 65_600 + 17;
    let (content, files) = Served::start(len)
        .with_client(move |at| {
            let (host, port, local) = (at.ip().to_string(), at.port().to_string(), target.display().to_string());
            run(
                "tftp",
                &["-m", "binary", &host, &port, "-c", "get", "loader.bin", &local],
            );
            read(&target)
        })
        .await;
    assert!(content == files.content, "the file came through unchanged");
    let ended = files.ended.lock().unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!((&ended[0].end, ended[0].bytes), (&End::Completed, len as u64));
    drop((out, ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_fetches_with_block_size_and_transfer_size() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    let (content, files) = Served::start(300_000)
        .with_client(move |at| {
            let (url, local) = (format!("tftp://{at}/loader.bin"), target.display().to_string());
            run("curl", &["-sS", "--tftp-blksize", "1468", "-o", &local, &url]);
            read(&target)
        })
        .await;
    assert!(content == files.content, "the file came through unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tftpd_client_fetches_with_a_window() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let (content, files) = Served::start(1_000_003)
        .with_client(move |at| {
            let mut config = tftpd::ClientConfig {
                port: at.port(),
                file_path: "loader.bin".into(),
                receive_directory: folder.clone(),
                ..tftpd::ClientConfig::default()
            };
            config.opt_common.block_size = 1428;
            config.opt_common.window_size = 8;
            let mut client = tftpd::Client::new(&config).unwrap();
            client.run().unwrap();
            read(&folder.join("loader.bin"))
        })
        .await;
    assert!(content == files.content, "the file came through unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_are_told_and_the_next_one_is_served() {
    let (answers, files) = Served::start(1000)
        .with_client(|at| {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket
                .set_read_timeout(Some(std::time::Duration::from_secs(5)))
                .unwrap();
            let mut buffer = [0; 2048];
            let mut ask = |request: &[u8]| {
                socket.send_to(request, at).unwrap();
                let (len, _) = socket.recv_from(&mut buffer).unwrap();
                buffer[..len].to_vec()
            };
            vec![
                ask(b"\0\x02loader.bin\0octet\0"),
                ask(b"\0\x01loader.bin"),
                ask(b"\0\x01../../etc/shadow\0octet\0"),
                ask(b"\0\x01loader.bin\0netascii\0"),
                ask(b"\0\x01loader.bin\0octet\0blksize\x0065464\0windowsize\x0065535\0"),
            ]
        })
        .await;
    assert_eq!(answers[0][..4], [0, 5, 0, 2], "a write is an access violation");
    assert_eq!(
        answers[1][..4],
        [0, 5, 0, 4],
        "a name without its end is an illegal operation"
    );
    assert_eq!(answers[2][..4], [0, 5, 0, 1], "another file is not found");
    assert_eq!(answers[3][..4], [0, 5, 0, 4], "netascii would change the bytes");
    let oack = String::from_utf8_lossy(&answers[4]).into_owned();
    assert!(
        oack.contains("blksize\u{0}1468") && oack.contains("windowsize\u{0}32"),
        "{oack:?}"
    );
    assert_eq!(files.malformed.lock().unwrap().len(), 3);
}
