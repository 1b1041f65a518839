//! `cargo xtask fleet`, `demo`, `chaos` and `flood`: the server and simulated machines are built, and `muster-fleet`
//! runs its trial with them. No root is needed: everything is on loopback, on free ports, in a temporary folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::{agent, image, postgres::Postgres};

/// Options of `cargo xtask fleet`.
#[derive(Debug, Args)]
pub(crate) struct FleetOptions {
    /// How many machines.
    #[arg(long, default_value_t = 2000)]
    count: u32,
    /// Build with optimisation, for figures that count; takes minutes longer.
    #[arg(long)]
    release: bool,
    /// Keep the ledger in a PostgreSQL of its own (with durability switched off) instead of SQLite.
    #[arg(long)]
    postgres: bool,
    /// Instead of booting: so many installed machines whose agents report once a minute, against a server of their own.
    #[arg(long)]
    agents: Option<u32>,
    /// For how long agents report, seconds.
    #[arg(long, default_value_t = 180)]
    seconds: u32,
    /// Hand out the collection image and loaders that `cargo xtask image` has built, whole.
    #[arg(long)]
    image: bool,
    /// More for `muster-fleet load`: --firmware ipxe=1,uefi=3 --faults none=8,returns=1 --spread 5 …
    #[arg(last = true)]
    more: Vec<String>,
    /// Parts of each firmware: ipxe, bios, uefi, uefi-http, arm64.
    #[arg(long)]
    firmware: Option<String>,
    /// Parts of each trouble: none, doubles, loses, garbage, junk-identity, returns, swaps-nic, bad-reports, ….
    #[arg(long)]
    faults: Option<String>,
}

/// Options of `cargo xtask demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// How many machines.
    #[arg(long, default_value_t = 200)]
    count: u32,
    /// Seconds over which they are powered on.
    #[arg(long, default_value_t = 75.0)]
    spread: f64,
    /// Where the page is.
    #[arg(long, default_value = "127.0.0.1:8080")]
    page: String,
    /// Build with optimisation; takes minutes longer.
    #[arg(long)]
    release: bool,
    /// End when every machine has reported or stopped.
    #[arg(long)]
    once: bool,
}

/// Options of `cargo xtask chaos`.
#[derive(Debug, Args)]
pub(crate) struct ChaosOptions {
    /// How often the server is killed.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// The same seed kills at the same moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build with optimisation.
    #[arg(long)]
    release: bool,
}

/// Options of `cargo xtask flood`.
#[derive(Debug, Args)]
pub(crate) struct FloodOptions {
    /// Datagrams in all.
    #[arg(long, default_value_t = 1_000_000)]
    datagrams: u64,
    /// Datagrams a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// The same seed is the same noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build with optimisation.
    #[arg(long)]
    release: bool,
}

/// Troubles of the demonstration, in parts.
const DEMO_FAULTS: &str = "none=30,returns=2,swaps-nic=1,junk-identity=2,loses=1,doubles=1,bad-reports=1,loops=1,\
                           no-http=1,stalls=1";
/// Firmware of the demonstration, in parts; there is no loader for arm64.
const DEMO_FIRMWARE: &str = "ipxe=3,bios=4,uefi=9,uefi-http=2,arm64=1";

/// Boots a fleet and compares the ledger with it.
///
/// # Errors
/// When something cannot be built or started, or a machine is lost, doubled or wrong.
pub(crate) fn fleet(repository: &Path, options: &FleetOptions) -> anyhow::Result<()> {
    if let Some(agents) = options.agents {
        return report(repository, agents, options);
    }
    let programs = Programs::build(repository, options.release)?;
    let postgres = options.postgres.then(Postgres::start).transpose()?;
    let mut trial = programs.trial("load");
    trial.args(["--count", &options.count.to_string()]);
    if let Some(postgres) = &postgres {
        println!("on PostgreSQL without durability: its figures are no measure of a disk");
        trial.args(["--database-url", &postgres.url()]);
    }
    if options.image {
        let out = repository.join(image::OUT);
        ensure!(
            out.join("vmlinuz").exists() && out.join("loaders").exists(),
            "{} holds no image: run `cargo xtask image` first",
            out.display()
        );
        trial.arg("--image").arg(out).arg("--whole-image");
    }
    for (name, value) in [("--firmware", &options.firmware), ("--faults", &options.faults)] {
        if let Some(value) = value {
            trial.args([name, value]);
        }
    }
    trial.args(&options.more);
    run(trial)
}

