//! The server as an installed machine's agent sees it.

use std::fmt;

use muster_facts::Facts;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ReportError;
use super::exchange::{Exchange, answer, written};

/// What the agent gets for its one-time token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Enrolment {
    /// The host's id in the ledger.
    pub host: String,
}

/// A sign of life with what was measured.
#[derive(Debug, Default, Serialize)]
pub struct Beat {
    /// Samples in order of their numbers, each as JSON: `{"sequence":17, …}`.
    pub samples: Vec<Box<RawValue>>,
    /// Samples that were thrown away since the last one that was acknowledged.
    pub dropped: u64,
    /// The machine's time of day when this is sent, seconds since the Unix epoch: the server puts right what a wrong clock
    /// says of the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_unix_s: Option<u64>,
}

/// The server's answer to a report and to a sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AgentAnswer {
    /// The host's id in the ledger.
    pub host: String,
    /// Its name, once it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// The server wants the facts now.
    #[serde(default)]
    pub report: bool,
    /// Time between two signs of life, seconds.
    #[serde(default = "default_heartbeat")]
    pub heartbeat_seconds: u64,
    /// Time between two looks whether the facts have changed, seconds.
    #[serde(default = "default_look")]
    pub look_seconds: u64,
    /// The highest number of a sample that is on the server's disk; `None` from one that takes no samples.
    #[serde(default)]
    pub acknowledged: Option<u64>,
}

const fn default_heartbeat() -> u64 {
    60
}

const fn default_look() -> u64 {
    300
}

/// Makes the credential of this machine known, by the token of its installation. A token is good for one credential; the
/// same two may be sent again, as an answer may get lost.
///
/// # Errors
/// When the server was not reached, or the token is not good (any more).
pub fn enrol(base: &str, token: &str, credential: &str) -> Result<Enrolment, ReportError> {
    let proposed = serde_json::json!({ "credential": credential }).to_string();
    answer(&Exchange::new(base, token).post("/boot/enrol", proposed.as_bytes())?)
}

/// The server and this machine's credential.
pub struct AgentServer(Exchange);

impl fmt::Debug for AgentServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentServer({})", self.base())
    }
}

impl AgentServer {
    /// `base` is the URL without a final slash.
    #[must_use]
    pub fn new(base: &str, credential: &str) -> Self {
        Self(Exchange::new(base, credential))
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Reports the facts; the answer comes after they are on the server's disk.
    ///
    /// # Errors
    /// When they did not arrive or were not taken.
    pub fn facts(&self, facts: &Facts) -> Result<AgentAnswer, ReportError> {
        answer(&self.0.post("/agent/v1/facts", &written(facts)?)?)
    }

    /// Says that this machine is there, and what it has measured.
    ///
    /// # Errors
    /// When it did not arrive or was refused.
    pub fn heartbeat(&self, beat: &Beat) -> Result<AgentAnswer, ReportError> {
        answer(&self.0.post("/agent/v1/heartbeat", &written(beat)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_in_debug_output() {
        let shown = format!("{:?}", AgentServer::new("http://a", "secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_short_answer_has_the_usual_intervals() {
        let answer: AgentAnswer = serde_json::from_str(r#"{"host":"5f0c"}"#).unwrap();
        assert_eq!(
            (answer.heartbeat_seconds, answer.look_seconds, answer.report),
            (60, 300, false)
        );
        assert_eq!(answer.acknowledged, None);
    }
}
