//! A machine's report: who it is, what changed, and what it does next.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use muster_facts::{Facts, MacAddr};

use super::{Discovery, FeedItem, View, tokens::TokenState};
use crate::{
    boot::{AfterFacts, BootToken, Event, EventKind, Level},
    install::BootChoice,
    inventory::{
        Change, Host, HostId, Key, Source, State,
        identity::{Identified, identify, keys_of},
        lifecycle::{self, Cause},
        merge, new_id,
    },
    store::{FactsSaved, StoreError, Write},
};

/// How often a waiting machine asks what to do, seconds.
const POLL_SECONDS: u32 = 10;

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

/// Whose report it is.
struct Judged {
    host: HostId,
    by: Option<Key>,
    /// Stubs that are this machine.
    absorbed: Vec<HostId>,
    /// Hosts it may be as well.
    doubtful: Vec<HostId>,
}

/// What a report is taken for, and what has to move.
struct Claim {
    host: Host,
    is_new: bool,
    by: Option<Key>,
    absorbed: Vec<HostId>,
    /// What the host was recognised by before, to be put back when the commit fails.
    keys_before: Vec<Key>,
}

impl Discovery {
    /// Takes a report: identity, merge, changes, one commit, and only then the answer.
    ///
    /// # Errors
    /// When the token gives no right to report, or the ledger cannot be written.
    pub async fn accept_facts(&self, token: &str, facts: Facts, client: IpAddr) -> Result<NextStep, ReportRefused> {
        let now = self.now();
        let token = self.admit(token, client, now)?;
        let keys = keys_of(&facts);
        // Reports of one host are taken one after the other; hosts do not wait for each other. What was judged while
        // waiting may be gone when the turn comes: then it is judged again.
        let (turn, claim) = loop {
            let judged = self.view().judge(&token, &facts, &keys, now);
            let turn = self.inner.turns.of(judged.host).await;
            if let Some(claim) = self.view().claim(judged, &keys, now) {
                break (turn, claim);
            }
        };
        let saved = match self.merge(&claim, &token, facts, keys, client, now).await {
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
        let step = self.step_for(&host);
        let Some((who, facts)) = after else {
            return Ok(step);
        };
        // What follows from a report may move the host, and takes a turn of its own.
        drop(turn);
        who.reported(host.id, &facts).await;
        let host = self.host(host.id).unwrap_or(host);
        let moved = self.step_for(&host);
        if moved.action != step.action {
            let mut event = self.of_boot(&token, EventKind::NextTold, Level::Info);
            event.host = Some(host.id);
            self.note(event.with("next", moved.action.as_str()));
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
        token: &BootToken,
        mut facts: Facts,
        keys: Vec<Key>,
        client: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<FactsSaved, StoreError> {
        let id = claim.host.id;
        let store = self.store();
        let before = store.facts(id).await?;
        let before = before
            .iter()
            .find(|set| set.source == Source::Netboot)
            .map(|set| &set.facts);
        merge::keep_unread(before, &mut facts);
        // What was not read this time goes on being what the host is recognised by.
        let keys = if facts.unread.is_empty() { keys } else { keys_of(&facts) };
        let told = merge::Told {
            host: id,
            source: Source::Netboot,
            actor: None,
            at: now,
        };
        let mut changes = merge::diff(before, &facts, &told);
        let mut host = claim.host.clone();
        let state = lifecycle::apply(host.state, Cause::Reported).unwrap_or(host.state);
        if state != host.state {
            changes.push(Change {
                id: new_id(now),
                host: id,
                at: now,
                source: Source::Netboot,
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
            let mut event = self.of_boot(token, kind, level);
            event.host = Some(id);
            event
        };
        let mut events = Vec::with_capacity(3);
        if !host.ambiguous_with.is_empty() {
            let others = host.ambiguous_with.iter().map(ToString::to_string).collect::<Vec<_>>();
            events.push(of_host(EventKind::HostAmbiguous, Level::Warn).with("hosts", others.join(" ")));
        } else if let Some(by) = claim.by.as_ref().filter(|_| before.is_some()) {
            events.push(
                of_host(EventKind::HostRecognised, Level::Info)
                    .with("key", by.kind.as_str())
                    .with("value", by.value.clone()),
            );
        }
        events.push(
            of_host(EventKind::FactsAccepted, Level::Info)
                .with("client", client.to_string())
                .with("changes", changes.len().to_string())
                .with("disks", facts.disks.len().to_string())
                .with("dimms", facts.memory.dimms.len().to_string())
                .with("nics", facts.nics.len().to_string())
                .with("unread", facts.unread.len().to_string()),
        );
        events.push(of_host(EventKind::NextTold, Level::Info).with("next", self.step_for(&host).action.as_str()));
        Ok(FactsSaved {
            interfaces: merge::interfaces(id, &store.interfaces(id).await?, &facts, now),
            components: merge::components(id, &store.components(id).await?, &facts),
            source: Source::Netboot,
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
        let mut event = Event::new(self.now(), token.mac, kind, level);
        event.boot = Some(token.boot);
        event
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

impl View {
    /// Finds the host of a report. A new one gets the report's keys at once, so that no second machine with the same
    /// keys becomes a second new host in between.
    fn judge(&mut self, token: &BootToken, facts: &Facts, keys: &[Key], now: DateTime<Utc>) -> Judged {
        let own = self.host_by_mac(token.mac);
        let booted_by_it = facts.nics.iter().any(|nic| nic.mac == Some(token.mac));
        let (host, by, absorbed, doubtful) = match identify(keys, self.keys()) {
            // A report that does not list the interface its token was made for speaks of another machine than the
            // one that booted: it may not replace what is known of that one.
            Identified::Same { host, .. } if !booted_by_it && own.is_some_and(|own| own != host) => {
                (own, None, Vec::new(), vec![host])
            }
            Identified::Same { host, by, stubs } => (Some(host), Some(by), stubs, Vec::new()),
            Identified::New => (None, None, Vec::new(), Vec::new()),
            Identified::Ambiguous { hosts, mut stubs } => {
                let own = (!stubs.is_empty()).then(|| stubs.remove(0));
                (own, None, stubs, hosts)
            }
        };
        let host = host.unwrap_or_else(|| {
            let id = HostId(new_id(now));
            self.keys_mut().set(id, keys.to_vec());
            id
        });
        Judged {
            host,
            by,
            absorbed,
            doubtful,
        }
    }

    /// Takes the report's keys for its host, when its turn has come. `None`: that host is gone.
    fn claim(&mut self, judged: Judged, keys: &[Key], now: DateTime<Utc>) -> Option<Claim> {
        let id = judged.host;
        let known = self.host(id).cloned();
        let keys_before = self.keys().keys(id).to_vec();
        if known.is_none() && keys_before.is_empty() && !keys.is_empty() {
            return None;
        }
        let is_new = known.is_none();
        let mut host = known.unwrap_or_else(|| Host::discovered(id, now));
        host.ambiguous_with = judged.doubtful;
        self.keys_mut().set(id, keys.to_vec());
        Some(Claim {
            absorbed: judged.absorbed.into_iter().filter(|stub| *stub != id).collect(),
            host,
            is_new,
            by: judged.by,
            keys_before,
        })
    }

    /// What is on disk now: the host's row, its interfaces, and no more stubs of it.
    fn settle(&mut self, host: &Host, macs: &[MacAddr], absorbed: &[HostId], keys: Vec<Key>) {
        for stub in absorbed {
            self.installs.absorb(*stub, host.id);
            self.remove_host(*stub);
        }
        self.keys_mut().set(host.id, keys);
        // Verdict and name are others' to tell; they may have changed while the report was on its way.
        let kept = self.host(host.id).unwrap_or(host);
        let settled = Host {
            name: kept.name.clone(),
            boot_verdict: kept.boot_verdict.clone(),
            booted_at: kept.booted_at,
            last_seen_at: kept.last_seen_at.max(host.last_seen_at),
            ..host.clone()
        };
        self.put_host(settled);
        for mac in macs {
            self.put_interface(*mac, host.id);
        }
    }

    fn unclaim(&mut self, claim: &Claim) {
        if claim.is_new {
            self.keys_mut().remove(claim.host.id);
        } else {
            let reported = claim.host.reported_at.is_some();
            self.keys_mut()
                .enter(claim.host.id, claim.keys_before.clone(), reported);
        }
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}
