//! What installed machines measure. Reports lie in the tail, a row each, until their hour is over; then they are laid
//! into blocks, of which a host has one an hour, a day and a week.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{agent_credential, host, host_services, metric_block, metric_fleet, metric_tail},
    labels::address_key,
    row::{set, signed},
    write::insert,
};
use crate::{
    inventory::HostId,
    metrics::{Block, Step},
};

/// Hosts whose old blocks are deleted in one transaction, so that the writer's groups get their turn in between.
const TRIMMED_AT_ONCE: u64 = 200;
/// Rows of the tail that are read of one host at once: more than two days have.
const MOST_OF_TAIL: u64 = 5000;

/// A sign of life of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentHeard {
    /// The host that it speaks for.
    pub host: HostId,
    /// When.
    pub at: DateTime<Utc>,
    /// From where.
    pub address: IpAddr,
    /// SHA-256 of its credential, which was used now, and the highest number of a sample that is committed with this.
    pub acknowledged: Option<([u8; 32], u64)>,
    /// When its samples were measured, and the samples, packed.
    pub samples: Vec<(i64, Vec<u8>)>,
    /// What it says of its services, when that has changed.
    pub services: Option<Services>,
}

/// What a host said last of its services.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Services {
    /// Units of systemd that failed; `None` where it is not known.
    pub failed_units: Option<Vec<String>>,
    /// Ports that are listened on: protocol, address, port.
    pub listening: Vec<(String, String, u16)>,
}

/// A block as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptBlock {
    /// How fine.
    pub step: Step,
    /// Where it begins.
    pub start: i64,
    /// How often it was written; 0 of one that is not kept yet.
    pub version: i64,
    /// Its bytes: [`Block::pack`].
    pub data: Vec<u8>,
}

/// What has arrived of one host, laid into blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsLaid {
    /// Whose.
    pub host: HostId,
    /// The blocks as they are to be; their versions are those that were read.
    pub blocks: Vec<KeptBlock>,
    /// When was measured what is in them now and leaves the tail.
    pub times: Vec<i64>,
}

/// What there is to lay, and what there was to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeping {
    /// Hosts whose reports were laid into blocks.
    pub laid: u64,
    /// Blocks that were deleted.
    pub deleted: u64,
}

