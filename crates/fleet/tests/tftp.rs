//! The TFTP client against the server's side of a transfer, on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::{
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use muster_fleet::clients::{TftpClientError, fetch};
use muster_wire::tftp::{Action, End, ErrorCode, Limits, Report, Transfer, error_packet, parse_request};

fn socket() -> (UdpSocket, SocketAddrV4) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("127.0.0.1:{}", socket.local_addr().unwrap().port());
    (socket, address.parse().unwrap())
}

/// Serves one file of `len` bytes from a port of its own, losing the packets that `lost` names by number.
fn serve(len: u64, lost: &'static [usize]) -> (SocketAddrV4, thread::JoinHandle<Report>) {
    let (door, address) = socket();
    let server = thread::spawn(move || {
        let mut buffer = [0; 2048];
        let (size, client) = door.recv_from(&mut buffer).unwrap();
        let request = parse_request(&buffer[..size]).unwrap();
        let began = Instant::now();
        let now = || began.elapsed().as_millis() as u64;
        let mut transfer = Transfer::new(&request, len, &Limits::default(), 0);
        let (own, _) = socket();
        own.connect(client).unwrap();
        let mut sent = 0;
        loop {
            match transfer.poll(now()) {
                Action::Send(bytes) => {
                    if !lost.contains(&sent) {
                        own.send(&bytes).unwrap();
                    }
                    sent += 1;
                }
                Action::Read { len, .. } => transfer.supply(&vec![7; len]),
                Action::WaitUntil(at) => {
                    let wait = Duration::from_millis(at.saturating_sub(now()).max(1));
                    own.set_read_timeout(Some(wait)).unwrap();
                    match own.recv(&mut buffer) {
                        Ok(size) => transfer.on_packet(&buffer[..size], now()),
                        Err(_) => transfer.on_timeout(now()),
                    }
                }
                Action::Done(report) => return report,
            }
        }
    });
    (address, server)
}

#[tokio::test]
async fn whole_files_arrive_also_when_the_last_block_is_empty() {
    for len in [0, 1, 1467, 1468, 1469, 1468 * 4, 400_000] {
        let (address, server) = serve(len, &[]);
        assert_eq!(fetch(Ipv4Addr::UNSPECIFIED, address, "snponly.efi").await.unwrap(), len);
        let report = server.join().unwrap();
        assert_eq!((report.bytes, report.end), (len, End::Completed));
    }
}

#[tokio::test]
async fn a_lost_block_is_asked_for_again() {
    // The second block of the second window.
    let (address, server) = serve(1468 * 12, &[6]);
    assert_eq!(
        fetch(Ipv4Addr::UNSPECIFIED, address, "snponly.efi").await.unwrap(),
        1468 * 12
    );
    let report = server.join().unwrap();
    assert_eq!(report.end, End::Completed);
    assert!(report.retransmits > 0);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_server_s_words() {
    let (door, address) = socket();
    let server = thread::spawn(move || {
        let mut buffer = [0; 600];
        let (_, client) = door.recv_from(&mut buffer).unwrap();
        door.send_to(&error_packet(ErrorCode::FileNotFound, "no such file"), client)
            .unwrap();
    });
    let error = fetch(Ipv4Addr::UNSPECIFIED, address, "autoexec.ipxe")
        .await
        .unwrap_err();
    server.join().unwrap();
    assert!(
        matches!(&error, TftpClientError::Refused { code: 1, text } if text == "no such file"),
        "{error}"
    );
}
