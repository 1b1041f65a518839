//! What hosts are called, by people and in the network: no two answer to one name.
//!
//! Names are compared as the installed systems will be called, wherever they come from, a person or a rule: with the domain
//! in force and without capitals (RFC 4343). `web1` with domain `example.org` and `web1.example.org` are one name, `web1` in
//! two domains are two. What people call a host is one host's besides, in whichever domain: commands find it by that word.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Catalog, CatalogFault, label};
use crate::{
    desired::{AboveHosts, Fault, HostPlan, Objects},
    inventory::{Host, HostId, State},
    store::{PlannedHost, StoreError},
};

/// The names that one host answers to, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Names {
    /// What its installed system is called.
    network: Option<String>,
    /// What people call it: as it is written, and in the network.
    called: BTreeSet<String>,
}

impl Names {
    fn of(plan: &HostPlan, name: Option<&str>, domain: Option<&str>) -> Self {
        let called = name.map(|name| BTreeSet::from([plain(name), in_network(name, domain)]));
        Self {
            network: own_name(plan, name).map(|own| in_network(own, domain)),
            called: called.unwrap_or_default(),
        }
    }

    /// Words that another host's name begins with if it is one of these.
    fn first_words(&self) -> BTreeSet<&str> {
        let names = self.network.iter().chain(&self.called);
        names.filter_map(|name| name.split('.').next()).collect()
    }
}

/// Which name of a host is another host's.
enum Same {
    /// What people call it.
    Called,
    /// What its system is called.
    Network(String),
}

impl Names {
    fn same(&self, other: &Self) -> Option<Same> {
        if !self.called.is_disjoint(&other.called) {
            return Some(Same::Called);
        }
        let network = self.network.as_ref().filter(|_| self.network == other.network);
        network.cloned().map(Same::Network)
    }
}

impl Catalog {
    /// A host's names are no other host's.
    pub(super) async fn check_names(
        &self,
        objects: &Objects,
        plan: &HostPlan,
        name: Option<&str>,
    ) -> Result<(), CatalogFault> {
        let fault = match self.find_namesake(objects, plan, name).await? {
            None => return Ok(()),
            Some((other, Same::Called)) => Fault::new(
                "name",
                name.unwrap_or_default(),
                format!("host {} has this name", other.id),
                "choose another name, or change that host",
            ),
            Some((other, Same::Network(called))) => Fault::new(
                "hostname",
                &called,
                format!("host {} is called that", label(&other)),
                "write another hostname, or give one of them another domain",
            ),
        };
        Err(fault.into())
    }

    /// Another host that answers to a name of this one, when it is planned and called like this.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(in crate::provision) async fn namesake(
        &self,
        plan: &HostPlan,
        name: Option<&str>,
    ) -> Result<Option<HostId>, StoreError> {
        let objects = self.objects().await?;
        let found = self.find_namesake(&objects, plan, name).await?;
        Ok(found.map(|(other, _)| other.id))
    }

    async fn find_namesake(
        &self,
        objects: &Objects,
        plan: &HostPlan,
        name: Option<&str>,
    ) -> Result<Option<(Host, Same)>, StoreError> {
        let of = |plan: &HostPlan, name: Option<&str>| {
            let effective = objects.of_host(plan, "").unwrap_or_default();
            let domain = effective.values.get("domain").and_then(|domain| domain.as_str());
            Names::of(plan, name, domain)
        };
        let ours = of(plan, name);
        let mut others = BTreeSet::new();
        for word in ours.first_words() {
            others.extend(self.store.hosts_named(word).await?);
        }
        others.remove(&plan.host);
        for id in others {
            let Some(host) = self.store.host(id).await? else {
                continue;
            };
            let theirs = self.store.plan(id).await?;
            let same = ours.same(&of(&theirs, host.name.as_deref()));
            // A system that is out of service answers to nobody; people and commands still name its host.
            let same = same.filter(|same| host.state != State::Retired || matches!(same, Same::Called));
            if let Some(same) = same {
                return Ok(Some((host, same)));
            }
        }
        Ok(None)
    }

    /// The names of all hosts, to be asked many times.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(in crate::provision) async fn name_book(&self) -> Result<NameBook, StoreError> {
        let hosts = self.store.planned_hosts().await?;
        Ok(NameBook {
            objects: self.objects().await?,
            above: HashMap::new(),
            hosts,
            called: HashMap::new(),
            network: HashMap::new(),
        })
    }
}

