//! What an installed system is called: no two hosts answer to one name.

use super::{Catalog, CatalogFault, label};
use crate::{
    desired::{Fault, HostPlan, Objects},
    inventory::{HostId, State},
};

impl Catalog {
    /// A host's name in the network is no other host's. The same short name in another domain is another name.
    pub(super) async fn check_hostname(
        &self,
        objects: &Objects,
        plan: &HostPlan,
        name: Option<&str>,
    ) -> Result<(), CatalogFault> {
        let Some(short) = short_name(plan, name) else {
            return Ok(());
        };
        let wanted = full_name(objects, plan, short);
        let mut others: Vec<HostId> = self
            .store
            .names()
            .await?
            .into_iter()
            .filter(|(name, _)| alike(name, short))
            .map(|(_, id)| id)
            .collect();
        others.sort_unstable();
        others.dedup();
        for id in others.into_iter().filter(|id| *id != plan.host) {
            let Some(host) = self.store.host(id).await?.filter(|host| host.state != State::Retired) else {
                continue;
            };
            let theirs = self.store.plan(id).await?;
            let called = short_name(&theirs, host.name.as_deref()).map(|short| full_name(objects, &theirs, short));
            if called.as_ref() == Some(&wanted) {
                return Err(Fault::new(
                    "hostname",
                    &wanted,
                    format!("host {} is called that", label(&host)),
                    "write another hostname, or give one of them another domain",
                )
                .into());
            }
        }
        Ok(())
    }
}

/// The name that is a host's alone: its own word, a rule's, or what people call it. What it inherits is for many.
fn short_name<'a>(plan: &'a HostPlan, name: Option<&'a str>) -> Option<&'a str> {
    let own = plan.values.as_map().get("hostname").and_then(|own| own.as_str());
    let mut given = plan.given.iter();
    own.filter(|own| !own.starts_with("<<"))
        .or_else(|| given.find_map(|layer| layer.values.as_map().get("hostname")?.as_str()))
        .or(name)
}

/// Whether two names begin with the same word.
fn alike(one: &str, other: &str) -> bool {
    let first = |name: &str| name.split('.').next().map(str::to_ascii_lowercase);
    first(one) == first(other)
}

/// `name.domain` in small letters, as the installed system will be called; a name with dots has its domain.
fn full_name(objects: &Objects, plan: &HostPlan, short: &str) -> String {
    let effective = objects.of_host(plan, "").unwrap_or_default();
    let domain = effective.values.get("domain").and_then(|domain| domain.as_str());
    let full = match domain {
        Some(domain) if !short.contains('.') => format!("{short}.{domain}"),
        _ => short.to_owned(),
    };
    full.trim_end_matches('.').to_ascii_lowercase()
}
