//! Reads that only lists of pages need.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use sea_orm::{ColumnTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::{NoContext, Timestamp, Uuid};

use super::{
    Store, StoreError,
    entity::{event, host, host_plan, interface, lease},
    leases::number,
    row::{unsigned, word},
};
use crate::{
    boot::EventKind,
    inventory::HostId,
    ipam::{AddressRange, LeaseState},
};

/// Times given at most by [`Store::event_times`]: a chart needs no more.
const MOST_TIMES: u64 = 50_000;

/// What hosts can be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostTrait {
    /// Their maker.
    Vendor,
    /// Their product.
    Product,
    /// Their processors' architecture.
    Architecture,
    /// The profile they were given.
    Profile,
}

impl Store {
    /// How many hosts have each value of a trait; hosts without one are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn host_traits(&self, of: HostTrait) -> Result<BTreeMap<String, u64>, StoreError> {
        let counted = |column: host::Column| {
            host::Entity::find()
                .select_only()
                .column(column)
                .column_as(host::Column::Id.count(), "hosts")
                .filter(column.is_not_null())
                .group_by(column)
                .into_tuple::<(String, i64)>()
        };
        let rows = match of {
            HostTrait::Vendor => counted(host::Column::Vendor).all(self.reader()).await?,
            HostTrait::Product => counted(host::Column::Product).all(self.reader()).await?,
            HostTrait::Architecture => counted(host::Column::Architecture).all(self.reader()).await?,
            HostTrait::Profile => {
                host_plan::Entity::find()
                    .select_only()
                    .column(host_plan::Column::Profile)
                    .column_as(host_plan::Column::Host.count(), "hosts")
                    .filter(host_plan::Column::Profile.is_not_null())
                    .group_by(host_plan::Column::Profile)
                    .into_tuple::<(String, i64)>()
                    .all(self.reader())
                    .await?
            }
        };
        Ok(rows
            .into_iter()
            .map(|(value, hosts)| (value, unsigned(hosts)))
            .collect())
    }

    /// The MACs of several hosts, those that are still there first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn macs_of(&self, hosts: &[HostId]) -> Result<HashMap<HostId, Vec<MacAddr>>, StoreError> {
        let rows: Vec<(Uuid, String)> = interface::Entity::find()
            .select_only()
            .columns([interface::Column::Host, interface::Column::Mac])
            .filter(interface::Column::Host.is_in(hosts.iter().map(|host| host.0)))
            .order_by(interface::Column::Present, Order::Desc)
            .order_by(interface::Column::Mac, Order::Asc)
            .into_tuple()
            .all(self.reader())
            .await?;
        let mut macs: HashMap<HostId, Vec<MacAddr>> = HashMap::new();
        for (host, mac) in rows {
            macs.entry(HostId(host)).or_default().push(word("interface", &mac)?);
        }
        Ok(macs)
    }

    /// The hosts that these MACs belong to, with what they are called: name, else serial.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts_of_macs(
        &self,
        macs: &[MacAddr],
    ) -> Result<HashMap<MacAddr, (HostId, Option<String>)>, StoreError> {
        let owners: Vec<(String, Uuid)> = interface::Entity::find()
            .select_only()
            .columns([interface::Column::Mac, interface::Column::Host])
            .filter(interface::Column::Mac.is_in(macs.iter().map(ToString::to_string)))
            .into_tuple()
            .all(self.reader())
            .await?;
        let titles: Vec<(Uuid, Option<String>, Option<String>)> = host::Entity::find()
            .select_only()
            .columns([host::Column::Id, host::Column::Name, host::Column::Serial])
            .filter(host::Column::Id.is_in(owners.iter().map(|(_, host)| *host)))
            .into_tuple()
            .all(self.reader())
            .await?;
        let titles: HashMap<Uuid, Option<String>> = titles
            .into_iter()
            .map(|(id, name, serial)| (id, name.or(serial)))
            .collect();
        owners
            .into_iter()
            .map(|(mac, host)| {
                let title = titles.get(&host).cloned().flatten();
                Ok((word("interface", &mac)?, (HostId(host), title)))
            })
            .collect()
    }

    /// Addresses of a range that are leased at `now`, or kept out because of a conflict.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leases_in_use(&self, range: AddressRange, now: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(lease::Entity::find()
            .filter(lease::Column::AddressNumber.between(number(range.first), number(range.last)))
            .filter(lease::Column::State.ne(LeaseState::Released.as_str()))
            .filter(lease::Column::EndsAt.gt(now))
            .count(self.reader())
            .await?)
    }

    /// When events of a kind happened since a time, found by the time in their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn event_times(&self, kind: EventKind, since: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, StoreError> {
        let seconds = u64::try_from(since.timestamp()).unwrap_or(0);
        let first = first_id_of(seconds);
        let rows: Vec<DateTime<Utc>> = event::Entity::find()
            .select_only()
            .column(event::Column::At)
            .filter(event::Column::Id.gte(first))
            .filter(event::Column::Kind.eq(kind.as_str()))
            .limit(MOST_TIMES)
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(rows)
    }
}

/// The least id (UUID version 7) of a second: its time with all random bits zero.
fn first_id_of(seconds: u64) -> Uuid {
    let timed = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, 0));
    let mut bytes = *timed.as_bytes();
    if let Some(random) = bytes.get_mut(6..) {
        random.copy_from_slice(&[0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    }
    Uuid::from_bytes(bytes)
}
