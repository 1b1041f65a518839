//! Rules are asked when a host has reported, and for all hosts when somebody wants it.

use std::sync::Arc;

use muster_facts::{Facts, MacAddr};

use super::{ASKED, Rules};
use crate::{
    boot::{Event, EventKind, Level},
    desired::rules::{By, Decision, GivenLayer, Offer, RuleBook, Sighted, Standing, decide},
    discovery::{AfterReport, Consequences, Discovery, Gift, MoveRefused},
    inventory::{HostId, State},
    provision::install::{Installs, Start},
    store::{InstallQuery, StoreError},
};

/// Where it is kept up to which wish rules were applied to all hosts.
const APPLIED: &str = "rules.applied";

/// Hosts read at a time.
const PAGE: u64 = 200;

/// Refusals told of one report at most.
const MOST_TOLD: usize = 5;

/// How often it is tried again when a person was quicker.
const ATTEMPTS: usize = 3;

/// What applying rules to all hosts came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Hosts that have reported.
    pub looked_at: usize,
    /// Hosts that were given something.
    pub changed: usize,
}

/// Gives hosts what rules say. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RuleGiver {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    discovery: Discovery,
    rules: Rules,
    /// Without it no rule starts an installation.
    installs: Option<Installs>,
    /// One name at a time: of two hosts that would get the same, the second one is told.
    naming: tokio::sync::Mutex<()>,
}

impl AfterReport for RuleGiver {
    fn reported<'a>(&'a self, host: HostId, facts: &'a Facts) -> Consequences<'a> {
        Box::pin(async move {
            if let Err(error) = self.give(host, facts).await {
                tracing::error!(%host, %error, "rules could not be asked about a report; they are at the next one");
            }
        })
    }
}

impl RuleGiver {
    /// Is told of every report from now on.
    #[must_use]
    pub fn open(discovery: &Discovery, rules: Rules, installs: Option<Installs>) -> Self {
        let giver = Self {
            inner: Arc::new(Inner {
                discovery: discovery.clone(),
                rules,
                installs,
                naming: tokio::sync::Mutex::default(),
            }),
        };
        discovery.after_report(Arc::new(giver.clone()));
        giver
    }

