//! The options of an answer.

use std::net::Ipv4Addr;

use chrono::TimeDelta;
use muster_facts::MacAddr;
use muster_wire::dhcp::{IpxeOptions, Message, MessageType, PxeVendorOptions};

use super::client::{BootWord, Client};
use crate::{
    boot::{Action, Stage},
    ipam::Subnet,
};

/// As which of its three selves the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// The server that gives addresses.
    Server,
    /// Beside one that does, on port 67.
    Proxy,
    /// The boot server that was asked on port 4011.
    BootServer,
}

/// Where the client is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BootTarget {
    File(String),
    Url(String),
}

impl BootTarget {
    /// Where an action sends the client; `base` is `http://address:port`.
    pub(super) fn of(action: &Action, base: impl Fn() -> String, mac: MacAddr) -> Option<Self> {
        match action {
            Action::LoaderByTftp(name) => Some(Self::File(name.clone())),
            Action::LoaderByHttp(name) => Some(Self::Url(format!("{}/boot/loader/{name}", base()))),
            Action::Script => Some(Self::Url(format!("{}/boot/ipxe?mac={mac}", base()))),
            _ => None,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::File(text) | Self::Url(text) => text,
        }
    }
}

/// An empty answer with the server's names.
pub(super) fn answer(packet: &Message, kind: MessageType, server: Ipv4Addr) -> Message {
    let mut answer = Message::reply_to(packet, kind);
    // RFC 5107: a relay may stand between the client and us for renewals as well.
    let named = packet.relay.as_ref().and_then(|relay| relay.server_id_override());
    answer.server_id = Some(named.unwrap_or(server));
    answer
}

/// What the client needs for its network.
pub(super) fn put_network(answer: &mut Message, subnet: &Subnet, mac: MacAddr) {
    answer.subnet_mask = Some(subnet.network.netmask());
    answer.broadcast_address = (subnet.network.prefix_len() < 31).then(|| subnet.network.broadcast());
    answer.routers.extend(subnet.router);
    answer.dns.clone_from(&subnet.dns);
    answer.ntp.clone_from(&subnet.ntp);
    answer.domain.clone_from(&subnet.domain);
    answer.hostname = subnet
        .reservations
        .iter()
        .find(|kept| kept.mac == mac)
        .and_then(|kept| kept.hostname.clone());
}

/// How long the address is given for, with RFC 2131's times of renewal and rebinding.
pub(super) fn put_times(answer: &mut Message, length: TimeDelta) {
    let seconds = u32::try_from(length.num_seconds().max(1)).unwrap_or(u32::MAX);
    answer.lease_time = Some(seconds);
    answer.renewal_time = Some(seconds / 2);
    answer.rebinding_time = Some((u64::from(seconds) * 7 / 8).try_into().unwrap_or(seconds));
}

/// What a boot client needs.
pub(super) fn put_boot(
    answer: &mut Message,
    target: Option<&BootTarget>,
    client: &Client,
    server: Ipv4Addr,
    we: As,
    asked: &Message,
) {
    if client.stage == Stage::Ipxe && we == As::Server {
        // iPXE then does not wait seconds for a ProxyDHCP server.
        answer.ipxe = Some(IpxeOptions::default().with_no_pxedhcp());
    }
    let Some(target) = target else { return };
    answer.vendor_class = client.word.map(|word| word.as_bytes().to_vec());
    answer.siaddr = server;
    answer.boot_file = Some(target.text().to_owned());
    if target.text().len() < 128 {
        answer.file = target.text().to_owned();
    }
    if let BootTarget::File(_) = target {
        answer.tftp_server = Some(server.to_string());
    }
    if client.word == Some(BootWord::Pxe) {
        answer.vendor_options = vendor_options(client, we, asked).map(|options| options.encode());
    }
}

/// Option 43 for PXE.
///
/// "Use the boot file of this answer" keeps a ROM from searching for boot servers. Beside another server UEFI does not
/// always take it; without option 43 it asks port 4011 instead, which all of it does.
fn vendor_options(client: &Client, we: As, asked: &Message) -> Option<PxeVendorOptions> {
    match we {
        As::Proxy if !client.is_bios() && client.stage != Stage::Ipxe => None,
        As::Server | As::Proxy => Some(PxeVendorOptions {
            discovery_control: Some(PxeVendorOptions::USE_BOOT_FILE),
            ..PxeVendorOptions::default()
        }),
        As::BootServer => {
            // PXE 2.1: the boot server repeats which of its items was asked for.
            let item = asked.pxe_vendor_options()?.boot_item?;
            Some(PxeVendorOptions {
                boot_item: Some(item),
                ..PxeVendorOptions::default()
            })
        }
    }
}
