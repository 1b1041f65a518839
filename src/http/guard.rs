//! Every route says who may use it; what is said here is enforced here, and listed for a test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request, State},
    handler::Handler,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{self, MethodRouter},
};
use axum_extra::extract::CookieJar;
use utoipa::openapi::path::Paths;

use super::{PageState, Problem, auth_problem, client::client_of, ui};
use crate::auth::{AuthError, Caller, ClientAddress, Permission};

/// Name of the session cookie.
pub(super) const SESSION_COOKIE: &str = "muster_session";

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody: sign-in, set-up and their assets.
    Anyone,
    /// Callers with this permission.
    Needs(Permission),
}

/// Who a refusal is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A person at a browser: a page, or the way to sign in.
    Person,
    /// A program: problem+json.
    Program,
}

/// One route, as it is listed for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: Method,
    /// Path with its `{placeholders}`.
    pub path: String,
    /// Who may use it.
    pub access: Access,
    /// Who a refusal is written for.
    pub audience: Audience,
}

/// Collects routes together with who may use them.
pub(super) struct Routes {
    state: PageState,
    pub(super) router: Router<PageState>,
    pub(super) list: Vec<Route>,
    pub(super) paths: Paths,
    pub(super) schemas: Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>,
}

impl Routes {
    pub(super) fn new(state: PageState) -> Self {
        Self {
            state,
            router: Router::new(),
            list: Vec::new(),
            paths: Paths::new(),
            schemas: Vec::new(),
        }
    }