    /// Gives a host what rules say of its facts; true when it was given anything new.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn give(&self, host: HostId, facts: &Facts) -> Result<bool, StoreError> {
        let book = self.inner.rules.book().await?;
        let sighted = Sighted::new(facts);
        for _ in 1..ATTEMPTS {
            match self.attempt(host, &book, &sighted).await {
                Err(StoreError::Overtaken | StoreError::NameTaken(_)) => {}
                done => return done,
            }
        }
        self.attempt(host, &book, &sighted).await
    }

    async fn attempt(&self, id: HostId, book: &RuleBook, facts: &Sighted) -> Result<bool, StoreError> {
        let discovery = &self.inner.discovery;
        let Some(host) = discovery.host(id) else {
            return Ok(false);
        };
        let plan = discovery.store().plan(id).await?;
        let mut offer = book.offer(facts);
        let standing = Standing {
            state: host.state,
            name: host.name.as_deref(),
            doubtful: !host.ambiguous_with.is_empty(),
            plan: &plan,
        };
        let Ok(mut decision) = decide(&offer, &standing) else {
            return Ok(false);
        };
        let mut naming = None;
        if let Some(name) = &decision.name {
            naming = Some(self.inner.naming.lock().await);
            let named = decision.planned(&plan);
            let catalog = &self.inner.rules.catalog;
            if let Some(owner) = catalog.namesake(&named, Some(&name.value)).await? {
                offer.refuse_hostname(&format!("host {owner}"));
                decision = decide(&offer, &standing).unwrap_or_default();
            }
        }
        self.tell_refused(id, &offer);
        if !decision.changes {
            return Ok(false);
        }
        let gift = Gift {
            host: id,
            profile: decision.profile.clone(),
            profile_before: plan.profile.clone(),
            name: decision.name.clone(),
            layers: decision.layers.clone(),
        };
        let state = match discovery.give(gift).await {
            Ok(state) => state,
            Err(MoveRefused::NotKept(error)) => return Err(error),
            // It has moved on, or is gone, while it was looked at.
            Err(MoveRefused::Unknown | MoveRefused::Lifecycle(_)) => return Ok(false),
        };
        self.tell_given(id, &decision, &plan.given);
        drop(naming);
        if let Some(profile) = decision
            .profile
            .filter(|_| decision.install && state == State::Assigned)
        {
            self.install(id, &profile).await?;
        }
        Ok(true)
    }

    /// Starts the installation of a host that never had one. Whatever became of an earlier one, a person decides.
    async fn install(&self, host: HostId, by: &By<String>) -> Result<(), StoreError> {
        let Some(installs) = &self.inner.installs else {
            return Ok(());
        };
        let query = InstallQuery {
            host: Some(host),
            limit: 1,
            ..InstallQuery::default()
        };
        let (_, before) = self.inner.discovery.store().installs(&query).await?;
        if before > 0 {
            self.tell_refusal(
                host,
                &by.rule,
                "an installation",
                "the host had one before; a person decides",
            );
            return Ok(());
        }
        let start = Start {
            host,
            typed: None,
            actor: format!("rule:{}", by.rule),
        };
        if let Err(refused) = installs.start(start).await {
            self.tell_refusal(host, &by.rule, "an installation", &refused.to_string());
        }
        Ok(())
    }

    /// Applies all rules to all hosts when somebody has asked for it since the last time. For a call every few seconds.
    pub async fn look(&self) {
        if let Err(error) = self.apply_when_asked().await {
            tracing::error!(%error, "rules could not be applied to all hosts; it is tried again");
        }
    }

    async fn apply_when_asked(&self) -> Result<(), StoreError> {
        let store = self.inner.discovery.store();
        let Some(asked) = store.setting(ASKED).await? else {
            return Ok(());
        };
        if store.setting(APPLIED).await?.as_ref() == Some(&asked) {
            return Ok(());
        }
        let Applied { looked_at, changed } = self.apply().await?;
        tracing::info!(looked_at, changed, "rules were applied to all hosts");
        store.put_setting(APPLIED, &asked).await
    }

    /// Applies all rules to all hosts.
    ///
    /// # Errors
    /// When the ledger fails; what was given until then stays.
    pub async fn apply(&self) -> Result<Applied, StoreError> {
        let mut applied = Applied::default();
        let mut after = None;
        loop {
            let page = self.inner.discovery.store().reported_hosts(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(applied);
            };
            after = Some(last.host.id);
            for reported in page {
                applied.looked_at += 1;
                if self.give(reported.host.id, &reported.facts).await? {
                    applied.changed += 1;
                }
            }
        }
    }

    /// One event for each rule that gave something.
    fn tell_given(&self, host: HostId, decision: &Decision, before: &[GivenLayer]) {
        let mut gave: Vec<(String, Vec<String>)> = Vec::new();
        let mut add = |rule: &str, what: String| match gave.iter_mut().find(|(known, _)| known == rule) {
            Some((_, list)) => list.push(what),
            None => gave.push((rule.to_owned(), vec![what])),
        };
        if let Some(profile) = &decision.profile {
            add(&profile.rule, format!("profile {}", profile.value));
        }
        for layer in decision.layers.iter().filter(|layer| !before.contains(layer)) {
            for (field, value) in layer.values.as_map() {
                let value = match value {
                    serde_json::Value::Array(items) => {
                        let items: Vec<&str> = items.iter().filter_map(serde_json::Value::as_str).collect();
                        items.join(" ")
                    }
                    value => value.as_str().unwrap_or_default().to_owned(),
                };
                add(&layer.rule, format!("{field} {value}"));
            }
        }
        for (rule, what) in gave {
            let event = self
                .event(host, EventKind::RuleGave, Level::Info)
                .with("rule", rule)
                .with("gives", what.join(", "));
            self.inner.discovery.note(event);
        }
    }

    fn tell_refused(&self, host: HostId, offer: &Offer) {
        for refused in offer.refused.iter().take(MOST_TOLD) {
            self.tell_refusal(host, &refused.rule, &refused.value.field, &refused.value.to_string());
        }
    }

    fn tell_refusal(&self, host: HostId, rule: &str, gives: &str, why: &str) {
        let event = self
            .event(host, EventKind::RuleRefused, Level::Warn)
            .with("rule", rule)
            .with("gives", gives)
            .with("why", why.chars().take(300).collect::<String>());
        self.inner.discovery.note(event);
    }

    fn event(&self, host: HostId, kind: EventKind, level: Level) -> Event {
        let discovery = &self.inner.discovery;
        Event {
            mac: discovery.macs_of(host).first().copied(),
            host: Some(host),
            ..Event::new(discovery.now(), MacAddr([0; 6]), kind, level)
        }
    }
}
