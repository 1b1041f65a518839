//! The pool of packages and the index over it (<https://wiki.debian.org/DebianRepository/Format>).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{apt::Stanza, digest, run_command};

/// The packages of one kind, with what the index says of each.
pub(super) struct Pool {
    folder: PathBuf,
    kind: &'static str,
    entries: BTreeMap<String, Stanza>,
}

impl Pool {
    /// An empty pool for packages of this kind, which is also their ending.
    pub(super) fn new(mirror: &Path, kind: &'static str) -> anyhow::Result<Self> {
        let folder = mirror.join("pool").join(kind);
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            kind,
            entries: BTreeMap::new(),
        })
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many packages there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a package is there.
    pub(super) fn has(&self, package: &str) -> bool {
        self.entries.contains_key(package)
    }

    /// The file of a package, and what the index says of it.
    pub(super) fn find(&self, package: &str) -> anyhow::Result<(PathBuf, &Stanza)> {
        let stanza = self
            .entries
            .get(package)
            .with_context(|| format!("`{package}` is not in the mirror"))?;
        Ok((self.folder.join(self.file_name(stanza)), stanza))
    }

    /// Takes up the files that apt has fetched; `stanzas` is what the lists say of them.
    ///
    /// apt writes the colon of an epoch as `%3a`, which the installer asks for as `%253a`: epochs are left out of names.
    pub(super) fn take(&mut self, stanzas: &[Stanza]) -> anyhow::Result<()> {
        for stanza in stanzas {
            let architecture = stanza.field("Architecture").unwrap_or("all");
            let version = stanza.version().replace(':', "%3a");
            let fetched = format!("{}_{version}_{architecture}.{}", stanza.package(), self.kind);
            let fetched = self.folder.join(fetched);
            if !fetched.is_file() {
                continue;
            }
            let mut stanza = stanza.clone();
            fs::rename(&fetched, self.folder.join(self.file_name(&stanza)))?;
            self.name_file(&mut stanza);
            self.entries.insert(stanza.package().to_owned(), stanza);
        }
        Ok(())
    }

    /// Takes up a package that was made here; `pack` writes the file.
    pub(super) fn add(
        &mut self,
        mut stanza: Stanza,
        pack: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let file = self.folder.join(self.file_name(&stanza));
        pack(&file)?;
        let content = fs::read(&file)?;
        for field in ["MD5sum", "SHA1", "Description-md5", "Installed-Size"] {
            stanza.remove(field);
        }
        stanza.set("Size", &content.len().to_string());
        stanza.set("SHA256", &digest(&content));
        self.name_file(&mut stanza);
        self.entries.insert(stanza.package().to_owned(), stanza);
        Ok(())
    }

    fn file_name(&self, stanza: &Stanza) -> String {
        let version = stanza.version();
        let version = version.split_once(':').map_or(version, |(_, rest)| rest);
        // A `+` is a blank to some, a `~` a home: neither is needed to tell two files apart.
        let version = version.replace(['+', '~'], ".");
        let architecture = stanza.field("Architecture").unwrap_or("all");
        format!("{}_{version}_{architecture}.{}", stanza.package(), self.kind)
    }

    fn name_file(&self, stanza: &mut Stanza) {
        let name = format!("pool/{}/{}", self.kind, self.file_name(stanza));
        stanza.set("Filename", &name);
    }

    fn text(&self, demoted: &BTreeSet<String>) -> String {
        let mut text = String::new();
        for stanza in self.entries.values() {
            let mut stanza = stanza.clone();
            if demoted.contains(stanza.package()) {
                stanza.set("Priority", "optional");
            }
            let _ = writeln!(text, "{stanza}");
        }
        text
    }
}

/// Writes the index of a mirror, not signed yet.
pub(super) fn write(
    mirror: &Path,
    version: &str,
    codename: &str,
    debs: &Pool,
    udebs: &Pool,
    demoted: &BTreeSet<String>,
) -> anyhow::Result<()> {
    let dist = mirror.join("dists").join(codename);
    let binary = "main/binary-amd64";
    let installer = "main/debian-installer/binary-amd64";
    for (folder, pool) in [(binary, debs), (installer, udebs)] {
        let folder = dist.join(folder);
        fs::create_dir_all(&folder)?;
        let packages = folder.join("Packages");
        fs::write(&packages, pool.text(demoted))?;
        for packer in ["gzip", "xz"] {
            run_command(Command::new(packer).args(["-1", "--keep"]).arg(&packages))?;
        }
    }
    let about = format!("Origin: Debian\nLabel: Debian\nVersion: {version}\nArchitecture: amd64\n");
    let component = format!("Archive: stable\nComponent: main\n{about}");
    fs::write(dist.join(binary).join("Release"), component)?;
    let mut release = format!(
        "Origin: Debian\nLabel: Debian\nSuite: stable\nVersion: {version}\nCodename: {codename}\nDate: {}\n\
         Architectures: amd64\nComponents: main\nSHA256:\n",
        now()?
    );
    for folder in [binary, installer] {
        let mut files: Vec<PathBuf> = fs::read_dir(dist.join(folder))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        for file in files {
            let content = fs::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let _ = writeln!(release, " {} {} {folder}/{name}", digest(&content), content.len());
        }
    }
    fs::write(dist.join("Release"), release)?;
    symlink(codename, mirror.join("dists/stable"))?;
    Ok(())
}

/// The bytes of all files below a folder.
pub(super) fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += bytes_below(&entry.path())?;
        } else if kind.is_file() {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// The time as an index writes it.
fn now() -> anyhow::Result<String> {
    let mut date = Command::new("date");
    date.args(["-u", "+%a, %d %b %Y %H:%M:%S UTC"]).env("LC_ALL", "C");
    Ok(run_command(&mut date)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_without_epochs_and_escapes() {
        let mirror = tempfile::tempdir().unwrap();
        let mut pool = Pool::new(mirror.path(), "deb").unwrap();
        let stanza = Stanza::read("Package: a\nVersion: 1:2.0+b~1\nArchitecture: all\nPriority: important\n").unwrap();
        fs::write(pool.folder().join("a_1%3a2.0+b~1_all.deb"), "x").unwrap();
        pool.take(&[stanza]).unwrap();
        let (file, stanza) = pool.find("a").unwrap();
        assert_eq!(stanza.field("Filename"), Some("pool/deb/a_2.0.b.1_all.deb"));
        assert!(file.is_file());
        assert!(
            pool.text(&BTreeSet::from(["a".to_owned()]))
                .contains("Priority: optional\n")
        );
        assert!(pool.find("b").is_err());
    }
}
