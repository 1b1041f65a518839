//! A DHCP message as types.

use std::{collections::BTreeMap, net::Ipv4Addr};

use muster_facts::MacAddr;
use uuid::Uuid;

use super::{Architecture, IpxeOptions, MessageType, Opcode, PxeVendorOptions, RelayInfo, VendorClass, encode, vendor};

/// One DHCP message, of a client or of a server.
///
/// Fields hold what is on the wire; what can be read out of them is a method. Absent options are
/// `None` or empty. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request (from a client) or reply (from a server).
    pub op: Opcode,
    /// Hardware type; 1 is Ethernet.
    pub htype: u8,
    /// Bytes of [`Self::chaddr`] that count, 16 at most.
    pub hlen: u8,
    /// Relay agents passed.
    pub hops: u8,
    /// Transaction id, chosen by the client and echoed.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The client cannot take unicast before it has an address.
    pub broadcast: bool,
    /// The client's address, when it has one already.
    pub ciaddr: Ipv4Addr,
    /// The address given to the client.
    pub yiaddr: Ipv4Addr,
    /// The next server: where the boot file is.
    pub siaddr: Ipv4Addr,
    /// The relay agent, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// Hardware address field as on the wire.
    pub chaddr: [u8; 16],
    /// Server name field, 63 bytes at most when sent.
    pub sname: String,
    /// Boot file field, 127 bytes at most when sent; a longer one goes into option 67.
    pub file: String,
    /// Option 53. `None` is a plain BOOTP message.
    pub message_type: Option<MessageType>,
    /// Option 50.
    pub requested_ip: Option<Ipv4Addr>,
    /// Option 54.
    pub server_id: Option<Ipv4Addr>,
    /// Option 51, seconds.
    pub lease_time: Option<u32>,
    /// Option 58 (T1), seconds.
    pub renewal_time: Option<u32>,
    /// Option 59 (T2), seconds.
    pub rebinding_time: Option<u32>,
    /// Option 1.
    pub subnet_mask: Option<Ipv4Addr>,
    /// Option 28.
    pub broadcast_address: Option<Ipv4Addr>,
    /// Option 3.
    pub routers: Vec<Ipv4Addr>,
    /// Option 6.
    pub dns: Vec<Ipv4Addr>,
    /// Option 42.
    pub ntp: Vec<Ipv4Addr>,
    /// Option 12.
    pub hostname: Option<String>,
    /// Option 15.
    pub domain: Option<String>,
    /// Option 56: the server's or client's reason.
    pub message: Option<String>,
    /// Option 55: codes the client asks for.
    pub parameters: Vec<u8>,
    /// Option 57: largest datagram the client takes, IP and UDP headers included.
    pub max_size: Option<u16>,
    /// Option 61, type byte included.
    pub client_id: Option<Vec<u8>>,
    /// Option 60; see [`Self::vendor`].
    pub vendor_class: Option<Vec<u8>>,
    /// Option 43; see [`Self::pxe_vendor_options`].
    pub vendor_options: Option<Vec<u8>>,
    /// Option 77; see [`Self::user_classes`] and [`Self::is_ipxe`].
    pub user_class: Option<Vec<u8>>,
    /// Option 93, in the client's order of preference.
    pub architectures: Vec<Architecture>,
    /// Option 94.
    pub undi: Option<Undi>,
    /// Option 97 as on the wire, type byte included; a server echoes it. See [`Self::uuid`].
    pub machine_id_raw: Option<Vec<u8>>,
    /// Option 66.
    pub tftp_server: Option<String>,
    /// Option 67.
    pub boot_file: Option<String>,
    /// Option 175.
    pub ipxe: Option<IpxeOptions>,
    /// Option 82.
    pub relay: Option<RelayInfo>,
    /// Options without a field of their own, by code, as on the wire.
    pub others: BTreeMap<u8, Vec<u8>>,
    /// What could not be understood, at most [`Self::MAX_FAULTS`]. Never encoded.
    pub faults: Vec<OptionFault>,
}

/// Client network interface identifier, option 94 (RFC 4578).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undi {
    /// Interface type; 1 is UNDI.
    pub kind: u8,
    /// Major revision.
    pub major: u8,
    /// Minor revision.
    pub minor: u8,
}

/// One option that could not be understood. The rest of the message stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("option {code}: {why}")]
pub struct OptionFault {
    /// Option code; 0 for the fixed fields sname and file.
    pub code: u8,
    /// Why, in a few words.
    pub why: &'static str,
}

impl Message {
    /// Faults kept per message; a hostile datagram could make hundreds.
    pub const MAX_FAULTS: usize = 16;

