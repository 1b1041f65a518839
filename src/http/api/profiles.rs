use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::desired::{Affected, Effective, NewName, Parent, preview, refused, standing_on, unknown, used, values};
use crate::{
    desired::{self, Draft, Fault, Objects},
    http::{PageState, Problem, guard::Known},
};

/// A purpose that hosts are installed for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Profile {
    name: String,
    /// What it stands on.
    parent: Parent,
    /// At the bottom of it all.
    distro: String,
    /// Its own values; secrets are "(set)".
    #[schema(value_type = Object)]
    values: Map<String, Value>,
    /// What is in force for it.
    effective: Effective,
    /// Profiles that stand on it.
    profiles: Vec<String>,
}

/// A profile as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileWanted {
    /// What it stands on.
    parent: Parent,
    /// Its own values; "(set)" leaves a secret as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

impl ProfileWanted {
    fn named(self, name: String, objects: &Objects) -> Result<desired::Profile, Problem> {
        let had = objects.profiles.get(&name).map(|profile| &profile.values);
        Ok(desired::Profile {
            values: values(self.values, had)?,
            name,
            parent: self.parent.into(),
        })
    }
}

fn shown(objects: &Objects, profile: &desired::Profile) -> Result<Profile, Fault> {
    Ok(Profile {
        name: profile.name.clone(),
        parent: (&profile.parent).into(),
        distro: objects.lineage(&profile.name)?.distro.name.clone(),
        values: profile.values.shown(),
        effective: (&objects.of_profile(&profile.name)?).into(),
        profiles: standing_on(objects, &desired::Parent::Profile(profile.name.clone())),
    })
}

/// Lists profiles, by name.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "desired", responses(
    (status = 200, body = Vec<Profile>), (status = "default", body = Problem)))]
pub(super) async fn profiles(State(state): State<PageState>) -> Result<Json<Vec<Profile>>, Problem> {
    let objects = state.catalog().objects().await?;
    let all = objects.profiles.values().map(|profile| shown(&objects, profile));
    Ok(Json(all.collect::<Result<_, _>>().map_err(|fault| refused(&fault))?))
}

/// One profile.
#[utoipa::path(get, path = "/api/v1/profiles/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 200, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn profile(
    State(state): State<PageState>,
    Path(name): Path<String>,
) -> Result<Json<Profile>, Problem> {
    let objects = state.catalog().objects().await?;
    let profile = objects.profile(&name).map_err(unknown("profile_unknown"))?;
    Ok(Json(shown(&objects, profile).map_err(|fault| refused(&fault))?))
}

/// Enters a profile, or replaces the one of this name.
#[utoipa::path(put, path = "/api/v1/profiles/{name}", tag = "desired", params(("name" = String, Path)),
    request_body = ProfileWanted, responses((status = 200, body = Profile), (status = 201, body = Profile),
    (status = "default", body = Problem)))]
pub(super) async fn put_profile(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Json(wanted): Json<ProfileWanted>,
) -> Result<(StatusCode, Json<Profile>), Problem> {
    let catalog = state.catalog();
    let draft = Draft::Profile(wanted.named(name.clone(), &*catalog.objects().await?)?);
    let new = catalog.put(draft, &caller.actor(), state.now()).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, profile(State(state), Path(name)).await?))
}

/// Says which profiles and hosts would feel it if this profile were put.
#[utoipa::path(post, path = "/api/v1/profiles/{name}/preview-change", tag = "desired", params(("name" = String, Path)),
    request_body = ProfileWanted, responses((status = 200, body = Affected), (status = "default", body = Problem)))]
pub(super) async fn preview_profile(
    State(state): State<PageState>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Json(wanted): Json<ProfileWanted>,
) -> Result<Json<Affected>, Problem> {
    let draft = Draft::Profile(wanted.named(name, &*state.catalog().objects().await?)?);
    Ok(Json(preview(&state, &headers, &draft).await?))
}

/// Removes a profile that no host has and no profile stands on.
#[utoipa::path(delete, path = "/api/v1/profiles/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_profile(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let catalog = state.catalog();
    catalog
        .objects()
        .await?
        .profile(&name)
        .map_err(unknown("profile_unknown"))?;
    let which = desired::Parent::Profile(name);
    catalog
        .remove(&which, &caller.actor(), state.now())
        .await
        .map_err(used)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enters a profile like this one under another name.
#[utoipa::path(post, path = "/api/v1/profiles/{name}/copy", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 201, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn copy_profile(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Json(new): Json<NewName>,
) -> Result<(StatusCode, Json<Profile>), Problem> {
    let catalog = state.catalog();
    catalog
        .objects()
        .await?
        .profile(&name)
        .map_err(unknown("profile_unknown"))?;
    let which = desired::Parent::Profile(name);
    catalog.copy(&which, &new.to, &caller.actor(), state.now()).await?;
    Ok((StatusCode::CREATED, profile(State(state), Path(new.to)).await?))
}

/// Gives a profile another name; profiles that stand on it and hosts that have it follow.
#[utoipa::path(post, path = "/api/v1/profiles/{name}/rename", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 200, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn rename_profile(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Json(new): Json<NewName>,
) -> Result<Json<Profile>, Problem> {
    let catalog = state.catalog();
    catalog
        .objects()
        .await?
        .profile(&name)
        .map_err(unknown("profile_unknown"))?;
    let which = desired::Parent::Profile(name);
    catalog.rename(&which, &new.to, &caller.actor(), state.now()).await?;
    profile(State(state), Path(new.to)).await
}
