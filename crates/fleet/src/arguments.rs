//! The command line.

use std::{
    net::{SocketAddr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use muster_fleet::{
    Fault, Firmware, FleetPlan, Mix,
    trial::{SitePlan, chaos::ChaosPlan, flood::FloodPlan, load::LoadPlan},
};

/// Simulated machines that boot by real DHCP, TFTP and HTTP.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot machines against a running server and say what became of them.
    Boot(Boot),
    /// Boot machines against a server of their own and say what it cost.
    Load(Load),
    /// Show a server while machines come up.
    Demo(Demo),
    /// Kill a server again and again under load, and look for what was lost.
    Chaos(Chaos),
    /// Send noise to every port of a server while a good machine boots.
    Flood(Flood),
}

/// The machines.
#[derive(Debug, Args)]
pub(crate) struct FleetArguments {
    /// How many machines.
    #[arg(long, default_value_t = 200)]
    pub(crate) count: u32,
    /// The same seed is the same fleet.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds over which they are powered on.
    #[arg(long, default_value_t = 10.0)]
    spread: f64,
    /// Most machines on their way at once.
    #[arg(long, default_value_t = 1000)]
    at_once: usize,
    /// Fetch kernel and initramfs whole instead of asking for their headers.
    #[arg(long)]
    whole_image: bool,
    /// Parts of each firmware: ipxe, bios, uefi, uefi-http, arm64.
    #[arg(long, default_value = "ipxe=2,bios=2,uefi=5,uefi-http=1")]
    firmware: Mix<Firmware>,
    /// Parts of each trouble: none, doubles, loses, garbage, junk-identity, returns, swaps-nic, bad-reports, loops,
    /// no-http, stalls.
    #[arg(long, default_value = "none=1")]
    faults: Mix<Fault>,
}

impl FleetArguments {
    pub(crate) fn plan(&self) -> anyhow::Result<LoadPlan> {
        Ok(LoadPlan {
            count: self.count,
            seed: self.seed,
            spread: Duration::try_from_secs_f64(self.spread)?,
            at_once: self.at_once,
            whole_image: self.whole_image,
            firmware: self.firmware.clone(),
            faults: self.faults.clone(),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Boot {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    /// The server's DHCP address.
    #[arg(long, default_value = "127.0.0.1:67")]
    server: SocketAddrV4,
    /// The server's TFTP port.
    #[arg(long, default_value_t = 69)]
    tftp_port: u16,
    /// Address of the relay they stand behind; its IP must lie in one of the server's subnets.
    #[arg(long, default_value = "127.0.0.1:0")]
    relay: SocketAddrV4,
}

impl Boot {
    pub(crate) fn plan(&self) -> anyhow::Result<FleetPlan> {
        let plan = self.fleet.plan()?;
        Ok(FleetPlan {
            count: plan.count,
            seed: plan.seed,
            relay: self.relay,
            server: self.server,
            tftp_port: self.tftp_port,
            spread: plan.spread,
            at_once: plan.at_once,
            whole_image: plan.whole_image,
            firmware: plan.firmware,
            faults: plan.faults,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The server's program.
    #[arg(long)]
    pub(crate) muster: PathBuf,
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    /// Folder with vmlinuz, initrd and loaders [default: made-up files].
    #[arg(long)]
    image: Option<PathBuf>,
    /// The server's database [default: SQLite in a temporary folder].
    #[arg(long)]
    database_url: Option<String>,
    /// The server's log filter.
    #[arg(long, default_value = "warn")]
    log: String,
}

impl Load {
    pub(crate) fn site(&self) -> SitePlan {
        SitePlan {
            database_url: self.database_url.clone(),
            image: self.image.clone(),
            log: self.log.clone(),
            ..SitePlan::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The server's program.
    #[arg(long)]
    pub(crate) muster: PathBuf,
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    /// Where the page is.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) page: SocketAddr,
    /// End when every machine has reported or stopped.
    #[arg(long)]
    pub(crate) once: bool,
    /// The server's log filter.
    #[arg(long, default_value = "warn")]
    pub(crate) log: String,
}

#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// The server's program.
    #[arg(long)]
    pub(crate) muster: PathBuf,
    /// How often the server is killed.
    #[arg(long, default_value_t = 100)]
    pub(crate) rounds: u32,
    /// Machines on their way at once.
    #[arg(long, default_value_t = 200)]
    at_once: u32,
    /// The longest time from the server's start to its end, seconds.
    #[arg(long, default_value_t = 4.0)]
    longest: f64,
    /// The same seed kills at the same moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The server's database [default: SQLite in a temporary folder].
    #[arg(long)]
    database_url: Option<String>,
}

impl Chaos {
    pub(crate) fn plan(&self) -> anyhow::Result<ChaosPlan> {
        Ok(ChaosPlan {
            rounds: self.rounds,
            at_once: self.at_once,
            longest: Duration::try_from_secs_f64(self.longest)?,
            seed: self.seed,
            database_url: self.database_url.clone(),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Flood {
    /// The server's program.
    #[arg(long)]
    pub(crate) muster: PathBuf,
    /// Datagrams in all.
    #[arg(long, default_value_t = 1_000_000)]
    datagrams: u64,
    /// Datagrams a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Malformed HTTP requests.
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
    /// The same seed is the same noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Flood {
    pub(crate) fn plan(&self) -> FloodPlan {
        FloodPlan {
            datagrams: self.datagrams,
            rate: self.rate,
            requests: self.requests,
            seed: self.seed,
        }
    }
}
