//! Work that must not take the rest down.
//!
//! It runs on a thread of its own: neither a panic in it nor a call that never returns (a file of a disk that is
//! dying, a firmware that keeps silent) stops who asked. A thread that hangs in the kernel cannot be ended by anyone;
//! it is left behind, and what it may find later is dropped.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Less than a huge page, by which the kernel could back a larger stack as a whole: many of these threads run at the
/// same time, and machines may be small.
const STACK: usize = 512 * 1024;

thread_local! {
    static IS_ASIDE: Cell<bool> = const { Cell::new(false) };
}

/// What comes of the work, once it is done.
#[derive(Debug)]
pub struct Outcome<T>(Receiver<Result<T, String>>);

/// Why there is nothing to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The work is not done yet.
    Late,
    /// It ended without a result, for this reason; or the result was taken before.
    Failed(String),
}

/// Does `work` on a thread called `name`. A thread that cannot be started is a failure of the work.
pub fn start<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    let (sender, receiver) = channel();
    let done = sender.clone();
    let run = move || {
        IS_ASIDE.set(true);
        // Nothing that the work leaves half done is seen by others: it owns what it works on.
        let result = catch_unwind(AssertUnwindSafe(work)).map_err(|payload| words(payload.as_ref()));
        // Nobody may be waiting any more.
        let _ = done.send(result);
    };
    let started = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(run);
    if let Err(error) = started {
        let _ = sender.send(Err(format!("no thread can be started for it: {error}")));
    }
    Outcome(receiver)
}

/// Whether this thread does such work: a panic on it ends the work, not the program.
#[must_use]
pub fn is_here() -> bool {
    IS_ASIDE.get()
}

impl<T> Outcome<T> {
    /// The result, waiting for it for at most `limit`. What is done already is given without any time left.
    ///
    /// # Errors
    /// When the work is not done by then, or has failed.
    pub fn wait(&self, limit: Duration) -> Result<T, Missing> {
        match self.0.recv_timeout(limit) {
            Ok(result) => result.map_err(Missing::Failed),
            Err(RecvTimeoutError::Timeout) => Err(Missing::Late),
            Err(RecvTimeoutError::Disconnected) => Err(Missing::Failed("it was taken before".to_owned())),
        }
    }
}

/// The text of a panic.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn work_that_never_ends_is_late_and_nobody_waits() {
        let (open, gate) = channel::<()>();
        let stuck = start("stuck", move || gate.recv().is_ok());
        assert_eq!(stuck.wait(Duration::ZERO), Err(Missing::Late));
        open.send(()).unwrap();
        assert_eq!(stuck.wait(LONG), Ok(true));
    }

    #[test]
    fn a_panic_is_a_failure_with_its_words() {
        let failed: Outcome<()> = start("failing", || panic!("no room for {}", 7));
        assert_eq!(failed.wait(LONG), Err(Missing::Failed("no room for 7".to_owned())));
        assert!(matches!(failed.wait(LONG), Err(Missing::Failed(_))));
    }

    #[test]
    fn only_the_thread_of_the_work_is_aside() {
        assert_eq!(start("told", is_here).wait(LONG), Ok(true));
        assert!(!is_here());
    }
}
