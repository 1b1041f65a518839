use chrono::{DateTime, TimeDelta, Utc};

use super::{Progress, Stage};

/// How long nothing new may be heard in one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After this a person is told.
    pub stuck: TimeDelta,
    /// After this the installation is given up, so that its answer file is not open for ever.
    pub give_up: TimeDelta,
}

/// Patience by stage, for slow disks and slow mirrors: what is cut off too early would have to be done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits;

impl Limits {
    /// How long one stage may be silent.
    #[must_use]
    pub const fn of(self, stage: Stage) -> Patience {
        let (stuck, give_up) = match stage {
            Stage::Requested => (5, 24 * 60),
            // Somebody may have to go there and switch it on.
            Stage::WaitingBoot => (30, 24 * 60),
            // POST of a large server takes ten minutes.
            Stage::Loader | Stage::Rebooting => (20, 120),
            Stage::Installer | Stage::Answer => (15, 120),
            Stage::Disks => (30, 180),
            Stage::Packages | Stage::Post => (45, 240),
            Stage::FirstBoot => (20, 120),
            Stage::AgentEnrolled | Stage::Verified => (15, 60),
        };
        Patience {
            stuck: TimeDelta::minutes(stuck),
            give_up: TimeDelta::minutes(give_up),
        }
    }

    /// Whether nothing has come for too long. `silent`: for how long nothing came that could have been heard
    /// ([`super::Listening::silence`]); less than none after a clock was set back, and then nothing is late.
    #[must_use]
    pub fn look(self, progress: &Progress, silent: TimeDelta) -> Option<Stuck> {
        let patience = self.of(progress.stage);
        (silent >= patience.stuck).then(|| Stuck {
            stage: progress.stage,
            since: progress.stage_since,
            silent,
            evidence: progress.evidence.clone(),
            give_up: silent >= patience.give_up,
        })
    }
}

/// An installation from which nothing comes: "stuck in `stage` since `since`; last evidence: `evidence`".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// In which stage.
    pub stage: Stage,
    /// When the stage began.
    pub since: DateTime<Utc>,
    /// How long nothing was heard.
    pub silent: TimeDelta,
    /// What was heard last.
    pub evidence: String,
    /// True when it is to be given up.
    pub give_up: bool,
}
