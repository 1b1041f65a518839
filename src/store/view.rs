use std::collections::HashMap;

use muster_facts::MacAddr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{boot_token, host, host_key, interface, lease},
    row::word,
};
use crate::{
    boot::BootToken,
    inventory::{Host, Key},
    ipam::Lease,
};

/// One host as decisions need it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownHost {
    /// The row.
    pub host: Host,
    /// Its interfaces, absent ones too.
    pub interfaces: Vec<MacAddr>,
    /// What it is recognised by; of a host that has not reported, its MACs.
    pub keys: Vec<Key>,
}

/// What decisions read from memory, as it was on disk at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// All hosts, oldest first.
    pub hosts: Vec<KnownHost>,
    /// All leases, ended ones too.
    pub leases: Vec<Lease>,
    /// All boot tokens, ended ones too until they are trimmed.
    pub tokens: Vec<BootToken>,
}

impl Store {
    /// The host of an interface as decisions need it, as it is on disk now: another server of this ledger may have
    /// entered it.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn known_host(&self, mac: MacAddr) -> Result<Option<KnownHost>, StoreError> {
        let reader = self.reader();
        let Some(owner) = interface::Entity::find_by_id(mac.to_string()).one(reader).await? else {
            return Ok(None);
        };
        let id = owner.host;
        let Some(row) = host::Entity::find_by_id(id).one(reader).await? else {
            return Ok(None);
        };
        let interfaces = interface::Entity::find()
            .filter(interface::Column::Host.eq(id))
            .order_by_asc(interface::Column::Mac)
            .all(reader)
            .await?;
        let keys = host_key::Entity::find()
            .filter(host_key::Column::Host.eq(id))
            .all(reader)
            .await?;
        let mut keys = keys.into_iter().map(key).collect::<Result<Vec<_>, _>>()?;
        keys.sort();
        Ok(Some(KnownHost {
            host: Host::try_from(row)?,
            interfaces: interfaces
                .iter()
                .map(|row| word("interface", &row.mac))
                .collect::<Result<_, _>>()?,
            keys,
        }))
    }

    /// Everything the in-memory view is made of; for the start.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn load_view(&self) -> Result<Snapshot, StoreError> {
        let reader = self.reader();
        let mut interfaces: HashMap<Uuid, Vec<MacAddr>> = HashMap::new();
        let rows = interface::Entity::find()
            .order_by_asc(interface::Column::Mac)
            .all(reader)
            .await?;
        for row in rows {
            interfaces
                .entry(row.host)
                .or_default()
                .push(word("interface", &row.mac)?);
        }
        let mut keys: HashMap<Uuid, Vec<Key>> = HashMap::new();
        for row in host_key::Entity::find().all(reader).await? {
            keys.entry(row.host).or_default().push(key(row)?);
        }
        let rows = host::Entity::find().order_by_asc(host::Column::Id).all(reader).await?;
        let mut hosts = Vec::with_capacity(rows.len());
        for row in rows {
            let host = Host::try_from(row)?;
            let mut keys = keys.remove(&host.id.0).unwrap_or_default();
            keys.sort();
            hosts.push(KnownHost {
                interfaces: interfaces.remove(&host.id.0).unwrap_or_default(),
                keys,
                host,
            });
        }
        let leases = lease::Entity::find()
            .order_by_asc(lease::Column::AddressNumber)
            .all(reader)
            .await?;
        let tokens = boot_token::Entity::find().all(reader).await?;
        Ok(Snapshot {
            hosts,
            leases: leases.into_iter().map(Lease::try_from).collect::<Result<_, _>>()?,
            tokens: tokens.into_iter().map(BootToken::try_from).collect::<Result<_, _>>()?,
        })
    }
}

fn key(row: host_key::Model) -> Result<Key, StoreError> {
    Ok(Key {
        kind: word("host_key", &row.kind)?,
        value: row.value,
    })
}
