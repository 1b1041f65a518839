//! What installers and freshly installed machines ask. Who may call: the machine that an installation was opened for, by
//! the tokens of that installation and from its own address; Cobbler's addresses by the machine's own address alone.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
};
use serde::Deserialize;
use serde_json::json;

use super::{WRONG_TOKENS, lock};
use crate::{
    auth::{ClientAddress, Secret, Throttle},
    http::{
        Problem,
        deadline::{LONGEST_REQUEST, in_time},
    },
    install::Packages,
    provision::install::{AnswerRefused, Installs},
};

/// Longest body of an enrolment, bytes: a credential has some eighty.
const LONGEST_ENROLMENT: usize = 1024;

#[derive(Clone)]
struct InstallState {
    installs: Installs,
    wrong_tokens: Arc<Mutex<Throttle<ClientAddress>>>,
}

/// Routes of installations. They need the client's address as `ConnectInfo<SocketAddr>`.
pub fn install_router(installs: Installs) -> Router {
    let state = InstallState {
        installs,
        wrong_tokens: Arc::new(Mutex::new(Throttle::new(WRONG_TOKENS))),
    };
    Router::new()
        .route("/boot/answer/{token}", get(answer))
        .route("/boot/answer/{token}/", get(answer))
        .route("/boot/answer/{token}/{part}", get(seed))
        .route("/boot/stage/{token}", get(stage).post(stage))
        .route(
            "/boot/enrol",
            post(enrol).layer(DefaultBodyLimit::max(LONGEST_ENROLMENT)),
        )
        .route("/cblr/svc/op/{op}/system/{name}", get(cobbler).post(cobbler))
        .layer(middleware::from_fn_with_state(LONGEST_REQUEST, in_time))
        .with_state(state)
}

fn text(body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

fn asked_host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.unwrap_or_default().to_owned()
}

async fn answer(
    State(state): State<InstallState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = client.ip().to_canonical();
    let host = asked_host(&headers);
    // On a task of its own: an installer that hangs up does not leave a step half taken.
    let given = state.clone();
    let answered = tokio::spawn(async move { given.installs.answer(&token, client, &host).await })
        .await
        .map_err(|stopped| Problem::internal(&stopped))?;
    answered.map(text).map_err(|refused| state.refuse(client, &refused))
}

/// The folder that cloud-init of Ubuntu's installer reads: its `user-data` is the answer file, the others say nothing.
async fn seed(
    state: State<InstallState>,
    client: ConnectInfo<SocketAddr>,
    Path((token, part)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match part.as_str() {
        "user-data" => answer(state, client, Path(token), headers).await,
        "meta-data" => Ok(text("instance-id: muster-install\n".to_owned())),
        "vendor-data" => Ok(text(String::new())),
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there are user-data, meta-data and vendor-data here",
        )),
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Told {
    stage: String,
    message: String,
    /// Packages that are in, and in all.
    n: Option<u32>,
    of: Option<u32>,
    /// Cobbler's word for the stage.
    mode: String,
}

async fn stage(
    State(state): State<InstallState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    Query(told): Query<Told>,
) -> Result<StatusCode, Problem> {
    let client = client.ip().to_canonical();
    let packages = told.n.map(|done| Packages { done, all: told.of });
    let given = state.clone();
    let taken = tokio::spawn(async move {
        let installs = &given.installs;
        installs
            .stage(&token, client, &told.stage, &told.message, packages)
            .await
    });
    let taken = taken.await.map_err(|stopped| Problem::internal(&stopped))?;
    taken
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(|refused| state.refuse(client, &refused))
}

/// The credential that an agent has made for itself. It has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    credential: String,
}

async fn enrol(
    State(state): State<InstallState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    TypedHeader(token): TypedHeader<Authorization<Bearer>>,
    body: Bytes,
) -> Result<Response, Problem> {
    let client = client.ip().to_canonical();
    let token = token.token().to_owned();
    let own = if body.is_empty() {
        None
    } else {
        // What is wrong in it is not repeated: it may hold a secret.
        let proposed: Proposed =
            serde_json::from_slice(&body).map_err(|_| state.refuse(client, &AnswerRefused::NoCredential))?;
        Some(Secret::chosen(proposed.credential))
    };
    let given = state.clone();
    let enrolled = tokio::spawn(async move { given.installs.enrol(&token, client, own).await })
        .await
        .map_err(|stopped| Problem::internal(&stopped))?
        .map_err(|refused| state.refuse(client, &refused))?;
    let mut body = json!({ "host": enrolled.host.to_string() });
    if let Some(credential) = &enrolled.credential {
        body["credential"] = credential.reveal().into();
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Cobbler's addresses, for templates that were written for it. `NAME` is looked at, and the machine's address decides.
async fn cobbler(
    State(state): State<InstallState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Path((op, name)): Path<(String, String)>,
    Query(told): Query<Told>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = client.ip().to_canonical();
    let host = asked_host(&headers);
    let given = state.clone();
    let done = tokio::spawn(async move {
        let installs = &given.installs;
        let word = match (op.as_str(), told.mode.as_str()) {
            ("ks" | "autoinstall", _) => return installs.answer_by_address(&name, client, &host).await.map(text),
            ("nopxe", _) => "rebooting",
            ("trig", "pre") => "installer",
            ("trig", "post") => "post",
            ("trig", "firstboot") => "first_boot",
            _ => return Err(AnswerRefused::Unknown),
        };
        installs.stage_by_address(&name, client, word).await?;
        Ok(text("True\n".to_owned()))
    });
    let done = done.await.map_err(|stopped| Problem::internal(&stopped))?;
    done.map_err(|refused| state.refuse(client, &refused))
}

impl InstallState {
    fn refuse(&self, client: IpAddr, refused: &AnswerRefused) -> Problem {
        let code = match refused {
            AnswerRefused::Store(cause) => return Problem::internal(cause),
            AnswerRefused::NotMade => {
                return Problem::new(StatusCode::CONFLICT, "answer_not_made", refused.to_string());
            }
            AnswerRefused::CredentialKnown => {
                return Problem::new(StatusCode::CONFLICT, "agent_credential_known", refused.to_string());
            }
            AnswerRefused::NoCredential => {
                return Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "agent_credential_malformed",
                    refused.to_string(),
                );
            }
            AnswerRefused::Unknown => "install_token_unknown",
            AnswerRefused::Old => "install_token_old",
            AnswerRefused::Other => "install_token_other",
            AnswerRefused::Elsewhere => "install_other_address",
            AnswerRefused::Over => "install_stage_over",
            AnswerRefused::Used => "install_token_used",
        };
        if matches!(refused, AnswerRefused::Unknown) {
            let (client, now) = (ClientAddress::of(client), self.installs.now());
            let mut wrong = lock(&self.wrong_tokens);
            let wait = wrong.wait(&client, now);
            wrong.tried(&client, now);
            if let Some(wait) = wait {
                return Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    "too many wrong tokens from this address",
                )
                .retry_after(wait.as_secs().max(1));
            }
        }
        Problem::new(StatusCode::FORBIDDEN, code, refused.to_string())
    }
}
