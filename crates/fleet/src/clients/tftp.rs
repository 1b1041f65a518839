use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use tokio::net::UdpSocket;

const BLOCK: usize = 1468;
const WINDOW: u16 = 4;
const TRIES: u32 = 6;

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum TftpClientError {
    /// The server refused.
    #[error("TFTP error {code}: {text}")]
    Refused {
        /// RFC 1350 code.
        code: u16,
        /// The server's words.
        text: String,
    },
    /// The server stopped answering.
    #[error("the TFTP server stopped answering after {bytes} bytes")]
    Silence {
        /// Received so far.
        bytes: u64,
    },
    /// The socket failed.
    #[error("the TFTP client's socket failed")]
    Socket(#[from] io::Error),
}

/// Fetches a file as UEFI firmware does (blksize 1468, windowsize 4, tsize) and throws the content away.
/// `own` is the address it asks from; unspecified leaves that to the kernel. Gives the number of bytes.
///
/// # Errors
/// When the server refuses or stops answering.
pub async fn fetch(own: Ipv4Addr, server: SocketAddrV4, file: &str) -> Result<u64, TftpClientError> {
    let socket = UdpSocket::bind(SocketAddrV4::new(own, 0)).await?;
    let mut request = vec![0, 1];
    let block = BLOCK.to_string();
    let window = WINDOW.to_string();
    for field in [file, "octet", "tsize", "0", "blksize", &block, "windowsize", &window] {
        request.extend_from_slice(field.as_bytes());
        request.push(0);
    }
    socket.send_to(&request, server).await?;

    let mut peer: Option<SocketAddr> = None;
    let mut last_sent = request;
    let (mut received, mut bytes, mut in_window, mut tries) = (0_u64, 0_u64, 0_u16, 0);
    let (mut block_len, mut window_len) = (512, 1);
    let mut buffer = vec![0; BLOCK + 64];
    loop {
        let Ok(arrived) = tokio::time::timeout(Duration::from_secs(2), socket.recv_from(&mut buffer)).await else {
            tries += 1;
            if tries > TRIES {
                return Err(TftpClientError::Silence { bytes });
            }
            socket.send_to(&last_sent, peer.unwrap_or(server.into())).await?;
            continue;
        };
        let (len, from) = arrived?;
        if *peer.get_or_insert(from) != from {
            continue;
        }
        let (Some(opcode), Some(body)) = (buffer.get(..2), buffer.get(2..len)) else {
            continue;
        };
        match opcode {
            [0, 6] => {
                (block_len, window_len) = agreed(body);
                last_sent = ack(0);
                socket.send_to(&last_sent, from).await?;
            }
            [0, 3] => {
                let Some((number, data)) = body.split_first_chunk::<2>() else {
                    continue;
                };
                let expected = (received + 1) as u16;
                if u16::from_be_bytes(*number) != expected {
                    // Out of order: say what is missing, once a window.
                    in_window = 0;
                    last_sent = ack(received as u16);
                    socket.send_to(&last_sent, from).await?;
                    continue;
                }
                received += 1;
                bytes += data.len() as u64;
                in_window += 1;
                tries = 0;
                let last = data.len() < block_len;
                if last || in_window >= window_len {
                    in_window = 0;
                    last_sent = ack(received as u16);
                    socket.send_to(&last_sent, from).await?;
                }
                if last {
                    return Ok(bytes);
                }
            }
            [0, 5] => {
                let code = body.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
                let text = String::from_utf8_lossy(body.get(2..).unwrap_or_default());
                return Err(TftpClientError::Refused {
                    code,
                    text: text.trim_end_matches('\0').to_owned(),
                });
            }
            _ => {}
        }
    }
}

/// Block and window size of an OACK; what it leaves out was refused.
fn agreed(oack: &[u8]) -> (usize, u16) {
    let fields: Vec<_> = oack.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let value = |name: &str| {
        fields
            .chunks(2)
            .find(|pair| pair[0].eq_ignore_ascii_case(name))
            .and_then(|pair| pair.get(1)?.parse::<u16>().ok())
    };
    (
        value("blksize").map_or(512, usize::from),
        value("windowsize").unwrap_or(1).max(1),
    )
}

fn ack(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![0, 4, high, low]
}