impl Store {
    /// Hosts of which anything lies in the tail that was measured before a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts_with_tail(&self, before: i64) -> Result<Vec<HostId>, StoreError> {
        let ids: Vec<Uuid> = metric_tail::Entity::find()
            .select_only()
            .column(metric_tail::Column::Host)
            .filter(metric_tail::Column::At.lt(before))
            .group_by(metric_tail::Column::Host)
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(ids.into_iter().map(HostId).collect())
    }

    /// What lies in the tail of a host, from a time on and before another.
    ///
    /// # Errors
    /// When the database fails, or holds what cannot be read.
    pub async fn metric_tail(&self, host: HostId, from: i64, until: i64) -> Result<Block, StoreError> {
        let rows = metric_tail::Entity::find()
            .filter(metric_tail::Column::Host.eq(host.0))
            .filter(metric_tail::Column::At.gte(from))
            .filter(metric_tail::Column::At.lt(until))
            .order_by(metric_tail::Column::At, Order::Asc)
            .limit(MOST_OF_TAIL)
            .all(self.reader())
            .await?;
        let mut block = Block::default();
        for row in rows {
            block.lay(unpack("metric_tail", &row.data)?);
        }
        Ok(block)
    }

    /// What was measured from a time on and before another of hosts behind `after`, in the order of hosts: of each one
    /// block. At most `limit` reports are read; the last host may be short of some, and is left out when there are more.
    ///
    /// # Errors
    /// As [`Self::metric_tail`].
    pub async fn metric_tails(
        &self,
        (from, until): (i64, i64),
        after: Option<HostId>,
        limit: u64,
    ) -> Result<Vec<(HostId, Block)>, StoreError> {
        let mut select = metric_tail::Entity::find()
            .filter(metric_tail::Column::At.gte(from))
            .filter(metric_tail::Column::At.lt(until));
        if let Some(after) = after {
            select = select.filter(metric_tail::Column::Host.gt(after.0));
        }
        let rows = select
            .order_by(metric_tail::Column::Host, Order::Asc)
            .order_by(metric_tail::Column::At, Order::Asc)
            .limit(limit)
            .all(self.reader())
            .await?;
        let cut = rows.len() as u64 == limit;
        let mut hosts: BTreeMap<HostId, Block> = BTreeMap::new();
        for row in rows {
            let block = unpack("metric_tail", &row.data)?;
            hosts.entry(HostId(row.host)).or_default().lay(block);
        }
        if cut && hosts.len() > 1 {
            hosts.pop_last();
        }
        Ok(hosts.into_iter().collect())
    }

    /// The blocks of a host that begin from a time on and before another.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn metric_blocks(
        &self,
        host: HostId,
        step: Step,
        from: i64,
        until: i64,
    ) -> Result<Vec<KeptBlock>, StoreError> {
        let rows = metric_block::Entity::find()
            .filter(metric_block::Column::Host.eq(host.0))
            .filter(metric_block::Column::Step.eq(step.seconds()))
            .filter(metric_block::Column::Start.gte(from))
            .filter(metric_block::Column::Start.lt(until))
            .order_by(metric_block::Column::Start, Order::Asc)
            .all(self.reader())
            .await?;
        let kept = rows.into_iter().map(|row| KeptBlock {
            step,
            start: row.start,
            version: row.version,
            data: row.data,
        });
        Ok(kept.collect())
    }

    /// What all hosts measured together, from a time on and before another.
    ///
    /// # Errors
    /// As [`Self::metric_tail`].
    pub async fn fleet_metrics(&self, step: Step, from: i64, until: i64) -> Result<Block, StoreError> {
        let rows = metric_fleet::Entity::find()
            .filter(metric_fleet::Column::Step.eq(step.seconds()))
            .filter(metric_fleet::Column::At.gte(from))
            .filter(metric_fleet::Column::At.lt(until))
            .order_by(metric_fleet::Column::At, Order::Asc)
            .all(self.reader())
            .await?;
        let mut block = Block::default();
        for row in rows {
            block.lay(unpack("metric_fleet", &row.data)?);
        }
        Ok(block)
    }

    /// The last step that all hosts together are kept of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_fleet_metric(&self, step: Step) -> Result<Option<i64>, StoreError> {
        let last: Option<Option<i64>> = metric_fleet::Entity::find()
            .select_only()
            .column_as(metric_fleet::Column::At.max(), "at")
            .filter(metric_fleet::Column::Step.eq(step.seconds()))
            .into_tuple()
            .one(self.reader())
            .await?;
        Ok(last.flatten())
    }

    /// What a host said last of its services, and when it said so first.
    ///
    /// # Errors
    /// When the database fails, or holds what cannot be read.
    pub async fn services(&self, host: HostId) -> Result<Option<(DateTime<Utc>, Services)>, StoreError> {
        let row = host_services::Entity::find_by_id(host.0).one(self.reader()).await?;
        row.map(|row| {
            let services = serde_json::from_value(row.services);
            let services = services.map_err(|error| StoreError::unreadable("host_services", error))?;
            Ok((row.at, services))
        })
        .transpose()
    }

    /// Deletes what is kept no longer; gives how many blocks that were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trim_metrics(&self, now: i64) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for step in Step::ALL {
            let oldest = now - step.kept();
            // A block is kept as long as its last point.
            let start = oldest - step.block();
            loop {
                let hosts: Vec<Uuid> = metric_block::Entity::find()
                    .select_only()
                    .column(metric_block::Column::Host)
                    .filter(metric_block::Column::Step.eq(step.seconds()))
                    .filter(metric_block::Column::Start.lt(start))
                    .limit(TRIMMED_AT_ONCE)
                    .into_tuple()
                    .all(self.reader())
                    .await?;
                if hosts.is_empty() {
                    break;
                }
                let step_deleted = metric_block::Entity::delete_many()
                    .filter(metric_block::Column::Host.is_in(hosts))
                    .filter(metric_block::Column::Step.eq(step.seconds()))
                    .filter(metric_block::Column::Start.lt(start))
                    .exec(self.own())
                    .await?
                    .rows_affected;
                deleted += step_deleted;
                if step_deleted == 0 {
                    break;
                }
            }
            metric_fleet::Entity::delete_many()
                .filter(metric_fleet::Column::Step.eq(step.seconds()))
                .filter(metric_fleet::Column::At.lt(oldest))
                .exec(self.own())
                .await?;
        }
        Ok(deleted)
    }
}

fn unpack(table: &'static str, data: &[u8]) -> Result<Block, StoreError> {
    Block::unpack(data).map_err(|broken| StoreError::unreadable(table, broken))
}

