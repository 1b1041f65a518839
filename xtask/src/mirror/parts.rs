//! Parts of the installer (udebs) that the package source lacks, made from ordinary packages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use muster_agent::init::modules::ModuleIndex;

use super::{extract, index::Pool, initrd, pack};
use crate::{apt::Stanza, run_command};

/// The part that makes file systems of the ext family, and what it is made from.
const E2FSPROGS: &str = "e2fsprogs-udeb";
const E2FSPROGS_PACKAGES: [&str; 3] = ["e2fsprogs", "libext2fs2t64", "libcom-err2"];
const E2FSPROGS_NEEDS: &str = "libblkid1-udeb, libc6-udeb, libuuid1-udeb";
/// Its files, by their folder.
const E2FSPROGS_FILES: [(&str, &[&str]); 3] = [
    (
        "usr/sbin",
        &[
            "badblocks",
            "e2fsck",
            "fsck.ext2",
            "fsck.ext3",
            "fsck.ext4",
            "mke2fs",
            "mkfs.ext2",
            "mkfs.ext3",
            "mkfs.ext4",
            "resize2fs",
            "tune2fs",
        ],
    ),
    (
        "usr/lib/x86_64-linux-gnu",
        &["libcom_err.so.2", "libe2p.so.2", "libext2fs.so.2"],
    ),
    ("etc", &["mke2fs.conf"]),
];
/// Parts that others name and that no machine of the lab uses: empty ones do.
const EMPTY: [&str; 2] = ["ntfs-3g-udeb", "eject-udeb"];

/// The unpacked packages that parts are made from.
pub(super) struct Workshop<'a> {
    root: tempfile::TempDir,
    kernel: &'a str,
    modules: &'a BTreeMap<String, Vec<String>>,
    index: ModuleIndex,
    /// Modules that the installer has already, as paths below the kernel's module folder.
    inside: BTreeSet<String>,
}

impl<'a> Workshop<'a> {
    /// Unpacks what is needed; `modules` says which part holds which kernel modules.
    pub(super) fn open(
        kernel: &'a str,
        netboot: &Path,
        debs: &Pool,
        modules: &'a BTreeMap<String, Vec<String>>,
    ) -> anyhow::Result<Self> {
        let root = tempfile::tempdir()?;
        let image = format!("linux-image-{kernel}");
        for package in E2FSPROGS_PACKAGES.into_iter().chain([image.as_str()]) {
            extract(&debs.find(package)?.0, root.path())?;
        }
        let merged = root.path().join("lib");
        if !merged.exists() {
            std::os::unix::fs::symlink("usr/lib", &merged)?;
        }
        run_command(Command::new(depmod()).arg("-b").arg(root.path()).arg(kernel))?;
        let folder = root.path().join("lib/modules").join(kernel);
        let text = |name: &str| fs::read_to_string(folder.join(name)).with_context(|| format!("{name} of {kernel}"));
        let index = ModuleIndex::parse(
            &text("modules.dep")?,
            &text("modules.alias")?,
            &text("modules.softdep")?,
        );
        let mark = format!("modules/{kernel}/");
        let inside = initrd::entries(&netboot.join("initrd.gz"))?
            .into_iter()
            .filter_map(|entry| Some(entry.name.split_once(&mark)?.1.to_owned()))
            .collect();
        Ok(Self {
            root,
            kernel,
            modules,
            index,
            inside,
        })
    }

    /// Makes the parts among `missing` that can be made; gives the names of these and of the others.
    pub(super) fn make(mut self, missing: &[&Stanza], pool: &mut Pool) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let (mut made, mut lacking) = (Vec::new(), Vec::new());
        for stanza in missing {
            let name = stanza.package();
            let folder = tempfile::tempdir()?;
            let part = folder.path().join("part");
            fs::create_dir_all(part.join("DEBIAN"))?;
            let mut stanza = (*stanza).clone();
            let suffix = format!("-{}-di", self.kernel);
            let modules = name.strip_suffix(&suffix).and_then(|name| self.modules.get(name));
            let known = if let Some(modules) = modules {
                self.put_modules(modules, &part)?;
                // What a part of modules needs is found by the modules' own index.
                stanza.remove("Depends");
                true
            } else if name == E2FSPROGS {
                self.put_e2fsprogs(&part)?;
                stanza.set("Depends", E2FSPROGS_NEEDS);
                true
            } else {
                stanza.remove("Depends");
                EMPTY.contains(&name)
            };
            if !known {
                lacking.push(name.to_owned());
                continue;
            }
            fs::write(part.join("DEBIAN/control"), control(&stanza))?;
            made.push(name.to_owned());
            pool.add(stanza, |package| pack(&part, package))?;
        }
        Ok((made, lacking))
    }

    /// Puts modules, and those they need, into a part, unless the installer or an earlier part has them.
    fn put_modules(&mut self, names: &[String], part: &Path) -> anyhow::Result<()> {
        let from = self.root.path().join("lib/modules").join(self.kernel);
        let to = part.join("usr/lib/modules").join(self.kernel);
        fs::create_dir_all(&to)?;
        for insertion in names.iter().flat_map(|name| self.index.insertions(name)) {
            if self.inside.insert(insertion.path.clone()) {
                copy(&from.join(&insertion.path), &to.join(&insertion.path))?;
            }
        }
        Ok(())
    }

    fn put_e2fsprogs(&self, part: &Path) -> anyhow::Result<()> {
        for (folder, files) in E2FSPROGS_FILES {
            for file in files {
                let name = PathBuf::from(folder).join(file);
                copy(&self.root.path().join(&name), &part.join(&name))?;
            }
        }
        Ok(())
    }
}

/// Copies a file with its mode; a link becomes what it leads to.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).map(drop).with_context(|| from.display().to_string())
}

/// What a package says of itself: the index says the same and where it is.
fn control(stanza: &Stanza) -> String {
    let mut stanza = stanza.clone();
    for field in [
        "Filename",
        "Size",
        "MD5sum",
        "SHA1",
        "SHA256",
        "Description-md5",
        "Source",
    ] {
        stanza.remove(field);
    }
    stanza.to_string()
}

/// In /usr/sbin, which a user's search path may lack.
fn depmod() -> &'static str {
    let found = ["/usr/sbin/depmod", "/sbin/depmod"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    found.unwrap_or("depmod")
}
