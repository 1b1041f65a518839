//! What one boot came to, from its events alone.
//!
//! The events are read in order. Each one either names a trouble, takes one away (an address given ends `no_subnet`),
//! or starts a wait (a script address given: a request by HTTP has to follow). What stands at the end is the verdict;
//! waits that took too long become troubles by the time that is passed in.
//!
//! Parameters of events that are read here: `mode`, `client` ([`super::Stage::as_str`]), `arch`, `file`, `server`,
//! `subnet`, `interface`, `relay`, `address` and `url` of DHCP events; `file` and `why` of TFTP and HTTP events; `code`
//! of [`EventKind::HttpRefused`] (the code of the problem answer) and [`EventKind::FactsRefused`]; `stage` and
//! `message` of [`EventKind::ImageProgress`]; `action` of [`EventKind::BootScript`].

mod story;
#[cfg(test)]
mod tests;
mod verdict;

use chrono::{DateTime, Utc};

pub use verdict::{Verdict, VerdictCode};

use super::{Event, EventKind};
use story::Story;

/// What is true now, beside the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Kernel and initramfs of the collection image are there.
    pub image: bool,
}

/// Names what a boot came to. `events` are those of one boot, oldest first.
///
/// No events are a boot in progress: the page asks before the first one is on disk.
#[must_use]
pub fn diagnose(events: &[Event], surroundings: &Surroundings, now: DateTime<Utc>) -> Verdict {
    let mut story = Story::default();
    for event in events {
        story.read(event);
    }
    story.verdict(surroundings, now)
}

/// The value of one parameter.
fn param<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event.params.get(name).map(String::as_str)
}

/// True for the files of the collection image.
fn is_image_file(file: &str) -> bool {
    matches!(file.rsplit('/').next(), Some("vmlinuz" | "initrd"))
}

/// True when the event is about this file name being fetched as a loader.
fn fetched_loader(event: &Event) -> Option<&str> {
    match event.kind {
        EventKind::TftpDone | EventKind::HttpFile => param(event, "file").filter(|file| !is_image_file(file)),
        _ => None,
    }
}
