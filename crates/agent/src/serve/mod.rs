//! `muster-agent serve`: the service on an installed machine.
//!
//! It enrols once with the token that the installation left for it, then tells the server that the machine is there
//! ([`rhythm`] says when), what it measures and what it is, at the start and when that changes. It never gives up: whatever
//! fails is said on standard error, which is the journal, and tried again later; what was measured meanwhile waits in a
//! [`queue`] on disk. SIGTERM ends it at once, as nothing is ever half written that is not told apart.

mod delivery;
mod keeping;
mod look;
mod patience;
mod queue;
mod rhythm;
mod sampler;
mod serving;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::report::{AgentServer, Beat, ReportError, enrol};
use delivery::Samples;
use keeping::{Files, Given};
use look::Looker;
use patience::{Patience, Setback};
use queue::{Bounds, Queue};
use sampler::Sampler;
use serving::Serving;

/// What the command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Directory of the machine that is reported; `/` for the one this runs on.
    pub root: PathBuf,
    /// Where `MUSTER_SERVER` and `MUSTER_TOKEN` are when they are not in the environment; the credential is kept beside it.
    pub env: PathBuf,
    /// Where samples wait for the server.
    pub state: PathBuf,
}

impl Options {
    /// Reports the machine below `root`, with the settings of that machine.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            env: root.join("etc/muster/agent.env"),
            state: root.join("var/lib/muster-agent"),
        }
    }
}

/// The server's words for a credential that it will never take: one that was used before, and a text that is none.
const CREDENTIAL_USELESS: [&str; 2] = ["agent_credential_known", "agent_credential_malformed"];

/// The server's words for a token that it will never take (any more). Whatever else it says may pass: too many requests, an
/// address that is not this machine's yet, a step of the installation that is still to come.
const TOKEN_USELESS: [&str; 4] = [
    "install_token_unknown",
    "install_token_old",
    "install_token_other",
    "install_token_used",
];

/// Serves until it is ended. Comes back only when there is nothing it could serve: no server is named.
pub fn run(options: &Options) -> ExitCode {
    let files = Files::beside(&options.env);
    let given = match files.given() {
        Ok(given) => given,
        Err(why) => {
            say(&why);
            return ExitCode::from(2);
        }
    };
    say(&format!(
        "muster-agent {} reports to {}",
        env!("CARGO_PKG_VERSION"),
        given.server
    ));
    let mut looker = Looker::new(&options.root);
    let mut door = Door::new(&files, given);
    let samples = Samples::new(Queue::open(&options.state, Bounds::default()));
    let mut sampler: Option<Sampler> = None;
    loop {
        let credential = door.credential();
        samples.lock().belong_to(&credential);
        let sampler = sampler.get_or_insert_with(|| Sampler::start(&options.root, samples.clone()));
        let server = AgentServer::new(door.server(), &credential);
        let mut serving = Serving::new(server, serving::Real(sampler), &mut looker, samples.clone());
        let refused = serving.run();
        say(&refused.words);
        door.refused(refused.pause);
    }
}

/// Gets this machine's credential, and another one when the first is not good any more.
struct Door<'a> {
    files: &'a Files,
    given: Given,
    /// A token that the server will never take.
    useless: Option<String>,
    patience: Patience,
}

impl<'a> Door<'a> {
    fn new(files: &'a Files, given: Given) -> Self {
        Self {
            files,
            given,
            useless: None,
            patience: Patience::default(),
        }
    }

    fn server(&self) -> &str {
        &self.given.server
    }

    /// The kept credential, else a new one for the token; tried until there is one.
    fn credential(&mut self) -> String {
        loop {
            let failed = match self.files.credential() {
                Ok(Some(credential)) => return credential,
                Ok(None) => match self.enrol() {
                    Ok(credential) => return credential,
                    Err(failed) => failed,
                },
                Err(why) => Failed::Here(why),
            };
            let setback = self.setback(&failed);
            say(&setback.words);
            thread::sleep(setback.pause);
        }
    }

    /// The server does not know the credential: a token that was not tried yet may bring a new one. Else it is asked again
    /// after a while, as it may have been restored from a backup.
    fn refused(&mut self, pause: Duration) {
        if self.token().is_some_and(|token| self.useless.as_ref() != Some(&token)) {
            match self.enrol() {
                Ok(_) => return,
                Err(failed) => say(&self.setback(&failed).words),
            }
        }
        thread::sleep(pause);
    }

    /// The one-time token there is now: in the file may be a newer one than at the start.
    fn token(&self) -> Option<String> {
        self.files.token().or_else(|| self.given.token.clone())
    }

