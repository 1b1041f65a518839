//! Distros in the API.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asked::Body;
use super::{
    desired::{Affected, Effective, refused, standing_on, values},
    object::{self, Named, NewName, Object},
};
use crate::{
    desired::{self, Draft, Fault, Objects},
    http::{PageState, Problem},
};

/// One system that can be installed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Distro {
    name: String,
    /// `redhat`, `debian`, `ubuntu` or `suse`.
    family: &'static str,
    /// `rocky`, `debian`, …
    id: String,
    version: String,
    codename: Option<String>,
    arch: String,
    tree: Tree,
    /// Below the tree.
    kernel: String,
    /// Below the tree.
    initrd: String,
    /// Its own values; secrets are "(set)".
    #[schema(value_type = Object)]
    values: Map<String, Value>,
    /// What is in force for it.
    effective: Effective,
    /// Profiles that stand on it.
    profiles: Vec<String>,
}

/// Where an installer's tree is: `{"path": FOLDER}` of this server, or `{"url": ADDRESS}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tree {
    Path(String),
    Url(String),
}

/// A distro as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DistroWanted {
    /// `redhat`, `debian`, `ubuntu` or `suse`.
    family: String,
    /// `rocky`, `debian`, …
    id: String,
    version: String,
    codename: Option<String>,
    arch: String,
    tree: Tree,
    /// Below the tree.
    kernel: String,
    /// Below the tree.
    initrd: String,
    /// Its own values; "(set)" leaves a secret as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

impl Object for Distro {
    type Wanted = DistroWanted;
    const UNKNOWN: &'static str = "distro_unknown";

    fn called(name: String) -> desired::Parent {
        desired::Parent::Distro(name)
    }

    fn names(objects: &Objects) -> impl Iterator<Item = &String> {
        objects.distros.keys()
    }

    fn find(objects: &Objects, name: &str) -> Result<(), Fault> {
        objects.distro(name).map(|_| ())
    }

    fn shown(objects: &Objects, name: &str) -> Result<Self, Fault> {
        let distro = objects.distro(name)?;
        Ok(Self {
            name: distro.name.clone(),
            family: distro.family.as_str(),
            id: distro.id.clone(),
            version: distro.version.clone(),
            codename: distro.codename.clone(),
            arch: distro.arch.clone(),
            tree: match &distro.tree {
                desired::Tree::Path(path) => Tree::Path(path.clone()),
                desired::Tree::Url(url) => Tree::Url(url.clone()),
            },
            kernel: distro.kernel.clone(),
            initrd: distro.initrd.clone(),
            values: distro.values.shown(),
            effective: (&objects.of_distro(&distro.name)?).into(),
            profiles: standing_on(objects, &desired::Parent::Distro(distro.name.clone())),
        })
    }

    fn draft(wanted: DistroWanted, name: String, objects: &Objects) -> Result<Draft, Problem> {
        let had = objects.distros.get(&name).map(|distro| &distro.values);
        let family = wanted.family.parse().map_err(|_| {
            refused(&Fault::new(
                "family",
                &wanted.family,
                "there is no such family",
                "write redhat, debian, ubuntu or suse",
            ))
        })?;
        Ok(Draft::Distro(desired::Distro {
            values: values(wanted.values, had)?,
            name,
            family,
            id: wanted.id,
            version: wanted.version,
            codename: wanted.codename,
            arch: wanted.arch,
            tree: match wanted.tree {
                Tree::Path(path) => desired::Tree::Path(path),
                Tree::Url(url) => desired::Tree::Url(url),
            },
            kernel: wanted.kernel,
            initrd: wanted.initrd,
        }))
    }
}

/// Lists distros, by name.
#[utoipa::path(get, path = "/api/v1/distros", tag = "desired", responses(
    (status = 200, body = Vec<Distro>), (status = "default", body = Problem)))]
pub(super) async fn distros(State(state): State<PageState>) -> Result<Json<Vec<Distro>>, Problem> {
    object::list(&state).await
}

/// One distro.
#[utoipa::path(get, path = "/api/v1/distros/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 200, body = Distro), (status = "default", body = Problem)))]
pub(super) async fn distro(named: Named) -> Result<Json<Distro>, Problem> {
    named.show().await
}

/// Enters a distro, or replaces the one of this name.
#[utoipa::path(put, path = "/api/v1/distros/{name}", tag = "desired", params(("name" = String, Path)),
    request_body = DistroWanted, responses((status = 200, body = Distro), (status = 201, body = Distro),
    (status = "default", body = Problem)))]
pub(super) async fn put_distro(
    named: Named,
    Body(wanted): Body<DistroWanted>,
) -> Result<(StatusCode, Json<Distro>), Problem> {
    named.put(wanted).await
}

/// Says which profiles and hosts would feel it if this distro were put.
#[utoipa::path(post, path = "/api/v1/distros/{name}/preview-change", tag = "desired", params(("name" = String, Path)),
    request_body = DistroWanted, responses((status = 200, body = Affected), (status = "default", body = Problem)))]
pub(super) async fn preview_distro(named: Named, Body(wanted): Body<DistroWanted>) -> Result<Json<Affected>, Problem> {
    named.preview::<Distro>(wanted).await
}

/// Removes a distro that no profile stands on.
#[utoipa::path(delete, path = "/api/v1/distros/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_distro(named: Named) -> Result<StatusCode, Problem> {
    named.remove::<Distro>().await
}

/// Enters a distro like this one under another name.
#[utoipa::path(post, path = "/api/v1/distros/{name}/copy", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 201, body = Distro), (status = "default", body = Problem)))]
pub(super) async fn copy_distro(named: Named, Body(new): Body<NewName>) -> Result<(StatusCode, Json<Distro>), Problem> {
    named.copy(new).await
}

/// Gives a distro another name; profiles that stand on it follow.
#[utoipa::path(post, path = "/api/v1/distros/{name}/rename", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 200, body = Distro), (status = "default", body = Problem)))]
pub(super) async fn rename_distro(named: Named, Body(new): Body<NewName>) -> Result<Json<Distro>, Problem> {
    named.rename(new).await
}
