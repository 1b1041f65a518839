use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{Fault, Firmware, Machine, Mix, Outcome, Stage, clients::Relay};

/// What to run.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// How many machines.
    pub count: u32,
    /// The fleet's seed: the same seed is the same fleet.
    pub seed: u64,
    /// Address of the relay they stand behind.
    pub relay: SocketAddrV4,
    /// The server's DHCP socket.
    pub server: SocketAddrV4,
    /// The server's TFTP port.
    pub tftp_port: u16,
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

/// Why a fleet cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The relay's address is taken or not allowed.
    #[error("the relay cannot use {address}")]
    Relay {
        /// The address.
        address: SocketAddrV4,
        /// Why.
        source: std::io::Error,
    },
    /// No HTTP client.
    #[error("no HTTP client")]
    Http(#[from] reqwest::Error),
}

/// What machines fetch with: straight to the server, from this address, and not for ever.
pub(crate) fn http_client(own: Option<IpAddr>) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(120))
        .local_address(own)
        .no_proxy()
        .build()
}

/// Machines and the relay they stand behind.
#[derive(Debug)]
pub struct Fleet {
    plan: FleetPlan,
    relay: Arc<Relay>,
    http: reqwest::Client,
}

impl Fleet {
    /// Binds the relay.
    ///
    /// # Errors
    /// When its address is taken.
    pub fn new(plan: FleetPlan) -> Result<Self, FleetError> {
        let relay = Relay::start(plan.relay, plan.server).map_err(|source| FleetError::Relay {
            address: plan.relay,
            source,
        })?;
        let http = http_client(None)?;
        Ok(Self { plan, relay, http })
    }

    /// Boots every machine; `seen` hears each outcome as it comes.
    pub async fn run(self, mut seen: impl FnMut(&Outcome)) -> Summary {
        let began = Instant::now();
        let places = Arc::new(Semaphore::new(self.plan.at_once.max(1)));
        let fleet = Arc::new(self);
        let mut running = JoinSet::new();
        for index in 0..fleet.plan.count {
            let (fleet, places) = (Arc::clone(&fleet), Arc::clone(&places));
            let power_on = fleet
                .plan
                .spread
                .mul_f64(f64::from(index) / f64::from(fleet.plan.count.max(1)));
            running.spawn(async move {
                tokio::time::sleep(power_on).await;
                let _place = places.acquire_owned().await;
                fleet.live(index).await
            });
        }
        let mut summary = Summary::default();
        while let Some(joined) = running.join_next().await {
            match joined {
                Ok(outcomes) => {
                    for outcome in outcomes {
                        seen(&outcome);
                        summary.add(&outcome);
                    }
                }
                Err(broken) => {
                    *summary
                        .failures
                        .entry(format!("simulation broke: {broken}"))
                        .or_default() += 1
                }
            }
        }
        summary.took = began.elapsed();
        summary.dhcp_answers = fleet.relay.answers();
        summary
    }

    /// All boots of one machine.
    async fn live(&self, index: u32) -> Vec<Outcome> {
        let machine = Machine {
            index,
            seed: self.plan.seed,
            firmware: self.plan.firmware.pick(index),
            fault: self.plan.faults.pick(index),
            whole_image: self.plan.whole_image,
            tftp_port: self.plan.tftp_port,
        };
        let mut outcomes = vec![machine.boot(&self.relay, &self.http, 0).await];
        match machine.fault {
            Fault::Returns => outcomes.push(machine.boot(&self.relay, &self.http, 0).await),
            // Port 9 is on no model: the card in the slot is another one.
            Fault::SwapsNic => outcomes.push(machine.boot(&self.relay, &self.http, 9).await),
            _ => {}
        }
        outcomes
    }
}

/// What became of a fleet.
#[derive(Debug, Default)]
pub struct Summary {
    /// Boots.
    pub boots: u32,
    /// Boots whose facts were acknowledged.
    pub reported: u32,
    /// Machines whose two boots were taken for two hosts.
    pub split: u32,
    /// Hosts that more than one machine was taken for.
    pub merged: u32,
    /// Addresses given to more than one machine.
    pub doubled_addresses: Vec<Ipv4Addr>,
    /// Failures by stage and words.
    pub failures: BTreeMap<String, u32>,
    /// Boots that stopped where their trouble stops them, without a report.
    pub stopped_on_purpose: u32,
    /// DHCP answers that came.
    pub dhcp_answers: u64,
    /// From the first power-on to the last end.
    pub took: Duration,
    times: Vec<Duration>,
    hosts: HashMap<String, u32>,
    machines: HashMap<u32, String>,
    addresses: HashMap<Ipv4Addr, u32>,
    doubled: HashSet<Ipv4Addr>,
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.boots += 1;
        for address in &outcome.addresses {
            let first = *self.addresses.entry(*address).or_insert(outcome.index);
            if first != outcome.index && self.doubled.insert(*address) {
                self.doubled_addresses.push(*address);
            }
        }
        if outcome.stage != Stage::Reported {
            if outcome.is_as_expected() {
                self.stopped_on_purpose += 1;
                return;
            }
            let error = outcome.error.as_deref().unwrap_or("no reason");
            *self
                .failures
                .entry(format!("{:?}: {error}", outcome.stage))
                .or_default() += 1;
            return;
        }
        self.reported += 1;
        self.times.push(outcome.took);
        if let Some(host) = &outcome.host {
            if *self.hosts.entry(host.clone()).or_insert(outcome.index) != outcome.index {
                self.merged += 1;
            }
            if self.machines.entry(outcome.index).or_insert_with(|| host.clone()) != host {
                self.split += 1;
            }
        }
    }

    /// True when every boot that should have was reported, no machine split or merged, and no address given twice.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.boots == self.reported + self.stopped_on_purpose
            && self.split == 0
            && self.merged == 0
            && self.doubled_addresses.is_empty()
    }

    /// The machines that reported, by number, each with the host the server named.
    #[must_use]
    pub fn machines(&self) -> &HashMap<u32, String> {
        &self.machines
    }

    /// Hosts by the names the server gave them.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// The time within which this share of the boots (0 to 1) had reported.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = (times.len() as f64 * share.clamp(0.0, 1.0)) as usize;
        times
            .get(at.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} of {} boots reported ({} stopped on purpose), {} hosts, in {:.1} s; half within {:.2} s, 99 of 100 within {:.2} s",
            self.reported,
            self.boots,
            self.stopped_on_purpose,
            self.hosts(),
            self.took.as_secs_f64(),
            self.percentile(0.5).as_secs_f64(),
            self.percentile(0.99).as_secs_f64(),
        )?;
        writeln!(
            f,
            "{} machines taken for two hosts, {} hosts taken for another machine, {} addresses given twice",
            self.split,
            self.merged,
            self.doubled_addresses.len()
        )?;
        for (failure, count) in &self.failures {
            writeln!(f, "{count} x {failure}")?;
        }
        Ok(())
    }
}
