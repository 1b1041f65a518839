use std::{collections::HashMap, net::IpAddr};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Iterable, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, SqlErr,
    sea_query::{Expr, ExprTrait, Func, OnConflict},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{host, install, install_log},
    row::{hash, set, signed, small, unsigned, word, word_or_none},
};
use crate::{
    boot::Level,
    install::{Difference, FailedBy, Hashes, InstallId, OpenInstall, Outcome, Planned, Progress, Stage, StageTime},
    inventory::HostId,
};

/// Log lines kept of one installation.
const KEPT_PER_INSTALL: u64 = 5_000;
/// Log lines kept in all.
const KEPT_IN_ALL: u64 = 1_000_000;
/// Log lines deleted in one transaction.
const TRIM_STEP: u64 = 5_000;

/// One attempt to install one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Names it.
    pub id: InstallId,
    /// Which host.
    pub host: HostId,
    /// The profile it was given.
    pub profile: String,
    /// The distribution.
    pub distro: String,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed.
    pub failed_by: Option<FailedBy>,
    /// The same in words, with what was heard last.
    pub reason: Option<String>,
    /// How far it came.
    pub progress: Progress,
    /// False: anew at every boot before the installer has ended.
    pub once: bool,
    /// The installed system gets an agent.
    pub agent: bool,
    /// What is kept of its tokens.
    pub hashes: Option<Hashes>,
    /// Where its boot script was asked from.
    pub client: Option<IpAddr>,
    /// The answer file as it was served last, without its secrets.
    pub snapshot: Option<String>,
    /// What it was meant to come to.
    pub planned: Planned,
    /// What was found otherwise; none until it was compared.
    pub differences: Option<Vec<Difference>>,
}

impl Install {
    /// What decisions need of it while it runs.
    #[must_use]
    pub fn open(&self) -> OpenInstall {
        OpenInstall {
            id: self.id,
            host: self.host,
            progress: self.progress.clone(),
            once: self.once,
            agent: self.agent,
            hashes: self.hashes,
            client: self.client,
            addresses: self.planned.addresses(),
            stuck_told: None,
        }
    }
}

/// One line heard of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallLog {
    /// Time-ordered.
    pub id: Uuid,
    /// Of which installation.
    pub install: InstallId,
    /// When it was heard.
    pub at: DateTime<Utc>,
    /// By which way: `person`, `boot`, `answer`, `stage`, `syslog`, `agent`, `server`.
    pub source: String,
    /// How much it matters.
    pub level: Level,
    /// The line, without secrets.
    pub text: String,
}

/// Which installations a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallQuery {
    /// Of this host.
    pub host: Option<HostId>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Words that must all occur in the host's name, serial, vendor, MAC and so on, the profile or the distro.
    pub text: Option<String>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
}

