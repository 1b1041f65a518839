//! `cargo xtask cobbler`: the same objects in a real Cobbler and in Muster.
//!
//! Cobbler is installed from `PyPI` below the target folder and runs within one process, in a mount namespace with layers
//! in memory over this machine's folders: nothing of it stays behind. What is compared is in `tests/it/cobbler`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use clap::Args;
use muster_lab::stop;

use crate::setup::{self, Package};

/// What Cobbler needs of this machine.
const NEED: &[Package] = &[
    Package::new("python3-venv", "holds Cobbler"),
    Package::new("libmagic1", "Cobbler looks at files with it"),
    Package::for_command("util-linux", "unshare", "a mount namespace for Cobbler"),
];

/// The Cobbler that is compared with.
const COBBLER: &str = "cobbler==3.3.10";

/// What it needs of what it asks for: `mod_wsgi` and python-ldap would have to be compiled, and are not used here.
const LIBRARIES: &[&str] = &[
    "CT3==3.4.0.post5",
    "distro==1.9.0",
    "dnspython==2.9.2",
    "file-magic==0.4.1",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.4",
    "netaddr==1.3.0",
    "pymongo==4.20.1",
    "PyYAML==6.0.4",
    "requests==2.34.2",
    "schema==0.7.8",
];

/// Options of `cargo xtask cobbler`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure how fast both make answer files, instead of comparing what is in force.
    #[arg(long)]
    bench: bool,
    /// Hosts that Muster renders.
    #[arg(long, default_value_t = 5000, requires = "bench")]
    hosts: u32,
    /// Hosts that Cobbler renders; its rate is what counts.
    #[arg(long, default_value_t = 300, requires = "bench")]
    cobbler_hosts: u32,
}

/// Compares, or measures.
///
/// # Errors
/// When Cobbler cannot be installed, or something differs that is not meant to.
pub(crate) fn run(repository: &Path, options: &Options) -> anyhow::Result<()> {
    stop::listen();
    setup::ensure_packages(NEED)?;
    let python = setup::python_packages(
        repository,
        COBBLER,
        "the Cobbler that Muster is compared with",
        &[&["--no-deps", COBBLER], LIBRARIES],
    )?
    .join("python");
    if options.bench {
        bench(repository, &python, options)
    } else {
        compare(repository, &python)
    }
}

/// Fills a ledger and a Cobbler with the same hosts, renders with both, and compares what came out.
fn bench(repository: &Path, python: &Path, options: &Options) -> anyhow::Result<()> {
    let built = Command::new(cargo())
        .current_dir(repository)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "muster",
            "--bin",
            "muster",
        ])
        .status()
        .context("cargo could not be started")?;
    ensure!(built.success(), "muster could not be built");
    let status = tests(repository, python)
        .args(["cobbler::bench", "--", "--ignored", "--nocapture"])
        .env("MUSTER_COBBLER_BINARY", repository.join("target/release/muster"))
        .env("MUSTER_COBBLER_HOSTS", options.hosts.to_string())
        .env("MUSTER_COBBLER_PEER_HOSTS", options.cobbler_hosts.to_string())
        .status()
        .context("cargo could not be started")?;
    ensure!(!stop::requested(), "interrupted");
    ensure!(status.success(), "both could not be measured");
    Ok(())
}

fn compare(repository: &Path, python: &Path) -> anyhow::Result<()> {
    let mut tests = tests(repository, python);
    let status = tests
        .args(["cobbler::", "--", "--nocapture", "--test-threads", "2"])
        .status()
        .context("cargo could not be started")?;
    ensure!(!stop::requested(), "interrupted");
    ensure!(status.success(), "Muster and Cobbler differ in what is not meant");
    Ok(())
}

/// The tests that are given Cobbler.
fn tests(repository: &Path, python: &Path) -> Command {
    let mut command = Command::new(cargo());
    command
        .current_dir(repository)
        .args(["test", "--quiet", "--package", "muster", "--test", "it"])
        .env("MUSTER_COBBLER", python);
    command
}

fn cargo() -> PathBuf {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()).into()
}
