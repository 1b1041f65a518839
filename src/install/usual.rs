//! How long stages take, as earlier installations tell.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{Stage, StageTime};

/// How long each stage took in the middle of earlier installations. A stage lasts until the next one that was reached;
/// the last one of an installation has no length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usual {
    /// Installations it was taken from.
    pub installs: usize,
    stages: BTreeMap<Stage, TimeDelta>,
}

impl Usual {
    /// Taken from the times of earlier installations, each in order.
    #[must_use]
    pub fn of(earlier: &[Vec<StageTime>]) -> Self {
        let mut lengths: BTreeMap<Stage, Vec<TimeDelta>> = BTreeMap::new();
        for times in earlier {
            for pair in times.windows(2) {
                if let [this, next] = pair {
                    lengths.entry(this.stage).or_default().push(next.at - this.at);
                }
            }
        }
        Self {
            installs: earlier.len(),
            stages: lengths
                .into_iter()
                .filter_map(|(stage, mut lengths)| {
                    lengths.sort_unstable();
                    Some((stage, *lengths.get(lengths.len() / 2)?))
                })
                .collect(),
        }
    }

    /// How long a stage takes.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> Option<TimeDelta> {
        self.stages.get(&stage).copied()
    }

    /// How long it may still take from `stage`, in which it has been for `since`. None when nothing is known.
    #[must_use]
    pub fn left(&self, stage: Stage, since: TimeDelta) -> Option<TimeDelta> {
        let later: TimeDelta = self
            .stages
            .range(stage..)
            .skip_while(|(at, _)| **at == stage)
            .map(|(_, long)| *long)
            .sum();
        let here = self
            .stage(stage)
            .map_or(TimeDelta::zero(), |long| (long - since).max(TimeDelta::zero()));
        (!self.stages.is_empty()).then_some(here + later)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn times(minutes: &[(Stage, i64)]) -> Vec<StageTime> {
        minutes
            .iter()
            .map(|(stage, at)| StageTime {
                stage: *stage,
                at: DateTime::UNIX_EPOCH + TimeDelta::minutes(*at),
            })
            .collect()
    }

    #[test]
    fn the_one_in_the_middle_counts_and_a_skipped_stage_does_not() {
        let usual = Usual::of(&[
            times(&[(Stage::Disks, 0), (Stage::Packages, 1), (Stage::Verified, 11)]),
            times(&[(Stage::Disks, 0), (Stage::Packages, 2), (Stage::Verified, 22)]),
            times(&[(Stage::Packages, 0), (Stage::Verified, 90)]),
        ]);
        assert_eq!(usual.installs, 3);
        assert_eq!(usual.stage(Stage::Packages), Some(TimeDelta::minutes(20)));
        assert_eq!(usual.stage(Stage::Verified), None);
        assert_eq!(
            usual.left(Stage::Disks, TimeDelta::minutes(1)),
            Some(TimeDelta::minutes(21))
        );
        assert_eq!(
            usual.left(Stage::Packages, TimeDelta::minutes(60)),
            Some(TimeDelta::zero())
        );
        assert_eq!(Usual::default().left(Stage::Disks, TimeDelta::zero()), None);
    }
}
