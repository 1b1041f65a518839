//! Hosts that people enter, name and copy.
//!
//! A host's name is what people call it here, and what the installed system is called unless `hostname` says otherwise
//! (docs/decisions/0009).

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use serde_json::Value;

use super::{
    Catalog, CatalogFault,
    addresses::{check_gateways, check_interfaces, planned_macs},
    entry, label,
};
use crate::{
    desired::{Fault, HostPlan, Objects, Values, check_host_name},
    inventory::{
        Change, Host, HostId, Key, Source, State,
        lifecycle::{self, Cause},
        new_id,
    },
    store::{ObjectWrite, PlannedHost, StoreError},
};

/// A host that is entered before it was heard of.
#[derive(Debug, Clone)]
pub struct NewHost {
    /// Its name.
    pub name: String,
    /// Its interfaces, as people write them.
    pub macs: Vec<String>,
    /// What it is installed for.
    pub profile: Option<String>,
    /// Its own layer.
    pub values: Values,
}

impl Catalog {
    /// Every host with its plan.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn hosts(&self) -> Result<Vec<PlannedHost>, StoreError> {
        self.store.planned_hosts().await
    }

    /// Enters a host that was not heard of, so that it is known when it boots first.
    ///
    /// # Errors
    /// [`Fault`] when the name cannot be used, a MAC is none or another host's, the profile is not there, or an address
    /// does not fit.
    pub async fn add_host(&self, new: NewHost, actor: &str, now: DateTime<Utc>) -> Result<HostId, CatalogFault> {
        let (revision, objects) = self.current().await?;
        check_called(&new.name)?;
        let macs = self.check_macs(&new.macs).await?;
        let mut host = Host::discovered(HostId(new_id(now)), now);
        host.name = Some(new.name.clone());
        if new.profile.is_some() {
            // A new host can be given one.
            host.state = lifecycle::apply(host.state, Cause::ProfileGiven).unwrap_or(host.state);
        }
        let id = host.id;
        let plan = HostPlan {
            profile: new.profile,
            values: new.values,
            ..HostPlan::empty(id)
        };
        let nothing = HostPlan::empty(id);
        self.check_parts(&objects, &plan, &nothing, Some(&new.name), &macs)
            .await?;
        self.check_names(&objects, &plan, Some(&new.name)).await?;
        let mut entry = entry(actor, "host.add", &format!("host:{id}"), now);
        entry.detail = Some(new.name);
        self.write(revision, &ObjectWrite::HostAdded(Box::new(host), macs, plan), &entry)
            .await?;
        Ok(id)
    }

    /// Enters a host that is planned as another, under its own name and interfaces. What is one host's alone is not
    /// copied: `hostname`, and the MACs and static addresses of its interfaces with their gateways and routes. Gives the
    /// paths of what was left out.
    ///
    /// # Errors
    /// As [`Catalog::add_host`].
    pub async fn copy_host(
        &self,
        from: HostId,
        name: &str,
        macs: Vec<String>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, CatalogFault> {
        let plan = self.store.plan(from).await?;
        let (values, left_out) = shared(&plan.values);
        let new = NewHost {
            name: name.to_owned(),
            macs,
            profile: plan.profile,
            values,
        };
        self.add_host(new, actor, now).await?;
        Ok(left_out)
    }

    /// Gives a host a name. Snippets and Cobbler's addresses that name it follow its name.
    ///
    /// # Errors
    /// [`Fault`] when the name cannot be used, or is another host's.
    pub async fn rename_host(
        &self,
        host: &Host,
        to: &str,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), CatalogFault> {
        let (revision, objects) = self.current().await?;
        check_called(to)?;
        let plan = self.store.plan(host.id).await?;
        self.check_names(&objects, &plan, Some(to)).await?;
        let change = Change {
            id: new_id(now),
            host: host.id,
            at: now,
            source: Source::Person,
            actor: Some(actor.to_owned()),
            field: "name".to_owned(),
            before: host.name.clone(),
            after: Some(to.to_owned()),
        };
        let mut entry = entry(actor, "host.rename", &format!("host:{}", host.id), now);
        entry.detail = Some(format!("to {to}"));
        let write = ObjectWrite::HostNamed(host.id, Some(to.to_owned()), Box::new(change));
        self.write(revision, &write, &entry).await
    }

    /// Takes back all that is wanted of a host. One that was entered and never heard of ends with it: then true.
    ///
    /// # Errors
    /// As [`Catalog::remove_plan`].
    pub async fn remove_host(&self, host: &Host, actor: &str, now: DateTime<Utc>) -> Result<bool, CatalogFault> {
        self.check_not_installing(host.id).await?;
        let unheard = host.state.is_before_installation() && host.seen_at().is_none();
        if !unheard {
            self.remove_plan(host.id, actor, now).await?;
            return Ok(false);
        }
        let (revision, _) = self.current().await?;
        let mut entry = entry(actor, "host.remove", &format!("host:{}", host.id), now);
        entry.detail.clone_from(&host.name);
        self.write(revision, &ObjectWrite::HostForgotten(host.id), &entry)
            .await?;
        Ok(true)
    }

    /// Whether a host may be planned like this.
    ///
    /// # Errors
    /// [`Fault`] when its profile, its template or a snippet is not there, an address is outside its subnet or another
    /// host's, a gateway is outside its network, an interface or the name is another host's, or an interface stands on what
    /// is not there.
    pub async fn check_plan(&self, plan: &HostPlan) -> Result<(), CatalogFault> {
        let objects = self.objects().await?;
        let had = self.store.plan(plan.host).await?;
        let name = self.store.host(plan.host).await?.and_then(|host| host.name);
        let macs = self.macs_of(plan).await?;
        self.check_parts(&objects, plan, &had, name.as_deref(), &macs).await
    }

    async fn check_parts(
        &self,
        objects: &Objects,
        plan: &HostPlan,
        had: &HostPlan,
        name: Option<&str>,
        macs: &[MacAddr],
    ) -> Result<(), CatalogFault> {
        if let Some(profile) = &plan.profile {
            objects.lineage(profile)?;
        }
        self.check_planned_macs(plan).await?;
        self.check_addresses(plan, macs).await?;
        check_gateways(objects, plan, had)?;
        check_interfaces(objects, plan, had)?;
        self.check_named(&plan.values, Some(&had.values)).await?;
        let called = |plan: &HostPlan| ["hostname", "domain"].map(|key| plan.values.as_map().get(key).cloned());
        // What is called alike already is told when its name is touched.
        if called(plan) != called(had) {
            self.check_names(objects, plan, name).await?;
        }
        Ok(())
    }

    /// The interfaces that a host is known by.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn interfaces(&self, host: HostId) -> Result<Vec<MacAddr>, StoreError> {
        let known = self.store.interfaces(host).await?;
        Ok(known.into_iter().map(|interface| interface.mac).collect())
    }

    /// Where a host's life goes when its profile becomes `profile`, by `inventory::lifecycle`: the change for its history.
    pub(super) async fn moved(
        &self,
        before: &HostPlan,
        profile: Option<&str>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Box<Change>>, CatalogFault> {
        let Some(host) = self.store.host(before.host).await? else {
            return Ok(None);
        };
        let waits = matches!(host.state, State::Discovered | State::Inventoried);
        let cause = match (before.profile.as_deref(), profile) {
            // Also the one it had: an earlier version left such a host where it was.
            (_, Some(_)) if waits => Cause::ProfileGiven,
            (had, given) if had == given => return Ok(None),
            (_, Some(_)) => Cause::ProfileGiven,
            (_, None) => Cause::ProfileTaken {
                reported: host.reported_at.is_some(),
            },
        };
        if host.state == State::Installing {
            self.check_not_installing(host.id).await?;
        }
        let state = lifecycle::apply(host.state, cause).map_err(|refused| {
            let why = format!("the host is {}", host.state.as_str());
            Fault::new("profile", profile.unwrap_or_default(), why, refused.advice)
        })?;
        Ok((state != host.state).then(|| {
            Box::new(Change {
                id: new_id(now),
                host: host.id,
                at: now,
                source: Source::Person,
                actor: Some(actor.to_owned()),
                field: "state".to_owned(),
                before: Some(host.state.as_str().to_owned()),
                after: Some(state.as_str().to_owned()),
            })
        }))
    }

    /// Refuses what would take the ground from under an installation that runs.
    pub(super) async fn check_not_installing(&self, id: HostId) -> Result<(), CatalogFault> {
        let Some(host) = self.store.host(id).await? else {
            return Ok(());
        };
        if host.state != State::Installing {
            return Ok(());
        }
        let running = self.store.open_install(id).await?;
        let (which, path) = running.map_or_else(
            || ("an installation of it".to_owned(), "its page".to_owned()),
            |install| {
                (
                    format!("installation {}", install.id),
                    format!(
                        "the page /installs/{0}, by `muster install cancel {0}` or by POST /api/v1/installs/{0}/cancel",
                        install.id
                    ),
                )
            },
        );
        Err(Fault::new(
            "host",
            &label(&host),
            format!("{which} runs"),
            format!("wait for its end, or cancel it first on {path}"),
        )
        .into())
    }

    /// The interfaces that are a host's: as heard, and as planned.
    pub(super) async fn macs_of(&self, plan: &HostPlan) -> Result<Vec<MacAddr>, StoreError> {
        let mut macs = planned_macs(plan);
        macs.extend(self.interfaces(plan.host).await?);
        Ok(macs)
    }

    async fn check_macs(&self, texts: &[String]) -> Result<Vec<MacAddr>, CatalogFault> {
        let mut macs: Vec<MacAddr> = Vec::new();
        for text in texts {
            let fault = |why: String, advice: &str| Err(Fault::new("mac", text, why, advice).into());
            let Ok(mac) = text.parse::<MacAddr>() else {
                return fault(
                    "it is no MAC address".to_owned(),
                    "write six hex pairs such as 52:54:00:77:00:01",
                );
            };
            if Key::mac(mac).is_none() {
                return fault(
                    "no interface has such an address of its own".to_owned(),
                    "write the address that is printed on the machine or its interface",
                );
            }
            if macs.contains(&mac) {
                return fault("it is written twice".to_owned(), "write each interface once");
            }
            if let Some(known) = self.store.known_host(mac).await? {
                return fault(
                    format!("it is an interface of host {}", label(&known.host)),
                    "use that host (`muster host rename`, `muster host edit`), or write another MAC",
                );
            }
            macs.push(mac);
        }
        if macs.is_empty() {
            return Err(Fault::unshown("mac", "a host is known by its interfaces", "add --mac").into());
        }
        Ok(macs)
    }
}

