//! A fleet against a server of its own, with what it cost.

use std::{fmt, path::Path, time::Duration};

use muster_lab::Usage;

use super::{Census, Ledger, Server, Site, SitePlan, TrialError};
use crate::{Fault, Firmware, Fleet, FleetPlan, Mix, Outcome, Summary, hardware};

/// What to run.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// How many machines.
    pub count: u32,
    /// The same seed is the same fleet.
    pub seed: u64,
    /// Time over which they are powered on.
    pub spread: Duration,
    /// Most machines on their way at once.
    pub at_once: usize,
    /// Fetch kernel and initramfs whole.
    pub whole_image: bool,
    /// Kinds of firmware.
    pub firmware: Mix<Firmware>,
    /// Kinds of trouble.
    pub faults: Mix<Fault>,
}

impl LoadPlan {
    /// The fleet of this plan at a site.
    pub(super) fn fleet(&self, site: &Site) -> FleetPlan {
        FleetPlan {
            count: self.count,
            seed: self.seed,
            relay: site.relay(),
            server: site.dhcp(),
            tftp_port: site.tftp().port(),
            spread: self.spread,
            at_once: self.at_once,
            whole_image: self.whole_image,
            firmware: self.firmware.clone(),
            faults: self.faults.clone(),
        }
    }
}

/// What became of the fleet, and what it cost the server.
#[derive(Debug)]
pub struct Load {
    /// The fleet's side.
    pub summary: Summary,
    /// The ledger at the end.
    pub census: Census,
    /// Hosts the ledger should have, when every machine makes one.
    pub expected_hosts: usize,
    /// What the server used for the fleet; memory from its start.
    pub usage: Usage,
    /// Resident memory before the first machine, bytes.
    pub at_start: u64,
}

impl Load {
    /// True when every machine is there exactly once, and nothing else is.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.summary.is_whole() && self.census.is_whole() && self.census.hosts == self.expected_hosts
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.summary.took.as_secs_f64().max(0.001);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let cpu = self.usage.cpu.as_secs_f64();
        let boots = f64::from(self.summary.boots.max(1));
        write!(f, "{}", self.summary)?;
        writeln!(
            f,
            "{:.1} s, {:.1} boots/s, {} DHCP answers, {:.0} answers/s",
            seconds,
            boots / seconds,
            self.summary.dhcp_answers,
            self.summary.dhcp_answers as f64 / seconds,
        )?;
        writeln!(
            f,
            "the server used {cpu:.1} s of processor time ({:.2} ms a boot), {:.1} MiB when ready, {:.1} MiB at most",
            cpu * 1000.0 / boots,
            mib(self.at_start),
            mib(self.usage.peak),
        )?;
        write!(f, "{}; {} hosts expected", self.census, self.expected_hosts)
    }
}

/// Runs a fleet against a server of its own; `seen` hears each outcome as it comes.
///
/// # Errors
/// When the server does not start, or does not answer at the end.
pub async fn run(
    binary: &Path,
    site: &SitePlan,
    plan: &LoadPlan,
    seen: impl FnMut(&Outcome),
) -> Result<Load, TrialError> {
    let site = Site::create(site)?;
    let mut server = Server::start(binary, &site).await?;
    let ledger = Ledger::set_up(&site, "a-password-for-one-trial").await?;
    let before = server.usage();
    let summary = Fleet::new(plan.fleet(&site))?.run(seen).await;
    if server.has_ended() {
        return Err(server.failed("ended under the load"));
    }
    let after = server.usage();
    let serials: Vec<(&str, String)> = summary
        .machines()
        .iter()
        .map(|(index, host)| (host.as_str(), serial_of(plan, *index)))
        .collect();
    let hosts = ledger.hosts().await?;
    let census = Census::take(serials.iter().map(|(host, serial)| (*host, serial.as_str())), &hosts);
    server.finish().await?;
    Ok(Load {
        summary,
        census,
        expected_hosts: plan.count as usize,
        usage: Usage {
            cpu: after.cpu.saturating_sub(before.cpu),
            ..after
        },
        at_start: before.resident,
    })
}

/// The serial that a machine reports.
fn serial_of(plan: &LoadPlan, index: u32) -> String {
    if plan.faults.pick(index) == Fault::JunkIdentity {
        hardware::JUNK_SERIAL.to_owned()
    } else {
        hardware::serial(plan.seed, index)
    }
}