/// Writes signs of life: the rows of hosts and credentials one by one, the samples together.
pub(super) async fn write_heard(connection: &impl ConnectionTrait, heard: Vec<AgentHeard>) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for one in heard {
        if let Some((hash, number)) = one.acknowledged {
            let taken = agent_credential::Entity::update_many()
                .col_expr(agent_credential::Column::Acknowledged, Expr::value(signed(number)))
                .col_expr(agent_credential::Column::LastUsedAt, Expr::value(one.at))
                .filter(agent_credential::Column::Hash.eq(hex::encode(hash)))
                .filter(agent_credential::Column::Acknowledged.lt(signed(number)))
                .filter(agent_credential::Column::RevokedAt.is_null())
                .exec(connection)
                .await?;
            // Another server took the same report, or the credential ended meanwhile: nothing is kept twice, or of one
            // that speaks no more.
            if taken.rows_affected == 0 {
                continue;
            }
        }
        let newer = host::Column::HeardAt.is_null().or(host::Column::HeardAt.lt(one.at));
        host::Entity::update_many()
            .col_expr(host::Column::HeardAt, Expr::value(one.at))
            .col_expr(host::Column::LastSeenAt, Expr::value(one.at))
            .col_expr(host::Column::Address, Expr::value(one.address.to_string()))
            .col_expr(host::Column::AddressKey, Expr::value(address_key(one.address)))
            .filter(host::Column::Id.eq(one.host.0))
            .filter(newer)
            .exec(connection)
            .await?;
        if let Some(services) = one.services {
            let services =
                serde_json::to_value(services).map_err(|error| StoreError::unreadable("host_services", error))?;
            let row = host_services::ActiveModel {
                host: set(one.host.0),
                at: set(one.at),
                services: set(services),
            };
            let upsert = OnConflict::column(host_services::Column::Host)
                .update_columns([host_services::Column::At, host_services::Column::Services])
                .to_owned();
            insert(connection, vec![row], Some(upsert)).await?;
        }
        rows.extend(one.samples.into_iter().map(|(at, data)| metric_tail::ActiveModel {
            host: set(one.host.0),
            at: set(at),
            data: set(data),
        }));
    }
    insert(connection, rows, Some(OnConflict::new().do_nothing().to_owned())).await?;
    Ok(())
}

/// Puts blocks in the place of those that were read, and takes what is in them out of the tail.
pub(super) async fn write_laid(connection: &impl ConnectionTrait, laid: &MetricsLaid) -> Result<(), StoreError> {
    for block in &laid.blocks {
        let written = if block.version == 0 {
            let row = metric_block::ActiveModel {
                host: set(laid.host.0),
                step: set(block.step.seconds()),
                start: set(block.start),
                version: set(1),
                data: set(block.data.clone()),
            };
            insert(connection, vec![row], Some(OnConflict::new().do_nothing().to_owned())).await?
        } else {
            metric_block::Entity::update_many()
                .col_expr(metric_block::Column::Version, Expr::value(block.version + 1))
                .col_expr(metric_block::Column::Data, Expr::value(block.data.clone()))
                .filter(metric_block::Column::Host.eq(laid.host.0))
                .filter(metric_block::Column::Step.eq(block.step.seconds()))
                .filter(metric_block::Column::Start.eq(block.start))
                .filter(metric_block::Column::Version.eq(block.version))
                .exec(connection)
                .await?
                .rows_affected
        };
        if written == 0 {
            return Err(StoreError::Overtaken);
        }
    }
    for times in laid.times.chunks(500) {
        metric_tail::Entity::delete_many()
            .filter(metric_tail::Column::Host.eq(laid.host.0))
            .filter(metric_tail::Column::At.is_in(times.iter().copied()))
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// Gives a host what another one measured; for one that has measured nothing.
pub(super) async fn move_metrics(
    connection: &impl ConnectionTrait,
    from: HostId,
    into: HostId,
) -> Result<(), StoreError> {
    let old = metric_block::Entity::find().filter(metric_block::Column::Host.eq(into.0));
    if old.limit(1).count(connection).await? > 0 {
        return Ok(());
    }
    metric_block::Entity::update_many()
        .col_expr(metric_block::Column::Host, Expr::value(into.0))
        .filter(metric_block::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    metric_tail::Entity::update_many()
        .col_expr(metric_tail::Column::Host, Expr::value(into.0))
        .filter(metric_tail::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    Ok(())
}

/// Keeps what all hosts measured together.
pub(super) async fn write_fleet(
    connection: &impl ConnectionTrait,
    step: Step,
    block: &Block,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for at in block.times() {
        let mut one = block.clone();
        one.cut(at, at + 1);
        let data = one
            .pack()
            .map_err(|broken| StoreError::unreadable("metric_fleet", broken))?;
        rows.push(metric_fleet::ActiveModel {
            step: set(step.seconds()),
            at: set(at),
            data: set(data),
        });
    }
    let upsert = OnConflict::columns([metric_fleet::Column::Step, metric_fleet::Column::At])
        .update_column(metric_fleet::Column::Data)
        .to_owned();
    insert(connection, rows, Some(upsert)).await?;
    Ok(())
}
