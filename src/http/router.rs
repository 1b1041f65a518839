use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing,
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, csrf::CsrfLayer};
use utoipa::openapi::OpenApi;

use super::{
    PageState, Problem, api, assets, auth_problem,
    deadline::{LONGEST_REQUEST, in_time},
    guard::{Access, Route, Routes, who},
    live, metrics, ui,
};
use crate::auth::Permission;

/// Largest body that a page or the API takes, bytes. Facts come by the boot listener.
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// Scripts, styles and requests from this server only, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Pages and API, put together.
pub struct Pages {
    /// Ready to serve.
    pub router: Router,
    /// Every route with who may use it.
    pub routes: Vec<Route>,
    /// The description of the API.
    pub openapi: OpenApi,
}

/// Pages, API and event stream, with everything around them.
pub fn page_router(state: PageState) -> Router {
    pages(state).router
}

/// The same as [`page_router`], with the list of its routes and the description of its API.
pub fn pages(state: PageState) -> Pages {
    let routes = Routes::new(state.clone());
    let read = Access::Needs(Permission::ReadHosts);
    let routes = api::routes(ui::routes(routes))
        .stream("/events/stream", read, live::stream)
        .stream("/metrics", read, metrics::metrics);
    let openapi = api::document(routes.paths, routes.schemas);
    let described = openapi.clone();
    let router = routes
        .router
        .route("/assets/{name}", routing::get(assets::asset))
        .route(api::DOCUMENT, routing::get(async move || axum::Json(described.clone())))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CsrfLayer::new().with_rejection_response(|_| cross_site().into_response()))
        .layer(middleware::from_fn_with_state(state.clone(), form_refusals))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the server could not do this; its log says why",
            )
            .into_response()
        }))
        .layer(middleware::from_fn_with_state(LONGEST_REQUEST, in_time))
        .layer(middleware::from_fn(safe_headers))
        .with_state(state);
    Pages {
        router,
        routes: routes.list,
        openapi,
    }
}

fn cross_site() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        "the request came from another site; open Muster in its own tab",
    )
}

/// What no route answers: a page for people, problem+json below `/api`.
async fn not_found(State(state): State<PageState>, headers: HeaderMap, uri: Uri) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address");
    if uri.path().starts_with("/api/") {
        return problem.into_response();
    }
    match who(&state, &headers).await {
        Ok(caller) => ui::problem_page(&state, &headers, &uri, caller.as_ref(), &problem),
        Err(error) => auth_problem(&error).into_response(),
    }
}

/// axum's own refusals of a form, query or body are bare text in English: here they get our shape.
async fn form_refusals(State(state): State<PageState>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let (uri, method) = (request.uri().clone(), request.method().clone());
    let response = next.run(request).await;
    let status = response.status();
    if status == StatusCode::METHOD_NOT_ALLOWED && uri.path().starts_with("/api/") {
        let allowed = response.headers().get(header::ALLOW).cloned();
        let known = allowed
            .as_ref()
            .and_then(|methods| methods.to_str().ok())
            .unwrap_or_default();
        let why = format!("{method} is not for this address; use {}", known.replace(',', ", "));
        let mut answer = Problem::new(status, "method_not_allowed", why).into_response();
        answer
            .headers_mut()
            .extend(allowed.map(|methods| (header::ALLOW, methods)));
        return answer;
    }
    let ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || ours {
        return response;
    }
    if uri.path().starts_with("/api/") {
        let bytes = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap_or_default();
        return Problem::new(status, "malformed", String::from_utf8_lossy(&bytes)).into_response();
    }
    let problem = Problem::new(status, "malformed", "a field is missing or has a wrong value");
    ui::problem_page(&state, &headers, &uri, None, &problem)
}

async fn safe_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
