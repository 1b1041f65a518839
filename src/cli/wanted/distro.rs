use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ACTOR, FindArgs, Objects, copy, fields::Fields, import::ImportArgs, remove, rename, report};
use crate::{
    app,
    cli::table::table,
    desired::{Distro, Family, Fault, Parent, Tree},
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

pub(super) async fn distro(catalog: &Catalog, command: Objects<DistroArgs>) -> Result<String, CatalogFault> {
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
            Ok(listed(objects.distros.values(), json))
        }
        Objects::Find(args) => find(catalog, &args).await,
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

async fn find(catalog: &Catalog, args: &FindArgs) -> Result<String, CatalogFault> {
    args.check(&OWN)?;
    let objects = catalog.objects().await?;
    let mut found = Vec::new();
    for distro in objects.distros.values() {
        let values = [
            distro.name.clone(),
            distro.family.as_str().to_owned(),
            distro.id.clone(),
            distro.version.clone(),
            distro.codename.clone().unwrap_or_default(),
            distro.arch.clone(),
            distro.tree.to_string(),
            distro.kernel.clone(),
            distro.initrd.clone(),
        ];
        let own: Vec<(&str, Vec<String>)> = OWN.into_iter().zip(values.map(|value| vec![value])).collect();
        if args.met(&own, &objects.of_distro(&distro.name)?.shown()) {
            found.push(distro);
        }
    }
    Ok(listed(found, args.json))
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
