//! Distros, and how distros, profiles, plans and defaults are written: each change in one transaction with its audit
//! entry and a new revision, by which every server notices that what it holds in memory is old.

use std::mem;

use muster_facts::MacAddr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, SqlErr, TransactionTrait,
    sea_query::{Expr, OnConflict},
};
use serde_json::{Value, json};

use super::{
    AuditEntry, Store, StoreError,
    entity::{distro, host, host_plan, profile, rule, setting},
    facts, hosts,
    labels::refresh_labels,
    plans::plan_row,
    profiles::profile_row,
    row::{set, word},
    rules::{rename_rule, rule_row},
    settings,
    write::{self, Write, write_all},
    writer::immediate,
};
use crate::{
    desired::{Distro, HostPlan, Objects, Profile, Tree, Values, field, rules::Rule},
    inventory::{Change, Host, HostId, State},
};

/// Where the site's defaults are kept.
const DEFAULTS: &str = "desired.defaults";

/// Where the revision is kept.
const REVISION: &str = "desired.revision";

/// One change to what is desired.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectWrite {
    /// The site's defaults.
    Defaults(Values),
    /// A distro that is new, or replaces the one of its name.
    Distro {
        /// As it shall be.
        distro: Distro,
        /// True when there must be none of its name yet.
        new: bool,
    },
    /// A profile that is new, or replaces the one of its name.
    Profile {
        /// As it shall be.
        profile: Profile,
        /// True when there must be none of its name yet.
        new: bool,
    },
    /// Another name for a distro; profiles follow.
    RenameDistro(String, String),
    /// Another name for a profile; profiles and plans follow.
    RenameProfile(String, String),
    /// A distro ends.
    RemoveDistro(String),
    /// A profile ends.
    RemoveProfile(String),
    /// What is wanted of a host, with the change of its state when its profile moves it.
    Plan(HostPlan, Option<Box<Change>>),
    /// Nothing is wanted of a host any more; with the change of its state when that moves it.
    RemovePlan(HostId, Option<Box<Change>>),
    /// A host that was not known, with its interfaces and what is wanted of it.
    HostAdded(Box<Host>, Vec<MacAddr>, HostPlan),
    /// Another name for a host, or none; for its history.
    HostNamed(HostId, Option<String>, Box<Change>),
    /// A host that was entered and never heard of ends.
    HostForgotten(HostId),
    /// A rule that is new, or replaces the one of its name.
    Rule {
        /// As it shall be.
        rule: Rule,
        /// True when there must be none of its name yet.
        new: bool,
    },
    /// Another name for a rule; what it gave follows.
    RenameRule(String, String),
    /// A rule ends; what it gave stays until rules give anew.
    RemoveRule(String),
    /// Other numbers in the order of rules, by name.
    RuleOrders(Vec<(String, u32)>),
}