    /// Spends the token on a credential that this machine has made and that is on its disk already: a full disk costs no
    /// token, and neither does an answer that is lost or a power cut, as the same credential is offered again.
    fn enrol(&mut self) -> Result<String, Failed> {
        let token = self.token().ok_or(Failed::NoToken)?;
        let proposed = self.files.proposed().map_err(Failed::Here)?;
        let host = match enrol(&self.given.server, &token, &proposed) {
            Ok(enrolment) => enrolment.host,
            Err(error) => self.known_already(error, &token, &proposed)?,
        };
        self.patience.success();
        say(&format!("enrolled: this machine is host {host}"));
        if let Err(why) = self.files.take() {
            // After a restart the token is all that this credential can be offered with.
            say(&format!(
                "{why}; it is known all the same, and is offered again after a restart"
            ));
            return Ok(proposed);
        }
        self.given.token = None;
        if let Err(why) = self.files.forget_token() {
            say(&format!("{why}; the token in it is spent and opens nothing any more"));
        }
        Ok(proposed)
    }

    /// The token is not taken, perhaps because it was spent on this very credential and the answer got lost: then the
    /// server knows it.
    fn known_already(&mut self, error: ReportError, token: &str, proposed: &str) -> Result<String, Failed> {
        let ReportError::Refused { code, .. } = &error else {
            return Err(Failed::There(error));
        };
        if CREDENTIAL_USELESS.contains(&code.as_str()) {
            // The next try has a new one.
            self.files.discard();
        } else if TOKEN_USELESS.contains(&code.as_str()) {
            match AgentServer::new(&self.given.server, proposed).heartbeat(&Beat::default()) {
                Ok(answer) => return Ok(answer.host),
                Err(unknown) if is_refused_credential(&unknown) => self.useless = Some(token.to_owned()),
                // Whether the credential is known was not said: both are offered again.
                Err(_) => {}
            }
        }
        Err(Failed::There(error))
    }

    fn setback(&mut self, failed: &Failed) -> Setback {
        match failed {
            Failed::Here(_) | Failed::NoToken => Setback::soon(failed.to_string()),
            Failed::There(error) => self.patience.failure(self.server().to_owned().as_str(), error),
        }
    }
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Here(String),
    #[error("there is neither a credential nor a token: install this machine by Muster, or give its agent a token")]
    NoToken,
    #[error("this machine could not be enrolled: {0}")]
    There(ReportError),
}

const fn is_refused_credential(error: &ReportError) -> bool {
    matches!(error, ReportError::Refused { status: 401 | 403, .. })
}

/// A line for the journal.
fn say(words: &str) {
    use std::io::Write;
    // Nobody reads it any more, or the disk is full: the work goes on.
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

/// Pauses that are never the same: a thousand agents that lost their server together do not come back together.
fn scattered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(0.75 + (random % 1000) as f64 / 2000.0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    const TOKEN: &str = "the-one-time-token";

    /// A server that refuses each enrolment by `status` and `code` and knows no credential; gives its address.
    fn refusing(status: u16, code: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut asked = Vec::new();
                let mut piece = [0; 4096];
                while !asked.ends_with(b"}") {
                    let Ok(read @ 1..) = stream.read(&mut piece) else { break };
                    asked.extend_from_slice(&piece[..read]);
                }
                let (status, code) = if asked.starts_with(b"POST /boot/enrol") {
                    (status, code)
                } else {
                    (401, "agent_unknown")
                };
                let body = format!(r#"{{"code":"{code}"}}"#);
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn only_what_the_server_says_for_good_ends_a_token_or_a_credential() {
        for (status, code, token_ends, credential_ends) in [
            (403, "install_token_unknown", true, false),
            (403, "install_token_old", true, false),
            (403, "install_token_other", true, false),
            (403, "install_token_used", true, false),
            (403, "install_other_address", false, false),
            (403, "install_stage_over", false, false),
            (429, "rate_limited", false, false),
            (408, "", false, false),
            (503, "", false, false),
            (409, "agent_credential_known", false, true),
            (422, "agent_credential_malformed", false, true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let files = Files::beside(&folder.path().join("agent.env"));
            let given = Given {
                server: refusing(status, code),
                token: Some(TOKEN.to_owned()),
            };
            let before = files.proposed().unwrap();
            let mut door = Door::new(&files, given);
            assert!(door.enrol().is_err(), "{code}");
            assert_eq!(door.useless.is_some(), token_ends, "{status} {code}");
            assert_eq!(files.proposed().unwrap() != before, credential_ends, "{status} {code}");
        }
    }
}
