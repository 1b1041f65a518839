use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, SqlErr,
    sea_query::{Expr, ExprTrait, Func, OnConflict},
};
use serde_json::Value;

use super::{
    FactSet, Store, StoreError,
    entity::{fact_set, host, host_plan, rule},
    facts, hosts, labels,
    row::{set, small},
};
use crate::{
    desired::{
        HostPlan,
        rules::{By, GivenLayer, Giver, Rule},
    },
    inventory::{Change, Host, HostId},
};

/// What rules give one host, to be written as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Which host.
    pub host: HostId,
    /// The profile, when it is given now.
    pub profile: Option<By<String>>,
    /// The layers of rules; replace those before.
    pub layers: Vec<GivenLayer>,
    /// For the history.
    pub changes: Vec<Change>,
}

impl Given {
    /// The name among the layers.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.layers
            .iter()
            .find_map(|layer| layer.values.as_map().get("hostname")?.as_str())
    }
}

/// A host that has reported, with its newest facts and what is wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedHost {
    /// The host.
    pub host: Host,
    /// What is wanted of it.
    pub plan: HostPlan,
    /// Its newest facts, of any source.
    pub facts: muster_facts::Facts,
}

impl Store {
    /// Every rule, by order.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let rows = rule::Entity::find()
            .order_by_asc(rule::Column::Position)
            .order_by_asc(rule::Column::Name)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Rule::try_from).collect()
    }

    /// Hosts that have, or are to have, a name whose first word is this one; in capitals too (RFC 4343).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts_named(&self, word: &str) -> Result<Vec<HostId>, StoreError> {
        let word = word.to_ascii_lowercase();
        let begins = |column: Expr| {
            let longer = hosts::like_start(&format!("{word}."));
            let lower = || Expr::expr(Func::lower(column.clone()));
            lower().eq(word.as_str()).or(lower().like(longer))
        };
        let named: Vec<uuid::Uuid> = host::Entity::find()
            .select_only()
            .column(host::Column::Id)
            .filter(begins(Expr::col((host::Entity, host::Column::Name))))
            .into_tuple()
            .all(self.reader())
            .await?;
        let given = Expr::col((host_plan::Entity, host_plan::Column::GivenName));
        let planned: Vec<uuid::Uuid> = host_plan::Entity::find()
            .select_only()
            .column(host_plan::Column::Host)
            .filter(begins(hostname()).or(begins(given)))
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(named.into_iter().chain(planned).map(HostId).collect())
    }

    /// How many hosts have never reported.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unreported_hosts(&self) -> Result<u64, StoreError> {
        let unreported = host::Entity::find().filter(host::Column::ReportedAt.is_null());
        Ok(unreported.count(self.reader()).await?)
    }

    /// Hosts that have reported, with facts and plan, by id; `after` is the last one seen.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn reported_hosts(&self, after: Option<HostId>, limit: u64) -> Result<Vec<ReportedHost>, StoreError> {
        let mut select = host::Entity::find().filter(host::Column::ReportedAt.is_not_null());
        if let Some(after) = after {
            select = select.filter(host::Column::Id.gt(after.0));
        }
        let hosts = select
            .order_by_asc(host::Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        let ids: Vec<_> = hosts.iter().map(|row| row.id).collect();
        let sets = fact_set::Entity::find()
            .filter(fact_set::Column::Host.is_in(ids.clone()))
            .order_by_asc(fact_set::Column::At)
            .all(self.reader())
            .await?;
        // The last one stays: the newest.
        let mut newest = HashMap::with_capacity(sets.len());
        for row in sets {
            newest.insert(row.host, row);
        }
        let plans = host_plan::Entity::find()
            .filter(host_plan::Column::Host.is_in(ids))
            .all(self.reader())
            .await?;
        let mut plans: HashMap<_, _> = plans.into_iter().map(|row| (row.host, row)).collect();
        let mut out = Vec::with_capacity(hosts.len());
        for row in hosts {
            let host = Host::try_from(row)?;
            let facts = match newest.remove(&host.id.0) {
                Some(row) => FactSet::try_from(row)?.facts,
                None => muster_facts::Facts::default(),
            };
            let plan = match plans.remove(&host.id.0) {
                Some(row) => HostPlan::try_from(row)?,
                None => HostPlan::empty(host.id),
            };
            out.push(ReportedHost { host, plan, facts });
        }
        Ok(out)
    }
}

/// The name in a person's own values. Both databases read JSON by this sign.
fn hostname() -> Expr {
    Expr::cust("\"values\" ->> 'hostname'")
}

