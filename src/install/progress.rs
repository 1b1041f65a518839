use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Stage;

/// Longest text of evidence, characters.
const LONGEST_EVIDENCE: usize = 200;

/// How many packages are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Packages {
    /// Installed.
    pub done: u32,
    /// In all, when the installer says.
    pub all: Option<u32>,
}

impl Packages {
    /// What is known when this is heard after `before`: a count that goes back is a new phase of the same packages, and
    /// what is on the page does not jump.
    fn after(self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        Self {
            done: self.done.max(before.done),
            all: self.all.max(before.all),
        }
    }
}

/// That a stage was reached, and how we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The stage it is evidence of.
    pub stage: Stage,
    /// What was heard, in few words; no secret.
    pub text: String,
    /// Packages, when it tells of them.
    pub packages: Option<Packages>,
}

impl Evidence {
    /// Evidence of one stage.
    #[must_use]
    pub fn new(stage: Stage, text: impl Into<String>) -> Self {
        Self {
            stage,
            text: text.into(),
            packages: None,
        }
    }

    /// The same with a count of packages.
    #[must_use]
    pub const fn with_packages(mut self, packages: Packages) -> Self {
        self.packages = Some(packages);
        self
    }
}

/// When a stage was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTime {
    /// Which.
    pub stage: Stage,
    /// When.
    pub at: DateTime<Utc>,
}

/// Where one installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How far it has come.
    pub stage: Stage,
    /// Since when it is there.
    pub stage_since: DateTime<Utc>,
    /// When anything was heard last.
    pub heard_at: DateTime<Utc>,
    /// What was heard last.
    pub evidence: String,
    /// Packages.
    pub packages: Option<Packages>,
    /// Every stage that was reached, in order. What was skipped is not among them.
    pub times: Vec<StageTime>,
    /// How often the installer was started.
    pub starts: u32,
}

/// What evidence did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// A further stage is reached.
    To(Stage),
    /// The same stage, newly heard of.
    Heard,
    /// It belongs to a stage that is over: kept in the log, and no more.
    Late,
}

impl Progress {
    /// An installation that a person asks for.
    #[must_use]
    pub fn requested(by: &str, at: DateTime<Utc>) -> Self {
        Self {
            stage: Stage::Requested,
            stage_since: at,
            heard_at: at,
            evidence: short(&format!("asked for by {by}")),
            packages: None,
            times: vec![StageTime {
                stage: Stage::Requested,
                at,
            }],
            starts: 0,
        }
    }

    /// Takes in evidence. Stages may be skipped, as nobody promises to tell of each; there is no way back.
    pub fn hear(&mut self, evidence: &Evidence, at: DateTime<Utc>) -> Advance {
        if evidence.stage < self.stage {
            return Advance::Late;
        }
        self.heard_at = self.heard_at.max(at);
        self.evidence = short(&evidence.text);
        if let Some(packages) = evidence.packages {
            self.packages = Some(packages.after(self.packages));
        }
        if evidence.stage == self.stage {
            return Advance::Heard;
        }
        self.stage = evidence.stage;
        self.stage_since = at;
        self.times.push(StageTime {
            stage: evidence.stage,
            at,
        });
        Advance::To(evidence.stage)
    }

    /// The installer is started (again): the only way back, and only when [`super::boot`] says so.
    pub fn start_installer(&mut self, text: &str, at: DateTime<Utc>) {
        self.starts = self.starts.saturating_add(1);
        if self.stage > Stage::Loader {
            self.stage = Stage::WaitingBoot;
            self.times.retain(|reached| reached.stage <= Stage::WaitingBoot);
        }
        self.hear(&Evidence::new(Stage::Loader, text), at);
    }
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_EVIDENCE)
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{super::Limits, *};

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn after(minutes: i64) -> DateTime<Utc> {
        START + TimeDelta::minutes(minutes)
    }

    #[test]
    fn evidence_may_skip_stages_and_never_goes_back() {
        let mut progress = Progress::requested("anna", START);
        let disks = Evidence::new(Stage::Disks, "partman");
        assert_eq!(progress.hear(&disks, after(1)), Advance::To(Stage::Disks));
        assert_eq!(progress.hear(&disks, after(2)), Advance::Heard);
        assert_eq!(
            progress.hear(&Evidence::new(Stage::Answer, "asked again"), after(3)),
            Advance::Late
        );
        assert_eq!((progress.stage, progress.heard_at), (Stage::Disks, after(2)));
        let reached: Vec<_> = progress.times.iter().map(|time| time.stage).collect();
        assert_eq!(reached, [Stage::Requested, Stage::Disks]);
    }

    #[test]
    fn packages_only_grow() {
        let mut progress = Progress::requested("anna", START);
        let heard = |done, all| Evidence::new(Stage::Packages, "dpkg").with_packages(Packages { done, all });
        progress.hear(&heard(10, Some(200)), after(1));
        progress.hear(&heard(4, None), after(2));
        let expected = Packages {
            done: 10,
            all: Some(200),
        };
        assert_eq!(progress.packages, Some(expected));
    }

    #[test]
    fn starting_again_before_the_answer_file_begins_anew() {
        let mut progress = Progress::requested("anna", START);
        progress.start_installer("the boot script", after(1));
        progress.hear(&Evidence::new(Stage::Installer, "stage2"), after(2));
        progress.start_installer("the boot script", after(5));
        assert_eq!((progress.stage, progress.starts), (Stage::Loader, 2));
        assert_eq!(progress.stage_since, after(5));
    }

    #[test]
    fn silence_is_told_with_stage_time_and_last_evidence_and_given_up_later() {
        let mut progress = Progress::requested("anna", START);
        progress.hear(&Evidence::new(Stage::Disks, "partman: formatting sda"), after(10));
        let silent = |now: DateTime<Utc>| now - after(10);
        assert_eq!(Limits.look(&progress, silent(after(39))), None);
        let stuck = Limits.look(&progress, silent(after(41))).expect("it is stuck");
        assert_eq!((stuck.stage, stuck.since), (Stage::Disks, after(10)));
        assert_eq!(stuck.evidence, "partman: formatting sda");
        assert!(!stuck.give_up);
        assert!(Limits.look(&progress, silent(after(10 + 180))).expect("still").give_up);
        // A clock that is set back makes nothing late.
        assert_eq!(Limits.look(&progress, silent(START - TimeDelta::days(1))), None);
    }

    #[test]
    fn every_stage_is_given_up_after_it_is_called_stuck() {
        for stage in Stage::ALL {
            let patience = Limits.of(*stage);
            assert!(patience.give_up > patience.stuck, "{stage:?}");
        }
    }
}
