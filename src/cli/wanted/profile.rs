use clap::Args;
use serde_json::{Value, json};

use super::{ACTOR, FindArgs, Objects, copy, fields::Fields, remove, rename, report};
use crate::{
    app,
    cli::table::table,
    desired::{Fault, Parent, Profile, Values},
    provision::{Catalog, CatalogFault},
};

/// What a condition can name of a profile beside its values. `distro` is what it stands on in the end, `parent` each
/// profile in between.
const OWN: [&str; 3] = ["name", "distro", "parent"];

#[derive(Debug, Args)]
pub(in crate::cli) struct ProfileArgs {
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

pub(super) async fn profile(catalog: &Catalog, command: Objects<ProfileArgs>) -> Result<String, CatalogFault> {
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
            Ok(listed(objects.profiles.values(), json))
        }
        Objects::Find(args) => find(catalog, &args).await,
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

async fn find(catalog: &Catalog, args: &FindArgs) -> Result<String, CatalogFault> {
    args.check(&OWN)?;
    let objects = catalog.objects().await?;
    let mut found = Vec::new();
    for profile in objects.profiles.values() {
        let lineage = objects.lineage(&profile.name)?;
        let parents = lineage
            .nearest_first()
            .skip(1)
            .map(|parent| parent.name.clone())
            .collect();
        let own = [
            ("name", vec![profile.name.clone()]),
            ("distro", vec![lineage.distro.name.clone()]),
            ("parent", parents),
        ];
        if args.met(&own, &objects.of_profile(&profile.name)?.shown()) {
            found.push(profile);
        }
    }
    Ok(listed(found, args.json))
}

fn listed<'a>(profiles: impl IntoIterator<Item = &'a Profile>, json: bool) -> String {
    if json {
        let all: Vec<Value> = profiles
            .into_iter()
            .map(|profile| json!({"name": profile.name, "parent": profile.parent, "values": profile.values.shown()}))
            .collect();
        return format!("{:#}\n", Value::from(all));
    }
    let rows: Vec<Vec<String>> = profiles
        .into_iter()
        .map(|profile| vec![profile.name.clone(), profile.parent.to_string()])
        .collect();
    table(&["NAME", "STANDS ON"], &rows)
}
