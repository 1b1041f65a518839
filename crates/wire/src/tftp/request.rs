//! Read requests.

use super::{ErrorCode, error_packet};

/// Longest request looked at, in bytes; RFC 2347 allows no more than 512.
const MAX_REQUEST: usize = 1024;

/// A client's read request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// File name as sent: maybe with a leading slash, with `..`, or a Windows path. The server
    /// decides what it names.
    pub file: String,
    /// Transfer mode.
    pub mode: Mode,
    /// Options the client asked for, as asked.
    pub options: Options,
}

/// Transfer mode. Only `octet` moves bytes unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes as they are.
    Octet,
    /// Text with CR LF line ends; boot clients do not use it.
    Netascii,
}

/// Options of RFC 2348, 2349 and 7440. Unknown options, and values outside the RFC's range, are
/// left out, which refuses them silently (RFC 2347).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes per block, 8 to 65464.
    pub block_size: Option<u16>,
    /// The client wants to know the size.
    pub transfer_size: bool,
    /// Seconds before a retransmission, 1 to 255.
    pub timeout: Option<u8>,
    /// Blocks per acknowledgement, 1 to 65535.
    pub window_size: Option<u16>,
}

/// Why a datagram is no read request that can be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// Not a request: a stray packet of another transfer. Nothing is answered.
    #[error("opcode {opcode} starts no transfer")]
    NotARequest {
        /// The opcode, 0 when there is none.
        opcode: u16,
    },
    /// A write request.
    #[error("write of a file was asked for; this server only hands files out")]
    Write,
    /// A field without its NUL, or too long.
    #[error("read request is malformed: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Not octet or netascii.
    #[error("transfer mode `{mode}` is unknown; use octet")]
    Mode {
        /// The mode, cut at 16 characters.
        mode: String,
    },
}

impl RequestFault {
    /// The ERROR packet to answer with; `None` for what must not be answered.
    #[must_use]
    pub fn answer(&self) -> Option<Vec<u8>> {
        let code = match self {
            Self::NotARequest { .. } => return None,
            Self::Write => ErrorCode::AccessViolation,
            Self::Malformed { .. } | Self::Mode { .. } => ErrorCode::IllegalOperation,
        };
        Some(error_packet(code, &self.to_string()))
    }
}

/// Reads a datagram that came to the TFTP port.
///
/// # Errors
/// [`RequestFault`] for anything but a read request; see [`RequestFault::answer`].
pub fn parse_request(datagram: &[u8]) -> Result<Request, RequestFault> {
    let Some((opcode, body)) = datagram.split_first_chunk::<2>() else {
        return Err(RequestFault::NotARequest { opcode: 0 });
    };
    let opcode = u16::from_be_bytes(*opcode);
    match tftpd::Opcode::from_u16(opcode) {
        Ok(tftpd::Opcode::Rrq) => {}
        Ok(tftpd::Opcode::Wrq) => return Err(RequestFault::Write),
        _ => return Err(RequestFault::NotARequest { opcode }),
    }
    if datagram.len() > MAX_REQUEST {
        return Err(RequestFault::Malformed {
            what: "longer than 1024 bytes",
        });
    }
    let (file, rest) = text(body)?;
    if file.is_empty() {
        return Err(RequestFault::Malformed { what: "no file name" });
    }
    let (mode, rest) = text(rest)?;
    let mode = if mode.eq_ignore_ascii_case("octet") {
        Mode::Octet
    } else if mode.eq_ignore_ascii_case("netascii") {
        Mode::Netascii
    } else {
        return Err(RequestFault::Mode {
            mode: mode.chars().take(16).collect(),
        });
    };
    Ok(Request {
        file: file.to_owned(),
        mode,
        options: options(rest),
    })
}

/// One NUL-terminated text and what follows.
fn text(field: &[u8]) -> Result<(&str, &[u8]), RequestFault> {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .ok_or(RequestFault::Malformed {
            what: "a text has no terminating NUL",
        })?;
    let (text, rest) = field.split_at_checked(end).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| RequestFault::Malformed {
        what: "a text is not UTF-8",
    })?;
    Ok((text, rest.get(1..).unwrap_or_default()))
}

/// Reads options as far as they make sense. Some ROMs leave rubbish behind the last one.
fn options(mut rest: &[u8]) -> Options {
    let mut found = Options::default();
    while let Ok((name, after)) = text(rest) {
        let Ok((value, after)) = text(after) else { break };
        rest = after;
        // The first instance counts: RFC 2347 allows one.
        match name.to_ascii_lowercase().as_str() {
            "blksize" => {
                let asked = value.parse().ok().filter(|size| (8..=65464).contains(size));
                found.block_size = found.block_size.or(asked);
            }
            "tsize" => found.transfer_size = true,
            "timeout" => {
                let asked = value.parse().ok().filter(|seconds| *seconds > 0);
                found.timeout = found.timeout.or(asked);
            }
            "windowsize" => {
                let asked = value.parse().ok().filter(|blocks| *blocks > 0);
                found.window_size = found.window_size.or(asked);
            }
            _ => {}
        }
    }
    found
}
