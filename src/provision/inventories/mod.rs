//! Inventories: hosts as other programs want them, worked out from the ledger when they are asked for.
//!
//! Each takes a search, so that one language says which hosts are meant. What they say of a host is data: secrets are left
//! out, and what a machine or a person wrote is never read as a template, a name or a line by who receives it.

mod ansible;
mod exposition;
mod files;
mod listed;
mod own;
mod prometheus;
mod salt;
mod zone;

pub use own::own_metrics;
pub use prometheus::TargetGroup;
pub use zone::{ZoneFault, ZoneWanted};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Catalog, CatalogFault};
use crate::{
    inventory::HostId,
    search::{Expression, Search, Term, parse},
};
use listed::Listed;

/// Hosts of one inventory at most.
const MOST: usize = 50_000;

/// Which hosts are listed when nobody says: those that reported or are planned, and are not gone.
const USUAL: &str = "-state:discovered -state:retired";

/// The use cases of inventories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inventories {
    catalog: Catalog,
}

/// Why there is no inventory.
#[derive(Debug, thiserror::Error)]
pub enum InventoryFault {
    /// The ledger, or a profile that stands on what is gone.
    #[error(transparent)]
    Catalog(#[from] CatalogFault),
    /// The zone cannot be written.
    #[error(transparent)]
    Zone(#[from] ZoneFault),
    /// There are too many.
    #[error("more than {MOST} hosts meet the search; ask for fewer of them, e.g. by site:…")]
    TooMany,
}

impl Inventories {
    /// The inventories of a ledger.
    #[must_use]
    pub const fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }

    /// Hosts for Ansible, as its inventory scripts answer `--list`: groups by profile, site, tag, role, OS, vendor and
    /// state, and the variables of each host.
    ///
    /// # Errors
    /// [`InventoryFault`].
    pub async fn ansible(&self, search: Expression, now: DateTime<Utc>) -> Result<Value, InventoryFault> {
        Ok(ansible::inventory(&self.listed(search, now).await?))
    }

    /// The variables of one host for Ansible, as its inventory scripts answer `--host`; empty for one that is not known.
    ///
    /// # Errors
    /// [`InventoryFault`].
    pub async fn ansible_host(&self, name: &str, now: DateTime<Utc>) -> Result<Value, InventoryFault> {
        let found = self.called(name, now).await?;
        Ok(found.map_or_else(
            || Value::Object(serde_json::Map::new()),
            |host| ansible::variables(&host),
        ))
    }

    /// Targets for Prometheus' HTTP discovery, each host's `port`.
    ///
    /// # Errors
    /// [`InventoryFault`].
    pub async fn prometheus(
        &self,
        search: Expression,
        port: u16,
        now: DateTime<Utc>,
    ) -> Result<Vec<TargetGroup>, InventoryFault> {
        Ok(prometheus::targets(&self.listed(search, now).await?, port))
    }

    /// Lines for `/etc/hosts`.
    ///
    /// # Errors
    /// [`InventoryFault`].
    pub async fn hosts_file(&self, search: Expression, now: DateTime<Utc>) -> Result<String, InventoryFault> {
        Ok(files::hosts_file(&self.listed(search, now).await?))
    }

    /// A DNS zone (RFC 1035, section 5).
    ///
    /// # Errors
    /// [`InventoryFault`].
    pub async fn zone(
        &self,
        search: Expression,
        wanted: &ZoneWanted,
        now: DateTime<Utc>,
    ) -> Result<String, InventoryFault> {
        wanted.check()?;
        Ok(zone::zone(&self.listed(search, now).await?, wanted, now))
    }

    /// What Salt's master is told of a minion, as an external pillar; none of one that is not known.
    ///
    /// # Errors
    /// [`InventoryFault`].
    pub async fn salt(&self, minion: &str, now: DateTime<Utc>) -> Result<Option<Value>, InventoryFault> {
        Ok(self.called(minion, now).await?.map(|host| salt::pillar(&host)))
    }

    async fn listed(&self, search: Expression, now: DateTime<Utc>) -> Result<Vec<Listed>, InventoryFault> {
        let search = if search.is_empty() { usual() } else { search };
        let found = self.catalog.found(&search.at(now), &[], MOST + 1).await?;
        if found.len() > MOST {
            return Err(InventoryFault::TooMany);
        }
        let mut listed: Vec<Listed> = found.into_iter().map(Listed::from).collect();
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    /// The host of this name, full name, id or MAC.
    async fn called(&self, word: &str, now: DateTime<Utc>) -> Result<Option<Listed>, InventoryFault> {
        let short = word.split('.').next().unwrap_or_default();
        for name in [word, short] {
            for host in self.catalog.hosts_called(name).await? {
                let found = self.catalog.found(&by_id(host.id, now), &[], 1).await?;
                let listed = found
                    .into_iter()
                    .map(Listed::from)
                    .find(|listed| listed.is_called(word));
                if listed.is_some() {
                    return Ok(listed);
                }
            }
        }
        Ok(None)
    }
}

fn by_id(id: HostId, now: DateTime<Utc>) -> Search {
    Expression::Term(Term::Id(id)).at(now)
}

fn usual() -> Expression {
    // It is read by a test; an unreadable one would list every host.
    parse(USUAL).unwrap_or(Expression::All(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_search_is_one() {
        assert!(parse(USUAL).is_ok() && !usual().is_empty());
    }
}
