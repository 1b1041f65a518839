//! [`Message`] to bytes.

use std::net::Ipv4Addr;

use super::{Message, Opcode, tlv};

/// Shortest message sent: BOOTP relays and old ROMs drop shorter ones (RFC 1542 §2.1).
pub const MIN_LEN: usize = 300;

/// Longest message sent: one Ethernet frame without IP and UDP headers.
pub const MAX_REPLY: usize = 1472;

/// Writes a message of at most [`MAX_REPLY`] bytes; see [`encode_within`].
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    encode_within(message, MAX_REPLY)
}

/// Writes a message of at most `limit` bytes ([`Message::reply_limit`]), padded to [`MIN_LEN`].
///
/// When everything does not fit, options are left out, the least needed for booting first; the
/// message type and server identifier always stay. Option 82 comes last (RFC 3046 §2.1). A boot
/// file that does not fit its 128-byte field with its NUL goes into option 67, and a server name
/// into option 66, unless those are set.
#[must_use]
pub fn encode_within(message: &Message, limit: usize) -> Vec<u8> {
    let limit = limit.clamp(MIN_LEN, MAX_REPLY);
    let mut out = fixed_part(message);
    let mut options = options(message);
    // The end marker takes the last byte.
    let room = limit - out.len() - 1;
    while options.iter().map(|option| option.bytes.len()).sum::<usize>() > room {
        let least = options
            .iter()
            .enumerate()
            .max_by_key(|(_, option)| option.rank)
            .map(|(place, _)| place);
        let Some(place) = least else { break };
        options.remove(place);
    }
    for option in options {
        out.extend(option.bytes);
    }
    out.push(255);
    if out.len() < MIN_LEN {
        out.resize(MIN_LEN, 0);
    }
    out
}

fn fixed_part(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(MIN_LEN);
    let op = match message.op {
        Opcode::BootReply => 2,
        _ => 1,
    };
    out.extend([op, message.htype, message.hlen.min(16), message.hops]);
    out.extend(message.xid.to_be_bytes());
    out.extend(message.secs.to_be_bytes());
    out.extend(if message.broadcast { [0x80, 0] } else { [0, 0] });
    for address in [message.ciaddr, message.yiaddr, message.siaddr, message.giaddr] {
        out.extend(address.octets());
    }
    out.extend(message.chaddr);
    push_fixed_text::<64>(&mut out, &message.sname);
    push_fixed_text::<128>(&mut out, &message.file);
    out.extend(dhcproto::v4::MAGIC);
    out
}

/// Writes a text with its NUL into a field of `N` bytes, or leaves the field empty.
fn push_fixed_text<const N: usize>(out: &mut Vec<u8>, text: &str) {
    let mut field = [0; N];
    if text.len() < N {
        for (to, from) in field.iter_mut().zip(text.bytes()) {
            *to = from;
        }
    }
    out.extend(field);
}

struct Encoded {
    /// Larger is left out sooner.
    rank: u8,
    bytes: Vec<u8>,
}

/// All options in the order they are sent.
fn options(message: &Message) -> Vec<Encoded> {
    let mut list = List(Vec::new());
    list.bytes(0, 53, message.message_type.map(|kind| [u8::from(kind)]));
    list.address(1, 54, message.server_id);
    list.address(2, 50, message.requested_ip);
    list.bytes(3, 51, message.lease_time.map(u32::to_be_bytes));
    list.bytes(24, 58, message.renewal_time.map(u32::to_be_bytes));
    list.bytes(25, 59, message.rebinding_time.map(u32::to_be_bytes));
    list.address(4, 1, message.subnet_mask);
    list.addresses(5, 3, &message.routers);
    list.addresses(14, 6, &message.dns);
    list.bytes(12, 57, message.max_size.map(u16::to_be_bytes));
    list.some(13, 55, Some(&message.parameters).filter(|codes| !codes.is_empty()));
    list.some(8, 60, message.vendor_class.as_ref());
    list.some(9, 61, message.client_id.as_ref());
    let architectures: Vec<u8> = message
        .architectures
        .iter()
        .flat_map(|arch| arch.0.to_be_bytes())
        .collect();
    list.some(10, 93, Some(&architectures).filter(|codes| !codes.is_empty()));
    list.bytes(11, 94, message.undi.map(|undi| [undi.kind, undi.major, undi.minor]));
    list.some(15, 97, message.machine_id_raw.as_ref());
    list.some(11, 77, message.user_class.as_ref());
    let long_file = (message.file.len() > 127).then_some(&message.file);
    list.some(7, 67, message.boot_file.as_ref().or(long_file));
    let long_name = (message.sname.len() > 63).then_some(&message.sname);
    list.some(16, 66, message.tftp_server.as_ref().or(long_name));
    list.some(17, 43, message.vendor_options.as_ref());
    list.some(18, 175, message.ipxe.as_ref().map(|ipxe| &ipxe.raw));
    list.some(20, 12, message.hostname.as_ref());
    list.some(21, 15, message.domain.as_ref());
    list.address(26, 28, message.broadcast_address);
    list.addresses(23, 42, &message.ntp);
    list.some(22, 56, message.message.as_ref());
    for (code, value) in &message.others {
        // Pad, overload and end are no options to pass on; the others have fields of their own.
        if !matches!(code, 0 | 52 | 82 | 255) {
            list.some(30, *code, Some(value));
        }
    }
    list.some(6, 82, message.relay.as_ref().map(|relay| &relay.raw));
    list.0
}

struct List(Vec<Encoded>);

impl List {
    fn some(&mut self, rank: u8, code: u8, value: Option<&impl AsRef<[u8]>>) {
        if let Some(value) = value {
            self.0.push(Encoded {
                rank,
                bytes: tlv::option(code, value.as_ref()),
            });
        }
    }

    fn bytes<const N: usize>(&mut self, rank: u8, code: u8, value: Option<[u8; N]>) {
        self.some(rank, code, value.as_ref());
    }

    fn address(&mut self, rank: u8, code: u8, value: Option<Ipv4Addr>) {
        self.bytes(rank, code, value.map(|address| address.octets()));
    }

    fn addresses(&mut self, rank: u8, code: u8, list: &[Ipv4Addr]) {
        let value: Vec<u8> = list.iter().flat_map(Ipv4Addr::octets).collect();
        self.some(rank, code, Some(&value).filter(|value| !value.is_empty()));
    }
}
