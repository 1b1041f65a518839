//! Reports the machine and obeys the server, for as long as the machine runs.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use muster_facts::Facts;

use super::console::Console;
use super::reach::Reach;
use super::second::{SecondLook, Seen, tells_more};
use super::trouble::Trouble;
use crate::gather;
use crate::report::{Answer, BootServer, Next, ReportError, Stage};

/// The server never learns of a refused token by itself; a restart gets a new one.
const RESTART_AFTER_REFUSED_TOKEN: Duration = Duration::from_secs(10 * 60);
/// Pause after an answer that will not change soon.
const SLOW_RETRY: Duration = Duration::from_secs(60);
/// Bounds on what a server may ask for.
const POLL_LIMITS: (u64, u64) = (1, 3600);

/// Longest pause that a server without room may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

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
    /// for ever, after 1, 2, 4, … 30 s, or when the server says. A refused token never gets right in this boot: it is shown,
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
                // The token was good.
                self.refused_since = None;
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
                let growing = Duration::from_secs(1 << self.failures.min(5)).min(Duration::from_secs(30));
                // A server without room for all knows best when it has some.
                let pause =
                    comes_again(error).map_or(growing, |told| told.clamp(Duration::from_secs(1), LONGEST_PAUSE));
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
        Setback {
            trouble,
            pause,
            restart: false,
        }
    }
}

/// When the server wants to be asked again, where it has no room now and says so.
fn comes_again(error: &ReportError) -> Option<Duration> {
    match error {
        ReportError::Refused {
            status: 429 | 503,
            retry_after,
            ..
        } => *retry_after,
        _ => None,
    }
}

/// The session's line to the server, and what it waits by.
pub(super) struct Session<'a> {
    server: &'a BootServer,
    console: &'a Console,
    /// Told of every attempt, for the network to know.
    reach: &'a Reach,
    patience: Patience,
    pause: fn(Duration),
}

impl<'a> Session<'a> {
    /// A session that has not begun.
    pub(super) fn new(server: &'a BootServer, console: &'a Console, reach: &'a Reach) -> Self {
        Self {
            server,
            console,
            reach,
            patience: Patience::default(),
            pause: thread::sleep,
        }
    }

    /// Gathers, reports and obeys until the server wants the machine restarted or off.
    pub(super) fn run(mut self) -> End {
        self.console.doing("gathering the facts of this machine");
        let _ = self.server.progress(Stage::Gather, "gathering facts");
        let facts = gather::facts(Path::new("/"));
        self.console.doing("reporting the facts");
        let _ = self.server.progress(Stage::Report, &summary(&facts));
        match self.persist(|server| server.facts(&facts)) {
            Ok(answer) => self.obey(answer, &facts, SecondLook::start()),
            Err(end) => end,
        }
    }

    /// Does what the server says, and asks again, until there is nothing more to do.
    fn obey(&mut self, mut answer: Answer, first: &Facts, mut second: SecondLook) -> End {
        loop {
            match answer.next {
                Next::Reboot => return End::Reboot,
                Next::Poweroff => return End::Poweroff,
                Next::Wait | Next::Unknown => {}
            }
            self.console.doing(waiting(&answer));
            (self.pause)(Duration::from_secs(
                answer.poll_seconds.clamp(POLL_LIMITS.0, POLL_LIMITS.1),
            ));
            // The first report is on the server's disk; a second one adds switch ports and slow hardware.
            let next = match second.news() {
                Some(Seen::Facts(more)) if tells_more(first, &more) => self.persist(|server| server.facts(&more)),
                Some(Seen::Facts(_)) | None => self.persist(BootServer::next),
                Some(Seen::Failed(why)) => {
                    self.tell(format!(
                        "the second look at the hardware failed: {why}; the first report stands"
                    ));
                    self.persist(BootServer::next)
                }
            };
            answer = match next {
                Ok(next) => next,
                Err(end) => return end,
            };
        }
    }

    /// Says what stops nothing, on the screen and in the boot's transcript.
    fn tell(&self, note: String) {
        let _ = self.server.progress(Stage::Gather, &note);
        self.console.update(|status| status.notes.push(note));
    }

