//! `muster distro`, `muster profile`, `muster host`, `muster defaults`: what is wanted of hosts.
//!
//! They work on the ledger itself, with or without a server; a running server notices by the revision
//! (docs/decisions/0007).

use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Args, FromArgMatches, Subcommand};
use serde_json::{Map, Value, json};

use super::{Failure, hosts::open, table::table};
use crate::{
    app,
    config::Settings,
    desired::{Distro, Effective, FIELDS, Family, Fault, FieldKind, Parent, Profile, Tree, Values},
    inventory::HostId,
    provision::{Catalog, CatalogFault},
};

/// Who the audit table names.
const ACTOR: &str = "cli";

/// The options of the fields, in their order.
static LONG: LazyLock<Vec<String>> = LazyLock::new(|| FIELDS.iter().map(|field| field.key.replace('_', "-")).collect());

/// Fields by their options, as text: `--kernel-options "a=1 b !c"`.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl FromArgMatches for Fields {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut fields = Self::default();
        fields.update_from_arg_matches(matches)?;
        Ok(fields)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for field in FIELDS {
            if let Some(text) = matches.get_one::<String>(field.key) {
                let value = field
                    .read(text)
                    .map_err(|fault| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{fault}\n")))?;
                self.0.insert(field.key.to_owned(), value);
            }
        }
        Ok(())
    }
}

