use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, FromRequestParts, State, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
};
use serde::{Deserialize, Serialize};

use super::{BootState, MAX_FACTS_BYTES, MAX_PROGRESS_BYTES, lock};
use crate::{
    auth::{ClientAddress, Secret},
    discovery::{NextStep, ReportRefused},
    http::{
        Problem,
        reports::{Turn, read_facts},
    },
};

/// A boot token that gives a right now: checked before the first byte of the body is read.
pub(super) struct Admitted {
    token: String,
    client: IpAddr,
}

impl FromRequestParts<BootState> for Admitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &BootState) -> Result<Self, Problem> {
        let ConnectInfo(client) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|missing| Problem::internal(&missing))?;
        let client = client.ip();
        let header = TypedHeader::<Authorization<Bearer>>::from_request_parts(parts, state).await;
        let token = header.map(|header| header.token().to_owned()).map_err(|_| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "boot_token_missing",
                "send the boot token: `Authorization: Bearer …`; it is on the kernel command line as muster.token",
            )
        })?;
        state
            .discovery
            .may_report(&token, client)
            .map_err(|refused| state.refuse(client, &refused))?;
        Ok(Self { token, client })
    }
}

/// A machine with a right to report, and room for its report.
pub(super) struct Reporting {
    admitted: Admitted,
    turn: Turn,
}

impl FromRequestParts<BootState> for Reporting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &BootState) -> Result<Self, Problem> {
        let admitted = Admitted::from_request_parts(parts, state).await?;
        let token = Secret::chosen(admitted.token.clone()).hash();
        let turn = state.reception.enter(ClientAddress::of(admitted.client), token).await?;
        Ok(Self { admitted, turn })
    }
}

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
    Reporting {
        admitted: Admitted { token, client },
        turn,
    }: Reporting,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<NextAnswer>, Problem> {
    let body = body.map_err(|rejection| {
        state.discovery.facts_refused(
            &token,
            client,
            "facts_too_large",
            &format!("more than {MAX_FACTS_BYTES} bytes"),
        );
        Problem::new(
            rejection.status(),
            "facts_too_large",
            format!("a facts document has at most {MAX_FACTS_BYTES} bytes"),
        )
    })?;
    let facts = read_facts(&body).map_err(|why| {
        state.discovery.facts_refused(&token, client, "facts_malformed", &why);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "facts_malformed", why)
    })?;
    // On a task of its own: a machine that hangs up in the middle does not leave a report half taken.
    let discovery = state.discovery.clone();
    let accepted = tokio::spawn(async move {
        let _turn = turn;
        discovery.accept_facts(&token, facts, client).await
    })
    .await
    .map_err(|stopped| Problem::internal(&stopped))?;
    accepted
        .map(|step| Json(step.into()))
        .map_err(|refused| state.refuse(client, &refused))
}

/// The same answer again, without a report.
pub(super) async fn next(
    State(state): State<BootState>,
    Admitted { token, client }: Admitted,
) -> Result<Json<NextAnswer>, Problem> {
    state
        .discovery
        .next_step(&token, client)
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
    Admitted { token, client }: Admitted,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    state.count_progress(&token)?;
    let body = body.map_err(|rejection| {
        state.discovery.report_malformed(client, "progress too large");
        Problem::new(
            rejection.status(),
            "progress_too_large",
            format!("a line of progress has at most {MAX_PROGRESS_BYTES} bytes"),
        )
    })?;
    let progress: Progress = serde_json::from_slice(&body).map_err(|error| {
        state.discovery.report_malformed(client, "progress of a wrong shape");
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "progress_malformed",
            format!("{error}; expected an object with `stage` and `message`"),
        )
    })?;
    state
        .discovery
        .image_progress(&token, &progress.stage, &progress.message, client)
        .map_err(|refused| state.refuse(client, &refused))?;
    Ok(StatusCode::NO_CONTENT)
}

impl BootState {
    /// Refuses a boot that tells too much: its transcript would be nothing but progress.
    fn count_progress(&self, token: &str) -> Result<(), Problem> {
        let (boot, now) = (Secret::chosen(token.to_owned()).hash(), self.discovery.now());
        let mut told = lock(&self.progress);
        if let Some(wait) = told.wait(&boot, now) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "this boot tells more than a line a second",
            )
            .retry_after(wait.as_secs().max(1)));
        }
        told.tried(&boot, now);
        Ok(())
    }

    /// Counts wrong tokens only here: a machine with a right of its own is served whatever others behind its address
    /// guess.
    fn unknown_token(&self, client: IpAddr, refused: &ReportRefused) -> Problem {
        let (client, now) = (ClientAddress::of(client), self.discovery.now());
        let mut wrong = lock(&self.wrong_tokens);
        if let Some(wait) = wrong.wait(&client, now) {
            return Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "too many wrong tokens from this address; wait a minute",
            )
            .retry_after(wait.as_secs().max(1));
        }
        wrong.tried(&client, now);
        Problem::new(StatusCode::UNAUTHORIZED, "boot_token_unknown", refused.to_string())
    }

    fn refuse(&self, client: IpAddr, refused: &ReportRefused) -> Problem {
        match refused {
            ReportRefused::UnknownToken => self.unknown_token(client, refused),
            ReportRefused::ExpiredToken => {
                Problem::new(StatusCode::UNAUTHORIZED, "boot_token_expired", refused.to_string())
            }
            // What an agent alone is told.
            ReportRefused::HostUnknown | ReportRefused::AnotherMachine { .. } => Problem::internal(refused),
            ReportRefused::NotKept(cause) => Problem::internal(cause),
        }
    }
}
