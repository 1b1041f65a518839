use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};

/// Failures that cost nothing.
const FREE_FAILURES: u32 = 5;
/// Wait after the first failure that costs; doubled by each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// After so long without a failure all is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);
/// Keys remembered at most; the ones whose last failure is oldest go first.
const MOST_KEYS: usize = 10_000;

/// Slows down guessing of passwords: per key (a name, an address) a wait that doubles with each failure.
///
/// Pure: the caller brings the time. Memory is bounded, whatever is tried.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: HashMap<String, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

impl Failures {
    fn wait(self) -> Duration {
        if self.count < FREE_FAILURES {
            return Duration::ZERO;
        }
        let doublings = (self.count - FREE_FAILURES).min(16);
        FIRST_WAIT.saturating_mul(1_u32 << doublings).min(LONGEST_WAIT)
    }
}

impl Throttle {
    /// How long this key still has to wait; `None` when it may try now.
    #[must_use]
    pub fn wait(&self, key: &str, now: DateTime<Utc>) -> Option<Duration> {
        let failures = self.failures.get(key)?;
        let since = elapsed(failures.last, now);
        failures.wait().checked_sub(since).filter(|left| !left.is_zero())
    }

    /// Notes a failure.
    pub fn failed(&mut self, key: &str, now: DateTime<Utc>) {
        if self.failures.len() >= MOST_KEYS && !self.failures.contains_key(key) {
            self.forget(now);
        }
        let failures = self
            .failures
            .entry(key.to_owned())
            .or_insert(Failures { count: 0, last: now });
        if elapsed(failures.last, now) > FORGET {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets a key after a success.
    pub fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }

    fn forget(&mut self, now: DateTime<Utc>) {
        self.failures
            .retain(|_, failures| elapsed(failures.last, now) <= FORGET);
        if self.failures.len() >= MOST_KEYS {
            let mut times: Vec<DateTime<Utc>> = self.failures.values().map(|f| f.last).collect();
            times.sort_unstable();
            if let Some(middle) = times.get(times.len() / 2).copied() {
                self.failures.retain(|_, failures| failures.last > middle);
            }
        }
    }
}

/// Zero when the clock was set back, so that a jump never locks anybody out for longer.
fn elapsed(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn the_wait_begins_late_doubles_and_ends() {
        let mut throttle = Throttle::default();
        for _ in 0..4 {
            throttle.failed("anna", at(0));
            assert_eq!(throttle.wait("anna", at(0)), None);
        }
        throttle.failed("anna", at(0));
        assert_eq!(throttle.wait("anna", at(0)), Some(Duration::from_secs(2)));
        assert_eq!(throttle.wait("anna", at(2)), None);
        throttle.failed("anna", at(2));
        assert_eq!(throttle.wait("anna", at(3)), Some(Duration::from_secs(3)));
        assert_eq!(throttle.wait("bert", at(3)), None);
        for _ in 0..40 {
            throttle.failed("anna", at(4));
        }
        assert_eq!(throttle.wait("anna", at(4)), Some(LONGEST_WAIT));
    }

    #[test]
    fn a_success_and_an_hour_forget() {
        let mut throttle = Throttle::default();
        for _ in 0..6 {
            throttle.failed("anna", at(0));
        }
        throttle.failed("anna", at(2 * 3600));
        assert_eq!(throttle.wait("anna", at(2 * 3600)), None);
        for _ in 0..6 {
            throttle.failed("anna", at(2 * 3600));
        }
        throttle.succeeded("anna");
        assert_eq!(throttle.wait("anna", at(2 * 3600)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::default();
        for key in 0..3 * i64::try_from(MOST_KEYS).unwrap() {
            throttle.failed(&key.to_string(), at(key / 1000));
        }
        assert!(throttle.failures.len() <= MOST_KEYS);
    }
}