    /// Tries until it succeeds, showing what is wrong meanwhile.
    fn persist(&mut self, attempt: impl Fn(&BootServer) -> Result<Answer, ReportError>) -> Result<Answer, End> {
        loop {
            let started = Instant::now();
            let error = match attempt(self.server) {
                Ok(answer) => {
                    self.reach.answered();
                    self.patience.success();
                    self.console.update(|status| status.report_trouble = None);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let setback = self.patience.failure(self.server.base(), &error, Instant::now());
            self.console
                .update(|status| status.report_trouble = Some(setback.trouble.clone()));
            if setback.restart {
                return Err(End::Reboot);
            }
            if matches!(error, ReportError::Unreachable(_)) {
                self.reach.failed(started, Instant::now());
            } else {
                self.reach.answered();
                // Where the server can be reached at all, its transcript tells the same; a server without room is told
                // nothing.
                if comes_again(&error).is_none() {
                    let _ = self.server.progress(Stage::Failed, &setback.trouble.to_string());
                }
            }
            (self.pause)(setback.pause);
        }
    }
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
    use std::cell::Cell;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::super::reach::Reached;
    use super::*;

    const SERVER: &str = "http://10.0.0.1:8081";

    fn refused(status: u16, detail: &str) -> ReportError {
        ReportError::Refused {
            status,
            code: String::new(),
            detail: detail.to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn a_server_without_room_is_asked_again_when_it_says() {
        let busy = |seconds| ReportError::Refused {
            status: 503,
            code: "busy".to_owned(),
            detail: String::new(),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        for (told, pause) in [(7, 7), (0, 1), (86_400, 300)] {
            let setback = Patience::default().failure(SERVER, &busy(told), Instant::now());
            assert_eq!(setback.pause.as_secs(), pause);
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
    const NO_PAUSE: fn(Duration) = |_| thread::yield_now();

    /// A server that wants the machine to wait until `enough` of what was asked, then to switch off. Gives back the
    /// first line and the body of each request.
    fn server(enough: fn(&[String]) -> bool) -> (BootServer, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let mut asked = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                asked.push(request(&stream));
                let last = enough(&asked) && asked.last().is_some_and(|asked| asked.starts_with("GET"));
                let next = if last { "poweroff" } else { "wait" };
                let body = format!(r#"{{"host":"5f0c","next":"{next}","poll_seconds":1}}"#);
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).unwrap();
                if last {
                    return asked;
                }
            }
        });
        (BootServer::new(&base, "TOKEN"), asked)
    }

    fn request(stream: &TcpStream) -> String {
        let mut lines = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        lines.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).unwrap();
        format!("{} {}", first.trim_end(), String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_second_look_that_panics_is_told_and_the_machine_goes_on_asking() {
        let (server, asked) = server(|asked| asked.iter().any(|asked| asked.contains("/boot/progress")));
        let screen = tempfile::NamedTempFile::new().unwrap();
        let (console, reach) = (Console::onto(screen.reopen().unwrap()), Reach::default());
        let mut session = Session {
            pause: NO_PAUSE,
            ..Session::new(&server, &console, &reach)
        };
        let answer = Answer {
            host: "5f0c".to_owned(),
            name: None,
            next: Next::Wait,
            poll_seconds: 1,
        };
        let end = session.obey(answer, &Facts::default(), SecondLook::by(|| panic!("too many ports")));
        assert_eq!(end, End::Poweroff);
        let asked = asked.join().unwrap();
        let told: Vec<&String> = asked.iter().filter(|asked| asked.starts_with("POST")).collect();
        assert_eq!(told.len(), 1, "{asked:?}");
        assert!(told[0].contains("the second look at the hardware failed: too many ports"));
        assert!(told[0].contains(r#""stage":"gather""#), "{told:?}");
        let shown = std::fs::read_to_string(screen.path()).unwrap();
        assert!(
            shown.contains("note     the second look at the hardware failed"),
            "{shown}"
        );
        assert_eq!(reach.now(), Reached::Yes);
    }

    #[test]
    fn the_network_learns_that_the_server_is_out_of_reach() {
        // Whoever listened here has gone.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = BootServer::new(&format!("http://{free}"), "TOKEN");
        let screen = tempfile::NamedTempFile::new().unwrap();
        let (console, reach) = (Console::onto(screen.reopen().unwrap()), Reach::default());
        let mut session = Session {
            pause: NO_PAUSE,
            ..Session::new(&server, &console, &reach)
        };
        let attempts = Cell::new(0);
        let refused = refused(401, "expired");
        let answer = session.persist(|server| {
            attempts.set(attempts.get() + 1);
            match attempts.get() {
                1 => server.next(),
                2 => {
                    assert!(matches!(reach.now(), Reached::No(_)));
                    Err(refused.clone())
                }
                _ => {
                    // A refusal is an answer.
                    assert_eq!(reach.now(), Reached::Yes);
                    Ok(Answer {
                        host: "5f0c".to_owned(),
                        name: None,
                        next: Next::Wait,
                        poll_seconds: 1,
                    })
                }
            }
        });
        assert!(answer.is_ok());
    }
}
