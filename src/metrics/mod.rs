//! What installed machines measure: reading and judging it, series and their rollups, charts. Pure: no async, no
//! database, no clock. Times are seconds since the Unix epoch.
//!
//! A sample becomes a [`Block`] of one time; blocks are laid together and rolled up, and one form of bytes keeps both.

mod block;
mod chart;
mod fleet;
mod judge;
mod kind;
mod laying;
mod pack;
mod read;
mod timing;
mod trend;

pub use block::{Block, Point};
pub use chart::{Chart, Line, chart, widths};
pub use fleet::{Totals, totals};
pub use judge::{Judged, judge};
pub use kind::{Kind, SeriesName, Unit};
pub use laying::{Blocks, lay, touched};
pub use pack::BrokenBlock;
pub use read::{Fault, Faults, MOST_SAMPLES, Numbered, Report, Unreadable, read};
pub use timing::{Settled, Timed, settle};
pub use trend::full_at;

/// Between two samples of one machine, seconds.
pub const INTERVAL: i64 = 60;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// How fine points are that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// As they were measured.
    Raw,
    /// Five minutes.
    Five,
    /// An hour.
    Hour,
}

impl Step {
    /// Every step, finest first.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Five, Self::Hour];

    /// Between two points, seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Raw => INTERVAL,
            Self::Five => 300,
            Self::Hour => HOUR,
        }
    }

    /// For how long points are kept, seconds.
    #[must_use]
    pub const fn kept(self) -> i64 {
        match self {
            Self::Raw => 2 * DAY,
            Self::Five => 31 * DAY,
            Self::Hour => 731 * DAY,
        }
    }

    /// How much time one block of a host covers, seconds. Blocks are rewritten each hour while they fill: long ones save
    /// rows, short ones save writing.
    #[must_use]
    pub const fn block(self) -> i64 {
        match self {
            Self::Raw => HOUR,
            Self::Five => DAY,
            Self::Hour => 7 * DAY,
        }
    }

    /// Where the block begins that holds a time.
    #[must_use]
    pub const fn block_of(self, at: i64) -> i64 {
        at - at.rem_euclid(self.block())
    }

    /// The step as tables and API name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Five => "5m",
            Self::Hour => "1h",
        }
    }

    /// The step of so many seconds.
    #[must_use]
    pub fn by_seconds(seconds: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.seconds() == seconds)
    }
}

/// How long after its end an hour is laid into blocks, seconds: what is on its way arrives before.
pub const GRACE: i64 = 120;

/// The first time that is not laid into blocks yet at `now`.
#[must_use]
pub const fn settled_before(now: i64) -> i64 {
    Step::Raw.block_of(now - GRACE)
}
