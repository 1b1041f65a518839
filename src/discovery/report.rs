//! A machine's report: who it is, what changed, and what it does next.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::Facts;

use super::{
    Discovery, FeedItem,
    claim::{Claim, Nobodys, Reporter},
    tokens::TokenState,
};
use crate::{
    boot::{AfterFacts, BootToken, Event, EventKind, Level},
    install::BootChoice,
    inventory::{Change, Host, HostId, Key, State, identity::keys_of, lifecycle, merge, new_id},
    store::{AgentHeard, FactSet, FactsSaved, StoreError, Write},
};

/// How often a waiting machine asks what to do, seconds.
const POLL_SECONDS: u32 = 10;

/// That an agent was heard is written this often.
const HEARD_EVERY: TimeDelta = TimeDelta::seconds(30);

/// Longest text of a machine that is kept in an event, characters.
const MAX_TEXT: usize = 300;

/// What a machine that reported does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// The host it was recognised as.
    pub host: HostId,
    /// The host's name, when it has one.
    pub name: Option<String>,
    /// What to do.
    pub action: AfterFacts,
    /// When to ask again, seconds.
    pub poll_seconds: u32,
}

/// Why a report is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportRefused {
    /// Nobody was given this token.
    #[error("this boot token is not known; restart the machine so that it gets a new one")]
    UnknownToken,
    /// Its time is over.
    #[error("this boot token has expired; restart the machine so that it gets a new one")]
    ExpiredToken,
    /// This server does not know the host of the agent's credential.
    #[error("this server does not know the host of this agent yet; report again later")]
    HostUnknown,
    /// An agent's facts are of another machine than the one it was enrolled on.
    #[error(
        "these facts are of another machine than the one that this agent was enrolled on: a disk was copied or moved; \
         enrol this machine anew, or revoke the agent"
    )]
    AnotherMachine {
        /// Hosts that it may be.
        hosts: Vec<HostId>,
    },
    /// The ledger could not be written: nothing is kept, ask again.
    #[error("the report could not be kept")]
    NotKept(#[from] StoreError),
}

/// Reports of one host one after the other; by a few locks, as many as matter.
#[derive(Debug, Default)]
pub(super) struct Turns([tokio::sync::Mutex<()>; 32]);

impl Turns {
    pub(super) async fn of(&self, host: HostId) -> tokio::sync::MutexGuard<'_, ()> {
        // The last bytes of a version 7 UUID are random.
        let at = host.0.as_u128() as usize % self.0.len();
        self.0[at].lock().await
    }
}

impl From<Nobodys> for ReportRefused {
    fn from(nobodys: Nobodys) -> Self {
        match nobodys {
            Nobodys::HostUnknown => Self::HostUnknown,
            Nobodys::AnotherMachine(hosts) => Self::AnotherMachine { hosts },
        }
    }
}

impl Discovery {
    /// Takes a report of the collection image.
    ///
    /// # Errors
    /// When the token gives no right to report, or the ledger cannot be written.
    pub async fn accept_facts(&self, token: &str, facts: Facts, client: IpAddr) -> Result<NextStep, ReportRefused> {
        let token = self.admit(token, client, self.now())?;
        let host = self.take_report(&Reporter::Boot(token), facts, client).await?;
        Ok(self.step_for(&host))
    }

    /// Takes a report of the agent on an installed system, whose credential is `host`'s; gives the host as it is now.
    ///
    /// # Errors
    /// When the facts are another machine's, or the ledger cannot be written.
    pub async fn accept_agent_facts(&self, host: HostId, facts: Facts, client: IpAddr) -> Result<Host, ReportRefused> {
        self.take_report(&Reporter::Agent(host), facts, client).await
    }

