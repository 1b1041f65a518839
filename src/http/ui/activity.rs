//! The small chart above the hosts: boots begun and machines reported, per minute of the last hour.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    boot::EventKind,
    store::{Store, StoreError},
};

/// Minutes shown.
const MINUTES: usize = 60;
/// A chart is good for so long: many watchers cost one reading.
const FRESH: TimeDelta = TimeDelta::seconds(5);

/// What the chart shows; read at most every few seconds.
#[derive(Debug, Default)]
pub(in crate::http) struct Activity(Mutex<Option<(DateTime<Utc>, Chart)>>);

/// Numbers per minute, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Chart {
    /// Unix times of the minutes, seconds.
    pub(super) minutes: Vec<i64>,
    pub(super) boots: Vec<u64>,
    pub(super) reports: Vec<u64>,
    /// Nothing happened in all the time.
    pub(super) quiet: bool,
}

impl Activity {
    /// The chart as of now.
    pub(super) async fn chart(&self, store: &Store, now: DateTime<Utc>) -> Result<Chart, StoreError> {
        if let Some((at, chart)) = self.kept()
            && (now - at).abs() < FRESH
        {
            return Ok(chart);
        }
        // The minute that runs is left out: it would always look like a fall.
        let minute = now.timestamp().div_euclid(60) - 1;
        let first = minute - (MINUTES as i64 - 1);
        let since = DateTime::from_timestamp(first * 60, 0).unwrap_or(now);
        let boots = store.event_times(EventKind::BootScript, since).await?;
        let reports = store.event_times(EventKind::FactsAccepted, since).await?;
        let chart = Chart {
            minutes: (first..=minute).map(|minute| minute * 60).collect(),
            quiet: boots.is_empty() && reports.is_empty(),
            boots: per_minute(&boots, first),
            reports: per_minute(&reports, first),
        };
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some((now, chart.clone()));
        }
        Ok(chart)
    }

    fn kept(&self) -> Option<(DateTime<Utc>, Chart)> {
        self.0.lock().ok()?.clone()
    }
}

fn per_minute(times: &[DateTime<Utc>], first: i64) -> Vec<u64> {
    let mut counts = vec![0; MINUTES];
    for time in times {
        let index = usize::try_from(time.timestamp().div_euclid(60) - first).unwrap_or(MINUTES);
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_the_hour_are_left_out() {
        let at = |minute: i64| DateTime::from_timestamp(minute * 60 + 5, 0).unwrap();
        let counts = per_minute(&[at(99), at(100), at(100), at(159), at(160)], 100);
        assert_eq!(counts.len(), MINUTES);
        assert_eq!((counts[0], counts[59], counts.iter().sum::<u64>()), (2, 1, 3));
    }
}
