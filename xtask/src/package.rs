//! `cargo xtask package`: the agent as a .deb and an .rpm, both of the same files, made without a network.
//!
//! The .deb is made by `dpkg-deb`, the .rpm by a library, as no distribution has the tools of both. With the same sources and
//! the same compiler the packages are the same, byte for byte: their time is that of the last commit, or `SOURCE_DATE_EPOCH`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

use crate::{agent, run_command};

const NAME: &str = "muster-agent";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The package's own number, for a change of the package alone.
const RELEASE: &str = "1";
const SUMMARY: &str = "reports facts and metrics of this machine to Muster";
const DESCRIPTION: &str = "Tells a Muster server what this machine is made of, what it measures each minute and that it is \
                           there. One static program without dependencies.";
const LICENSE: &str = "Apache-2.0";

/// The unit is the same as on machines that Muster installed, where the program is in another place.
const UNIT: &str = "templates/kickstart/snippets/agent_unit";
const INSTALLED_AS: &str = "/usr/local/sbin/muster-agent";
const PACKAGED_AS: &str = "/usr/sbin/muster-agent";

/// One file of the package.
struct Content {
    /// Where it goes, from the root.
    path: &'static str,
    mode: u16,
    bytes: Vec<u8>,
}

/// Builds the agent and both packages.
///
/// # Errors
/// When the agent cannot be built, a file of the package is missing, or a tool fails.
pub(crate) fn run(repository: &Path) -> anyhow::Result<()> {
    let program = fs::read(agent::build(repository)?)?;
    let out = agent::target_folder(repository).join("packages");
    for package in build(repository, program, &out)? {
        println!(
            "{} ({:.2} MB)",
            package.display(),
            fs::metadata(&package)?.len() as f64 / 1e6
        );
    }
    Ok(())
}

/// Packs `program` with what belongs to it; gives the packages.
fn build(repository: &Path, program: Vec<u8>, out: &Path) -> anyhow::Result<[PathBuf; 2]> {
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let files = contents(repository, program)?;
    let time = source_date(repository)?;
    Ok([deb(repository, &files, time, out)?, rpm(repository, &files, time, out)?])
}

fn contents(repository: &Path, program: Vec<u8>) -> anyhow::Result<Vec<Content>> {
    let unit = text(repository, UNIT)?;
    ensure!(unit.contains(INSTALLED_AS), "{UNIT} does not start {INSTALLED_AS}");
    let file = |path, mode, bytes| Content { path, mode, bytes };
    Ok(vec![
        file(PACKAGED_AS, 0o755, program),
        file(
            "/usr/lib/systemd/system/muster-agent.service",
            0o644,
            unit.replace(INSTALLED_AS, PACKAGED_AS).into_bytes(),
        ),
        file(
            "/usr/share/muster-agent/agent.env.example",
            0o644,
            text(repository, "packaging/agent/agent.env.example")?.into_bytes(),
        ),
        file(
            "/usr/share/doc/muster-agent/copyright",
            0o644,
            text(repository, "LICENSE")?.into_bytes(),
        ),
    ])
}

fn text(repository: &Path, path: &str) -> anyhow::Result<String> {
    fs::read_to_string(repository.join(path)).with_context(|| format!("{path} cannot be read"))
}

/// Seconds since the Unix epoch that the packages are dated.
fn source_date(repository: &Path) -> anyhow::Result<u32> {
    let told = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(told) => told,
        Err(_) => run_command(
            Command::new("git")
                .args(["log", "-1", "--format=%ct"])
                .current_dir(repository),
        )?,
    };
    let told = told.trim();
    told.parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH is `{told}`: it has to be seconds since 1970"))
}