impl Store {
    /// Installations, newest first, and how many there are.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn installs(&self, query: &InstallQuery) -> Result<(Vec<Install>, u64), StoreError> {
        let mut select = install::Entity::find();
        if let Some(host) = query.host {
            select = select.filter(install::Column::Host.eq(host.0));
        }
        if let Some(outcome) = query.outcome {
            select = select.filter(install::Column::Outcome.eq(outcome.as_str()));
        }
        if let Some(text) = &query.text {
            select = select.filter(containing(text));
        }
        let total = select.clone().count(self.reader()).await?;
        let rows = select
            .order_by(install::Column::Id, Order::Desc)
            .offset(Ord::min(query.offset, super::hosts::MAX_OFFSET))
            .limit(query.limit)
            .all(self.reader())
            .await?;
        let installs = rows.into_iter().map(Install::try_from).collect::<Result<_, _>>()?;
        Ok((installs, total))
    }

    /// How many installations came to each outcome; outcomes without any are left out.
    ///
    /// # Errors
    /// As [`Self::installs`].
    pub async fn install_counts(&self) -> Result<HashMap<Outcome, u64>, StoreError> {
        let rows: Vec<(String, i64)> = install::Entity::find()
            .select_only()
            .column(install::Column::Outcome)
            .column_as(install::Column::Id.count(), "installs")
            .group_by(install::Column::Outcome)
            .into_tuple()
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|(outcome, installs)| Ok((word("install", &outcome)?, unsigned(installs))))
            .collect()
    }

    /// The times of the newest installations that came to their end on machines of one product, newest first.
    ///
    /// # Errors
    /// As [`Self::installs`].
    pub async fn install_times(&self, product: &str, limit: u64) -> Result<Vec<Vec<StageTime>>, StoreError> {
        let machines = host::Entity::find()
            .select_only()
            .column(host::Column::Id)
            .filter(host::Column::Product.eq(product));
        let rows: Vec<serde_json::Value> = install::Entity::find()
            .select_only()
            .column(install::Column::Times)
            .filter(install::Column::Outcome.eq(Outcome::Done.as_str()))
            .filter(install::Column::Host.in_subquery(machines.into_query()))
            .order_by(install::Column::Id, Order::Desc)
            .limit(limit)
            .into_tuple()
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|times| serde_json::from_value(times).map_err(|error| StoreError::unreadable("install", error)))
            .collect()
    }

    /// Every installation that runs; for the start.
    ///
    /// # Errors
    /// As [`Self::installs`].
    pub async fn open_installs(&self) -> Result<Vec<Install>, StoreError> {
        let query = InstallQuery {
            outcome: Some(Outcome::Open),
            limit: super::hosts::MAX_OFFSET,
            ..InstallQuery::default()
        };
        Ok(self.installs(&query).await?.0)
    }

    /// Whether an installation of this host came as far as its answer file, or came to its end: from then on nobody
    /// promises what is on its disks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_have_been_written(&self, host: HostId) -> Result<bool, StoreError> {
        let stages = Stage::ALL.iter().filter(|stage| stage.may_have_written());
        let written = Condition::any()
            // One that was started anew before its end has gone back to an earlier stage; the file it was given stays.
            .add(install::Column::Snapshot.is_not_null())
            .add(install::Column::Outcome.eq(Outcome::Done.as_str()))
            .add(install::Column::Stage.is_in(stages.map(|stage| stage.as_str())));
        let found = install::Entity::find()
            .filter(install::Column::Host.eq(host.0))
            .filter(written)
            .count(self.reader())
            .await?;
        Ok(found > 0)
    }

    /// The installation of this host that runs.
    ///
    /// # Errors
    /// As [`Self::installs`].
    pub async fn open_install(&self, host: HostId) -> Result<Option<Install>, StoreError> {
        let query = InstallQuery {
            host: Some(host),
            outcome: Some(Outcome::Open),
            limit: 1,
            ..InstallQuery::default()
        };
        Ok(self.installs(&query).await?.0.pop())
    }

    /// One installation.
    ///
    /// # Errors
    /// As [`Self::installs`].
    pub async fn install(&self, id: InstallId) -> Result<Option<Install>, StoreError> {
        let row = install::Entity::find_by_id(id.0).one(self.reader()).await?;
        row.map(Install::try_from).transpose()
    }

    /// What was heard of an installation, newest first.
    ///
    /// # Errors
    /// As [`Self::installs`].
    pub async fn install_log(
        &self,
        install: InstallId,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<InstallLog>, StoreError> {
        let mut select = install_log::Entity::find().filter(install_log::Column::Install.eq(install.0));
        if let Some(before) = before {
            select = select.filter(install_log::Column::Id.lt(before));
        }
        let rows = select
            .order_by(install_log::Column::Id, Order::Desc)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(InstallLog::try_from).collect()
    }

    /// Deletes the oldest log lines beyond 5,000 of an installation and a million in all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trim_install_logs(&self) -> Result<u64, StoreError> {
        let mut deleted = 0;
        let full: Vec<Uuid> = install_log::Entity::find()
            .select_only()
            .column(install_log::Column::Install)
            .group_by(install_log::Column::Install)
            .having(install_log::Column::Id.count().gt(KEPT_PER_INSTALL))
            .into_tuple()
            .all(self.reader())
            .await?;
        for install in full {
            let last: Option<Uuid> = install_log::Entity::find()
                .filter(install_log::Column::Install.eq(install))
                .select_only()
                .column(install_log::Column::Id)
                .order_by(install_log::Column::Id, Order::Desc)
                .offset(KEPT_PER_INSTALL)
                .limit(1)
                .into_tuple()
                .one(self.reader())
                .await?;
            let Some(last) = last else { continue };
            deleted += install_log::Entity::delete_many()
                .filter(install_log::Column::Install.eq(install))
                .filter(install_log::Column::Id.lte(last))
                .exec(self.own())
                .await?
                .rows_affected;
        }
        let all = install_log::Entity::find().count(self.reader()).await?;
        let mut beyond = all.saturating_sub(KEPT_IN_ALL);
        while beyond > 0 {
            let step = Ord::min(beyond, TRIM_STEP);
            let last: Option<Uuid> = install_log::Entity::find()
                .select_only()
                .column(install_log::Column::Id)
                .order_by(install_log::Column::Id, Order::Asc)
                .offset(step - 1)
                .limit(1)
                .into_tuple()
                .one(self.reader())
                .await?;
            let Some(last) = last else { break };
            deleted += install_log::Entity::delete_many()
                .filter(install_log::Column::Id.lte(last))
                .exec(self.own())
                .await?
                .rows_affected;
            beyond -= step;
        }
        Ok(deleted)
    }
}

