use std::time::Duration;

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    asked::{Body, Path},
    shape::{Me, NewToken, Token},
};
use crate::{
    auth::{Means, TokenRequest},
    http::{PageState, Problem, guard::Known},
    store::Role,
};

/// Who calls.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses(
    (status = 200, body = Me), (status = "default", body = Problem)))]
pub(super) async fn me(Extension(caller): Known) -> Json<Me> {
    Json(Me {
        role: caller.role.as_str(),
        token: match caller.means {
            Means::Token(name) => Some(name),
            Means::Session(_) => None,
        },
        name: caller.name,
    })
}

/// One's own API tokens, oldest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "account", responses(
    (status = 200, body = Vec<Token>), (status = "default", body = Problem)))]
pub(super) async fn tokens(
    State(state): State<PageState>,
    Extension(caller): Known,
) -> Result<Json<Vec<Token>>, Problem> {
    let found = state.auth().tokens(&caller).await?;
    Ok(Json(found.into_iter().map(Token::from).collect()))
}

/// What a new API token shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// What it is for.
    name: String,
    /// `viewer`, `operator` or `admin`, not more than the caller's own.
    #[schema(value_type = String)]
    role: Role,
    /// Days until it ends; without it, never.
    days: Option<u32>,
}

/// Makes an API token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "account", request_body = Wanted, responses(
    (status = 201, body = NewToken), (status = "default", body = Problem)))]
pub(super) async fn make_token(
    State(state): State<PageState>,
    Extension(caller): Known,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let request = TokenRequest {
        name: wanted.name,
        role: wanted.role,
        lifetime: wanted
            .days
            .map(|days| Duration::from_secs(u64::from(days.clamp(1, 3650)) * 86_400)),
    };
    let made = state.auth().make_token(&caller, request, state.now()).await?;
    let body = NewToken {
        token: made.token.into(),
        secret: made.secret.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Ends one of one's own API tokens.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "account", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn end_token(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    if state.auth().end_token(&caller, id, state.now()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(
            StatusCode::NOT_FOUND,
            "token_unknown",
            "you have no such token",
        ))
    }
}
