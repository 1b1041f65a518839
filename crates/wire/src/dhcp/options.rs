//! Options that hold options: relay agent information, PXE's vendor options, iPXE's own.

use std::net::Ipv4Addr;

use super::{tlv, vendor};

/// Relay agent information, option 82 (RFC 3046). A server echoes the bytes as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayInfo {
    /// The whole option as received.
    pub raw: Vec<u8>,
}

impl RelayInfo {
    /// Sub-option 1: the relay's port or circuit the client hangs on.
    #[must_use]
    pub fn circuit_id(&self) -> Option<&[u8]> {
        tlv::find(&self.raw, 1)
    }

    /// Sub-option 2: the remote end of the circuit, often the switch's MAC address.
    #[must_use]
    pub fn remote_id(&self) -> Option<&[u8]> {
        tlv::find(&self.raw, 2)
    }

    /// Sub-option 5: the subnet to give an address of, instead of giaddr's (RFC 3527).
    #[must_use]
    pub fn link_selection(&self) -> Option<Ipv4Addr> {
        address(tlv::find(&self.raw, 5)?)
    }

    /// Sub-option 11: the address the server must call itself by (RFC 5107).
    #[must_use]
    pub fn server_id_override(&self) -> Option<Ipv4Addr> {
        address(tlv::find(&self.raw, 11)?)
    }
}

/// PXE's vendor options, option 43 of a PXE server's answer (PXE 2.1 §2.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PxeVendorOptions {
    /// Sub-option 6: bits of how to find boot servers. 8 means: use the boot file of this answer.
    pub discovery_control: Option<u8>,
    /// Sub-option 8: boot servers by type.
    pub boot_servers: Vec<BootServer>,
    /// Sub-option 9: the menu shown to the person.
    pub menu: Vec<MenuEntry>,
    /// Sub-option 10: seconds to wait at the prompt (255 is for ever) and its text.
    pub prompt: Option<(u8, String)>,
    /// Sub-option 71: the chosen boot server type and layer.
    pub boot_item: Option<(u16, u16)>,
}

/// One entry of [`PxeVendorOptions::boot_servers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootServer {
    /// Boot server type, as in the menu.
    pub kind: u16,
    /// Where servers of this type answer; empty means any.
    pub addresses: Vec<Ipv4Addr>,
}

/// One entry of [`PxeVendorOptions::menu`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuEntry {
    /// Boot server type; 0 is booting from the local disk.
    pub kind: u16,
    /// What the person reads.
    pub text: String,
}

impl PxeVendorOptions {
    /// Discovery control 8: no search for boot servers, take the boot file of this answer.
    pub const USE_BOOT_FILE: u8 = 8;

    /// Reads option 43 of a PXE message. Sub-options that make no sense are left out.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Self {
        let mut found = Self::default();
        for step in tlv::Walk::new(raw) {
            let tlv::Step::Option(code, value) = step else { break };
            match code {
                6 => found.discovery_control = value.first().copied(),
                8 => found.boot_servers = boot_servers(value),
                9 => found.menu = menu(value),
                10 => {
                    found.prompt = value
                        .split_first()
                        .map(|(wait, text)| (*wait, String::from_utf8_lossy(text).into_owned()));
                }
                71 => {
                    found.boot_item = value
                        .first_chunk()
                        .map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
                }
                _ => {}
            }
        }
        found
    }

    /// The bytes of option 43, with the end marker PXE ROMs look for. Entries that do not fit the
    /// 255 bytes of their sub-option are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(control) = self.discovery_control {
            tlv::push(&mut out, 6, &[control]);
        }
        let servers = self.boot_servers.iter().map(|server| {
            let mut entry = server.kind.to_be_bytes().to_vec();
            let count = u8::try_from(server.addresses.len()).unwrap_or(u8::MAX);
            entry.push(count);
            for address in server.addresses.iter().take(usize::from(count)) {
                entry.extend(address.octets());
            }
            entry
        });
        push_entries(&mut out, 8, servers);
        let entries = self.menu.iter().filter_map(|item| {
            let mut entry = item.kind.to_be_bytes().to_vec();
            entry.push(u8::try_from(item.text.len()).ok()?);
            entry.extend(item.text.bytes());
            Some(entry)
        });
        push_entries(&mut out, 9, entries);
        if let Some((wait, text)) = &self.prompt {
            let mut value = vec![*wait];
            value.extend(text.bytes().take(254));
            tlv::push(&mut out, 10, &value);
        }
        if let Some((kind, layer)) = self.boot_item {
            let [a, b] = kind.to_be_bytes();
            let [c, d] = layer.to_be_bytes();
            tlv::push(&mut out, 71, &[a, b, c, d]);
        }
        out.push(255);
        out
    }
}

