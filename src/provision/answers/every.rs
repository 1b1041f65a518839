//! The answer files of every host that has a profile: read in a few large steps, rendered on all processors.

use std::io;

use super::{Answers, AnswersFault, plain, preview::wrong_values, render};
use crate::{
    desired::HostPlan,
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
    /// Renders the file of each host that has a profile and hands it to `write`.
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
        let mut plans = plans.into_iter().filter(|(_, plan)| plan.profile.is_some()).peekable();
        while plans.peek().is_some() {
            let step: Vec<_> = plans.by_ref().take(STEP).collect();
            let hosts: Vec<_> = step.iter().map(|(host, _)| host.id).collect();
            let facts = self.store.newest_facts(&hosts).await.map_err(AnswersFault::from)?;
            let one = |(host, plan): &(Host, HostPlan)| -> Result<(), EveryFault> {
                let known = facts.get(&host.id);
                let desired = HostDesired::with(host.clone(), plan.clone(), &objects).map_err(AnswersFault::from)?;
                let answer = if check {
                    let answer = render(&self.library, &desired, known, &context)?;
                    let mut findings = wrong_values(&desired);
                    findings.extend(check_with(&answer, ksvalidator.as_ref()));
                    if let Some(finding) = findings.into_iter().find(|finding| finding.grade == Grade::Error) {
                        let why = format!("line {}: {} ({})", finding.line, finding.message, finding.checker);
                        return Err(EveryFault::Refused(redact(
                            &why,
                            answer.secrets.iter().map(String::as_str),
                        )));
                    }
                    PlainAnswer {
                        text: answer.text,
                        secrets: answer.secrets,
                    }
                } else {
                    plain(&self.library, &desired, known, &context)?
                };
                let text = redact(&answer.text, answer.secrets.iter().map(String::as_str));
                write(&Rendered {
                    label: &label(host),
                    text: &text,
                })
                .map_err(EveryFault::Write)
            };
            let done = on_all_processors(&step, one);
            for ((host, _), done) in step.iter().zip(done) {
                match done {
                    Ok(()) => every.files += 1,
                    Err(EveryFault::Write(error)) => return Err(EveryFault::Write(error)),
                    Err(fault) => every.faults.push((label(host), fault.to_string())),
                }
            }
        }
        Ok(every)
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
fn on_all_processors<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| match part.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}
