//! Questions whose answer may never come, asked again each minute.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::aside::{self, Missing, Outcome};

/// Questions of one kind that are open at the same time. One that hangs in the kernel holds a thread.
const MOST_OPEN: usize = 64;

/// Questions by name. One that has no answer yet is not asked a second time: its late answer is taken instead.
#[derive(Debug)]
pub(super) struct Questions<T>(BTreeMap<String, Open<T>>);

#[derive(Debug)]
struct Open<T> {
    outcome: Outcome<T>,
    /// Asked since answers were taken last.
    wanted: bool,
}

impl<T> Default for Questions<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Send + 'static> Questions<T> {
    /// Asks by `work`, unless the same is still being asked, or too much is.
    pub(super) fn ask(&mut self, name: &str, work: impl FnOnce() -> T + Send + 'static) {
        if let Some(open) = self.0.get_mut(name) {
            open.wanted = true;
        } else if self.0.len() < MOST_OPEN {
            let outcome = aside::start(name, work);
            self.0.insert(name.to_owned(), Open { outcome, wanted: true });
        }
    }

    /// What was answered until `end`, of what was asked since the last time.
    pub(super) fn take(&mut self, end: Instant) -> BTreeMap<String, T> {
        let mut answers = BTreeMap::new();
        self.0.retain(|name, open| {
            let wanted = std::mem::take(&mut open.wanted);
            match open.outcome.wait(end.saturating_duration_since(Instant::now())) {
                Ok(answer) => {
                    if wanted {
                        answers.insert(name.clone(), answer);
                    }
                    false
                }
                Err(Missing::Failed(_)) => false,
                Err(Missing::Late) => true,
            }
        });
        answers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn long() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn what_hangs_is_asked_once_and_its_late_answer_is_taken() {
        let mut questions = Questions::default();
        let (open, gate) = channel::<()>();
        questions.ask("nfs", move || {
            let _ = gate.recv();
            1
        });
        assert_eq!(questions.take(Instant::now()), BTreeMap::new());
        questions.ask("nfs", || unreachable!("it is still being asked"));
        questions.ask("ext4", || 2);
        open.send(()).unwrap();
        let both = BTreeMap::from([("nfs".to_owned(), 1), ("ext4".to_owned(), 2)]);
        assert_eq!(questions.take(long()), both);
        assert_eq!(questions.take(long()), BTreeMap::new());
    }

    #[test]
    fn what_hangs_does_not_keep_the_rest_from_being_taken() {
        let mut questions = Questions::default();
        let (_held, gate) = channel::<()>();
        questions.ask("a hangs", move || gate.recv().map_or(0, |()| 0));
        questions.ask("b", || 2);
        // By another clock than the machine's: b is waited for until it is there.
        while questions.take(Instant::now()).is_empty() {
            questions.ask("b", || 2);
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_nobody_wants_any_more_and_what_failed_is_forgotten() {
        let mut questions: Questions<u8> = Questions::default();
        let (open, gate) = channel::<()>();
        questions.ask("unmounted", move || gate.recv().map_or(1, |()| 1));
        questions.ask("failed", || panic!("no such chip"));
        questions.take(Instant::now());
        open.send(()).unwrap();
        assert_eq!(questions.take(long()), BTreeMap::new());
        assert!(questions.0.is_empty());
    }
}
