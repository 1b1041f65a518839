//! Hosts that a search finds, with what is wanted of them.

use std::collections::HashMap;

use super::{Catalog, CatalogFault, HostDesired};
use crate::{
    desired::{AboveHosts, Condition},
    inventory::Host,
    search::Search,
    store::PlannedHost,
};

/// Hosts read in one go.
const AT_ONCE: u64 = 500;

/// A host that was found.
#[derive(Debug, Clone)]
pub struct FoundHost {
    /// The host with all that is wanted of it; who said what is not kept.
    pub desired: HostDesired,
    /// Its interfaces.
    pub macs: Vec<muster_facts::MacAddr>,
}

impl Catalog {
    /// Hosts that meet a search and these conditions on values in force, in the order they became known; at most `most`.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the profile of a host stands on what is gone.
    pub async fn found(
        &self,
        search: &Search,
        conditions: &[Condition],
        most: usize,
    ) -> Result<Vec<FoundHost>, CatalogFault> {
        let objects = self.objects().await?;
        let mut above: HashMap<Option<String>, AboveHosts> = HashMap::new();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let hosts = self.store.found_hosts(search, after, AT_ONCE).await?;
            let Some(last) = hosts.last() else { break };
            after = Some(last.host.id);
            for PlannedHost { host, macs, plan } in hosts {
                if !above.contains_key(&plan.profile) {
                    above.insert(plan.profile.clone(), objects.above_hosts(plan.profile.as_deref())?);
                }
                let Some(above) = above.get(&plan.profile) else {
                    continue;
                };
                let desired = HostDesired::below(host, plan, above);
                if meets(&desired, conditions) && found.len() < most {
                    found.push(FoundHost { desired, macs });
                }
            }
            if found.len() >= most {
                break;
            }
        }
        Ok(found)
    }

    /// Hosts of this desired name, id or MAC: usually one.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn hosts_called(&self, word: &str) -> Result<Vec<Host>, CatalogFault> {
        Ok(self.store.hosts_called(word).await?)
    }
}

fn meets(desired: &HostDesired, conditions: &[Condition]) -> bool {
    if conditions.is_empty() {
        return true;
    }
    let shown = desired.effective.shown();
    conditions.iter().all(|condition| condition.met(&[], &shown))
}
