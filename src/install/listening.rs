//! When the server was there to hear an installer. What it could not hear is nobody's silence.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Without a note for this long nobody listened: the process was stopped, or the clock was set.
const GAP: TimeDelta = TimeDelta::minutes(3);
/// Absences that are remembered.
const MOST: usize = 64;
/// No stage may be silent for longer than this: what ended before is of no use.
const KEPT: TimeDelta = TimeDelta::days(3);

/// Times in which nobody listened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listening {
    /// When it was noted last that somebody listens.
    noted_at: Option<DateTime<Utc>>,
    /// From when to when nobody did, oldest first.
    away: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Listening {
    /// The server has started: since the last note nobody listened, however short that was.
    pub fn begin(&mut self, now: DateTime<Utc>) {
        let since = self.noted_at.unwrap_or(DateTime::UNIX_EPOCH);
        self.was_away(since, now);
        self.noted_at = Some(now);
    }

    /// Somebody listens; for a call every minute.
    pub fn note(&mut self, now: DateTime<Utc>) {
        if let Some(last) = self.noted_at
            && now - last > GAP
        {
            self.was_away(last, now);
        }
        self.noted_at = Some(now);
    }

    /// How long nothing came that could have been heard.
    #[must_use]
    pub fn silence(&self, heard_at: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
        let away: TimeDelta = self
            .away
            .iter()
            .map(|(from, to)| (*to).min(now) - (*from).max(heard_at))
            .filter(|span| *span > TimeDelta::zero())
            .sum();
        now - heard_at - away
    }

    fn was_away(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        // A clock that was set back makes no absence.
        if to <= from {
            return;
        }
        self.away.retain(|(_, end)| to - *end < KEPT);
        self.away.push((from, to));
        if self.away.len() > MOST {
            // One long absence instead of two: an installation gets more time, never less.
            let (from, _) = self.away.remove(0);
            if let Some(oldest) = self.away.first_mut() {
                oldest.0 = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
    }

    fn noted(from: i64, to: i64, listening: &mut Listening) {
        for minute in from..=to {
            listening.note(at(minute));
        }
    }

    #[test]
    fn only_what_could_be_heard_is_silence() {
        let mut listening = Listening::default();
        listening.begin(at(0));
        noted(0, 10, &mut listening);
        assert_eq!(listening.silence(at(2), at(10)), TimeDelta::minutes(8));
        // The process was stopped for an hour.
        noted(70, 75, &mut listening);
        assert_eq!(listening.silence(at(2), at(75)), TimeDelta::minutes(13));
        assert_eq!(listening.silence(at(72), at(75)), TimeDelta::minutes(3));
        // It was started anew within a minute, again and again: each absence counts, and nothing else.
        for minute in 76..86 {
            listening.note(at(minute));
            listening.begin(at(minute) + TimeDelta::seconds(30));
        }
        listening.note(at(86));
        assert_eq!(
            listening.silence(at(2), at(86)),
            TimeDelta::minutes(24) - TimeDelta::minutes(5)
        );
    }

    #[test]
    fn what_was_before_the_first_start_was_heard_by_nobody() {
        let mut listening = Listening::default();
        listening.begin(at(100));
        assert_eq!(listening.silence(at(0), at(110)), TimeDelta::minutes(10));
    }

    #[test]
    fn a_clock_that_is_set_back_is_no_absence_and_memory_is_bounded() {
        let mut listening = Listening::default();
        listening.begin(at(0));
        noted(0, 100, &mut listening);
        noted(50, 51, &mut listening);
        assert_eq!(listening.silence(at(50), at(51)), TimeDelta::minutes(1));
        for start in 0..1000 {
            listening.begin(at(start));
        }
        assert!(listening.away.len() <= MOST);
        assert_eq!(listening.silence(at(0), at(999)), TimeDelta::zero());
    }
}
