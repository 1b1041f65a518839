//! A tree is looked at, recognised, and entered as a distro.
//!
//! A folder stays where it is and is served from there. An image is unpacked below `boot.tree_dir`; it is not mounted,
//! because a mount needs root and is gone after the next start of the server.

mod folder;
mod image;
mod staging;

pub use folder::FolderView;
pub use image::ImageFault;

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::{Catalog, CatalogFault, tree_folders::TreeFolders};
use crate::desired::{
    Distro, Family, Fault, Tree, Values, check_name,
    recognise::{Choice, INSTALLER_IMAGE, NotRecognised, Recognised, recognise},
};
use staging::Staging;

/// What is imported.
#[derive(Debug, Clone)]
pub struct ImportAsked {
    /// A folder, or an image.
    pub from: PathBuf,
    /// The distro's name.
    pub name: String,
    /// Where the same tree is served by somebody else; none when Muster serves it.
    pub url: Option<String>,
    /// Where the tree holds several systems.
    pub choice: Choice,
    /// Where trees may lie; images are unpacked into `boot.tree_dir`.
    pub folders: TreeFolders,
}

/// A distro that was entered.
#[derive(Debug, Clone)]
pub struct Imported {
    /// As it is in the catalog.
    pub distro: Distro,
    /// What it was recognised by.
    pub recognised: Recognised,
    /// Where an image was unpacked to and stays.
    pub unpacked: Option<PathBuf>,
}

/// Why nothing is imported. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// It cannot be looked at.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// What was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is neither a folder nor an image.
    #[error("{} is neither a folder nor an ISO 9660 image; give the folder of the tree, or its .iso", .0.display())]
    NeitherKind(PathBuf),
    /// It is no tree that can be installed.
    #[error("{}: {fault}", path.display())]
    NotRecognised {
        /// What was given.
        path: PathBuf,
        /// Why.
        fault: NotRecognised,
    },
    /// The image cannot be unpacked.
    #[error(transparent)]
    Image(#[from] ImageFault),
    /// It cannot be entered.
    #[error(transparent)]
    Catalog(#[from] CatalogFault),
    /// The work was stopped.
    #[error("stopped; nothing was imported and nothing is left behind")]
    Stopped,
}

impl From<Fault> for ImportFault {
    fn from(fault: Fault) -> Self {
        Self::Catalog(fault.into())
    }
}

/// Looks at a tree, recognises it and enters it as a distro. `stop` ends an import that unpacks.
///
/// # Errors
/// [`ImportFault`]; then nothing is entered, and what was unpacked is removed.
pub async fn import_tree(
    catalog: &Catalog,
    asked: &ImportAsked,
    actor: &str,
    now: DateTime<Utc>,
    stop: impl Future<Output = ()>,
) -> Result<Imported, ImportFault> {
    check_name(&asked.name)?;
    catalog.unused_distro(&asked.name).await?;
    let from = asked.from.canonicalize().map_err(|source| ImportFault::Unreadable {
        path: asked.from.clone(),
        source,
    })?;
    if from.is_dir() {
        let recognised = look(&from, asked)?;
        let distro = distro(asked, &recognised, &from);
        if asked.url.is_none() {
            asked.folders.check(&distro)?;
        }
        catalog.add_distro(distro.clone(), actor, now).await?;
        return Ok(Imported {
            distro,
            recognised,
            unpacked: None,
        });
    }
    let image = image::is_image(&from).map_err(|source| ImportFault::Unreadable {
        path: from.clone(),
        source,
    })?;
    if !image {
        return Err(ImportFault::NeitherKind(asked.from.clone()));
    }
    from_image(catalog, asked, &from, actor, now, stop).await
}

async fn from_image(
    catalog: &Catalog,
    asked: &ImportAsked,
    image: &Path,
    actor: &str,
    now: DateTime<Utc>,
    stop: impl Future<Output = ()>,
) -> Result<Imported, ImportFault> {
    let staging = Staging::begin(&asked.folders.tree_dir, &asked.name)?;
    image::unpack(image, staging.path(), stop).await?;
    staging.make_public()?;
    let mut recognised = look(staging.path(), asked)?;
    if asked.url.is_some() {
        // It was unpacked to be looked at.
        let distro = distro(asked, &recognised, staging.path());
        catalog.add_distro(distro.clone(), actor, now).await?;
        return Ok(Imported {
            distro,
            recognised,
            unpacked: None,
        });
    }
    if recognised.family == Family::Ubuntu {
        staging.keep_image(image, INSTALLER_IMAGE)?;
        recognised = look(staging.path(), asked)?;
    }
    let kept = staging.keep()?;
    let distro = distro(asked, &recognised, kept.path());
    catalog.add_distro(distro.clone(), actor, now).await?;
    Ok(Imported {
        distro,
        recognised,
        unpacked: Some(kept.entered()),
    })
}

fn look(root: &Path, asked: &ImportAsked) -> Result<Recognised, ImportFault> {
    let mut found = recognise(&FolderView::new(root), &asked.choice).map_err(|fault| ImportFault::NotRecognised {
        path: asked.from.clone(),
        fault,
    })?;
    if found.on_mirror.is_some() {
        found.cautions.push(match &asked.url {
            Some(url) => format!("kernel and initrd are those of the mirror {url}, where the packages are"),
            None => {
                "this folder has the installer and no packages: give the mirror they come from with --url, e.g. --url \
                     http://deb.debian.org/debian"
                    .to_owned()
            }
        });
    }
    Ok(found)
}

fn distro(asked: &ImportAsked, found: &Recognised, folder: &Path) -> Distro {
    let here = (found.kernel.clone(), found.initrd.clone());
    let (tree, (kernel, initrd)) = match &asked.url {
        // The installer alone is of no use without the packages: a mirror has both.
        Some(url) => (Tree::Url(url.clone()), found.on_mirror.clone().unwrap_or(here)),
        None => (Tree::Path(folder.to_string_lossy().into_owned()), here),
    };
    Distro {
        name: asked.name.clone(),
        family: found.family,
        id: found.id.clone(),
        version: found.version.clone(),
        codename: found.codename.clone(),
        arch: found.arch.as_str().to_owned(),
        tree,
        kernel,
        initrd,
        values: Values::default(),
    }
}
