//! Installation trees: what installers fetch, by the name of the distribution.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::Catalog;
use crate::{desired::Tree, store::StoreError};

/// Longest path in a tree, bytes.
const LONGEST_PATH: usize = 1024;

/// Why a file of a tree cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum TreeFault {
    /// The name leads nowhere in a tree, or out of it.
    #[error("there is no such file in this tree")]
    Missing,
    /// It cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Which folder it is in cannot be said.
    #[error("the ledger cannot be read")]
    Ledger(#[from] StoreError),
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Where it is, without links.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Validator for HTTP, with its quotes: of size and time, as trees are too large to be read for it.
    pub etag: String,
}

/// Why a folder is not served as a distro's tree.
#[derive(Debug, thiserror::Error)]
pub enum NotPublic {
    /// It holds the trees of all distros, and much else.
    #[error("tree = `{}`: boot.tree_dir lies in it, so it is no tree; give the folder of one distro", .0.display())]
    TooMuch(PathBuf),
    /// Not everybody on this server may read it.
    #[error(
        "tree = `{}`: {} is not open to everybody on this server, and what is served as a tree is public; run \
         `chmod o+rX` on it, or put the tree below boot.tree_dir",
        tree.display(),
        closed.display()
    )]
    Closed {
        /// The tree.
        tree: PathBuf,
        /// What is closed.
        closed: PathBuf,
    },
}

/// Installation trees by the name of their distro: the folder that the catalog names, else the one of that name in
/// `boot.tree_dir`.
#[derive(Debug, Clone)]
pub struct Trees {
    root: PathBuf,
    catalog: Option<Catalog>,
}

impl Trees {
    /// Trees below this folder, and those that the catalog names.
    #[must_use]
    pub const fn new(root: PathBuf, catalog: Option<Catalog>) -> Self {
        Self { root, catalog }
    }

    /// Finds a file. Nothing outside the distro's folder is given, whatever the name or the links in the tree say.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be read.
    pub async fn find(&self, distro: &str, inside: &str) -> Result<TreeFile, TreeFault> {
        let one = Path::new(distro).components().count() == 1 && !distro.starts_with('.');
        if !one || !plain(distro) || !plain(inside) {
            return Err(TreeFault::Missing);
        }
        let entered = match &self.catalog {
            Some(catalog) => match catalog.objects().await?.distros.get(distro).map(|distro| &distro.tree) {
                Some(Tree::Path(folder)) => Some(PathBuf::from(folder)),
                Some(Tree::Url(_)) | None => None,
            },
            None => None,
        };
        let (root, distro, inside) = (self.root.clone(), distro.to_owned(), inside.to_owned());
        tokio::task::spawn_blocking(move || match entered {
            Some(folder) => {
                check_public(&folder, &root, &[&inside]).map_err(|fault| {
                    tracing::warn!(distro, %fault, "a tree is not served");
                    TreeFault::Missing
                })?;
                find_below(&folder, &inside)
            }
            // A distro's folder there may be a link to where its tree is: who may write there decides that.
            None => find_below(&root.join(distro), &inside),
        })
        .await
        .map_err(|stopped| TreeFault::Unreadable(io::Error::other(stopped)))?
    }
}

/// Whether a folder that was entered as a tree may be served: a name in the catalog must not open files to the network
/// that are closed to the users of this server. What lies in `tree_dir` is there to be served.
///
/// # Errors
/// [`NotPublic`] with what stands against it.
pub fn check_public(folder: &Path, tree_dir: &Path, files: &[&str]) -> Result<(), NotPublic> {
    let tree = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let trees = tree_dir.canonicalize().unwrap_or_else(|_| tree_dir.to_path_buf());
    if trees.starts_with(&tree) {
        return Err(NotPublic::TooMuch(tree));
    }
    if tree.starts_with(&trees) {
        return Ok(());
    }
    for file in files {
        let Ok(path) = tree.join(file).canonicalize() else {
            continue;
        };
        for part in path.ancestors() {
            let needed = if part == path { 0o004 } else { 0o001 };
            let open = fs::metadata(part).is_ok_and(|meta| meta.permissions().mode() & needed != 0);
            if !open {
                return Err(NotPublic::Closed {
                    closed: part.to_path_buf(),
                    tree,
                });
            }
        }
    }
    Ok(())
}

fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_PATH
        && !name.contains('\0')
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

fn find_below(folder: &Path, inside: &str) -> Result<TreeFile, TreeFault> {
    let tree = folder.canonicalize().map_err(fault)?;
    let path = tree.join(inside).canonicalize().map_err(fault)?;
    if !path.starts_with(&tree) {
        return Err(TreeFault::Missing);
    }
    let meta = fs::metadata(&path).map_err(fault)?;
    if !meta.is_file() {
        return Err(TreeFault::Missing);
    }
    let changed = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    Ok(TreeFile {
        bytes: meta.len(),
        etag: format!("\"{:x}-{changed:x}\"", meta.len()),
        path,
    })
}

fn fault(error: io::Error) -> TreeFault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TreeFault::Missing,
        _ => TreeFault::Unreadable(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn nothing_outside_a_tree_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("trees/rocky-9/images")).unwrap();
        fs::create_dir_all(at("mnt/debian")).unwrap();
        for file in [
            "trees/rocky-9/images/vmlinuz",
            "mnt/debian/linux",
            "secret",
            "trees/secret",
        ] {
            fs::write(at(file), file).unwrap();
        }
        symlink(at("mnt/debian"), at("trees/debian-13")).unwrap();
        symlink(at("secret"), at("trees/rocky-9/link")).unwrap();
        let trees = Trees::new(at("trees"), None);
        assert_eq!(trees.find("rocky-9", "images/vmlinuz").await.unwrap().bytes, 28);
        assert!(trees.find("debian-13", "linux").await.is_ok());
        for (distro, inside) in [
            ("rocky-9", "../secret"),
            ("rocky-9", "link"),
            ("rocky-9", "/etc/hostname"),
            ("rocky-9", "images/../../secret"),
            ("rocky-9", "images"),
            ("rocky-9", ""),
            ("..", "secret"),
            (".", "secret"),
            ("", "secret"),
            ("rocky-9/images", "vmlinuz"),
            ("rocky-9", "images/vmlinuz\0"),
        ] {
            assert!(trees.find(distro, inside).await.is_err(), "{distro} {inside}");
        }
    }

    #[test]
    fn what_is_closed_on_the_server_is_not_opened_by_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mode = |name: &str, mode| fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        fs::create_dir_all(at("data/trees/own")).unwrap();
        fs::create_dir_all(at("mnt")).unwrap();
        fs::write(at("mnt/linux"), "").unwrap();
        mode("", 0o755);
        mode("mnt", 0o755);
        mode("mnt/linux", 0o644);
        let check = |tree: &str| check_public(&at(tree), &at("data/trees"), &["linux"]);
        assert!(check("mnt").is_ok());
        assert!(check("data/trees/own").is_ok());
        assert!(matches!(check("data"), Err(NotPublic::TooMuch(_))));
        assert!(matches!(check(""), Err(NotPublic::TooMuch(_))));
        mode("mnt/linux", 0o640);
        assert!(matches!(check("mnt"), Err(NotPublic::Closed { .. })));
        mode("mnt/linux", 0o644);
        mode("mnt", 0o750);
        assert!(matches!(check("mnt"), Err(NotPublic::Closed { .. })));
    }
}