/// The names of many hosts.
#[derive(Debug)]
pub(in crate::provision) struct NameBook {
    objects: Arc<Objects>,
    /// What stands above hosts, by profile.
    above: HashMap<Option<String>, Option<AboveHosts>>,
    /// Hosts that are not entered yet.
    hosts: Vec<PlannedHost>,
    called: HashMap<String, HostId>,
    network: HashMap<String, HostId>,
}

impl NameBook {
    /// Another host that answers to a name of this one, when it is planned and called like this; when there is none, the
    /// name is this host's from now on.
    pub(in crate::provision) fn take(&mut self, plan: &HostPlan, name: Option<&str>) -> Option<HostId> {
        for PlannedHost { host, plan, .. } in std::mem::take(&mut self.hosts) {
            let mut names = self.names(&plan, host.name.as_deref());
            names.network = names.network.filter(|_| host.state != State::Retired);
            self.enter(host.id, names);
        }
        let names = self.names(plan, name);
        let called = names.called.iter().filter_map(|name| self.called.get(name));
        let network = names.network.iter().filter_map(|name| self.network.get(name));
        let other = called.chain(network).find(|owner| **owner != plan.host).copied();
        if other.is_none() {
            self.enter(plan.host, names);
        }
        other
    }

    fn enter(&mut self, host: HostId, names: Names) {
        for name in names.called {
            self.called.entry(name).or_insert(host);
        }
        if let Some(name) = names.network {
            self.network.entry(name).or_insert(host);
        }
    }

    fn names(&mut self, plan: &HostPlan, name: Option<&str>) -> Names {
        if own_name(plan, name).is_none() {
            return Names::default();
        }
        let objects = &self.objects;
        let above = self
            .above
            .entry(plan.profile.clone())
            .or_insert_with_key(|profile| objects.above_hosts(profile.as_deref()).ok());
        let values = above.as_ref().map(|above| above.values_of(plan)).unwrap_or_default();
        Names::of(plan, name, values.get("domain").and_then(|domain| domain.as_str()))
    }
}

/// The name that is a host's alone: its own word, a rule's, or what people call it. What it inherits is for many.
fn own_name<'a>(plan: &'a HostPlan, name: Option<&'a str>) -> Option<&'a str> {
    let own = plan.values.as_map().get("hostname").and_then(|own| own.as_str());
    let mut given = plan.given.iter();
    own.filter(|own| !own.starts_with("<<"))
        .or_else(|| given.find_map(|layer| layer.values.as_map().get("hostname")?.as_str()))
        .or(name)
}

/// `name.domain`, as the installed system will be called; a name with dots has its domain.
fn in_network(name: &str, domain: Option<&str>) -> String {
    match domain {
        Some(domain) if !name.contains('.') => plain(&format!("{name}.{domain}")),
        _ => plain(name),
    }
}

/// In small letters, without a dot at the end.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::desired::Values;

    fn names(name: Option<&str>, hostname: Option<&str>, domain: Option<&str>) -> Names {
        let values = hostname.map_or_else(|| json!({}), |own| json!({ "hostname": own }));
        let plan = HostPlan {
            values: Values::check(values.as_object().cloned().unwrap()).unwrap(),
            ..HostPlan::empty(HostId(Uuid::nil()))
        };
        Names::of(&plan, name, domain)
    }

    #[test]
    fn a_name_with_its_domain_is_the_name_in_that_domain() {
        let web1 = names(Some("web1"), None, Some("example.org"));
        for (name, hostname, domain, same) in [
            (Some("web1.example.org"), None, None, true),
            (Some("WEB1.Example.org"), None, Some("other.org"), true),
            (Some("x"), Some("web1"), Some("Example.ORG"), true),
            (Some("x"), Some("web1.example.org."), None, true),
            (Some("x"), Some("web1"), Some("other.org"), false),
            (Some("x"), Some("web1"), None, false),
            (Some("web1.other.org"), None, None, false),
            (Some("web11"), None, Some("example.org"), false),
            // Commands find a host by what people call it, in whichever domain it is.
            (Some("web1"), None, Some("other.org"), true),
            (Some("Web1"), Some("y"), None, true),
            (None, None, Some("example.org"), false),
        ] {
            let other = names(name, hostname, domain);
            assert_eq!(web1.same(&other).is_some(), same, "{name:?} {hostname:?} {domain:?}");
            assert_eq!(other.same(&web1).is_some(), same, "{name:?} {hostname:?} {domain:?}");
        }
    }
}
