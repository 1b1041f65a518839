//! Reports the machine and obeys the server, for as long as the machine runs.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use muster_facts::Facts;

use super::console::Console;
use super::trouble::Trouble;
use crate::gather::{self, Options};
use crate::report::{Answer, BootServer, Next, ReportError, Stage};

/// The server never learns of a refused token by itself; a restart gets a new one.
const RESTART_AFTER_REFUSED_TOKEN: Duration = Duration::from_secs(10 * 60);
/// Pause after an answer that will not change soon.
const SLOW_RETRY: Duration = Duration::from_secs(60);
/// Switches tell their name every 30 s (IEEE 802.1AB 9.2.5.7).
const LLDP_WAIT: Duration = Duration::from_secs(32);
/// Bounds on what a server may ask for.
const POLL_LIMITS: (u64, u64) = (1, 3600);

/// How the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Restart.
    Reboot,
    /// Switch off.
    Poweroff,
}

/// What to do after a report failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setback {
    /// What is shown.
    pub(super) trouble: Trouble,
    /// When to try again.
    pub(super) pause: Duration,
    /// Whether the machine restarts now.
    pub(super) restart: bool,
}

/// Decides after failures; counts what lies behind.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    refused_since: Option<Instant>,
}

impl Patience {
    /// A report arrived.
    pub(super) fn success(&mut self) {
        *self = Self::default();
    }

