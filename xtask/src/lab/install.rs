//! `cargo xtask lab --install`: machines that install Debian by themselves, one after the other, until each runs from its
//! own disk.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::ensure;
use muster_lab::{
    Accelerator, Firmware, Namespace,
    install::{self, CommandLine, InstallSeen, Road},
    installer::Installer,
    ledger::Ledger,
    site::{Programs, Site},
};

use super::{ACCOUNT, NAMESPACE, secret};

/// How long one installation may take, emulated on two processors with nothing beside it: three times what it does.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What is installed, in this order.
const RUNS: [(Firmware, Road); 3] = [
    (Firmware::Bios, Road::Preseed),
    (Firmware::Uefi, Road::Preseed),
    (Firmware::Bios, Road::Kickstart),
];

/// Installs a machine by each road, or by those that `only` names, such as `uefi-preseed`.
///
/// # Errors
/// When an installation does not end, or a machine is not as it was planned.
pub(super) fn run(
    programs: &Programs,
    installer: &Installer,
    only: &[String],
    logs: Option<&PathBuf>,
) -> anyhow::Result<()> {
    println!("machines run by {}", Accelerator::find());
    let mut rows = Vec::new();
    for (firmware, road) in RUNS {
        let name = format!("{}-{}", firmware.name(), road.name());
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let temporary = tempfile::tempdir()?;
        let folder = logs.map_or_else(|| temporary.path().to_path_buf(), |logs| logs.join(&name));
        println!("\n{name}");
        let seen = one(programs, installer, firmware, road, &folder)?;
        rows.push((name, seen));
    }
    ensure!(
        !rows.is_empty(),
        "there is no such road: bios-preseed, uefi-preseed, bios-kickstart"
    );
    println!("\n{:<16} {:>8}  result", "road", "seconds");
    for (name, seen) in &rows {
        let seconds = seen.stages.last().map_or(0.0, |stage| stage.seconds);
        println!("{name:<16} {seconds:>8.0}  {}", seen.reason);
    }
    for (name, seen) in &rows {
        ensure!(seen.outcome == "done", "{name} ended {}: {}", seen.outcome, seen.reason);
        ensure!(
            seen.differences.is_empty(),
            "{name} is not as planned: {}",
            seen.differences.join(", ")
        );
    }
    Ok(())
}

/// One machine, from power-on to its own disk.
fn one(
    programs: &Programs,
    installer: &Installer,
    firmware: Firmware,
    road: Road,
    logs: &Path,
) -> anyhow::Result<InstallSeen> {
    let site = Site::open(Namespace::create(NAMESPACE)?, logs)?;
    install::link_tree(&site.trees(), installer)?;
    let (token, password) = (secret()?, secret()?);
    let server = site.start_server(programs, "pool", &token, install::SETTINGS)?;
    let ledger = Ledger::set_up(&site, &token, ACCOUNT, &password)?;
    let command_line = CommandLine::new(programs, &site);
    install::enter(&command_line, installer, road)?;
    let machine = site.power_on_as(install::machine(&site, firmware))?;
    let host = install::wait_for_report(&ledger, &machine)?;
    println!(
        "{:7.1} s  the machine waits in the collection image",
        machine.console().started().elapsed().as_secs_f64()
    );
    install::assign(&command_line, &machine.spec().hardware, &machine.spec().name)?;
    let started = Instant::now();
    let id = install::start(&ledger, &host)?;
    let seen = install::follow(&ledger, &id, &machine, &server, LIMIT, |stage| {
        println!("{:7.1} s  {}", stage.seconds, stage.stage);
    })?;
    println!(
        "{:7.1} s  {}: {}",
        started.elapsed().as_secs_f64(),
        seen.outcome,
        seen.reason
    );
    for difference in &seen.differences {
        println!("           not as planned: {difference}");
    }
    Ok(seen)
}
