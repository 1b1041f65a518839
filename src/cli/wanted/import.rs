//! `muster distro import`.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::ACTOR;
use crate::{
    app,
    cli::Failure,
    config::Settings,
    desired::recognise::{Arch, Choice},
    provision::{
        Catalog,
        import::{ImportAsked, Imported, import_tree},
    },
};

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// The folder of a tree, which is served from where it is; or an .iso, which is unpacked into `boot.tree_dir`.
    from: PathBuf,
    /// The distro's name.
    #[arg(long)]
    name: String,
    /// Where the same tree is served by somebody else; then Muster does not serve it.
    #[arg(long)]
    url: Option<String>,
    /// Of a tree for several processors: `x86_64` or `aarch64`.
    #[arg(long)]
    arch: Option<Arch>,
    /// Of a mirror with several releases: e.g. bookworm.
    #[arg(long)]
    codename: Option<String>,
}

pub(super) async fn import(catalog: &Catalog, settings: &Settings, args: ImportArgs) -> Result<String, Failure> {
    let asked = ImportAsked {
        from: args.from,
        name: args.name,
        url: args.url,
        choice: Choice {
            arch: args.arch,
            codename: args.codename,
        },
        folders: app::tree_folders(settings),
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(app::AppError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(app::AppError::Signals)?;
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let imported = import_tree(catalog, &asked, ACTOR, app::now(), stop).await?;
    Ok(told(&imported))
}

/// What was found and why, file by file.
fn told(imported: &Imported) -> String {
    let (distro, found) = (&imported.distro, &imported.recognised);
    let width = found.reasons.iter().map(|reason| reason.file.len()).max().unwrap_or(0);
    let mut text = String::new();
    // Writing to a String cannot fail.
    for reason in &found.reasons {
        let _ = writeln!(text, "{:<width$}  {}", reason.file, reason.says);
    }
    let codename = distro
        .codename
        .as_deref()
        .map_or_else(String::new, |name| format!(" ({name})"));
    let _ = writeln!(
        text,
        "made distro {}: {} {}{codename} for {}, family {}",
        distro.name,
        distro.id,
        distro.version,
        distro.arch,
        distro.family.as_str()
    );
    let _ = writeln!(text, "kernel {}\ninitrd {}", distro.kernel, distro.initrd);
    let _ = match (&imported.unpacked, &distro.tree) {
        (Some(folder), _) => writeln!(
            text,
            "unpacked into {}, served as /boot/tree/{}",
            folder.display(),
            distro.name
        ),
        (None, crate::desired::Tree::Path(folder)) => {
            writeln!(text, "{folder} is served as /boot/tree/{}", distro.name)
        }
        (None, crate::desired::Tree::Url(url)) => writeln!(text, "the tree is fetched from {url}"),
    };
    for caution in &found.cautions {
        let _ = writeln!(text, "note: {caution}");
    }
    text
}
