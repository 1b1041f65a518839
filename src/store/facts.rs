use std::collections::HashMap;

use chrono::{DateTime, Utc};
use muster_facts::Facts;
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{fact_change, fact_set},
    row::{set, word},
};
use crate::{
    boot::Event,
    inventory::{Change, Component, Host, HostId, Interface, Key, Source},
};

/// The current facts of one host by one source.
#[derive(Debug, Clone, PartialEq)]
pub struct FactSet {
    /// Whose.
    pub host: HostId,
    /// Who told us.
    pub source: Source,
    /// When they were accepted.
    pub at: DateTime<Utc>,
    /// What was told.
    pub facts: Facts,
}

/// One accepted report, as the core merged it: saved as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct FactsSaved {
    /// The whole row after the merge.
    pub host: Host,
    /// Who told us.
    pub source: Source,
    /// When they were accepted.
    pub at: DateTime<Utc>,
    /// What was told; replaces what this source told before.
    pub facts: Facts,
    /// All interfaces after the merge. One that belonged to another host moves here.
    pub interfaces: Vec<Interface>,
    /// All components after the merge.
    pub components: Vec<Component>,
    /// All keys after the merge; replaces those before.
    pub keys: Vec<Key>,
    /// What changed.
    pub changes: Vec<Change>,
    /// What to write in the transcript.
    pub events: Vec<Event>,
    /// Hosts made when a packet was seen that turned out to be this one: what belongs to them moves here, and they
    /// are deleted.
    pub absorbed: Vec<HostId>,
}

impl Store {
    /// What these hosts last said of themselves; hosts that never did are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_facts(&self, hosts: &[HostId]) -> Result<HashMap<HostId, Facts>, StoreError> {
        let rows = fact_set::Entity::find()
            .filter(fact_set::Column::Host.is_in(hosts.iter().map(|host| host.0)))
            .order_by_asc(fact_set::Column::At)
            .all(self.reader())
            .await?;
        // A later one takes the place of an earlier one.
        rows.into_iter()
            .map(|row| FactSet::try_from(row).map(|set| (set.host, set.facts)))
            .collect()
    }

    /// The current facts of a host, by source.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts(&self, host: HostId) -> Result<Vec<FactSet>, StoreError> {
        let rows = fact_set::Entity::find()
            .filter(fact_set::Column::Host.eq(host.0))
            .order_by(fact_set::Column::Source, Order::Asc)
            .all(self.reader())
            .await?;
        rows.into_iter().map(FactSet::try_from).collect()
    }

    /// The changes of a host, newest first; `before` is the id of the last one seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes(&self, host: HostId, before: Option<Uuid>, limit: u64) -> Result<Vec<Change>, StoreError> {
        let mut select = fact_change::Entity::find().filter(fact_change::Column::Host.eq(host.0));
        if let Some(before) = before {
            select = select.filter(fact_change::Column::Id.lt(before));
        }
        let rows = select
            .order_by(fact_change::Column::Id, Order::Desc)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Change::try_from).collect()
    }
}

/// The row of the facts of one source.
pub(super) fn fact_set_row(
    host: HostId,
    source: Source,
    at: DateTime<Utc>,
    facts: &Facts,
) -> Result<fact_set::ActiveModel, StoreError> {
    Ok(fact_set::ActiveModel {
        host: set(host.0),
        source: set(source.as_str().to_owned()),
        at: set(at),
        facts: set(serde_json::to_value(facts).map_err(|error| StoreError::unreadable("fact_set", error))?),
    })
}

/// The row of a change.
pub(super) fn change_row(change: &Change) -> fact_change::ActiveModel {
    fact_change::ActiveModel {
        id: set(change.id),
        host: set(change.host.0),
        at: set(change.at),
        source: set(change.source.as_str().to_owned()),
        actor: set(change.actor.clone()),
        field: set(change.field.clone()),
        before: set(change.before.clone()),
        after: set(change.after.clone()),
    }
}

impl TryFrom<fact_set::Model> for FactSet {
    type Error = StoreError;

    fn try_from(row: fact_set::Model) -> Result<Self, StoreError> {
        Ok(Self {
            host: HostId(row.host),
            source: word("fact_set", &row.source)?,
            at: row.at,
            facts: serde_json::from_value(row.facts).map_err(|error| StoreError::unreadable("fact_set", error))?,
        })
    }
}

impl TryFrom<fact_change::Model> for Change {
    type Error = StoreError;

    fn try_from(row: fact_change::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            host: HostId(row.host),
            at: row.at,
            source: word("fact_change", &row.source)?,
            actor: row.actor,
            field: row.field,
            before: row.before,
            after: row.after,
        })
    }
}
