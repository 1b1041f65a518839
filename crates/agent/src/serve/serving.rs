//! One credential at work: what is due is done, one thing after the other.

use std::thread;
use std::time::{Duration, Instant};

use muster_facts::Facts;

use super::delivery::{Delivery, Refused, Samples};
use super::look::Looker;
use super::patience::{Patience, Setback};
use super::rhythm::{Due, Rhythm};
use super::sampler::Sampler;
use super::{is_refused_credential, say};
use crate::report::{AgentAnswer, AgentServer, Beat, ReportError};

/// A server that takes reports.
pub(super) trait Server {
    /// Its base URL, for the journal.
    fn base(&self) -> &str;
    /// Takes facts.
    fn facts(&self, facts: &Facts) -> Result<AgentAnswer, ReportError>;
    /// Takes a sign of life.
    fn heartbeat(&self, beat: &Beat) -> Result<AgentAnswer, ReportError>;
}

impl Server for AgentServer {
    fn base(&self) -> &str {
        self.base()
    }

    fn facts(&self, facts: &Facts) -> Result<AgentAnswer, ReportError> {
        self.facts(facts)
    }

    fn heartbeat(&self, beat: &Beat) -> Result<AgentAnswer, ReportError> {
        self.heartbeat(beat)
    }
}

/// The time in which it happens.
pub(super) trait Time {
    /// A clock that nobody sets.
    fn now(&self) -> Instant;
    /// Waits, while the machine is measured.
    fn sleep(&mut self, pause: Duration);
    /// There is a sign of life this often.
    fn keep_pace(&mut self, heartbeat: Duration);
}

/// The machine's own time, with the thread that measures in it.
#[derive(Debug)]
pub(super) struct Real<'a>(pub(super) &'a mut Sampler);

impl Time for Real<'_> {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&mut self, pause: Duration) {
        thread::sleep(pause);
    }

    fn keep_pace(&mut self, heartbeat: Duration) {
        self.0.keep_pace(heartbeat);
    }
}

/// One credential at work.
pub(super) struct Serving<'a, S, T> {
    server: S,
    time: T,
    looker: &'a mut Looker,
    delivery: Delivery,
    rhythm: Rhythm,
    patience: Patience,
    known_as: Option<String>,
}

impl<'a, S: Server, T: Time> Serving<'a, S, T> {
    pub(super) fn new(server: S, time: T, looker: &'a mut Looker, samples: Samples) -> Self {
        Self {
            rhythm: Rhythm::new(time.now()),
            server,
            time,
            looker,
            delivery: Delivery::new(samples),
            patience: Patience::default(),
            known_as: None,
        }
    }

    /// Reports and says that the machine is there until the server refuses the credential.
    pub(super) fn run(&mut self) -> Setback {
        loop {
            let (due, pause) = self.rhythm.next(self.time.now());
            self.time.sleep(pause);
            let answer = match due {
                Due::Look => match self.look() {
                    Some(answer) => answer,
                    None => continue,
                },
                Due::Heartbeat => self.server.heartbeat(&self.delivery.next()),
            };
            let now = self.time.now();
            match answer {
                Ok(answer) => {
                    if self.patience.success() {
                        say("the server answers again");
                    }
                    self.tell_name(&answer.host, answer.name.as_deref());
                    self.rhythm.answered(&answer, now);
                    self.time.keep_pace(self.rhythm.heartbeat());
                    if due == Due::Heartbeat && self.delivery.answered(answer.acknowledged) {
                        self.rhythm.has_more(now);
                    }
                }
                Err(error) if is_refused_credential(&error) => {
                    return Setback::slow(format!(
                        "the server refuses this machine's credential: {error}; install the machine anew, or give its \
                         agent a new token"
                    ));
                }
                // The machine is there all the same, and goes on saying so.
                Err(error) if due == Due::Look && is_refused_report(&error) => {
                    say(&format!("the server does not take the facts of this machine: {error}"));
                    self.rhythm.reported();
                }
                Err(error) => self.failed(due, &error, now),
            }
        }
    }

    fn failed(&mut self, due: Due, error: &ReportError, now: Instant) {
        let refused = (due == Due::Heartbeat).then(|| self.delivery.failed(error)).flatten();
        if let Some(refused) = refused {
            if refused == Refused::One {
                say(&format!(
                    "the server does not take a sample, which is thrown away: {error}"
                ));
            }
            self.rhythm.refused(now);
            return;
        }
        let setback = self.patience.failure(self.server.base(), error);
        say(&setback.words);
        self.rhythm.failed(due, setback.pause, now);
    }

    /// Looks at the machine, and reports when there is something new. `None`: there is not.
    fn look(&mut self) -> Option<Result<AgentAnswer, ReportError>> {
        let wanted = self.rhythm.is_wanted();
        let found = self.looker.look();
        self.rhythm.looked(self.time.now());
        let facts = match found {
            Ok(facts) => facts,
            Err(why) => {
                say(&why);
                return None;
            }
        };
        if !self.looker.is_due(&facts, wanted) {
            return None;
        }
        let answer = self.server.facts(&facts);
        match &answer {
            Ok(_) => {
                self.looker.told(&facts);
                say("the facts of this machine are reported");
            }
            Err(error) if is_refused_report(error) => self.looker.refused(&facts),
            Err(_) => {}
        }
        Some(answer)
    }

    fn tell_name(&mut self, host: &str, name: Option<&str>) {
        let name = name.unwrap_or(host);
        if self.known_as.as_deref() != Some(name) {
            say(&format!("the server knows this machine as {name}"));
            self.known_as = Some(name.to_owned());
        }
    }
}

/// Whether the server has understood the facts and does not take them.
const fn is_refused_report(error: &ReportError) -> bool {
    matches!(
        error,
        ReportError::Refused {
            status: 409 | 413 | 422,
            ..
        }
    )
}

#[cfg(test)]
mod tests;