    /// An empty message with this operation and hardware address.
    #[must_use]
    pub fn new(op: Opcode, xid: u32, mac: MacAddr) -> Self {
        let mut chaddr = [0; 16];
        for (to, from) in chaddr.iter_mut().zip(mac.0) {
            *to = from;
        }
        Self {
            op,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid,
            secs: 0,
            broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            sname: String::new(),
            file: String::new(),
            message_type: None,
            requested_ip: None,
            server_id: None,
            lease_time: None,
            renewal_time: None,
            rebinding_time: None,
            subnet_mask: None,
            broadcast_address: None,
            routers: Vec::new(),
            dns: Vec::new(),
            ntp: Vec::new(),
            hostname: None,
            domain: None,
            message: None,
            parameters: Vec::new(),
            max_size: None,
            client_id: None,
            vendor_class: None,
            vendor_options: None,
            user_class: None,
            architectures: Vec::new(),
            undi: None,
            machine_id_raw: None,
            tftp_server: None,
            boot_file: None,
            ipxe: None,
            relay: None,
            others: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// A client's message: a request of this type.
    #[must_use]
    pub fn request(message_type: MessageType, xid: u32, mac: MacAddr) -> Self {
        let mut message = Self::new(Opcode::BootRequest, xid, mac);
        message.message_type = Some(message_type);
        message
    }

    /// A server's answer to `request`, with what the RFCs have a server echo: transaction, flags,
    /// hardware and relay address, options 61 (RFC 6842), 82 (RFC 3046) and 97 (PXE 2.1).
    #[must_use]
    pub fn reply_to(request: &Self, message_type: MessageType) -> Self {
        let mut reply = Self::new(Opcode::BootReply, request.xid, MacAddr([0; 6]));
        reply.message_type = Some(message_type);
        reply.htype = request.htype;
        reply.hlen = request.hlen;
        reply.chaddr = request.chaddr;
        reply.broadcast = request.broadcast;
        reply.giaddr = request.giaddr;
        reply.client_id = request.client_id.clone();
        reply.relay = request.relay.clone();
        reply.machine_id_raw = request.machine_id_raw.clone();
        reply
    }

    /// The bytes an answer to this request may have, for [`super::encode_within`].
    ///
    /// Option 57 counts the IP and UDP headers, and 576 is the least a client may ask for
    /// (RFC 2132 §9.10). Answers never exceed one Ethernet frame, whatever the client claims.
    #[must_use]
    pub fn reply_limit(&self) -> usize {
        const HEADERS: usize = 28;
        let asked = usize::from(self.max_size.unwrap_or(576).max(576));
        (asked - HEADERS).min(encode::MAX_REPLY)
    }

    /// The Ethernet address, when the hardware has one.
    #[must_use]
    pub fn mac(&self) -> Option<MacAddr> {
        if self.hlen != 6 {
            return None;
        }
        self.chaddr.first_chunk().copied().map(MacAddr)
    }

    /// What option 60 says of the client; [`VendorClass::Other`] when absent.
    #[must_use]
    pub fn vendor(&self) -> VendorClass {
        self.vendor_class
            .as_deref()
            .map_or(VendorClass::Other, VendorClass::parse)
    }

    /// Option 43 read as PXE's. Only meaningful in a PXE conversation.
    #[must_use]
    pub fn pxe_vendor_options(&self) -> Option<PxeVendorOptions> {
        self.vendor_options.as_deref().map(PxeVendorOptions::parse)
    }

    /// The user classes of option 77, RFC 3004's form or bare text.
    #[must_use]
    pub fn user_classes(&self) -> Vec<&[u8]> {
        self.user_class.as_deref().map(vendor::user_classes).unwrap_or_default()
    }

    /// True when the client is iPXE: by its user class, or by its features in option 175.
    #[must_use]
    pub fn is_ipxe(&self) -> bool {
        vendor::is_ipxe(self.user_class.as_deref()) || self.ipxe.is_some()
    }

    /// The first architecture of option 93, else that of option 60.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        self.architectures.first().copied().or_else(|| match self.vendor() {
            VendorClass::PxeClient { arch, .. } | VendorClass::HttpClient { arch, .. } => arch,
            VendorClass::Other => None,
        })
    }

    /// The 16 bytes of option 97 as sent. `None` when absent, of another type than 0, or all
    /// zeros, which is what firmware without a UUID sends.
    #[must_use]
    pub fn machine_id(&self) -> Option<[u8; 16]> {
        let (kind, id) = self.machine_id_raw.as_deref()?.split_first()?;
        let id = <[u8; 16]>::try_from(id).ok()?;
        (*kind == 0 && id != [0; 16]).then_some(id)
    }

    /// The system UUID of option 97. Its first three groups are little-endian on the wire, as in
    /// SMBIOS.
    #[must_use]
    pub fn uuid(&self) -> Option<Uuid> {
        self.machine_id().map(Uuid::from_bytes_le)
    }

    /// Sets option 97 from a UUID, in the byte order of the wire.
    pub fn set_uuid(&mut self, uuid: Uuid) {
        let mut raw = vec![0];
        raw.extend(uuid.to_bytes_le());
        self.machine_id_raw = Some(raw);
    }

    /// The boot file: option 67, else the fixed field.
    #[must_use]
    pub fn boot_file_name(&self) -> Option<&str> {
        self.boot_file
            .as_deref()
            .or_else(|| (!self.file.is_empty()).then_some(self.file.as_str()))
    }

    /// Notes a fault, up to [`Self::MAX_FAULTS`].
    pub(crate) fn fault(&mut self, code: u8, why: &'static str) {
        if self.faults.len() < Self::MAX_FAULTS {
            self.faults.push(OptionFault { code, why });
        }
    }
}
