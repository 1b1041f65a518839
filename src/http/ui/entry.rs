//! Sign-in, set-up, sign-out and the choice of a language.

use axum::{
    Extension, Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use serde::{Deserialize, Serialize};

use super::{
    view::{LOCALE_COOKIE, Place, View},
    words::Locale,
};
use crate::{
    auth::{
        AuthError, Caller, ClientAddress, LONGEST_NAME, NewSession, PasswordRefused, SESSION_LIFETIME,
        SHORTEST_PASSWORD,
    },
    http::{
        PageState, auth_problem,
        guard::{Known, SESSION_COOKIE},
    },
};

#[derive(Deserialize)]
pub(super) struct SignInQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    changed: bool,
}

#[derive(Serialize, Default)]
struct SignInData {
    next: String,
    name: String,
    refused: Option<String>,
    note: Option<String>,
}

pub(super) async fn sign_in_page(view: View, Query(query): Query<SignInQuery>) -> Response {
    match view.state.auth().needs_setup().await {
        Ok(true) => return Redirect::to("/setup").into_response(),
        Ok(false) => {}
        Err(error) => return view.problem(&auth_problem(&error)),
    }
    let data = SignInData {
        next: local(&query.next).to_owned(),
        note: query.changed.then(|| view.say("signin.password_changed")),
        ..SignInData::default()
    };
    view.page("signin.html", &Place::default(), &data)
}

#[derive(Deserialize)]
pub(super) struct SignInForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    view: View,
    jar: CookieJar,
    Extension(client): Extension<ClientAddress>,
    Form(form): Form<SignInForm>,
) -> Response {
    let now = view.state.now();
    let refused = match view.state.auth().sign_in(&form.name, form.password, client, now).await {
        Ok(session) => return enter(&view, jar, &session, local(&form.next)),
        Err(AuthError::Wrong) => view.say("signin.wrong"),
        Err(AuthError::Wait(wait)) => wait_words(&view, wait),
        Err(error) => return view.problem(&auth_problem(&error)),
    };
    let data = SignInData {
        next: local(&form.next).to_owned(),
        name: form.name,
        refused: Some(refused),
        note: None,
    };
    let mut response = view.page("signin.html", &Place::default(), &data);
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

#[derive(Deserialize)]
pub(super) struct SetupQuery {
    #[serde(default)]
    token: String,
}

#[derive(Serialize)]
struct SetupData {
    token: String,
    name: String,
    refused: Option<String>,
    shortest: usize,
}

pub(super) async fn setup_page(view: View, Query(query): Query<SetupQuery>) -> Response {
    match view.state.auth().needs_setup().await {
        Ok(true) => {}
        Ok(false) => return Redirect::to("/signin").into_response(),
        Err(error) => return view.problem(&auth_problem(&error)),
    }
    let data = SetupData {
        token: query.token,
        name: String::new(),
        refused: None,
        shortest: SHORTEST_PASSWORD,
    };
    view.page("setup.html", &Place::default(), &data)
}

#[derive(Deserialize)]
pub(super) struct SetupForm {
    token: String,
    name: String,
    password: String,
}

pub(super) async fn set_up(
    view: View,
    jar: CookieJar,
    Extension(client): Extension<ClientAddress>,
    Form(form): Form<SetupForm>,
) -> Response {
    let auth = view.state.auth();
    let now = view.state.now();
    let made = match auth.set_up(&form.token, &form.name, form.password, client, now).await {
        Ok(user) => auth.open_session(user, now).await,
        Err(error) => Err(error),
    };
    let refused = match made {
        Ok(session) => return enter(&view, jar, &session, "/hosts"),
        Err(AuthError::SetupRefused) => view.say("setup.refused"),
        Err(AuthError::Wait(wait)) => wait_words(&view, wait),
        Err(AuthError::Name) => view.say_with("password.name", &|_| Some(LONGEST_NAME.to_string())),
        Err(AuthError::NameTaken) => view.say("password.name_taken"),
        Err(AuthError::Password(refused)) => password_words(&view, refused),
        Err(error) => return view.problem(&auth_problem(&error)),
    };
    let data = SetupData {
        token: form.token,
        name: form.name,
        refused: Some(refused),
        shortest: SHORTEST_PASSWORD,
    };
    let mut response = view.page("setup.html", &Place::default(), &data);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

pub(super) async fn sign_out(State(state): State<PageState>, jar: CookieJar, Extension(caller): Known) -> Response {
    if let Err(error) = state.auth().sign_out(&caller).await {
        return auth_problem(&error).into_response();
    }
    let gone = Cookie::build((SESSION_COOKIE, "")).path("/").build();
    (jar.remove(gone), Redirect::to("/signin")).into_response()
}

#[derive(Deserialize)]
pub(super) struct LanguageForm {
    locale: String,
    #[serde(default)]
    back: String,
}

pub(super) async fn choose_language(
    State(state): State<PageState>,
    caller: Option<Extension<Caller>>,
    jar: CookieJar,
    Form(form): Form<LanguageForm>,
) -> Response {
    let locale = Locale::by_code(&form.locale).unwrap_or(Locale::En);
    if let Some(Extension(caller)) = caller
        && let Err(error) = state.auth().choose_locale(&caller, locale.code()).await
    {
        return auth_problem(&error).into_response();
    }
    let cookie = Cookie::build((LOCALE_COOKIE, locale.code()))
        .path("/")
        .same_site(SameSite::Lax)
        .http_only(true)
        .secure(state.https())
        .permanent()
        .build();
    (jar.add(cookie), Redirect::to(local(&form.back))).into_response()
}

fn enter(view: &View, jar: CookieJar, session: &NewSession, next: &str) -> Response {
    let cookie = Cookie::build((SESSION_COOKIE, session.secret.reveal().to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(view.state.https())
        .max_age(SESSION_LIFETIME.try_into().unwrap_or_default())
        .build();
    (jar.add(cookie), Redirect::to(next)).into_response()
}

fn wait_words(view: &View, wait: std::time::Duration) -> String {
    view.say_with("signin.wait", &|_| Some(wait.as_secs().max(1).to_string()))
}

/// Why a new password is not taken, in the words of the catalogue.
pub(super) fn password_words(view: &View, refused: PasswordRefused) -> String {
    match refused {
        PasswordRefused::TooShort => view.say_with("password.too_short", &|_| Some(SHORTEST_PASSWORD.to_string())),
        PasswordRefused::TooLong => view.say("password.too_long"),
    }
}

/// A way on within this server; anything else (`//other.example`, `https:…`, `/\…`) goes to the hosts.
fn local(target: &str) -> &str {
    let mut characters = target.chars();
    let is_local = characters.next() == Some('/')
        && !matches!(characters.next(), Some('/' | '\\'))
        && !target.chars().any(char::is_control);
    if is_local { target } else { "/hosts" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(local("/hosts?q=a"), "/hosts?q=a");
        for target in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\n/evil.example",
        ] {
            assert_eq!(local(target), "/hosts", "{target:?}");
        }
    }
}
