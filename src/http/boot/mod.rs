//! What machines ask while they boot: scripts, loaders, the collection image, and the place to report.
//!
//! Who may call: any machine on the boot network may fetch scripts, files and the agent's program; reporting needs the boot
//! token of that boot.

mod content;
mod install;
mod report;
mod script;
mod tree;

pub use super::reports::MAX_FACTS_BYTES;
pub use install::install_router;
pub use tree::tree_router;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

use super::{
    deadline::{LONGEST_REQUEST, in_time},
    reports::Reception,
};
use crate::{
    auth::{ClientAddress, Pace, SecretHash, Throttle},
    discovery::Discovery,
};

/// Largest line of a boot's progress with all around it, bytes.
pub const MAX_PROGRESS_BYTES: usize = 64 * 1024;

/// Wrong tokens of one address: thirty a minute. A machine whose token has run out asks once a minute.
pub(super) const WRONG_TOKENS: Pace = Pace {
    free: 30,
    forgive: Duration::from_secs(2),
    first_wait: Duration::from_secs(2),
    longest_wait: Duration::from_secs(60),
};
/// Lines of progress of one boot: a boot tells some twenty in its first minute, and few after.
const PROGRESS: Pace = Pace {
    free: 60,
    forgive: Duration::from_secs(1),
    first_wait: Duration::from_secs(1),
    longest_wait: Duration::from_secs(1),
};

/// How many reports are taken in at once.
#[derive(Debug, Clone, Copy)]
pub struct BootBounds {
    /// Facts being received, read and saved at once, three quarters of them of one client address. Each may hold some tens of
    /// megabytes for a moment.
    pub reports: usize,
    /// How long a report waits for its turn before the machine is told to come again.
    pub turn: Duration,
}

impl Default for BootBounds {
    fn default() -> Self {
        Self {
            reports: 64,
            turn: Duration::from_secs(5),
        }
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct BootState {
    discovery: Discovery,
    reception: Reception,
    wrong_tokens: Arc<Mutex<Throttle<ClientAddress>>>,
    progress: Arc<Mutex<Throttle<SecretHash>>>,
}

/// Routes for machines. They need the client's address as `ConnectInfo<SocketAddr>`.
pub fn boot_router(discovery: Discovery, bounds: BootBounds) -> Router {
    let state = BootState {
        discovery,
        reception: Reception::new(bounds.reports, bounds.turn),
        wrong_tokens: Arc::new(Mutex::new(Throttle::new(WRONG_TOKENS))),
        progress: Arc::new(Mutex::new(Throttle::new(PROGRESS))),
    };
    let progress = post(report::progress).layer(DefaultBodyLimit::max(MAX_PROGRESS_BYTES));
    Router::new()
        .route("/boot/ipxe", get(script::ipxe))
        .route("/boot/grub/script", get(script::grub))
        // A signed GRUB knows its folder by this name only, at the root of where it was loaded from.
        .route("/grub/{*name}", get(script::grub_file))
        // More than one name, because shim asks for what it starts next with a slash too many: `/boot/loader//grubx64.efi`.
        .route("/boot/loader/{*name}", get(content::loader))
        .route("/boot/image/{name}", get(content::image))
        .route("/boot/agent", get(content::agent))
        .route("/boot/agent/{architecture}", get(content::agent))
        .route("/boot/facts", post(report::facts))
        .route("/boot/next", get(report::next))
        .route("/boot/progress", progress)
        .layer(DefaultBodyLimit::max(MAX_FACTS_BYTES))
        .layer(middleware::from_fn_with_state(LONGEST_REQUEST, in_time))
        .with_state(state)
}

pub(super) fn lock<K>(throttle: &Mutex<Throttle<K>>) -> MutexGuard<'_, Throttle<K>> {
    // A panic leaves at worst one try uncounted.
    throttle.lock().unwrap_or_else(PoisonError::into_inner)
}
