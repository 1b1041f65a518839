//! Distros, profiles and plans: every change is checked against the whole before it is kept.
//!
//! What is small (distros, profiles, the site's defaults) is held in memory and read anew when the ledger's revision
//! has moved, so a change made by the command line or by another server is seen by the next question.

mod addresses;
mod files;
mod found;
mod hosts;
mod names;

pub use files::ServerFiles;
pub(super) use files::named_scripts;
pub use found::FoundHost;
pub use hosts::NewHost;
pub(super) use names::NameBook;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use self::addresses::check_profile_interfaces;
use super::{long_work::LongWork, tree_looks::TreeLooks};
use crate::{
    desired::{
        AboveHosts, Distro, Draft, Effective, Fault, HostPlan, Objects, Parent, Profile, Values, check_name,
        rules::Giver, same,
    },
    inventory::{Host, HostId, new_id},
    ipam::Subnet,
    store::{AuditEntry, ObjectWrite, Store, StoreError},
};

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFault {
    /// What was written cannot be.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] StoreError),
}

/// A host with all that is wanted of it.
#[derive(Debug, Clone)]
pub struct HostDesired {
    /// The host.
    pub host: Host,
    /// Its own layer.
    pub plan: HostPlan,
    /// The distro it is installed with; none without a profile.
    pub distro: Option<Distro>,
    /// Its profiles, nearest first.
    pub profiles: Vec<String>,
    /// What is in force.
    pub effective: Effective,
}

impl HostDesired {
    /// A host with what these objects say of it.
    ///
    /// # Errors
    /// [`Fault`] when its profile is not there, or stands on what is not.
    pub fn with(host: Host, plan: HostPlan, objects: &Objects) -> Result<Self, Fault> {
        let lineage = plan.profile.as_deref().map(|name| objects.lineage(name)).transpose()?;
        Ok(Self {
            distro: lineage.map(|lineage| lineage.distro.clone()),
            profiles: lineage.map_or_else(Vec::new, |lineage| {
                lineage.nearest_first().map(|profile| profile.name.clone()).collect()
            }),
            effective: objects.of_host(&plan, &label(&host))?,
            host,
            plan,
        })
    }

    /// A host with what is said above it, for many hosts at once: who said what in force is not kept.
    #[must_use]
    pub fn below(host: Host, plan: HostPlan, above: &AboveHosts) -> Self {
        Self {
            distro: above.distro.clone(),
            profiles: above.profiles.clone(),
            effective: Effective {
                values: above.values_of(&plan),
                origins: BTreeMap::new(),
            },
            host,
            plan,
        }
    }
}

/// Who feels a change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Affected {
    /// Profiles whose values in force or distro differ.
    pub profiles: Vec<String>,
    /// Hosts whose values in force or distro differ, by label.
    pub hosts: Vec<(HostId, String)>,
    /// The fields that differ for any of them.
    pub fields: BTreeSet<String>,
}

impl Affected {
    /// Whether a value differs; which layer says it is no matter. Remembers the fields.
    fn differ(&mut self, before: Option<Effective>, after: Option<Effective>) -> bool {
        let (before, after) = (before.unwrap_or_default().values, after.unwrap_or_default().values);
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differing: Vec<&String> = keys
            .into_iter()
            .filter(|key| !same(key, before.get(*key), after.get(*key)))
            .collect();
        self.fields.extend(differing.iter().map(|key| (*key).clone()));
        !differing.is_empty()
    }

    /// Whether what is installed by a profile differs beside its values: the tree, the kernel and so on. Remembers which.
    fn other_distro(&mut self, before: &Objects, after: &Objects, profile: &str) -> bool {
        let (before, after) = match (before.lineage(profile), after.lineage(profile)) {
            (Ok(before), Ok(after)) => (before.distro, after.distro),
            (before, after) => return before.is_ok() != after.is_ok(),
        };
        let differing: Vec<&str> = [
            ("distro", before.name == after.name),
            ("family", before.family == after.family),
            ("os", before.id == after.id),
            ("os_version", before.version == after.version),
            ("codename", before.codename == after.codename),
            ("arch", before.arch == after.arch),
            ("tree", before.tree == after.tree),
            ("kernel", before.kernel == after.kernel),
            ("initrd", before.initrd == after.initrd),
        ]
        .into_iter()
        .filter(|(_, same)| !same)
        .map(|(field, _)| field)
        .collect();
        self.fields.extend(differing.iter().map(|field| (*field).to_owned()));
        !differing.is_empty()
    }
}

