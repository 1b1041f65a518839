//! What rules would give, without giving it.

use std::sync::Arc;

use super::Rules;
use crate::{
    desired::{
        Fault,
        rules::{Answer, By, Decision, Offer, Rule, RuleBook, Sighted, Standing, decide},
    },
    inventory::{HostId, State, identity::is_junk_serial},
    provision::{CatalogFault, catalog::NameBook, long_work::Stopped},
    store::ReportedHost,
};

/// Hosts read at a time.
const PAGE: u64 = 200;

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrialAsked {
    /// A rule as it might be entered: it takes part beside the others, or instead of the one of its name.
    pub candidate: Option<Rule>,
    /// Only what this rule gives; all rules without it.
    pub only: Option<String>,
    /// Only this host.
    pub host: Option<HostId>,
    /// List hosts that are given nothing too, and why.
    pub misses: bool,
    /// Hosts to list at most.
    pub limit: usize,
}

/// One value that a host would be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenField {
    /// `profile`, `hostname`, `place` or `tags`.
    pub field: &'static str,
    /// What.
    pub value: String,
    /// By which rule.
    pub rule: String,
}

/// A rule that gives a host nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Which rule.
    pub rule: String,
    /// Why not.
    pub why: String,
}

/// What one host would be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialHost {
    /// Which.
    pub host: HostId,
    /// Its name, else its serial number, else its id.
    pub label: String,
    /// Where it is in its life.
    pub state: State,
    /// What it would be given.
    pub gives: Vec<GivenField>,
    /// Its installation would be started, had it none before.
    pub install: bool,
    /// What it would not be given although a rule matches, and why.
    pub notes: Vec<String>,
    /// Rules that do not match, when that was asked for.
    pub misses: Vec<Missed>,
}

/// What rules would give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trial {
    /// Hosts that have reported.
    pub looked_at: usize,
    /// Hosts that have not: nothing is known that a rule could ask for, and none was tried on them.
    pub without_facts: usize,
    /// Hosts that a rule matches.
    pub matched: usize,
    /// Hosts whose installation would be started, listed or not.
    pub installs: usize,
    /// Those that match, up to the limit; those that would be installed come first.
    pub hosts: Vec<TrialHost>,
}

impl Rules {
    /// Tries rules on every host that has reported; nothing is changed. Expressions are worked out off the threads that
    /// answer machines, a page of hosts at a time, and of few questions at once.
    ///
    /// # Errors
    /// [`crate::desired::Fault`] when the candidate cannot be or there is no such rule; or the ledger cannot be read.
    pub async fn trial(&self, asked: &TrialAsked) -> Result<Trial, CatalogFault> {
        let place = self.trials.place().await;
        let known = self.book().await?;
        let book: Arc<RuleBook> = match &asked.candidate {
            Some(rule) => {
                self.check(rule).await?;
                Arc::new(known.with(rule.clone()))
            }
            None => known,
        };
        if let Some(only) = &asked.only {
            book.rule(only)?;
        }
        let mut names = self.catalog.name_book().await?;
        let mut trial = Trial::default();
        let mut after = None;
        let asked = Arc::new(asked.clone());
        loop {
            let page = self.store.reported_hosts(after, PAGE).await?;
            let Some(last) = page.last() else {
                trial.without_facts = self.without_facts(asked.host).await?;
                trial.end(asked.limit);
                return Ok(trial);
            };
            after = Some(last.host.id);
            let (book, asked) = (Arc::clone(&book), Arc::clone(&asked));
            let piece = move || {
                for reported in &page {
                    trial.take(&book, &asked, reported, &mut names);
                }
                (trial, names)
            };
            (trial, names) = place.run(piece).await.map_err(stopped)?;
        }
    }
}

impl Rules {
    /// How many of the hosts that are asked about have not reported.
    async fn without_facts(&self, only: Option<HostId>) -> Result<usize, CatalogFault> {
        Ok(match only {
            Some(id) => {
                let host = self.store.host(id).await?;
                usize::from(host.is_some_and(|host| host.reported_at.is_none()))
            }
            None => usize::try_from(self.store.unreported_hosts().await?).unwrap_or(usize::MAX),
        })
    }
}

impl Trial {
    fn take(&mut self, book: &RuleBook, asked: &TrialAsked, reported: &ReportedHost, names: &mut NameBook) {
        if asked.host.is_some_and(|host| host != reported.host.id) {
            return;
        }
        self.looked_at += 1;
        let (matched, host) = try_on(book, asked, reported, names);
        self.matched += usize::from(matched);
        // Those that would be installed have all places of the list, if there are so many.
        let listed = if host.install { self.installs } else { self.hosts.len() };
        self.installs += usize::from(host.install);
        if (matched || asked.misses) && listed < asked.limit {
            self.hosts.push(host);
        }
    }

