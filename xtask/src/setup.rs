//! Packages of the machine this runs on: what is missing, why it is needed, and how it is installed.
//!
//! Only Debian's packages are installed, by apt-get. Where the machine's own sources cannot satisfy a package (a
//! backport already installed pins a newer version of a shared dependency), the same is tried with the release's
//! backports by a private apt configuration, so that the machine's own sources stay as they are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail, ensure};

/// A Debian package and why it is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    /// The package's name in Debian.
    pub(crate) name: &'static str,
    /// What it is needed for, in a few words; printed before it is installed.
    pub(crate) reason: &'static str,
    /// A command that makes the package unnecessary wherever it came from, for example `npm`.
    pub(crate) command: Option<&'static str>,
}

impl Package {
    /// A package that dpkg must know as installed.
    pub(crate) const fn new(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            reason,
            command: None,
        }
    }

    /// A package of which only a command is wanted: any installation on the search path will do.
    pub(crate) const fn for_command(name: &'static str, command: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            reason,
            command: Some(command),
        }
    }
}

/// What `cargo xtask lab` needs: virtual machines, their firmware and network, and a second DHCP server.
pub(crate) const LAB: &[Package] = &[
    Package::new("qemu-system-x86", "runs the virtual machines"),
    Package::new("ovmf", "UEFI firmware of the virtual machines"),
    Package::new("ipxe-qemu", "network boot ROMs of the virtual machines"),
    Package::new("ipxe", "boot loaders that Muster hands out"),
    Package::for_command("mtools", "mcopy", "puts systems on the disks of virtual machines"),
    Package::for_command("iproute2", "ip", "namespaces, bridges and taps"),
    Package::for_command(
        "dnsmasq-base",
        "dnsmasq",
        "the other DHCP server in proxy and second-server labs",
    ),
    Package::for_command("tcpdump", "tcpdump", "captures of what was said on the wire"),
];

/// What the tests that open pages need.
pub(crate) const BROWSER: &[Package] = &[
    Package::for_command("chromium", "chromium", "the browser that opens the pages"),
    Package::for_command("chromium-driver", "chromedriver", "drives the browser"),
];

