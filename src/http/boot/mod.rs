//! What machines ask while they boot: scripts, loaders, the collection image, and the place to report.
//!
//! Who may call: any machine on the boot network may fetch scripts and files; reporting needs the boot
//! token of that boot.

mod content;
mod report;
mod script;
mod throttle;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use crate::discovery::Discovery;
use throttle::Throttle;

/// Largest facts document, bytes. A machine with 16 sockets, 64 DIMMs and 500 disks stays under 1 MB.
pub const MAX_FACTS_BYTES: usize = 4 * 1024 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct BootState {
    discovery: Discovery,
    refused_tokens: Arc<Throttle>,
}

/// Routes for machines. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`.
pub fn boot_router(discovery: Discovery) -> Router {
    let state = BootState {
        discovery,
        refused_tokens: Arc::default(),
    };
    Router::new()
        .route("/boot/ipxe", get(script::ipxe))
        .route("/boot/loader/{name}", get(content::loader))
        .route("/boot/image/{name}", get(content::image))
        .route("/boot/facts", post(report::facts))
        .route("/boot/next", get(report::next))
        .route("/boot/progress", post(report::progress))
        .layer(DefaultBodyLimit::max(MAX_FACTS_BYTES))
        .with_state(state)
}
