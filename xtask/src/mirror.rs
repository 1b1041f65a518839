//! `cargo xtask mirror`: Debian's installer, and a mirror with what it needs to install the lab's machines.
//!
//! Everything comes from the package source of the machine this runs on. What that source lacks of the installer's own
//! packages is made from ordinary ones. The mirror is signed with a key made for it, which the installer's initramfs
//! and the installed system are given, so that answer files need nothing that a real mirror would not need.

mod index;
mod initrd;
mod key;
mod parts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, ensure};
use clap::Args;
use muster_lab::installer::{Installer, MANIFEST};
use serde_json::json;

use crate::{
    agent,
    apt::{AptRoot, INSTALLER, Stanza},
    digest, run_command,
    setup::{self, Package},
};

use self::{index::Pool, key::Key};

/// The release that is installed.
pub(crate) const RELEASE: &str = "trixie";
/// The name by which it is offered as well, while it is the newest.
const STANDING: &str = "stable";
/// Its version, for the mirror's index.
const VERSION: &str = "13";
/// The package that holds the installer for booting by network, and the folder in it.
const NETBOOT: &str = "debian-installer-13-netboot-amd64";
const NETBOOT_FOLDER: &str = "usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64";
/// Counted up when the same lists shall give another mirror.
const RECIPE: u32 = 3;

/// What the build runs.
const NEED: &[Package] = &[
    Package::for_command("dpkg", "dpkg-deb", "unpacks and packs Debian's packages"),
    Package::for_command("gnupg", "gpg", "signs the installer's mirror"),
    Package::for_command("kmod", "depmod", "finds which kernel modules need which"),
    Package::for_command("cpio", "cpio", "looks into the installer's initramfs"),
    Package::for_command("xz-utils", "xz", "packs the mirror's index"),
];

/// Options of `cargo xtask mirror`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Build it again even when there is one from the same recipe.
    #[arg(long)]
    again: bool,
}

/// Builds the mirror and says where it is.
///
/// # Errors
/// When it cannot be built; the error says what is missing.
pub(crate) fn run(repository: &Path, options: &Options) -> anyhow::Result<()> {
    let folder = folder(repository);
    if options.again && folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    prepare(repository).map(drop)
}

/// Where the mirror is kept.
fn folder(repository: &Path) -> PathBuf {
    agent::target_folder(repository).join("installer")
}

