//! What happens when the program fails: PID 1 must not end, and must not do so unseen.

use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use nix::sys::reboot::RebootMode;

use super::console::{Console, cry};
use super::screen::Status;
use super::trouble::Trouble;
use super::{FATAL_PAUSE, restart};
use crate::aside;

/// How often and how far apart the screen is asked for. It may be held for a moment by a thread that draws, and for
/// ever by the one that failed.
const ATTEMPTS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);

/// The screen, once there is one.
static SCREEN: OnceLock<Console> = OnceLock::new();

/// What a panic on a thread is for the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Work aside: who asked for it is told, and goes on.
    Part,
    /// The program cannot go on: the machine restarts.
    All,
}

/// Takes every panic from now on. Needs nothing mounted and no screen, so that it can be the first thing of all.
pub(super) fn guard() {
    std::panic::set_hook(Box::new(fell));
}

/// Shows panics on `console` from now on.
pub(super) fn show_on(console: &Console) {
    // There is one screen in the life of the program.
    let _ = SCREEN.set(console.clone());
}

fn fell(info: &PanicHookInfo<'_>) {
    let why = info.to_string().replace('\n', " ");
    // One that failed before the screen was opened gets one here; the kernel's own console is always there.
    let console = SCREEN.get().cloned().unwrap_or_else(Console::open);
    let loss = if aside::is_here() { Loss::Part } else { Loss::All };
    show(&console, loss, &why, BETWEEN, cry);
    if loss == Loss::All {
        thread::sleep(FATAL_PAUSE);
        restart(RebootMode::RB_AUTOBOOT)
    }
}

/// Puts the failure on the screen, or on the bare consoles by `cry` when the screen is not to be had.
fn show(console: &Console, loss: Loss, why: &str, between: Duration, cry: impl Fn(&str)) {
    let note = format!("a part of the collection failed and is left out: {why}");
    let trouble = Trouble::Fatal {
        reason: why.to_owned(),
        restart_in_minutes: FATAL_PAUSE.as_secs() / 60,
    };
    let change = |status: &mut Status| match loss {
        Loss::Part => status.notes.push(note.clone()),
        Loss::All => status.failure = Some(trouble.clone()),
    };
    for _ in 0..ATTEMPTS {
        if console.try_update(change) {
            return;
        }
        thread::sleep(between);
    }
    match loss {
        Loss::Part => cry(&note),
        Loss::All => cry(&trouble.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const WHY: &str = "panicked at src/disk.rs:1:2: index out of bounds";

    /// What a serial line shows after the failure, and what is cried beside it.
    fn shown(loss: Loss, is_held: bool) -> (String, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let console = Console::onto(file.reopen().unwrap());
        let cried = RefCell::new(Vec::new());
        let cry = |line: &str| cried.borrow_mut().push(line.to_owned());
        let see = || show(&console, loss, WHY, Duration::ZERO, cry);
        if is_held {
            console.held(see)
        } else {
            see()
        }
        (std::fs::read_to_string(file.path()).unwrap(), cried.take())
    }

    #[test]
    fn a_failure_of_a_part_is_a_note() {
        let (screen, cried) = shown(Loss::Part, false);
        assert!(screen.contains("note     a part of the collection failed"), "{screen}");
        assert!(screen.contains(WHY) && !screen.contains("PROBLEM"), "{screen}");
        assert!(cried.is_empty());
    }

    #[test]
    fn a_failure_of_all_is_a_problem_and_says_when_the_machine_restarts() {
        let (screen, _) = shown(Loss::All, false);
        assert!(screen.contains("PROBLEM  the collection failed"), "{screen}");
        assert!(screen.contains(WHY) && screen.contains("restarts in 5 min"), "{screen}");
    }

    /// The thread that failed may be the one that draws: it never gives the screen back.
    #[test]
    fn a_screen_that_is_held_is_gone_round() {
        let (screen, cried) = shown(Loss::All, true);
        assert_eq!(screen, "");
        assert_eq!(cried.len(), 1);
        assert!(cried[0].contains(WHY), "{cried:?}");
    }
}
