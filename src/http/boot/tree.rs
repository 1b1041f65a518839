//! Installation trees, streamed. Who may call: any machine on the boot network; there is no secret in a tree.

use std::{io::SeekFrom, net::SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use super::content::Asked;
use crate::{
    http::Problem,
    provision::{
        install::Installs,
        trees::{TreeFault, TreeFile, Trees},
    },
};

/// Read at once from the disk, bytes.
const CHUNK: usize = 128 * 1024;
/// When to ask again for a file of a tree whose folder does not answer, seconds.
const ASK_AGAIN: u64 = 10;

#[derive(Clone)]
struct TreeState {
    trees: Trees,
    installs: Installs,
}

/// The route of installation trees. It needs the client's address as `ConnectInfo<SocketAddr>`.
pub fn tree_router(trees: Trees, installs: Installs) -> Router {
    Router::new()
        .route("/boot/tree/{distro}/{*path}", get(file))
        .with_state(TreeState { trees, installs })
}

async fn file(
    State(state): State<TreeState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Path((distro, inside)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Installers join addresses with one slash too many: Debian's asks for `TREE//dists/…`.
    let inside = inside.trim_start_matches('/').to_owned();
    let found = state.trees.find(&distro, &inside).await.map_err(|fault| match fault {
        TreeFault::Missing => Problem::new(StatusCode::NOT_FOUND, "tree_file_missing", fault.to_string()),
        TreeFault::Silent => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "tree_silent", fault.to_string()).retry_after(ASK_AGAIN)
        }
        TreeFault::Unreadable(_) | TreeFault::Ledger(_) => Problem::internal(&fault),
    })?;
    let installs = state.installs.clone();
    // What the ledger makes of it is not waited for: a tree has thousands of files.
    tokio::spawn(async move {
        if let Err(error) = installs.fetched(client.ip().to_canonical(), &inside).await {
            tracing::warn!(%error, "that an installer fetches its tree could not be noted");
        }
    });
    respond(found, &headers).await
}

async fn respond(found: TreeFile, headers: &HeaderMap) -> Result<Response, Problem> {
    let named = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let same = |value: &str| value.split(',').any(|tag| tag.trim() == found.etag);
    if named(header::IF_NONE_MATCH).is_some_and(same) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, found.etag.clone())]).into_response());
    }
    let size = usize::try_from(found.bytes).unwrap_or(usize::MAX);
    let part = named(header::RANGE)
        .filter(|_| named(header::IF_RANGE).is_none_or(same))
        .and_then(|value| Asked::parse(value, size));
    let (status, first, length) = match part {
        None => (StatusCode::OK, 0, found.bytes),
        Some(Asked::Part { first, last }) => (StatusCode::PARTIAL_CONTENT, first as u64, (last - first) as u64 + 1),
        Some(Asked::Nothing) => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{}", found.bytes))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let mut opened = File::from_std(found.file);
    if first > 0 {
        opened
            .seek(SeekFrom::Start(first))
            .await
            .map_err(|error| Problem::internal(&error))?;
    }
    let stream = ReaderStream::with_capacity(opened.take(length), CHUNK);
    let mut response = Response::builder()
        .status(status)
        .header(header::ETAG, &found.etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, length);
    if status == StatusCode::PARTIAL_CONTENT {
        let last = first + length - 1;
        response = response.header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", found.bytes));
    }
    Ok(response.body(Body::from_stream(stream)).unwrap_or_default())
}
