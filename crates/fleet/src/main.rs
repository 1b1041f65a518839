//! `muster-fleet`: a fleet of simulated machines against a running server.

use std::{net::SocketAddrV4, process::ExitCode, time::Duration};

use clap::Parser;
use muster_fleet::{Fault, Firmware, Fleet, FleetPlan, Mix};

/// Boots simulated machines against a Muster server and says what became of them.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How many machines.
    #[arg(long, default_value_t = 200)]
    count: u32,
    /// The same seed is the same fleet.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The server's DHCP address.
    #[arg(long, default_value = "127.0.0.1:67")]
    server: SocketAddrV4,
    /// The server's TFTP port.
    #[arg(long, default_value_t = 69)]
    tftp_port: u16,
    /// Address of the relay they stand behind; its IP must lie in one of the server's subnets.
    #[arg(long, default_value = "127.0.0.1:0")]
    relay: SocketAddrV4,
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
    /// Parts of each trouble: none, doubles, loses, garbage, junk-identity, returns, swaps-nic, bad-reports.
    #[arg(long, default_value = "none=1")]
    faults: Mix<Fault>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .init();
    let args = Args::parse();
    let fleet = Fleet::new(FleetPlan {
        count: args.count,
        seed: args.seed,
        relay: args.relay,
        server: args.server,
        tftp_port: args.tftp_port,
        spread: Duration::try_from_secs_f64(args.spread)?,
        at_once: args.at_once,
        whole_image: args.whole_image,
        firmware: args.firmware,
        faults: args.faults,
    })?;
    let (mut ended, count) = (0, args.count);
    let summary = fleet
        .run(|_| {
            ended += 1;
            if ended % 100 == 0 {
                eprintln!("{ended} of {count}");
            }
        })
        .await;
    println!("{summary}");
    Ok(if summary.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
