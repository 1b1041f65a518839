//! Fetches packages of a Debian release without installing them, by an apt configuration of its own.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};

use crate::{run_command, setup};

/// How old package lists may be before they are fetched again.
const LISTS_FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The component that is read where no other is named.
const MAIN: &str = "main";
/// The component that the installer's own packages (udebs) are in.
pub(crate) const INSTALLER: &str = "main/debian-installer";

/// The package lists and files of one release, below the build folder; the machine's own apt stays as it is.
pub(crate) struct AptRoot {
    folder: PathBuf,
}

impl AptRoot {
    /// Opens the release's lists, from the mirrors this machine uses for its own release.
    pub(crate) fn open(work: &Path, suite: &str) -> anyhow::Result<Self> {
        Self::open_component(work, suite, MAIN)
    }

    /// The same for one component, such as [`INSTALLER`]. Each has lists of its own: the installer's packages say that
    /// they provide what ordinary ones are named.
    pub(crate) fn open_component(work: &Path, suite: &str, component: &str) -> anyhow::Result<Self> {
        let name = match component {
            MAIN => format!("apt-{suite}"),
            other => format!("apt-{suite}-{}", other.replace('/', "-")),
        };
        let folder = work.join(name);
        for part in ["lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let sources = sources(suite, component)?;
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

    /// The code name in the release file that the lists were verified by.
    pub(crate) fn codename(&self) -> anyhow::Result<String> {
        let lists = self.folder.join("lists");
        let release = fs::read_dir(&lists)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("Release"))
            .with_context(|| format!("{} holds no release file", lists.display()))?;
        fs::read_to_string(&release)?
            .lines()
            .find_map(|line| line.strip_prefix("Codename: "))
            .map(|name| name.trim().to_owned())
            .with_context(|| format!("{} names no code name", release.display()))
    }

    /// The package that `meta` depends on and whose name starts with `prefix`.
    pub(crate) fn dependency(&self, meta: &str, prefix: &str) -> anyhow::Result<String> {
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
    pub(crate) fn unpack(&self, package: &str) -> anyhow::Result<(PathBuf, String)> {
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

    /// What the lists say of each package, of the version that would be installed.
    pub(crate) fn stanzas(&self) -> anyhow::Result<Vec<Stanza>> {
        let text = run_command(self.apt("apt-cache").arg("dumpavail"))?;
        Ok(text.split("\n\n").filter_map(Stanza::read).collect())
    }

    /// The packages, with their versions, that apt would install for these on an empty machine, without what is only
    /// recommended.
    pub(crate) fn closure(&self, names: &[&str]) -> anyhow::Result<Vec<(String, String)>> {
        let text = run_command(
            self.apt("apt-get")
                .args(["install", "--simulate", "-y", "--no-install-recommends"])
                .args(names),
        )?;
        // Inst NAME (VERSION SOURCES [ARCHITECTURE])
        let packages = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
            Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
        });
        Ok(packages.collect())
    }

    /// Fetches packages, each as `NAME` or `NAME=VERSION`, into a folder; gives what apt said when some cannot be had.
    pub(crate) fn fetch(&self, packages: &[String], folder: &Path) -> anyhow::Result<Option<String>> {
        let output = self
            .apt("apt-get")
            .arg("download")
            .args(packages)
            .current_dir(folder)
            .output()
            .context("apt-get could not be started")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok((!output.status.success()).then_some(said))
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

/// What a release's lists say of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stanza {
    /// Fields in their order; a field of several lines holds them as they are.
    fields: Vec<(String, String)>,
}

impl Stanza {
    /// Reads a stanza; `None` when it names no package.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                let (_, value) = fields.last_mut()?;
                value.push('\n');
                value.push_str(line);
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        let stanza = Self { fields };
        stanza.field("Package").is_some().then_some(stanza)
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The package's name.
    pub(crate) fn package(&self) -> &str {
        self.field("Package").unwrap_or_default()
    }

    /// The package's version.
    pub(crate) fn version(&self) -> &str {
        self.field("Version").unwrap_or_default()
    }

    /// Sets a field, in its place where it is there already.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Takes a field out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.fields.retain(|(known, _)| known != name);
    }
}

impl fmt::Display for Stanza {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.fields {
            writeln!(formatter, "{name}: {value}")?;
        }
        Ok(())
    }
}

/// Sources of `suite` at the mirrors of this machine: the release and its security updates. The installer is the
/// release's own: updates of its parts are for kernels that it does not have.
fn sources(suite: &str, component: &str) -> anyhow::Result<String> {
    let release = setup::os_release("VERSION_CODENAME").context("/etc/os-release names no VERSION_CODENAME")?;
    let main = setup::mirror(&release)
        .with_context(|| format!("no apt source of this machine offers {release}; the image is built on Debian"))?;
    let mut text = line(&main, suite, component);
    let security = setup::mirror(&format!("{release}-security")).filter(|_| component != INSTALLER);
    if let Some(security) = security {
        text.push_str(&line(&security, &format!("{suite}-security"), component));
    }
    Ok(text)
}

fn line((uri, keyring): &(String, Option<String>), suite: &str, component: &str) -> String {
    let option = keyring
        .as_ref()
        .map(|path| format!("[signed-by={path}] "))
        .unwrap_or_default();
    format!("deb {option}{uri} {suite} {component}\n")
}

fn is_fresh(stamp: &Path) -> bool {
    let written = fs::metadata(stamp).and_then(|meta| meta.modified());
    written.is_ok_and(|time| {
        SystemTime::now()
            .duration_since(time)
            .is_ok_and(|age| age < LISTS_FRESH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_keep_their_fields_and_lines() {
        let text = "Package: apt\nVersion: 3.0\nConffiles:\n /etc/a 1\n /etc/b 2\nSize: 7\n";
        let mut stanza = Stanza::read(text).unwrap();
        assert_eq!((stanza.package(), stanza.version()), ("apt", "3.0"));
        assert_eq!(stanza.to_string(), text.replace("Conffiles:\n", "Conffiles: \n"));
        stanza.set("Size", "8");
        stanza.set("Filename", "pool/apt.deb");
        stanza.remove("Conffiles");
        assert_eq!(
            stanza.to_string(),
            "Package: apt\nVersion: 3.0\nSize: 8\nFilename: pool/apt.deb\n"
        );
        assert_eq!(Stanza::read("Size: 7\n"), None);
    }
}