/// Everything as it was at a revision.
type Held = (u64, Arc<Objects>);

/// The use cases of distros, profiles and plans. Cheap to clone; all clones share what is in memory.
///
/// [`Catalog::host`] answers "what is wanted of this host" with a few reads by primary key; distros and profiles come
/// from memory, behind one read of the revision.
#[derive(Debug, Clone)]
pub struct Catalog {
    store: Store,
    subnets: Arc<[Subnet]>,
    files: Option<Arc<ServerFiles>>,
    looks: TreeLooks,
    held: Arc<Mutex<Option<Held>>>,
    comparisons: LongWork,
}

impl Catalog {
    /// The catalog of a ledger; static addresses are checked against `subnets`.
    #[must_use]
    pub fn new(store: Store, subnets: &[Subnet]) -> Self {
        Self {
            store,
            subnets: subnets.into(),
            files: None,
            looks: TreeLooks::default(),
            held: Arc::default(),
            comparisons: LongWork::default(),
        }
    }

    /// The same, holding what is entered against the files that it names.
    #[must_use]
    pub fn with_files(mut self, files: ServerFiles) -> Self {
        self.files = Some(Arc::new(files));
        self
    }

    /// Every distro and profile as they are now.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn objects(&self) -> Result<Arc<Objects>, StoreError> {
        Ok(self.current().await?.1)
    }

    async fn current(&self) -> Result<(u64, Arc<Objects>), StoreError> {
        let revision = self.store.desired_revision().await?;
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((known, objects)) = held
            && known == revision
        {
            return Ok((known, objects));
        }
        // Read after the revision: what is newer than it is read again next time.
        let objects = Arc::new(self.store.desired_objects().await?);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, Arc::clone(&objects)));
        Ok((revision, objects))
    }

    /// What is wanted of a host; none when there is no such host.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn host(&self, id: HostId) -> Result<Option<HostDesired>, CatalogFault> {
        let Some(host) = self.store.host(id).await? else {
            return Ok(None);
        };
        let plan = self.store.plan(id).await?;
        let objects = self.objects().await?;
        Ok(Some(HostDesired::with(host, plan, &objects)?))
    }

    /// The one host of this desired name, id or MAC.
    ///
    /// # Errors
    /// [`Fault`] when there is none, or more than one.
    pub async fn host_called(&self, word: &str) -> Result<Host, CatalogFault> {
        let mut found = self.store.hosts_called(word).await?;
        let fault = |why: &str, advice: &str| Err(Fault::new("host", word, why, advice).into());
        match (found.pop(), found.is_empty()) {
            (Some(host), true) => Ok(host),
            (None, _) => fault(
                "there is no such host",
                "`muster hosts` shows all; write its name, MAC or id",
            ),
            (Some(_), false) => fault("several hosts have this name", "write the MAC or id of one"),
        }
    }

    /// Whether a distro can be entered under this name.
    ///
    /// # Errors
    /// [`Fault`] when the name is in use.
    pub async fn unused_distro(&self, name: &str) -> Result<(), CatalogFault> {
        Ok(unused(
            "distro",
            name,
            self.objects().await?.distros.contains_key(name),
        )?)
    }

    /// Whether a profile can be entered under this name.
    ///
    /// # Errors
    /// [`Fault`] when the name is in use.
    pub async fn unused_profile(&self, name: &str) -> Result<(), CatalogFault> {
        let objects = self.objects().await?;
        Ok(unused("profile", name, objects.profiles.contains_key(name))?)
    }

    /// Enters a distro.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be, or the name is in use.
    pub async fn add_distro(&self, distro: Distro, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        self.put_distro(distro, true, actor, now).await
    }

    /// Replaces the distro of this name.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be, or there is none of the name.
    pub async fn edit_distro(&self, distro: Distro, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        self.put_distro(distro, false, actor, now).await
    }

    async fn put_distro(&self, distro: Distro, new: bool, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, _) = self.current().await?;
        let draft = Draft::Distro(distro.clone());
        let (objects, _) = self.drafted(&draft).await?;
        if new {
            unused("distro", &distro.name, objects.distros.contains_key(&distro.name))?;
        } else {
            objects.distro(&distro.name)?;
        }
        let action = if new { "distro.add" } else { "distro.edit" };
        let entry = entry(actor, action, &format!("distro:{}", distro.name), now);
        self.write(revision, &ObjectWrite::Distro { distro, new }, &entry).await
    }

    /// Enters a profile.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be, the name is in use, or its parent is not there.
    pub async fn add_profile(&self, profile: Profile, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        self.put_profile(profile, true, actor, now).await
    }

    /// Replaces the profile of this name.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be: there is none, its parent is not there, it would stand on itself, or profiles that
    /// stand on it would be nested too deep.
    pub async fn edit_profile(&self, profile: Profile, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        self.put_profile(profile, false, actor, now).await
    }

    async fn put_profile(
        &self,
        profile: Profile,
        new: bool,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), CatalogFault> {
        let (revision, _) = self.current().await?;
        let draft = Draft::Profile(profile.clone());
        let (objects, _) = self.drafted(&draft).await?;
        if new {
            unused("profile", &profile.name, objects.profiles.contains_key(&profile.name))?;
        } else {
            objects.profile(&profile.name)?;
        }
        let action = if new { "profile.add" } else { "profile.edit" };
        let entry = entry(actor, action, &format!("profile:{}", profile.name), now);
        self.write(revision, &ObjectWrite::Profile { profile, new }, &entry)
            .await
    }

    /// Enters or replaces what is drafted. True when it was not there before.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be.
    pub async fn put(&self, draft: Draft, actor: &str, now: DateTime<Utc>) -> Result<bool, CatalogFault> {
        let objects = self.objects().await?;
        let new = match &draft {
            Draft::Distro(distro) => !objects.distros.contains_key(&distro.name),
            Draft::Profile(profile) => !objects.profiles.contains_key(&profile.name),
            Draft::Defaults(_) => false,
        };
        match draft {
            Draft::Distro(distro) => self.put_distro(distro, new, actor, now).await?,
            Draft::Profile(profile) => self.put_profile(profile, new, actor, now).await?,
            Draft::Defaults(values) => self.set_defaults(values, actor, now).await?,
        }
        Ok(new)
    }

    /// Copies a distro or profile under another name.
    ///
    /// # Errors
    /// [`Fault`] when there is none, or the new name cannot be used.
    pub async fn copy(&self, which: &Parent, to: &str, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let objects = self.objects().await?;
        match which {
            Parent::Distro(name) => {
                let mut distro = objects.distro(name)?.clone();
                to.clone_into(&mut distro.name);
                self.add_distro(distro, actor, now).await
            }
            Parent::Profile(name) => {
                let mut profile = objects.profile(name)?.clone();
                to.clone_into(&mut profile.name);
                self.add_profile(profile, actor, now).await
            }
        }
    }

    /// Gives a distro or profile another name; what stands on it follows.
    ///
    /// # Errors
    /// [`Fault`] when there is none, or the new name cannot be used.
    pub async fn rename(&self, which: &Parent, to: &str, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        check_name(to)?;
        let (revision, objects) = self.current().await?;
        self.check_no_installer_uses(which).await?;
        let (write, kind, from) = match which {
            Parent::Distro(name) => {
                objects.distro(name)?;
                unused("distro", to, objects.distros.contains_key(to))?;
                (ObjectWrite::RenameDistro(name.clone(), to.to_owned()), "distro", name)
            }
            Parent::Profile(name) => {
                objects.profile(name)?;
                unused("profile", to, objects.profiles.contains_key(to))?;
                (ObjectWrite::RenameProfile(name.clone(), to.to_owned()), "profile", name)
            }
        };
        let mut entry = entry(actor, &format!("{kind}.rename"), &format!("{kind}:{from}"), now);
        entry.detail = Some(format!("to {to}"));
        self.write(revision, &write, &entry).await
    }

    /// An installer that runs was given addresses with the distro's name, and its installation is of the profile's.
    async fn check_no_installer_uses(&self, which: &Parent) -> Result<(), CatalogFault> {
        let running = self.store.open_installs().await?;
        let found = running.iter().find(|install| match which {
            Parent::Distro(name) => install.distro == *name,
            Parent::Profile(name) => install.profile == *name,
        });
        let (kind, name) = match which {
            Parent::Distro(name) => ("distro", name),
            Parent::Profile(name) => ("profile", name),
        };
        found.map_or(Ok(()), |install| {
            let why = format!("installation {} is made from it now", install.id);
            Err(Fault::new(kind, name, why, "rename it when that has ended, or cancel it first").into())
        })
    }

    /// Removes a distro or profile that nothing stands on.
    ///
    /// # Errors
    /// [`Fault`] that names who stands on it.
    pub async fn remove(&self, which: &Parent, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, objects) = self.current().await?;
        let mut users: Vec<String> = objects
            .profiles
            .values()
            .filter(|profile| profile.parent == *which)
            .map(|profile| format!("profile {}", profile.name))
            .collect();
        let (write, kind, name) = match which {
            Parent::Distro(name) => {
                objects.distro(name)?;
                (ObjectWrite::RemoveDistro(name.clone()), "distro", name)
            }
            Parent::Profile(name) => {
                objects.profile(name)?;
                let rules = self.store.rules().await?.into_iter();
                let rules = rules.filter(|rule| rule.profile.as_ref() == Some(name));
                users.extend(rules.map(|rule| format!("rule {}", rule.name)));
                for (host, plan) in self.store.plans().await? {
                    if plan.profile.as_ref() == Some(name) {
                        users.push(format!("host {}", label(&host)));
                    }
                }
                (ObjectWrite::RemoveProfile(name.clone()), "profile", name)
            }
        };
        if !users.is_empty() {
            let more = users.len().saturating_sub(10);
            users.truncate(10);
            let mut told = users.join(", ");
            if more > 0 {
                told.push_str(&format!(" and {more} more"));
            }
            let why = format!("it is used by {told}");
            return Err(Fault::new(kind, name, why, "give them another parent or profile first").into());
        }
        let entry = entry(actor, &format!("{kind}.remove"), &format!("{kind}:{name}"), now);
        self.write(revision, &write, &entry).await
    }

    /// Sets the site's defaults.
    ///
    /// # Errors
    /// [`Fault`] when they name a template or a snippet that is not there; or when the ledger fails.
    pub async fn set_defaults(&self, values: Values, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, _) = self.current().await?;
        self.drafted(&Draft::Defaults(values.clone())).await?;
        let entry = entry(actor, "defaults.edit", "defaults", now);
        self.write(revision, &ObjectWrite::Defaults(values), &entry).await
    }

    /// Sets what is wanted of a host.
    ///
    /// # Errors
    /// As [`Catalog::check_plan`]; or [`Fault`] when the profile cannot be changed now: the host is being installed, or out
    /// of service.
    pub async fn set_plan(&self, mut plan: HostPlan, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, _) = self.current().await?;
        self.check_plan(&plan).await?;
        let known = self.store.plan(plan.host).await?;
        // Once a person has decided about the profile, taken it away too, rules leave it alone.
        if plan.profile != known.profile {
            plan.profile_by = Some(Giver::Person);
        } else if plan.profile_by != Some(Giver::Person) {
            plan.profile_by.clone_from(&known.profile_by);
        }
        let moved = self.moved(&known, plan.profile.as_deref(), actor, now).await?;
        let entry = entry(actor, "host.plan", &format!("host:{}", plan.host), now);
        self.write(revision, &ObjectWrite::Plan(plan, moved), &entry).await
    }

    /// Takes back all that is wanted of a host.
    ///
    /// # Errors
    /// [`Fault`] when the host is being installed, with the installation that has to be cancelled first; or when the ledger
    /// fails.
    pub async fn remove_plan(&self, host: HostId, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, _) = self.current().await?;
        self.check_not_installing(host).await?;
        let moved = self.moved(&self.store.plan(host).await?, None, actor, now).await?;
        let entry = entry(actor, "host.unplan", &format!("host:{host}"), now);
        self.write(revision, &ObjectWrite::RemovePlan(host, moved), &entry)
            .await
    }

    /// Everything as it is, and as it would be with what is drafted in force.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be: by itself, or because a tree, a template or a snippet that it names anew is not there.
    pub async fn drafted(&self, draft: &Draft) -> Result<(Arc<Objects>, Objects), CatalogFault> {
        let objects = self.objects().await?;
        let after = objects.with(draft)?;
        match draft {
            Draft::Distro(distro) => {
                let had = objects.distros.get(&distro.name);
                self.check_tree(distro, had).await?;
                self.check_named(&distro.values, had.map(|had| &had.values)).await?;
            }
            Draft::Profile(profile) => {
                check_profile_interfaces(&objects, &after, &profile.name)?;
                let had = objects.profiles.get(&profile.name);
                self.check_named(&profile.values, had.map(|had| &had.values)).await?;
            }
            Draft::Defaults(values) => self.check_named(values, Some(&objects.settings)).await?,
        }
        Ok((objects, after))
    }

    /// Who would feel it if what is drafted were in force.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be; or when the ledger cannot be read.
    pub async fn preview(&self, draft: &Draft) -> Result<Affected, CatalogFault> {
        let (_, after) = self.drafted(draft).await?;
        self.affected(&after).await
    }

    /// Who would feel it if `after` were in force instead of what is. Worked out off the threads that answer machines, for few
    /// questions at once. It names hosts and fields: for those who may change what is wanted.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn affected(&self, after: &Objects) -> Result<Affected, CatalogFault> {
        let place = self.comparisons.place().await;
        let (before, after) = (self.objects().await?, after.clone());
        let plans = self.store.plans().await?;
        let compare = move || {
            let mut out = Affected::default();
            for name in before.profiles.keys() {
                let values = out.differ(before.of_profile(name).ok(), after.of_profile(name).ok());
                if out.other_distro(&before, &after, name) || values {
                    out.profiles.push(name.clone());
                }
            }
            for (host, plan) in plans {
                let label = label(&host);
                let values = out.differ(before.of_host(&plan, &label).ok(), after.of_host(&plan, &label).ok());
                let profile = plan.profile.as_deref();
                if profile.is_some_and(|name| out.other_distro(&before, &after, name)) || values {
                    out.hosts.push((host.id, label));
                }
            }
            out
        };
        place.run(compare).await.map_err(|stopped| {
            Fault::unshown(
                "change",
                stopped.to_string(),
                "look at the log of the server, and try again",
            )
            .into()
        })
    }

    async fn write(&self, revision: u64, write: &ObjectWrite, entry: &AuditEntry) -> Result<(), CatalogFault> {
        Ok(self.store.write_desired(revision, write, entry).await?)
    }
}

/// What people call a host: its desired name, else its id.
pub(super) fn label(host: &Host) -> String {
    host.name.clone().unwrap_or_else(|| host.id.to_string())
}

fn unused(kind: &str, name: &str, used: bool) -> Result<(), Fault> {
    if used {
        Err(Fault::new(
            "name",
            name,
            format!("there is a {kind} of this name"),
            "choose another name, or edit it",
        ))
    } else {
        Ok(())
    }
}

fn entry(actor: &str, action: &str, target: &str, now: DateTime<Utc>) -> AuditEntry {
    AuditEntry {
        id: new_id(now),
        at: now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        target: Some(target.to_owned()),
        detail: None,
    }
}
