//! Muster's own numbers, for Prometheus.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::{PageState, Problem};
use crate::provision::inventories::own_metrics;

/// `/metrics`: for callers that may read hosts, such as a Prometheus with a token.
pub(super) async fn metrics(State(state): State<PageState>) -> Result<Response, Problem> {
    let text = own_metrics(state.discovery()).await?;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}
