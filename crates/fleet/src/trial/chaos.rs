//! Power cuts: the server is killed at random moments under load and started again.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use muster_facts::MacAddr;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use super::{Census, Ledger, Server, Site, SitePlan, TrialError};
use crate::{Fault, Firmware, Machine, Mix, Outcome, clients::Relay, hardware};

/// One round in this many kills the server while it starts.
const DURING_START: u32 = 10;
/// Different machines at most: fewer than the subnet has addresses.
const MOST_MACHINES: u32 = 50_000;
/// One boot in this many is that of a machine that has booted before.
const RETURNS: u32 = 4;
/// What a machine waits after a boot that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Debug, Clone)]
pub struct ChaosPlan {
    /// How often the server is killed.
    pub rounds: u32,
    /// Machines on their way at once.
    pub at_once: u32,
    /// The longest time from `ready` to the kill.
    pub longest: Duration,
    /// The same seed kills at the same moments.
    pub seed: u64,
    /// The database; SQLite when none is given.
    pub database_url: Option<String>,
}

/// What the machines were told, and what the ledger still knew at the end.
#[derive(Debug, Default)]
pub struct Chaos {
    /// Times the server was killed.
    pub kills: u32,
    /// Of these, while it started.
    pub during_start: u32,
    /// Boots begun.
    pub boots: u64,
    /// Reports acknowledged.
    pub reported: u64,
    /// Addresses acknowledged, renewals included.
    pub acknowledged: u64,
    /// Different machines.
    pub machines: u32,
    /// Addresses given to a second machine within lease time.
    pub doubled: Vec<String>,
    /// Machines that were another host at a later boot.
    pub split: Vec<String>,
    /// Hosts that more than one machine was taken for.
    pub merged: Vec<String>,
    /// The ledger at the end.
    pub census: Census,
    /// The longest start, from the process to `ready`.
    pub slowest_start: Duration,
    /// How long it took.
    pub took: Duration,
}

impl Chaos {
    /// True when nothing acknowledged was lost or given twice.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.doubled.is_empty()
            && self.split.is_empty()
            && self.merged.is_empty()
            && self.census.is_whole()
            && self.reported > 0
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} kills ({} of them during the start) in {:.0} s; the slowest start took {:.2} s",
            self.kills,
            self.during_start,
            self.took.as_secs_f64(),
            self.slowest_start.as_secs_f64()
        )?;
        writeln!(
            f,
            "{} boots of {} machines, {} reports and {} addresses acknowledged",
            self.boots, self.machines, self.reported, self.acknowledged
        )?;
        writeln!(
            f,
            "{} addresses given twice, {} machines taken for two hosts, {} hosts taken for two machines",
            self.doubled.len(),
            self.split.len(),
            self.merged.len()
        )?;
        for line in self.doubled.iter().chain(&self.split).chain(&self.merged).take(10) {
            writeln!(f, "  {line}")?;
        }
        write!(f, "{}", self.census)
    }
}

/// Kills and starts a server of its own; `seen` hears of each round.
///
/// # Errors
/// When the server does not start again, or the trial itself fails.
pub async fn run(binary: &Path, plan: &ChaosPlan, mut seen: impl FnMut(u32, &str)) -> Result<Chaos, TrialError> {
    let began = Instant::now();
    let site = Site::create(&SitePlan {
        database_url: plan.database_url.clone(),
        log: "error".to_owned(),
        ..SitePlan::default()
    })?;
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut server = Server::start(binary, &site).await?;
    let ledger = Ledger::set_up(&site, "a-password-for-one-trial").await?;
    let load = Load::start(&site, plan)?;
    let mut chaos = Chaos::default();
    for round in 1..=plan.rounds {
        let wait = plan.longest.mul_f64(random.random_range(0.05..1.0));
        tokio::time::sleep(wait).await;
        if server.has_ended() {
            return Err(server.failed("ended by itself"));
        }
        server.kill().await?;
        chaos.kills += 1;
        if random.random_range(0..DURING_START) == 0 {
            let starting = Server::spawn(binary, &site)?;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
            starting.kill().await?;
            chaos.kills += 1;
            chaos.during_start += 1;
        }
        server = Server::start(binary, &site).await?;
        chaos.slowest_start = chaos.slowest_start.max(server.ready_after());
        seen(round, &load.told().progress());
    }
    let told = load.finish().await;
    chaos.census = Census::take(
        told.hosts
            .iter()
            .map(|(host, machine)| (host.as_str(), machine.1.as_str())),
        &ledger.hosts().await?,
    );
    chaos.boots = told.boots;
    chaos.reported = told.reported;
    chaos.acknowledged = told.acknowledged;
    chaos.machines = told.machines.len() as u32;
    (chaos.doubled, chaos.split, chaos.merged) = (told.doubled, told.split, told.merged);
    server.finish().await?;
    chaos.took = began.elapsed();
    Ok(chaos)
}

/// Machines that boot again and again until told to stop.
struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

