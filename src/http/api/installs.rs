#![expect(
    unused_qualifications,
    reason = "utoipa writes the types of queries with their paths"
)]

use axum::{Extension, Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    asked::{Body, Path, Query},
    hosts::wrong,
};
use crate::{
    discovery::MoveRefused,
    http::{PageState, Problem, guard::Known},
    install::{InstallId, Outcome},
    inventory::HostId,
    provision::install::{CancelRefused, Start, StartRefused},
    store::{self, InstallQuery},
};

/// Items of one answer at most.
const MOST: u64 = 500;

/// One attempt to install one host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Install {
    id: Uuid,
    host: Uuid,
    profile: String,
    distro: String,
    /// Who started it, e.g. `user:anna`.
    started_by: String,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// `open`, `done`, `failed` or `cancelled`.
    outcome: &'static str,
    /// `installer`, `interrupted`, `loop`, `silence` or `answer`.
    failed_by: Option<&'static str>,
    /// Why it ended, in words.
    reason: Option<String>,
    /// How far it came.
    stage: &'static str,
    stage_since: DateTime<Utc>,
    /// When anything was heard last, and what.
    heard_at: DateTime<Utc>,
    evidence: String,
    packages_done: Option<u32>,
    packages_all: Option<u32>,
    /// Every stage that was reached.
    stages: Vec<Reached>,
    /// How often the installer was started.
    starts: u32,
    /// What was found otherwise than planned; none until it was compared.
    differences: Option<Vec<Difference>>,
}

/// When a stage was reached.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reached {
    stage: &'static str,
    at: DateTime<Utc>,
}

/// One value that is not as planned.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Difference {
    field: String,
    planned: String,
    found: Option<String>,
}

impl From<store::Install> for Install {
    fn from(install: store::Install) -> Self {
        let progress = install.progress;
        Self {
            id: install.id.0,
            host: install.host.0,
            profile: install.profile,
            distro: install.distro,
            started_by: install.started_by,
            created_at: install.created_at,
            ended_at: install.ended_at,
            outcome: install.outcome.as_str(),
            failed_by: install.failed_by.map(crate::install::FailedBy::as_str),
            reason: install.reason,
            stage: progress.stage.as_str(),
            stage_since: progress.stage_since,
            heard_at: progress.heard_at,
            evidence: progress.evidence,
            packages_done: progress.packages.map(|packages| packages.done),
            packages_all: progress.packages.and_then(|packages| packages.all),
            stages: progress
                .times
                .iter()
                .map(|time| Reached {
                    stage: time.stage.as_str(),
                    at: time.at,
                })
                .collect(),
            starts: progress.starts,
            differences: install.differences.map(|differences| {
                differences
                    .into_iter()
                    .map(|one| Difference {
                        field: one.field,
                        planned: one.planned,
                        found: one.found,
                    })
                    .collect()
            }),
        }
    }
}

/// One page of installations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstallList {
    installs: Vec<Install>,
    /// On all pages.
    total: u64,
}

/// One line heard of an installation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstallLine {
    id: Uuid,
    at: DateTime<Utc>,
    /// `person`, `boot`, `answer`, `stage`, `syslog`, `agent` or `server`.
    source: String,
    level: &'static str,
    text: String,
}

/// Which installations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InstallsAsked {
    /// Of this host.
    host: Option<Uuid>,
    /// `open`, `done`, `failed` or `cancelled`.
    outcome: Option<String>,
    /// Words that must all occur in the host's name, serial, vendor, MAC and so on, the profile or the distro.
    q: Option<String>,
    /// Installations to skip.
    #[serde(default)]
    offset: u64,
    /// How many to give, at most 500.
    limit: Option<u64>,
}

/// Lists installations, newest first.
#[utoipa::path(get, path = "/api/v1/installs", tag = "installs", params(InstallsAsked), responses(
    (status = 200, body = InstallList), (status = "default", body = Problem)))]
pub(super) async fn installs(
    State(state): State<PageState>,
    Query(asked): Query<InstallsAsked>,
) -> Result<Json<InstallList>, Problem> {
    let outcome = asked
        .outcome
        .as_deref()
        .map(|word| {
            word.parse::<Outcome>()
                .map_err(|_| wrong("outcome", word, "open, done, failed or cancelled"))
        })
        .transpose()?;
    let (found, total) = state
        .store()
        .installs(&InstallQuery {
            host: asked.host.map(HostId),
            outcome,
            text: asked.q,
            offset: asked.offset,
            limit: asked.limit.unwrap_or(50).clamp(1, MOST),
        })
        .await?;
    Ok(Json(InstallList {
        installs: found.into_iter().map(Install::from).collect(),
        total,
    }))
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "install_unknown",
        "there is no such installation",
    )
}

