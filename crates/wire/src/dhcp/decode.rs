//! Bytes to [`Message`].

use std::{collections::BTreeMap, net::Ipv4Addr};

use muster_facts::MacAddr;

use super::{
    Architecture, IpxeOptions, Message, MessageType, Opcode, RelayInfo, Undi,
    options::{address, addresses},
    tlv::{Step, Walk},
};

/// Longest datagram looked at. Clients stay within one Ethernet frame; this leaves room for jumbo
/// answers of other servers.
pub const MAX_DATAGRAM: usize = 4096;

/// Why a datagram is no DHCP message at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than the fixed part and the magic cookie.
    #[error("datagram of {len} bytes is shorter than the 240 bytes of a DHCP message")]
    TooShort {
        /// Its length.
        len: usize,
    },
    /// Longer than [`MAX_DATAGRAM`].
    #[error("datagram of {len} bytes is longer than the {MAX_DATAGRAM} bytes accepted")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// Neither request nor reply.
    #[error("op {op} is neither 1 (request) nor 2 (reply)")]
    Op {
        /// The byte.
        op: u8,
    },
    /// The hardware address cannot have this length.
    #[error("hardware address of type {htype} has length {hlen}; Ethernet has 6 and none has more than 16")]
    HardwareLength {
        /// Hardware type.
        htype: u8,
        /// Claimed length.
        hlen: u8,
    },
    /// Hardware type 0 is reserved.
    #[error("hardware type 0 names no hardware")]
    HardwareType,
    /// No DHCP options follow: another protocol, or BOOTP of before 1993.
    #[error("magic cookie is {cookie:02x?} instead of 63 82 53 63")]
    Cookie {
        /// The four bytes found.
        cookie: [u8; 4],
    },
}

/// Reads a DHCP message (RFC 2131 §2).
///
/// # Errors
/// [`DecodeError`] when the fixed part is not that of a DHCP message. Bad options are no error:
/// each loses only itself and is noted in [`Message::faults`].
pub fn decode(datagram: &[u8]) -> Result<Message, DecodeError> {
    let too_short = || DecodeError::TooShort { len: datagram.len() };
    if datagram.len() > MAX_DATAGRAM {
        return Err(DecodeError::TooLong { len: datagram.len() });
    }
    let ([op, htype, hlen, hops], rest) = datagram.split_first_chunk().ok_or_else(too_short)?;
    let (xid, rest) = rest.split_first_chunk().ok_or_else(too_short)?;
    let (secs, rest) = rest.split_first_chunk().ok_or_else(too_short)?;
    let (flags, rest) = rest.split_first_chunk::<2>().ok_or_else(too_short)?;
    let (ciaddr, rest) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;
    let (yiaddr, rest) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;
    let (siaddr, rest) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;
    let (giaddr, rest) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;
    let (chaddr, rest) = rest.split_first_chunk::<16>().ok_or_else(too_short)?;
    let (sname, rest) = rest.split_first_chunk::<64>().ok_or_else(too_short)?;
    let (file, rest) = rest.split_first_chunk::<128>().ok_or_else(too_short)?;
    let (cookie, options) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;

    match (*htype, *hlen) {
        (0, _) => return Err(DecodeError::HardwareType),
        (1, 6) | (2.., 0..=16) => {}
        (htype, hlen) => return Err(DecodeError::HardwareLength { htype, hlen }),
    }
    let op = match *op {
        1 => Opcode::BootRequest,
        2 => Opcode::BootReply,
        op => return Err(DecodeError::Op { op }),
    };
    if *cookie != dhcproto::v4::MAGIC {
        return Err(DecodeError::Cookie { cookie: *cookie });
    }

    let mut message = Message::new(op, u32::from_be_bytes(*xid), MacAddr([0; 6]));
    message.htype = *htype;
    message.hlen = *hlen;
    message.hops = *hops;
    message.secs = u16::from_be_bytes(*secs);
    message.broadcast = u16::from_be_bytes(*flags) & 0x8000 != 0;
    message.ciaddr = Ipv4Addr::from(*ciaddr);
    message.yiaddr = Ipv4Addr::from(*yiaddr);
    message.siaddr = Ipv4Addr::from(*siaddr);
    message.giaddr = Ipv4Addr::from(*giaddr);
    message.chaddr = *chaddr;

    let mut found = Found::default();
    found.gather(options, &mut message);
    // RFC 2131 §4.1: file before sname.
    let overload = found.overload(&mut message);
    if overload & 1 != 0 {
        found.gather(file, &mut message);
    } else {
        message.file = fixed_text(file, &mut message);
    }
    if overload & 2 != 0 {
        found.gather(sname, &mut message);
    } else {
        message.sname = fixed_text(sname, &mut message);
    }
    for (code, value) in found.options {
        read(&mut message, code, value);
    }
    Ok(message)
}

/// The value of one option, joined from all its instances (RFC 3396).
#[derive(Default)]
struct Value {
    bytes: Vec<u8>,
    /// Length of the first instance, to fall back on when a client sends an option twice that
    /// cannot be split.
    first: usize,
}

impl Value {
    /// The value of an option of fixed size.
    fn exact<const N: usize>(&self) -> Option<[u8; N]> {
        if let Ok(whole) = <[u8; N]>::try_from(self.bytes.as_slice()) {
            return Some(whole);
        }
        (self.first == N).then(|| self.bytes.first_chunk().copied()).flatten()
    }
}

