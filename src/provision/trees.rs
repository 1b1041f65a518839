//! Installation trees: what installers fetch, by the name of the distribution.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use nix::fcntl::OFlag;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{Catalog, tree_folders::TreeFolders};
use crate::{desired::Tree, store::StoreError};

/// Longest path in a tree, bytes.
const LONGEST_PATH: usize = 1024;

/// Files of one tree that are looked for at once: threads that a share which hangs may hold, however often it is asked.
const AT_ONCE: usize = 16;
/// How long it may take until a file is found.
const FOUND_WITHIN: Duration = Duration::from_secs(5);

/// Why a file of a tree cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum TreeFault {
    /// The name leads nowhere in a tree, or out of it.
    #[error("there is no such file in this tree")]
    Missing,
    /// Its folder does not answer.
    #[error("the folder of this tree does not answer; ask again later")]
    Silent,
    /// It cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Which folder it is in cannot be said.
    #[error("the ledger cannot be read")]
    Ledger(#[from] StoreError),
}

/// One file of a tree, opened: what was judged is what is read, whatever takes its name meanwhile.
#[derive(Debug)]
pub struct TreeFile {
    /// The file, at its beginning.
    pub file: File,
    /// Its size.
    pub bytes: u64,
    /// Validator for HTTP, with its quotes: of size and time, as trees are too large to be read for it.
    pub etag: String,
}

/// Installation trees by the name of their distro: the folder that the catalog names, else the one of that name in
/// `boot.tree_dir`.
#[derive(Debug, Clone)]
pub struct Trees {
    folders: TreeFolders,
    catalog: Option<Catalog>,
    within: Duration,
    /// For each tree that is entered, and for `boot.tree_dir`.
    places: Arc<Mutex<HashMap<PathBuf, Arc<Semaphore>>>>,
}

impl Trees {
    /// Trees in these folders, and those that the catalog names.
    #[must_use]
    pub fn new(folders: TreeFolders, catalog: Option<Catalog>) -> Self {
        Self {
            folders,
            catalog,
            within: FOUND_WITHIN,
            places: Arc::default(),
        }
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
        let asked = entered.clone().unwrap_or_else(|| self.folders.tree_dir.clone());
        let (folders, distro, inside) = (self.folders.clone(), distro.to_owned(), inside.to_owned());
        let look = move || match entered {
            Some(folder) => {
                let public = |folder: &Path| {
                    folders.check_public(folder, &[&inside]).map_err(|fault| {
                        tracing::warn!(distro, %fault, "a tree is not served");
                        TreeFault::Missing
                    })
                };
                // A pipe or a file that is not to be served is not even opened; then what was opened is judged.
                public(&folder)?;
                let found = find_below(&folder, &inside)?;
                public(&folder)?;
                Ok(found)
            }
            // A distro's folder there may be a link to where its tree is: who may write there decides that.
            None => find_below(&folders.tree_dir.join(distro), &inside),
        };
        let found = async {
            let place = self.place(asked).await;
            let look = move || {
                // It is free when the share has answered, and not when nobody waits any more.
                let _place = place;
                look()
            };
            tokio::task::spawn_blocking(look)
                .await
                .map_err(|stopped| TreeFault::Unreadable(io::Error::other(stopped)))?
        };
        timeout(self.within, found).await.unwrap_or(Err(TreeFault::Silent))
    }

    /// A place to look for a file of a tree.
    async fn place(&self, tree: PathBuf) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            // Of those where nothing is looked for nothing is remembered.
            known.retain(|_, places| Arc::strong_count(places) > 1);
            let places = known.entry(tree).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
            Arc::clone(places)
        };
        // It is closed by nobody.
        places.acquire_owned().await.ok()
    }
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
    let file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(&path)
        .map_err(fault)?;
    let meta = file.metadata().map_err(fault)?;
    // The names above were looked up before it was opened: where it really is, the kernel says (proc(5)).
    let really = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(fault)?;
    if !meta.is_file() || !really.starts_with(&tree) {
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
        file,
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
    async fn a_share_that_hangs_holds_so_many_threads_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("rocky-9")).unwrap();
        fs::write(folder.path().join("rocky-9/vmlinuz"), "kernel").unwrap();
        let folders = TreeFolders {
            tree_dir: folder.path().to_path_buf(),
            roots: Vec::new(),
        };
        let trees = Trees::new(folders, None);
        let mut hang = Vec::new();
        for _ in 0..AT_ONCE {
            hang.push(trees.place(folder.path().to_path_buf()).await.unwrap());
        }
        let impatient = Trees {
            within: Duration::ZERO,
            ..trees.clone()
        };
        let silent = impatient.find("rocky-9", "vmlinuz").await.unwrap_err();
        assert!(matches!(silent, TreeFault::Silent), "{silent}");
        // Another tree is served meanwhile.
        assert!(trees.place(PathBuf::from("/srv/debian")).await.is_some());
        hang.pop();
        assert_eq!(trees.find("rocky-9", "vmlinuz").await.unwrap().bytes, 6);
        drop(hang);
        drop(trees.place(PathBuf::from("/srv/debian")).await);
        assert_eq!(trees.places.lock().unwrap().len(), 1, "the others are forgotten");
    }

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
        let folders = TreeFolders {
            tree_dir: at("trees"),
            roots: Vec::new(),
        };
        let trees = Trees::new(folders, None);
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
}
