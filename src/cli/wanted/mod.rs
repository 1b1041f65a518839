//! `muster distro`, `muster profile`, `muster host`: what is wanted of hosts.
//!
//! They work on the ledger itself, with or without a server; a running server notices by the revision
//! (docs/decisions/0007).

mod changes;
mod distro;
mod fields;
mod found;
mod host;
mod import;
mod profile;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{Failure, hosts::open, search, table::table};
use crate::{
    app,
    config::Settings,
    desired::{Condition, Draft, Effective, Parent},
    provision::{Catalog, CatalogFault},
};
use changes::Trial;
pub(super) use distro::DistroCommand;
pub(super) use host::HostCommand;
pub(super) use profile::ProfileArgs;

/// Who the audit table names.
const ACTOR: &str = "cli";

/// What distros and profiles have in common.
#[derive(Debug, Subcommand)]
pub(super) enum Objects<Own: Args> {
    /// Enter one.
    Add(Own),
    /// Change one.
    Edit(Own),
    /// Show all, by name.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the values in force with the layer of each.
    Report {
        /// Its name.
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Enter one like another.
    Copy {
        /// The one there is.
        name: String,
        /// The new one.
        to: String,
    },
    /// Give one another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Show those that meet conditions on what they are and on their values in force.
    Find(FindArgs),
    /// Remove one that nothing stands on.
    Remove {
        /// Its name.
        name: String,
    },
}

/// What is looked for.
#[derive(Debug, Args)]
pub(super) struct FindArgs {
    /// Conditions that are all met: key=pattern with `*` and `?`, e.g. `tags=rack7` or `kernel_options.console=ttyS*`.
    #[arg(required = true)]
    conditions: Vec<Condition>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl FindArgs {
    /// Refuses conditions that nothing can meet.
    fn check(&self, own: &[&str]) -> Result<(), CatalogFault> {
        Ok(self.conditions.iter().try_for_each(|condition| condition.check(own))?)
    }

    fn met(&self, own: &[(&str, Vec<String>)], effective: &Map<String, Value>) -> bool {
        self.conditions.iter().all(|condition| condition.met(own, effective))
    }
}

/// One command, to be run with the catalog of the settings' ledger.
pub(super) enum Wanted {
    Distro(DistroCommand),
    Profile(Objects<ProfileArgs>),
    Host(HostCommand),
}

pub(super) async fn wanted(settings: &Settings, command: Wanted) -> Result<String, Failure> {
    if let Wanted::Host(HostCommand::Find(args)) = &command
        && args.fields
    {
        return Ok(search::fields());
    }
    let store = open(settings).await?;
    let catalog = app::catalog(settings, store.clone());
    let done = match command {
        Wanted::Host(HostCommand::Find(args)) => found::find(&catalog, args).await.map(Said::from),
        Wanted::Distro(DistroCommand::Import(args)) => import::import(&catalog, settings, args).await.map(Said::from),
        Wanted::Distro(DistroCommand::Objects(command)) => said(distro::distro(&catalog, command).await),
        Wanted::Profile(command) => said(profile::profile(&catalog, command).await),
        Wanted::Host(HostCommand::Plans(command)) => said(host::host(&catalog, command).await),
    };
    let done = match done {
        Ok(Said::Text(text)) => Ok(text),
        Ok(Said::Tried(trial)) => changes::of(settings, &store, &catalog, *trial).await,
        Err(failure) => Err(failure),
    };
    store.close().await?;
    done
}

/// What a command comes to.
enum Said {
    /// It is done, and this is to be told.
    Text(String),
    /// It is to be tried only.
    Tried(Box<Trial>),
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Said {
    fn tried(draft: Draft) -> Self {
        Self::Tried(Box::new(Trial::Of(draft)))
    }
}

/// What an edit says that leaves all as it was.
fn nothing_changed(what: &str) -> String {
    format!("nothing has changed: {what} is as wanted already\n")
}

fn said(done: Result<Said, CatalogFault>) -> Result<Said, Failure> {
    Ok(done?)
}

async fn copy(catalog: &Catalog, which: Parent, to: &str) -> Result<String, CatalogFault> {
    catalog.copy(&which, to, ACTOR, app::now()).await?;
    Ok(format!("copied {which} to {to}\n"))
}

async fn rename(catalog: &Catalog, which: Parent, to: &str) -> Result<String, CatalogFault> {
    catalog.rename(&which, to, ACTOR, app::now()).await?;
    Ok(format!("renamed {which} to {to}\n"))
}

async fn remove(catalog: &Catalog, which: Parent) -> Result<String, CatalogFault> {
    catalog.remove(&which, ACTOR, app::now()).await?;
    Ok(format!("removed {which}\n"))
}

/// What the object is, then every value in force with its layer; secrets as "(set)".
fn report(own: &[(&str, String)], effective: &Effective, json: bool) -> String {
    let told = own.iter().filter(|(_, value)| !value.is_empty());
    if json {
        let mut document: Map<String, Value> = told
            .map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str())))
            .collect();
        document.insert("values".to_owned(), effective.shown().into());
        document.insert("origins".to_owned(), json!(effective.origins));
        return format!("{:#}\n", Value::from(document));
    }
    let mut rows: Vec<Vec<String>> = told
        .map(|(key, value)| vec![format!("({key})"), value.clone(), "-".to_owned()])
        .collect();
    rows.extend(value_rows(effective));
    table(&["NAME", "VALUE", "FROM"], &rows)
}

fn value_rows(effective: &Effective) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (key, value) in &effective.shown() {
        let layer = |path: &str| effective.origins.get(path).map(ToString::to_string).unwrap_or_default();
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let path = format!("{key}.{name}");
                    rows.push(vec![path.clone(), text(value), layer(&path)]);
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    rows.push(vec![key.clone(), text(item), layer(&format!("{key}.{place}"))]);
                }
            }
            value => rows.push(vec![key.clone(), text(value), layer(key)]),
        }
    }
    rows
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