    /// Takes a report: identity, merge, changes, one commit, and only then the answer.
    async fn take_report(&self, reporter: &Reporter, facts: Facts, client: IpAddr) -> Result<Host, ReportRefused> {
        let now = self.now();
        let keys = keys_of(&facts);
        // Reports of one host are taken one after the other; hosts do not wait for each other. What was judged while
        // waiting may be gone when the turn comes: then it is judged again.
        let (turn, claim) = loop {
            let judged = self.view().judge(reporter, &facts, &keys, now)?;
            let turn = self.inner.turns.of(judged.host).await;
            if let Some(claim) = self.view().claim(judged, &keys, now) {
                break (turn, claim);
            }
        };
        let saved = match self.merge(&claim, reporter, facts, keys, client, now).await {
            Ok(saved) => saved,
            Err(error) => {
                self.view().unclaim(&claim);
                return Err(error.into());
            }
        };
        let (host, events) = (saved.host.clone(), saved.events.clone());
        let kept_keys = saved.keys.clone();
        let after = self.inner.after_report.get().map(|who| (who, saved.facts.clone()));
        let macs: Vec<_> = saved.interfaces.iter().map(|interface| interface.mac).collect();
        let mut writes = Vec::with_capacity(2);
        if claim.is_new {
            writes.push(Write::HostCreated(Box::new(claim.host.clone()), Vec::new()));
        }
        writes.push(Write::Facts(Box::new(saved)));
        if let Err(error) = self.writer().commit(writes).await {
            self.view().unclaim(&claim);
            return Err(error.into());
        }
        self.view().settle(&host, &macs, &claim.absorbed, kept_keys);
        for event in events {
            self.note_written(event);
        }
        self.feed().tell(FeedItem::Host(host.id));
        let Some((who, facts)) = after else {
            return Ok(host);
        };
        // What follows from a report may move the host, and takes a turn of its own.
        drop(turn);
        who.reported(host.id, &facts).await;
        let moved = self.host(host.id).unwrap_or_else(|| host.clone());
        let next = self.step_for(&moved).action;
        if let Reporter::Boot(token) = reporter
            && next != self.step_for(&host).action
        {
            let mut event = self.of_boot(token, EventKind::NextTold, Level::Info);
            event.host = Some(host.id);
            self.note(event.with("next", next.as_str()));
        }
        Ok(moved)
    }

    /// Whether a token gives a right to report now; for before the report is read.
    ///
    /// # Errors
    /// When it gives none.
    pub fn may_report(&self, token: &str, client: IpAddr) -> Result<(), ReportRefused> {
        self.admit(token, client, self.now()).map(drop)
    }

    /// What a machine that has reported, or waits, does next.
    ///
    /// # Errors
    /// When the token gives no right to ask.
    pub fn next_step(&self, token: &str, client: IpAddr) -> Result<NextStep, ReportRefused> {
        let now = self.now();
        let token = self.admit(token, client, now)?;
        self.keep_alive(&token, now);
        let view = self.view();
        // The host of the token may have been absorbed when the facts arrived: its interface knows.
        let id = view.host_by_mac(token.mac).unwrap_or(token.host);
        let host = view.host(id).cloned();
        drop(view);
        Ok(host.map_or(
            NextStep {
                host: id,
                name: None,
                action: AfterFacts::Wait,
                poll_seconds: POLL_SECONDS,
            },
            |host| self.step_for(&host),
        ))
    }

    /// Writes what the collection image says it does into the transcript.
    ///
    /// # Errors
    /// When the token gives no right to report.
    pub fn image_progress(&self, token: &str, stage: &str, message: &str, client: IpAddr) -> Result<(), ReportRefused> {
        let token = self.admit(token, client, self.now())?;
        let level = if stage == "failed" { Level::Fail } else { Level::Info };
        let event = self
            .of_boot(&token, EventKind::ImageProgress, level)
            .with("stage", short(stage))
            .with("message", short(message));
        self.note(event);
        Ok(())
    }

    /// Writes into the transcript that a report was refused before it was understood.
    /// `code` is the problem's, such as `facts_malformed`.
    pub fn facts_refused(&self, token: &str, client: IpAddr, code: &str, why: &str) {
        self.report_malformed(client, &short(why));
        if let Ok(token) = self.admit(token, client, self.now()) {
            let event = self
                .of_boot(&token, EventKind::FactsRefused, Level::Fail)
                .with("client", client.to_string())
                .with("code", code)
                .with("why", short(why));
            self.note(event);
        }
    }

    /// Notes that a host's agent says it is there. Gives what is to be written, when that is due: once a minute at most.
    #[must_use]
    pub fn heard_agent(&self, host: HostId, client: IpAddr) -> Option<AgentHeard> {
        let now = self.now();
        let mut due = false;
        self.view().change_host(host, |host| {
            due = host
                .heard_at
                .is_none_or(|heard| now - heard >= HEARD_EVERY || heard > now);
            if due {
                (host.heard_at, host.last_seen_at, host.address) = (Some(now), now, Some(client));
            }
        });
        due.then(|| AgentHeard {
            host,
            at: now,
            address: client,
            acknowledged: None,
            samples: Vec::new(),
            services: None,
        })
    }

    /// A machine that keeps asking may go on asking: its token ends a lifetime after its last question.
    fn keep_alive(&self, token: &BootToken, now: DateTime<Utc>) {
        let lifetime = self.policy().token_lifetime;
        if token.expires_at - now > lifetime / 2 {
            return;
        }
        let renewed = BootToken {
            expires_at: now + lifetime,
            ..token.clone()
        };
        self.view().tokens.insert(renewed.clone());
        self.writer().post(vec![Write::BootToken(renewed)]);
    }

