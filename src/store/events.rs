use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Alias, Expr, ExprTrait},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{boot_token, event, session},
    row::{set, unsigned, word, word_or_none},
};
use crate::{
    boot::{BootId, Event},
    inventory::HostId,
};

/// Events kept for one host.
const KEPT_PER_HOST: u64 = 500;
/// Events kept in all.
const KEPT_IN_ALL: u64 = 2_000_000;
/// Events deleted in one transaction, so that the writer's groups get their turn in between.
const TRIM_STEP: u64 = 5_000;

/// Expired boot tokens are kept this long, so that a machine left running is told the right reason.
const REMEMBER_EXPIRED_TOKENS: TimeDelta = TimeDelta::days(2);

/// Which events a transcript shows; what is not given does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventQuery {
    /// Of this host.
    pub host: Option<HostId>,
    /// Of this interface.
    pub mac: Option<MacAddr>,
    /// Of this boot.
    pub boot: Option<BootId>,
    /// Older than this event.
    pub before: Option<Uuid>,
    /// Events to give at most.
    pub limit: u64,
}

/// One boot in the list of a host's boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSummary {
    /// Which boot.
    pub id: BootId,
    /// Its first event that is still kept.
    pub began_at: DateTime<Utc>,
    /// Its last event.
    pub last_at: DateTime<Utc>,
    /// Events kept of it.
    pub events: u64,
}

/// What [`Store::trim`] deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Events beyond the limits.
    pub events: u64,
    /// Boot tokens that had ended.
    pub boot_tokens: u64,
    /// Sessions that had ended.
    pub sessions: u64,
}

#[derive(FromQueryResult)]
struct BootRow {
    boot: Uuid,
    began_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    events: i64,
}

impl Store {
    /// Events, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        let mut select = event::Entity::find();
        if let Some(host) = query.host {
            select = select.filter(event::Column::Host.eq(host.0));
        }
        if let Some(mac) = query.mac {
            select = select.filter(event::Column::Mac.eq(mac.to_string()));
        }
        if let Some(boot) = query.boot {
            select = select.filter(event::Column::Boot.eq(boot.0));
        }
        if let Some(before) = query.before {
            select = select.filter(event::Column::Id.lt(before));
        }
        let rows = select
            .order_by(event::Column::Id, Order::Desc)
            .limit(query.limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// The boots of a host that events are still kept of, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn boots(&self, host: HostId, limit: u64) -> Result<Vec<BootSummary>, StoreError> {
        let rows: Vec<BootRow> = event::Entity::find()
            .select_only()
            .column(event::Column::Boot)
            .column_as(event::Column::At.min(), "began_at")
            .column_as(event::Column::At.max(), "last_at")
            .column_as(event::Column::Id.count(), "events")
            .filter(event::Column::Host.eq(host.0))
            .filter(event::Column::Boot.is_not_null())
            .group_by(event::Column::Boot)
            .order_by(Expr::col(Alias::new("last_at")), Order::Desc)
            .limit(limit)
            .into_model()
            .all(self.reader())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| BootSummary {
                id: BootId(row.boot),
                began_at: row.began_at,
                last_at: row.last_at,
                events: unsigned(row.events),
            })
            .collect())
    }

    /// Deletes what is kept no longer: the oldest events beyond 500 of a host and 2 million in all, boot tokens that
    /// ended two days before `now`, and sessions that ended before it. For a periodic call; each step is a short transaction of its own.
    ///
    /// # Errors
    /// When the database fails; what was deleted before stays deleted.
    pub async fn trim(&self, now: DateTime<Utc>) -> Result<Trimmed, StoreError> {
        let events = self.trim_hosts(KEPT_PER_HOST).await? + self.trim_all(KEPT_IN_ALL).await?;
        let boot_tokens = boot_token::Entity::delete_many()
            .filter(boot_token::Column::ExpiresAt.lt(now - REMEMBER_EXPIRED_TOKENS))
            .exec(self.own())
            .await?
            .rows_affected;
        self.trim_install_logs().await?;
        let sessions = session::Entity::delete_many()
            .filter(session::Column::ExpiresAt.lt(now))
            .exec(self.own())
            .await?
            .rows_affected;
        Ok(Trimmed {
            events,
            boot_tokens,
            sessions,
        })
    }

    async fn trim_hosts(&self, kept: u64) -> Result<u64, StoreError> {
        let full: Vec<Uuid> = event::Entity::find()
            .select_only()
            .column(event::Column::Host)
            .filter(event::Column::Host.is_not_null())
            .group_by(event::Column::Host)
            .having(event::Column::Id.count().gt(kept))
            .into_tuple()
            .all(self.reader())
            .await?;
        let mut deleted = 0;
        for host in full {
            let of_host = event::Entity::find().filter(event::Column::Host.eq(host));
            let Some(last) = nth_newest(of_host, kept, self.reader()).await? else {
                continue;
            };
            deleted += event::Entity::delete_many()
                .filter(event::Column::Host.eq(host))
                .filter(event::Column::Id.lte(last))
                .exec(self.own())
                .await?
                .rows_affected;
        }
        Ok(deleted)
    }

    async fn trim_all(&self, kept: u64) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let mut beyond = event::Entity::find().count(self.reader()).await?.saturating_sub(kept);
        while beyond > 0 {
            let step = Ord::min(beyond, TRIM_STEP);
            let Some(last) = event::Entity::find()
                .select_only()
                .column(event::Column::Id)
                .order_by(event::Column::Id, Order::Asc)
                .offset(step - 1)
                .limit(1)
                .into_tuple::<Uuid>()
                .one(self.reader())
                .await?
            else {
                break;
            };
            deleted += event::Entity::delete_many()
                .filter(event::Column::Id.lte(last))
                .exec(self.own())
                .await?
                .rows_affected;
            beyond -= step;
        }
        Ok(deleted)
    }
}