/// One installation.
#[utoipa::path(get, path = "/api/v1/installs/{id}", tag = "installs", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Install), (status = "default", body = Problem)))]
pub(super) async fn install(State(state): State<PageState>, Path(id): Path<Uuid>) -> Result<Json<Install>, Problem> {
    let found = state.store().install(InstallId(id)).await?.ok_or_else(unknown)?;
    Ok(Json(found.into()))
}

/// How far back, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogBack {
    /// Id of the last line seen: older ones are given.
    before: Option<Uuid>,
    /// How many to give, at most 500.
    limit: Option<u64>,
}

/// What was heard of an installation, newest first.
#[utoipa::path(get, path = "/api/v1/installs/{id}/log", tag = "installs", params(("id" = Uuid, Path), LogBack),
    responses((status = 200, body = Vec<InstallLine>), (status = "default", body = Problem)))]
pub(super) async fn install_log(
    State(state): State<PageState>,
    Path(id): Path<Uuid>,
    Query(back): Query<LogBack>,
) -> Result<Json<Vec<InstallLine>>, Problem> {
    let limit = back.limit.unwrap_or(200).clamp(1, MOST);
    let found = state.store().install_log(InstallId(id), back.before, limit).await?;
    Ok(Json(
        found
            .into_iter()
            .map(|line| InstallLine {
                id: line.id,
                at: line.at,
                source: line.source,
                level: line.level.as_str(),
                text: line.text,
            })
            .collect(),
    ))
}

/// Starts the installation of a host that has a profile.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/install", tag = "installs", params(("id" = Uuid, Path)),
    request_body = NameTyped, responses((status = 201, body = Install), (status = "default", body = Problem)))]
pub(super) async fn start_install(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
    Body(wanted): Body<NameTyped>,
) -> Result<(StatusCode, Json<Install>), Problem> {
    let start = Start {
        host: HostId(id),
        typed: wanted.name,
        actor: caller.actor(),
    };
    let started = state.installs()?.start(start).await.map_err(start_problem)?;
    Ok((StatusCode::CREATED, Json(started.into())))
}

/// Gives up an installation that runs.
#[utoipa::path(post, path = "/api/v1/installs/{id}/cancel", tag = "installs", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Install), (status = "default", body = Problem)))]
pub(super) async fn cancel_install(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
) -> Result<Json<Install>, Problem> {
    let cancelled = state.installs()?.cancel(InstallId(id), &caller.actor()).await;
    match cancelled {
        Ok(install) => Ok(Json(install.into())),
        Err(CancelRefused::Store(error)) => Err(error.into()),
        Err(refused @ CancelRefused::NotRunning) => Err(Problem::new(
            StatusCode::CONFLICT,
            "install_not_running",
            refused.to_string(),
        )),
    }
}

/// What the host goes by, where it is asked for.
#[derive(Debug, Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NameTyped {
    /// What the host goes by, where what is on its disks would be overwritten: it is in service, or an installation of it
    /// came as far as its answer file. Its name; of a host without one its serial number or one of its MACs.
    name: Option<String>,
}

/// Installs the same host once more.
#[utoipa::path(post, path = "/api/v1/installs/{id}/retry", tag = "installs", params(("id" = Uuid, Path)),
    request_body = NameTyped, responses((status = 201, body = Install), (status = "default", body = Problem)))]
pub(super) async fn retry_install(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
    Body(wanted): Body<NameTyped>,
) -> Result<(StatusCode, Json<Install>), Problem> {
    let started = state
        .installs()?
        .retry(InstallId(id), wanted.name, &caller.actor())
        .await
        .map_err(start_problem)?;
    Ok((StatusCode::CREATED, Json(started.into())))
}

fn start_problem(refused: StartRefused) -> Problem {
    let words = refused.to_string();
    match refused {
        StartRefused::Unknown | StartRefused::Move(MoveRefused::Unknown) => {
            Problem::new(StatusCode::NOT_FOUND, "host_unknown", words)
        }
        StartRefused::NoPlan => Problem::new(StatusCode::CONFLICT, "no_profile", words),
        StartRefused::TypeName(_) => Problem::new(StatusCode::CONFLICT, "type_the_name", words),
        StartRefused::Plan(_) => Problem::new(StatusCode::CONFLICT, "plan_unreadable", words),
        StartRefused::Move(MoveRefused::Lifecycle(_)) => Problem::new(StatusCode::CONFLICT, "not_now", words),
        StartRefused::Running => Problem::new(StatusCode::CONFLICT, "install_runs", words),
        StartRefused::Move(MoveRefused::NotKept(error)) => error.into(),
    }
}