    /// The token, if it gives a right now. An expired one is told in its boot's transcript.
    fn admit(&self, token: &str, client: IpAddr, now: DateTime<Utc>) -> Result<BootToken, ReportRefused> {
        let state = self.view().tokens.state(token, now);
        match state {
            TokenState::Valid(token) => Ok(token),
            TokenState::Unknown => {
                self.report_malformed(client, "a boot token that nobody was given");
                Err(ReportRefused::UnknownToken)
            }
            TokenState::Expired { told: true, .. } => Err(ReportRefused::ExpiredToken),
            TokenState::Expired { token, told: false } => {
                let event = self
                    .of_boot(&token, EventKind::FactsRefused, Level::Fail)
                    .with("client", client.to_string())
                    .with("code", "boot_token_expired")
                    .with("since", token.expires_at.to_rfc3339());
                self.note(event);
                Err(ReportRefused::ExpiredToken)
            }
        }
    }

    async fn merge(
        &self,
        claim: &Claim,
        reporter: &Reporter,
        mut facts: Facts,
        keys: Vec<Key>,
        client: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<FactsSaved, StoreError> {
        let id = claim.host.id;
        let store = self.store();
        let source = reporter.source();
        let sets = store.facts(id).await?;
        let facts_of = |set: &FactSet| -> Facts { set.facts.clone() };
        let before = sets.iter().find(|set| set.source == source).map(facts_of);
        // What a source could not read in its first report was perhaps read by another one.
        let known = before
            .clone()
            .or_else(|| sets.iter().max_by_key(|set| set.at).map(facts_of));
        merge::keep_unread(known.as_ref(), &mut facts);
        // What was not read this time goes on being what the host is recognised by.
        let keys = if facts.unread.is_empty() { keys } else { keys_of(&facts) };
        let told = merge::Told {
            host: id,
            source,
            actor: None,
            at: now,
        };
        let mut changes = merge::diff(before.as_ref(), &facts, &told);
        let mut host = claim.host.clone();
        let state = lifecycle::apply(host.state, reporter.cause()).unwrap_or(host.state);
        if state != host.state {
            changes.push(Change {
                id: new_id(now),
                host: id,
                at: now,
                source,
                actor: None,
                field: "state".to_owned(),
                before: Some(host.state.as_str().to_owned()),
                after: Some(state.as_str().to_owned()),
            });
            host.state = state;
        }
        host.summary = merge::summary(&facts);
        host.reported_at = Some(now);
        host.last_seen_at = now;
        host.address = Some(client);
        let of_host = |kind, level| {
            let mut event = reporter.event(now, kind, level);
            event.host = Some(id);
            event
        };
        let of_boot = matches!(reporter, Reporter::Boot(_));
        let mut events = Vec::with_capacity(3);
        if !host.ambiguous_with.is_empty() {
            let others = host.ambiguous_with.iter().map(ToString::to_string).collect::<Vec<_>>();
            events.push(of_host(EventKind::HostAmbiguous, Level::Warn).with("hosts", others.join(" ")));
        } else if let Some(by) = claim.by.as_ref().filter(|_| of_boot && before.is_some()) {
            events.push(
                of_host(EventKind::HostRecognised, Level::Info)
                    .with("key", by.kind.as_str())
                    .with("value", by.value.clone()),
            );
        }
        events.push(
            of_host(EventKind::FactsAccepted, Level::Info)
                .with("client", client.to_string())
                .with("source", source.as_str())
                .with("changes", changes.len().to_string())
                .with("disks", facts.disks.len().to_string())
                .with("dimms", facts.memory.dimms.len().to_string())
                .with("nics", facts.nics.len().to_string())
                .with("unread", facts.unread.len().to_string()),
        );
        if of_boot {
            events.push(of_host(EventKind::NextTold, Level::Info).with("next", self.step_for(&host).action.as_str()));
        }
        Ok(FactsSaved {
            interfaces: merge::interfaces(id, &store.interfaces(id).await?, &facts, now),
            components: merge::components(id, &store.components(id).await?, &facts),
            source,
            at: now,
            keys,
            changes,
            events,
            absorbed: claim.absorbed.clone(),
            host,
            facts,
        })
    }

    /// An event of the boot that a token was made for.
    fn of_boot(&self, token: &BootToken, kind: EventKind, level: Level) -> Event {
        Reporter::Boot(token.clone()).event(self.now(), kind, level)
    }

    fn step_for(&self, host: &Host) -> NextStep {
        // Only a machine that nobody has plans for is sent away; the others wait for what comes.
        let installer = self.with_installs(|installs| installs.boot(host.id)) == Some(BootChoice::Installer);
        let action = match host.state {
            _ if installer => AfterFacts::Reboot,
            State::Discovered | State::Inventoried => self.policy().after_facts,
            _ => AfterFacts::Wait,
        };
        NextStep {
            host: host.id,
            name: host.name.clone(),
            action,
            poll_seconds: POLL_SECONDS,
        }
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}