/// The id of the newest event beyond the `kept` newest.
async fn nth_newest(
    select: sea_orm::Select<event::Entity>,
    kept: u64,
    reader: &DatabaseConnection,
) -> Result<Option<Uuid>, StoreError> {
    Ok(select
        .select_only()
        .column(event::Column::Id)
        .order_by(event::Column::Id, Order::Desc)
        .offset(kept)
        .limit(1)
        .into_tuple()
        .one(reader)
        .await?)
}

/// The row of an event.
pub(super) fn event_row(event: &Event) -> event::ActiveModel {
    event::ActiveModel {
        id: set(event.id),
        at: set(event.at),
        mac: set(event.mac.map(|mac| mac.to_string())),
        host: set(event.host.map(|host| host.0)),
        boot: set(event.boot.map(|boot| boot.0)),
        kind: set(event.kind.as_str().to_owned()),
        level: set(event.level.as_str().to_owned()),
        rule: set(event.rule.clone()),
        params: set(serde_json::json!(event.params)),
    }
}

/// Gives the events of one host to another.
pub(super) async fn move_events(
    connection: &impl ConnectionTrait,
    from: HostId,
    into: HostId,
) -> Result<(), StoreError> {
    event::Entity::update_many()
        .col_expr(event::Column::Host, Expr::value(into.0))
        .filter(event::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    Ok(())
}

impl TryFrom<event::Model> for Event {
    type Error = StoreError;

    fn try_from(row: event::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            at: row.at,
            mac: word_or_none("event", row.mac.as_deref())?,
            host: row.host.map(HostId),
            boot: row.boot.map(BootId),
            kind: word("event", &row.kind)?,
            level: word("event", &row.level)?,
            rule: row.rule,
            params: serde_json::from_value(row.params).map_err(|error| StoreError::unreadable("event", error))?,
        })
    }
}
