use std::{net::SocketAddr, time::Instant};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, State, rejection::BytesRejection},
    http::StatusCode,
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
};
use muster_facts::{FACTS_VERSION, Facts};
use serde::{Deserialize, Serialize};

use super::{BootState, MAX_FACTS_BYTES};
use crate::{
    discovery::{NextStep, ReportRefused},
    http::Problem,
};

type Token = Option<TypedHeader<Authorization<Bearer>>>;

/// What the collection image does next.
#[derive(Debug, Serialize)]
pub(super) struct NextAnswer {
    host: String,
    name: Option<String>,
    next: &'static str,
    poll_seconds: u32,
}

impl From<NextStep> for NextAnswer {
    fn from(step: NextStep) -> Self {
        Self {
            host: step.host.to_string(),
            name: step.name,
            next: step.action.as_str(),
            poll_seconds: step.poll_seconds,
        }
    }
}

/// Facts of the boot that the token was made for; answered after they are committed.
pub(super) async fn facts(
    State(state): State<BootState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    token: Token,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<NextAnswer>, Problem> {
    let token = state.admit(client, token.as_ref())?;
    let body = body.map_err(|rejection| {
        state
            .discovery
            .facts_refused(&token, client.ip(), "facts_too_large", "too large");
        Problem::new(
            rejection.status(),
            "facts_too_large",
            format!("a facts document has at most {MAX_FACTS_BYTES} bytes"),
        )
    })?;
    let facts = read_facts(&body).map_err(|why| {
        state
            .discovery
            .facts_refused(&token, client.ip(), "facts_malformed", &why);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "facts_malformed", why)
    })?;
    let accepted = state.discovery.accept_facts(&token, facts, client.ip()).await;
    accepted
        .map(|step| Json(step.into()))
        .map_err(|refused| state.refuse(client, &refused))
}

/// The same answer again, without a report.
pub(super) async fn next(
    State(state): State<BootState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    token: Token,
) -> Result<Json<NextAnswer>, Problem> {
    let token = state.admit(client, token.as_ref())?;
    state
        .discovery
        .next_step(&token, client.ip())
        .map(|step| Json(step.into()))
        .map_err(|refused| state.refuse(client, &refused))
}

/// A line of the boot transcript.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    stage: String,
    #[serde(default)]
    message: String,
}

pub(super) async fn progress(
    State(state): State<BootState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    token: Token,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let token = state.admit(client, token.as_ref())?;
    let progress: Progress = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "progress_malformed",
            format!("{error}; expected an object with `stage` and `message`"),
        )
    })?;
    state
        .discovery
        .image_progress(&token, &progress.stage, &progress.message, client.ip())
        .map_err(|refused| state.refuse(client, &refused))?;
    Ok(StatusCode::NO_CONTENT)
}

impl BootState {
    fn admit(&self, client: SocketAddr, token: Option<&TypedHeader<Authorization<Bearer>>>) -> Result<String, Problem> {
        if self.refused_tokens.is_closed(client.ip(), Instant::now()) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "too many wrong tokens from this address; wait a minute",
            ));
        }
        token.map(|header| header.token().to_owned()).ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "boot_token_missing",
                "send the boot token: `Authorization: Bearer …`; it is on the kernel command line as muster.token",
            )
        })
    }

    fn refuse(&self, client: SocketAddr, refused: &ReportRefused) -> Problem {
        match refused {
            ReportRefused::UnknownToken => {
                self.refused_tokens.refused(client.ip(), Instant::now());
                Problem::new(StatusCode::UNAUTHORIZED, "boot_token_unknown", refused.to_string())
            }
            ReportRefused::ExpiredToken => {
                Problem::new(StatusCode::UNAUTHORIZED, "boot_token_expired", refused.to_string())
            }
            ReportRefused::NotKept(cause) => Problem::internal(cause),
        }
    }
}

/// The document, or why it is none, with the path of the field.
fn read_facts(body: &[u8]) -> Result<Facts, String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let facts: Facts = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| format!("field `{}`: {}", error.path(), error.inner()))?;
    json.end().map_err(|error| format!("after the document: {error}"))?;
    if facts.version != FACTS_VERSION {
        return Err(format!(
            "field `version`: {} is not understood here; this server reads version {FACTS_VERSION}",
            facts.version
        ));
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::read_facts;

    #[test]
    fn a_wrong_shape_names_its_field() {
        let why = |text: &str| read_facts(text.as_bytes()).unwrap_err();
        assert!(
            why(r#"{"version":1,"memory":{"dimms":[{"size_bytes":"big"}]}}"#).contains("memory.dimms[0].size_bytes")
        );
        assert!(why("{}").contains("`version`"));
        assert!(why(r#"{"version":7}"#).contains('7'));
        assert!(why(r#"{"version":1} x"#).contains("after the document"));
        assert!(why("\u{0}").contains("field"));
        assert!(read_facts(br#"{"version":1,"a_later_field":[1]}"#).is_ok());
    }
}
