use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::desired::{Affected, Effective, NewName, preview, refused, standing_on, unknown, used, values};
use crate::{
    desired::{self, Draft, Fault, Objects, Parent},
    http::{PageState, Problem, guard::Known},
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

impl DistroWanted {
    fn named(self, name: String, objects: &Objects) -> Result<desired::Distro, Problem> {
        let had = objects.distros.get(&name).map(|distro| &distro.values);
        let family = self.family.parse().map_err(|_| {
            refused(&Fault::new(
                "family",
                &self.family,
                "there is no such family",
                "write redhat, debian, ubuntu or suse",
            ))
        })?;
        Ok(desired::Distro {
            values: values(self.values, had)?,
            name,
            family,
            id: self.id,
            version: self.version,
            codename: self.codename,
            arch: self.arch,
            tree: match self.tree {
                Tree::Path(path) => desired::Tree::Path(path),
                Tree::Url(url) => desired::Tree::Url(url),
            },
            kernel: self.kernel,
            initrd: self.initrd,
        })
    }
}

fn shown(objects: &Objects, distro: &desired::Distro) -> Result<Distro, Fault> {
    Ok(Distro {
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
        profiles: standing_on(objects, &Parent::Distro(distro.name.clone())),
    })
}

/// Lists distros, by name.
#[utoipa::path(get, path = "/api/v1/distros", tag = "desired", responses(
    (status = 200, body = Vec<Distro>), (status = "default", body = Problem)))]
pub(super) async fn distros(State(state): State<PageState>) -> Result<Json<Vec<Distro>>, Problem> {
    let objects = state.catalog().objects().await?;
    let all = objects.distros.values().map(|distro| shown(&objects, distro));
    Ok(Json(all.collect::<Result<_, _>>().map_err(|fault| refused(&fault))?))
}

/// One distro.
#[utoipa::path(get, path = "/api/v1/distros/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 200, body = Distro), (status = "default", body = Problem)))]
pub(super) async fn distro(State(state): State<PageState>, Path(name): Path<String>) -> Result<Json<Distro>, Problem> {
    let objects = state.catalog().objects().await?;
    let distro = objects.distro(&name).map_err(unknown("distro_unknown"))?;
    Ok(Json(shown(&objects, distro).map_err(|fault| refused(&fault))?))
}

/// Enters a distro, or replaces the one of this name.
#[utoipa::path(put, path = "/api/v1/distros/{name}", tag = "desired", params(("name" = String, Path)),
    request_body = DistroWanted, responses((status = 200, body = Distro), (status = 201, body = Distro),
    (status = "default", body = Problem)))]
pub(super) async fn put_distro(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Json(wanted): Json<DistroWanted>,
) -> Result<(StatusCode, Json<Distro>), Problem> {
    let catalog = state.catalog();
    let draft = Draft::Distro(wanted.named(name.clone(), &*catalog.objects().await?)?);
    let new = catalog.put(draft, &caller.actor(), state.now()).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, distro(State(state), Path(name)).await?))
}

/// Says which profiles and hosts would feel it if this distro were put.
#[utoipa::path(post, path = "/api/v1/distros/{name}/preview-change", tag = "desired", params(("name" = String, Path)),
    request_body = DistroWanted, responses((status = 200, body = Affected), (status = "default", body = Problem)))]
pub(super) async fn preview_distro(
    State(state): State<PageState>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Json(wanted): Json<DistroWanted>,
) -> Result<Json<Affected>, Problem> {
    let draft = Draft::Distro(wanted.named(name, &*state.catalog().objects().await?)?);
    Ok(Json(preview(&state, &headers, &draft).await?))
}

/// Removes a distro that no profile stands on.
#[utoipa::path(delete, path = "/api/v1/distros/{name}", tag = "desired", params(("name" = String, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove_distro(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let catalog = state.catalog();
    catalog
        .objects()
        .await?
        .distro(&name)
        .map_err(unknown("distro_unknown"))?;
    let removed = catalog
        .remove(&Parent::Distro(name), &caller.actor(), state.now())
        .await;
    removed.map_err(used)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enters a distro like this one under another name.
#[utoipa::path(post, path = "/api/v1/distros/{name}/copy", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 201, body = Distro), (status = "default", body = Problem)))]
pub(super) async fn copy_distro(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Json(new): Json<NewName>,
) -> Result<(StatusCode, Json<Distro>), Problem> {
    let catalog = state.catalog();
    catalog
        .objects()
        .await?
        .distro(&name)
        .map_err(unknown("distro_unknown"))?;
    catalog
        .copy(&Parent::Distro(name), &new.to, &caller.actor(), state.now())
        .await?;
    Ok((StatusCode::CREATED, distro(State(state), Path(new.to)).await?))
}

/// Gives a distro another name; profiles that stand on it follow.
#[utoipa::path(post, path = "/api/v1/distros/{name}/rename", tag = "desired", params(("name" = String, Path)),
    request_body = NewName, responses((status = 200, body = Distro), (status = "default", body = Problem)))]
pub(super) async fn rename_distro(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(name): Path<String>,
    Json(new): Json<NewName>,
) -> Result<Json<Distro>, Problem> {
    let catalog = state.catalog();
    catalog
        .objects()
        .await?
        .distro(&name)
        .map_err(unknown("distro_unknown"))?;
    catalog
        .rename(&Parent::Distro(name), &new.to, &caller.actor(), state.now())
        .await?;
    distro(State(state), Path(new.to)).await
}
