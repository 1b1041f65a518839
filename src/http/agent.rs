//! What agents of installed systems ask: `/agent/v1/…`. Who may call: an agent by the credential that it got at its
//! enrolment and that was not revoked; it speaks for its host and for no other.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, State, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
    middleware,
    routing::post,
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
};
use serde::Serialize;

use super::{
    Problem,
    boot::{WRONG_TOKENS, lock},
    deadline::{LONGEST_REQUEST, in_time},
    reports::{MAX_FACTS_BYTES, Reception, Turn, read_facts},
};
use crate::{
    auth::{ClientAddress, Secret, Throttle},
    discovery::ReportRefused,
    metrics,
    provision::agents::{Agent, AgentRefused, AgentStep, Agents},
};

/// Reports taken in at once; each may hold some tens of megabytes for a moment. Agents come again by themselves.
const REPORTS: usize = 32;
/// Signs of life with what was measured that are taken in at once: as many as a group of the writer holds.
const HEARTBEATS: usize = 128;
/// Largest report of measurements, bytes.
const MAX_METRICS_BYTES: usize = 512 * 1024;
/// How long a report waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// When an agent whose host is not known here comes again, seconds.
const HOST_UNKNOWN_AGAIN: u64 = 60;

#[derive(Clone)]
struct AgentState {
    agents: Agents,
    reception: Reception,
    heartbeats: Reception,
    wrong: Arc<Mutex<Throttle<ClientAddress>>>,
}

/// Routes for agents. They need the client's address as `ConnectInfo<SocketAddr>`.
pub fn agent_router(agents: Agents) -> Router {
    let state = AgentState {
        agents,
        reception: Reception::new(REPORTS, WAIT),
        heartbeats: Reception::new(HEARTBEATS, WAIT),
        wrong: Arc::new(Mutex::new(Throttle::new(WRONG_TOKENS))),
    };
    Router::new()
        .route("/agent/v1/facts", post(facts))
        .route(
            "/agent/v1/heartbeat",
            post(heartbeat).layer(DefaultBodyLimit::max(MAX_METRICS_BYTES)),
        )
        .layer(DefaultBodyLimit::max(MAX_FACTS_BYTES))
        .layer(middleware::from_fn_with_state(LONGEST_REQUEST, in_time))
        .with_state(state)
}

/// An agent with a good credential: looked at before the first byte of the body is read.
struct Admitted {
    agent: Agent,
    client: IpAddr,
    credential: Secret,
}

impl FromRequestParts<AgentState> for Admitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AgentState) -> Result<Self, Problem> {
        let ConnectInfo(client) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|missing| Problem::internal(&missing))?;
        let client = client.ip().to_canonical();
        let header = TypedHeader::<Authorization<Bearer>>::from_request_parts(parts, state).await;
        let credential = header.map(|header| Secret::chosen(header.token().to_owned())).map_err(|_| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "agent_credential_missing",
                "send the agent's credential: `Authorization: Bearer …`; it got one at its enrolment (POST /boot/enrol)",
            )
        })?;
        let agent = state.admit(&credential, client).await?;
        Ok(Self {
            agent,
            client,
            credential,
        })
    }
}

/// The same with room for its report.
struct Reporting {
    admitted: Admitted,
    turn: Turn,
}

impl FromRequestParts<AgentState> for Reporting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AgentState) -> Result<Self, Problem> {
        let admitted = Admitted::from_request_parts(parts, state).await?;
        let client = ClientAddress::of(admitted.client);
        let turn = state.reception.enter(client, admitted.credential.hash()).await?;
        Ok(Self { admitted, turn })
    }
}

/// The same with room for what it measured.
struct Measuring {
    admitted: Admitted,
    turn: Turn,
}

impl FromRequestParts<AgentState> for Measuring {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AgentState) -> Result<Self, Problem> {
        let admitted = Admitted::from_request_parts(parts, state).await?;
        let client = ClientAddress::of(admitted.client);
        let turn = state.heartbeats.enter(client, admitted.credential.hash()).await?;
        Ok(Self { admitted, turn })
    }
}

/// What an agent is told.
#[derive(Debug, Serialize)]
struct AgentAnswer {
    host: String,
    name: Option<String>,
    report: bool,
    heartbeat_seconds: u32,
    look_seconds: u32,
    acknowledged: u64,
}

impl From<AgentStep> for AgentAnswer {
    fn from(step: AgentStep) -> Self {
        Self {
            host: step.host.to_string(),
            name: step.name,
            report: step.report,
            heartbeat_seconds: step.heartbeat_seconds,
            look_seconds: step.look_seconds,
            acknowledged: step.acknowledged,
        }
    }
}