    pub(super) fn get<H, T>(self, path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, PageState>,
        T: 'static,
    {
        self.page(Method::GET, path, access, routing::get(handler))
    }

    pub(super) fn post<H, T>(self, path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, PageState>,
        T: 'static,
    {
        self.page(Method::POST, path, access, routing::post(handler))
    }

    fn page(self, method: Method, path: &str, access: Access, route: MethodRouter<PageState>) -> Self {
        let audience = Audience::Person;
        self.add(
            Route {
                method,
                path: path.to_owned(),
                access,
                audience,
            },
            route,
        )
    }

    /// A route that programs use and that the OpenAPI document does not describe.
    pub(super) fn stream<H, T>(self, path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, PageState>,
        T: 'static,
    {
        let route = Route {
            method: Method::GET,
            path: path.to_owned(),
            access,
            audience: Audience::Program,
        };
        self.add(route, routing::get(handler))
    }

    /// A route of the API, made by `utoipa_axum::routes!`.
    pub(super) fn api(
        mut self,
        access: Access,
        (schemas, paths, route): utoipa_axum::router::UtoipaMethodRouter<PageState>,
    ) -> Self {
        self.schemas.extend(schemas);
        let mut listed = Vec::new();
        for (path, item) in paths.paths {
            for (method, present) in [
                (Method::GET, item.get.is_some()),
                (Method::PUT, item.put.is_some()),
                (Method::POST, item.post.is_some()),
                (Method::PUT, item.put.is_some()),
                (Method::DELETE, item.delete.is_some()),
            ] {
                if present {
                    listed.push(Route {
                        method,
                        path: path.clone(),
                        access,
                        audience: Audience::Program,
                    });
                }
            }
            // One path may ask for other rights by other methods: it comes here once for each.
            match self.paths.paths.get_mut(&path) {
                Some(known) => known.merge_operations(item),
                None => {
                    self.paths.paths.insert(path, item);
                }
            }
        }
        let Some(first) = listed.first().cloned() else {
            return self;
        };
        self.list.extend(listed.into_iter().skip(1));
        self.add(first, route)
    }

    fn add(mut self, route: Route, handler: MethodRouter<PageState>) -> Self {
        let guarded = handler.layer(middleware::from_fn_with_state(
            (self.state.clone(), route.access, route.audience),
            guard,
        ));
        self.router = self.router.route(&route.path, guarded);
        self.list.push(route);
        self
    }
}

/// A request without its body, which cannot be shared while we wait.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// Finds out who calls and lets only those in that may.
async fn guard(
    State((state, access, audience)): State<(PageState, Access, Audience)>,
    mut request: Request,
    next: Next,
) -> Response {
    // Every listener tells the address; without it all are one client, which is the safe side.
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    let client = ClientAddress::of(client_of(peer, request.headers(), state.proxies()));
    let asked = Asked {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers: request.headers().clone(),
    };
    let caller = match who(&state, &asked.headers).await {
        Ok(caller) => caller,
        Err(error) => return refuse(&state, &asked, audience, auth_problem(&error)),
    };
    if let Access::Needs(permission) = access {
        match &caller {
            None => return sign_in_first(&state, &asked, audience).await,
            Some(caller) if !caller.may(permission) => {
                let problem = Problem::new(
                    StatusCode::FORBIDDEN,
                    "forbidden",
                    format!("role {} may not do this; ask an administrator", caller.role.as_str()),
                );
                return refuse(&state, &asked, audience, problem);
            }
            Some(_) => {}
        }
    }
    if let Some(caller) = &caller {
        request.extensions_mut().insert(caller.clone());
    }
    request.extensions_mut().insert(client);
    let signed_in = caller.is_some();
    let mut response = next.run(request).await;
    if signed_in {
        // What a person sees after signing in is nobody else's, also not after signing out.
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// The caller by API token or session cookie. A token that is sent and not known is no caller, whatever the cookie.
pub(super) async fn who(state: &PageState, headers: &HeaderMap) -> Result<Option<Caller>, AuthError> {
    let now = state.now();
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let token = authorization.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        return match token {
            Some(token) => state.auth().by_token(token, now).await,
            None => Ok(None),
        };
    }
    match CookieJar::from_headers(headers).get(SESSION_COOKIE) {
        Some(cookie) => state.auth().by_session(cookie.value(), now).await,
        None => Ok(None),
    }
}

fn refuse(state: &PageState, asked: &Asked, audience: Audience, problem: Problem) -> Response {
    match audience {
        Audience::Program => problem.into_response(),
        Audience::Person => ui::problem_page(state, &asked.headers, &asked.uri, None, &problem),
    }
}

async fn sign_in_first(state: &PageState, asked: &Asked, audience: Audience) -> Response {
    if audience == Audience::Program {
        let mut response = Problem::new(
            StatusCode::UNAUTHORIZED,
            "sign_in_first",
            "send an API token as `Authorization: Bearer TOKEN`, or sign in",
        )
        .into_response();
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    let target = match state.auth().needs_setup().await {
        Ok(true) => "/setup".to_owned(),
        Ok(false) => sign_in_address(&asked.method, &asked.uri),
        Err(error) => return refuse(state, asked, audience, auth_problem(&error)),
    };
    if asked.headers.contains_key("HX-Request") {
        // A part of a page cannot show the sign-in: the browser goes there as a whole.
        let target = HeaderValue::from_str(&target).unwrap_or(HeaderValue::from_static("/signin"));
        return (StatusCode::UNAUTHORIZED, [("HX-Redirect", target)]).into_response();
    }
    Redirect::to(&target).into_response()
}

fn sign_in_address(method: &Method, uri: &Uri) -> String {
    match uri.path_and_query() {
        Some(there) if method == Method::GET && there.as_str() != "/" => {
            let query: String = url_text(there.as_str());
            format!("/signin?next={query}")
        }
        _ => "/signin".to_owned(),
    }
}

/// Percent-encodes all but what is plain in a query value (RFC 3986, section 2.3).
pub(super) fn url_text(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The caller of a route that needs a permission.
pub(super) type Known = Extension<Caller>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_survives_the_sign_in() {
        let uri: Uri = "/hosts?q=a%20b&page=2".parse().unwrap();
        assert_eq!(
            sign_in_address(&Method::GET, &uri),
            "/signin?next=/hosts%3Fq%3Da%2520b%26page%3D2"
        );
        assert_eq!(sign_in_address(&Method::POST, &uri), "/signin");
    }
}