struct Shared {
    relay: Arc<Relay>,
    http: reqwest::Client,
    tftp_port: u16,
    seed: u64,
    firmware: Mix<Firmware>,
    next: AtomicU32,
    stop: AtomicBool,
    told: Mutex<Told>,
}

impl Load {
    fn start(site: &Site, plan: &ChaosPlan) -> Result<Self, TrialError> {
        let relay = Relay::start(site.relay(), site.dhcp()).map_err(TrialError::io("starting a relay"))?;
        let shared = Arc::new(Shared {
            relay,
            http: crate::run::http_client(None).map_err(crate::FleetError::from)?,
            tftp_port: site.tftp().port(),
            seed: plan.seed,
            firmware: Mix::default(),
            next: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            told: Mutex::default(),
        });
        let mut workers = JoinSet::new();
        for number in 0..plan.at_once {
            workers.spawn(Arc::clone(&shared).work(StdRng::seed_from_u64(plan.seed ^ u64::from(number) << 32)));
        }
        Ok(Self { shared, workers })
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.shared.told()
    }

    /// Lets every machine end its boot.
    async fn finish(mut self) -> Told {
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        std::mem::take(&mut *self.told())
    }
}

impl Shared {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new machine, or one that has booted before, or none when all are on their way.
    fn choose(&self, random: &mut StdRng) -> Option<u32> {
        let next = self.next.load(Ordering::Relaxed);
        if next < MOST_MACHINES && random.random_range(0..RETURNS) != 0 {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            self.told().busy.insert(index);
            return Some(index);
        }
        let index = random.random_range(0..next.max(1));
        self.told().busy.insert(index).then_some(index)
    }

    async fn work(self: Arc<Self>, mut random: StdRng) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(index) = self.choose(&mut random) else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let machine = Machine {
                index,
                seed: self.seed,
                firmware: self.firmware.pick(index),
                fault: Fault::None,
                whole_image: false,
                tftp_port: self.tftp_port,
            };
            let outcome = machine.boot(&self.relay, &self.http, 0).await;
            self.told().add(&outcome, &hardware::serial(self.seed, index));
            if outcome.host.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What the server said to the machines.
#[derive(Debug, Default)]
struct Told {
    boots: u64,
    reported: u64,
    acknowledged: u64,
    busy: HashSet<u32>,
    addresses: HashMap<Ipv4Addr, MacAddr>,
    /// Acknowledged hosts, each with its machine and serial.
    hosts: HashMap<String, (u32, String)>,
    machines: HashMap<u32, String>,
    doubled: Vec<String>,
    split: Vec<String>,
    merged: Vec<String>,
}

impl Told {
    /// Takes the end of a boot. The trial is shorter than a lease, so an address belongs to one machine throughout.
    fn add(&mut self, outcome: &Outcome, serial: &str) {
        self.busy.remove(&outcome.index);
        self.boots += 1;
        for address in &outcome.addresses {
            self.acknowledged += 1;
            let first = *self.addresses.entry(*address).or_insert(outcome.mac);
            if first != outcome.mac {
                self.doubled
                    .push(format!("{address} was {first}'s and was given to {}", outcome.mac));
            }
        }
        let Some(host) = &outcome.host else { return };
        self.reported += 1;
        let index = outcome.index;
        let (first, _) = self
            .hosts
            .entry(host.clone())
            .or_insert_with(|| (index, serial.to_owned()));
        if *first != index {
            self.merged
                .push(format!("host {host} is machine {first} and machine {index}"));
        }
        let before = self.machines.entry(index).or_insert_with(|| host.clone());
        if before != host {
            self.split
                .push(format!("machine {index} is host {before} and host {host}"));
        }
    }

    fn progress(&self) -> String {
        format!(
            "{} boots, {} reports and {} addresses acknowledged so far",
            self.boots, self.reported, self.acknowledged
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stage;

    fn outcome(index: u32, host: Option<&str>, address: u8) -> Outcome {
        Outcome {
            index,
            mac: hardware::mac(index, 0),
            stage: Stage::Reported,
            took: Duration::ZERO,
            host: host.map(str::to_owned),
            addresses: vec![Ipv4Addr::new(127, 77, 1, address)],
            error: None,
            expected: Stage::Reported,
        }
    }

    #[test]
    fn an_address_given_twice_and_a_host_taken_for_another_are_noticed() {
        let mut told = Told::default();
        told.add(&outcome(1, Some("a"), 1), "S1");
        told.add(&outcome(1, Some("a"), 1), "S1");
        told.add(&outcome(2, None, 2), "S2");
        assert!(told.doubled.is_empty() && told.split.is_empty() && told.merged.is_empty());
        told.add(&outcome(3, Some("a"), 1), "S3");
        told.add(&outcome(1, Some("b"), 1), "S1");
        assert_eq!((told.doubled.len(), told.merged.len(), told.split.len()), (1, 1, 1));
        assert_eq!((told.boots, told.reported, told.acknowledged), (5, 4, 5));
    }
}
