use std::{collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Utc};
use muster_facts::{BootMode, MacAddr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{LikeExpr, LockType, NullOrdering},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{component, host, interface},
    labels::address_key,
    row::{set, signed, small, unsigned, word, word_or_none},
    search::anywhere,
};
use crate::{
    inventory::{Component, Health, Host, HostId, Interface, State, Summary},
    search::{Piece, Search},
};

/// Nobody turns that many pages; databases take no offset beyond 63 bits.
pub(super) const MAX_OFFSET: u64 = u32::MAX as u64;

/// Verdicts of a boot that needs nobody; any other makes a host one in trouble.
const QUIET_VERDICTS: [&str; 6] = [
    "reported",
    "in_progress",
    "local_boot",
    "memory_test",
    "installing",
    "observed_only",
];

/// Which hosts a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostQuery {
    /// What they have to meet, and when that is asked.
    pub search: Option<Search>,
    /// Only hosts in this state.
    pub state: Option<State>,
    /// Only hosts a person should look at: last boot went wrong, installation failed, or identity in doubt.
    pub trouble: bool,
    /// Only hosts of this health at this time.
    pub health: Option<(Health, DateTime<Utc>)>,
    /// Order.
    pub sort: HostSort,
    /// Largest first.
    pub descending: bool,
    /// Hosts to skip.
    pub offset: u64,
    /// Hosts to give at most.
    pub limit: u64,
}

/// Order of a list of hosts; hosts without the value come last either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostSort {
    /// By the last packet, request or report.
    #[default]
    LastSeen,
    /// By when we first learned of it.
    Created,
    /// By name.
    Name,
    /// By state.
    State,
    /// By maker.
    Vendor,
    /// By product.
    Product,
    /// By serial.
    Serial,
    /// By memory.
    Memory,
    /// By cores.
    Cores,
    /// By the sum of its disks.
    Disk,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostPage {
    /// The hosts of this page.
    pub hosts: Vec<Host>,
    /// Hosts on all pages.
    pub total: u64,
}

#[derive(FromQueryResult)]
struct StateCount {
    state: String,
    hosts: i64,
}

impl Store {
    async fn condition(&self, query: &HostQuery) -> Result<Condition, StoreError> {
        let mut all = Condition::all();
        if let Some(state) = query.state {
            all = all.add(host::Column::State.eq(state.as_str()));
        }
        if query.trouble {
            all = all.add(in_trouble());
        }
        if let Some((health, now)) = query.health {
            all = all.add(of_health(health, now));
        }
        if let Some(search) = &query.search {
            all = all.add_option(self.condition_of(search).await?);
        }
        Ok(all)
    }

    /// One page of hosts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts(&self, query: &HostQuery) -> Result<HostPage, StoreError> {
        let select = host::Entity::find().filter(self.condition(query).await?);
        let total = select.clone().count(self.reader()).await?;
        let order = if query.descending { Order::Desc } else { Order::Asc };
        let rows = select
            .order_by_with_nulls(column(query.sort), order.clone(), NullOrdering::Last)
            .order_by(host::Column::Id, order)
            .offset(Ord::min(query.offset, MAX_OFFSET))
            .limit(query.limit)
            .all(self.reader())
            .await?;
        let hosts = rows.into_iter().map(Host::try_from).collect::<Result<_, _>>()?;
        Ok(HostPage { hosts, total })
    }

    /// How many hosts are in each state; states without hosts are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn host_counts(&self) -> Result<BTreeMap<State, u64>, StoreError> {
        let rows: Vec<StateCount> = host::Entity::find()
            .select_only()
            .column(host::Column::State)
            .column_as(host::Column::Id.count(), "hosts")
            .group_by(host::Column::State)
            .into_model()
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|row| Ok((word("host", &row.state)?, unsigned(row.hosts))))
            .collect()
    }

    /// How many hosts are of each health at a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn health_counts(&self, now: DateTime<Utc>) -> Result<BTreeMap<Health, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        for health in Health::ALL {
            let hosts = host::Entity::find().filter(of_health(health, now));
            counts.insert(health, hosts.count(self.reader()).await?);
        }
        Ok(counts)
    }

    /// One host.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn host(&self, id: HostId) -> Result<Option<Host>, StoreError> {
        let row = host::Entity::find_by_id(id.0).one(self.reader()).await?;
        row.map(Host::try_from).transpose()
    }

    /// Several hosts; those that there are, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts_of(&self, ids: &[HostId]) -> Result<Vec<Host>, StoreError> {
        let rows = host::Entity::find()
            .filter(host::Column::Id.is_in(ids.iter().map(|id| id.0)))
            .all(self.reader())
            .await?;
        rows.into_iter().map(Host::try_from).collect()
    }

    /// The interfaces of a host, by MAC.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn interfaces(&self, host: HostId) -> Result<Vec<Interface>, StoreError> {
        let rows = interface::Entity::find()
            .filter(interface::Column::Host.eq(host.0))
            .order_by(interface::Column::Mac, Order::Asc)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Interface::try_from).collect()
    }

    /// The components of a host, by kind and key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn components(&self, host: HostId) -> Result<Vec<Component>, StoreError> {
        let rows = component::Entity::find()
            .filter(component::Column::Host.eq(host.0))
            .order_by(component::Column::Kind, Order::Asc)
            .order_by(component::Column::Key, Order::Asc)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Component::try_from).collect()
    }
}

