//! What machines ask while they boot: scripts, loaders, the collection image, and the place to report.
//!
//! Who may call: any machine on the boot network may fetch scripts and files; reporting needs the boot
//! token of that boot.

mod content;
mod install;
mod report;
mod script;
mod tree;

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
    crowd::Crowd,
    deadline::{LONGEST_REQUEST, in_time},
};
use crate::{
    auth::{ClientAddress, Pace, SecretHash, Throttle},
    discovery::Discovery,
};
use tokio::sync::Semaphore;

/// Largest facts document, bytes. A machine with 16 sockets, 64 DIMMs and 500 disks stays under 1 MB.
pub const MAX_FACTS_BYTES: usize = 4 * 1024 * 1024;

/// Largest line of a boot's progress with all around it, bytes.
pub const MAX_PROGRESS_BYTES: usize = 64 * 1024;

/// Wrong tokens of one address: thirty a minute. A machine whose token has run out asks once a minute.
const WRONG_TOKENS: Pace = Pace {
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

/// Reports of one boot at once: the one that is on its way, and one that was given up but is not over yet.
const REPORTS_OF_ONE_BOOT: usize = 2;

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
    bounds: BootBounds,
    turns: Arc<Semaphore>,
    /// Reports being received, by client and by token.
    reporting: (Crowd<ClientAddress>, Crowd<SecretHash>),
    wrong_tokens: Arc<Mutex<Throttle<ClientAddress>>>,
    progress: Arc<Mutex<Throttle<SecretHash>>>,
}

/// Routes for machines. They need the client's address as `ConnectInfo<SocketAddr>`.
pub fn boot_router(discovery: Discovery, bounds: BootBounds) -> Router {
    let state = BootState {
        discovery,
        bounds,
        turns: Arc::new(Semaphore::new(bounds.reports)),
        reporting: (
            Crowd::new((bounds.reports * 3).div_ceil(4), usize::MAX),
            Crowd::new(REPORTS_OF_ONE_BOOT, usize::MAX),
        ),
        wrong_tokens: Arc::new(Mutex::new(Throttle::new(WRONG_TOKENS))),
        progress: Arc::new(Mutex::new(Throttle::new(PROGRESS))),
    };
    let progress = post(report::progress).layer(DefaultBodyLimit::max(MAX_PROGRESS_BYTES));
    Router::new()
        .route("/boot/ipxe", get(script::ipxe))
        .route("/boot/grub/script", get(script::grub))
        // A signed GRUB knows its folder by this name only, at the root of where it was loaded from.
        .route("/grub/{*name}", get(script::grub_file))
        .route("/boot/loader/{name}", get(content::loader))
        .route("/boot/image/{name}", get(content::image))
        .route("/boot/facts", post(report::facts))
        .route("/boot/next", get(report::next))
        .route("/boot/progress", progress)
        .layer(DefaultBodyLimit::max(MAX_FACTS_BYTES))
        .layer(middleware::from_fn_with_state(LONGEST_REQUEST, in_time))
        .with_state(state)
}

fn lock<K>(throttle: &Mutex<Throttle<K>>) -> MutexGuard<'_, Throttle<K>> {
    // A panic leaves at worst one try uncounted.
    throttle.lock().unwrap_or_else(PoisonError::into_inner)
}
