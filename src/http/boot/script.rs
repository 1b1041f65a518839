use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::BootState;
use crate::{discovery::ScriptRequest, http::Problem};

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
        mac: query.mac,
        uuid: query.uuid,
        buildarch: query.arch,
        platform: query.platform,
        serial: query.serial,
        product: query.product,
        manufacturer: query.manufacturer,
        version: query.version,
        client: Some(client.ip()),
        asked_host: headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
    };
    // On a task of its own: a machine that hangs up in the middle does not leave a host half entered.
    let script = match tokio::spawn(async move { state.discovery.boot_script(&request).await }).await {
        Ok(script) => script,
        Err(stopped) => return Problem::internal(&stopped).into_response(),
    };
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=us-ascii"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        script,
    )
        .into_response()
}
