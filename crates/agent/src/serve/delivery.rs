//! Which samples go with which sign of life, and what the server's answer does to them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::queue::Queue;
use crate::report::{Beat, ReportError};

/// Samples in one request, and their bytes, at most; a request has at most 512 KiB.
const MOST: usize = 120;
const MOST_BYTES: usize = 500 * 1024;

/// The queue, which the sampler fills and [`Delivery`] empties.
#[derive(Debug, Clone)]
pub(super) struct Samples(Arc<Mutex<Queue>>);

impl Samples {
    pub(super) fn new(queue: Queue) -> Self {
        Self(Arc::new(Mutex::new(queue)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked has left it as the next start would find it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the samples of one credential to the server.
#[derive(Debug)]
pub(super) struct Delivery {
    samples: Samples,
    /// How many are sent at once: one, as long as it is not known whether the server takes any. One that does not reads
    /// nothing and closes the connection, and may do so before many are written.
    most: usize,
    /// A sample that the server does not take is among the next: fewer are sent until it is found.
    searching: bool,
    /// What was sent last: samples, and the number of those thrown away.
    sent: (usize, u64),
}

/// The server's words for samples that it will never take.
const REFUSED_BY_CONTENT: [&str; 2] = ["metrics_malformed", "metrics_too_large"];

impl Delivery {
    pub(super) const fn new(samples: Samples) -> Self {
        Self {
            samples,
            most: 1,
            searching: false,
            sent: (0, 0),
        }
    }

    /// What is sent next.
    pub(super) fn next(&mut self) -> Beat {
        let mut queue = self.samples.lock();
        let samples = queue.oldest(self.most, MOST_BYTES);
        let dropped = queue.dropped();
        self.sent = (samples.len(), dropped);
        let clock = SystemTime::now().duration_since(UNIX_EPOCH);
        Beat {
            samples,
            dropped,
            clock_unix_s: clock.ok().map(|since| since.as_secs()),
        }
    }

    /// The server has all samples up to this number; one that takes none says nothing. Gives whether more are waiting that
    /// it will take.
    pub(super) fn answered(&mut self, acknowledged: Option<u64>) -> bool {
        let Some(acknowledged) = acknowledged else {
            self.most = 1;
            return false;
        };
        self.most = if self.searching {
            (self.most * 2).min(MOST)
        } else {
            MOST
        };
        self.searching &= self.most < MOST;
        let mut queue = self.samples.lock();
        queue.acknowledge(acknowledged, self.sent.1) && queue.len() > 0
    }

    /// The request failed. When the server does not take what is in it, and would not take the same again, half of it is
    /// tried, and half of that, until the one sample is found that is to blame, which is thrown away. After any other
    /// failure, which `None` stands for, it is not known any more whether the server takes samples.
    pub(super) fn failed(&mut self, error: &ReportError) -> Option<Refused> {
        // By the server's own words: what a proxy says of a request says nothing of the samples in it.
        let by_content = matches!(
            error,
            ReportError::Refused { code, .. } if REFUSED_BY_CONTENT.contains(&code.as_str())
        );
        match self.sent.0 {
            2.. if by_content => {
                self.most = self.sent.0 / 2;
                self.searching = true;
                Some(Refused::Some)
            }
            1 if by_content => {
                self.most = MOST;
                self.searching = false;
                self.samples.lock().discard_oldest();
                Some(Refused::One)
            }
            _ => {
                self.most = 1;
                None
            }
        }
    }
}

/// What of a request the server does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// One sample or more of several.
    Some,
    /// The one that was sent, which is thrown away.
    One,
}

#[cfg(test)]
mod tests {
    use muster_facts::metrics::Sample;

    use super::super::queue::Bounds;
    use super::*;

    fn delivery(count: u64) -> (tempfile::TempDir, Delivery) {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = Queue::open(folder.path(), Bounds::default());
        for at_unix_s in 1..=count {
            let rest = Sample::default();
            queue.push(Sample { at_unix_s, ..rest });
        }
        (folder, Delivery::new(Samples::new(queue)))
    }

    fn numbers(beat: &Beat) -> Vec<u64> {
        let number = |json: &serde_json::Value| json["sequence"].as_u64().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&serde_json::to_vec(beat).unwrap()).unwrap();
        body["samples"].as_array().unwrap().iter().map(number).collect()
    }

    #[test]
    fn a_server_of_today_gets_one_sample_at_a_time_and_a_newer_one_all() {
        let (_folder, mut delivery) = delivery(300);
        assert_eq!(numbers(&delivery.next()), [1]);
        assert!(!delivery.answered(None));
        assert_eq!(numbers(&delivery.next()), [1], "nobody has it yet");
        assert!(delivery.answered(Some(1)));
        assert_eq!(numbers(&delivery.next()), (2..=121).collect::<Vec<_>>());
        assert!(delivery.answered(Some(121)));
        assert_eq!(delivery.next().samples.len(), 120);
        // The server took the request and committed nothing: no reason to hurry.
        assert!(!delivery.answered(Some(121)));
        assert_eq!(numbers(&delivery.next())[0], 122);
        assert!(delivery.answered(Some(241)));
        assert_eq!(delivery.next().samples.len(), 59);
        assert!(!delivery.answered(Some(300)));
        assert!(delivery.next().samples.is_empty());
    }

    #[test]
    fn after_a_failure_one_sample_is_tried_before_all_of_them() {
        let (_folder, mut delivery) = delivery(10);
        delivery.next();
        delivery.answered(Some(1));
        assert_eq!(delivery.next().samples.len(), 9);
        assert_eq!(delivery.failed(&ReportError::Unreachable(String::new())), None);
        assert_eq!(numbers(&delivery.next()), [2]);
        assert!(delivery.answered(Some(2)));
        assert_eq!(delivery.next().samples.len(), 8);
    }

    #[test]
    fn what_something_on_the_way_refuses_costs_no_sample() {
        let (_folder, mut delivery) = delivery(3);
        delivery.next();
        let refusal = ReportError::Refused {
            status: 400,
            code: String::new(),
            detail: "a plain HTTP request was sent to an HTTPS port".to_owned(),
            retry_after: None,
        };
        assert_eq!(delivery.failed(&refusal), None);
        assert_eq!(delivery.samples.lock().len(), 3);
    }

    #[test]
    fn one_sample_that_the_server_will_not_take_costs_itself_alone() {
        let (_folder, mut delivery) = delivery(100);
        delivery.next();
        delivery.answered(Some(1));
        let refusal = ReportError::Refused {
            status: 422,
            code: "metrics_malformed".to_owned(),
            detail: "sample 50".to_owned(),
            retry_after: None,
        };
        let (mut taken, mut asked, mut dropped) = (1, 1, 0);
        while delivery.samples.lock().len() > 0 {
            asked += 1;
            let beat = delivery.next();
            dropped = dropped.max(beat.dropped);
            let numbers = numbers(&beat);
            if numbers.contains(&50) {
                let expected = if numbers.len() == 1 {
                    Refused::One
                } else {
                    Refused::Some
                };
                assert_eq!(delivery.failed(&refusal), Some(expected));
            } else {
                taken += numbers.len();
                delivery.answered(numbers.last().copied());
            }
        }
        assert_eq!((taken, dropped), (99, 1));
        assert!(asked < 20, "{asked}");
        assert_eq!(delivery.samples.lock().dropped(), 0, "the server was told");
    }
}