fn deb(repository: &Path, files: &[Content], time: u32, out: &Path) -> anyhow::Result<PathBuf> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    for content in files {
        put(root, content.path.trim_start_matches('/'), content.mode, &content.bytes)?;
    }
    // For root alone, as the agent's credential is in it.
    let settings = root.join("etc/muster");
    fs::create_dir_all(&settings)?;
    let installed: u64 = files
        .iter()
        .map(|content| content.bytes.len().div_ceil(1024) as u64)
        .sum();
    let control = format!(
        "Package: {NAME}\nVersion: {VERSION}-{RELEASE}\nArchitecture: amd64\nMaintainer: Muster\nInstalled-Size: {installed}\n\
         Section: admin\nPriority: optional\nDescription: {SUMMARY}\n {DESCRIPTION}\n"
    );
    put(root, "DEBIAN/control", 0o644, control.as_bytes())?;
    for script in ["postinst", "prerm", "postrm"] {
        let text = text(repository, &format!("packaging/agent/deb/{script}"))?;
        put(root, &format!("DEBIAN/{script}"), 0o755, text.as_bytes())?;
    }
    // Whatever umask this runs under.
    for folder in [
        "",
        "DEBIAN",
        "etc",
        "usr",
        "usr/sbin",
        "usr/lib",
        "usr/lib/systemd",
        "usr/lib/systemd/system",
    ]
    .into_iter()
    .chain([
        "usr/share",
        "usr/share/muster-agent",
        "usr/share/doc",
        "usr/share/doc/muster-agent",
    ]) {
        fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o755))?;
    }
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o700))?;
    let package = out.join(format!("{NAME}_{VERSION}-{RELEASE}_amd64.deb"));
    // Debian 11 reads xz, and not what newer versions pack with.
    let mut packer = Command::new("dpkg-deb");
    packer
        .args(["--root-owner-group", "-Zxz", "--build"])
        .arg(root)
        .arg(&package);
    run_command(packer.env("SOURCE_DATE_EPOCH", time.to_string())).context("the .deb cannot be made")?;
    Ok(package)
}

fn put(root: &Path, path: &str, mode: u16, bytes: &[u8]) -> anyhow::Result<()> {
    let path = root.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(u32::from(mode)))?;
    Ok(())
}