    /// A report failed at `now`: what to show and when to go on.
    ///
    /// What may pass by itself (no connection, a server's own fault, too many requests) is retried
    /// for ever, after 1, 2, 4, … 30 s. A refused token never gets right in this boot: it is shown,
    /// asked again each minute (the server may have been restored from a backup or moved), and
    /// after ten minutes the machine restarts, which brings a new token. Facts that are refused
    /// are shown and tried again each minute.
    pub(super) fn failure(&mut self, server: &str, error: &ReportError, now: Instant) -> Setback {
        let (trouble, pause) = match error {
            ReportError::Refused {
                status: 401, detail, ..
            } => {
                let since = *self.refused_since.get_or_insert(now);
                let left = RESTART_AFTER_REFUSED_TOKEN.saturating_sub(now.saturating_duration_since(since));
                let trouble = Trouble::TokenRefused {
                    detail: detail.clone(),
                    restart_in_minutes: left.as_secs().div_ceil(60),
                };
                return Setback {
                    trouble,
                    pause: SLOW_RETRY.min(left),
                    restart: left.is_zero(),
                };
            }
            ReportError::Refused { status, detail, .. }
                if (400..500).contains(status) && ![408, 425, 429].contains(status) =>
            {
                (
                    Trouble::FactsRefused {
                        detail: format!("{detail} (status {status})"),
                    },
                    SLOW_RETRY,
                )
            }
            ReportError::Unwritable(_) => (
                Trouble::FactsRefused {
                    detail: error.to_string(),
                },
                SLOW_RETRY,
            ),
            ReportError::Unreachable(_) | ReportError::Refused { .. } | ReportError::Malformed(_) => {
                let pause = Duration::from_secs(1 << self.failures.min(5)).min(Duration::from_secs(30));
                (
                    Trouble::ServerUnreachable {
                        server: server.to_owned(),
                        why: error.to_string(),
                    },
                    pause,
                )
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.refused_since = None;
        Setback {
            trouble,
            pause,
            restart: false,
        }
    }
}

/// Gathers, reports and obeys until the server wants the machine restarted or off.
pub(super) fn run(server: &BootServer, console: &Console) -> End {
    let mut patience = Patience::default();
    console.doing("gathering the facts of this machine");
    let _ = server.progress(Stage::Gather, "gathering facts");
    let facts = gather::facts(Path::new("/"));
    console.doing("reporting the facts");
    let _ = server.progress(Stage::Report, &summary(&facts));
    let mut answer = match persist(console, server, &mut patience, || server.facts(&facts)) {
        Ok(answer) => answer,
        Err(end) => return end,
    };
    let second = second_look();
    loop {
        match answer.next {
            Next::Reboot => return End::Reboot,
            Next::Poweroff => return End::Poweroff,
            Next::Wait | Next::Unknown => {}
        }
        console.doing(waiting(&answer));
        thread::sleep(Duration::from_secs(
            answer.poll_seconds.clamp(POLL_LIMITS.0, POLL_LIMITS.1),
        ));
        // The first report is on the server's disk; a second one adds switch ports and slow hardware.
        let more = second.try_recv().ok().filter(|more| tells_more(&facts, more));
        let next = match more {
            Some(more) => persist(console, server, &mut patience, || server.facts(&more)),
            None => persist(console, server, &mut patience, || server.next()),
        };
        answer = match next {
            Ok(next) => next,
            Err(end) => return end,
        };
    }
}

/// Tries until it succeeds, showing what is wrong meanwhile.
fn persist(
    console: &Console,
    server: &BootServer,
    patience: &mut Patience,
    attempt: impl Fn() -> Result<Answer, ReportError>,
) -> Result<Answer, End> {
    loop {
        let error = match attempt() {
            Ok(answer) => {
                patience.success();
                console.update(|status| status.report_trouble = None);
                return Ok(answer);
            }
            Err(error) => error,
        };
        let setback = patience.failure(server.base(), &error, Instant::now());
        console.update(|status| status.report_trouble = Some(setback.trouble.clone()));
        if setback.restart {
            return Err(End::Reboot);
        }
        // Where the server can be reached at all, its transcript tells the same.
        if !matches!(error, ReportError::Unreachable(_)) {
            let _ = server.progress(Stage::Failed, &setback.trouble.to_string());
        }
        thread::sleep(setback.pause);
    }
}

/// Gathers once more while the server's orders are waited for, listening to the switches.
fn second_look() -> Receiver<Facts> {
    let (sender, receiver) = channel();
    let gather = move || {
        let options = Options {
            lldp_wait: LLDP_WAIT,
            ..Options::new(Path::new("/"))
        };
        // Nobody receives any more when the session is over.
        let _ = sender.send(gather::gather(&options));
    };
    // Without the thread there is no second look; the first report stands.
    let _ = thread::Builder::new().name("second look".to_owned()).spawn(gather);
    receiver
}

/// True when switches were heard, or hardware has appeared that was slower than the first report.
fn tells_more(first: &Facts, second: &Facts) -> bool {
    let count = |facts: &Facts| (facts.disks.len(), facts.nics.len(), facts.gpus.len(), facts.pci.len());
    second.nics.iter().any(|nic| nic.lldp.is_some()) || count(first) != count(second)
}

fn waiting(answer: &Answer) -> String {
    let name = answer.name.as_deref().unwrap_or(&answer.host);
    format!("reported; waiting for the server (this machine is {name})")
}

fn summary(facts: &Facts) -> String {
    format!(
        "{} threads, {} MiB memory, {} disks, {} network interfaces, {} things not readable",
        facts.cpu.threads,
        facts.memory.total_bytes / (1024 * 1024),
        facts.disks.len(),
        facts.nics.len(),
        facts.unread.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "http://10.0.0.1:8081";

    fn refused(status: u16, detail: &str) -> ReportError {
        ReportError::Refused {
            status,
            code: String::new(),
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn what_may_pass_is_retried_with_growing_pauses() {
        let now = Instant::now();
        for error in [
            ReportError::Unreachable("connection refused".to_owned()),
            refused(503, "starting"),
            refused(429, "slow down"),
        ] {
            let mut patience = Patience::default();
            let pauses: Vec<u64> = (0..8)
                .map(|_| patience.failure(SERVER, &error, now).pause.as_secs())
                .collect();
            assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
            patience.success();
            let setback = patience.failure(SERVER, &error, now);
            assert_eq!(setback.pause.as_secs(), 1);
            assert!(matches!(setback.trouble, Trouble::ServerUnreachable { .. }));
        }
    }

    #[test]
    fn a_refused_token_restarts_the_machine_after_ten_minutes() {
        let start = Instant::now();
        let mut patience = Patience::default();
        let error = refused(401, "the token of this boot has expired");
        let mut now = start;
        let first = patience.failure(SERVER, &error, now);
        assert!(first.trouble.to_string().contains("restarts by itself in 10 min"));
        loop {
            let setback = patience.failure(SERVER, &error, now);
            if setback.restart {
                break;
            }
            now += setback.pause;
        }
        assert_eq!(now - start, RESTART_AFTER_REFUSED_TOKEN);
        patience.success();
        assert!(!patience.failure(SERVER, &error, now).restart);
    }

    #[test]
    fn refused_facts_are_shown_with_the_servers_words() {
        let setback = Patience::default().failure(SERVER, &refused(422, "nics[0].mac: not a MAC"), Instant::now());
        assert_eq!(setback.pause, SLOW_RETRY);
        assert!(
            setback
                .trouble
                .to_string()
                .contains("nics[0].mac: not a MAC (status 422)")
        );
    }

    #[test]
    fn a_second_report_is_made_only_when_it_tells_more() {
        use muster_facts::{Disk, LldpNeighbour, Nic};
        let first = Facts {
            nics: vec![Nic::default()],
            ..Facts::default()
        };
        assert!(!tells_more(&first, &first));
        let mut heard = first.clone();
        heard.nics[0].lldp = Some(LldpNeighbour::default());
        assert!(tells_more(&first, &heard));
        let slow = Facts {
            disks: vec![Disk::default()],
            ..first.clone()
        };
        assert!(tells_more(&first, &slow));
    }

    #[test]
    fn a_machine_without_a_name_shows_its_id() {
        let mut answer = Answer {
            host: "5f0c".to_owned(),
            name: None,
            next: Next::Wait,
            poll_seconds: 10,
        };
        assert!(waiting(&answer).contains("5f0c"));
        answer.name = Some("web01".to_owned());
        assert!(waiting(&answer).contains("web01"));
    }
}
