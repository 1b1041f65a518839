//! `cargo xtask lab --cut-power`: the power of a machine is cut in each stage of its installation, and what follows is
//! looked at: it goes on, or fails with a reason, and never installs a second time by itself.

use std::{path::Path, time::Duration};

use anyhow::{bail, ensure};
use muster_lab::{
    Firmware, Machine, MachineSpec, Namespace,
    install::{self, CommandLine, InstallSeen, Road},
    installer::Installer,
    ledger::Ledger,
    site::{Programs, Site},
    stop,
};

use super::{ACCOUNT, NAMESPACE, secret};

/// How long a machine may take from the beginning of an installation to a stage of it, emulated, with something beside it.
const STAGE_LIMIT: Duration = Duration::from_secs(45 * 60);
/// How long a machine that was powered on again may take to be heard.
const BOOT_LIMIT: Duration = Duration::from_secs(6 * 60);

/// Stages before anything can have been written: the installer is started again.
const HARMLESS: [&str; 2] = ["loader", "installer"];
/// Stages in which disks may be half written: a person decides.
const HARMFUL: [&str; 3] = ["answer", "disks", "packages"];

/// The stage in which the system is there already: it starts from its own disk.
const INSTALLED: &str = "post";

/// Cuts the power once in each stage, or in those that `only` names.
///
/// # Errors
/// When something does not happen in time, or happens otherwise than it should; or `only` names no such stage.
pub(super) fn run(programs: &Programs, installer: &Installer, only: &[String], logs: &Path) -> anyhow::Result<()> {
    let known = [&HARMLESS[..], &HARMFUL, &[INSTALLED]].concat();
    if let Some(wrong) = only.iter().find(|stage| !known.contains(&stage.as_str())) {
        bail!(
            "power cannot be cut in stage {wrong}: name some of {}",
            known.join(", ")
        );
    }
    let wanted = |stage: &&str| only.is_empty() || only.iter().any(|one| one == stage);
    let site = Site::open(Namespace::create(NAMESPACE)?, logs)?;
    install::link_tree(&site.trees(), installer)?;
    let (token, password) = (secret()?, secret()?);
    let _server = site.start_server(programs, "pool", &token, install::SETTINGS)?;
    let ledger = Ledger::set_up(&site, &token, ACCOUNT, &password)?;
    let command_line = CommandLine::new(programs, &site);
    install::enter(&command_line, installer, Road::Preseed)?;
    let mut trial = Trial {
        spec: install::machine(&site, Firmware::Bios),
        site: &site,
        ledger: &ledger,
        cuts: 0,
    };
    let mut machine = trial.power_on()?;
    let host = install::wait_for_report(&ledger, &machine)?;
    install::assign(&command_line, &trial.spec.hardware, "cut1")?;
    let mut id = install::start(&ledger, &host)?;
    for stage in HARMLESS.into_iter().filter(wanted) {
        let before = install::wait_for_stage(&ledger, &id, stage, &machine, STAGE_LIMIT)?;
        ensure!(
            !before.has_ended(),
            "cut in {stage}: it had ended before: {}",
            before.reason
        );
        machine = trial.cut(machine)?;
        let after = trial.wait(&id, &machine, |seen| seen.has_ended() || seen.starts > before.starts)?;
        ensure!(!after.has_ended(), "cut in {stage}: it ended: {}", after.reason);
        println!("cut in {stage:<10} goes on: start {} of the installer", after.starts);
    }
    for stage in HARMFUL.into_iter().filter(wanted) {
        install::wait_for_stage(&ledger, &id, stage, &machine, STAGE_LIMIT)?;
        machine = trial.cut(machine)?;
        let after = trial.wait(&id, &machine, InstallSeen::has_ended)?;
        ensure!(
            after.outcome == "failed",
            "cut in {stage}: it ended {}: {}",
            after.outcome,
            after.reason
        );
        println!("cut in {stage:<10} fails: {}", after.reason);
        ensure!(
            ledger.client().get_json("/api/v1/installs?outcome=open")?["total"] == 0,
            "an installation runs that nobody has started"
        );
        id = install::retry(&ledger, &id)?;
        // It waits in the collection image, or has to be restarted by somebody.
        machine = trial.cut(machine)?;
    }
    if wanted(&INSTALLED) {
        install::wait_for_stage(&ledger, &id, INSTALLED, &machine, STAGE_LIMIT)?;
        machine = trial.cut(machine)?;
        let after = trial.wait(&id, &machine, |seen| {
            seen.has_ended() || seen.stages.last().is_some_and(|last| last.stage == "rebooting")
        })?;
        println!("cut in {INSTALLED:<10} starts from its own disk: {}", after.evidence);
    }
    println!("{} cuts, no installation that nobody had started", trial.cuts);
    drop(machine);
    Ok(())
}

/// A machine that is powered on again and again.
struct Trial<'a> {
    spec: MachineSpec,
    site: &'a Site,
    ledger: &'a Ledger<'a>,
    cuts: u32,
}

impl Trial<'_> {
    fn power_on(&self) -> anyhow::Result<Machine> {
        Ok(self.site.power_on_as(self.spec.clone())?)
    }

    fn cut(&mut self, machine: Machine) -> anyhow::Result<Machine> {
        machine.cut_power()?;
        self.cuts += 1;
        self.power_on()
    }

    fn wait(&self, id: &str, machine: &Machine, is: impl Fn(&InstallSeen) -> bool) -> anyhow::Result<InstallSeen> {
        let seen = stop::wait_for(
            "the server to hear of the machine again",
            BOOT_LIMIT,
            || Ok(Some(install::look(self.ledger, id)?).filter(|seen| is(seen))),
            || machine.console().last(40),
        )?;
        Ok(seen)
    }
}
