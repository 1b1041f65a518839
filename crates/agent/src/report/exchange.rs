//! One request and its answer: what all reports have in common.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::unversioned::transport::DefaultConnector;

use super::names::Names;

/// The longest answer that is read, bytes; a server says a few hundred.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// Longer than the server takes to say that it has no time (30 s), so that its words arrive.
const TIMEOUT: Duration = Duration::from_secs(90);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a report did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No connection, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The server answered with an error.
    #[error("the server answered {status}: {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's code, such as `boot_token_expired`; empty when it gave none.
        code: String,
        /// What it says in plain words.
        detail: String,
        /// When it wants to be asked again (`Retry-After`), where it says so.
        retry_after: Option<Duration>,
    },
    /// The server answered something this program does not understand.
    #[error("the server's answer is not understood: {0}")]
    Malformed(String),
    /// The report cannot be written as JSON.
    #[error("the report cannot be written as json: {0}")]
    Unwritable(String),
}

/// Application problem of RFC 9457, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    code: String,
    detail: String,
}

/// A server and the secret by which it knows who speaks. It has no `Debug`: the secret is for the server alone.
pub(super) struct Exchange {
    base: String,
    authorization: String,
    http: ureq::Agent,
}

impl Exchange {
    /// `base` is the URL without a final slash.
    pub(super) fn new(base: &str, secret: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("muster-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            base: base.to_owned(),
            authorization: format!("Bearer {secret}"),
            http: ureq::Agent::with_parts(config, DefaultConnector::default(), Names),
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>, ReportError> {
        let url = format!("{}{path}", self.base);
        read(self.http.get(url).header("Authorization", &self.authorization).call())
    }

    pub(super) fn post(&self, path: &str, body: &[u8]) -> Result<Vec<u8>, ReportError> {
        let response = self
            .http
            .post(format!("{}{path}", self.base))
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json")
            .send(body);
        read(response)
    }
}

/// A report as it is sent.
pub(super) fn written(report: &impl Serialize) -> Result<Vec<u8>, ReportError> {
    serde_json::to_vec(report).map_err(|error| ReportError::Unwritable(error.to_string()))
}

fn read(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Vec<u8>, ReportError> {
    let mut response = response.map_err(|error| ReportError::Unreachable(plain(&error)))?;
    let body = response
        .body_mut()
        .with_config()
        .limit(LONGEST_ANSWER)
        .read_to_vec()
        .map_err(|error| ReportError::Unreachable(plain(&error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(body);
    }
    // Servers may also send a date (RFC 9110, section 10.2.3); this machine's clock is not to be trusted with one.
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    Err(refusal(status.as_u16(), &body, retry_after))
}

fn refusal(status: u16, body: &[u8], retry_after: Option<Duration>) -> ReportError {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let detail = [problem.detail, problem.title]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| "it gave no reason".to_owned());
    ReportError::Refused {
        status,
        code: problem.code,
        detail,
        retry_after,
    }
}

/// An answer in JSON.
pub(super) fn answer<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReportError> {
    serde_json::from_slice(body).map_err(|error| ReportError::Malformed(error.to_string()))
}

/// The error in the words of the system, without the library's own.
fn plain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(io) => io.to_string(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Next};
    use super::*;

    #[test]
    fn answers_without_json_are_told_apart() {
        assert_eq!(
            refusal(502, b"<html>", None),
            ReportError::Refused {
                status: 502,
                code: String::new(),
                detail: "it gave no reason".to_owned(),
                retry_after: None,
            }
        );
        assert!(matches!(answer::<Answer>(b"hello"), Err(ReportError::Malformed(_))));
        let newer: Answer = answer(br#"{"host":"h","next":"dance"}"#).unwrap();
        assert_eq!((newer.next, newer.poll_seconds), (Next::Unknown, 10));
    }
}