/// The installer and its mirror, built if there is none from this recipe yet.
///
/// # Errors
/// When it cannot be built; the error says what is missing.
pub(crate) fn prepare(repository: &Path) -> anyhow::Result<Installer> {
    let folder = folder(repository);
    let recipe = Recipe::read(repository)?;
    if let Ok(installer) = Installer::open(&folder)
        && installer.manifest()["recipe"] == recipe.digest
    {
        println!("installer: {} (kept)", folder.display());
        return Ok(installer);
    }
    setup::ensure_packages(NEED)?;
    let started = Instant::now();
    let work = agent::target_folder(repository).join("image");
    fs::create_dir_all(&work)?;
    // Built beside and renamed, so that a folder with the final name is always whole.
    let staging = tempfile::Builder::new()
        .prefix("installer-")
        .tempdir_in(agent::target_folder(repository))?;
    let manifest = recipe.build(&work, staging.path())?;
    fs::write(staging.path().join(MANIFEST), format!("{manifest:#}\n"))?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(staging.keep(), &folder)?;
    println!(
        "installer: {}, built in {:.0} s",
        folder.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(Installer::open(&folder)?)
}

/// What goes into the mirror: the lists of `netboot/installer`.
struct Recipe {
    /// Groups of packages that one machine can have together.
    debs: Vec<Vec<String>>,
    /// Packages that are offered as optional ones.
    demoted: BTreeSet<String>,
    /// Parts of the installer that are left out.
    left_out: BTreeSet<String>,
    /// Parts of the installer that can be made, with their kernel modules.
    modules: BTreeMap<String, Vec<String>>,
    digest: String,
}

impl Recipe {
    fn read(repository: &Path) -> anyhow::Result<Self> {
        let folder = repository.join("netboot/installer");
        let mut all = format!("{RECIPE}\n");
        let mut list = |name: &str| -> anyhow::Result<Vec<Vec<String>>> {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            all.push_str(&text);
            Ok(words(&text))
        };
        let debs = list("debs.list")?;
        let demoted = list("demoted.list")?.concat().into_iter().collect();
        let left_out = list("udebs.list")?.concat().into_iter().collect();
        let modules = list("modules.list")?
            .into_iter()
            .filter_map(|line| Some((line.first()?.clone(), line[1..].to_vec())))
            .collect();
        Ok(Self {
            debs,
            demoted,
            left_out,
            modules,
            digest: digest(all.as_bytes()),
        })
    }

    fn build(&self, work: &Path, out: &Path) -> anyhow::Result<serde_json::Value> {
        let (main, parts) = lists(work)?;
        let (netboot, version) = main.unpack(NETBOOT)?;
        let netboot = netboot.join(NETBOOT_FOLDER);
        let kernel = initrd::kernel_release(&netboot.join("linux"))?;
        println!("installer: {NETBOOT} {version}, Linux {kernel}");

        let mirror = out.join("debian");
        let debs = self.debs(&main, &mirror, &kernel)?;
        let udebs = self.udebs(&parts, &mirror, &kernel, &netboot, &debs)?;
        let key = Key::make()?;
        let mut debs = debs;
        key.put_into_keyring(&mut debs)?;
        let counts = (debs.len(), udebs.len());
        index::write(&mirror, VERSION, RELEASE, &debs, &udebs, &self.demoted)?;
        key.sign(&mirror.join("dists").join(RELEASE))?;
        initrd::write(&netboot, &mirror.join("boot"), &key, &parts)?;
        let bytes = index::bytes_below(&mirror)?;
        println!(
            "mirror: {} packages and {} parts of the installer, {} MB",
            counts.0,
            counts.1,
            bytes >> 20
        );
        Ok(json!({
            "recipe": self.digest,
            "installer": { "package": NETBOOT, "version": version, "kernel": kernel },
            "packages": counts.0,
            "parts": counts.1,
            "bytes": bytes,
        }))
    }

    /// Fetches the ordinary packages.
    fn debs(&self, apt: &AptRoot, mirror: &Path, kernel: &str) -> anyhow::Result<Pool> {
        let stanzas = apt.stanzas()?;
        let base: Vec<&str> = stanzas
            .iter()
            .filter(|stanza| matches!(stanza.field("Priority"), Some("required" | "important")))
            .map(Stanza::package)
            .collect();
        ensure!(!base.is_empty(), "the package lists of {RELEASE} hold no base system");
        let image = format!("linux-image-{kernel}");
        let mut wanted = BTreeSet::new();
        // The kernel's own packages hold the modules that parts of the installer are made from.
        let groups = self.debs.iter().map(|group| group.iter().map(String::as_str).collect());
        let kernel_group = vec![image.as_str()];
        for group in groups.chain([kernel_group]) {
            let names: Vec<&str> = base
                .iter()
                .copied()
                .chain(group)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            wanted.extend(apt.closure(&names)?);
        }
        let packages: Vec<String> = wanted
            .iter()
            .map(|(name, version)| format!("{name}={version}"))
            .collect();
        let mut pool = Pool::new(mirror, "deb")?;
        if let Some(said) = apt.fetch(&packages, pool.folder())? {
            anyhow::bail!("the package source lacks packages of {RELEASE}: {said}");
        }
        pool.take(&stanzas)?;
        Ok(pool)
    }

    /// Fetches the installer's parts and makes those that cannot be had.
    fn udebs(&self, apt: &AptRoot, mirror: &Path, kernel: &str, netboot: &Path, debs: &Pool) -> anyhow::Result<Pool> {
        let ours = |stanza: &Stanza| {
            let name = stanza.package();
            let for_kernel = stanza.field("Kernel-Version");
            !self.left_out.contains(name) && for_kernel.is_none_or(|version| version == kernel)
        };
        let stanzas: Vec<Stanza> = apt.stanzas()?.into_iter().filter(ours).collect();
        let wanted: Vec<String> = stanzas.iter().map(|stanza| stanza.package().to_owned()).collect();
        let mut pool = Pool::new(mirror, "udeb")?;
        let said = apt.fetch(&wanted, pool.folder())?;
        pool.take(&stanzas)?;
        let missing: Vec<&Stanza> = stanzas.iter().filter(|stanza| !pool.has(stanza.package())).collect();
        if !missing.is_empty() {
            println!(
                "{} parts of the installer cannot be had from this machine's package source",
                missing.len()
            );
            let workshop = parts::Workshop::open(kernel, netboot, debs, &self.modules)?;
            let (made, lacking) = workshop.make(&missing, &mut pool)?;
            println!("  made from ordinary packages: {}", made.join(" "));
            if !lacking.is_empty() {
                println!("  left out: {}", lacking.join(" "));
            }
            ensure!(
                !made.is_empty(),
                "none of the parts could be made: {}",
                said.unwrap_or_default()
            );
        }
        Ok(pool)
    }
}

/// The lists of a release's packages and of its installer's parts, of one point release and vouched for by its signature.
/// A package source in the middle of a point release can have lists that do not fit the release by its code name any
/// more, and still those of the one before by its standing.
fn lists(work: &Path) -> anyhow::Result<(AptRoot, AptRoot)> {
    let both = |suite: &str| -> anyhow::Result<(AptRoot, AptRoot)> {
        let parts = AptRoot::open_component(work, suite, INSTALLER)?;
        let is = parts.codename()?;
        ensure!(is == RELEASE, "{suite} is {is} there, not {RELEASE}");
        Ok((AptRoot::open(work, suite)?, parts))
    };
    both(RELEASE).or_else(|by_name| {
        println!("{RELEASE} cannot be read, {STANDING} is tried: {by_name:#}");
        both(STANDING).with_context(|| {
            format!("this machine's package source does not give the lists of {RELEASE} and of its installer's parts")
        })
    })
}

/// The words of a list, line by line, without comments.
fn words(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter_map(|line| line.split('#').next())
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
        .collect()
}

/// Unpacks a package's files into a folder.
fn extract(package: &Path, folder: &Path) -> anyhow::Result<()> {
    run_command(Command::new("dpkg-deb").arg("--extract").arg(package).arg(folder)).map(drop)
}

/// Packs a folder as a package, quickly rather than small.
fn pack(folder: &Path, package: &Path) -> anyhow::Result<()> {
    run_command(
        Command::new("dpkg-deb")
            .args(["-Zgzip", "-z1", "--root-owner-group", "--build"])
            .arg(folder)
            .arg(package),
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_lists_are_read() {
        let recipe = Recipe::read(&crate::repository()).unwrap();
        assert!(recipe.debs.iter().any(|group| group.contains(&"grub-pc".to_owned())));
        let together =
            |group: &Vec<String>| group.contains(&"grub-pc".to_owned()) && group.contains(&"grub-efi-amd64".to_owned());
        assert!(!recipe.debs.iter().any(together), "they exclude each other");
        assert_eq!(recipe.modules["ext4-modules"], ["ext4"]);
        assert!(recipe.left_out.contains("kickseed-common"));
    }
}
