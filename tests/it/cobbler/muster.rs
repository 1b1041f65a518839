//! The same objects in Muster: read from their texts as the command line reads them, kept in a ledger, and asked for.

use std::collections::{BTreeMap, HashMap};

use chrono::Utc;
use muster::{
    desired::{Distro, Effective, Family, Fault, HostPlan, NONE, Parent, Profile, Tree, Values, field},
    inventory::HostId,
    provision::{Catalog, CatalogFault},
    store::Store,
};
use serde_json::{Map, Value, json};

use super::world::{Given, Kind, On, REPOS, Step};
use crate::store::samples;

/// A ledger in memory with the objects of a world.
pub(super) struct Ledger {
    catalog: Catalog,
    store: Store,
    hosts: HashMap<String, HostId>,
}

impl Ledger {
    pub(super) async fn new(defaults: &Value) -> Self {
        let store = Store::open("sqlite::memory:").await.expect("opens");
        store.migrate().await.expect("migrates");
        let catalog = Catalog::new(store.clone(), &[]);
        let defaults = Values::check(defaults.as_object().cloned().expect("a document")).expect("well-formed");
        catalog.set_defaults(defaults, "test", Utc::now()).await.expect("set");
        Self {
            catalog,
            store,
            hosts: HashMap::new(),
        }
    }

    /// Does one step; gives why not.
    pub(super) async fn enter(&mut self, step: &Step) -> Result<(), String> {
        self.try_enter(step).await.map_err(|fault| fault.to_string())
    }

    async fn try_enter(&mut self, step: &Step) -> Result<(), CatalogFault> {
        let mut changes = Map::new();
        for (key, given) in &step.fields {
            changes.insert((*key).to_owned(), read(key, given)?);
        }
        let (name, now) = (step.name.clone(), Utc::now());
        let objects = self.catalog.objects().await?;
        let changed = |values: &Values| values.changed(changes.clone(), step.in_place);
        match (step.kind, &step.on) {
            (Kind::Distro, None) if objects.distros.contains_key(&name) => {
                let mut distro = objects.distro(&name)?.clone();
                distro.values = changed(&distro.values)?;
                self.catalog.edit_distro(distro, "test", now).await
            }
            (Kind::Distro, _) => {
                let distro = distro(&name, changed(&Values::default())?);
                self.catalog.add_distro(distro, "test", now).await
            }
            (Kind::Profile, None) => {
                let mut profile = objects.profile(&name)?.clone();
                profile.values = changed(&profile.values)?;
                self.catalog.edit_profile(profile, "test", now).await
            }
            (Kind::Profile, Some(on)) => {
                let parent = match on {
                    On::Distro(name) => Parent::Distro(name.clone()),
                    On::Profile(name) => Parent::Profile(name.clone()),
                };
                let values = changed(&Values::default())?;
                let profile = Profile { name, parent, values };
                self.catalog.add_profile(profile, "test", now).await
            }
            (Kind::Host, on) => {
                let mut plan = self.plan(&name).await;
                if let Some(On::Profile(profile)) = on {
                    plan.profile = Some(profile.clone());
                }
                plan.values = changed(&plan.values)?;
                self.catalog.set_plan(plan, "test", now).await
            }
        }
    }

    async fn plan(&mut self, name: &str) -> HostPlan {
        if let Some(id) = self.hosts.get(name) {
            return self.store.plan(*id).await.expect("readable");
        }
        let host = samples::host(u16::try_from(self.hosts.len()).expect("few hosts"));
        self.store
            .writer()
            .commit(vec![samples::created(&host)])
            .await
            .expect("made");
        self.hosts.insert(name.to_owned(), host.id);
        HostPlan::empty(host.id)
    }

    /// What is in force for an object.
    pub(super) async fn effective(&self, kind: Kind, name: &str) -> Effective {
        let objects = self.catalog.objects().await.expect("readable");
        match kind {
            Kind::Distro => objects.of_distro(name).expect("there"),
            Kind::Profile => objects.of_profile(name).expect("there"),
            Kind::Host => {
                let found = self.catalog.host(self.hosts[name]).await.expect("readable");
                found.expect("there").effective
            }
        }
    }
}

/// Muster's own reading of a value.
fn read(key: &str, given: &Given) -> Result<Value, Fault> {
    let field = field(key).expect("a field of Muster");
    match given {
        // A repository is an object of its own there, an entry of the profile here.
        Given::Text(names) if key == "repos" && names != "delete" => {
            let known: BTreeMap<&str, Value> = REPOS
                .iter()
                .map(|(name, url, priority)| (*name, json!({"url": url, "priority": priority})))
                .collect();
            let document: Map<String, Value> = names
                .split_whitespace()
                .map(|name| (name.to_owned(), known[name].clone()))
                .collect();
            field.read(&Value::Object(document).to_string())
        }
        Given::Text(text) => field.read(text),
        Given::Nothing => field.read(NONE),
        Given::Document(document) => field.read(&document.to_string()),
    }
}

/// A distro of this name.
pub(super) fn distro(name: &str, values: Values) -> Distro {
    Distro {
        name: name.to_owned(),
        family: Family::Redhat,
        id: "rocky".into(),
        version: "9.4".into(),
        codename: None,
        arch: "x86_64".into(),
        tree: Tree::Url("http://mirror.example.org/rocky/9".into()),
        kernel: "images/pxeboot/vmlinuz".into(),
        initrd: "images/pxeboot/initrd.img".into(),
        values,
    }
}
