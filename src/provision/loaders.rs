//! Which hosts are to have another loader than the table's: worked out of the plans when they change, and handed to
//! discovery, which decides from memory.

use std::{collections::HashMap, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Catalog;
use crate::{
    boot::LoaderKind,
    desired::{HostPlan, Objects},
    discovery::Discovery,
    inventory::HostId,
    store::StoreError,
};

/// The field of desired values.
const FIELD: &str = "loader";

/// How soon a changed plan is heeded. A look costs one read by primary key.
const EVERY: Duration = Duration::from_secs(2);

/// Keeps discovery's memory of loaders up to date.
#[derive(Debug)]
pub struct Loaders {
    catalog: Catalog,
    discovery: Discovery,
    revision: Option<u64>,
}

impl Loaders {
    /// Nothing is looked at yet.
    #[must_use]
    pub const fn new(catalog: Catalog, discovery: Discovery) -> Self {
        Self {
            catalog,
            discovery,
            revision: None,
        }
    }

    /// Looks whether plans have changed, and hands over what follows.
    ///
    /// # Errors
    /// When the ledger cannot be read; what was known stays.
    pub async fn look(&mut self) -> Result<(), StoreError> {
        let store = self.discovery.store();
        let revision = store.desired_revision().await?;
        if self.revision == Some(revision) {
            return Ok(());
        }
        let objects = self.catalog.objects().await?;
        let plans = store.plans().await?;
        self.discovery
            .set_loaders(wanted(&objects, plans.iter().map(|(_, plan)| plan)));
        self.revision = Some(revision);
        Ok(())
    }

    /// Looks again and again, until told to stop.
    pub async fn follow(mut self, stop: CancellationToken) {
        let mut due = tokio::time::interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(due.tick()).await.is_some() {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "which loader each host is to have could not be read; it stays as it was");
            }
        }
    }
}

/// The loader of every host that has one in force.
fn wanted<'a>(objects: &Objects, plans: impl Iterator<Item = &'a HostPlan>) -> HashMap<HostId, LoaderKind> {
    let layers = objects.distros.values().map(|distro| &distro.values);
    let layers = layers.chain(objects.profiles.values().map(|profile| &profile.values));
    let inherited = layers
        .chain([&objects.settings])
        .any(|values| values.as_map().contains_key(FIELD));
    plans
        .filter(|plan| inherited || plan.values.as_map().contains_key(FIELD))
        .filter_map(|plan| {
            // A plan whose profile is broken is told where the host is installed.
            let met = objects.of_host(plan, "").ok()?;
            let kind = met.values.get(FIELD)?.as_str()?.parse().ok()?;
            Some((plan.host, kind))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::desired::Values;

    #[test]
    fn every_loader_can_be_wanted() {
        for kind in LoaderKind::ALL {
            let wanted = json!({ FIELD: kind.as_str() });
            assert!(
                Values::check(wanted.as_object().cloned().unwrap_or_default()).is_ok(),
                "{kind}"
            );
        }
    }

    #[test]
    fn the_nearest_layer_says_which() {
        let values = |loader: &str| Values::stored(json!({ FIELD: loader }).as_object().cloned().unwrap_or_default());
        let plan = |number: u128, values| HostPlan {
            values,
            ..HostPlan::empty(HostId(uuid::Uuid::from_u128(number)))
        };
        let plans = [plan(1, values("grub")), plan(2, Values::default())];
        let mut objects = Objects::default();
        let of = |objects: &Objects| {
            let found = wanted(objects, plans.iter());
            plans.each_ref().map(|plan| found.get(&plan.host).copied())
        };
        assert_eq!(of(&objects), [Some(LoaderKind::Grub), None]);
        objects.settings = values("shim");
        assert_eq!(of(&objects), [Some(LoaderKind::Grub), Some(LoaderKind::Shim)]);
    }
}