fn push_entries(out: &mut Vec<u8>, code: u8, entries: impl Iterator<Item = Vec<u8>>) {
    let mut value = Vec::new();
    for entry in entries {
        if value.len() + entry.len() <= usize::from(u8::MAX) {
            value.extend(entry);
        }
    }
    if !value.is_empty() {
        tlv::push(out, code, &value);
    }
}

fn boot_servers(mut rest: &[u8]) -> Vec<BootServer> {
    let mut servers = Vec::new();
    while let Some(([a, b, count], after)) = rest.split_first_chunk() {
        let Some((list, tail)) = after.split_at_checked(usize::from(*count) * 4) else {
            break;
        };
        servers.push(BootServer {
            kind: u16::from_be_bytes([*a, *b]),
            addresses: addresses(list),
        });
        rest = tail;
    }
    servers
}

fn menu(mut rest: &[u8]) -> Vec<MenuEntry> {
    let mut entries = Vec::new();
    while let Some(([a, b, len], after)) = rest.split_first_chunk() {
        let Some((text, tail)) = after.split_at_checked(usize::from(*len)) else {
            break;
        };
        entries.push(MenuEntry {
            kind: u16::from_be_bytes([*a, *b]),
            text: String::from_utf8_lossy(text).into_owned(),
        });
        rest = tail;
    }
    entries
}

/// iPXE's encapsulated options, option 175.
///
/// A client lists its features in it; a server sets how iPXE behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpxeOptions {
    /// The whole option as on the wire.
    pub raw: Vec<u8>,
}

impl IpxeOptions {
    const NO_PXEDHCP: u8 = 176;
    const BUS_ID: u8 = 177;
    const VERSION: u8 = 235;
    const HTTP: u8 = 19;
    const HTTPS: u8 = 20;
    const EFI: u8 = 36;

    /// With sub-option 176 set: iPXE then does not wait for a ProxyDHCP answer, which takes
    /// configuring from seconds to none.
    #[must_use]
    pub fn with_no_pxedhcp(mut self) -> Self {
        if !self.no_pxedhcp() {
            tlv::push(&mut self.raw, Self::NO_PXEDHCP, &[1]);
        }
        self
    }

    /// True when sub-option 176 is set.
    #[must_use]
    pub fn no_pxedhcp(&self) -> bool {
        vendor::flag(&self.raw, Self::NO_PXEDHCP)
    }

    /// True when the client can fetch by HTTP.
    #[must_use]
    pub fn http(&self) -> bool {
        vendor::flag(&self.raw, Self::HTTP)
    }

    /// True when the client can fetch by HTTPS.
    #[must_use]
    pub fn https(&self) -> bool {
        vendor::flag(&self.raw, Self::HTTPS)
    }

    /// True when the client can start EFI programs.
    #[must_use]
    pub fn efi(&self) -> bool {
        vendor::flag(&self.raw, Self::EFI)
    }

    /// The client's iPXE version: major, minor, patch.
    #[must_use]
    pub fn version(&self) -> Option<(u8, u8, u8)> {
        let [major, minor, patch] = tlv::find(&self.raw, Self::VERSION)?.first_chunk()?;
        Some((*major, *minor, *patch))
    }

    /// PCI vendor and device of the boot NIC.
    #[must_use]
    pub fn pci_id(&self) -> Option<(u16, u16)> {
        // The first byte is the bus: 1 is PCI.
        let [1, a, b, c, d] = tlv::find(&self.raw, Self::BUS_ID)?.first_chunk()? else {
            return None;
        };
        Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
    }
}

/// An IPv4 address of exactly four bytes.
pub(crate) fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// As many addresses as there are whole groups of four bytes.
pub(crate) fn addresses(value: &[u8]) -> Vec<Ipv4Addr> {
    value.chunks_exact(4).filter_map(address).collect()
}
