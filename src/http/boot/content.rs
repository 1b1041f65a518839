use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::BootState;
use crate::{
    discovery::{BootFile, FileFault, FileKind},
    http::Problem,
};

pub(super) async fn loader(
    state: State<BootState>,
    client: ConnectInfo<SocketAddr>,
    method: Method,
    name: Path<String>,
    headers: HeaderMap,
) -> Response {
    let name = name.0.trim_start_matches('/').to_owned();
    serve(state.0, FileKind::Loader, client.0, method, name, &headers).await
}

pub(super) async fn image(
    state: State<BootState>,
    client: ConnectInfo<SocketAddr>,
    method: Method,
    name: Path<String>,
    headers: HeaderMap,
) -> Response {
    serve(state.0, FileKind::Image, client.0, method, name.0, &headers).await
}

/// The agent's program of the architecture in the path, `x86_64` when there is none. Who may fetch it: any machine on the
/// boot network; there is no secret in it.
pub(super) async fn agent(
    state: State<BootState>,
    client: ConnectInfo<SocketAddr>,
    method: Method,
    architecture: Option<Path<String>>,
    headers: HeaderMap,
) -> Response {
    let architecture = architecture.map_or_else(|| "x86_64".to_owned(), |path| path.0);
    serve(state.0, FileKind::Agent, client.0, method, architecture, &headers).await
}

async fn serve(
    state: BootState,
    kind: FileKind,
    client: SocketAddr,
    method: Method,
    name: String,
    headers: &HeaderMap,
) -> Response {
    let discovery = state.discovery.clone();
    let wanted = name.clone();
    let opened = tokio::task::spawn_blocking(move || discovery.files().open(kind, &wanted)).await;
    let file = match opened {
        Ok(Ok(file)) => file,
        Ok(Err(fault)) => {
            state.discovery.http_file_refused(client.ip(), &name, &fault);
            return refusal(&fault).into_response();
        }
        Err(stopped) => return Problem::internal(&stopped).into_response(),
    };
    if method == Method::GET && !headers.contains_key(header::RANGE) {
        let (discovery, bytes) = (&state.discovery, file.bytes.len() as u64);
        match kind {
            FileKind::Loader | FileKind::Image => discovery.http_file_served(client.ip(), &name, bytes),
            FileKind::Agent => discovery.agent_served(client.ip(), &name, bytes),
        }
    }
    respond(&file, headers)
}

pub(super) fn refusal(fault: &FileFault) -> Problem {
    match fault {
        FileFault::BadName(_) | FileFault::Missing { .. } | FileFault::Outside { .. } => Problem::new(
            StatusCode::NOT_FOUND,
            "boot_file_missing",
            "there is no such boot file; `muster check` tells which files are expected where",
        ),
        FileFault::TooLarge { .. } | FileFault::Unreadable { .. } => Problem::internal(fault),
    }
}

/// Whole, a part (RFC 9110 §14), or not at all when the client has it already. Axum drops the body of a HEAD.
fn respond(file: &BootFile, headers: &HeaderMap) -> Response {
    let etag = HeaderValue::from_str(&file.etag).unwrap_or(HeaderValue::from_static("\"\""));
    let same = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .split(',')
                    .any(|tag| tag.trim() == &*file.etag || tag.trim() == "*")
            })
    };
    let base = |status: StatusCode, bytes: Bytes| {
        Response::builder()
            .status(status)
            .header(header::ETAG, &etag)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, bytes.len())
            .body(Body::from(bytes))
            .unwrap_or_default()
    };
    if same(header::IF_NONE_MATCH) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let range_applies = !headers.contains_key(header::IF_RANGE) || same(header::IF_RANGE);
    let asked = headers
        .get(header::RANGE)
        .filter(|_| range_applies)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| Asked::parse(value, file.bytes.len()));
    match asked {
        None => base(StatusCode::OK, file.bytes.clone()),
        Some(Asked::Part { first, last }) => {
            let mut response = base(StatusCode::PARTIAL_CONTENT, file.bytes.slice(first..=last));
            let range = format!("bytes {first}-{last}/{}", file.bytes.len());
            if let Ok(value) = HeaderValue::from_str(&range) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            response
        }
        Some(Asked::Nothing) => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            [(header::CONTENT_RANGE, format!("bytes */{}", file.bytes.len()))],
        )
            .into_response(),
    }
}

/// One byte range; several at once are answered with the whole, as RFC 9110 §14.2 allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Part { first: usize, last: usize },
    Nothing,
}

impl Asked {
    pub(super) fn parse(value: &str, len: usize) -> Option<Self> {
        let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
        let part = |first: usize, last: usize| {
            Some(if first < len && first <= last {
                Self::Part {
                    first,
                    last: last.min(len - 1),
                }
            } else {
                Self::Nothing
            })
        };
        match (first.trim(), last.trim()) {
            ("", suffix) => {
                let count: usize = suffix.parse().ok()?;
                if count == 0 || len == 0 {
                    return Some(Self::Nothing);
                }
                part(len.saturating_sub(count), len - 1)
            }
            (first, "") => part(first.parse().ok()?, usize::MAX),
            (first, last) => part(first.parse().ok()?, last.parse().ok()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let part = |first, last| Some(Asked::Part { first, last });
        for (value, expected) in [
            ("bytes=0-3", part(0, 3)),
            ("bytes=4-", part(4, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-30", part(0, 9)),
            ("bytes=9-99", part(9, 9)),
            ("bytes=10-", Some(Asked::Nothing)),
            ("bytes=-0", Some(Asked::Nothing)),
            ("bytes=5-2", Some(Asked::Nothing)),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
            ("bytes=a-b", None),
        ] {
            assert_eq!(Asked::parse(value, 10), expected, "{value}");
        }
    }

    #[test]
    fn an_empty_file_has_no_part() {
        assert_eq!(Asked::parse("bytes=0-", 0), Some(Asked::Nothing));
        assert_eq!(Asked::parse("bytes=-1", 0), Some(Asked::Nothing));
    }
}
