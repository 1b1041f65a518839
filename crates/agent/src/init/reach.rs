//! Whether the server answers, as the session finds it and the network asks: an address by which it cannot be reached
//! is worth little.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How it stands with the server, by the address that is used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reached {
    /// Nothing was tried yet.
    #[default]
    Unknown,
    /// It has answered.
    Yes,
    /// An attempt failed at this time, and none has succeeded since.
    No(Instant),
}

/// What session and network share.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    reached: Reached,
    /// When the address that is used now was set.
    moved: Option<Instant>,
}

impl Reach {
    /// The server answered, whatever it said.
    pub(super) fn answered(&self) {
        self.lock().reached = Reached::Yes;
    }

    /// An attempt that began at `started` found no server, as is known at `now`. It counts only when it began by the
    /// address that is used now.
    pub(super) fn failed(&self, started: Instant, now: Instant) {
        let mut inner = self.lock();
        let counts = inner.moved.is_none_or(|moved| started >= moved);
        if counts && !matches!(inner.reached, Reached::No(_)) {
            inner.reached = Reached::No(now);
        }
    }

    /// Another address is used from `now` on.
    pub(super) fn moved(&self, now: Instant) {
        *self.lock() = Inner {
            reached: Reached::Unknown,
            moved: Some(now),
        };
    }

    /// How it stands.
    pub(super) fn now(&self) -> Reached {
        self.lock().reached
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain data: it stays readable whatever happened to another thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn silence_counts_from_the_first_failure_and_ends_with_an_answer() {
        let (reach, start) = (Reach::default(), Instant::now());
        assert_eq!(reach.now(), Reached::Unknown);
        reach.failed(start, start + SECOND);
        reach.failed(start + SECOND, start + SECOND * 2);
        assert_eq!(
            reach.now(),
            Reached::No(start + SECOND),
            "one slow attempt is not long silence"
        );
        reach.answered();
        assert_eq!(reach.now(), Reached::Yes);
        reach.failed(start + SECOND * 2, start + SECOND * 3);
        assert_eq!(reach.now(), Reached::No(start + SECOND * 3));
    }

    #[test]
    fn an_attempt_by_the_old_address_says_nothing_of_the_new_one() {
        let (reach, start) = (Reach::default(), Instant::now());
        reach.moved(start + SECOND);
        reach.failed(start, start + SECOND);
        assert_eq!(reach.now(), Reached::Unknown);
        reach.failed(start + SECOND, start + SECOND);
        assert_eq!(reach.now(), Reached::No(start + SECOND));
    }
}
