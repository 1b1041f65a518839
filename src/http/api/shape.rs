//! What the API sends: own types, so that the core can change without breaking a client.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    boot, inventory,
    store::{ApiToken, BootSummary, DhcpServerSeen},
};

/// One machine.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Host {
    id: Uuid,
    /// Desired name.
    name: Option<String>,
    /// `discovered`, `inventoried`, `assigned`, `installing`, `active`, `failed`, `maintenance` or `retired`.
    state: &'static str,
    vendor: Option<String>,
    product: Option<String>,
    serial: Option<String>,
    /// System UUID.
    uuid: Option<String>,
    architecture: Option<String>,
    /// `bios` or `uefi`.
    boot_mode: Option<&'static str>,
    cpu_model: Option<String>,
    /// Physical cores of all sockets.
    cores: Option<u32>,
    memory_bytes: Option<u64>,
    /// Sum of all disks.
    disk_bytes: Option<u64>,
    disks: Option<u32>,
    nics: Option<u32>,
    /// Installed system, as it says itself: `debian`.
    os: Option<String>,
    os_version: Option<String>,
    /// The last address given to it or seen from it.
    address: Option<String>,
    /// What the last boot came to, e.g. `reported`, `no_subnet`.
    boot_verdict: Option<String>,
    booted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When anything was heard of it; none of a host that was entered and not heard of yet.
    last_seen_at: Option<DateTime<Utc>>,
    reported_at: Option<DateTime<Utc>>,
    /// The last sign of life of its agent; none without one.
    heard_at: Option<DateTime<Utc>>,
    /// `ok`, `late` (signs of life are missing) or `lost`; none without an agent, while it is installed, and when retired.
    health: Option<&'static str>,
    /// Hosts that this one may be the same as.
    ambiguous_with: Vec<Uuid>,
}

impl Host {
    /// As it is at `now`.
    pub(super) fn at(host: inventory::Host, now: DateTime<Utc>) -> Self {
        let health = host.health(now).map(inventory::Health::as_str);
        let last_seen_at = host.seen_at();
        Self {
            id: host.id.0,
            name: host.name,
            state: host.state.as_str(),
            vendor: host.summary.vendor,
            product: host.summary.product,
            serial: host.summary.serial,
            uuid: host.summary.uuid,
            architecture: host.summary.architecture,
            boot_mode: host.summary.boot_mode.map(|mode| match mode {
                muster_facts::BootMode::Bios => "bios",
                muster_facts::BootMode::Uefi => "uefi",
            }),
            cpu_model: host.summary.cpu_model,
            cores: host.summary.cores,
            memory_bytes: host.summary.memory_bytes,
            disk_bytes: host.summary.disk_bytes,
            disks: host.summary.disks,
            nics: host.summary.nics,
            os: host.summary.os,
            os_version: host.summary.os_version,
            address: host.address.map(|address| address.to_string()),
            boot_verdict: host.boot_verdict,
            booted_at: host.booted_at,
            created_at: host.created_at,
            last_seen_at,
            reported_at: host.reported_at,
            heard_at: host.heard_at,
            health,
            ambiguous_with: host.ambiguous_with.into_iter().map(|id| id.0).collect(),
        }
    }
}

/// One page of hosts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostList {
    pub(super) hosts: Vec<Host>,
    /// Hosts on all pages.
    pub(super) total: u64,
}

/// A network interface.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Interface {
    mac: String,
    /// Kernel name when last reported.
    name: Option<String>,
    driver: Option<String>,
    /// Mbit/s, when there was a link.
    speed_mbps: Option<u32>,
    /// Switch and port heard by LLDP.
    neighbour: Option<String>,
    /// False when the last report no longer lists it.
    present: bool,
    last_seen_at: DateTime<Utc>,
}

impl From<inventory::Interface> for Interface {
    fn from(interface: inventory::Interface) -> Self {
        Self {
            mac: interface.mac.to_string(),
            name: interface.name,
            driver: interface.driver,
            speed_mbps: interface.speed_mbps,
            neighbour: interface.neighbour,
            present: interface.present,
            last_seen_at: interface.last_seen_at,
        }
    }
}

/// A disk, memory module, processor or card.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Component {
    /// `cpu`, `dimm`, `disk` or `gpu`.
    kind: &'static str,
    /// Stable within host and kind: serial, else WWN, else slot.
    key: String,
    slot: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    size_bytes: Option<u64>,
    /// False when the last report no longer lists it.
    present: bool,
}

impl From<inventory::Component> for Component {
    fn from(component: inventory::Component) -> Self {
        Self {
            kind: component.kind.as_str(),
            key: component.key,
            slot: component.slot,
            vendor: component.vendor,
            model: component.model,
            serial: component.serial,
            size_bytes: component.size_bytes,
            present: component.present,
        }
    }
}

