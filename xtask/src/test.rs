//! `cargo xtask test`: everything a change has to pass, in the order of the time it takes.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, ensure};
use clap::Args;
use muster_lab::stop;

use crate::{
    image, layers, mirror,
    postgres::Postgres,
    setup::{self, Package},
    stand_in,
};

/// What the tests need beside the lab's packages.
const NEED: &[Package] = &[
    Package::new(
        "postgresql",
        "the ledger's tests run on PostgreSQL as well as on SQLite",
    ),
    Package::for_command("tftp-hpa", "tftp", "a TFTP client that is not ours"),
    Package::for_command("curl", "curl", "a TFTP and HTTP client that is not ours"),
    Package::for_command("cpio", "cpio", "reads the archives we write"),
    Package::new(
        "python3-venv",
        "holds pykickstart, which reads our kickstarts as Anaconda does",
    ),
    Package::for_command("debconf", "debconf-set-selections", "checks our preseed files"),
    Package::for_command("rpm", "rpm", "reads the package of the agent that we build"),
    Package::for_command("gnupg", "gpg", "signs the index of a mirror"),
    Package::for_command("gpgv", "gpgv", "verifies what was signed"),
    Package::for_command(
        "ansible-core",
        "ansible",
        "reads our inventory and reaches what it names",
    ),
    Package::for_command("openssh-server", "sshd", "is reached by Ansible"),
    Package::for_command(
        "prometheus",
        "promtool",
        "checks our metrics, and scrapes what our discovery names",
    ),
    Package::for_command("bind9-utils", "named-checkzone", "checks our zones"),
];

/// The test that installs Debian, which needs a mirror of it.
const INSTALLATION: &str = "install::debian_installs_by_preseed";

/// Options of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out the tests that boot virtual machines and open a browser.
    #[arg(long)]
    quick: bool,
}

/// Runs all checks and tests of `repository`.
///
/// # Errors
/// At the first step that fails; what failed has been printed by the step.
pub(crate) fn run(repository: &Path, options: &Options) -> anyhow::Result<()> {
    stop::listen();
    let with_machines = !options.quick && nix::unistd::geteuid().is_root();
    setup::ensure_packages(NEED)?;
    if with_machines {
        setup::ensure_packages(setup::LAB)?;
        setup::ensure_packages(setup::BROWSER)?;
    }
    // A browser needs no root once it is there.
    let with_browser = !options.quick && setup::BROWSER.iter().all(setup::is_present);
    step(repository, "format", cargo(&["fmt", "--all", "--check"]))?;
    layers::run(repository)?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "e2e",
        "--",
        "-D",
        "warnings",
    ];
    step(repository, "lints", cargo(&lints))?;
    let postgres = Postgres::start()?;
    let mut tests = test_runner(&["--workspace"]);
    tests.env("MUSTER_TEST_POSTGRES", postgres.url());
    let pykickstart = setup::pykickstart(repository)?;
    tests.env("MUSTER_PYKICKSTART", pykickstart.join("python"));
    tests.env("KSVALIDATOR", pykickstart.join("ksvalidator"));
    step(repository, "tests", tests)?;
    if with_browser {
        let pages = test_runner(&["--workspace", "--features", "e2e", "--test", "browser"]);
        step(repository, "tests with a browser", pages)?;
    } else if !options.quick {
        println!("the tests with a browser were left out: `cargo xtask setup` installs it");
    }
    if !with_machines {
        let why = if options.quick {
            "--quick was given"
        } else {
            "they need root"
        };
        println!("the tests with machines were left out: {why}");
        return Ok(());
    }
    image::run(repository, &image::Options::default())?;
    // The whole workspace again: with one package alone, features of dependencies differ and half of them are built anew.
    let mut machines = test_runner(&["--workspace", "--features", "e2e", "--test", "e2e"]);
    machines.env("LAB_STAND_IN", stand_in::prepare(repository)?);
    machines.env("LAB_KSVALIDATOR", pykickstart.join("ksvalidator"));
    let mut left_out: Vec<&str> = Vec::new();
    match mirror::prepare(repository) {
        Ok(installer) => {
            machines.env("LAB_INSTALLER", installer.folder());
        }
        Err(error) => {
            println!("NOT RUN: {INSTALLATION}: the installer's mirror cannot be built here: {error:#}");
            left_out = vec!["--skip", INSTALLATION];
        }
    }
    if setup::on_path("cargo-nextest") {
        machines.arg("--").args(left_out);
    } else {
        // nextest has this in its settings: machines are measured against deadlines.
        machines.args(["--", "--test-threads", "2"]).args(left_out);
    }
    step(repository, "tests with machines", machines)
}

/// `cargo nextest` where it is installed, else `cargo test`; both end with a summary of their own.
fn test_runner(arguments: &[&str]) -> Command {
    let runner: &[&str] = if setup::on_path("cargo-nextest") {
        &["nextest", "run"]
    } else {
        &["test"]
    };
    cargo(&[runner, arguments].concat())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn step(repository: &Path, name: &str, mut command: Command) -> anyhow::Result<()> {
    println!("== {name}");
    let started = Instant::now();
    let status = command
        .current_dir(repository)
        .status()
        .with_context(|| format!("{name} could not be started"))?;
    ensure!(!stop::requested(), "interrupted");
    ensure!(
        status.success(),
        "{name} failed after {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
