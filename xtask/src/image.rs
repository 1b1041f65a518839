//! `cargo xtask image`: the collection image (kernel and initramfs), the agent for installed machines, and the boot
//! loaders.
//!
//! Kernel and loaders are Debian's own, fetched by apt and only unpacked, never installed. What goes
//! into the initramfs is the agent, the modules of `netboot/modules.list` and nothing else.

mod initramfs;
mod loaders;
mod modules;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    agent,
    apt::AptRoot,
    digest,
    setup::{self, Package},
};

/// Kernel and initramfs together, in bytes: a hundred machines load them at once.
const LIMIT: u64 = 25 * 1000 * 1000;

/// Where the image and the loaders go, seen from the repository.
pub(crate) const OUT: &str = "netboot/out";

/// What the build runs.
const NEED: &[Package] = &[
    Package::for_command("kmod", "depmod", "writes the index of the image's kernel modules"),
    Package::for_command("dpkg", "dpkg-deb", "unpacks Debian's packages"),
    Package::for_command(
        "xz-utils",
        "xz",
        "unpacks kernel modules that the package holds compressed",
    ),
];

/// Which kernel of Debian's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// For real servers and virtual machines.
    Full,
    /// For virtual machines only (no AHCI, no Intel cards): starts faster.
    Cloud,
}

impl Kernel {
    fn meta_package(self) -> &'static str {
        match self {
            Self::Full => "linux-image-amd64",
            Self::Cloud => "linux-image-cloud-amd64",
        }
    }
}

/// Options of `cargo xtask image`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which kernel.
    #[arg(long, value_enum, default_value_t = Kernel::Full)]
    kernel: Kernel,
    /// Where vmlinuz, initrd and loaders/ go.
    #[arg(long, default_value = OUT)]
    out: PathBuf,
    /// A folder that is added as /lib/firmware, for cards whose driver needs files from non-free-firmware.
    #[arg(long)]
    firmware: Option<PathBuf>,
    /// Only the loaders.
    #[arg(long)]
    loaders_only: bool,
}

impl Default for Options {
    /// What the command does without options.
    fn default() -> Self {
        Self {
            kernel: Kernel::Full,
            out: PathBuf::from(OUT),
            firmware: None,
            loaders_only: false,
        }
    }
}

/// Builds everything into the output folder.
///
/// # Errors
/// When a package cannot be fetched, a driver is missing, or the image is too large; the error says what to do.
pub(crate) fn run(repository: &Path, options: &Options) -> anyhow::Result<()> {
    setup::ensure_packages(NEED)?;
    let started = Instant::now();
    let out = repository.join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let work = agent::target_folder(repository).join("image");
    let release = setup::os_release("VERSION_CODENAME").context("/etc/os-release names no VERSION_CODENAME")?;

    let mut manifest = if options.loaders_only {
        json!({})
    } else {
        image(repository, options, &out, &work, &release)?
    };
    manifest["loaders"] = loaders::collect(&work, &release, &out.join("loaders"))?;
    if !options.loaders_only {
        let text = serde_json::to_string_pretty(&manifest)?;
        fs::write(out.join("manifest.json"), text + "\n")?;
    }
    println!("done in {:.0} s: {}", started.elapsed().as_secs_f64(), out.display());
    Ok(())
}

fn image(repository: &Path, options: &Options, out: &Path, work: &Path, release: &str) -> anyhow::Result<Value> {
    let agent = agent::publish(repository, out)?;
    let apt = AptRoot::open(work, release)?;
    let package = apt.dependency(options.kernel.meta_package(), "linux-image-")?;
    let (kernel, version) = apt.unpack(&package)?;
    println!("kernel: {package} {version}");
    let list = fs::read_to_string(repository.join("netboot/modules.list")).context("netboot/modules.list")?;
    let staging = tempfile::tempdir_in(work)?;
    let chosen = modules::stage(&kernel, staging.path(), &list, options.kernel == Kernel::Cloud)?;
    println!("modules: {} files, {:.1} MB", chosen.files, chosen.bytes as f64 / 1e6);

    let firmware = options.firmware.as_deref().map(|folder| repository.join(folder));
    let archive = initramfs::write(&agent, &staging.path().join("lib/modules"), firmware.as_deref())?;
    let packed = initramfs::compress(&archive)?;
    let vmlinuz = fs::read(kernel.join("boot").join(format!("vmlinuz-{}", chosen.release)))
        .with_context(|| format!("{package} holds no kernel"))?;
    for (name, content) in [("vmlinuz", &vmlinuz), ("initrd", &packed)] {
        fs::write(out.join(name), content)
            .with_context(|| format!("{} cannot be written", out.join(name).display()))?;
        println!("{name}: {:.2} MB", content.len() as f64 / 1e6);
    }
    let total = (vmlinuz.len() + packed.len()) as u64;
    println!(
        "together: {:.2} MB (initramfs unpacked: {:.1} MB)",
        total as f64 / 1e6,
        archive.len() as f64 / 1e6
    );
    if firmware.is_none() {
        ensure!(
            total <= LIMIT,
            "kernel and initramfs have {total} bytes, more than {LIMIT}: take modules out of netboot/modules.list"
        );
    }
    let program = fs::read(&agent)?;
    Ok(json!({
        "agent": { "file": agent::PUBLISHED, "bytes": program.len(), "sha256": digest(&program) },
        "kernel": { "package": package, "version": version, "release": chosen.release },
        "modules": chosen.files,
        "vmlinuz": { "bytes": vmlinuz.len(), "sha256": digest(&vmlinuz) },
        "initrd": { "bytes": packed.len(), "sha256": digest(&packed) },
    }))
}