/// How old apt's package lists may be before they are fetched again.
const LISTS_FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes sure that every package of `need` is installed, and installs what is missing.
///
/// # Errors
/// When a package is missing and this is not root, not a Debian machine, or apt-get cannot install it by either way;
/// the error says what to run or what apt said.
pub(crate) fn ensure_packages(need: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<Package> = need.iter().copied().filter(|package| !is_present(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing packages:");
    for package in &missing {
        println!("  {:<18} {}", package.name, package.reason);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !on_path("apt-get") {
        bail!(
            "this machine has no apt-get: install what these packages contain by hand: {}",
            names.join(" ")
        );
    }
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "installing needs root: run `sudo apt-get install --no-install-recommends {}`",
            names.join(" ")
        );
    }
    if !lists_are_fresh(SystemTime::now()) {
        println!("fetching the package lists (apt-get update)");
        let update = apt(None, &["update"])?;
        if !update.status.success() {
            // Old or partial lists may still do; the installation says so if they do not.
            println!("apt-get update failed: {}", last_lines(&update));
        }
    }
    install(&names)?;
    for package in &missing {
        ensure!(
            is_present(package),
            "apt-get ended well but `{}` is still missing",
            package.name
        );
    }
    Ok(())
}

/// The version of pykickstart that the shipped kickstarts are checked with.
const PYKICKSTART: &str = "pykickstart==3.78";

/// Makes sure that pykickstart is installed in a virtual environment under `target`; returns its folder of programs.
///
/// # Errors
/// When there is no Python, or pip cannot install the package; the error has what pip said last.
pub(crate) fn pykickstart(repository: &Path) -> anyhow::Result<PathBuf> {
    python_packages(
        repository,
        PYKICKSTART,
        "it reads our kickstarts as Anaconda does",
        &[&[PYKICKSTART]],
    )
}

/// Makes sure that packages of Python are in a virtual environment under `target`, named by the first of them; returns
/// its folder of programs. `installs` are the arguments of pip, one call each: what is not wanted of what a package
/// asks for is left out by a call with `--no-deps`.
///
/// # Errors
/// When there is no Python, or pip cannot install the packages; the error has what pip said last.
pub(crate) fn python_packages(
    repository: &Path,
    name: &str,
    reason: &str,
    installs: &[&[&str]],
) -> anyhow::Result<PathBuf> {
    let folder = repository.join("target").join(name.replace("==", "-"));
    let programs = folder.join("bin");
    // Written last: what was interrupted is done again.
    let mark = folder.join("installed");
    let wanted = format!("{installs:?}\n");
    if fs::read_to_string(&mark).is_ok_and(|had| had == wanted) {
        return Ok(programs);
    }
    println!("installing {name} into {}: {reason}", folder.display());
    fs::create_dir_all(&folder)?;
    let venv = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .output()
        .context("start python3")?;
    ensure!(venv.status.success(), "python3 -m venv failed: {}", last_lines(&venv));
    for packages in installs {
        let pip = Command::new(programs.join("pip"))
            .args(["install", "-q"])
            .args(*packages)
            .output()
            .context("start pip")?;
        ensure!(
            pip.status.success(),
            "pip install {} failed: {}",
            packages.join(" "),
            last_lines(&pip)
        );
    }
    fs::write(mark, wanted)?;
    Ok(programs)
}

/// Installs from the machine's own sources what can be had there, and the rest with backports.
fn install(names: &[&str]) -> anyhow::Result<()> {
    let whole = simulate(None, names)?;
    if whole.status.success() {
        return install_with(None, names);
    }
    let mut plain = Vec::new();
    let mut refused = Vec::new();
    for name in names {
        let alone = simulate(None, &[name])?;
        if alone.status.success() {
            plain.push(*name);
        } else {
            println!(
                "`{name}` cannot be installed from this machine's sources: {}",
                last_lines(&alone)
            );
            refused.push(*name);
        }
    }
    if refused.is_empty() {
        bail!(
            "apt-get cannot install {} together: {}",
            names.join(" "),
            last_lines(&whole)
        );
    }
    if !plain.is_empty() {
        install_with(None, &plain)?;
    }
    println!(
        "trying {} with the release's backports, by a private apt configuration",
        refused.join(" ")
    );
    let backports = Backports::prepare()?;
    install_with(Some(&backports), &refused)
}

/// A private apt configuration: the machine's sources and the release's backports, with package lists of its own.
struct Backports {
    folder: tempfile::TempDir,
    suite: String,
}

impl Backports {
    fn prepare() -> anyhow::Result<Self> {
        let release = os_release("VERSION_CODENAME").context("/etc/os-release names no VERSION_CODENAME")?;
        let folder = tempfile::Builder::new().prefix("muster-apt-").tempdir()?;
        // apt drops its rights to fetch, so it must be able to enter the folder.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let sources = folder.path().join("sources.list.d");
        fs::create_dir_all(&sources)?;
        fs::create_dir_all(folder.path().join("lists/partial"))?;
        let mut own = vec![PathBuf::from("/etc/apt/sources.list")];
        if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
            own.extend(entries.flatten().map(|entry| entry.path()));
        }
        let mut mirror = None;
        for path in own {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            mirror = mirror.or_else(|| mirror_of(&text, &release));
            if let Some(name) = path.file_name() {
                fs::write(sources.join(name), text)?;
            }
        }
        let (uri, keyring) = mirror.with_context(|| format!("no apt source of this machine offers {release}"))?;
        let suite = format!("{release}-backports");
        let option = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
        fs::write(
            sources.join("muster-backports.list"),
            format!("deb {option}{uri} {suite} main\n"),
        )?;
        let backports = Self { folder, suite };
        let update = apt(Some(&backports), &["update"])?;
        ensure!(
            update.status.success(),
            "apt-get update with {} failed: {}",
            backports.suite,
            last_lines(&update)
        );
        Ok(backports)
    }

    fn options(&self) -> Vec<String> {
        let folder = self.folder.path().display();
        vec![
            "-o".into(),
            "Dir::Etc::sourcelist=/dev/null".into(),
            "-o".into(),
            format!("Dir::Etc::sourceparts={folder}/sources.list.d"),
            "-o".into(),
            format!("Dir::State::lists={folder}/lists"),
            "-o".into(),
            format!("Dir::Cache::pkgcache={folder}/pkgcache.bin"),
            "-o".into(),
            format!("Dir::Cache::srcpkgcache={folder}/srcpkgcache.bin"),
        ]
    }
}

/// The address and keyring of the mirror from which this machine takes `suite`, such as `bookworm`.
pub(crate) fn mirror(suite: &str) -> Option<(String, Option<String>)> {
    let more = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    [PathBuf::from("/etc/apt/sources.list")]
        .into_iter()
        .chain(more)
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|text| mirror_of(&text, suite))
}

