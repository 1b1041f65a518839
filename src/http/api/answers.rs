#![expect(
    unused_qualifications,
    reason = "utoipa writes the types of queries with their paths"
)]

use axum::{Json, extract::State, http::HeaderMap};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::asked::{Path, Query};
use crate::{
    http::{PageState, Problem},
    inventory::HostId,
    provision::answers::Preview,
    render::answer::Grade,
};

/// The answer file a host would get now, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnswerPreview {
    /// E.g. `redhat/default.ks`.
    template: String,
    lines: Vec<AnswerLine>,
    /// Values that the templates asked for.
    values: Vec<UsedValue>,
    /// What an installer would refuse; empty when no check was asked for.
    findings: Vec<AnswerFinding>,
    /// Which program did not read it because the server does not have it, and what was done without.
    not_checked: Option<String>,
}

/// One line, and who wrote it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnswerLine {
    text: String,
    /// The template or snippet, with `site/` or `built-in/` before its name.
    template: String,
    /// The line there, from 1.
    line: usize,
}

/// A value that a template asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsedValue {
    /// Dotted path, e.g. `kernel_options.console`.
    name: String,
    /// On one line; "(set)" for a secret.
    value: String,
    /// Who says it.
    layer: String,
}

/// Something that is wrong with a file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnswerFinding {
    /// False: a warning.
    error: bool,
    /// The line, from 1; 0 when it is about the whole file.
    line: usize,
    message: String,
    /// `ksvalidator`, `debconf-set-selections`, or `muster`.
    checker: String,
}

impl From<Preview> for AnswerPreview {
    fn from(preview: Preview) -> Self {
        Self {
            template: preview.template,
            not_checked: preview.not_checked.map(|missing| missing.words().to_owned()),
            lines: preview
                .lines
                .into_iter()
                .map(|line| AnswerLine {
                    text: line.text,
                    template: line.template.to_string(),
                    line: line.line,
                })
                .collect(),
            values: preview
                .values
                .into_iter()
                .map(|value| UsedValue {
                    name: value.name,
                    value: value.value,
                    layer: value.layer,
                })
                .collect(),
            findings: preview
                .findings
                .into_iter()
                .map(|finding| AnswerFinding {
                    error: finding.grade == Grade::Error,
                    line: finding.line,
                    message: finding.message,
                    checker: finding.checker.to_owned(),
                })
                .collect(),
        }
    }
}

/// How a file is looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AnswerAsked {
    /// Have it read by the checkers too.
    #[serde(default)]
    check: bool,
}

/// The answer file a host would get now, line by line, without its secrets.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/answer", tag = "desired", params(("id" = Uuid, Path), AnswerAsked),
    responses((status = 200, body = AnswerPreview), (status = "default", body = Problem)))]
pub(super) async fn answer(
    State(state): State<PageState>,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
    Query(asked): Query<AnswerAsked>,
) -> Result<Json<AnswerPreview>, Problem> {
    let base = state.preview_base(&headers);
    let preview = state.answers()?.preview(HostId(id), &base, asked.check).await?;
    Ok(Json(preview.into()))
}
