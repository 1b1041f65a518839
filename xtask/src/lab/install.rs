//! `cargo xtask lab --install`: machines that install Debian by themselves, one after the other, until each runs from its
//! own disk, and machines on which a stand-in for Anaconda shows what Muster does for RHEL's kin.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use muster_lab::{
    Accelerator, Firmware, Namespace,
    install::{self, CommandLine, InstallSeen, Road},
    installer::Installer,
    ledger::Ledger,
    site::{Programs, Site},
};

use super::{ACCOUNT, NAMESPACE, build, secret, stand_in as anaconda};
use crate::{mirror, setup, stand_in};

/// How long one installation may take, emulated on two processors: it was seen to take half an hour with builds beside it.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// What is installed, in this order.
const RUNS: [(Firmware, Road); 3] = [
    (Firmware::Bios, Road::Preseed),
    (Firmware::Uefi, Road::Preseed),
    (Firmware::Bios, Road::Kickstart),
];

/// Installs a machine by each road, or by those that `only` names, such as `uefi-preseed`.
///
/// # Errors
/// When there is no such road, an installation does not end, or a machine is not as it was planned.
pub(super) fn run(repository: &Path, release: bool, only: &[String], logs: Option<&Path>) -> anyhow::Result<()> {
    let debian: Vec<_> = RUNS
        .into_iter()
        .map(|(firmware, road)| (format!("{}-{}", firmware.name(), road.name()), firmware, road))
        .collect();
    let known: Vec<String> = debian
        .iter()
        .map(|(name, ..)| name.clone())
        .chain(anaconda::roads().map(|(name, _)| name))
        .collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(name)) {
        bail!("there is no road `{unknown}`; there are: {}", known.join(", "));
    }
    let wanted = |name: &String| only.is_empty() || only.contains(name);
    // Built before the server: what is missing for it is said at once, and not after minutes.
    let installer = debian
        .iter()
        .any(|(name, ..)| wanted(name))
        .then(|| mirror::prepare(repository))
        .transpose()?;
    let programs = build(repository, release)?;
    println!("machines run by {}", Accelerator::find());
    let temporary = tempfile::tempdir()?;
    let logs = logs.unwrap_or(temporary.path());
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for (name, firmware, road) in debian.iter().filter(|(name, ..)| wanted(name)) {
        let Some(installer) = &installer else { continue };
        println!("\n{name}");
        let seen = one(&programs, installer, *firmware, *road, &logs.join(name))?;
        if seen.outcome != "done" {
            failed.push(format!("{name} ended {}: {}", seen.outcome, seen.reason));
        } else if !seen.differences.is_empty() {
            failed.push(format!("{name} is not as planned: {}", seen.differences.join(", ")));
        }
        let seconds = seen.stages.last().map_or(0.0, |stage| stage.seconds);
        rows.push((name.clone(), seconds, seen.reason));
    }
    let roads: Vec<_> = anaconda::roads().filter(|(name, _)| wanted(name)).collect();
    if !roads.is_empty() {
        let trees = stand_in::prepare(repository)?;
        let ksvalidator = setup::pykickstart(repository)?.join("ksvalidator");
        for (name, release) in roads {
            println!("\n{name}: {} {}", release.product, release.version);
            let seconds = anaconda::one(&programs, &trees, &ksvalidator, release, &logs.join(&name))?;
            rows.push((
                name,
                seconds,
                "every stage up to the restart; nothing was installed".to_owned(),
            ));
        }
    }
    println!("\n{:<24} {:>8}  result", "road", "seconds");
    for (name, seconds, result) in &rows {
        println!("{name:<24} {seconds:>8.0}  {result}");
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
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
