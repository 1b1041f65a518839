//! Asks a machine in parts, none of which may take longer than it is given.
//!
//! A file of `/sys` or a request to a driver may never come back: a disk that is dying, a management controller that
//! keeps silent. Such a part is listed as unread and the others are reported. What could not be read is listed in the
//! order in which the parts are taken, whichever of them was ready first.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_facts::Unread;

use super::Limits;
use super::tree::Tree;
use crate::aside::{self, Missing, Outcome};

/// How many items of one kind are asked at the same time: enough that a shelf of dead disks costs few waits, few
/// enough for a small machine with thousands of virtual functions.
const AT_ONCE: usize = 32;

/// A machine that is asked.
pub(super) struct Machine {
    root: PathBuf,
    /// How long one part may take.
    limit: Duration,
    /// When all parts must be done.
    end: Instant,
    unread: Vec<Unread>,
}

/// A part that is being gathered.
pub(super) struct Part<T> {
    what: String,
    started: Instant,
    limit: Duration,
    /// `None` when nothing was asked, because the time for everything was over.
    outcome: Option<Outcome<(T, Vec<Unread>)>>,
}

impl Machine {
    /// The machine below `root`, asked from `now` on.
    pub(super) fn new(root: &Path, limits: Limits, now: Instant) -> Self {
        Self {
            root: root.to_owned(),
            limit: limits.part,
            end: now + limits.whole,
            unread: Vec::new(),
        }
    }

    /// Begins to gather `what`, a field of the facts by its path.
    pub(super) fn ask<T: Send + 'static>(&self, what: &str, work: impl FnOnce(&Tree) -> T + Send + 'static) -> Part<T> {
        self.ask_within(self.limit, what, work)
    }

    /// The same with a limit of its own.
    pub(super) fn ask_within<T: Send + 'static>(
        &self,
        limit: Duration,
        what: &str,
        work: impl FnOnce(&Tree) -> T + Send + 'static,
    ) -> Part<T> {
        let started = Instant::now();
        let left = self.end.saturating_duration_since(started);
        let root = self.root.clone();
        let gather = move || {
            let tree = Tree::new(&root);
            let found = work(&tree);
            (found, tree.into_unread())
        };
        Part {
            what: what.to_owned(),
            started,
            limit: limit.min(left),
            outcome: (!left.is_zero()).then(|| aside::start(what, gather)),
        }
    }

    /// What was gathered; `None` when it did not come in its time or failed, which is noted.
    pub(super) fn take<T>(&mut self, part: Part<T>) -> Option<T> {
        let Part {
            what,
            started,
            limit,
            outcome,
        } = part;
        let left = limit.saturating_sub(started.elapsed());
        let why = match outcome.map(|outcome| outcome.wait(left)) {
            Some(Ok((found, unread))) => {
                self.unread.extend(unread);
                return Some(found);
            }
            Some(Err(Missing::Late)) => format!("no answer within {} s", limit.as_secs_f32().ceil()),
            Some(Err(Missing::Failed(why))) => format!("muster-agent failed: {why}"),
            None => "not asked: other parts took all the time there is".to_owned(),
        };
        self.unread.push(Unread { what, why });
        None
    }

    /// Asks for each of `names` apart, as `KIND.NAME`, so that one that hangs costs only itself.
    pub(super) fn each<T: Send + 'static>(
        &mut self,
        kind: &str,
        names: &[String],
        work: impl Fn(&Tree, String) -> T + Send + Sync + 'static,
    ) -> Vec<T> {
        let work = Arc::new(work);
        let mut found = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let parts: Vec<Part<T>> = some
                .iter()
                .map(|name| {
                    let (work, item) = (Arc::clone(&work), name.clone());
                    self.ask(&format!("{kind}.{name}"), move |tree| work(tree, item))
                })
                .collect();
            found.extend(parts.into_iter().filter_map(|part| self.take(part)));
        }
        found
    }

    /// What could not be read.
    pub(super) fn into_unread(self) -> Vec<Unread> {
        self.unread
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Limits = Limits {
        part: Duration::from_secs(60),
        whole: Duration::from_secs(60),
    };

    fn machine(limits: Limits) -> Machine {
        Machine::new(Path::new("/nowhere"), limits, Instant::now())
    }

    fn told(machine: Machine) -> Vec<(String, String)> {
        let unread = machine.into_unread();
        unread.into_iter().map(|unread| (unread.what, unread.why)).collect()
    }

    #[test]
    fn a_part_that_hangs_is_listed_and_the_others_are_there() {
        let mut machine = machine(LONG);
        let (_held, gate) = channel::<()>();
        let dying = machine.ask_within(Duration::ZERO, "disks.sda", move |_| gate.recv().is_ok());
        let sound = machine.ask("disks.sdb", |_| 7);
        assert_eq!(machine.take(dying), None);
        assert_eq!(machine.take(sound), Some(7));
        let why = "no answer within 0 s".to_owned();
        assert_eq!(told(machine), [("disks.sda".to_owned(), why)]);
    }

    #[test]
    fn a_part_that_panics_is_listed_with_the_reason() {
        let mut machine = machine(LONG);
        let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let found = machine.each("nics", &names, |_, name| {
            assert_ne!(name, "b", "no such port");
            name
        });
        assert_eq!(found, ["a", "c"]);
        let told = told(machine);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, "nics.b");
        assert!(told[0].1.contains("no such port"), "{told:?}");
    }

    /// The second part ends before the first may go on, and is listed second all the same.
    #[test]
    fn the_list_has_the_order_of_the_questions() {
        let mut machine = machine(LONG);
        let (open, gate) = channel::<()>();
        let first = machine.ask("first", move |tree| {
            let _ = gate.recv();
            tree.note("first", "why".to_owned());
        });
        let second = machine.ask("second", move |tree| {
            tree.note("second", "why".to_owned());
            let _ = open.send(());
        });
        assert_eq!((machine.take(first), machine.take(second)), (Some(()), Some(())));
        let order: Vec<String> = told(machine).into_iter().map(|(what, _)| what).collect();
        assert_eq!(order, ["first", "second"]);
    }

    #[test]
    fn more_items_than_are_asked_at_once_keep_their_order() {
        let names: Vec<String> = (0..AT_ONCE * 2 + 1).map(|number| number.to_string()).collect();
        assert_eq!(machine(LONG).each("nics", &names, |_, name| name), names);
    }

    #[test]
    fn nothing_is_asked_when_the_time_for_everything_is_over() {
        let mut machine = machine(Limits {
            whole: Duration::ZERO,
            ..LONG
        });
        let late = machine.ask("bmc", |_| ());
        assert_eq!(machine.take(late), None);
        assert!(told(machine)[0].1.starts_with("not asked"));
    }
}