impl Store {
    /// The number that every change to what is desired raises.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn desired_revision(&self) -> Result<u64, StoreError> {
        Ok(self
            .setting(REVISION)
            .await?
            .and_then(|text| text.parse().ok())
            .unwrap_or(0))
    }

    /// Every distro and profile, with the site's defaults.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn desired_objects(&self) -> Result<Objects, StoreError> {
        let reader = self.reader();
        let settings = match self.setting(DEFAULTS).await? {
            None => Values::default(),
            Some(text) => {
                let document = serde_json::from_str(&text).map_err(|error| StoreError::unreadable("setting", error))?;
                values("setting", document)?
            }
        };
        let distros = distro::Entity::find().all(reader).await?;
        let profiles = profile::Entity::find().all(reader).await?;
        Ok(Objects {
            settings,
            distros: distros
                .into_iter()
                .map(|row| Distro::try_from(row).map(|distro| (distro.name.clone(), distro)))
                .collect::<Result<_, _>>()?,
            profiles: profiles
                .into_iter()
                .map(|row| Profile::try_from(row).map(|profile| (profile.name.clone(), profile)))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Makes one change, with its audit entry, when nothing was changed since `revision`.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] when something was.
    pub async fn write_desired(
        &self,
        revision: u64,
        write: &ObjectWrite,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let transaction = self.own().begin_with_options(immediate()).await?;
        match apply(&transaction, revision, write, entry).await {
            Ok(()) => Ok(transaction.commit().await?),
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    }
}

async fn apply(
    transaction: &DatabaseTransaction,
    revision: u64,
    write: &ObjectWrite,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    raise(transaction, revision).await?;
    match write {
        ObjectWrite::Defaults(values) => {
            let row = setting::ActiveModel {
                key: set(DEFAULTS.to_owned()),
                value: set(column(values).to_string()),
            };
            let replace = OnConflict::column(setting::Column::Key)
                .update_column(setting::Column::Value)
                .to_owned();
            setting::Entity::insert(row)
                .on_conflict(replace)
                .exec_without_returning(transaction)
                .await?;
        }
        ObjectWrite::Distro { distro, new } => {
            let row = distro_row(distro);
            if *new {
                distro::Entity::insert(row)
                    .exec_without_returning(transaction)
                    .await
                    .map_err(overtaken)?;
            } else {
                distro::Entity::update(row).exec(transaction).await.map_err(overtaken)?;
            }
        }
        ObjectWrite::Profile { profile, new } => {
            let row = profile_row(profile);
            if *new {
                profile::Entity::insert(row)
                    .exec_without_returning(transaction)
                    .await
                    .map_err(overtaken)?;
            } else {
                profile::Entity::update(row)
                    .exec(transaction)
                    .await
                    .map_err(overtaken)?;
            }
        }
        ObjectWrite::RenameDistro(from, to) => {
            distro::Entity::update_many()
                .col_expr(distro::Column::Name, Expr::value(to))
                .filter(distro::Column::Name.eq(from))
                .exec(transaction)
                .await
                .map_err(overtaken)?;
        }
        ObjectWrite::RenameProfile(from, to) => {
            profile::Entity::update_many()
                .col_expr(profile::Column::Name, Expr::value(to))
                .filter(profile::Column::Name.eq(from))
                .exec(transaction)
                .await
                .map_err(overtaken)?;
        }
        ObjectWrite::RemoveDistro(name) => {
            distro::Entity::delete_by_id(name)
                .exec(transaction)
                .await
                .map_err(overtaken)?;
        }
        ObjectWrite::RemoveProfile(name) => {
            profile::Entity::delete_by_id(name)
                .exec(transaction)
                .await
                .map_err(overtaken)?;
        }
        ObjectWrite::Plan(plan, moved) => {
            keeps_profile(transaction, plan.host, plan.profile.as_deref()).await?;
            write_plan(transaction, plan).await?;
            if let Some(moved) = moved {
                move_host(transaction, moved).await?;
            }
        }
        ObjectWrite::RemovePlan(host, moved) => {
            keeps_profile(transaction, *host, None).await?;
            if let Some(moved) = moved {
                move_host(transaction, moved).await?;
            }
            host_plan::Entity::delete_by_id(host.0).exec(transaction).await?;
            refresh_labels(transaction, host.0).await?;
        }
        ObjectWrite::HostAdded(host, macs, plan) => {
            write_all(transaction, &[Write::HostCreated(host.clone(), macs.clone())]).await?;
            write_plan(transaction, plan).await?;
        }
        ObjectWrite::HostNamed(host, name, change) => {
            let named = Write::HostNamed {
                host: *host,
                name: name.clone(),
                change: change.clone(),
            };
            write_all(transaction, &[named]).await?;
        }
        ObjectWrite::HostForgotten(host) => {
            // Unless it was heard of meanwhile.
            let gone = host::Entity::delete_many()
                .filter(host::Column::Id.eq(host.0))
                .filter(host::Column::ReportedAt.is_null())
                .filter(host::Column::BootedAt.is_null())
                .filter(host::Column::State.ne(State::Installing.as_str()))
                .exec(transaction)
                .await?;
            if gone.rows_affected == 0 {
                return Err(StoreError::Overtaken);
            }
        }
        ObjectWrite::Rule { rule, new } => {
            let row = rule_row(rule);
            if *new {
                rule::Entity::insert(row)
                    .exec_without_returning(transaction)
                    .await
                    .map_err(overtaken)?;
            } else {
                rule::Entity::update(row).exec(transaction).await.map_err(overtaken)?;
            }
        }
        ObjectWrite::RenameRule(from, to) => rename_rule(transaction, from, to).await?,
        ObjectWrite::RemoveRule(name) => {
            rule::Entity::delete_by_id(name).exec(transaction).await?;
        }
        ObjectWrite::RuleOrders(orders) => {
            for (name, order) in orders {
                rule::Entity::update_many()
                    .col_expr(rule::Column::Position, Expr::value(i64::from(*order)))
                    .filter(rule::Column::Name.eq(name))
                    .exec(transaction)
                    .await?;
            }
        }
    }
    settings::insert_audit(transaction, entry).await
}

/// Moves a host from the state that was judged by; another one is there when somebody was quicker.
async fn move_host(transaction: &DatabaseTransaction, moved: &Change) -> Result<(), StoreError> {
    if write::move_state(transaction, moved).await? == 0 {
        return Err(StoreError::Overtaken);
    }
    write::insert(transaction, vec![facts::change_row(moved)], None).await?;
    Ok(())
}

/// While an installation runs the profile stays: it may have begun after the plan was judged. One that begins at the same
/// time moves the host, and waits for this transaction to end.
async fn keeps_profile(
    transaction: &DatabaseTransaction,
    host: HostId,
    profile: Option<&str>,
) -> Result<(), StoreError> {
    let row = hosts::locked(transaction, host).await?;
    let had = host_plan::Entity::find_by_id(host.0).one(transaction).await?;
    if had.and_then(|plan| plan.profile).as_deref() == profile {
        return Ok(());
    }
    if row.is_some_and(|row| row.state == State::Installing.as_str()) {
        return Err(StoreError::Overtaken);
    }
    Ok(())
}

async fn write_plan(transaction: &DatabaseTransaction, plan: &HostPlan) -> Result<(), StoreError> {
    let replace = OnConflict::column(host_plan::Column::Host)
        .update_columns([
            host_plan::Column::Profile,
            host_plan::Column::ProfileBy,
            host_plan::Column::Values,
        ])
        .to_owned();
    host_plan::Entity::insert(plan_row(plan))
        .on_conflict(replace)
        .exec_without_returning(transaction)
        .await
        .map_err(overtaken)?;
    refresh_labels(transaction, plan.host.0).await
}

/// Takes the next revision, when the present one is `from`.
async fn raise(transaction: &impl ConnectionTrait, from: u64) -> Result<(), StoreError> {
    let next = (from + 1).to_string();
    let first = setting::ActiveModel {
        key: set(REVISION.to_owned()),
        value: set("0".to_owned()),
    };
    setting::Entity::insert(first)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    let done = setting::Entity::update_many()
        .col_expr(setting::Column::Value, Expr::value(next))
        .filter(setting::Column::Key.eq(REVISION))
        .filter(setting::Column::Value.eq(from.to_string()))
        .exec(transaction)
        .await?;
    if done.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::Overtaken)
    }
}

