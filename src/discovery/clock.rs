use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

type Wall = dyn Fn() -> DateTime<Utc> + Send + Sync;
type Steady = dyn Fn() -> Duration + Send + Sync;

/// Where the time comes from: the time of day, which people and time servers set, and a count that only goes on.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<Wall>,
    steady: Option<Arc<Steady>>,
}

impl Clock {
    /// A clock that never jumps: the time of day is believed.
    pub fn new(wall: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self {
            wall: Arc::new(wall),
            steady: None,
        }
    }

    /// With a count since some moment that goes on evenly (`Instant::elapsed`), by which a jump of the time of day is
    /// noticed.
    #[must_use]
    pub fn with_steady(mut self, steady: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.steady = Some(Arc::new(steady));
        self
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.wall)()
    }

    /// The even count; `None` when the time of day is believed.
    #[must_use]
    pub fn steady(&self) -> Option<Duration> {
        self.steady.as_ref().map(|steady| steady())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}
