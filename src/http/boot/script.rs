use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::BootState;
use crate::{discovery::ScriptRequest, http::Problem, render::ScriptLanguage};

/// What iPXE tells of itself. Everything is optional and untrusted: a machine without SMBIOS sends nothing.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct IpxeQuery {
    mac: String,
    uuid: String,
    arch: String,
    platform: String,
    serial: String,
    product: String,
    manufacturer: String,
    version: String,
    choice: String,
}

/// What GRUB tells of itself.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct GrubQuery {
    mac: String,
    arch: String,
    choice: String,
}

/// Always 200 with a script: a machine shows nothing of another status but a number.
pub(super) async fn ipxe(
    State(state): State<BootState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    query: Result<Query<IpxeQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Query(query) = query.unwrap_or_else(|_| Query(IpxeQuery::default()));
    let request = ScriptRequest {
        language: ScriptLanguage::Ipxe,
        choice: query.choice,
        mac: query.mac,
        uuid: query.uuid,
        buildarch: query.arch,
        platform: query.platform,
        serial: query.serial,
        product: query.product,
        manufacturer: query.manufacturer,
        version: query.version,
        client: Some(client.ip().to_canonical()),
        asked_host: asked_host(&headers),
    };
    given(state, request).await
}

/// The same for GRUB.
pub(super) async fn grub(
    State(state): State<BootState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    query: Result<Query<GrubQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Query(query) = query.unwrap_or_else(|_| Query(GrubQuery::default()));
    let request = ScriptRequest {
        language: ScriptLanguage::Grub,
        choice: query.choice,
        mac: query.mac,
        buildarch: query.arch,
        platform: "efi".to_owned(),
        client: Some(client.ip().to_canonical()),
        asked_host: asked_host(&headers),
        ..ScriptRequest::default()
    };
    given(state, request).await
}

/// A file below GRUB's folder: its first configuration, and nothing else.
pub(super) async fn grub_file(
    State(state): State<BootState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let client = client.ip().to_canonical();
    let name = format!("grub/{name}");
    match state.discovery.grub_http_file(client, &name, &asked_host(&headers)) {
        Ok(file) => plain(file.bytes),
        Err(fault) => super::content::refusal(&fault).into_response(),
    }
}

fn asked_host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.unwrap_or_default().to_owned()
}

async fn given(state: BootState, request: ScriptRequest) -> Response {
    // On a task of its own: a machine that hangs up in the middle does not leave a host half entered.
    let script = match tokio::spawn(async move { state.discovery.boot_script(&request).await }).await {
        Ok(script) => script,
        Err(stopped) => return Problem::internal(&stopped).into_response(),
    };
    plain(script)
}

fn plain(text: impl IntoResponse) -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=us-ascii"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        text,
    )
        .into_response()
}
