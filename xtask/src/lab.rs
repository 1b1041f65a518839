//! `cargo xtask lab`: Muster and a few virtual machines with empty disks, in a network of their own.

mod cuts;
mod install;
mod stand_in;

use std::{
    collections::BTreeMap,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use muster_lab::{
    Accelerator, Firmware, LabError, Machine, Namespace, compare,
    forward::Forward,
    hardware::NicModel,
    ledger::{HostReport, Ledger},
    site::{Programs, Site},
    stop,
};

use crate::{agent, image, mirror, setup};

/// The lab's namespace: one lab at a time.
const NAMESPACE: &str = "muster-lab";
/// How long machines may take with `--once`. One takes half a minute when it is emulated on two idle processors.
const ONCE_LIMIT: Duration = Duration::from_secs(120);
/// What each further machine adds to that.
const ONCE_EACH: Duration = Duration::from_secs(60);
/// A deadline nobody waits for.
const WITHOUT_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);
/// The account that is made for the person at the page.
const ACCOUNT: &str = "lab";

/// Options of `cargo xtask lab`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Firmware of the machines: bios, uefi (its own PXE), uefi-ipxe (iPXE in the card) or uefi-http.
    #[arg(long, value_delimiter = ',', default_values = ["bios", "uefi"])]
    firmware: Vec<Firmware>,
    /// How many machines; the kinds of firmware take turns [default: one of each].
    #[arg(long)]
    count: Option<usize>,
    /// Run Muster in proxy mode beside dnsmasq, which gives out the addresses.
    #[arg(long)]
    proxy: bool,
    /// Let dnsmasq answer too, as a second DHCP server that nobody wanted.
    #[arg(long, conflicts_with = "proxy")]
    second_dhcp: bool,
    /// End when every machine has reported, with a table of what it was given and what it reported.
    #[arg(long)]
    once: bool,
    /// Install Debian on machines, one after the other: by preseed on BIOS and on UEFI, and by a kickstart on BIOS, until
    /// each runs from its own disk; then what a stand-in for Anaconda can show of RHEL's kin (bios-anaconda, and with
    /// -rhel-8, -rocky-10, -fedora-42). Or only those named, such as `uefi-preseed`.
    #[arg(long, num_args = 0.., value_name = "ROAD", conflicts_with_all = ["proxy", "second_dhcp", "count"])]
    install: Option<Vec<String>>,
    /// Cut the power of a machine in each stage of its installation, or in those named, and look at what follows.
    #[arg(long, num_args = 0.., value_name = "STAGE", conflicts_with_all = ["install", "proxy", "second_dhcp", "count"])]
    cut_power: Option<Vec<String>>,
    /// Build the server with optimisation; takes minutes longer.
    #[arg(long)]
    release: bool,
    /// Where the page is offered on this machine.
    #[arg(long, default_value = "127.0.0.1:8080")]
    page: SocketAddr,
    /// Keep the logs of the server and the machines, and a capture, in this folder.
    #[arg(long)]
    logs: Option<PathBuf>,
}

/// Runs the lab until Ctrl-C, or until all machines have reported with `--once`.
///
/// # Errors
/// When something cannot be installed, built or started, a machine does not report in time with `--once`, or what it
/// reports is not what it was given.
pub(crate) fn run(repository: &Path, options: &Options) -> anyhow::Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the lab makes network namespaces and needs root: run `sudo env PATH=\"$PATH\" cargo xtask lab`"
    );
    stop::listen();
    setup::ensure_packages(setup::LAB)?;
    if let Some(only) = &options.install {
        return install::run(repository, options.release, only, options.logs.as_deref());
    }
    if let Some(only) = &options.cut_power {
        let installer = mirror::prepare(repository)?;
        let programs = build(repository, options.release)?;
        let temporary = tempfile::tempdir()?;
        let logs = options.logs.as_deref().unwrap_or(temporary.path());
        return cuts::run(&programs, &installer, only, logs);
    }
    let programs = build(repository, options.release)?;
    let outcome = stay(&programs, options);
    match outcome {
        Err(error)
            if !options.once
                && error
                    .downcast_ref::<LabError>()
                    .is_some_and(|error| matches!(error, LabError::Interrupted)) =>
        {
            println!("\nthe lab is taken down");
            Ok(())
        }
        other => other,
    }
}

/// Builds the server and the collection image.
pub(crate) fn build(repository: &Path, release: bool) -> anyhow::Result<Programs> {
    let started = Instant::now();
    println!("building the server");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository).args(["build", "--bin", "muster"]);
    if release {
        cargo.arg("--release");
    }
    ensure!(
        cargo.status().context("cargo could not be started")?.success(),
        "the server could not be built"
    );
    println!("building the collection image");
    image::run(repository, &image::Options::default())?;
    println!("built in {:.0} s", started.elapsed().as_secs_f64());
    let profile = if release { "release" } else { "debug" };
    let out = repository.join(image::OUT);
    Ok(Programs {
        server: agent::target_folder(repository).join(profile).join("muster"),
        loaders: out.join("loaders"),
        image: out,
    })
}

