//! When samples were measured, in the server's time.
//!
//! A machine's clock may be wrong, and may be set while samples wait to be sent. What can be relied on is the order of the
//! sequence, the time since the kernel started (which only goes on) and the server's own time.

use super::{INTERVAL, Step};

/// Clocks may differ by this much without anything being put right, seconds.
const TOLERANCE: i64 = 30;

/// A sample on its way to its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// Its number.
    pub sequence: u64,
    /// By the machine's clock; by the server's after [`settle`].
    pub at: i64,
    /// Since the machine's kernel started, seconds.
    pub uptime: Option<u64>,
}

/// What became of the times of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// What was added to all times, because the machine's clock is wrong by as much, seconds.
    pub skew: i64,
    /// Samples whose time did not fit those after them.
    pub mended: usize,
    /// Samples that were measured before anything is kept; taken out.
    pub too_old: usize,
}

/// Puts times right. `samples` are in the order of their sequence; `clock` is the machine's time when it sent them, where
/// it says so. Without it a clock that is behind cannot be told from samples that have waited, and is believed.
pub fn settle(samples: &mut Vec<Timed>, clock: Option<i64>, now: i64) -> Settled {
    let mut settled = Settled::default();
    let Some(last) = samples.last_mut() else {
        return settled;
    };
    let ahead = clock.unwrap_or_else(|| last.at.max(now));
    let skew = now.saturating_sub(ahead);
    if skew.abs() > TOLERANCE {
        settled.skew = skew;
        last.at = last.at.saturating_add(skew);
    }
    if last.at > now {
        settled.mended += usize::from(last.at > now.saturating_add(TOLERANCE));
        last.at = now;
    }
    let mut next = *last;
    for sample in samples.iter_mut().rev().skip(1) {
        sample.at = sample.at.saturating_add(settled.skew);
        let by_uptime = match (sample.uptime, next.uptime) {
            (Some(before), Some(after)) if after > before => Some(next.at.saturating_sub_unsigned(after - before)),
            _ => None,
        };
        let expected = by_uptime.unwrap_or_else(|| {
            let steps = i64::try_from(next.sequence.saturating_sub(sample.sequence)).unwrap_or(i64::MAX);
            next.at.saturating_sub(steps.max(1).saturating_mul(INTERVAL))
        });
        let wrong = match by_uptime {
            Some(expected) => (sample.at.saturating_sub(expected)).abs() > TOLERANCE,
            None => sample.at >= next.at,
        };
        if wrong || sample.at >= next.at {
            sample.at = expected;
            settled.mended += 1;
        }
        next = *sample;
    }
    let oldest = now.saturating_sub(Step::Raw.kept());
    let before = samples.len();
    samples.retain(|sample| sample.at >= oldest);
    settled.too_old = before - samples.len();
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn times(samples: &[(i64, Option<u64>)], clock: Option<i64>) -> (Vec<i64>, Settled) {
        let mut timed: Vec<Timed> = (1..)
            .zip(samples)
            .map(|(sequence, (at, uptime))| Timed {
                sequence,
                at: NOW + at,
                uptime: *uptime,
            })
            .collect();
        let settled = settle(&mut timed, clock.map(|clock| NOW + clock), NOW);
        (timed.iter().map(|sample| sample.at - NOW).collect(), settled)
    }

    #[test]
    fn good_times_are_left_alone() {
        let (at, settled) = times(&[(-120, Some(10)), (-61, Some(69)), (-2, Some(128))], Some(1));
        assert_eq!((at, settled), (vec![-120, -61, -2], Settled::default()));
        // Samples that waited an hour are not a clock that is an hour behind.
        let (at, settled) = times(&[(-3600, None), (-3540, None)], None);
        assert_eq!((at, settled), (vec![-3600, -3540], Settled::default()));
    }

    #[test]
    fn a_clock_an_hour_off_is_put_right() {
        for skew in [3600, -3600] {
            let (at, settled) = times(&[(skew - 60, None), (skew, None)], Some(skew));
            assert_eq!((at, settled.skew, settled.mended), (vec![-60, 0], -skew, 0));
        }
        // Without the machine's word only a clock that is ahead is known to be wrong.
        let (at, settled) = times(&[(3540, None), (3600, None)], None);
        assert_eq!((at, settled.skew), (vec![-60, 0], -3600));
    }

    #[test]
    fn a_clock_that_was_set_between_samples_is_put_right_by_the_time_since_the_start() {
        // Before the clock was set it was in 1970, or ahead.
        for wrong in [-NOW + 100, 7200] {
            let (at, settled) = times(&[(wrong, Some(60)), (wrong + 60, Some(120)), (-5, Some(185))], Some(0));
            assert_eq!((at, settled.mended), (vec![-130, -70, -5], 1 + usize::from(true)));
        }
        // Without it the order is what is known.
        let (at, settled) = times(&[(7200, None), (-5, None)], Some(0));
        assert_eq!((at, settled.mended), (vec![-65, -5], 1));
    }

    #[test]
    fn a_restart_between_samples_is_no_fault() {
        let (at, settled) = times(&[(-600, Some(90_000)), (-5, Some(40))], Some(0));
        assert_eq!((at, settled), (vec![-600, -5], Settled::default()));
    }

    #[test]
    fn what_is_older_than_anything_kept_is_refused() {
        let (at, settled) = times(&[(-3 * 86_400, None), (-NOW, None), (-60, None)], Some(0));
        assert_eq!((at, settled.too_old), (vec![-60], 2));
        assert_eq!(settle(&mut Vec::new(), Some(5), NOW), Settled::default());
        let (at, _) = times(&[(i64::MAX - NOW, None)], Some(-NOW));
        assert_eq!(at, [0]);
    }
}