/// What a host said of itself through one source.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FactSet {
    /// `netboot`, `agent`, …
    pub(super) source: &'static str,
    pub(super) at: DateTime<Utc>,
    /// The document as reported; its shape is that of `muster-agent facts`.
    #[schema(value_type = Object)]
    pub(super) facts: muster_facts::Facts,
}

/// One field of one host going from one value to another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Change {
    id: Uuid,
    at: DateTime<Utc>,
    source: &'static str,
    /// Who acted, e.g. `user:anna`.
    actor: Option<String>,
    /// Dotted path, list members by their key: `disks[S3X9NX0K123].firmware`.
    field: String,
    before: Option<String>,
    after: Option<String>,
}

impl From<inventory::Change> for Change {
    fn from(change: inventory::Change) -> Self {
        Self {
            id: change.id,
            at: change.at,
            source: change.source.as_str(),
            actor: change.actor,
            field: change.field,
            before: change.before,
            after: change.after,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    id: Uuid,
    at: DateTime<Utc>,
    mac: Option<String>,
    host: Option<Uuid>,
    boot: Option<Uuid>,
    /// e.g. `dhcp_offer`, `facts_accepted`.
    kind: &'static str,
    /// `info`, `warn` or `fail`.
    level: &'static str,
    /// The rule that decided.
    rule: Option<String>,
    params: BTreeMap<String, String>,
    /// The same in English.
    words: String,
}

impl From<boot::Event> for Event {
    fn from(event: boot::Event) -> Self {
        Self {
            words: crate::http::ui::event_words(&event),
            id: event.id,
            at: event.at,
            mac: event.mac.map(|mac| mac.to_string()),
            host: event.host.map(|host| host.0),
            boot: event.boot.map(|boot| boot.0),
            kind: event.kind.as_str(),
            level: event.level.as_str(),
            rule: event.rule,
            params: event.params,
        }
    }
}

/// One boot of a host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Boot {
    id: Uuid,
    began_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    /// Events kept of it.
    events: u64,
}

impl From<BootSummary> for Boot {
    fn from(boot: BootSummary) -> Self {
        Self {
            id: boot.id.0,
            began_at: boot.began_at,
            last_at: boot.last_at,
            events: boot.events,
        }
    }
}

/// A subnet of the settings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Subnet {
    /// e.g. `10.77.0.0/24`
    pub(super) network: String,
    /// `observe`, `proxy`, `reserved` or `pool`.
    pub(super) mode: &'static str,
    pub(super) ranges: Vec<Range>,
    pub(super) reservations: Vec<Reservation>,
    pub(super) router: Option<String>,
    pub(super) dns: Vec<String>,
    pub(super) domain: Option<String>,
    pub(super) lease_seconds: u64,
    /// Addresses in the ranges.
    pub(super) size: u64,
    /// Of these, leased now.
    pub(super) used: u64,
}

/// First and last address.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Range {
    pub(super) first: String,
    pub(super) last: String,
}

/// An address kept for one interface.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reservation {
    pub(super) mac: String,
    pub(super) address: String,
}

/// An address given out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lease {
    address: String,
    mac: String,
    /// Name that the client sent.
    hostname: Option<String>,
    /// `bound`, `released` or `declined`; a bound lease whose time is over has ended.
    state: &'static str,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl From<crate::ipam::Lease> for Lease {
    fn from(lease: crate::ipam::Lease) -> Self {
        Self {
            address: lease.address.to_string(),
            mac: lease.mac.to_string(),
            hostname: lease.hostname,
            state: lease.state.as_str(),
            starts_at: lease.starts_at,
            ends_at: lease.ends_at,
        }
    }
}

/// One page of leases.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaseList {
    pub(super) leases: Vec<Lease>,
    /// Leases on all pages.
    pub(super) total: u64,
}

/// Another DHCP server that was heard.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DhcpServer {
    address: String,
    /// Our interface that heard it.
    interface: String,
    mac: Option<String>,
    offers_seen: u64,
    first_seen_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    /// Since when it answers network boot.
    answers_pxe_since: Option<DateTime<Utc>>,
}

impl From<DhcpServerSeen> for DhcpServer {
    fn from(server: DhcpServerSeen) -> Self {
        Self {
            address: server.address.to_string(),
            interface: server.interface,
            mac: server.mac.map(|mac| mac.to_string()),
            offers_seen: server.offers_seen,
            first_seen_at: server.first_seen_at,
            last_seen_at: server.last_seen_at,
            answers_pxe_since: server.answers_pxe_since,
        }
    }
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    pub(super) name: String,
    /// `viewer`, `operator` or `admin`.
    pub(super) role: &'static str,
    /// The API token's name, when the call was made by one.
    pub(super) token: Option<String>,
}

/// An API token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    id: Uuid,
    name: String,
    /// `viewer`, `operator` or `admin`.
    role: &'static str,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiToken> for Token {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            role: token.role.as_str(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// A new API token. The secret is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewToken {
    pub(super) token: Token,
    /// For `Authorization: Bearer …`.
    pub(super) secret: String,
}
