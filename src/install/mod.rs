//! How an installation goes: its stages, what is evidence of one, how long each may take, and what a machine that boots in
//! the middle of one is given. Pure: no async, no database, no clock.

mod compare;
mod disks;
mod guard;
mod interfaces;
mod kernel;
mod limits;
mod listening;
mod logline;
mod open;
mod outcome;
mod progress;
mod redact;
mod stage;
mod usual;

pub use compare::{Difference, Planned, compare};
pub use disks::{DiskRule, DiskWish, InstallDisk, choose_disks};
pub use guard::{BootChoice, Interruption, MOST_STARTS, boot};
pub use interfaces::{Address, Bond, InstallInterface, Route, Vlan, resolve_interfaces};
pub use kernel::{KernelOption, OptionValue, Target, kernel_line};
pub use limits::{Limits, Patience, Stuck};
pub use listening::Listening;
pub use logline::{LogLine, LogMeaning, meaning};
pub use open::{Hashes, OpenInstall, OpenInstalls, Secrets, TokenOf};
pub use outcome::{FailedBy, Outcome};
pub use progress::{Advance, Evidence, Packages, Progress, StageTime};
pub use redact::{HIDDEN, long_runs, redact, redact_line, redact_log};
pub use stage::Stage;
pub use usual::Usual;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one attempt to install one host; time-ordered (UUID version 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstallId(pub Uuid);

impl fmt::Display for InstallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for InstallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
