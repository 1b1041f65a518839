//! Where an image is unpacked, until it has its name: a hidden folder beside it, removed unless it is kept.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::ImageFault;

/// A folder that is being filled.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
    name: PathBuf,
    /// Held while the import runs: what lies in an unlocked folder was left by one that was killed.
    lock: File,
    done: bool,
}

impl Staging {
    /// Makes the folder; what a killed import left of the same name is removed.
    ///
    /// # Errors
    /// When there is a tree of this name, another import of it runs, or the folder cannot be made.
    pub(super) fn begin(tree_dir: &Path, name: &str) -> Result<Self, ImageFault> {
        let taken = tree_dir.join(name);
        if taken.symlink_metadata().is_ok() {
            return Err(ImageFault::Taken(taken));
        }
        let path = tree_dir.join(format!(".{name}.importing"));
        let fault = |source| ImageFault::Folder {
            path: path.clone(),
            source,
        };
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o755).create(path);
        make(tree_dir).map_err(fault)?;
        make(&path).map_err(fault)?;
        let lock = File::open(&path).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ImageFault::Busy(path)),
            Err(TryLockError::Error(source)) => return Err(fault(source)),
        }
        let staging = Self {
            name: taken,
            lock,
            done: false,
            path,
        };
        staging.empty().map_err(|source| staging.fault(source))?;
        // The umask may have closed it.
        fs::set_permissions(&staging.path, Permissions::from_mode(0o755)).map_err(|source| staging.fault(source))?;
        Ok(staging)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets everybody read what was unpacked, and removes what is neither file, folder nor link.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(super) fn make_public(&self) -> Result<(), ImageFault> {
        walk(&self.path, true).map_err(|source| self.fault(source))
    }

    /// Puts the image itself into the tree: as a second name of the same file where that can be, else as a copy.
    ///
    /// # Errors
    /// When neither can be.
    pub(super) fn keep_image(&self, image: &Path, name: &str) -> Result<(), ImageFault> {
        let to = self.path.join(name);
        if fs::hard_link(image, &to).is_ok() {
            return Ok(());
        }
        fs::copy(image, &to)
            .and_then(|_| fs::set_permissions(&to, Permissions::from_mode(0o644)))
            .map_err(|source| self.fault(source))
    }

    /// Gives the folder its name. It is still removed, unless it is entered.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(super) fn keep(mut self) -> Result<Self, ImageFault> {
        fs::rename(&self.path, &self.name).map_err(|source| self.fault(source))?;
        self.path.clone_from(&self.name);
        Ok(self)
    }

    /// The distro is in the catalog: the folder stays.
    pub(super) fn entered(mut self) -> PathBuf {
        self.done = true;
        self.name.clone()
    }

    fn fault(&self, source: io::Error) -> ImageFault {
        ImageFault::Folder {
            path: self.path.clone(),
            source,
        }
    }

    fn empty(&self) -> io::Result<()> {
        // Images have folders that nobody may write; what cannot be opened now fails below, with its name.
        let _ = walk(&self.path, false);
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Err(error) = self.empty().and_then(|()| fs::remove_dir(&self.path)) {
            tracing::warn!(path = %self.path.display(), %error, "what was unpacked could not be removed");
        }
        let _ = self.lock.unlock();
    }
}

/// Opens every folder below `root` to those who read; with `files`, the files too, and removes what is no file, folder
/// or link. A file may have a second name elsewhere, which is why they are left alone otherwise.
fn walk(root: &Path, files: bool) -> io::Result<()> {
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if !files || kind.is_symlink() {
            } else if kind.is_file() {
                let runs = entry.metadata()?.permissions().mode() & 0o111 != 0;
                let mode = if runs { 0o755 } else { 0o644 };
                fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_entered_is_removed() {
        let trees = tempfile::tempdir().unwrap();
        let fill = |staging: &Staging| {
            let closed = staging.path().join("pool");
            fs::create_dir(&closed).unwrap();
            fs::write(closed.join("a"), "a").unwrap();
            fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
        };
        let names = || fs::read_dir(trees.path()).unwrap().count();

        let staging = Staging::begin(trees.path(), "rocky9").unwrap();
        fill(&staging);
        assert!(matches!(
            Staging::begin(trees.path(), "rocky9"),
            Err(ImageFault::Busy(_))
        ));
        drop(staging);
        assert_eq!(names(), 0);

        // Killed: the folder stays, and the next import takes it over.
        fs::create_dir(trees.path().join(".rocky9.importing")).unwrap();
        fs::write(trees.path().join(".rocky9.importing/half"), "").unwrap();
        let staging = Staging::begin(trees.path(), "rocky9").unwrap();
        assert!(!staging.path().join("half").exists());
        fill(&staging);
        drop(staging.keep().unwrap());
        assert_eq!(names(), 0, "it was named, and could not be entered");

        let staging = Staging::begin(trees.path(), "rocky9").unwrap();
        fill(&staging);
        staging.make_public().unwrap();
        let kept = staging.keep().unwrap().entered();
        assert!(kept.join("pool/a").is_file());
        assert!(matches!(
            Staging::begin(trees.path(), "rocky9"),
            Err(ImageFault::Taken(_))
        ));
    }
}