/// Hosts that a person should look at.
pub(super) fn in_trouble() -> Condition {
    Condition::any()
        .add(host::Column::State.eq(State::Failed.as_str()))
        .add(host::Column::AmbiguousWith.is_not_null())
        .add(
            Condition::all()
                .add(host::Column::BootVerdict.is_not_null())
                .add(host::Column::BootVerdict.is_not_in(QUIET_VERDICTS)),
        )
}

/// Hosts of a health, by an indexed column.
pub(super) fn of_health(health: Health, now: DateTime<Utc>) -> Condition {
    let (after, until) = health.heard(now);
    Condition::all()
        .add(host::Column::HeardAt.is_not_null())
        .add(host::Column::State.is_not_in(Health::UNASKED.map(State::as_str)))
        .add_option(after.map(|after| host::Column::HeardAt.gt(after)))
        .add_option(until.map(|until| host::Column::HeardAt.lte(until)))
}

/// Hosts that have a word of a search in them.
pub(super) fn containing(term: &str) -> Condition {
    // A MAC is found however it is written.
    let term = term
        .parse::<MacAddr>()
        .map_or_else(|_| term.to_lowercase(), |mac| mac.to_string());
    anywhere(&[Piece::Text(term)])
}

/// What holds `term`, letter by letter.
pub(super) fn like(term: &str) -> LikeExpr {
    like_pieces(&[Piece::Any, Piece::Text(term.to_owned()), Piece::Any])
}

/// What begins with `start`, letter by letter.
pub(super) fn like_start(start: &str) -> LikeExpr {
    like_pieces(&[Piece::Text(start.to_owned()), Piece::Any])
}

/// What a pattern is to `LIKE`.
pub(super) fn like_pieces(pieces: &[Piece]) -> LikeExpr {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Any => text.push('%'),
            Piece::One => text.push('_'),
            Piece::Text(letters) => {
                for letter in letters.chars() {
                    if matches!(letter, '\\' | '%' | '_') {
                        text.push('\\');
                    }
                    text.push(letter);
                }
            }
        }
    }
    LikeExpr::new(text).escape('\\')
}

const fn column(sort: HostSort) -> host::Column {
    match sort {
        HostSort::LastSeen => host::Column::LastSeenAt,
        HostSort::Created => host::Column::CreatedAt,
        HostSort::Name => host::Column::Name,
        HostSort::State => host::Column::State,
        HostSort::Vendor => host::Column::Vendor,
        HostSort::Product => host::Column::Product,
        HostSort::Serial => host::Column::Serial,
        HostSort::Memory => host::Column::MemoryBytes,
        HostSort::Cores => host::Column::Cores,
        HostSort::Disk => host::Column::DiskBytes,
    }
}

/// What a search looks through, lower case.
pub(super) fn search_text(host: &Host, macs: impl IntoIterator<Item = MacAddr>) -> String {
    let summary = &host.summary;
    let id = host.id.to_string();
    let words = [
        host.name.as_deref(),
        summary.vendor.as_deref(),
        summary.product.as_deref(),
        summary.serial.as_deref(),
        summary.uuid.as_deref(),
        summary.architecture.as_deref(),
        summary.cpu_model.as_deref(),
        Some(id.as_str()),
    ];
    let mut text = words
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
        .to_lowercase();
    for mac in macs {
        text.push('\n');
        text.push_str(&mac.to_string());
    }
    text
}

/// A host's row, which nobody else changes until the transaction ends: PostgreSQL makes them wait, and SQLite has one
/// transaction that writes at a time. Rows that belong to the host may still be made. What touches a host and what is
/// planned of it takes the host first, so that no two wait for each other.
pub(super) async fn locked(connection: &impl ConnectionTrait, id: HostId) -> Result<Option<host::Model>, StoreError> {
    Ok(host::Entity::find_by_id(id.0)
        .lock(LockType::NoKeyUpdate)
        .one(connection)
        .await?)
}