fn stay(programs: &Programs, options: &Options) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let logs = options.logs.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let site = Site::open(Namespace::create(NAMESPACE)?, &logs)?;
    let _capture = options
        .logs
        .is_some()
        .then(|| site.capture("udp or arp or tcp"))
        .transpose()?;
    let _peer = (options.proxy || options.second_dhcp)
        .then(|| site.start_peer(None))
        .transpose()?;
    let (token, password) = (secret()?, secret()?);
    let mode = if options.proxy { "proxy" } else { "pool" };
    let server = site.start_server(programs, mode, &token, "")?;
    println!(
        "muster is ready in {mode} mode after {:.1} s",
        server.console().started().elapsed().as_secs_f64()
    );
    let ledger = Ledger::set_up(&site, &token, ACCOUNT, &password)?;
    let forward = Forward::start(options.page, site.server_side(), site.page())?;
    println!(
        "\n  page      http://{}/\n  sign in   name {ACCOUNT}, password {password}\n",
        forward.address()
    );
    println!("machines run by {}", Accelerator::find());

    let count = options.count.unwrap_or(options.firmware.len());
    let mut machines = Vec::new();
    for firmware in options.firmware.iter().cycle().take(count) {
        let machine = site.power_on(*firmware, NicModel::Virtio)?;
        let spec = machine.spec();
        let identity = &spec.hardware.identity;
        println!(
            "{:<4} {:<10} {} {}, serial {}",
            spec.name,
            firmware.name(),
            identity.vendor,
            identity.product,
            identity.serial
        );
        machines.push(machine);
    }
    let started = Instant::now();
    let limit = ONCE_LIMIT + ONCE_EACH * u32::try_from(count).unwrap_or(u32::MAX);
    let reports = follow(&ledger, &machines, options.once.then_some(limit))?;
    println!(
        "all {count} machines have reported, {:.1} s after the last was powered on",
        started.elapsed().as_secs_f64()
    );
    let differences = print_table(&machines, &reports);
    if options.once {
        ensure!(
            differences == 0,
            "{differences} things were reported otherwise than they were given"
        );
        return Ok(());
    }
    println!("\nthe page stays at http://{}/ until Ctrl-C", forward.address());
    stop::wait_for_request();
    bail!(LabError::Interrupted)
}

/// Prints each machine's story as it happens, until every machine has reported.
fn follow(ledger: &Ledger<'_>, machines: &[Machine], limit: Option<Duration>) -> anyhow::Result<Vec<HostReport>> {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reports = BTreeMap::new();
    let limit = limit.unwrap_or(WITHOUT_LIMIT);
    stop::wait_for(
        "every machine to report",
        limit,
        || {
            for machine in machines {
                let spec = machine.spec();
                let Some(nic) = spec.hardware.nics.first() else {
                    continue;
                };
                let story = ledger.story(&nic.mac)?;
                let seen = told.entry(&spec.name).or_default();
                for line in story.iter().skip(*seen) {
                    let seconds = machine.console().started().elapsed().as_secs_f64();
                    println!("{seconds:7.1} s  {:<4} {line}", spec.name);
                }
                *seen = story.len();
                if !reports.contains_key(&spec.name)
                    && let Some(report) = ledger.report_of(&spec.hardware)?
                {
                    reports.insert(spec.name.clone(), report);
                }
            }
            Ok((reports.len() == machines.len()).then_some(()))
        },
        || {
            machines
                .iter()
                .map(|machine| machine.console().last(5))
                .collect::<Vec<_>>()
                .join("\n--\n")
        },
    )?;
    Ok(machines
        .iter()
        .filter_map(|machine| reports.remove(&machine.spec().name))
        .collect())
}

/// Prints what each machine was given and reported; gives the number of differences.
fn print_table(machines: &[Machine], reports: &[HostReport]) -> usize {
    let mut differences = 0;
    for (machine, report) in machines.iter().zip(reports) {
        println!(
            "\n{} ({}), host {}",
            machine.spec().name,
            machine.spec().firmware.name(),
            report.id
        );
        for row in compare::rows(machine.spec(), &report.facts) {
            if row.agrees() {
                println!("  {:<13} {}", row.what, row.given);
            } else {
                differences += 1;
                let reported = row.reported.as_deref().unwrap_or("nothing");
                println!("  {:<13} given {}, BUT REPORTED {reported}", row.what, row.given);
            }
        }
    }
    differences
}

/// A word nobody can guess, for this run only.
fn secret() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 12];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