/// What people call a host is no MAC and no id, as both find one too.
fn check_called(name: &str) -> Result<(), Fault> {
    if name.parse::<MacAddr>().is_ok() || name.parse::<HostId>().is_ok() {
        return Err(Fault::new(
            "name",
            name,
            "it reads as a MAC or an id",
            "choose a name that nobody takes for one",
        ));
    }
    check_host_name("name", name)
}

/// What two hosts can have in common, and the paths of what they cannot.
fn shared(values: &Values) -> (Values, Vec<String>) {
    let mut map = values.as_map().clone();
    let mut left_out = Vec::new();
    if map.remove("hostname").is_some() {
        left_out.push("hostname".to_owned());
    }
    let interfaces = map
        .get_mut("network")
        .and_then(|network| network.get_mut("interfaces"))
        .and_then(Value::as_object_mut);
    for (name, interface) in interfaces.into_iter().flatten() {
        let Some(interface) = interface.as_object_mut() else {
            continue;
        };
        // A gateway and routes belong to the network of the address that is not copied.
        let with_address: &[&str] = if interface.contains_key("addresses") {
            &["mac", "addresses", "gateway", "gateway6", "routes"]
        } else {
            &["mac"]
        };
        for part in with_address {
            if interface.remove(*part).is_some() {
                left_out.push(format!("network.interfaces.{name}.{part}"));
            }
        }
    }
    (Values::stored(map), left_out)
}