/// Lets agents report. Their hosts and credentials are entered in the ledger before the server starts, which only the
/// server's own crate can do: the trial is a measurement among its tests.
fn report(repository: &Path, agents: u32, options: &FleetOptions) -> anyhow::Result<()> {
    let postgres = options.postgres.then(Postgres::start).transpose()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(repository)
        .args(["test", "--package", "muster", "--test", "it"]);
    if options.release {
        cargo.arg("--release");
    }
    cargo.args(["--", "measure_agents_that_report", "--ignored", "--nocapture"]);
    cargo.env("MUSTER_AGENTS", agents.to_string());
    cargo.env("MUSTER_SECONDS", options.seconds.to_string());
    if let Some(postgres) = &postgres {
        println!("on PostgreSQL without durability: its figures are no measure of a disk");
        cargo.env("MUSTER_AGENTS_DATABASE", postgres.url());
    }
    run(cargo)
}

/// Shows a server while machines come up.
///
/// # Errors
/// When something cannot be built or started.
pub(crate) fn demo(repository: &Path, options: &DemoOptions) -> anyhow::Result<()> {
    let mut trial = Programs::build(repository, options.release)?.trial("demo");
    trial.args(["--count", &options.count.to_string()]);
    trial.args(["--spread", &options.spread.to_string(), "--page", &options.page]);
    trial.args(["--faults", DEMO_FAULTS, "--firmware", DEMO_FIRMWARE]);
    if options.once {
        trial.arg("--once");
    }
    run(trial)
}

/// Kills the server again and again.
///
/// # Errors
/// When something cannot be built or started, or something acknowledged was lost or given twice.
pub(crate) fn chaos(repository: &Path, options: &ChaosOptions) -> anyhow::Result<()> {
    let mut trial = Programs::build(repository, options.release)?.trial("chaos");
    trial.args(["--rounds", &options.rounds.to_string()]);
    trial.args(["--seed", &options.seed.to_string()]);
    run(trial)
}

/// Sends noise.
///
/// # Errors
/// When something cannot be built or started, a good machine is not served, or memory grows.
pub(crate) fn flood(repository: &Path, options: &FloodOptions) -> anyhow::Result<()> {
    let mut trial = Programs::build(repository, options.release)?.trial("flood");
    trial.args(["--datagrams", &options.datagrams.to_string()]);
    trial.args(["--rate", &options.rate.to_string()]);
    trial.args(["--seed", &options.seed.to_string()]);
    run(trial)
}

/// The server and the simulated machines.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The server.
    pub(crate) muster: PathBuf,
    fleet: PathBuf,
}

impl Programs {
    /// Builds both.
    ///
    /// # Errors
    /// When cargo fails.
    pub(crate) fn build(repository: &Path, release: bool) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(repository);
        cargo.args(["build", "--package", "muster", "--package", "muster-fleet", "--bins"]);
        if release {
            cargo.arg("--release");
        }
        let status = cargo.status().context("cargo could not be started")?;
        ensure!(status.success(), "the server and the fleet could not be built");
        println!("built in {:.0} s", started.elapsed().as_secs_f64());
        let folder = agent::target_folder(repository).join(if release { "release" } else { "debug" });
        Ok(Self {
            muster: folder.join("muster"),
            fleet: folder.join("muster-fleet"),
        })
    }

    fn trial(&self, name: &str) -> Command {
        let mut command = Command::new(&self.fleet);
        command.arg(name).arg("--muster").arg(&self.muster);
        command
    }
}

/// Runs a trial; Ctrl-C reaches it as well as this program, and it ends its server first.
fn run(mut trial: Command) -> anyhow::Result<()> {
    muster_lab::stop::listen();
    let status = trial.status().context("muster-fleet could not be started")?;
    if status.success() || muster_lab::stop::requested() {
        return Ok(());
    }
    bail!("the trial failed: what it found stands above")
}
