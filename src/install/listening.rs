//! When a server was there to hear an installer. What none could hear is nobody's silence.
//!
//! Each server of a ledger keeps its own account and brings it together with the one that all of them share: nobody
//! listened when none of them did.

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

    /// Takes in what is kept of all servers of the ledger. An absence in which another one listened was none. What that one
    /// did after it was noted last nobody knows yet: if it listened, it says so within a minute.
    pub fn join(&mut self, others: &Self) {
        let until = others.noted_at.unwrap_or(DateTime::UNIX_EPOCH);
        let theirs = others.away.iter().copied();
        let theirs: Vec<_> = theirs.chain([(until, DateTime::<Utc>::MAX_UTC)]).collect();
        self.away = self
            .away
            .iter()
            .flat_map(|ours| theirs.iter().map(|theirs| (ours.0.max(theirs.0), ours.1.min(theirs.1))))
            .filter(|(from, to)| from < to)
            .collect();
        self.bound();
        self.noted_at = self.noted_at.max(others.noted_at);
    }

    fn was_away(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        // A clock that was set back makes no absence.
        if to <= from {
            return;
        }
        self.away.retain(|(_, end)| to - *end < KEPT);
        self.away.push((from, to));
        self.bound();
    }

    /// One long absence instead of many: an installation gets more time, never less.
    fn bound(&mut self) {
        let beyond = self.away.len().saturating_sub(MOST);
        let first = self.away.first().map(|(from, _)| *from);
        self.away.drain(..beyond);
        if let (Some(oldest), Some(first)) = (self.away.first_mut(), first) {
            oldest.0 = first;
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

    /// What one server of a ledger does each minute: it notes, joins what is kept, and keeps that.
    fn minute(minute: i64, own: &mut Listening, kept: &mut Listening) {
        own.note(at(minute));
        own.join(kept);
        *kept = own.clone();
    }

    #[test]
    fn while_another_server_listened_somebody_did() {
        let (mut kept, mut one) = (Listening::default(), Listening::default());
        one.begin(at(0));
        for now in 0..10 {
            minute(now, &mut one, &mut kept);
        }
        // Another one starts: half a minute after the first one was noted, which goes on.
        let mut two = kept.clone();
        two.begin(at(9) + TimeDelta::seconds(30));
        minute(10, &mut two, &mut kept);
        minute(10, &mut one, &mut kept);
        minute(11, &mut two, &mut kept);
        for each in [&one, &two, &kept] {
            assert_eq!(each.silence(at(2), at(11)), TimeDelta::minutes(9));
        }
        // It is stopped for a while and goes on: the first one was there.
        for now in 11..30 {
            minute(now, &mut one, &mut kept);
        }
        minute(30, &mut two, &mut kept);
        assert!(two.silence(at(2), at(30)) >= TimeDelta::minutes(27), "but for a minute");
        minute(30, &mut one, &mut kept);
        minute(31, &mut two, &mut kept);
        for each in [&one, &two, &kept] {
            assert_eq!(each.silence(at(2), at(31)), TimeDelta::minutes(29));
        }
    }

    #[test]
    fn when_all_servers_were_away_nobody_listened() {
        let mut kept = Listening::default();
        let (mut one, mut two) = (Listening::default(), Listening::default());
        one.begin(at(0));
        two.begin(at(0));
        for now in 0..=10 {
            minute(now, &mut one, &mut kept);
            minute(now, &mut two, &mut kept);
        }
        // The first one ends; the second one listens for ten minutes more. Then the room has no power for an hour.
        for now in 11..=20 {
            minute(now, &mut two, &mut kept);
        }
        let (mut one, mut two) = (kept.clone(), kept.clone());
        one.begin(at(80));
        two.begin(at(82));
        for now in 80..=90 {
            minute(now, &mut one, &mut kept);
            if now >= 82 {
                minute(now, &mut two, &mut kept);
            }
        }
        for each in [one, two, kept] {
            assert_eq!(each.silence(at(5), at(90)), TimeDelta::minutes(85 - 60));
        }
    }

    #[test]
    fn what_many_servers_keep_is_bounded() {
        let (mut one, mut two) = (Listening::default(), Listening::default());
        for start in 0..200 {
            one.begin(at(start * 10));
            two.begin(at(start * 10 + 5));
        }
        one.join(&two);
        assert!(one.away.len() <= MOST);
        assert_eq!(one.silence(at(0), at(1990)), TimeDelta::zero());
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
