//! Distros and profiles alike in the API: listed, shown, put, tried, removed, copied, renamed.

use axum::{
    Extension, Json,
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    asked::Path,
    desired::{Affected, preview, refused, unknown, used},
};
use crate::{
    desired::{Draft, Fault, Objects, Parent},
    http::{PageState, Problem, guard::Known},
};

/// The name that something gets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    /// 1 to 128 letters, digits, `_`, `-`, `.` and `:`.
    to: String,
}

/// A distro or a profile as the API shows it.
pub(super) trait Object: Serialize + Sized {
    /// As it is to be, but for its name.
    type Wanted;
    /// Code of the problem that there is none of a name.
    const UNKNOWN: &'static str;

    /// How the catalogue of what is desired calls the one of this name.
    fn called(name: String) -> Parent;
    /// Names of all there are, in order.
    fn names(objects: &Objects) -> impl Iterator<Item = &String>;
    /// The one of this name.
    ///
    /// # Errors
    /// [`Fault`] when there is none.
    fn find(objects: &Objects, name: &str) -> Result<(), Fault>;
    /// One that exists, with what is in force for it.
    ///
    /// # Errors
    /// [`Fault`] when what it stands on is not there.
    fn shown(objects: &Objects, name: &str) -> Result<Self, Fault>;
    /// What is wanted, under its name.
    ///
    /// # Errors
    /// A refusal that names the field.
    fn draft(wanted: Self::Wanted, name: String, objects: &Objects) -> Result<Draft, Problem>;
}

/// All of a kind, by name.
pub(super) async fn list<O: Object>(state: &PageState) -> Result<Json<Vec<O>>, Problem> {
    let objects = state.catalog().objects().await?;
    let all = O::names(&objects).map(|name| O::shown(&objects, name));
    Ok(Json(all.collect::<Result<_, _>>().map_err(|fault| refused(&fault))?))
}

/// The one that a request's address names, and who asks.
pub(super) struct Named {
    state: PageState,
    headers: HeaderMap,
    caller: Known,
    name: String,
}

impl FromRequestParts<PageState> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &PageState) -> Result<Self, Response> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let caller = Extension::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        Ok(Self {
            state: state.clone(),
            headers: parts.headers.clone(),
            caller,
            name,
        })
    }
}

impl Named {
    pub(super) async fn show<O: Object>(self) -> Result<Json<O>, Problem> {
        self.shown(&self.name).await
    }

    async fn shown<O: Object>(&self, name: &str) -> Result<Json<O>, Problem> {
        let objects = self.state.catalog().objects().await?;
        O::find(&objects, name).map_err(unknown(O::UNKNOWN))?;
        Ok(Json(O::shown(&objects, name).map_err(|fault| refused(&fault))?))
    }

    async fn must_exist<O: Object>(&self) -> Result<(), Problem> {
        let objects = self.state.catalog().objects().await?;
        O::find(&objects, &self.name).map_err(unknown(O::UNKNOWN))
    }

    pub(super) async fn put<O: Object>(self, wanted: O::Wanted) -> Result<(StatusCode, Json<O>), Problem> {
        let (catalog, name) = (self.state.catalog(), &self.name);
        let draft = O::draft(wanted, name.clone(), &*catalog.objects().await?)?;
        let new = catalog.put(draft, &self.caller.actor(), self.state.now()).await?;
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, self.shown(name).await?))
    }

    pub(super) async fn preview<O: Object>(self, wanted: O::Wanted) -> Result<Json<Affected>, Problem> {
        let draft = O::draft(wanted, self.name, &*self.state.catalog().objects().await?)?;
        Ok(Json(preview(&self.state, &self.headers, &draft).await?))
    }

    pub(super) async fn remove<O: Object>(self) -> Result<StatusCode, Problem> {
        self.must_exist::<O>().await?;
        let (which, actor, now) = (O::called(self.name), self.caller.actor(), self.state.now());
        let removed = self.state.catalog().remove(&which, &actor, now).await;
        removed.map_err(used)?;
        Ok(StatusCode::NO_CONTENT)
    }

    pub(super) async fn copy<O: Object>(self, new: NewName) -> Result<(StatusCode, Json<O>), Problem> {
        self.must_exist::<O>().await?;
        let (which, now) = (O::called(self.name.clone()), self.state.now());
        let catalog = self.state.catalog();
        catalog.copy(&which, &new.to, &self.caller.actor(), now).await?;
        Ok((StatusCode::CREATED, self.shown(&new.to).await?))
    }

    pub(super) async fn rename<O: Object>(self, new: NewName) -> Result<Json<O>, Problem> {
        self.must_exist::<O>().await?;
        let (which, now) = (O::called(self.name.clone()), self.state.now());
        let catalog = self.state.catalog();
        catalog.rename(&which, &new.to, &self.caller.actor(), now).await?;
        self.shown(&new.to).await
    }
}
