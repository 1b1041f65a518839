//! `cargo xtask lab --install …-anaconda`: what Muster does for RHEL's kin, seen with the stand-in for Anaconda.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use muster_lab::{
    Namespace,
    install::{self, CommandLine},
    ledger::Ledger,
    site::{Programs, Site},
    stand_in::{self, RELEASES, Release, STAGES},
};

use super::{ACCOUNT, NAMESPACE, secret};

/// How long the stand-in may take from its request to its restart, and the machine from there to its disk.
const LIMIT: Duration = Duration::from_secs(5 * 60);
/// How long lines that were sent may take to be in the ledger.
const SETTLE: Duration = Duration::from_secs(10);

/// The roads: their names on the command line.
pub(super) fn roads() -> impl Iterator<Item = (String, &'static Release)> {
    RELEASES.iter().enumerate().map(|(number, release)| {
        let name = match number {
            0 => "bios-anaconda".to_owned(),
            _ => format!("bios-anaconda-{}", release.name),
        };
        (name, release)
    })
}

/// One machine, from power-on to the system on its disk; gives the seconds from the request to the restart.
///
/// # Errors
/// When a stage is missing, the kickstart has a fault, or the machine does not come to its disk.
pub(super) fn one(
    programs: &Programs,
    trees: &Path,
    ksvalidator: &Path,
    release: &Release,
    logs: &Path,
) -> anyhow::Result<f64> {
    let site = Site::open(Namespace::create(NAMESPACE)?, logs)?;
    let (token, password) = (secret()?, secret()?);
    let capture = site.capture("tcp")?;
    let _server = site.start_server(programs, "pool", &token, install::SETTINGS)?;
    let ledger = Ledger::set_up(&site, &token, ACCOUNT, &password)?;
    let command_line = CommandLine::new(programs, &site);
    print!("{}", stand_in::enter(&command_line, trees, release)?);
    let machine = site.power_on_as(stand_in::machine(&site, programs.loaders.join("ipxe.efi")))?;
    let host = install::wait_for_report(&ledger, &machine)?;
    println!(
        "{:7.1} s  the machine waits in the collection image",
        machine.console().started().elapsed().as_secs_f64()
    );
    install::assign(&command_line, &machine.spec().hardware, &machine.spec().name)?;
    let started = Instant::now();
    let id = install::start(&ledger, &host)?;
    let kickstart = stand_in::kickstart(&machine, LIMIT)?;
    let faults = stand_in::validate(ksvalidator, release, &kickstart, logs)?;
    ensure!(faults.is_empty(), "ksvalidator of {} says: {faults}", release.syntax);
    println!(
        "{:7.1} s  the kickstart it fetched, {} bytes, is one of {} for ksvalidator",
        started.elapsed().as_secs_f64(),
        kickstart.len(),
        release.syntax
    );
    let seen = stand_in::wait_for_restart(&ledger, &id, &machine, LIMIT)?;
    for stage in &seen.stages {
        println!("{:7.1} s  {}", stage.seconds, stage.stage);
    }
    let stages: Vec<&str> = seen.stages.iter().map(|stage| stage.stage.as_str()).collect();
    ensure!(stages == STAGES, "stages are {stages:?}, not {STAGES:?}");
    stand_in::wait_for_disk(&machine, LIMIT)?;
    println!(
        "{:7.1} s  it was sent to its own disk; nothing was installed there, so the story ends here",
        started.elapsed().as_secs_f64()
    );
    stand_in::wait_for_log(&ledger, &id, &["executing action", "Installed: @core"], SETTLE)?;
    let missing = stand_in::headers_missing(&capture.finish()?)?;
    ensure!(missing.is_empty(), "not seen on the wire: {}", missing.join(", "));
    Ok(seen.stages.last().map_or(0.0, |stage| stage.seconds))
}