impl Args for Fields {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for (field, long) in FIELDS.iter().zip(LONG.iter()) {
            let form = match field.kind {
                FieldKind::Scalar => "TEXT",
                FieldKind::Map(_) => "k=v …",
                FieldKind::List => "ITEM …",
            };
            command = command.arg(
                Arg::new(field.key)
                    .long(long.as_str())
                    .value_name(form)
                    .allow_hyphen_values(true)
                    .help(field.meaning),
            );
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[derive(Debug, Args)]
pub(super) struct DistroArgs {
    /// Its name.
    name: String,
    /// redhat, debian, ubuntu or suse.
    #[arg(long)]
    family: Option<Family>,
    /// rocky, debian, …
    #[arg(long)]
    os: Option<String>,
    /// E.g. 9.4.
    #[arg(long)]
    os_version: Option<String>,
    /// E.g. bookworm.
    #[arg(long)]
    codename: Option<String>,
    /// E.g. `x86_64`.
    #[arg(long)]
    arch: Option<String>,
    /// A folder of this server, or a URL.
    #[arg(long)]
    tree: Option<String>,
    /// Below the tree.
    #[arg(long)]
    kernel: Option<String>,
    /// Below the tree.
    #[arg(long)]
    initrd: Option<String>,
    /// Change maps key by key instead of replacing them.
    #[arg(long)]
    in_place: bool,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    /// Its name.
    name: String,
    /// The distro it stands on.
    #[arg(long, conflicts_with = "parent")]
    distro: Option<String>,
    /// The profile it stands on.
    #[arg(long)]
    parent: Option<String>,
    /// Change maps key by key instead of replacing them.
    #[arg(long)]
    in_place: bool,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Its name, MAC or id.
    host: String,
    /// What it is installed for; an empty text takes it away.
    #[arg(long)]
    profile: Option<String>,
    /// Change maps key by key instead of replacing them.
    #[arg(long)]
    in_place: bool,
    #[command(flatten)]
    fields: Fields,
}

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
    /// Remove one that nothing stands on.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
    /// Say what is wanted of a host.
    Edit(PlanArgs),
    /// Show the values in force with the layer of each.
    Report {
        /// Its name, MAC or id.
        host: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take back all that is wanted of a host; the host stays.
    Remove {
        /// Its name, MAC or id.
        host: String,
    },
}

/// Runs one command with the catalog of the settings' ledger.
pub(super) enum Wanted {
    Distro(Objects<DistroArgs>),
    Profile(Objects<ProfileArgs>),
    Host(HostCommand),
}

pub(super) async fn wanted(settings: &Settings, command: Wanted) -> Result<String, Failure> {
    let store = open(settings).await?;
    let catalog = app::catalog(settings, store.clone());
    let done = match command {
        Wanted::Distro(command) => distro(&catalog, command).await,
        Wanted::Profile(command) => profile(&catalog, command).await,
        Wanted::Host(command) => host(&catalog, command).await,
    };
    store.close().await?;
    Ok(done?)
}

async fn distro(catalog: &Catalog, command: Objects<DistroArgs>) -> Result<String, CatalogFault> {
    let now = app::now();
    match command {
        Objects::Add(args) => {
            let name = args.name.clone();
            catalog.add_distro(distro_of(args, None)?, ACTOR, now).await?;
            Ok(format!("made distro {name}\n"))
        }
        Objects::Edit(args) => {
            let known = catalog.objects().await?.distro(&args.name)?.clone();
            let name = args.name.clone();
            catalog.edit_distro(distro_of(args, Some(&known))?, ACTOR, now).await?;
            Ok(format!("changed distro {name}\n"))
        }
        Objects::List { json } => {
            let objects = catalog.objects().await?;
            if json {
                let all: Vec<Value> = objects
                    .distros
                    .values()
                    .map(|distro| {
                        json!({"name": distro.name, "family": distro.family, "id": distro.id, "version": distro.version,
                            "arch": distro.arch, "tree": distro.tree, "values": distro.values.shown()})
                    })
                    .collect();
                return Ok(format!("{:#}\n", Value::from(all)));
            }
            let rows: Vec<Vec<String>> = objects
                .distros
                .values()
                .map(|distro| {
                    vec![
                        distro.name.clone(),
                        distro.family.as_str().to_owned(),
                        format!("{} {}", distro.id, distro.version),
                        distro.arch.clone(),
                        distro.tree.to_string(),
                    ]
                })
                .collect();
            Ok(table(&["NAME", "FAMILY", "SYSTEM", "ARCH", "TREE"], &rows))
        }
        Objects::Report { name, json } => Ok(report(&catalog.objects().await?.of_distro(&name)?, json)),
        Objects::Copy { name, to } => copy(catalog, Parent::Distro(name), &to).await,
        Objects::Rename { name, to } => rename(catalog, Parent::Distro(name), &to).await,
        Objects::Remove { name } => remove(catalog, Parent::Distro(name)).await,
    }
}

fn distro_of(args: DistroArgs, had: Option<&Distro>) -> Result<Distro, Fault> {
    fn needed<T>(given: Option<T>, known: Option<T>, field: &str) -> Result<T, Fault> {
        given
            .or(known)
            .ok_or_else(|| Fault::unshown(field, "it is needed for a new distro", format!("add --{field}")))
    }
    let tree = args.tree.map(|text| {
        if text.contains("://") {
            Tree::Url(text)
        } else {
            Tree::Path(text)
        }
    });
    Ok(Distro {
        family: needed(args.family, had.map(|distro| distro.family), "family")?,
        id: needed(args.os, had.map(|distro| distro.id.clone()), "os")?,
        version: needed(args.os_version, had.map(|distro| distro.version.clone()), "os-version")?,
        codename: args.codename.or_else(|| had.and_then(|distro| distro.codename.clone())),
        arch: needed(args.arch, had.map(|distro| distro.arch.clone()), "arch")?,
        tree: needed(tree, had.map(|distro| distro.tree.clone()), "tree")?,
        kernel: needed(args.kernel, had.map(|distro| distro.kernel.clone()), "kernel")?,
        initrd: needed(args.initrd, had.map(|distro| distro.initrd.clone()), "initrd")?,
        values: had
            .map(|distro| distro.values.clone())
            .unwrap_or_default()
            .changed(args.fields.0, args.in_place)?,
        name: args.name,
    })
}

async fn profile(catalog: &Catalog, command: Objects<ProfileArgs>) -> Result<String, CatalogFault> {
    let now = app::now();
    match command {
        Objects::Add(args) => {
            let parent = parent_of(&args)
                .ok_or_else(|| Fault::unshown("parent", "a profile stands on something", "add --distro or --parent"))?;
            let values = Values::default().changed(args.fields.0, args.in_place)?;
            let name = args.name.clone();
            catalog
                .add_profile(
                    Profile {
                        name: args.name,
                        parent,
                        values,
                    },
                    ACTOR,
                    now,
                )
                .await?;
            Ok(format!("made profile {name}\n"))
        }
        Objects::Edit(args) => {
            let mut profile = catalog.objects().await?.profile(&args.name)?.clone();
            if let Some(parent) = parent_of(&args) {
                profile.parent = parent;
            }
            profile.values = profile.values.changed(args.fields.0, args.in_place)?;
            catalog.edit_profile(profile, ACTOR, now).await?;
            Ok(format!("changed profile {}\n", args.name))
        }
        Objects::List { json } => {
            let objects = catalog.objects().await?;
            if json {
                let all: Vec<Value> = objects
                    .profiles
                    .values()
                    .map(|profile| json!({"name": profile.name, "parent": profile.parent, "values": profile.values.shown()}))
                    .collect();
                return Ok(format!("{:#}\n", Value::from(all)));
            }
            let rows: Vec<Vec<String>> = objects
                .profiles
                .values()
                .map(|profile| vec![profile.name.clone(), profile.parent.to_string()])
                .collect();
            Ok(table(&["NAME", "STANDS ON"], &rows))
        }
        Objects::Report { name, json } => Ok(report(&catalog.objects().await?.of_profile(&name)?, json)),
        Objects::Copy { name, to } => copy(catalog, Parent::Profile(name), &to).await,
        Objects::Rename { name, to } => rename(catalog, Parent::Profile(name), &to).await,
        Objects::Remove { name } => remove(catalog, Parent::Profile(name)).await,
    }
}

fn parent_of(args: &ProfileArgs) -> Option<Parent> {
    let distro = args.distro.clone().map(Parent::Distro);
    distro.or_else(|| args.parent.clone().map(Parent::Profile))
}

async fn host(catalog: &Catalog, command: HostCommand) -> Result<String, CatalogFault> {
    let now = app::now();
    match command {
        HostCommand::Edit(args) => {
            let id = catalog.host_called(&args.host).await?.id;
            let mut plan = known(catalog, id, &args.host).await?.plan;
            if let Some(profile) = args.profile {
                plan.profile = Some(profile).filter(|name| !name.is_empty());
            }
            plan.values = plan.values.changed(args.fields.0, args.in_place)?;
            catalog.set_plan(plan, ACTOR, now).await?;
            Ok(format!("changed what is wanted of host {}\n", args.host))
        }
        HostCommand::Report { host, json } => {
            let id = catalog.host_called(&host).await?.id;
            Ok(report(&known(catalog, id, &host).await?.effective, json))
        }
        HostCommand::Remove { host } => {
            let id = catalog.host_called(&host).await?.id;
            catalog.remove_plan(id, ACTOR, now).await?;
            Ok(format!("nothing is wanted of host {host} any more\n"))
        }
    }
}

async fn known(catalog: &Catalog, id: HostId, word: &str) -> Result<crate::provision::HostDesired, CatalogFault> {
    let found = catalog.host(id).await?;
    found.ok_or_else(|| {
        Fault::new(
            "host",
            word,
            "it was forgotten just now",
            "look at `muster hosts` again",
        )
        .into()
    })
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

/// Every value in force with its layer; secrets as "(set)".
fn report(effective: &Effective, json: bool) -> String {
    let shown = effective.shown();
    if json {
        return format!("{:#}\n", json!({"values": shown, "origins": effective.origins}));
    }
    let mut rows = Vec::new();
    for (key, value) in &shown {
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
    table(&["NAME", "VALUE", "FROM"], &rows)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
