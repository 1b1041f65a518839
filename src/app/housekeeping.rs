use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::ledger;
use crate::store::Store;

/// Between two looks at what is kept no longer.
const EVERY: Duration = Duration::from_secs(600);

/// Deletes old events, ended tokens and sessions, until told to stop. A failure is told and tried again next time.
pub(super) async fn run_housekeeping(store: Store, stop: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match store.trim(ledger::now()).await {
            Ok(trimmed) => tracing::debug!(
                events = trimmed.events,
                boot_tokens = trimmed.boot_tokens,
                sessions = trimmed.sessions,
                "old rows were deleted"
            ),
            Err(error) => tracing::warn!(%error, "old rows could not be deleted; the next try is in ten minutes"),
        }
        let lost = store.writer().lost();
        if lost > 0 {
            tracing::warn!(
                lost,
                "events were lost since the start: more happened than could be written"
            );
        }
    }
}
