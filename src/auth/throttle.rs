use std::{collections::HashMap, hash::Hash, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

/// Keys remembered at most; the ones whose last try is oldest go first.
const MOST_KEYS: usize = 10_000;

/// Tries that asked for the time in another order than they are counted in are no further apart.
const SAME_TIME: TimeDelta = TimeDelta::seconds(5);

/// How much is free, and what more costs.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Tries that cost nothing.
    pub free: u32,
    /// One try is forgiven each time this has passed.
    pub forgive: Duration,
    /// Wait after the first try that costs; doubled by each further one.
    pub first_wait: Duration,
    /// Longest wait.
    pub longest_wait: Duration,
}

/// Slows down what is tried again and again, by key: a name, an address, a token.
///
/// Pure: the caller brings the time. Memory is bounded, whatever is tried.
#[derive(Debug)]
pub struct Throttle<K> {
    pace: Pace,
    tries: HashMap<K, Tries>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    last: DateTime<Utc>,
    /// Until when tries have been forgiven.
    forgiven: DateTime<Utc>,
}

impl<K: Eq + Hash + Clone> Throttle<K> {
    /// Nothing tried yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            tries: HashMap::new(),
        }
    }

    /// How long this key still has to wait; `None` when it may try now.
    #[must_use]
    pub fn wait(&self, key: &K, now: DateTime<Utc>) -> Option<Duration> {
        let tries = self.tries.get(key)?;
        let since = now - tries.last;
        // The clock was set back: how long ago the last try was is not known, and nobody waits for a clock. Tries at the
        // same time are seen in another order than they asked for the time.
        if since < -SAME_TIME {
            return None;
        }
        let since = since.to_std().unwrap_or_default();
        let count = tries.settled(&self.pace, now).count;
        let doublings = count.checked_sub(self.pace.free)?.min(16);
        let wait = self.pace.first_wait.saturating_mul(1 << doublings);
        wait.min(self.pace.longest_wait)
            .checked_sub(since)
            .filter(|left| !left.is_zero())
    }

    /// Counts a try, before its outcome is known: many at the same time are then not all free.
    pub fn tried(&mut self, key: &K, now: DateTime<Utc>) {
        if self.tries.len() >= MOST_KEYS && !self.tries.contains_key(key) {
            self.forget(now);
        }
        let before = self.tries.get(key).map(|tries| tries.settled(&self.pace, now));
        let before = before.filter(|tries| tries.count > 0).unwrap_or(Tries {
            count: 0,
            last: now,
            forgiven: now,
        });
        let tries = Tries {
            count: before.count.saturating_add(1),
            last: now,
            forgiven: before.forgiven,
        };
        self.tries.insert(key.clone(), tries);
    }

    /// Takes one try back: it was none to be counted.
    pub fn take_back(&mut self, key: &K) {
        if let Some(tries) = self.tries.get_mut(key) {
            tries.count = tries.count.saturating_sub(1);
            if tries.count == 0 {
                self.tries.remove(key);
            }
        }
    }

    /// Forgets a key: it has proved itself.
    pub fn clear(&mut self, key: &K) {
        self.tries.remove(key);
    }

    fn forget(&mut self, now: DateTime<Utc>) {
        let pace = self.pace;
        self.tries.retain(|_, tries| tries.settled(&pace, now).count > 0);
        if self.tries.len() >= MOST_KEYS {
            let mut times: Vec<DateTime<Utc>> = self.tries.values().map(|tries| tries.last).collect();
            times.sort_unstable();
            if let Some(middle) = times.get(times.len() / 2).copied() {
                self.tries.retain(|_, tries| tries.last > middle);
            }
        }
    }
}

impl Tries {
    /// The same after what has been forgiven until `now`.
    fn settled(mut self, pace: &Pace, now: DateTime<Utc>) -> Self {
        let passed = (now - self.forgiven).to_std().unwrap_or_default();
        let forgiven = passed.as_nanos() / pace.forgive.as_nanos().max(1);
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX).min(self.count);
        self.count -= forgiven;
        let paid = pace.forgive.saturating_mul(forgiven);
        self.forgiven += TimeDelta::from_std(paid).unwrap_or(TimeDelta::zero());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        free: 5,
        forgive: Duration::from_secs(12 * 60),
        first_wait: Duration::from_secs(2),
        longest_wait: Duration::from_secs(15 * 60),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn the_wait_begins_late_doubles_and_ends() {
        let mut throttle = Throttle::new(PACE);
        for _ in 0..4 {
            throttle.tried(&"anna", at(0));
            assert_eq!(throttle.wait(&"anna", at(0)), None);
        }
        throttle.tried(&"anna", at(0));
        assert_eq!(throttle.wait(&"anna", at(0)), Some(Duration::from_secs(2)));
        assert_eq!(throttle.wait(&"anna", at(2)), None);
        throttle.tried(&"anna", at(2));
        assert_eq!(throttle.wait(&"anna", at(3)), Some(Duration::from_secs(3)));
        assert_eq!(throttle.wait(&"bert", at(3)), None);
        for _ in 0..40 {
            throttle.tried(&"anna", at(4));
        }
        assert_eq!(throttle.wait(&"anna", at(4)), Some(PACE.longest_wait));
    }

    #[test]
    fn tries_are_forgiven_one_by_one() {
        let mut throttle = Throttle::new(PACE);
        for _ in 0..6 {
            throttle.tried(&"anna", at(0));
        }
        // Two are forgiven, whatever was tried in between.
        throttle.tried(&"anna", at(13 * 60));
        throttle.tried(&"anna", at(25 * 60));
        assert_eq!(throttle.wait(&"anna", at(25 * 60)), Some(Duration::from_secs(4)));
        throttle.tried(&"anna", at(4 * 3600));
        assert_eq!(throttle.wait(&"anna", at(4 * 3600)), None);
    }

    #[test]
    fn a_proof_clears_and_a_try_can_be_taken_back() {
        let mut throttle = Throttle::new(PACE);
        for _ in 0..6 {
            throttle.tried(&"anna", at(0));
        }
        throttle.take_back(&"anna");
        assert_eq!(throttle.wait(&"anna", at(0)), Some(Duration::from_secs(2)));
        throttle.take_back(&"anna");
        assert_eq!(throttle.wait(&"anna", at(0)), None);
        throttle.clear(&"anna");
        assert!(throttle.tries.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait() {
        let mut throttle = Throttle::new(PACE);
        for _ in 0..9 {
            throttle.tried(&"anna", at(7200));
        }
        assert_eq!(throttle.wait(&"anna", at(0)), None);
        throttle.tried(&"anna", at(0));
        assert!(
            throttle.wait(&"anna", at(0)).is_some(),
            "what is tried after that counts"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::new(PACE);
        for key in 0..3 * i64::try_from(MOST_KEYS).unwrap() {
            throttle.tried(&key, at(key / 1000));
        }
        assert!(throttle.tries.len() <= MOST_KEYS);
    }
}
