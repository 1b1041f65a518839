//! Waiting with a deadline, and giving up at once when a person or a test runner asks to stop.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::LabError;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(50);

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // A second signal ends the process at once, for a person who does not want to wait for the tidying.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
});

/// Takes over SIGINT, SIGTERM and SIGHUP, so that guards are dropped before the process ends. Called when the first
/// namespace is made; harmless when called again.
pub fn listen() {
    LazyLock::force(&REQUESTED);
}

/// Whether a signal has asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Looks at a condition until it gives a value.
///
/// # Errors
/// [`LabError::Late`] after `limit`, with what `seen` tells; [`LabError::Interrupted`] on a signal; the probe's own
/// error at once.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>, LabError>,
    seen: impl Fn() -> String,
) -> Result<T, LabError> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if requested() {
            return Err(LabError::Interrupted);
        }
        if Instant::now() >= end {
            return Err(LabError::Late {
                what: what.to_owned(),
                limit,
                seen: seen(),
            });
        }
        thread::sleep(POLL);
    }
}

/// Waits until a signal arrives.
pub fn wait_for_request() {
    while !requested() {
        thread::sleep(POLL);
    }
}
