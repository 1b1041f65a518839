//! The key that the mirror is signed with: made for one mirror, and thrown away when that is signed.

use std::{fs, path::Path, process::Command};

use anyhow::Context;

use super::{extract, index::Pool, pack};
use crate::run_command;

/// Whom the key says it is.
const NAME: &str = "Muster lab mirror";
/// The package that tells an installed system whom to trust.
const KEYRING: &str = "debian-archive-keyring";
/// The keyring's names in it, and the folder that apt takes every key from.
const KEYRING_FILES: [&str; 2] = [
    "usr/share/keyrings/debian-archive-keyring.gpg",
    "usr/share/keyrings/debian-archive-keyring.pgp",
];
const TRUSTED: &str = "etc/apt/trusted.gpg.d";

/// A key pair in a folder of its own.
pub(super) struct Key {
    home: tempfile::TempDir,
    public: Vec<u8>,
}

impl Key {
    /// Makes a key.
    pub(super) fn make() -> anyhow::Result<Self> {
        // gpg wants it to be nobody else's.
        let home = tempfile::Builder::new().prefix("muster-key-").tempdir()?;
        let mut key = Self {
            home,
            public: Vec::new(),
        };
        run_command(
            key.gpg()
                .args(["--quick-generate-key", NAME, "ed25519", "sign", "never"]),
        )?;
        let output = key.gpg().arg("--export").output().context("gpg could not be started")?;
        key.public = output.stdout;
        anyhow::ensure!(!key.public.is_empty(), "gpg exported no key");
        Ok(key)
    }

    /// The public half, in binary form.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Signs the release of a mirror in both forms, beside it and around it.
    pub(super) fn sign(&self, dist: &Path) -> anyhow::Result<()> {
        let release = dist.join("Release");
        for (form, name) in [("--detach-sign", "Release.gpg"), ("--clear-sign", "InRelease")] {
            run_command(
                self.gpg()
                    .args(["--armor", form, "--output"])
                    .arg(dist.join(name))
                    .arg(&release),
            )?;
        }
        Ok(())
    }

    /// Adds the key to the package that tells an installed system whom to trust.
    pub(super) fn put_into_keyring(&self, debs: &mut Pool) -> anyhow::Result<()> {
        let (file, stanza) = debs.find(KEYRING)?;
        let stanza = stanza.clone();
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("root");
        extract(&file, &root)?;
        run_command(
            Command::new("dpkg-deb")
                .arg("--control")
                .arg(&file)
                .arg(root.join("DEBIAN")),
        )?;
        for name in KEYRING_FILES {
            let path = root.join(name);
            if path.is_file() && !path.is_symlink() {
                let keys = [fs::read(&path)?, self.public.clone()].concat();
                fs::write(&path, keys)?;
            }
        }
        let trusted = root.join(TRUSTED);
        fs::create_dir_all(&trusted)?;
        fs::write(trusted.join("muster-lab.gpg"), &self.public)?;
        debs.add(stanza, |package| pack(&root, package))
    }

    fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path()).args([
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        command
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // gpg leaves an agent behind, which would outlive the folder.
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .output();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_signatures_are_verified_with_the_public_half() {
        let key = Key::make().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("Release"), "Suite: stable\n").unwrap();
        fs::write(at("key.gpg"), key.public()).unwrap();
        key.sign(folder.path()).unwrap();
        let verify = |names: &[&str]| {
            let mut gpgv = Command::new("gpgv");
            gpgv.arg("--keyring")
                .arg(at("key.gpg"))
                .args(names.iter().map(|name| at(name)));
            run_command(&mut gpgv).map(drop)
        };
        verify(&["Release.gpg", "Release"]).unwrap();
        verify(&["InRelease"]).unwrap();
        fs::write(at("Release"), "Suite: another\n").unwrap();
        assert!(verify(&["Release.gpg", "Release"]).is_err());
    }
}
