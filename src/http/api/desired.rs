//! What distros, profiles and plans have in common in the API.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    desired::{self, Draft, Fault, Objects, Values},
    http::{PageState, Problem},
    provision,
};

/// Values as they are in force, with the layer that says each. Secrets are "(set)".
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Effective {
    #[schema(value_type = Object)]
    values: Map<String, Value>,
    /// By dotted path, e.g. `kernel_options.console`: `built-in`, `settings`, or e.g. `profile web`.
    origins: BTreeMap<String, String>,
}

impl From<&desired::Effective> for Effective {
    fn from(effective: &desired::Effective) -> Self {
        Self {
            values: effective.shown(),
            origins: effective
                .origins
                .iter()
                .map(|(path, layer)| (path.clone(), layer.to_string()))
                .collect(),
        }
    }
}

/// Who would feel a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Affected {
    /// Fields that would differ.
    fields: Vec<String>,
    /// Profiles whose values in force would differ.
    profiles: Vec<String>,
    /// Hosts whose values in force would differ.
    hosts: Vec<AffectedHost>,
    /// Hosts whose answer files would differ, of the first 500 of `hosts`.
    files: Vec<FileChange>,
    /// Hosts whose answer files were not looked at, for their number.
    files_not_looked_at: usize,
}

/// A host whose answer file would change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileChange {
    id: Uuid,
    label: String,
    /// In the unified format, without secrets.
    difference: Option<String>,
    /// Why there would be no file any more.
    fault: Option<String>,
}

/// Who would feel it if what is drafted were in force, and how their answer files would differ.
pub(super) async fn preview(state: &PageState, headers: &HeaderMap, draft: &Draft) -> Result<Affected, Problem> {
    let mut affected = Affected::from(state.catalog().preview(draft).await?);
    if let Ok(answers) = state.answers() {
        let after = state
            .catalog()
            .objects()
            .await?
            .with(draft)
            .map_err(|fault| refused(&fault))?;
        let changes = answers.changes(&after, &state.preview_base(headers)).await?;
        affected.files_not_looked_at = changes.not_looked_at;
        affected.files = changes
            .hosts
            .into_iter()
            .map(|change| FileChange {
                id: change.host.0,
                label: change.label,
                fault: change.difference.as_ref().err().cloned(),
                difference: change.difference.ok(),
            })
            .collect();
    }
    Ok(affected)
}

/// One host that would feel a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AffectedHost {
    id: Uuid,
    /// Its name, else its id.
    label: String,
}

impl From<provision::Affected> for Affected {
    fn from(affected: provision::Affected) -> Self {
        Self {
            fields: affected.fields.into_iter().collect(),
            profiles: affected.profiles,
            hosts: affected
                .hosts
                .into_iter()
                .map(|(id, label)| AffectedHost { id: id.0, label })
                .collect(),
            files: Vec::new(),
            files_not_looked_at: 0,
        }
    }
}

/// What a distro or profile stands on: `{"distro": NAME}` or `{"profile": NAME}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Parent {
    Distro(String),
    Profile(String),
}

impl From<Parent> for desired::Parent {
    fn from(parent: Parent) -> Self {
        match parent {
            Parent::Distro(name) => Self::Distro(name),
            Parent::Profile(name) => Self::Profile(name),
        }
    }
}

impl From<&desired::Parent> for Parent {
    fn from(parent: &desired::Parent) -> Self {
        match parent {
            desired::Parent::Distro(name) => Self::Distro(name.clone()),
            desired::Parent::Profile(name) => Self::Profile(name.clone()),
        }
    }
}

/// A document as a program sends it: "(set)" leaves a secret as it is.
pub(super) fn values(document: Map<String, Value>, had: Option<&Values>) -> Result<Values, Problem> {
    let kept = had.map(|had| had.with_kept_secrets(document.clone()));
    Values::check(kept.unwrap_or(document)).map_err(|fault| refused(&fault))
}

pub(super) fn refused(fault: &Fault) -> Problem {
    Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, "refused", fault)
}

/// What is not there.
pub(super) fn unknown(code: &'static str) -> impl Fn(Fault) -> Problem {
    move |fault| Problem::refused(StatusCode::NOT_FOUND, code, &fault)
}

/// Why something is not removed: it is used.
pub(super) fn used(fault: provision::CatalogFault) -> Problem {
    match fault {
        provision::CatalogFault::Refused(fault) => Problem::refused(StatusCode::CONFLICT, "in_use", &fault),
        provision::CatalogFault::Ledger(error) => error.into(),
    }
}

/// Names of the profiles that stand on `parent` itself.
pub(super) fn standing_on(objects: &Objects, parent: &desired::Parent) -> Vec<String> {
    objects
        .profiles
        .values()
        .filter(|profile| profile.parent == *parent)
        .map(|profile| profile.name.clone())
        .collect()
}