fn rpm(repository: &Path, files: &[Content], time: u32, out: &Path) -> anyhow::Result<PathBuf> {
    // Red Hat Enterprise Linux 7 reads gzip.
    let config = BuildConfig::v4().compression(CompressionType::Gzip).source_date(time);
    let mut builder = PackageBuilder::new(NAME, VERSION, LICENSE, "x86_64", SUMMARY);
    builder
        .using_config(config)
        .release(RELEASE)
        .description(DESCRIPTION)
        .build_host("localhost")
        .post_install_script(text(repository, "packaging/agent/rpm/post")?)
        .pre_uninstall_script(text(repository, "packaging/agent/rpm/preun")?)
        .post_uninstall_script(text(repository, "packaging/agent/rpm/postun")?)
        .requires(Dependency::any("systemd"))
        .with_dir_entry(FileOptions::dir("/etc/muster").permissions(0o700))?
        .with_dir_entry(FileOptions::dir("/usr/share/muster-agent").permissions(0o755))?;
    for content in files {
        let options = FileOptions::new(content.path).permissions(content.mode);
        let options = if content.path.ends_with("/copyright") {
            options.license()
        } else {
            options
        };
        builder.with_file_contents(content.bytes.clone(), options)?;
    }
    let package = out.join(format!("{NAME}-{VERSION}-{RELEASE}.x86_64.rpm"));
    builder
        .build()
        .and_then(|built| built.write_file(&package))
        .context("the .rpm cannot be made")?;
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{repository, setup};

    const PROGRAM: &[u8] = b"#!/bin/sh\necho muster-agent\n";

    fn packages() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let [deb, rpm] = build(&repository(), PROGRAM.to_vec(), folder.path()).unwrap();
        (folder, deb, rpm)
    }

    fn command(name: &str, arguments: &[&str], package: &Path) -> String {
        run_command(Command::new(name).args(arguments).arg(package)).unwrap()
    }

    #[test]
    fn the_deb_holds_the_files_under_root_and_says_what_it_is() {
        let (_folder, deb, _) = packages();
        let info = command("dpkg-deb", &["--info"], &deb);
        for words in [
            "Package: muster-agent",
            "Architecture: amd64",
            "postinst",
            "prerm",
            "postrm",
        ] {
            assert!(info.contains(words), "{words}: {info}");
        }
        let list = command("dpkg-deb", &["--contents"], &deb);
        let has = |rights: &str, path: &str| {
            let is_it = |line: &str| line.starts_with(rights) && line.contains("root/root") && line.ends_with(path);
            assert!(list.lines().any(is_it), "{path}: {list}");
        };
        has("-rwxr-xr-x", "./usr/sbin/muster-agent");
        has("-rw-r--r--", "./usr/lib/systemd/system/muster-agent.service");
        has("-rw-r--r--", "./usr/share/muster-agent/agent.env.example");
        has("drwx------", "./etc/muster/");
        has("drwxr-xr-x", "./usr/");
    }

    #[test]
    fn the_unit_starts_the_program_where_the_package_puts_it() {
        let (folder, deb, _) = packages();
        let root = folder.path().join("root");
        run_command(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&root)).unwrap();
        let unit = fs::read_to_string(root.join("usr/lib/systemd/system/muster-agent.service")).unwrap();
        assert!(
            unit.contains("ExecStart=/usr/sbin/muster-agent serve\n") && !unit.contains("/usr/local"),
            "{unit}"
        );
        assert_eq!(fs::read(root.join("usr/sbin/muster-agent")).unwrap(), PROGRAM);
    }

    /// By dpkg itself, into a root of its own, with the package's scripts run outside of it.
    #[test]
    fn dpkg_installs_upgrades_and_purges_it() {
        if !nix::unistd::geteuid().is_root() {
            println!("left out: dpkg needs root");
            return;
        }
        let (folder, deb, _) = packages();
        let root = folder.path().join("root");
        for place in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/muster-agent"] {
            fs::create_dir_all(root.join(place)).unwrap();
        }
        fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
        let dpkg = |arguments: &[&str], last: &std::ffi::OsStr| {
            let mut root_argument = std::ffi::OsString::from("--root=");
            root_argument.push(&root);
            let mut command = Command::new("dpkg");
            command
                .arg(root_argument)
                .args(["--force-script-chrootless", "--log=/dev/null"]);
            run_command(command.args(arguments).arg(last)).unwrap()
        };
        dpkg(&["--install"], deb.as_os_str());
        dpkg(&["--install"], deb.as_os_str());
        let status = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
        assert!(
            status.contains("Package: muster-agent\nStatus: install ok installed"),
            "{status}"
        );
        fs::write(root.join("etc/muster/agent.credential"), "secret").unwrap();
        dpkg(&["--remove"], NAME.as_ref());
        assert!(!root.join("usr/sbin/muster-agent").exists() && root.join("etc/muster/agent.credential").exists());
        dpkg(&["--purge"], NAME.as_ref());
        assert!(!root.join("etc/muster").exists() && !root.join("var/lib/muster-agent").exists());
    }

    #[test]
    fn the_rpm_holds_the_same_and_is_read_by_rpm() {
        let (_folder, _, rpm) = packages();
        let read = rpm::Package::open(&rpm).unwrap();
        let files = read.metadata.get_file_entries().unwrap();
        let listed = |path: &str| files.iter().find(|file| file.path() == Path::new(path)).unwrap();
        assert_eq!(listed(PACKAGED_AS).permissions(), 0o755);
        assert_eq!(listed("/etc/muster").permissions(), 0o700);
        assert_eq!(
            listed("/usr/lib/systemd/system/muster-agent.service").permissions(),
            0o644
        );
        if !setup::on_path("rpm") {
            println!("left out: rpm is not installed");
            return;
        }
        let info = command("rpm", &["-qip"], &rpm);
        assert!(
            info.contains("Name        : muster-agent") && info.contains(SUMMARY),
            "{info}"
        );
        let list = command("rpm", &["-qlvp"], &rpm);
        assert!(
            list.contains("-rwxr-xr-x") && list.contains("/usr/sbin/muster-agent"),
            "{list}"
        );
        let scripts = command("rpm", &["-qp", "--scripts"], &rpm);
        assert!(
            scripts.contains("preset muster-agent.service") && scripts.contains("disable --now"),
            "{scripts}"
        );
        assert!(command("rpm", &["-K"], &rpm).contains("OK"));
    }

    #[test]
    fn the_same_sources_give_the_same_packages() {
        let (one, another) = (packages(), packages());
        assert!(
            fs::read(one.1).unwrap() == fs::read(another.1).unwrap(),
            "the .deb differs"
        );
        assert!(
            fs::read(one.2).unwrap() == fs::read(another.2).unwrap(),
            "the .rpm differs"
        );
    }
}
