//! Style sheets, scripts and images of the pages, out of the binary.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "templates/web/assets/"]
struct Own;

#[derive(RustEmbed)]
#[folder = "templates/web/vendor/"]
struct Vendor;

fn find(name: &str) -> Option<EmbeddedFile> {
    Own::get(name).or_else(|| Vendor::get(name))
}

fn version(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    hex::encode(hash.get(..8).unwrap_or_default())
}

/// The address of an asset with its version, so that browsers may keep it for ever.
pub(super) fn asset_address(name: &str) -> Option<String> {
    let file = find(name)?;
    Some(format!("/assets/{name}?v={}", version(&file)))
}

/// `GET /assets/{name}`
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = find(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", version(&file));
    let keep = [
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
        (
            header::ETAG,
            HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\"")),
        ),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes())
    {
        return (StatusCode::NOT_MODIFIED, keep).into_response();
    }
    let kind =
        HeaderValue::from_str(file.metadata.mimetype()).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    (keep, [(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
}