/// Installations whose host, profile or distro has every word of a search.
fn containing(text: &str) -> Condition {
    text.split_whitespace().fold(Condition::all(), |all, term| {
        let hosts = host::Entity::find()
            .select_only()
            .column(host::Column::Id)
            .filter(super::hosts::containing(term));
        let like = || super::hosts::like(&term.to_lowercase());
        all.add(
            Condition::any()
                .add(install::Column::Host.in_subquery(hosts.into_query()))
                .add(Func::lower(install::Column::Profile.into_expr()).like(like()))
                .add(Func::lower(install::Column::Distro.into_expr()).like(like())),
        )
    })
}

/// Writes an installation, new or changed.
///
/// # Errors
/// [`StoreError::InstallRuns`] when another one of its host runs.
pub(super) async fn write_install(connection: &impl ConnectionTrait, kept: &Install) -> Result<(), StoreError> {
    let changed = install::Column::iter().filter(|column| {
        use install::Column::{CreatedAt, Host, Id, StartedBy};
        !matches!(column, Id | Host | CreatedAt | StartedBy)
    });
    let upsert = OnConflict::column(install::Column::Id)
        .update_columns(changed.collect::<Vec<_>>())
        .to_owned();
    install::Entity::insert(install_row(kept)?)
        .on_conflict(upsert)
        .exec_without_returning(connection)
        .await
        .map_err(|error| match error.sql_err() {
            // Its id is no conflict, so it is the index of those that run.
            Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::InstallRuns(kept.host),
            _ => error.into(),
        })?;
    Ok(())
}

/// One host turned out to be another: its installations are the other's. Of two that run the one of the host that stays
/// goes on, as what is wanted of that host does.
pub(super) async fn move_installs(
    connection: &impl ConnectionTrait,
    from: HostId,
    into: HostId,
) -> Result<(), StoreError> {
    let runs = install::Entity::find()
        .filter(install::Column::Host.eq(into.0))
        .filter(install::Column::Outcome.eq(Outcome::Open.as_str()))
        .count(connection)
        .await?;
    if runs > 0 {
        let why = format!("the host turned out to be {into}, of which another installation runs");
        install::Entity::update_many()
            .col_expr(install::Column::Outcome, Expr::value(Outcome::Cancelled.as_str()))
            .col_expr(install::Column::EndedAt, install::Column::HeardAt.into_expr())
            .col_expr(install::Column::Reason, Expr::value(why))
            .filter(install::Column::Host.eq(from.0))
            .filter(install::Column::Outcome.eq(Outcome::Open.as_str()))
            .exec(connection)
            .await?;
    }
    install::Entity::update_many()
        .col_expr(install::Column::Host, Expr::value(into.0))
        .filter(install::Column::Host.eq(from.0))
        .exec(connection)
        .await?;
    Ok(())
}

