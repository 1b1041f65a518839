//! Profiles in the API.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asked::Body;
use super::{
    desired::{Affected, Effective, Parent, standing_on, values},
    object::{self, Named, NewName, Object},
};
use crate::{
    desired::{self, Draft, Fault, Objects},
    http::{PageState, Problem},
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

impl Object for Profile {
    type Wanted = ProfileWanted;
    const UNKNOWN: &'static str = "profile_unknown";

    fn called(name: String) -> desired::Parent {
        desired::Parent::Profile(name)
    }

    fn names(objects: &Objects) -> impl Iterator<Item = &String> {
        objects.profiles.keys()
    }

    fn find(objects: &Objects, name: &str) -> Result<(), Fault> {
        objects.profile(name).map(|_| ())
    }

    fn shown(objects: &Objects, name: &str) -> Result<Self, Fault> {
        let profile = objects.profile(name)?;
        Ok(Self {
            name: profile.name.clone(),
            parent: (&profile.parent).into(),
            distro: objects.lineage(&profile.name)?.distro.name.clone(),
            values: profile.values.shown(),
            effective: (&objects.of_profile(&profile.name)?).into(),
            profiles: standing_on(objects, &desired::Parent::Profile(profile.name.clone())),
        })
    }

    fn draft(wanted: ProfileWanted, name: String, objects: &Objects) -> Result<Draft, Problem> {
        let had = objects.profiles.get(&name).map(|profile| &profile.values);
        Ok(Draft::Profile(desired::Profile {
            values: values(wanted.values, had)?,
            name,
            parent: wanted.parent.into(),
        }))
    }
}

/// Lists profiles, by name.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "desired", responses(
    (status = 200, body = Vec<Profile>), (status = "default", body = Problem)))]
pub(super) async fn profiles(State(state): State<PageState>) -> Result<Json<Vec<Profile>>, Problem> {
    object::list(&state).await
}

/// One profile.
#[utoipa::path(get, path = "/api/v1/profiles/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 200, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn profile(named: Named) -> Result<Json<Profile>, Problem> {
    named.show().await
}

/// Enters a profile, or replaces the one of this name.
#[utoipa::path(put, path = "/api/v1/profiles/{name}", tag = "desired", params(("name" = String, Path)),
    request_body = ProfileWanted, responses((status = 200, body = Profile), (status = 201, body = Profile),
    (status = "default", body = Problem)))]
pub(super) async fn put_profile(
    named: Named,
    Body(wanted): Body<ProfileWanted>,
) -> Result<(StatusCode, Json<Profile>), Problem> {
    named.put(wanted).await
}

/// Says which profiles and hosts would feel it if this profile were put.
#[utoipa::path(post, path = "/api/v1/profiles/{name}/preview-change", tag = "desired", params(("name" = String, Path)),
    request_body = ProfileWanted, responses((status = 200, body = Affected), (status = "default", body = Problem)))]
pub(super) async fn preview_profile(
    named: Named,
    Body(wanted): Body<ProfileWanted>,
) -> Result<Json<Affected>, Problem> {
    named.preview::<Profile>(wanted).await
}

/// Removes a profile that no host has and no profile stands on.
#[utoipa::path(delete, path = "/api/v1/profiles/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_profile(named: Named) -> Result<StatusCode, Problem> {
    named.remove::<Profile>().await
}

/// Enters a profile like this one under another name.
#[utoipa::path(post, path = "/api/v1/profiles/{name}/copy", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 201, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn copy_profile(
    named: Named,
    Body(new): Body<NewName>,
) -> Result<(StatusCode, Json<Profile>), Problem> {
    named.copy(new).await
}

/// Gives a profile another name; profiles that stand on it and hosts that have it follow.
#[utoipa::path(post, path = "/api/v1/profiles/{name}/rename", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 200, body = Profile), (status = "default", body = Problem)))]
pub(super) async fn rename_profile(named: Named, Body(new): Body<NewName>) -> Result<Json<Profile>, Problem> {
    named.rename(new).await
}
