//! Agents of installed systems: known by a credential that each got once, at its enrolment
//! ([`Installs::enrol`](super::install::Installs::enrol)).
//!
//! Credentials are read from the ledger each time and not from memory: the command line and other servers end them, and
//! an agent speaks once a minute.

mod measured;

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::{Facts, MacAddr};

use super::{install::Installs, repeats::Repeats};
use crate::{
    auth::Secret,
    boot::{Event, EventKind, Level},
    discovery::{Discovery, ReportRefused},
    inventory::{Host, HostId},
    store::{Services, StoreError, Write},
};

/// Between two signs of life, seconds.
const HEARTBEAT_SECONDS: u32 = 60;
/// Between two looks of an agent at its machine, seconds.
const LOOK_SECONDS: u32 = 300;
/// That a credential was used is written this often.
const USED_EVERY: TimeDelta = TimeDelta::minutes(10);
/// That an agent is refused is told this often of one host: it goes on asking.
const TOLD_EVERY: TimeDelta = TimeDelta::hours(1);
/// Credentials remembered that were good; beyond them one that is asked about again is read again.
const MOST_KNOWN: usize = 100_000;

/// Why an agent is not listened to.
#[derive(Debug, thiserror::Error)]
pub enum AgentRefused {
    /// Nobody was given this credential.
    #[error("this agent's credential is not known; enrol the machine anew")]
    Unknown,
    /// Its host was enrolled anew, retired, or a person ended it.
    #[error("this agent's credential was revoked; enrol the machine anew")]
    Revoked,
    /// The report is not taken.
    #[error(transparent)]
    Report(#[from] ReportRefused),
    /// The ledger failed.
    #[error("the ledger failed")]
    Store(#[from] StoreError),
    /// The work on a report did not come to its end.
    #[error("the work on the report was stopped: {0}")]
    Stopped(String),
}

/// An agent whose credential is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// The host that it speaks for.
    pub host: HostId,
    /// SHA-256 of its credential.
    hash: [u8; 32],
    last_used_at: Option<DateTime<Utc>>,
    acknowledged: u64,
}

/// What an agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentStep {
    /// Its host.
    pub host: HostId,
    /// The host's name, when it has one.
    pub name: Option<String>,
    /// True when the facts are wanted at once.
    pub report: bool,
    /// Between two signs of life, seconds.
    pub heartbeat_seconds: u32,
    /// Between two looks at the machine, seconds.
    pub look_seconds: u32,
    /// The highest number of a sample of its credential that is on disk; 0 of none.
    pub acknowledged: u64,
}

/// The use cases of agents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Agents {
    installs: Installs,
    /// Agents that were refused, and why.
    refused: Arc<Repeats>,
    /// Hashes of credentials that were good: who has one is let in whatever others try.
    known: Arc<Mutex<HashSet<[u8; 32]>>>,
    /// Of each host, what it said last of its services, as a hash: what has not changed is not written again.
    services: Arc<Mutex<HashMap<HostId, u64>>>,
    hasher: RandomState,
    /// Reports of one host one after the other; by a few locks.
    turns: Arc<[tokio::sync::Mutex<()>; 64]>,
}

impl Agents {
    /// Agents of systems that `installs` installed.
    #[must_use]
    pub fn new(installs: Installs) -> Self {
        Self {
            installs,
            refused: Arc::new(Repeats::new(TOLD_EVERY)),
            known: Arc::default(),
            services: Arc::default(),
            hasher: RandomState::new(),
            turns: Arc::new(std::array::from_fn(|_| tokio::sync::Mutex::default())),
        }
    }

