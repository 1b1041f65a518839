//! The answer files of every host that has a profile: read in a few large steps, each while the one before it is
//! rendered on all processors.

use std::{collections::HashMap, io};

use muster_facts::Facts;

use super::{Answers, AnswersFault, plain, preview::wrong_values, render};
use crate::{
    desired::{AboveHosts, Fault, HostPlan},
    install::redact,
    inventory::Host,
    provision::{HostDesired, catalog::label, install::AnswerContext},
    render::answer::{Grade, Ksvalidator, PlainAnswer, check_with},
};

/// Hosts whose facts are read together.
const STEP: usize = 256;

/// One host's file, as [`Answers::preview_all`] hands it over.
#[derive(Debug, Clone, Copy)]
pub struct Rendered<'a> {
    /// The host's name, else its id.
    pub label: &'a str,
    /// Its file, without secrets.
    pub text: &'a str,
}

/// What came of rendering every host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Every {
    /// Files that were handed over.
    pub files: usize,
    /// Hosts without a file, or whose file an installer would refuse, and why.
    pub faults: Vec<(String, String)>,
}

impl Answers {
    /// Renders the file of each host that has a profile and hands it to `write`. The calling thread renders too and waits
    /// for the others: for a command, not for a server's thread.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `write` fails.
    pub async fn preview_all(
        &self,
        base_url: &str,
        check: bool,
        write: impl Fn(&Rendered<'_>) -> io::Result<()> + Sync,
    ) -> Result<Every, EveryFault> {
        let objects = self.catalog.objects().await.map_err(AnswersFault::from)?;
        let plans = self.store.plans().await.map_err(AnswersFault::from)?;
        let context = AnswerContext::of_preview(base_url);
        let ksvalidator = check.then(Ksvalidator::find).flatten();
        let mut every = Every::default();
        let above: HashMap<&str, Result<AboveHosts, Fault>> = objects
            .profiles
            .keys()
            .map(|name| (name.as_str(), objects.above_hosts(Some(name))))
            .collect();
        let missing = |name: &str| objects.above_hosts(Some(name)).map(|_| ()).err();
        let mut plans = plans.into_iter().filter(|(_, plan)| plan.profile.is_some());
        let mut read_next = || {
            let hosts: Vec<_> = plans.by_ref().take(STEP).collect();
            let ids: Vec<_> = hosts.iter().map(|(host, _)| host.id).collect();
            let store = self.store.clone();
            (!hosts.is_empty()).then(|| (hosts, tokio::spawn(async move { store.newest_facts(&ids).await })))
        };
        let mut next = read_next();
        while let Some((step, facts)) = next {
            let facts = match facts.await {
                Ok(facts) => facts.map_err(AnswersFault::from)?,
                Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
            };
            // Read while these are rendered.
            next = read_next();
            let one = |(host, plan): (Host, HostPlan)| -> (String, Result<(), EveryFault>) {
                let label = label(&host);
                let known = facts.get(&host.id);
                let profile = plan.profile.as_deref().unwrap_or_default();
                let answer = match above.get(profile) {
                    Some(Ok(above)) => {
                        let desired = HostDesired::below(host, plan, above);
                        self.rendered(&desired, known, &context, check.then_some(ksvalidator.as_ref()))
                    }
                    Some(Err(fault)) => Err(AnswersFault::from(fault.clone()).into()),
                    None => Err(missing(profile)
                        .map_or(AnswersFault::Unknown, AnswersFault::from)
                        .into()),
                };
                let done = answer.and_then(|answer| {
                    let text = redact(&answer.text, answer.secrets.iter().map(String::as_str));
                    let label = label.as_str();
                    write(&Rendered { label, text: &text }).map_err(EveryFault::Write)
                });
                (label, done)
            };
            for (label, done) in on_all_processors(step, one) {
                match done {
                    Ok(()) => every.files += 1,
                    Err(EveryFault::Write(error)) => return Err(EveryFault::Write(error)),
                    Err(fault) => every.faults.push((label, fault.to_string())),
                }
            }
        }
        Ok(every)
    }

    /// One host's file; read by the checkers too when `check` is there.
    fn rendered(
        &self,
        desired: &HostDesired,
        known: Option<&Facts>,
        context: &AnswerContext,
        check: Option<Option<&Ksvalidator>>,
    ) -> Result<PlainAnswer, EveryFault> {
        let Some(ksvalidator) = check else {
            return Ok(plain(&self.library, desired, known, context)?);
        };
        let answer = render(&self.library, desired, known, context)?;
        let mut findings = wrong_values(desired);
        findings.extend(check_with(&answer, ksvalidator));
        if let Some(finding) = findings.into_iter().find(|finding| finding.grade == Grade::Error) {
            let why = format!("line {}: {} ({})", finding.line, finding.message, finding.checker);
            let secrets = answer.secrets.iter().map(String::as_str);
            return Err(EveryFault::Refused(redact(&why, secrets)));
        }
        Ok(PlainAnswer {
            text: answer.text,
            secrets: answer.secrets,
        })
    }
}

/// Why not every host's file was made.
#[derive(Debug, thiserror::Error)]
pub enum EveryFault {
    /// The ledger, or one host's template.
    #[error(transparent)]
    Answers(#[from] AnswersFault),
    /// An installer would refuse it.
    #[error("{0}")]
    Refused(String),
    /// The file could not be written.
    #[error("an answer file could not be written")]
    Write(#[source] io::Error),
}

/// The results of `work` on each item, in order.
fn on_all_processors<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(1);
    let work = &work;
    let mut items = items.into_iter();
    std::thread::scope(|scope| {
        let mut parts = Vec::new();
        while items.len() > 0 {
            let part: Vec<T> = items.by_ref().take(share).collect();
            parts.push(scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>()));
        }
        parts
            .into_iter()
            .flat_map(|part| match part.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}