/// Writes what rules give a host; a person's columns are not touched.
///
/// # Errors
/// [`StoreError::NameTaken`], or [`StoreError::Overtaken`] when a person has decided about the profile meanwhile or what
/// is given is gone.
pub(super) async fn write_given(connection: &impl ConnectionTrait, given: &Given) -> Result<(), StoreError> {
    hosts::locked(connection, given.host).await?;
    let first = host_plan::ActiveModel {
        host: set(given.host.0),
        profile: set(None),
        values: set(Value::Object(serde_json::Map::new())),
        profile_by: set(None),
        given: set(None),
        given_name: set(None),
    };
    host_plan::Entity::insert(first)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(connection)
        .await
        .map_err(|error| refused(error, given))?;
    let layers = serde_json::to_value(&given.layers).map_err(|error| StoreError::unreadable("host_plan", error))?;
    host_plan::Entity::update_many()
        .col_expr(host_plan::Column::Given, Expr::value(layers))
        .col_expr(
            host_plan::Column::GivenName,
            Expr::value(given.name().map(str::to_owned)),
        )
        .filter(host_plan::Column::Host.eq(given.host.0))
        .exec(connection)
        .await
        .map_err(|error| refused(error, given))?;
    if let Some(profile) = &given.profile {
        let by = Giver::Rule(profile.rule.clone()).to_string();
        let undecided = host_plan::Column::ProfileBy
            .is_null()
            .and(host_plan::Column::Profile.is_null());
        let done = host_plan::Entity::update_many()
            .col_expr(host_plan::Column::Profile, Expr::value(profile.value.as_str()))
            .col_expr(host_plan::Column::ProfileBy, Expr::value(by))
            .filter(host_plan::Column::Host.eq(given.host.0))
            .filter(undecided.or(host_plan::Column::ProfileBy.starts_with("rule:")))
            .exec(connection)
            .await
            .map_err(|error| refused(error, given))?;
        if done.rows_affected == 0 {
            return Err(StoreError::Overtaken);
        }
    }
    labels::refresh_labels(connection, given.host.0).await?;
    let changes: Vec<_> = given.changes.iter().map(facts::change_row).collect();
    super::write::insert(connection, changes, None).await?;
    Ok(())
}

fn refused(error: DbErr, given: &Given) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            StoreError::NameTaken(given.name().unwrap_or_default().to_owned())
        }
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => StoreError::Overtaken,
        _ => error.into(),
    }
}

/// Gives a rule another name, also where hosts have something by it.
pub(super) async fn rename_rule(connection: &impl ConnectionTrait, from: &str, to: &str) -> Result<(), StoreError> {
    rule::Entity::update_many()
        .col_expr(rule::Column::Name, Expr::value(to))
        .filter(rule::Column::Name.eq(from))
        .exec(connection)
        .await?;
    let giver = |name: &str| Giver::Rule(name.to_owned()).to_string();
    host_plan::Entity::update_many()
        .col_expr(host_plan::Column::ProfileBy, Expr::value(giver(to)))
        .filter(host_plan::Column::ProfileBy.eq(giver(from)))
        .exec(connection)
        .await?;
    let plans = host_plan::Entity::find()
        .filter(host_plan::Column::Given.is_not_null())
        .all(connection)
        .await?;
    for plan in plans {
        let Some(Value::Array(mut layers)) = plan.given else {
            continue;
        };
        let theirs = layers.iter_mut().filter_map(|layer| layer.get_mut("rule"));
        let renamed = theirs
            .filter(|rule| **rule == from)
            .map(|rule| *rule = to.into())
            .count();
        if renamed > 0 {
            host_plan::Entity::update_many()
                .col_expr(host_plan::Column::Given, Expr::value(Value::Array(layers)))
                .filter(host_plan::Column::Host.eq(plan.host))
                .exec(connection)
                .await?;
        }
    }
    Ok(())
}

/// The row of a rule.
pub(super) fn rule_row(rule: &Rule) -> rule::ActiveModel {
    rule::ActiveModel {
        name: set(rule.name.clone()),
        position: set(i64::from(rule.order)),
        condition: set(rule.when.clone()),
        profile: set(rule.profile.clone()),
        hostname: set(rule.hostname.clone()),
        place: set(rule.place.clone()),
        tags: set(Value::from(rule.tags.clone())),
        install: set(rule.install),
    }
}

impl TryFrom<rule::Model> for Rule {
    type Error = StoreError;

    fn try_from(row: rule::Model) -> Result<Self, StoreError> {
        Ok(Self {
            order: small(row.position),
            when: row.condition,
            profile: row.profile,
            hostname: row.hostname,
            place: row.place,
            tags: serde_json::from_value(row.tags).map_err(|error| StoreError::unreadable("rule", error))?,
            install: row.install,
            name: row.name,
        })
    }
}