    async fn turn_of(&self, host: HostId) -> tokio::sync::MutexGuard<'_, ()> {
        // The last bytes of a version 7 UUID are random.
        let at = host.0.as_u128() as usize % self.turns.len();
        self.turns[at].lock().await
    }

    /// Whether a host says something else of its services than before; remembered at once.
    fn services_changed(&self, host: HostId, services: &Services) -> bool {
        let said = self.hasher.hash_one(services);
        let mut known = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN && !known.contains_key(&host) {
            known.clear();
        }
        known.insert(host, said) != Some(said)
    }

    /// What was remembered is not on disk.
    fn forget_services(&self, host: HostId) {
        self.services
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&host);
    }

    fn discovery(&self) -> &Discovery {
        self.installs.discovery()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.installs.now()
    }

    /// Whether this server has seen a credential in the ledger, told from memory alone: what is tried by whoever has none
    /// is slowed down before the ledger is asked.
    #[must_use]
    pub fn has_seen(&self, credential: &str) -> bool {
        let hash = Secret::chosen(credential.to_owned()).hash();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&hash)
    }

    /// The agent that a credential makes known.
    ///
    /// # Errors
    /// When it makes none known any more or never did, or the ledger cannot be read.
    pub async fn admit(&self, credential: &str, client: IpAddr) -> Result<Agent, AgentRefused> {
        let hash = Secret::chosen(credential.to_owned()).hash();
        let Some(kept) = self.installs.store().agent_credential(&hash).await? else {
            self.discovery()
                .report_malformed(client, "an agent's credential that nobody was given");
            return Err(AgentRefused::Unknown);
        };
        if kept.revoked_at.is_some() {
            self.tell(kept.host, client, "agent_revoked", &[]);
            return Err(AgentRefused::Revoked);
        }
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST_KNOWN && !known.contains(&hash) {
                known.clear();
            }
            known.insert(hash);
        }
        Ok(Agent {
            host: kept.host,
            hash,
            last_used_at: kept.last_used_at,
            acknowledged: kept.acknowledged,
        })
    }

    /// Takes what an installed system says of itself. The first report after an enrolment is compared with what was planned,
    /// and ends the installation.
    ///
    /// # Errors
    /// When the facts are another machine's, or the ledger fails.
    pub async fn report(&self, agent: &Agent, facts: Facts, client: IpAddr) -> Result<AgentStep, AgentRefused> {
        self.used(agent);
        let found = facts.clone();
        let host = match self.discovery().accept_agent_facts(agent.host, facts, client).await {
            Ok(host) => host,
            Err(refused) => {
                if let ReportRefused::AnotherMachine { hosts } = &refused {
                    self.tell(agent.host, client, "another_machine", hosts);
                }
                return Err(refused.into());
            }
        };
        self.installs.reported(agent.host, &found, &agent.hash).await?;
        self.post_heard(agent, client);
        Ok(self.step(agent.host, Some(host), agent.acknowledged))
    }

    /// Takes note that an installed system is there.
    #[must_use]
    pub fn heartbeat(&self, agent: &Agent, client: IpAddr) -> AgentStep {
        self.used(agent);
        self.post_heard(agent, client);
        self.step(agent.host, self.discovery().host(agent.host), agent.acknowledged)
    }

    fn post_heard(&self, agent: &Agent, client: IpAddr) {
        if let Some(heard) = self.discovery().heard_agent(agent.host, client) {
            self.discovery().writer().post(vec![Write::AgentHeard(Box::new(heard))]);
        }
    }

    /// Writes into the host's history that a report was refused before it was understood. `code` is the problem's.
    pub fn facts_refused(&self, agent: &Agent, client: IpAddr, code: &str, why: &str) {
        self.discovery().report_malformed(client, why);
        self.tell(agent.host, client, code, &[]);
    }

    fn step(&self, host: HostId, known: Option<Host>, acknowledged: u64) -> AgentStep {
        AgentStep {
            host,
            name: known.and_then(|host| host.name),
            report: self.installs.awaits_report(host),
            heartbeat_seconds: HEARTBEAT_SECONDS,
            look_seconds: LOOK_SECONDS,
            acknowledged,
        }
    }

    fn used(&self, agent: &Agent) {
        let now = self.now();
        let due = agent
            .last_used_at
            .is_none_or(|last| now - last >= USED_EVERY || last > now);
        if due {
            let used = Write::AgentUsed {
                hash: agent.hash,
                at: now,
            };
            self.discovery().writer().post(vec![used]);
        }
    }

    /// Tells in the host's history that its agent was refused; not each time, as it goes on asking.
    fn tell(&self, host: HostId, client: IpAddr, why: &str, hosts: &[HostId]) {
        let (now, client) = (self.now(), client.to_string());
        let Some(times) = self.refused.note(host, why, &client, now) else {
            return;
        };
        let mut event = of_host(host, now, EventKind::AgentRefused, Level::Warn)
            .with("client", client)
            .with("why", why);
        if times > 1 {
            event = event.with("times", times.to_string());
        }
        if !hosts.is_empty() {
            let shown: Vec<String> = hosts.iter().take(8).map(ToString::to_string).collect();
            event = event.with("hosts", shown.join(" "));
        }
        self.discovery().note(event);
    }
}

/// Ends what a host's agent is known by: the writes of it, for whoever writes the ledger.
#[must_use]
pub fn revocation(host: HostId, by: &str, at: DateTime<Utc>) -> Vec<Write> {
    vec![
        Write::AgentsRevoked {
            host,
            by: by.to_owned(),
            at,
        },
        Write::Event(of_host(host, at, EventKind::AgentRevoked, Level::Info).with("by", by)),
    ]
}

/// An event of a host that belongs to no boot.
fn of_host(host: HostId, at: DateTime<Utc>, kind: EventKind, level: Level) -> Event {
    Event {
        mac: None,
        host: Some(host),
        ..Event::new(at, MacAddr([0; 6]), kind, level)
    }
}