fn overtaken(error: DbErr) -> StoreError {
    match (&error, error.sql_err()) {
        (DbErr::RecordNotUpdated, _)
        | (_, Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_))) => {
            StoreError::Overtaken
        }
        _ => error.into(),
    }
}

fn distro_row(distro: &Distro) -> distro::ActiveModel {
    let (path, url) = match &distro.tree {
        Tree::Path(path) => (Some(path.clone()), None),
        Tree::Url(url) => (None, Some(url.clone())),
    };
    distro::ActiveModel {
        name: set(distro.name.clone()),
        family: set(distro.family.as_str().to_owned()),
        os: set(distro.id.clone()),
        version: set(distro.version.clone()),
        codename: set(distro.codename.clone()),
        arch: set(distro.arch.clone()),
        tree_path: set(path),
        tree_url: set(url),
        kernel: set(distro.kernel.clone()),
        initrd: set(distro.initrd.clone()),
        values: set(column(&distro.values)),
    }
}

/// A column of values. PostgreSQL keeps the order of an object's names for nobody: where it means something, an object
/// is written as a list of its entries.
pub(super) fn column(values: &Values) -> Value {
    let mut document = values.as_map().clone();
    for (key, value) in &mut document {
        if is_ordered(key)
            && let Value::Object(map) = value
        {
            *value = mem::take(map)
                .into_iter()
                .map(|(name, value)| json!([name, value]))
                .collect();
        }
    }
    document.into()
}

/// Reads a column of values.
pub(super) fn values(table: &'static str, column: Value) -> Result<Values, StoreError> {
    let Value::Object(mut document) = column else {
        return Err(StoreError::unreadable(table, "values that are no object"));
    };
    for (key, value) in &mut document {
        if is_ordered(key)
            && let Value::Array(entries) = value
        {
            let entries: Vec<(String, Value)> = serde_json::from_value(mem::take(entries).into())
                .map_err(|error| StoreError::unreadable(table, error))?;
            *value = Value::Object(entries.into_iter().collect());
        }
    }
    Ok(Values::stored(document))
}

fn is_ordered(key: &str) -> bool {
    field(key).is_some_and(|field| field.ordered)
}

impl TryFrom<distro::Model> for Distro {
    type Error = StoreError;

    fn try_from(row: distro::Model) -> Result<Self, StoreError> {
        let tree = match (row.tree_path, row.tree_url) {
            (Some(path), None) => Tree::Path(path),
            (None, Some(url)) => Tree::Url(url),
            _ => return Err(StoreError::unreadable("distro", "not one tree")),
        };
        Ok(Self {
            family: word("distro", &row.family)?,
            id: row.os,
            version: row.version,
            codename: row.codename,
            arch: row.arch,
            tree,
            kernel: row.kernel,
            initrd: row.initrd,
            values: values("distro", row.values)?,
            name: row.name,
        })
    }
}