/// The address and keyring of the apt source in `text` that offers `release`, in either of apt's two formats.
fn mirror_of(text: &str, release: &str) -> Option<(String, Option<String>)> {
    for line in text.lines().map(str::trim) {
        let Some(rest) = line.strip_prefix("deb ") else {
            continue;
        };
        let (options, rest) = match rest
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((options, rest)) => (options, rest),
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        if let (Some(uri), Some(suite)) = (words.next(), words.next())
            && suite == release
        {
            let keyring = options
                .split_whitespace()
                .find_map(|word| word.strip_prefix("signed-by="));
            return Some((uri.to_owned(), keyring.map(str::to_owned)));
        }
    }
    for stanza in text.split("\n\n") {
        let field = |name: &str| {
            stanza
                .lines()
                .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
                .map(|(_, v)| v)
        };
        if field("Types").is_some_and(|types| types.split_whitespace().any(|kind| kind == "deb"))
            && field("Suites").is_some_and(|suites| suites.split_whitespace().any(|suite| suite == release))
            && let Some(uri) = field("URIs").and_then(|uris| uris.split_whitespace().next())
        {
            return Some((uri.to_owned(), field("Signed-By").map(|path| path.trim().to_owned())));
        }
    }
    None
}

fn simulate(backports: Option<&Backports>, names: &[&str]) -> anyhow::Result<Output> {
    let mut arguments = vec!["install", "--simulate", "-y", "--no-install-recommends"];
    arguments.extend(names);
    apt(backports, &arguments)
}

fn install_with(backports: Option<&Backports>, names: &[&str]) -> anyhow::Result<()> {
    println!("installing {}", names.join(" "));
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    if let Some(backports) = backports {
        arguments.extend(["-t", &backports.suite]);
    }
    arguments.extend(names);
    let output = apt(backports, &arguments)?;
    ensure!(
        output.status.success(),
        "apt-get install {} failed: {}",
        names.join(" "),
        last_lines(&output)
    );
    Ok(())
}

fn apt(backports: Option<&Backports>, arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new("apt-get")
        .args(backports.map(Backports::options).unwrap_or_default())
        .args(["-q", "-o", "Dpkg::Use-Pty=0"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .context("apt-get could not be started")
}

/// What apt said last, on one line: its reasons stand at the end, errors on the error stream.
fn last_lines(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join(" | ")
}

/// Whether the package, or the command it is needed for, is here.
pub(crate) fn is_present(package: &Package) -> bool {
    package.command.is_some_and(on_path) || is_installed(package.name)
}

fn is_installed(name: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}", name])
        .output()
        .is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

/// Whether a command of this name is on the search path, or in the folders of system commands that a user's search
/// path may lack.
pub(crate) fn on_path(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .any(|folder| folder.join(command).is_file())
}

fn lists_are_fresh(now: SystemTime) -> bool {
    let Ok(entries) = fs::read_dir("/var/lib/apt/lists") else {
        return false;
    };
    let newest = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
        .filter_map(|entry| newest_touch(&entry.path()))
        .max();
    newest.is_some_and(|time| now.duration_since(time).is_ok_and(|age| age < LISTS_FRESH))
}

/// When the file was last written here: apt gives lists the server's modification time, the change time is ours.
fn newest_touch(path: &Path) -> Option<SystemTime> {
    let seconds = std::os::unix::fs::MetadataExt::ctime(&fs::metadata(path).ok()?);
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// A value of `/etc/os-release`.
pub(crate) fn os_release(key: &str) -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = text
        .lines()
        .find_map(|line| line.split_once('=').filter(|(name, _)| *name == key))?
        .1;
    Some(value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mirror_in_both_formats() {
        let list = "# comment\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main\n";
        assert_eq!(
            mirror_of(list, "bookworm"),
            Some(("http://a.example/debian".to_owned(), Some("/k.gpg".to_owned())))
        );
        let deb822 = "Types: deb\nURIs: http://b.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\
                      Signed-By: /usr/share/k.gpg\n\nTypes: deb\nURIs: http://c.example/\nSuites: bookworm-security\n";
        assert_eq!(
            mirror_of(deb822, "bookworm"),
            Some((
                "http://b.example/debian".to_owned(),
                Some("/usr/share/k.gpg".to_owned())
            ))
        );
        assert_eq!(mirror_of(deb822, "trixie"), None);
    }
}
