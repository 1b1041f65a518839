//! Installations: started, followed, ended.
//!
//! A person starts one; from then on it moves by what its machine asks and reports. Each change is committed before
//! anything follows from it, and what decisions need is kept in memory beside the hosts (`discovery`).

mod answer;
mod end;
mod enrol;
mod hear;
mod look;
mod plan;
mod script;
mod start;
mod wish;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

pub use answer::AnswerRefused;
pub use enrol::Enrolled;
pub use plan::{AgentOffer, AnswerContext, AnswerFile, GivenPlans, InstallPlan, Later, MadeAnswer, PlanFault, Plans};
pub use start::{CancelRefused, Start, StartRefused};
pub use wish::{Granted, Wanted, Wish};

use crate::{
    boot::{Event, EventKind, Level},
    discovery::{Discovery, FeedItem},
    install::{InstallId, Limits, Listening, Outcome, redact_log},
    inventory::{HostId, new_id},
    provision::repeats::Repeats,
    store::{Install, InstallLog, Store, StoreError, Write},
};

/// Longest log line that is kept, characters.
const LONGEST_LINE: usize = 1000;

/// A refusal of one host for one reason is told this often; a machine that is refused goes on asking.
const TOLD_EVERY: TimeDelta = TimeDelta::minutes(1);
/// That an installer is held back is told this often for one reason.
const HELD_TOLD_EVERY: TimeDelta = TimeDelta::minutes(10);

/// The use cases of installations. Cheap to clone; all clones share what runs.
#[derive(Debug, Clone)]
pub struct Installs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    discovery: Discovery,
    plans: Arc<dyn Plans>,
    limits: Limits,
    /// Where installers send their log, when it is listened to.
    syslog: Option<u16>,
    /// When silence could have been broken.
    listening: Mutex<Listening>,
    /// What was refused, and told.
    refused: Repeats,
    /// Installers that were held back, and why.
    held: Repeats,
    /// Agents that asked again whether they are enrolled.
    enrolled: Repeats,
    /// Changes of one installation one after the other, as it is read, changed and written.
    turns: [tokio::sync::Mutex<()>; 32],
}

impl Installs {
    /// Reads what runs from the ledger, and is asked from now on when its machines boot.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn open(discovery: &Discovery, plans: Arc<dyn Plans>, syslog: Option<u16>) -> Result<Self, StoreError> {
        let running = discovery.store().open_installs().await?;
        let listening = look::begin(discovery.store(), discovery.now()).await?;
        discovery.with_installs(|installs| {
            for install in &running {
                installs.put(install.open());
            }
        });
        let installs = Self {
            inner: Arc::new(Inner {
                discovery: discovery.clone(),
                plans,
                limits: Limits,
                syslog,
                listening: Mutex::new(listening),
                refused: Repeats::new(TOLD_EVERY),
                held: Repeats::new(HELD_TOLD_EVERY),
                enrolled: Repeats::new(TOLD_EVERY),
                turns: Default::default(),
            }),
        };
        discovery.install_by(Arc::new(installs.clone()));
        Ok(installs)
    }

    pub(in crate::provision) fn discovery(&self) -> &Discovery {
        &self.inner.discovery
    }

    /// The ledger, for lists.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.discovery().store()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.discovery().now()
    }

    async fn turn(&self, host: HostId) -> tokio::sync::MutexGuard<'_, ()> {
        let turns = &self.inner.turns;
        // The last bytes of a version 7 UUID are random.
        let at = host.0.as_u128() as usize % turns.len();
        turns[at].lock().await
    }

    /// The running installation of a host, whole. The caller has the installation's turn: what was known before it was
    /// taken may be over.
    async fn running(&self, host: HostId) -> Result<Option<Install>, StoreError> {
        let open = self
            .discovery()
            .with_installs(|installs| installs.of(host).map(|open| (open.id, open.progress.heard_at)));
        let Some((id, heard_at)) = open else { return Ok(None) };
        let found = self.store().install(id).await?;
        // What has ended in the ledger never boots an installer, whatever memory says.
        let found = found.filter(|install| install.outcome == Outcome::Open);
        if found.is_none() {
            self.discovery().with_installs(|installs| installs.remove(host));
        }
        Ok(found.map(|mut install| {
            // Log lines are heard without a change of the row.
            install.progress.heard_at = install.progress.heard_at.max(heard_at);
            install
        }))
    }

    /// Commits an installation as it is now with further writes; then decisions know it.
    async fn keep(&self, install: &Install, mut more: Vec<Write>) -> Result<(), StoreError> {
        more.insert(0, Write::Install(Box::new(install.clone())));
        self.discovery().writer().commit(more).await?;
        self.discovery().with_installs(|installs| installs.put(install.open()));
        self.discovery().feed().tell(FeedItem::Install(install.host));
        Ok(())
    }

    /// A line of an installation's log, without what looks like a secret.
    fn line(&self, install: InstallId, source: &str, level: Level, text: &str) -> Write {
        let at = self.now();
        // Hidden before it is cut: a piece of a secret is not recognised any more.
        let plain: String = redact_log(text)
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_LINE)
            .collect();
        Write::InstallLog(InstallLog {
            id: new_id(at),
            install,
            at,
            source: source.to_owned(),
            level,
            text: plain,
        })
    }

    /// An event of a host's installation.
    fn tell(&self, host: HostId, kind: EventKind, level: Level, params: &[(&str, String)]) {
        let mut event = Event {
            mac: self.discovery().macs_of(host).first().copied(),
            host: Some(host),
            ..Event::new(self.now(), muster_facts::MacAddr([0; 6]), kind, level)
        };
        for (name, value) in params {
            event = event.with(name, redact_log(value));
        }
        self.discovery().note(event);
    }
}