/// The row of a host.
pub(super) fn row(host: &Host, search_text: String) -> host::ActiveModel {
    let summary = &host.summary;
    let ambiguous: Vec<Uuid> = host.ambiguous_with.iter().map(|other| other.0).collect();
    host::ActiveModel {
        id: set(host.id.0),
        name: set(host.name.clone()),
        state: set(host.state.as_str().to_owned()),
        created_at: set(host.created_at),
        last_seen_at: set(host.last_seen_at),
        reported_at: set(host.reported_at),
        heard_at: set(host.heard_at),
        address: set(host.address.map(|address| address.to_string())),
        vendor: set(summary.vendor.clone()),
        product: set(summary.product.clone()),
        serial: set(summary.serial.clone()),
        uuid: set(summary.uuid.clone()),
        architecture: set(summary.architecture.clone()),
        boot_mode: set(summary.boot_mode.map(|mode| match mode {
            BootMode::Bios => "bios".to_owned(),
            BootMode::Uefi => "uefi".to_owned(),
        })),
        cpu_model: set(summary.cpu_model.clone()),
        cores: set(summary.cores.map(i64::from)),
        memory_bytes: set(summary.memory_bytes.map(signed)),
        disk_bytes: set(summary.disk_bytes.map(signed)),
        disks: set(summary.disks.map(i64::from)),
        nics: set(summary.nics.map(i64::from)),
        boot_verdict: set(host.boot_verdict.clone()),
        booted_at: set(host.booted_at),
        ambiguous_with: set(ambiguous_column(&ambiguous)),
        search_text: set(search_text),
        os: set(summary.os.clone()),
        os_version: set(summary.os_version.clone()),
        address_key: set(host.address.map(address_key)),
    }
}

/// Hosts it may be the same as; nothing when there is no doubt, so that doubt can be searched for.
pub(super) fn ambiguous_column(hosts: &[Uuid]) -> Option<serde_json::Value> {
    (!hosts.is_empty()).then(|| serde_json::json!(hosts))
}

impl TryFrom<host::Model> for Host {
    type Error = StoreError;

    fn try_from(row: host::Model) -> Result<Self, StoreError> {
        let ambiguous: Vec<Uuid> = row
            .ambiguous_with
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| StoreError::unreadable("host", error))?
            .unwrap_or_default();
        Ok(Self {
            id: HostId(row.id),
            name: row.name,
            state: word("host", &row.state)?,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            reported_at: row.reported_at,
            heard_at: row.heard_at,
            address: word_or_none::<IpAddr>("host", row.address.as_deref())?,
            summary: Summary {
                vendor: row.vendor,
                product: row.product,
                serial: row.serial,
                uuid: row.uuid,
                architecture: row.architecture,
                boot_mode: match row.boot_mode.as_deref() {
                    None => None,
                    Some("bios") => Some(BootMode::Bios),
                    Some("uefi") => Some(BootMode::Uefi),
                    Some(other) => return Err(StoreError::unreadable("host", format_args!("boot mode `{other}`"))),
                },
                cpu_model: row.cpu_model,
                cores: row.cores.map(small),
                memory_bytes: row.memory_bytes.map(unsigned),
                disk_bytes: row.disk_bytes.map(unsigned),
                disks: row.disks.map(small),
                nics: row.nics.map(small),
                os: row.os,
                os_version: row.os_version,
            },
            boot_verdict: row.boot_verdict,
            booted_at: row.booted_at,
            ambiguous_with: ambiguous.into_iter().map(HostId).collect(),
        })
    }
}

/// The row of an interface.
pub(super) fn interface_row(interface: &Interface) -> interface::ActiveModel {
    interface::ActiveModel {
        mac: set(interface.mac.to_string()),
        host: set(interface.host.0),
        name: set(interface.name.clone()),
        driver: set(interface.driver.clone()),
        speed_mbps: set(interface.speed_mbps.map(i64::from)),
        neighbour: set(interface.neighbour.clone()),
        present: set(interface.present),
        last_seen_at: set(interface.last_seen_at),
    }
}

impl TryFrom<interface::Model> for Interface {
    type Error = StoreError;

    fn try_from(row: interface::Model) -> Result<Self, StoreError> {
        Ok(Self {
            host: HostId(row.host),
            mac: word("interface", &row.mac)?,
            name: row.name,
            driver: row.driver,
            speed_mbps: row.speed_mbps.map(small),
            neighbour: row.neighbour,
            present: row.present,
            last_seen_at: row.last_seen_at,
        })
    }
}

/// The row of a component.
pub(super) fn component_row(component: &Component) -> component::ActiveModel {
    component::ActiveModel {
        host: set(component.host.0),
        kind: set(component.kind.as_str().to_owned()),
        key: set(component.key.clone()),
        slot: set(component.slot.clone()),
        vendor: set(component.vendor.clone()),
        model: set(component.model.clone()),
        serial: set(component.serial.clone()),
        size_bytes: set(component.size_bytes.map(signed)),
        present: set(component.present),
    }
}

impl TryFrom<component::Model> for Component {
    type Error = StoreError;

    fn try_from(row: component::Model) -> Result<Self, StoreError> {
        Ok(Self {
            host: HostId(row.host),
            kind: word("component", &row.kind)?,
            key: row.key,
            slot: row.slot,
            vendor: row.vendor,
            model: row.model,
            serial: row.serial,
            size_bytes: row.size_bytes.map(unsigned),
            present: row.present,
        })
    }
}
