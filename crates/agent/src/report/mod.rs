//! Reports to the server over its machine-facing API: `/boot/…` for a machine that boots ([`BootServer`]), `/agent/v1/…`
//! for an installed one ([`AgentServer`]).

mod exchange;
mod installed;
mod names;

pub use exchange::ReportError;
pub use installed::{AgentAnswer, AgentServer, Beat, Enrolment, enrol};

use std::fmt;

use muster_facts::Facts;
use serde::Deserialize;

use exchange::{Exchange, written};

/// What the server wants this machine to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Next {
    /// Stay and ask again.
    Wait,
    /// Restart, to be booted into something else.
    Reboot,
    /// Switch off.
    Poweroff,
    /// A word of a newer server: stay and ask again, which does no harm.
    #[serde(other)]
    Unknown,
}

/// The server's answer to facts and to the question what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// The host's id in the ledger.
    pub host: String,
    /// Its name, once it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// What to do.
    pub next: Next,
    /// When to ask again, seconds.
    #[serde(default = "default_poll")]
    pub poll_seconds: u64,
}

fn default_poll() -> u64 {
    10
}

/// A stage of the boot, for its transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The kernel runs.
    Kernel,
    /// Drivers are in.
    Modules,
    /// The interface has a link.
    Link,
    /// The interface has an address.
    Address,
    /// Facts are being gathered.
    Gather,
    /// Facts are being reported.
    Report,
    /// Something failed; the message says what.
    Failed,
}

impl Stage {
    /// The word the API uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Modules => "modules",
            Self::Link => "link",
            Self::Address => "address",
            Self::Gather => "gather",
            Self::Report => "report",
            Self::Failed => "failed",
        }
    }
}

/// The server as one boot sees it: its address and this boot's token.
pub struct BootServer(Exchange);

impl fmt::Debug for BootServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootServer({})", self.base())
    }
}

impl BootServer {
    /// `base` is the URL without a final slash; `token` is this boot's token.
    #[must_use]
    pub fn new(base: &str, token: &str) -> Self {
        Self(Exchange::new(base, token))
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Adds a line to the boot's transcript.
    ///
    /// # Errors
    /// When it did not arrive; nothing depends on it.
    pub fn progress(&self, stage: Stage, message: &str) -> Result<(), ReportError> {
        let body = serde_json::json!({ "stage": stage.word(), "message": message }).to_string();
        self.0.post("/boot/progress", body.as_bytes()).map(drop)
    }

    /// Reports the facts; the answer comes after they are on the server's disk.
    ///
    /// # Errors
    /// When they did not arrive or were not taken.
    pub fn facts(&self, facts: &Facts) -> Result<Answer, ReportError> {
        exchange::answer(&self.0.post("/boot/facts", &written(facts)?)?)
    }

    /// Asks what to do next, without changing anything.
    ///
    /// # Errors
    /// When there is no understandable answer.
    pub fn next(&self) -> Result<Answer, ReportError> {
        exchange::answer(&self.0.get("/boot/next")?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use super::*;

    /// Answers one request with `response` and gives back what was asked.
    fn server(response: &'static str) -> (BootServer, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            let mut chunk = [0; 4096];
            loop {
                let length = stream.read(&mut chunk).unwrap();
                request.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
                let body = request
                    .split_once("\r\n\r\n")
                    .map(|(head, body)| (head.to_lowercase(), body.len()));
                if let Some((head, have)) = body {
                    let want = head
                        .split("content-length: ")
                        .nth(1)
                        .and_then(|rest| rest.lines().next());
                    if want.is_none_or(|want| want.parse::<usize>().unwrap() <= have) {
                        break;
                    }
                }
            }
            stream.write_all(response.as_bytes()).unwrap();
            request
        });
        (BootServer::new(&base, "TOKEN"), asked)
    }

    #[test]
    fn facts_are_posted_with_the_token_and_the_answer_is_read() {
        let (server, asked) = server(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"host\":\"5f0c\",\"name\":null,\"next\":\"reboot\",\"poll_seconds\":10,\"new\":1}",
        );
        let facts = Facts {
            version: muster_facts::FACTS_VERSION,
            ..Facts::default()
        };
        let answer = server.facts(&facts).unwrap();
        assert_eq!(
            (answer.next, answer.poll_seconds, answer.name),
            (Next::Reboot, 10, None)
        );
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /boot/facts HTTP/1.1\r\n"), "{asked}");
        assert!(
            asked.to_lowercase().contains("authorization: bearer token\r\n"),
            "{asked}"
        );
        assert!(asked.contains("\"version\":1"), "{asked}");
    }

    #[test]
    fn progress_takes_an_answer_without_a_body() {
        let (server, asked) = server("HTTP/1.1 204 No Content\r\n\r\n");
        server.progress(Stage::Link, "eth0 has a link").unwrap();
        let asked = asked.join().unwrap();
        let body = asked.rsplit("\r\n").next().unwrap_or_default();
        let told: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(told, serde_json::json!({"stage": "link", "message": "eth0 has a link"}));
    }

    #[test]
    fn a_refusal_keeps_the_servers_code_and_words() {
        let (server, _asked) = server(
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n{\"title\":\"t\",\"code\":\"boot_token_expired\",\"detail\":\"too late\"}\n",
        );
        let error = server.next().unwrap_err();
        let expected = ReportError::Refused {
            status: 401,
            code: "boot_token_expired".to_owned(),
            detail: "too late".to_owned(),
            retry_after: None,
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn a_server_without_room_says_when_to_come_again() {
        let (server, _asked) = server(
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nConnection: close\r\n\r\n{\"code\":\"busy\"}",
        );
        let ReportError::Refused {
            status, retry_after, ..
        } = server.next().unwrap_err()
        else {
            panic!("it was refused");
        };
        assert_eq!((status, retry_after), (503, Some(Duration::from_secs(7))));
    }

    #[test]
    fn a_closed_port_is_named_in_the_systems_words() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = BootServer::new(&format!("http://{free}"), "t").next().unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[test]
    fn the_token_is_not_in_debug_output() {
        assert!(!format!("{:?}", BootServer::new("http://a", "secret")).contains("secret"));
    }
}
