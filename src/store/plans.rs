use std::collections::HashMap;

use muster_facts::MacAddr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::{
    Store, StoreError,
    distros::{column, values},
    entity::{host, host_plan, interface},
    row::{set, unsigned, word, word_or_none},
};
use crate::{
    desired::HostPlan,
    inventory::{Host, HostId, State},
    search::Search,
};

/// A host with what is wanted of it; its plan is empty when nothing is.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedHost {
    /// The host.
    pub host: Host,
    /// Its interfaces.
    pub macs: Vec<MacAddr>,
    /// Its own layer.
    pub plan: HostPlan,
}

impl Store {
    /// What is wanted of a host; an empty plan when nothing is.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn plan(&self, id: HostId) -> Result<HostPlan, StoreError> {
        match host_plan::Entity::find_by_id(id.0).one(self.reader()).await? {
            Some(row) => HostPlan::try_from(row),
            None => Ok(HostPlan::empty(id)),
        }
    }

    /// Every plan with its host.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn plans(&self) -> Result<Vec<(Host, HostPlan)>, StoreError> {
        let plans = host_plan::Entity::find()
            .order_by_asc(host_plan::Column::Host)
            .all(self.reader())
            .await?;
        let mut out = Vec::with_capacity(plans.len());
        let mut plans = plans.into_iter().peekable();
        while plans.peek().is_some() {
            let chunk: Vec<_> = plans.by_ref().take(500).collect();
            let hosts = host::Entity::find()
                .filter(host::Column::Id.is_in(chunk.iter().map(|plan| plan.host)))
                .order_by_asc(host::Column::Id)
                .all(self.reader())
                .await?;
            let mut hosts = hosts.into_iter().peekable();
            for plan in chunk {
                // Both are in the order of ids; a plan ends with its host.
                if let Some(row) = hosts.next_if(|row| row.id == plan.host) {
                    out.push((Host::try_from(row)?, HostPlan::try_from(plan)?));
                }
            }
        }
        Ok(out)
    }

    /// How many hosts have each profile; profiles without any are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn profile_counts(&self) -> Result<HashMap<String, u64>, StoreError> {
        let rows: Vec<(String, i64)> = host_plan::Entity::find()
            .select_only()
            .column(host_plan::Column::Profile)
            .column_as(host_plan::Column::Host.count(), "hosts")
            .filter(host_plan::Column::Profile.is_not_null())
            .group_by(host_plan::Column::Profile)
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|(name, hosts)| (name, unsigned(hosts))).collect())
    }

    /// The newest hosts that have a profile.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn hosts_with(&self, profile: &str, limit: u64) -> Result<Vec<Host>, StoreError> {
        let theirs = host_plan::Entity::find()
            .select_only()
            .column(host_plan::Column::Host)
            .filter(host_plan::Column::Profile.eq(profile));
        let rows = host::Entity::find()
            .filter(host::Column::Id.in_subquery(theirs.into_query()))
            .order_by_desc(host::Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(Host::try_from).collect()
    }

    /// Every host with its plan, in the order they became known. For what people ask, not for packets.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn planned_hosts(&self) -> Result<Vec<PlannedHost>, StoreError> {
        let mut plans = HashMap::new();
        for row in host_plan::Entity::find().all(self.reader()).await? {
            plans.insert(row.host, HostPlan::try_from(row)?);
        }
        let mut macs: HashMap<_, Vec<MacAddr>> = HashMap::new();
        let rows = interface::Entity::find()
            .order_by_asc(interface::Column::Mac)
            .all(self.reader())
            .await?;
        for row in rows {
            macs.entry(row.host).or_default().push(word("interface", &row.mac)?);
        }
        let hosts = host::Entity::find()
            .order_by_asc(host::Column::Id)
            .all(self.reader())
            .await?;
        hosts
            .into_iter()
            .map(|row| {
                let host = Host::try_from(row)?;
                Ok(PlannedHost {
                    macs: macs.remove(&host.id.0).unwrap_or_default(),
                    plan: plans.remove(&host.id.0).unwrap_or_else(|| HostPlan::empty(host.id)),
                    host,
                })
            })
            .collect()
    }

    /// Hosts that a search finds, with their plans, by id; `after` is the last one seen.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn found_hosts(
        &self,
        search: &Search,
        after: Option<HostId>,
        limit: u64,
    ) -> Result<Vec<PlannedHost>, StoreError> {
        let mut all = Condition::all().add_option(self.condition_of(search).await?);
        if let Some(after) = after {
            all = all.add(host::Column::Id.gt(after.0));
        }
        let rows = host::Entity::find()
            .filter(all)
            .order_by_asc(host::Column::Id)
            .limit(limit)
            .all(self.reader())
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let of_these = host_plan::Column::Host.is_in(ids.iter().copied());
        let mut plans = HashMap::new();
        for row in host_plan::Entity::find().filter(of_these).all(self.reader()).await? {
            plans.insert(row.host, HostPlan::try_from(row)?);
        }
        let mut macs = self.macs_of(&ids.into_iter().map(HostId).collect::<Vec<_>>()).await?;
        rows.into_iter()
            .map(|row| {
                let host = Host::try_from(row)?;
                Ok(PlannedHost {
                    macs: macs.remove(&host.id).unwrap_or_default(),
                    plan: plans.remove(&host.id.0).unwrap_or_else(|| HostPlan::empty(host.id)),
                    host,
                })
            })
            .collect()
    }

    /// The names that people gave, by host.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn host_names(&self) -> Result<HashMap<HostId, String>, StoreError> {
        let rows = host::Entity::find()
            .filter(host::Column::Name.is_not_null())
            .all(self.reader())
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((HostId(row.id), row.name?)))
            .collect())
    }

    /// Where hosts stand that a profile moves: those before their installation.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn states_before_installation(&self) -> Result<HashMap<HostId, State>, StoreError> {
        let before = State::ALL.into_iter().filter(|state| state.is_before_installation());
        let rows: Vec<(Uuid, String)> = host::Entity::find()
            .select_only()
            .column(host::Column::Id)
            .column(host::Column::State)
            .filter(host::Column::State.is_in(before.map(|state| state.as_str())))
            .into_tuple()
            .all(self.reader())
            .await?;
        rows.into_iter()
            .map(|(id, state)| Ok((HostId(id), word("host", &state)?)))
            .collect()
    }

    /// Hosts of this desired name, id or MAC: usually one.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn hosts_called(&self, word: &str) -> Result<Vec<Host>, StoreError> {
        let mut select = host::Entity::find();
        if let Ok(id) = word.parse::<HostId>() {
            select = select.filter(host::Column::Id.eq(id.0));
        } else if let Some(owner) = match word.parse::<MacAddr>() {
            Ok(mac) => {
                interface::Entity::find_by_id(mac.to_string())
                    .one(self.reader())
                    .await?
            }
            Err(_) => None,
        } {
            select = select.filter(host::Column::Id.eq(owner.host));
        } else {
            select = select.filter(host::Column::Name.eq(word));
        }
        let rows = select.limit(2).all(self.reader()).await?;
        rows.into_iter().map(Host::try_from).collect()
    }
}

/// The row of a plan.
pub(super) fn plan_row(plan: &HostPlan) -> host_plan::ActiveModel {
    host_plan::ActiveModel {
        host: set(plan.host.0),
        profile: set(plan.profile.clone()),
        values: set(column(&plan.values)),
        profile_by: set(plan.profile_by.as_ref().map(ToString::to_string)),
        // What rules give is written where it is given (`rules`).
        given: set(None),
        given_name: set(None),
    }
}

impl TryFrom<host_plan::Model> for HostPlan {
    type Error = StoreError;

    fn try_from(row: host_plan::Model) -> Result<Self, StoreError> {
        Ok(Self {
            host: HostId(row.host),
            profile: row.profile,
            profile_by: word_or_none("host_plan", row.profile_by.as_deref())?,
            given: match row.given {
                Some(layers) => {
                    serde_json::from_value(layers).map_err(|error| StoreError::unreadable("host_plan", error))?
                }
                None => Vec::new(),
            },
            values: values("host_plan", row.values)?,
        })
    }
}
