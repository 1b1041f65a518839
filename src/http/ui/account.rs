//! One's own account: password, language, theme, API tokens.

use std::time::Duration;

use axum::{
    Extension, Form,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    entry::password_words,
    view::{Place, View},
};
use crate::{
    auth::{AuthError, Caller, Permission, SHORTEST_PASSWORD, TokenRequest},
    http::{Problem, auth_problem, guard::Known},
    store::Role,
};

#[derive(Serialize, Default)]
struct AccountData {
    name: String,
    role: &'static str,
    shortest: usize,
    may_make_tokens: bool,
    roles: Vec<&'static str>,
    tokens: Vec<TokenRow>,
    password_refused: Option<String>,
    token_refused: Option<String>,
    /// A new token's secret, shown this once.
    secret: Option<String>,
}

#[derive(Serialize)]
struct TokenRow {
    id: Uuid,
    name: String,
    role: &'static str,
    created: DateTime<Utc>,
    used: Option<DateTime<Utc>>,
    expires: Option<DateTime<Utc>>,
    ended: bool,
}

/// What happened to a form on this page.
#[derive(Default)]
struct Outcome {
    password_refused: Option<String>,
    token_refused: Option<String>,
    secret: Option<String>,
    status: StatusCode,
}

pub(super) async fn page(view: View, Extension(caller): Known) -> Response {
    show(&view, &caller, Outcome::default()).await
}

async fn show(view: &View, caller: &Caller, outcome: Outcome) -> Response {
    let tokens = match view.state.auth().tokens(caller).await {
        Ok(tokens) => tokens,
        Err(error) => return view.problem(&auth_problem(&error)),
    };
    let now = view.state.now();
    let data = AccountData {
        name: caller.name.clone(),
        role: caller.role.as_str(),
        shortest: SHORTEST_PASSWORD,
        may_make_tokens: caller.may(Permission::OwnTokens),
        roles: Role::ALL
            .iter()
            .filter(|role| **role <= caller.role)
            .map(|role| role.as_str())
            .collect(),
        tokens: tokens
            .into_iter()
            .map(|token| TokenRow {
                id: token.id,
                name: token.name,
                role: token.role.as_str(),
                created: token.created_at,
                used: token.last_used_at,
                ended: token.expires_at.is_some_and(|end| end <= now),
                expires: token.expires_at,
            })
            .collect(),
        password_refused: outcome.password_refused,
        token_refused: outcome.token_refused,
        secret: outcome.secret,
    };
    let place = Place {
        section: "account",
        live: None,
    };
    let mut response = view.page("account.html", &place, &data);
    if response.status().is_success() {
        *response.status_mut() = outcome.status;
    }
    response
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    present: String,
    new: String,
}

pub(super) async fn change_password(view: View, Extension(caller): Known, Form(form): Form<PasswordForm>) -> Response {
    let now = view.state.now();
    let refused = match view
        .state
        .auth()
        .change_password(&caller, form.present, form.new, now)
        .await
    {
        Ok(()) => return Redirect::to("/signin?changed=true").into_response(),
        Err(AuthError::Wrong) => view.say("account.wrong"),
        Err(AuthError::Wait(wait)) => view.say_with("signin.wait", &|_| Some(wait.as_secs().max(1).to_string())),
        Err(AuthError::Password(refused)) => password_words(&view, refused),
        Err(error) => return view.problem(&auth_problem(&error)),
    };
    let outcome = Outcome {
        password_refused: Some(refused),
        status: StatusCode::UNPROCESSABLE_ENTITY,
        ..Outcome::default()
    };
    show(&view, &caller, outcome).await
}

#[derive(Deserialize)]
pub(super) struct TokenForm {
    name: String,
    role: Role,
    #[serde(default)]
    days: u64,
}

pub(super) async fn make_token(view: View, Extension(caller): Known, Form(form): Form<TokenForm>) -> Response {
    let request = TokenRequest {
        name: form.name,
        role: form.role,
        lifetime: (form.days > 0).then(|| Duration::from_secs(form.days.min(3650) * 86_400)),
    };
    let outcome = match view.state.auth().make_token(&caller, request, view.state.now()).await {
        Ok(made) => Outcome {
            secret: Some(made.secret.reveal().to_owned()),
            ..Outcome::default()
        },
        Err(AuthError::Name | AuthError::RoleTooStrong { .. }) => Outcome {
            token_refused: Some(view.say("account.token_bad")),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..Outcome::default()
        },
        Err(error) => return view.problem(&auth_problem(&error)),
    };
    show(&view, &caller, outcome).await
}

pub(super) async fn end_token(view: View, Extension(caller): Known, Path(id): Path<Uuid>) -> Response {
    match view.state.auth().end_token(&caller, id, view.state.now()).await {
        Ok(true) => Redirect::to("/account").into_response(),
        Ok(false) => view.problem(&Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such token",
        )),
        Err(error) => view.problem(&auth_problem(&error)),
    }
}
