use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

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
use muster_facts::{FACTS_VERSION, Facts};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::{BootState, MAX_FACTS_BYTES, MAX_PROGRESS_BYTES, lock};
use crate::{
    auth::{ClientAddress, Secret, SecretHash},
    discovery::{NextStep, ReportRefused},
    http::{Problem, crowd::Seat},
};

/// How often a report looks whether its client has room again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// When a machine that found no room comes again, seconds: each at another time.
const COME_AGAIN: RangeInclusive<u64> = 2..=9;

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

/// Room for one report: had before its body is read, so that a thousand machines that report at the same time do not
/// have their documents in memory at the same time.
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _seats: (Seat<ClientAddress>, Seat<SecretHash>),
}

impl Turn {
    /// Waits for room. One client, or one boot, cannot take what is all machines'.
    async fn of(state: &BootState, admitted: &Admitted) -> Result<Self, Problem> {
        let busy = || {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "many machines are reporting; this one comes again by itself",
            )
            .retry_after(rand::random_range(COME_AGAIN))
        };
        let (clients, boots) = &state.reporting;
        let address = ClientAddress::of(admitted.client);
        let seat = async {
            loop {
                match clients.enter(address) {
                    Ok(seat) => break seat,
                    Err(_full) => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        let client = tokio::time::timeout(state.bounds.turn, seat)
            .await
            .map_err(|_| busy())?;
        let boot = boots
            .enter(Secret::chosen(admitted.token.clone()).hash())
            .map_err(|_| busy())?;
        let turn = Arc::clone(&state.turns).acquire_owned();
        match tokio::time::timeout(state.bounds.turn, turn).await {
            Ok(Ok(place)) => Ok(Self {
                _place: place,
                _seats: (client, boot),
            }),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
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
        let turn = Turn::of(state, &admitted).await?;
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
            ReportRefused::NotKept(cause) => Problem::internal(cause),
        }
    }
}

/// Disks, modules, interfaces, PCI functions and all else together.
const MAX_OBJECTS: usize = 20_000;

/// The document, or why it is none, with the path of the field.
fn read_facts(body: &[u8]) -> Result<Facts, String> {
    // An empty list member costs two bytes here and hundreds in memory: counted before anything is built.
    let objects = body.iter().filter(|byte| **byte == b'{').count();
    if objects > MAX_OBJECTS {
        return Err(format!("{objects} objects; a machine has at most {MAX_OBJECTS} parts"));
    }
    // PostgreSQL keeps no NUL in a text, and no firmware means one.
    if body.windows(6).any(|part| part == br"\u0000") {
        return Err("a text has a NUL character".to_owned());
    }
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
        assert!(why(r#"{"version":1,"hostname":"a\u0000b"}"#).contains("NUL"));
        let many = format!(r#"{{"version":1,"disks":[{}{{}}]}}"#, "{},".repeat(30_000));
        assert!(why(&many).contains("parts"));
        assert!(read_facts(br#"{"version":1,"a_later_field":[1]}"#).is_ok());
    }
}
