use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    asked::{Body, Path},
    desired::{Affected, Effective, preview, values},
};
use crate::{
    desired::{Draft, HostPlan, rules::Giver},
    http::{PageState, Problem, guard::Known},
    inventory::HostId,
    provision::HostDesired,
};

/// The site's defaults.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Defaults {
    /// Secrets are "(set)".
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// The site's defaults as they are to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsWanted {
    /// "(set)" leaves a secret as it is.
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// What is wanted of a host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plan {
    /// What it is installed for.
    profile: Option<String>,
    /// The distro it is installed with.
    distro: Option<String>,
    /// Its profiles, nearest first.
    profiles: Vec<String>,
    /// Its own values; secrets are "(set)".
    #[schema(value_type = Object)]
    values: Map<String, Value>,
    /// What is in force for it.
    effective: Effective,
}

/// What is to be wanted of a host.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanWanted {
    /// What it is installed for.
    profile: Option<String>,
    /// Its own values; "(set)" leaves a secret as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// The site's defaults, on which every distro stands.
#[utoipa::path(get, path = "/api/v1/defaults", tag = "desired", responses(
    (status = 200, body = Defaults), (status = "default", body = Problem)))]
pub(super) async fn defaults(State(state): State<PageState>) -> Result<Json<Defaults>, Problem> {
    let objects = state.catalog().objects().await?;
    Ok(Json(Defaults {
        values: objects.settings.shown(),
    }))
}

/// Sets the site's defaults.
#[utoipa::path(put, path = "/api/v1/defaults", tag = "desired", request_body = DefaultsWanted, responses(
    (status = 200, body = Defaults), (status = "default", body = Problem)))]
pub(super) async fn put_defaults(
    State(state): State<PageState>,
    Extension(caller): Known,
    Body(wanted): Body<DefaultsWanted>,
) -> Result<Json<Defaults>, Problem> {
    let objects = state.catalog().objects().await?;
    let draft = Draft::Defaults(values(wanted.values, Some(&objects.settings))?);
    state.catalog().put(draft, &caller.actor(), state.now()).await?;
    defaults(State(state)).await
}

/// Says which profiles and hosts would feel it if these were the site's defaults.
#[utoipa::path(post, path = "/api/v1/defaults/preview-change", tag = "desired", request_body = DefaultsWanted,
    responses((status = 200, body = Affected), (status = "default", body = Problem)))]
pub(super) async fn preview_defaults(
    State(state): State<PageState>,
    headers: HeaderMap,
    Body(wanted): Body<DefaultsWanted>,
) -> Result<Json<Affected>, Problem> {
    let objects = state.catalog().objects().await?;
    let draft = Draft::Defaults(values(wanted.values, Some(&objects.settings))?);
    Ok(Json(preview(&state, &headers, &draft).await?))
}

async fn known(state: &PageState, id: Uuid) -> Result<HostDesired, Problem> {
    let found = state.catalog().host(HostId(id)).await?;
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "host_unknown", "there is no such host"))
}

/// What is wanted of a host, with what is in force for it.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/plan", tag = "desired", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Plan), (status = "default", body = Problem)))]
pub(super) async fn plan(State(state): State<PageState>, Path(id): Path<Uuid>) -> Result<Json<Plan>, Problem> {
    let wanted = known(&state, id).await?;
    Ok(Json(Plan {
        profile: wanted.plan.profile.clone(),
        distro: wanted.distro.map(|distro| distro.name),
        profiles: wanted.profiles,
        values: wanted.plan.values.shown(),
        effective: (&wanted.effective).into(),
    }))
}

/// Sets what is wanted of a host.
#[utoipa::path(put, path = "/api/v1/hosts/{id}/plan", tag = "desired", params(("id" = Uuid, Path)),
    request_body = PlanWanted, responses((status = 200, body = Plan), (status = "default", body = Problem)))]
pub(super) async fn put_plan(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
    Body(wanted): Body<PlanWanted>,
) -> Result<Json<Plan>, Problem> {
    let had = known(&state, id).await?.plan;
    let plan = HostPlan {
        host: HostId(id),
        profile: wanted.profile,
        profile_by: Some(Giver::Person),
        values: values(wanted.values, Some(&had.values))?,
        given: had.given,
    };
    state.catalog().set_plan(plan, &caller.actor(), state.now()).await?;
    state.plan_changed(HostId(id)).await;
    self::plan(State(state), Path(id)).await
}

/// Takes back all that is wanted of a host; the host stays.
#[utoipa::path(delete, path = "/api/v1/hosts/{id}/plan", tag = "desired", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_plan(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    known(&state, id).await?;
    state
        .catalog()
        .remove_plan(HostId(id), &caller.actor(), state.now())
        .await?;
    state.plan_changed(HostId(id)).await;
    Ok(StatusCode::NO_CONTENT)
}