    /// Puts first what is to be seen first.
    fn end(&mut self, limit: usize) {
        self.hosts.sort_by_key(|host| !host.install);
        self.hosts.truncate(limit);
    }
}

fn stopped(stopped: Stopped) -> CatalogFault {
    Fault::unshown("rule", stopped.to_string(), "try the rules one by one to find the one").into()
}

/// Whether a rule matches, and what it comes to.
fn try_on(book: &RuleBook, asked: &TrialAsked, reported: &ReportedHost, names: &mut NameBook) -> (bool, TrialHost) {
    let ReportedHost { host, plan, facts } = reported;
    let sighted = Sighted::new(facts);
    let only = asked.only.as_deref().and_then(|name| book.rule(name).ok());
    let wanted = |rule: &str| only.is_none_or(|only| only.name == rule);
    let mut out = TrialHost {
        host: host.id,
        label: host
            .name
            .clone()
            .or_else(|| host.summary.serial.clone().filter(|serial| !is_junk_serial(serial)))
            .unwrap_or_else(|| host.id.to_string()),
        state: host.state,
        gives: Vec::new(),
        install: false,
        notes: Vec::new(),
        misses: Vec::new(),
    };
    let mut matched = false;
    for judged in book.answers(&sighted, asked.misses) {
        if !wanted(&judged.rule.name) {
            continue;
        }
        let why = match judged.answer {
            Answer::Matches => {
                matched = true;
                continue;
            }
            Answer::Misses(why) => why,
            Answer::Fails(fault) => Some(fault.to_string()),
        };
        out.misses.extend(why.filter(|_| asked.misses).map(|why| Missed {
            rule: judged.rule.name.clone(),
            why,
        }));
    }
    if !matched {
        return (false, out);
    }
    let mut offer = book.offer(&sighted);
    let standing = Standing {
        state: host.state,
        name: host.name.as_deref(),
        doubtful: !host.ambiguous_with.is_empty(),
        plan,
    };
    let decided = decide(&offer, &standing).map(|mut decision| {
        if let Some(name) = &decision.name
            && let Some(owner) = names.take(&decision.planned(plan), Some(&name.value))
        {
            offer.refuse_hostname(&format!("host {owner}"));
            decision = decide(&offer, &standing).unwrap_or_default();
        }
        decision
    });
    match decided {
        Err(why) => out.notes.push(why),
        Ok(decision) => told(&mut out, &offer, &decision, only),
    }
    (true, out)
}

fn told(out: &mut TrialHost, offer: &Offer, decision: &Decision, only: Option<&Rule>) {
    let wanted = |rule: &str| only.is_none_or(|only| only.name == rule);
    let would = |field: &str| {
        only.is_some_and(|only| match field {
            "profile" => only.profile.is_some(),
            "hostname" => only.hostname.is_some(),
            _ => only.place.is_some(),
        })
    };
    let kept = |field: &str| decision.kept.iter().any(|(known, _)| *known == field);
    let mut put = |field: &'static str, by: &By<String>| {
        if wanted(&by.rule) {
            out.gives.push(GivenField {
                field,
                value: by.value.clone(),
                rule: by.rule.clone(),
            });
        } else if would(field) {
            out.notes
                .push(format!("rule {} gives {field} {} first", by.rule, by.value));
        }
    };
    if let Some(profile) = offer.profile.as_ref().filter(|_| !kept("profile")) {
        put("profile", profile);
    }
    if let Some(hostname) = offer.hostname.as_ref().filter(|_| !kept("hostname")) {
        put("hostname", hostname);
    }
    if let Some(place) = &offer.place {
        put("place", place);
    }
    for tag in offer.tags.iter().filter(|tag| wanted(&tag.rule)) {
        out.gives.push(GivenField {
            field: "tags",
            value: tag.value.clone(),
            rule: tag.rule.clone(),
        });
    }
    out.install = decision.install && decision.profile.as_ref().is_some_and(|profile| wanted(&profile.rule));
    out.notes
        .extend(decision.kept.iter().map(|(field, why)| format!("{field}: {why}")));
    let refused = offer.refused.iter().filter(|refused| wanted(&refused.rule));
    out.notes
        .extend(refused.map(|refused| format!("rule {}: {}", refused.rule, refused.value)));
}
