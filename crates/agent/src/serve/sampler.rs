//! Measures the machine once a minute, on a thread of its own: neither a server that does not answer nor a look that takes
//! long makes a minute longer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::delivery::Samples;
use super::say;
use crate::measure::Gauge;

/// Between two samples, unless signs of life are closer together.
const MINUTE: Duration = Duration::from_secs(60);

/// The thread that measures. It ends with this.
#[derive(Debug)]
pub(super) struct Sampler {
    pace: Sender<Duration>,
    told: Duration,
}

impl Sampler {
    /// Begins to fill `samples` with what the machine below `root` measures.
    pub(super) fn start(root: &Path, samples: Samples) -> Self {
        let (pace, paces) = channel();
        let root = root.to_owned();
        let measure = move || run(&root, &samples, &paces);
        if let Err(error) = thread::Builder::new().name("sampler".to_owned()).spawn(measure) {
            say(&format!(
                "nothing is measured: no thread can be started for it: {error}"
            ));
        }
        let told = MINUTE;
        Self { pace, told }
    }

    /// There is a sign of life this often.
    pub(super) fn keep_pace(&mut self, heartbeat: Duration) {
        let pace = heartbeat.min(MINUTE);
        if pace != self.told {
            self.told = pace;
            // A thread that is not there has said why.
            let _ = self.pace.send(pace);
        }
    }
}

fn run(root: &Path, samples: &Samples, paces: &Receiver<Duration>) {
    let mut gauge = Gauge::new(root);
    let mut pace = MINUTE;
    let mut last = Instant::now();
    let mut trouble = None;
    gauge.measure(last, SystemTime::now());
    loop {
        let wait = (last + pace).saturating_duration_since(Instant::now());
        match paces.recv_timeout(wait) {
            Ok(other) => {
                pace = other;
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // Always the same time after the one before, unless that time is over already: the machine was asleep.
        last = (last + pace).max(Instant::now().checked_sub(pace).unwrap_or(last));
        let measured = catch_unwind(AssertUnwindSafe(|| gauge.measure(Instant::now(), SystemTime::now())));
        let Ok(sample) = measured else {
            // The panic's own words are in the journal.
            gauge = Gauge::new(root);
            continue;
        };
        let mut queue = samples.lock();
        queue.push(sample);
        let now = queue.take_trouble();
        drop(queue);
        if now != trouble {
            say(&now.as_ref().map_or_else(
                || "samples are on disk again".to_owned(),
                |why| format!("samples are kept in memory, as they cannot be on disk: {why}"),
            ));
            trouble = now;
        }
    }
}