/// Notes that an installation was heard of.
pub(super) async fn heard(
    connection: &impl ConnectionTrait,
    id: InstallId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    install::Entity::update_many()
        .col_expr(install::Column::HeardAt, Expr::value(at))
        .filter(install::Column::Id.eq(id.0))
        .filter(install::Column::HeardAt.lt(at))
        .exec(connection)
        .await?;
    Ok(())
}

/// Writes log lines.
pub(super) async fn write_log(connection: &impl ConnectionTrait, line: &InstallLog) -> Result<(), StoreError> {
    let row = install_log::ActiveModel {
        id: set(line.id),
        install: set(line.install.0),
        at: set(line.at),
        source: set(line.source.clone()),
        level: set(line.level.as_str().to_owned()),
        text: set(line.text.clone()),
    };
    install_log::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

fn json(value: impl serde::Serialize) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::unreadable("install", error))
}

fn install_row(kept: &Install) -> Result<install::ActiveModel, StoreError> {
    let progress = &kept.progress;
    let hashed = |of: fn(&Hashes) -> [u8; 32]| kept.hashes.as_ref().map(|hashes| hex::encode(of(hashes)));
    Ok(install::ActiveModel {
        id: set(kept.id.0),
        host: set(kept.host.0),
        profile: set(kept.profile.clone()),
        distro: set(kept.distro.clone()),
        started_by: set(kept.started_by.clone()),
        created_at: set(kept.created_at),
        ended_at: set(kept.ended_at),
        outcome: set(kept.outcome.as_str().to_owned()),
        failed_by: set(kept.failed_by.map(|by| by.as_str().to_owned())),
        reason: set(kept.reason.clone()),
        stage: set(progress.stage.as_str().to_owned()),
        stage_since: set(progress.stage_since),
        heard_at: set(progress.heard_at),
        evidence: set(progress.evidence.clone()),
        packages: set(progress.packages.map(json).transpose()?),
        times: set(json(&progress.times)?),
        starts: set(signed(progress.starts.into())),
        once: set(kept.once),
        agent: set(kept.agent),
        answer_hash: set(hashed(|hashes| hashes.answer)),
        stage_hash: set(hashed(|hashes| hashes.stage)),
        enrol_hash: set(hashed(|hashes| hashes.enrol)),
        client: set(kept.client.map(|client| client.to_string())),
        snapshot: set(kept.snapshot.clone()),
        planned: set(json(&kept.planned)?),
        differences: set(kept.differences.as_ref().map(json).transpose()?),
    })
}

impl TryFrom<install::Model> for Install {
    type Error = StoreError;

    fn try_from(row: install::Model) -> Result<Self, StoreError> {
        fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, StoreError> {
            serde_json::from_value(value).map_err(|error| StoreError::unreadable("install", error))
        }
        let hashes = match (&row.answer_hash, &row.stage_hash, &row.enrol_hash) {
            (Some(answer), Some(stage), Some(enrol)) => Some(Hashes {
                answer: hash("install", answer)?,
                stage: hash("install", stage)?,
                enrol: hash("install", enrol)?,
            }),
            _ => None,
        };
        Ok(Self {
            id: InstallId(row.id),
            host: HostId(row.host),
            profile: row.profile,
            distro: row.distro,
            started_by: row.started_by,
            created_at: row.created_at,
            ended_at: row.ended_at,
            outcome: word("install", &row.outcome)?,
            failed_by: word_or_none("install", row.failed_by.as_deref())?,
            reason: row.reason,
            progress: Progress {
                stage: word("install", &row.stage)?,
                stage_since: row.stage_since,
                heard_at: row.heard_at,
                evidence: row.evidence,
                packages: row.packages.map(read).transpose()?,
                times: read(row.times)?,
                starts: small(signed(unsigned(row.starts))),
            },
            once: row.once,
            agent: row.agent,
            hashes,
            client: word_or_none("install", row.client.as_deref())?,
            snapshot: row.snapshot,
            planned: read(row.planned)?,
            differences: row.differences.map(read).transpose()?,
        })
    }
}

impl TryFrom<install_log::Model> for InstallLog {
    type Error = StoreError;

    fn try_from(row: install_log::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            install: InstallId(row.install),
            at: row.at,
            source: row.source,
            level: word("install_log", &row.level)?,
            text: row.text,
        })
    }
}
