//! What every page knows: who looks, in which language, and where.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, request::Parts},
    response::{Html, IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use minijinja::{
    context,
    value::{Serde, Value},
};
use serde::Serialize;

use super::words::{Locale, say};
use crate::{
    auth::Caller,
    http::{PageState, Problem},
};

/// Name of the cookie that remembers the language before anybody has signed in.
pub(super) const LOCALE_COOKIE: &str = "muster_locale";

/// The part of a page that is the same everywhere.
pub(super) struct View {
    pub(super) state: PageState,
    pub(super) caller: Option<Caller>,
    pub(super) locale: Locale,
    /// How a machine would reach the boot routes, for answer files that are only looked at.
    pub(super) boot_base: String,
    here: String,
}

/// Where in the navigation a page is, and what it watches.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) section: &'static str,
    /// `hosts`, `dhcp` or a host's id: what the stream's messages are compared with.
    pub(super) live: Option<String>,
}

#[derive(Serialize)]
struct ViewData<'a> {
    lang: &'static str,
    locales: [LocaleData; 2],
    user: Option<&'a str>,
    role: Option<&'static str>,
    section: &'static str,
    live: Option<&'a str>,
    here: &'a str,
    now: String,
}

#[derive(Serialize)]
struct LocaleData {
    code: &'static str,
    name: &'static str,
}

impl View {
    pub(super) fn new(state: PageState, headers: &HeaderMap, uri: &Uri, caller: Option<Caller>) -> Self {
        let cookie = CookieJar::from_headers(headers);
        let locale = cookie
            .get(LOCALE_COOKIE)
            .and_then(|cookie| Locale::by_code(cookie.value()))
            .or_else(|| {
                let chosen = caller.as_ref()?.locale.as_deref()?;
                Locale::by_code(chosen)
            })
            .unwrap_or_else(|| Locale::accepted(headers));
        Self {
            boot_base: state.preview_base(headers),
            state,
            caller,
            locale,
            here: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), |there| there.as_str().to_owned()),
        }
    }

    /// A text without values.
    pub(super) fn say(&self, key: &str) -> String {
        self.say_with(key, &|_| None)
    }

    /// A text with its values; the key itself when there is no such text.
    pub(super) fn say_with(&self, key: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
        say(self.locale, key, value).unwrap_or_else(|| key.to_owned())
    }

    /// Renders a page; `data` is what only this page knows.
    pub(super) fn page(&self, template: &str, place: &Place, data: &impl Serialize) -> Response {
        let view = ViewData {
            lang: self.locale.code(),
            locales: Locale::ALL.map(|locale| LocaleData {
                code: locale.code(),
                name: locale.own_name(),
            }),
            user: self.caller.as_ref().map(|caller| caller.name.as_str()),
            role: self.caller.as_ref().map(|caller| caller.role.as_str()),
            section: place.section,
            live: place.live.as_deref(),
            here: &self.here,
            now: self.state.now().to_rfc3339(),
        };
        let data = Value::from(Serde(data));
        let context = context! { view => Serde(&view), ..data };
        match self.state.templates().render(template, context) {
            Ok(html) => Html(html).into_response(),
            Err(error) => {
                tracing::error!(template, "a page could not be made");
                Problem::internal(&error).into_response()
            }
        }
    }

    /// The page that tells a problem; its words come from the problem's code.
    pub(super) fn problem(&self, problem: &Problem) -> Response {
        let key = match problem.code {
            "not_found" | "host_unknown" | "forbidden" | "cross_site" => problem.code,
            "malformed" => "form",
            _ if problem.status().is_server_error() => "internal",
            _ => "form",
        };
        let data = ProblemData {
            title: self.say(&format!("problem.{key}")),
            detail: self.say(&format!("problem.{key}_detail")),
        };
        let mut response = self.page("problem.html", &Place::default(), &data);
        *response.status_mut() = problem.status();
        response
    }
}

#[derive(Serialize)]
struct ProblemData {
    title: String,
    detail: String,
}

impl FromRequestParts<PageState> for View {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &PageState) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(Self::new(state.clone(), &parts.headers, &parts.uri, caller))
    }
}

/// A problem as a page, where there is no handler.
pub(in crate::http) fn problem_page(
    state: &PageState,
    headers: &HeaderMap,
    uri: &Uri,
    caller: Option<&Caller>,
    problem: &Problem,
) -> Response {
    View::new(state.clone(), headers, uri, caller.cloned()).problem(problem)
}
