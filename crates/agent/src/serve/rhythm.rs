//! When the agent looks and when it says that it is there. By a clock that nobody sets: the time of day may jump.

use std::time::{Duration, Instant};

use super::scattered;
use crate::report::AgentAnswer;

/// Between two signs of life, until the server says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Between two looks, until the server says otherwise.
const LOOK: Duration = Duration::from_secs(300);
/// Bounds on what a server may ask for, seconds.
const HEARTBEAT_BOUNDS: (u64, u64) = (1, 3600);
const LOOK_BOUNDS: (u64, u64) = (30, 86_400);
/// Between two requests while samples are waiting that the server would take.
const SOON: Duration = Duration::from_secs(4);
/// Facts that the server wants are looked up at most this often.
const WANTED_AGAIN: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// See whether the facts have changed, and report them.
    Look,
    /// Say that the machine is there.
    Heartbeat,
}

/// What is due when.
#[derive(Debug)]
pub(super) struct Rhythm {
    heartbeat: Duration,
    look: Duration,
    next_heartbeat: Instant,
    next_look: Instant,
    wanted: bool,
    /// After a failure nothing is done before.
    not_before: Instant,
    /// Makes a pause that is never the same.
    scatter: fn(Duration) -> Duration,
}

impl Rhythm {
    /// Begins with a look, whose report the server gets whatever it knows.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heartbeat: HEARTBEAT,
            look: LOOK,
            next_heartbeat: now + HEARTBEAT,
            next_look: now,
            wanted: true,
            not_before: now,
            scatter: scattered,
        }
    }

    /// What comes next, and how long until then.
    pub(super) fn next(&self, now: Instant) -> (Due, Duration) {
        let (due, at) = if self.next_look <= self.next_heartbeat {
            (Due::Look, self.next_look)
        } else {
            (Due::Heartbeat, self.next_heartbeat)
        };
        (due, at.max(self.not_before).saturating_duration_since(now))
    }

    /// Whether the server is to get the facts even when they are the same.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The machine was looked at.
    pub(super) fn looked(&mut self, now: Instant) {
        self.next_look = now + self.look;
    }

    /// The server answered a report or a sign of life.
    pub(super) fn answered(&mut self, answer: &AgentAnswer, now: Instant) {
        let within = |seconds: u64, (least, most): (u64, u64)| Duration::from_secs(seconds.clamp(least, most));
        self.heartbeat = within(answer.heartbeat_seconds, HEARTBEAT_BOUNDS);
        self.look = within(answer.look_seconds, LOOK_BOUNDS);
        self.next_heartbeat = now + (self.scatter)(self.heartbeat);
        self.wanted = answer.report;
        self.next_look = self.next_look.min(now + self.look);
        if answer.report {
            self.next_look = self.next_look.min(now + WANTED_AGAIN);
        }
    }

    /// Between two signs of life.
    pub(super) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// There is more to send than went into one request.
    pub(super) fn has_more(&mut self, now: Instant) {
        self.next_heartbeat = self.next_heartbeat.min(now + (self.scatter)(SOON));
    }

    /// Samples were not taken: others are tried soon.
    pub(super) fn refused(&mut self, now: Instant) {
        self.next_heartbeat = now + (self.scatter)(SOON);
    }

    /// The facts were reported, whatever became of that.
    pub(super) const fn reported(&mut self) {
        self.wanted = false;
    }

    /// What was due failed: the same again after `pause`, and nothing before.
    pub(super) fn failed(&mut self, due: Due, pause: Duration, now: Instant) {
        self.not_before = now + pause;
        match due {
            Due::Look => self.next_look = self.not_before,
            Due::Heartbeat => self.next_heartbeat = self.not_before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(report: bool, heartbeat_seconds: u64, look_seconds: u64) -> AgentAnswer {
        AgentAnswer {
            host: "5f0c".to_owned(),
            name: None,
            report,
            heartbeat_seconds,
            look_seconds,
            acknowledged: None,
        }
    }

    /// One whose pauses are always the same.
    fn steady(now: Instant) -> Rhythm {
        Rhythm {
            scatter: |pause| pause,
            ..Rhythm::new(now)
        }
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_look_comes_first_and_then_signs_of_life_between_looks() {
        let mut now = Instant::now();
        let mut rhythm = steady(now);
        assert_eq!(rhythm.next(now), (Due::Look, Duration::ZERO));
        assert!(rhythm.is_wanted());
        rhythm.looked(now);
        rhythm.answered(&answer(false, 60, 300), now);
        for _ in 0..4 {
            let (due, pause) = rhythm.next(now);
            assert_eq!((due, pause), (Due::Heartbeat, seconds(60)));
            now += pause;
            rhythm.answered(&answer(false, 60, 300), now);
        }
        assert_eq!(rhythm.next(now), (Due::Look, seconds(60)));
        assert!(!rhythm.is_wanted());
    }

    #[test]
    fn the_server_sets_the_pace_within_bounds_and_may_ask_for_a_report() {
        let now = Instant::now();
        let mut rhythm = steady(now);
        rhythm.looked(now);
        rhythm.answered(&answer(false, 0, u64::MAX), now);
        assert_eq!(rhythm.next(now), (Due::Heartbeat, seconds(1)));
        rhythm.answered(&answer(true, u64::MAX, 300), now);
        assert_eq!(rhythm.next(now), (Due::Look, seconds(10)));
        assert!(rhythm.is_wanted());
    }

    #[test]
    fn signs_of_life_are_scattered_and_what_waits_goes_sooner() {
        let now = Instant::now();
        let mut rhythm = Rhythm::new(now);
        rhythm.looked(now);
        rhythm.answered(&answer(false, 60, 300), now);
        let (_, pause) = rhythm.next(now);
        assert!((seconds(45)..=seconds(75)).contains(&pause), "{pause:?}");
        rhythm.has_more(now);
        let (_, pause) = rhythm.next(now);
        assert!((seconds(3)..=seconds(5)).contains(&pause), "{pause:?}");
    }

    #[test]
    fn after_a_failure_nothing_is_sent_before_its_pause_is_over() {
        let now = Instant::now();
        let mut rhythm = steady(now);
        rhythm.looked(now);
        rhythm.failed(Due::Look, seconds(200), now);
        let (_, pause) = rhythm.next(now);
        assert_eq!(pause, seconds(200));
        assert!(rhythm.is_wanted(), "what was not delivered is still to be reported");
    }
}
