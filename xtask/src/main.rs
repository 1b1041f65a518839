//! The project's own commands, run as `cargo xtask COMMAND`.

mod agent;
mod apt;
mod assets;
mod bench_dhcp;
mod cobbler;
mod fleet;
mod fuzz;
mod image;
mod lab;
mod layers;
mod mirror;
mod package;
mod postgres;
mod setup;
mod stand_in;
mod test;

use std::{
    path::{Path, PathBuf},
    process::Command as Process,
};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use sha2::{Digest, Sha256};

/// The command line of `cargo xtask`.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Muster's own commands",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// One command; each is a file beside this one.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the fuzz targets for some time each.
    Fuzz {
        /// Which; all there are when none is named.
        targets: Vec<String>,
        /// Seconds per target.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Build the agent as one static program, and put it beside the collection image for installed machines.
    Agent,
    /// Build the agent's packages, .deb and .rpm.
    Package,
    /// Renew what browsers load from the lock file in templates/web; needs node.
    Assets,
    /// Build the collection image and fetch the boot loaders.
    Image(image::Options),
    /// Build the mirror from which the lab's machines install Debian.
    Mirror(mirror::Options),
    /// Build the stand-in for Anaconda that the lab boots; needs the collection image.
    StandIn,
    /// Boot virtual machines into Muster, in a network of their own.
    Lab(lab::Options),
    /// Boot thousands of simulated machines against a server of their own.
    Fleet(fleet::FleetOptions),
    /// Show the page while simulated machines come up; no root needed.
    Demo(fleet::DemoOptions),
    /// Kill the server again and again under load, and look for what was lost.
    Chaos(fleet::ChaosOptions),
    /// Send a million datagrams of noise to a server while a good machine boots.
    Flood(fleet::FloodOptions),
    /// Measure DHCP beside Kea and dnsmasq with perfdhcp.
    BenchDhcp(bench_dhcp::Options),
    /// Compare with a real Cobbler what is in force, and how fast answer files are made.
    Cobbler(cobbler::Options),
    /// Check that uses between rooms go downwards, and what each crate depends on.
    Layers,
    /// Run every check and test.
    Test(test::Options),
    /// Install the Debian packages that building, testing and the lab need.
    Setup,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Fuzz { targets, seconds } => fuzz::run(seconds, &targets),
        Command::Agent => agent::publish(&repository(), &repository().join(image::OUT)).map(drop),
        Command::Package => package::run(&repository()),
        Command::Assets => assets::run(&repository()),
        Command::Image(options) => image::run(&repository(), &options),
        Command::Mirror(options) => mirror::run(&repository(), &options),
        Command::StandIn => stand_in::prepare(&repository()).map(drop),
        Command::Lab(options) => lab::run(&repository(), &options),
        Command::Fleet(options) => fleet::fleet(&repository(), &options),
        Command::Demo(options) => fleet::demo(&repository(), &options),
        Command::Chaos(options) => fleet::chaos(&repository(), &options),
        Command::Flood(options) => fleet::flood(&repository(), &options),
        Command::BenchDhcp(options) => bench_dhcp::run(&repository(), &options),
        Command::Cobbler(options) => cobbler::run(&repository(), &options),
        Command::Layers => layers::run(&repository()),
        Command::Test(options) => test::run(&repository(), &options),
        Command::Setup => {
            setup::ensure_packages(setup::LAB)?;
            setup::ensure_packages(setup::BROWSER)
        }
    }
}

/// The top folder of the repository.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// SHA-256 in hex.
pub(crate) fn digest(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Runs a command to its end and gives what it printed.
pub(crate) fn run_command(command: &mut Process) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("{name} could not be started"))?;
    ensure!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
