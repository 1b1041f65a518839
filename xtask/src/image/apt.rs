//! Fetches packages of a Debian release without installing them, by an apt configuration of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};

use super::run_command;
use crate::setup;

/// How old package lists may be before they are fetched again.
const LISTS_FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The package lists and files of one release, below the build folder; the machine's own apt stays as it is.
pub(super) struct AptRoot {
    folder: PathBuf,
}

impl AptRoot {
    /// Opens the release's lists, from the mirrors this machine uses for its own release.
    pub(super) fn open(work: &Path, suite: &str) -> anyhow::Result<Self> {
        let folder = work.join(format!("apt-{suite}"));
        for part in ["lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let sources = sources(suite)?;
        let list = folder.join("sources.list");
        let stamp = folder.join("fetched");
        let known = fs::read_to_string(&list).unwrap_or_default() == sources;
        fs::write(&list, sources)?;
        let root = Self { folder };
        if !(known && is_fresh(&stamp)) {
            println!("fetching the package lists of {suite}");
            run_command(root.apt("apt-get").arg("update"))?;
            fs::write(&stamp, "")?;
        }
        Ok(root)
    }

    /// The package that `meta` depends on and whose name starts with `prefix`.
    pub(super) fn dependency(&self, meta: &str, prefix: &str) -> anyhow::Result<String> {
        let text = run_command(self.apt("apt-cache").args(["depends", "--important", meta]))?;
        let found = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|name| name.starts_with(prefix));
        found
            .map(str::to_owned)
            .with_context(|| format!("{meta} depends on no package named {prefix}…"))
    }

    /// Fetches a package and unpacks it; gives the folder and the package's version. What is there already is kept.
    pub(super) fn unpack(&self, package: &str) -> anyhow::Result<(PathBuf, String)> {
        let policy = run_command(self.apt("apt-cache").args(["policy", package]))?;
        let version = policy
            .lines()
            .find_map(|line| line.trim().strip_prefix("Candidate: "))
            .unwrap_or("(none)");
        if version == "(none)" {
            bail!("the release has no package `{package}`");
        }
        let name = format!("{package}_{}", version.replace(['/', ':'], "_"));
        let unpacked = self.folder.join("packages").join(&name);
        if unpacked.is_dir() {
            return Ok((unpacked, version.to_owned()));
        }
        let fetched = tempfile::tempdir_in(&self.folder)?;
        run_command(
            self.apt("apt-get")
                .args(["download", package])
                .current_dir(fetched.path()),
        )?;
        let file = fs::read_dir(fetched.path())?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "deb"))
            .with_context(|| format!("apt-get download {package} left no file"))?;
        // Unpacked beside and renamed, so that a folder with the final name is always whole.
        let partial = fetched.path().join("root");
        run_command(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&partial))?;
        fs::rename(&partial, &unpacked)?;
        Ok((unpacked, version.to_owned()))
    }

    fn apt(&self, program: &str) -> Command {
        let folder = self.folder.display();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={folder}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("Dir::State::lists={folder}/lists"),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache={folder}/cache"),
            // Nothing is installed, so hooks of the machine's own apt have nothing to do.
            "APT::Update::Post-Invoke-Success::=true".to_owned(),
            // Files go into the build folder, which apt's own user may not enter.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "APT::Architecture=amd64".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.env("LC_ALL", "C.UTF-8");
        command
    }
}

/// Sources of `suite` at the mirrors of this machine: the release and its security updates.
fn sources(suite: &str) -> anyhow::Result<String> {
    let release = setup::os_release("VERSION_CODENAME").context("/etc/os-release names no VERSION_CODENAME")?;
    let main = setup::mirror(&release)
        .with_context(|| format!("no apt source of this machine offers {release}; the image is built on Debian"))?;
    let mut text = line(&main, suite);
    if let Some(security) = setup::mirror(&format!("{release}-security")) {
        text.push_str(&line(&security, &format!("{suite}-security")));
    }
    Ok(text)
}

fn line((uri, keyring): &(String, Option<String>), suite: &str) -> String {
    let option = keyring
        .as_ref()
        .map(|path| format!("[signed-by={path}] "))
        .unwrap_or_default();
    format!("deb {option}{uri} {suite} main\n")
}

fn is_fresh(stamp: &Path) -> bool {
    let written = fs::metadata(stamp).and_then(|meta| meta.modified());
    written.is_ok_and(|time| {
        SystemTime::now()
            .duration_since(time)
            .is_ok_and(|age| age < LISTS_FRESH)
    })
}
