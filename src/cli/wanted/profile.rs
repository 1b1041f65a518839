use clap::Args;
use serde_json::{Value, json};

use super::{ACTOR, FindArgs, Objects, Said, copy, fields::Fields, nothing_changed, remove, rename, report};
use crate::{
    app,
    cli::table::table,
    desired::{Draft, Fault, Parent, Profile, Values},
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
    /// Change maps key by key and lists item by item instead of replacing them; `~word` takes a word back.
    #[arg(long)]
    in_place: bool,
    /// Change nothing: show whose answer files and boot lines would differ, and how.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: Fields,
}

/// The profile as it would be saved.
async fn drafted(catalog: &Catalog, args: ProfileArgs, new: bool) -> Result<Profile, CatalogFault> {
    let parent = parent_of(&args);
    if new {
        catalog.unused_profile(&args.name).await?;
        let parent = parent
            .ok_or_else(|| Fault::unshown("parent", "a profile stands on something", "add --distro or --parent"))?;
        return Ok(Profile {
            parent,
            values: Values::default().changed(args.fields.0, args.in_place)?,
            name: args.name,
        });
    }
    let mut profile = catalog.objects().await?.profile(&args.name)?.clone();
    profile.parent = parent.unwrap_or(profile.parent);
    profile.values = profile.values.changed(args.fields.0, args.in_place)?;
    Ok(profile)
}

pub(super) async fn profile(catalog: &Catalog, command: Objects<ProfileArgs>) -> Result<Said, CatalogFault> {
    let now = app::now();
    let text = match command {
        Objects::Add(args) => {
            let dry_run = args.dry_run;
            let profile = drafted(catalog, args, true).await?;
            if dry_run {
                return Ok(Said::tried(Draft::Profile(profile)));
            }
            let name = profile.name.clone();
            catalog.add_profile(profile, ACTOR, now).await?;
            format!("made profile {name}\n")
        }
        Objects::Edit(args) => {
            let dry_run = args.dry_run;
            let known = catalog.objects().await?.profile(&args.name)?.clone();
            let profile = drafted(catalog, args, false).await?;
            if dry_run {
                return Ok(Said::tried(Draft::Profile(profile)));
            }
            let name = profile.name.clone();
            if profile == known && profile.values.says_the_same(&known.values) {
                return Ok(nothing_changed(&format!("profile {name}")).into());
            }
            catalog.edit_profile(profile, ACTOR, now).await?;
            format!("changed profile {name}\n")
        }
        Objects::List { json } => {
            let objects = catalog.objects().await?;
            listed(objects.profiles.values(), json)
        }
        Objects::Find(args) => find(catalog, &args).await?,
        Objects::Report { name, json } => {
            let objects = catalog.objects().await?;
            let lineage = objects.lineage(&name)?;
            let own = [
                ("name", name.clone()),
                ("stands_on", objects.profile(&name)?.parent.to_string()),
                ("distro", lineage.distro.name.clone()),
            ];
            report(&own, &objects.of_profile(&name)?, json)
        }
        Objects::Copy { name, to } => copy(catalog, Parent::Profile(name), &to).await?,
        Objects::Rename { name, to } => rename(catalog, Parent::Profile(name), &to).await?,
        Objects::Remove { name } => remove(catalog, Parent::Profile(name)).await?,
    };
    Ok(text.into())
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
