//! LLDP: which switch and port a NIC hangs on (IEEE 802.1AB).

use std::net::{Ipv4Addr, Ipv6Addr};

use muster_facts::MacAddr;

/// LLDP's Ethernet type.
const ETHERTYPE: [u8; 2] = [0x88, 0xcc];
/// VLAN tags in front of it.
const VLAN_TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
/// IEEE 802.1's organisation.
const IEEE_802_1: [u8; 3] = [0x00, 0x80, 0xc2];
/// Longest text kept of any field, characters.
const MAX_TEXT: usize = 255;

/// What a neighbour says of itself and the port we hang on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The switch: its MAC address as a rule, else the text or address it uses.
    pub chassis_id: String,
    /// The port: `Ethernet1/7`, `swp3`, or a MAC address.
    pub port_id: String,
    /// The port in a person's words.
    pub port_description: Option<String>,
    /// The switch's name.
    pub system_name: Option<String>,
    /// VLAN of untagged frames on the port, 1 to 4094.
    pub vlan: Option<u16>,
    /// Seconds until this is out of date; 0 says the neighbour leaves.
    pub ttl: u16,
}

/// Why bytes are no LLDP announcement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LldpError {
    /// The bytes end inside a TLV.
    #[error("announcement ends inside TLV {tlv}")]
    Cut {
        /// TLV type.
        tlv: u8,
    },
    /// Chassis, port and time to live are mandatory, first, and in this order.
    #[error("announcement has no {what} at its place")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
}

/// Reads an Ethernet frame of type 88-CC, tagged or not, or the LLDPDU inside it.
///
/// # Errors
/// [`LldpError`]. Optional TLVs that make no sense are left out instead.
pub fn parse(bytes: &[u8]) -> Result<Neighbour, LldpError> {
    let mut rest = payload(bytes);
    let mut mandatory = |wanted, what| match next(&mut rest)? {
        Some((kind, value)) if kind == wanted => Ok(value),
        _ => Err(LldpError::Missing { what }),
    };
    let chassis = mandatory(1, "chassis id")?;
    let port = mandatory(2, "port id")?;
    let ttl = mandatory(3, "time to live")?;
    let mut found = Neighbour {
        chassis_id: identity(chassis, &Numbering::CHASSIS).ok_or(LldpError::Missing { what: "chassis id" })?,
        port_id: identity(port, &Numbering::PORT).ok_or(LldpError::Missing { what: "port id" })?,
        port_description: None,
        system_name: None,
        vlan: None,
        ttl: ttl
            .first_chunk()
            .map(|bytes| u16::from_be_bytes(*bytes))
            .ok_or(LldpError::Missing { what: "time to live" })?,
    };
    while let Some((kind, value)) = next(&mut rest)? {
        match kind {
            4 => found.port_description = text(value),
            5 => found.system_name = text(value),
            127 => found.vlan = found.vlan.or_else(|| port_vlan(value)),
            _ => {}
        }
    }
    Ok(found)
}

/// The LLDPDU of a frame, or the bytes themselves.
fn payload(bytes: &[u8]) -> &[u8] {
    let Some((_, mut rest)) = bytes.split_first_chunk::<12>() else {
        return bytes;
    };
    for _ in 0..3 {
        let Some((kind, after)) = rest.split_first_chunk::<2>() else {
            break;
        };
        if *kind == ETHERTYPE {
            return after;
        }
        if !VLAN_TAGS.contains(kind) {
            break;
        }
        rest = after.get(2..).unwrap_or_default();
    }
    bytes
}

/// The next TLV: seven bits of type, nine of length. `None` at the end TLV or the last byte.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<(u8, &'a [u8])>, LldpError> {
    let Some((head, after)) = rest.split_first_chunk::<2>() else {
        return match rest.first() {
            Some(high) => Err(LldpError::Cut { tlv: high >> 1 }),
            None => Ok(None),
        };
    };
    let [high, _] = *head;
    let kind = high >> 1;
    if kind == 0 {
        return Ok(None);
    }
    let len = usize::from(u16::from_be_bytes(*head) & 0x1ff);
    let (value, after) = after.split_at_checked(len).ok_or(LldpError::Cut { tlv: kind })?;
    *rest = after;
    Ok(Some((kind, value)))
}

/// Subtypes that are not text; chassis and port number them differently.
struct Numbering {
    mac: u8,
    network: u8,
}

impl Numbering {
    const CHASSIS: Self = Self { mac: 4, network: 5 };
    const PORT: Self = Self { mac: 3, network: 4 };
}

/// A chassis or port id as text.
fn identity(value: &[u8], numbering: &Numbering) -> Option<String> {
    let (subtype, id) = value.split_first()?;
    if *subtype == numbering.mac {
        if let Ok(mac) = <[u8; 6]>::try_from(id) {
            return Some(MacAddr(mac).to_string());
        }
    } else if *subtype == numbering.network {
        // The first byte is IANA's address family.
        match id.split_first() {
            Some((1, address)) if address.len() == 4 => {
                return <[u8; 4]>::try_from(address)
                    .ok()
                    .map(|octets| Ipv4Addr::from(octets).to_string());
            }
            Some((2, address)) if address.len() == 16 => {
                return <[u8; 16]>::try_from(address)
                    .ok()
                    .map(|octets| Ipv6Addr::from(octets).to_string());
            }
            _ => {}
        }
    }
    text(id)
}

/// Text for a person: UTF-8 as far as it is, no control characters. `None` when nothing is left.
fn text(value: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(value)
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_TEXT)
        .collect();
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Port VLAN id: organisation 00-80-C2, subtype 1. Zero says the port has none.
fn port_vlan(value: &[u8]) -> Option<u16> {
    let ([a, b, c, subtype, high, low], _) = value.split_first_chunk()?;
    let vlan = u16::from_be_bytes([*high, *low]);
    ([*a, *b, *c] == IEEE_802_1 && *subtype == 1 && (1..4095).contains(&vlan)).then_some(vlan)
}
