//! Debian's installer and the mirror it installs from, as `cargo xtask mirror` builds them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::LabError;

/// The manifest's name; it is written last, so a folder that has one is whole.
pub const MANIFEST: &str = "manifest.json";

/// The installer's kernel, its initramfs and the mirror, in one folder.
#[derive(Debug, Clone)]
pub struct Installer {
    folder: PathBuf,
    manifest: Value,
}

impl Installer {
    /// Opens what was built in `folder`.
    ///
    /// # Errors
    /// When nothing was built there, or not to its end.
    pub fn open(folder: &Path) -> Result<Self, LabError> {
        let file = folder.join(MANIFEST);
        let text = fs::read_to_string(&file).map_err(LabError::io(format!("reading {}", file.display())))?;
        let manifest = serde_json::from_str(&text)
            .map_err(std::io::Error::other)
            .map_err(LabError::io(format!("reading {}", file.display())))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            manifest,
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it was built from.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// The folder that is the mirror's root: `dists` and `pool` are in it.
    pub fn mirror(&self) -> PathBuf {
        self.folder.join("debian")
    }

    /// The folder of the kernel and the initramfs, below the mirror.
    pub fn boot(&self) -> PathBuf {
        self.mirror().join("boot")
    }

    /// The kernel.
    pub fn kernel(&self) -> PathBuf {
        self.boot().join("linux")
    }

    /// The initramfs: Debian's, with the mirror's key and what makes an emulated installation shorter after it.
    pub fn initrd(&self) -> PathBuf {
        self.boot().join("initrd.gz")
    }
}