/// Facts of the credential's host; answered after they are committed.
async fn facts(
    State(state): State<AgentState>,
    Reporting { admitted, turn }: Reporting,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<AgentAnswer>, Problem> {
    let Admitted { agent, client, .. } = admitted;
    let body = body.map_err(|rejection| {
        if rejection.status() != StatusCode::PAYLOAD_TOO_LARGE {
            return Problem::new(rejection.status(), "body_unread", "the report broke off; send it again");
        }
        let why = format!("a facts document has at most {MAX_FACTS_BYTES} bytes");
        state.agents.facts_refused(&agent, client, "facts_too_large", &why);
        Problem::new(rejection.status(), "facts_too_large", why)
    })?;
    let facts = read_facts(&body).map_err(|why| {
        state.agents.facts_refused(&agent, client, "facts_malformed", &why);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "facts_malformed", why)
    })?;
    // On a task of its own: a machine that hangs up in the middle does not leave a report half taken.
    let agents = state.agents.clone();
    let accepted = tokio::spawn(async move {
        let _turn = turn;
        Box::pin(agents.report(&agent, facts, client)).await
    })
    .await
    .map_err(|stopped| Problem::internal(&stopped))?;
    accepted
        .map(|step| Json(step.into()))
        .map_err(|refused| refusal(&refused))
}

/// A sign of life, with what was measured since the last one; answered after that is committed.
async fn heartbeat(
    State(state): State<AgentState>,
    Measuring { admitted, turn }: Measuring,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<AgentAnswer>, Problem> {
    let Admitted { agent, client, .. } = admitted;
    let body = body.map_err(|rejection| {
        let why = format!("a report of measurements has at most {MAX_METRICS_BYTES} bytes; send fewer samples at once");
        state.agents.facts_refused(&agent, client, "metrics_too_large", &why);
        Problem::new(rejection.status(), "metrics_too_large", why)
    })?;
    let report = metrics::read(&body).map_err(|unreadable| {
        let why = unreadable.to_string();
        state.agents.facts_refused(&agent, client, "metrics_malformed", &why);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "metrics_malformed", why)
    })?;
    let agents = state.agents.clone();
    let taken = tokio::spawn(async move {
        let _turn = turn;
        agents.measured(&agent, report, client).await
    })
    .await
    .map_err(|stopped| Problem::internal(&stopped))?;
    taken.map(|step| Json(step.into())).map_err(|refused| refusal(&refused))
}

impl AgentState {
    /// Who tries credentials is slowed down before the ledger is asked. An agent that was let in before is let in whatever
    /// others behind its address guess; one that was not, as after a restart of the server, waits a minute at most.
    async fn admit(&self, credential: &Secret, client: IpAddr) -> Result<Agent, Problem> {
        let address = ClientAddress::of(client);
        let seen = self.agents.has_seen(credential.reveal());
        if !seen {
            // Counted before its outcome is known: many at the same time are then not all free.
            let now = self.agents.now();
            let mut wrong = lock(&self.wrong);
            if let Some(wait) = wrong.wait(&address, now) {
                return Err(Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    "too many wrong credentials from this address; wait a minute",
                )
                .retry_after(wait.as_secs().max(1)));
            }
            wrong.tried(&address, now);
        }
        let admitted = self.agents.admit(credential.reveal(), client).await;
        if !seen && !matches!(admitted, Err(AgentRefused::Unknown)) {
            lock(&self.wrong).take_back(&address);
        }
        admitted.map_err(|refused| refusal(&refused))
    }
}

fn refusal(refused: &AgentRefused) -> Problem {
    let words = refused.to_string();
    match refused {
        AgentRefused::Unknown => Problem::new(StatusCode::UNAUTHORIZED, "agent_unknown", words),
        AgentRefused::Revoked => Problem::new(StatusCode::UNAUTHORIZED, "agent_revoked", words),
        AgentRefused::Report(ReportRefused::AnotherMachine { .. }) => {
            Problem::new(StatusCode::CONFLICT, "another_machine", words)
        }
        AgentRefused::Report(ReportRefused::HostUnknown) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "host_unknown", words).retry_after(HOST_UNKNOWN_AGAIN)
        }
        AgentRefused::Report(other) => Problem::internal(other),
        AgentRefused::Store(cause) => Problem::internal(cause),
        AgentRefused::Stopped(_) => Problem::internal(refused),
    }
}
