use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    ACTOR, FindArgs, Objects, Said, copy, fields::Fields, import::ImportArgs, nothing_changed, remove, rename, report,
};
use crate::{
    app,
    cli::{table::table, word},
    desired::{Distro, Draft, Family, Fault, Parent, Tree},
    provision::{Catalog, CatalogFault},
};

/// What a condition can name of a distro beside its values.
const OWN: [&str; 9] = [
    "name",
    "family",
    "os",
    "os_version",
    "codename",
    "arch",
    "tree",
    "kernel",
    "initrd",
];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DistroCommand {
    /// Recognise an installation tree and enter it.
    Import(ImportArgs),
    #[command(flatten)]
    Objects(Objects<DistroArgs>),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DistroArgs {
    /// Its name.
    name: String,
    /// redhat, debian, ubuntu or suse.
    #[arg(long, value_parser = word::<Family>(Family::ALL.map(Family::as_str)))]
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
    /// A folder of this server below `boot.tree_dir` or one of `boot.tree_roots`, or a URL.
    #[arg(long)]
    tree: Option<String>,
    /// Below the tree.
    #[arg(long)]
    kernel: Option<String>,
    /// Below the tree.
    #[arg(long)]
    initrd: Option<String>,
    /// Change maps key by key and lists item by item instead of replacing them; `~word` takes a word back.
    #[arg(long)]
    in_place: bool,
    /// Change nothing: show whose answer files and boot lines would differ, and how.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: Fields,
}

pub(super) async fn distro(catalog: &Catalog, command: Objects<DistroArgs>) -> Result<Said, CatalogFault> {
    let now = app::now();
    let text = match command {
        Objects::Add(args) => {
            let dry_run = args.dry_run;
            catalog.unused_distro(&args.name).await?;
            let distro = distro_of(args, None)?;
            if dry_run {
                return Ok(Said::tried(Draft::Distro(distro)));
            }
            let name = distro.name.clone();
            catalog.add_distro(distro, ACTOR, now).await?;
            format!("made distro {name}\n")
        }
        Objects::Edit(args) => {
            let dry_run = args.dry_run;
            let known = catalog.objects().await?.distro(&args.name)?.clone();
            let distro = distro_of(args, Some(&known))?;
            if dry_run {
                return Ok(Said::tried(Draft::Distro(distro)));
            }
            let name = distro.name.clone();
            if distro == known && distro.values.says_the_same(&known.values) {
                return Ok(nothing_changed(&format!("distro {name}")).into());
            }
            catalog.edit_distro(distro, ACTOR, now).await?;
            format!("changed distro {name}\n")
        }
        Objects::List { json } => {
            let objects = catalog.objects().await?;
            listed(objects.distros.values(), json)
        }
        Objects::Find(args) => find(catalog, &args).await?,
        Objects::Report { name, json } => {
            let objects = catalog.objects().await?;
            let own: Vec<(&str, String)> = OWN.into_iter().zip(own_of(objects.distro(&name)?)).collect();
            report(&own, &objects.of_distro(&name)?, json)
        }
        Objects::Copy { name, to } => copy(catalog, Parent::Distro(name), &to).await?,
        Objects::Rename { name, to } => rename(catalog, Parent::Distro(name), &to).await?,
        Objects::Remove { name } => remove(catalog, Parent::Distro(name)).await?,
    };
    Ok(text.into())
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

async fn find(catalog: &Catalog, args: &FindArgs) -> Result<String, CatalogFault> {
    args.check(&OWN)?;
    let objects = catalog.objects().await?;
    let mut found = Vec::new();
    for distro in objects.distros.values() {
        let own: Vec<(&str, Vec<String>)> = OWN.into_iter().zip(own_of(distro).map(|value| vec![value])).collect();
        if args.met(&own, &objects.of_distro(&distro.name)?.shown()) {
            found.push(distro);
        }
    }
    Ok(listed(found, args.json))
}

/// What it is, in the order of [`OWN`].
fn own_of(distro: &Distro) -> [String; 9] {
    [
        distro.name.clone(),
        distro.family.as_str().to_owned(),
        distro.id.clone(),
        distro.version.clone(),
        distro.codename.clone().unwrap_or_default(),
        distro.arch.clone(),
        distro.tree.to_string(),
        distro.kernel.clone(),
        distro.initrd.clone(),
    ]
}

fn listed<'a>(distros: impl IntoIterator<Item = &'a Distro>, json: bool) -> String {
    if json {
        let all: Vec<Value> = distros
            .into_iter()
            .map(|distro| {
                json!({"name": distro.name, "family": distro.family, "id": distro.id, "version": distro.version,
                    "codename": distro.codename, "arch": distro.arch, "tree": distro.tree, "kernel": distro.kernel,
                    "initrd": distro.initrd, "values": distro.values.shown()})
            })
            .collect();
        return format!("{:#}\n", Value::from(all));
    }
    let rows: Vec<Vec<String>> = distros
        .into_iter()
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
    table(&["NAME", "FAMILY", "SYSTEM", "ARCH", "TREE"], &rows)
}
