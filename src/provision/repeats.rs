//! What machines ask again and again is told once and counted after that, so that nobody fills a transcript by asking.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::inventory::HostId;

/// Pairs of host and reason that are remembered. Beyond them the ones told longest ago are forgotten: a flood costs at
/// most one event for each pair and this many pairs at a time.
const MOST: usize = 10_000;

/// One host's repeats for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provision) struct Repeated {
    /// Which host.
    pub(in crate::provision) host: HostId,
    /// Why, as it was told.
    pub(in crate::provision) why: String,
    /// How often since it was told.
    pub(in crate::provision) times: u32,
    /// Who was last, as it was told.
    pub(in crate::provision) client: String,
}

#[derive(Debug)]
struct Told {
    at: DateTime<Utc>,
    /// Since then, untold.
    untold: u32,
    client: String,
}

/// Says what is told now and what is only counted.
#[derive(Debug)]
pub(in crate::provision) struct Repeats {
    every: TimeDelta,
    told: Mutex<HashMap<(HostId, String), Told>>,
}

impl Repeats {
    /// One host's reason is told once in `every`.
    pub(in crate::provision) fn new(every: TimeDelta) -> Self {
        Self {
            every,
            told: Mutex::default(),
        }
    }

    /// It happened once more: gives how often it did since it was told last, this time included, when it is to be told
    /// now.
    pub(in crate::provision) fn note(&self, host: HostId, why: &str, client: &str, now: DateTime<Utc>) -> Option<u32> {
        // A panic leaves at worst one repeat uncounted.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host, why.to_owned());
        if let Some(known) = told.get_mut(&key) {
            known.untold = known.untold.saturating_add(1);
            client.clone_into(&mut known.client);
            // A clock that was set back holds nothing back.
            if (now - known.at).abs() < self.every {
                return None;
            }
            known.at = now;
            return Some(std::mem::take(&mut known.untold));
        }
        if told.len() >= MOST {
            let mut times: Vec<_> = told.values().map(|known| known.at).collect();
            times.sort_unstable();
            if let Some(middle) = times.get(times.len() / 2).copied() {
                told.retain(|_, known| known.at > middle);
            }
        }
        let first = Told {
            at: now,
            untold: 0,
            client: client.to_owned(),
        };
        told.insert(key, first);
        Some(1)
    }

    /// What was counted and is to be told now, as nobody asked again; what is over is forgotten. For a call every minute.
    pub(in crate::provision) fn due(&self, now: DateTime<Utc>) -> Vec<Repeated> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        told.retain(|(host, why), known| {
            if (now - known.at).abs() < self.every {
                return true;
            }
            if known.untold > 0 {
                due.push(Repeated {
                    host: *host,
                    why: why.clone(),
                    times: known.untold,
                    client: known.client.clone(),
                });
            }
            false
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn host(number: u128) -> HostId {
        HostId(Uuid::from_u128(number))
    }

    #[test]
    fn the_first_is_told_and_the_others_are_counted() {
        let repeats = Repeats::new(TimeDelta::minutes(1));
        assert_eq!(repeats.note(host(1), "old", "10.0.0.1", at(0)), Some(1));
        for second in 1..50 {
            assert_eq!(repeats.note(host(1), "old", "10.0.0.2", at(second)), None);
        }
        assert_eq!(
            repeats.note(host(1), "other", "10.0.0.1", at(50)),
            Some(1),
            "another reason"
        );
        assert_eq!(
            repeats.note(host(2), "old", "10.0.0.1", at(50)),
            Some(1),
            "another host"
        );
        assert_eq!(repeats.note(host(1), "old", "10.0.0.1", at(61)), Some(50));
        repeats.note(host(1), "old", "10.0.0.3", at(62));
        assert_eq!(repeats.due(at(70)), []);
        let expected = Repeated {
            host: host(1),
            why: "old".to_owned(),
            times: 1,
            client: "10.0.0.3".to_owned(),
        };
        assert_eq!(repeats.due(at(130)), [expected], "what was counted is not lost");
        assert!(repeats.told.lock().unwrap().is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let repeats = Repeats::new(TimeDelta::minutes(1));
        for number in 0..30_000_u32 {
            repeats.note(host(u128::from(number)), "old", "", at(i64::from(number / 1000)));
        }
        assert!(repeats.told.lock().unwrap().len() <= MOST);
    }
}