#[derive(Default)]
struct Found {
    options: BTreeMap<u8, Value>,
}

impl Found {
    fn gather(&mut self, field: &[u8], message: &mut Message) {
        for step in Walk::new(field) {
            match step {
                Step::Option(code, bytes) => {
                    let value = self.options.entry(code).or_insert_with(|| Value {
                        bytes: Vec::new(),
                        first: bytes.len(),
                    });
                    value.bytes.extend(bytes);
                }
                Step::Cut(code) => message.fault(code, "the datagram ends inside it"),
            }
        }
    }

    fn overload(&mut self, message: &mut Message) -> u8 {
        const OVERLOAD: u8 = 52;
        match self.options.remove(&OVERLOAD).map(|value| value.exact()) {
            None => 0,
            Some(Some([bits @ 1..=3])) => bits,
            Some(_) => {
                message.fault(OVERLOAD, "is not 1, 2 or 3");
                0
            }
        }
    }
}

/// The text of a fixed field, up to its first NUL.
fn fixed_text(field: &[u8], message: &mut Message) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let text = field.get(..end).unwrap_or_default();
    match std::str::from_utf8(text) {
        // As in options 66 and 67, into which it would be written when it does not fit here.
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        Ok(_) => {
            message.fault(0, "server name or boot file field has control characters");
            String::new()
        }
        Err(_) => {
            message.fault(0, "server name or boot file field is not UTF-8 text");
            String::new()
        }
    }
}

/// Puts one option into its field, or notes why not.
fn read(message: &mut Message, code: u8, value: Value) {
    if let Err(why) = set(message, code, value) {
        message.fault(code, why);
    }
}

fn set(message: &mut Message, code: u8, value: Value) -> Result<(), &'static str> {
    match code {
        1 => message.subnet_mask = Some(one_address(&value)?),
        3 => message.routers = address_list(&value)?,
        6 => message.dns = address_list(&value)?,
        12 => message.hostname = Some(text(value)?),
        15 => message.domain = Some(text(value)?),
        28 => message.broadcast_address = Some(one_address(&value)?),
        42 => message.ntp = address_list(&value)?,
        43 => message.vendor_options = Some(value.bytes),
        50 => message.requested_ip = Some(one_address(&value)?),
        51 => message.lease_time = Some(seconds(&value)?),
        53 => {
            let [kind] = value.exact().ok_or("is not one byte")?;
            message.message_type = Some(MessageType::from(kind));
        }
        54 => message.server_id = Some(one_address(&value)?),
        55 => message.parameters = value.bytes,
        56 => message.message = Some(text(value)?),
        57 => message.max_size = Some(u16::from_be_bytes(value.exact().ok_or("is not two bytes")?)),
        58 => message.renewal_time = Some(seconds(&value)?),
        59 => message.rebinding_time = Some(seconds(&value)?),
        60 => message.vendor_class = Some(value.bytes),
        61 => message.client_id = Some(value.bytes),
        66 => message.tftp_server = Some(text(value)?),
        67 => message.boot_file = Some(text(value)?),
        77 => message.user_class = Some(value.bytes),
        82 => message.relay = Some(RelayInfo { raw: value.bytes }),
        93 => {
            if value.bytes.is_empty() || value.bytes.len() % 2 == 1 {
                return Err("is not a list of two-byte architectures");
            }
            message.architectures = value
                .bytes
                .chunks_exact(2)
                .filter_map(|pair| pair.try_into().ok())
                .map(|pair| Architecture(u16::from_be_bytes(pair)))
                .collect();
        }
        94 => {
            let [kind, major, minor] = value.exact().ok_or("is not three bytes")?;
            message.undi = Some(Undi { kind, major, minor });
        }
        97 => {
            let id: [u8; 17] = value.exact().ok_or("is not a type byte and 16 bytes")?;
            message.machine_id_raw = Some(id.to_vec());
        }
        175 => message.ipxe = Some(IpxeOptions { raw: value.bytes }),
        _ => {
            message.others.insert(code, value.bytes);
        }
    }
    Ok(())
}

fn one_address(value: &Value) -> Result<Ipv4Addr, &'static str> {
    value
        .exact::<4>()
        .and_then(|bytes| address(&bytes))
        .ok_or("is not one IPv4 address")
}

fn address_list(value: &Value) -> Result<Vec<Ipv4Addr>, &'static str> {
    if value.bytes.is_empty() || !value.bytes.len().is_multiple_of(4) {
        return Err("is not a list of IPv4 addresses");
    }
    Ok(addresses(&value.bytes))
}

fn seconds(value: &Value) -> Result<u32, &'static str> {
    value
        .exact()
        .map(u32::from_be_bytes)
        .ok_or("is not four bytes of seconds")
}

fn text(value: Value) -> Result<String, &'static str> {
    let mut text = String::from_utf8(value.bytes).map_err(|_| "is not UTF-8 text")?;
    // Some clients count the terminating NUL.
    text.truncate(text.trim_end_matches('\0').len());
    if text.contains(char::is_control) {
        return Err("has control characters");
    }
    Ok(text)
}
