//! Looks at the machine again and again, and tells whether anything has changed.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use muster_facts::{Collection, Facts};

use crate::gather;

/// Switches speak each half minute (IEEE 802.1AB 9.2.5.7).
const LLDP_WAIT: Duration = Duration::from_secs(32);
/// They are listened to this often; a machine's cables are seldom moved.
const LLDP_EVERY: Duration = Duration::from_secs(3600);
/// The one that reports and the one that measures.
const OWN_THREADS: usize = 2;
/// Threads that hang in the kernel, on a disk that is dying, are left behind by each look. Beyond these nothing more is
/// asked until they are gone.
const MOST_LEFT_BEHIND: usize = 32;

/// What the server did not take is offered again this long after: a person may have settled it.
const OFFER_AGAIN: Duration = Duration::from_secs(3600);

/// What the server was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    print: u64,
    /// When it was not taken.
    refused_at: Option<Instant>,
}

/// Looks at one machine.
pub(super) struct Looker {
    root: PathBuf,
    /// The last look.
    last: Option<Facts>,
    /// What the server was told last.
    told: Option<Told>,
    listened_at: Option<Instant>,
}

impl Looker {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            last: None,
            told: None,
            listened_at: None,
        }
    }

    /// The machine as it is now. The first look does not wait for switches, as an installation may wait for it.
    pub(super) fn look(&mut self) -> Result<Facts, String> {
        let left_behind = threads().saturating_sub(OWN_THREADS);
        if left_behind > MOST_LEFT_BEHIND {
            return Err(format!(
                "{left_behind} questions to the hardware were never answered; nothing more is asked until they are"
            ));
        }
        let mut options = gather::Options::new(&self.root);
        let first = self.last.is_none();
        if !first && self.listened_at.is_none_or(|at| at.elapsed() >= LLDP_EVERY) {
            options.lldp_wait = LLDP_WAIT;
            self.listened_at = Some(Instant::now());
        }
        let mut facts = gather::gather(&options);
        if let Some(last) = &self.last {
            keep_neighbours(last, &mut facts);
        }
        self.last = Some(facts.clone());
        Ok(facts)
    }

    /// Whether the server is to be told this: it does not know it yet, or wants it once more.
    pub(super) fn is_due(&self, facts: &Facts, wanted: bool) -> bool {
        let Some(told) = self.told.filter(|told| told.print == print_of(facts)) else {
            return true;
        };
        match told.refused_at {
            Some(at) => at.elapsed() >= OFFER_AGAIN,
            None => wanted,
        }
    }

    /// The server knows this now.
    pub(super) fn told(&mut self, facts: &Facts) {
        self.told = Some(Told {
            print: print_of(facts),
            refused_at: None,
        });
    }

    /// The server does not take this: it would not a minute later either.
    pub(super) fn refused(&mut self, facts: &Facts) {
        self.told = Some(Told {
            print: print_of(facts),
            refused_at: Some(Instant::now()),
        });
    }
}

/// A neighbour stays until another is heard or the cable is out: not every look listens.
fn keep_neighbours(last: &Facts, facts: &mut Facts) {
    for nic in facts
        .nics
        .iter_mut()
        .filter(|nic| nic.lldp.is_none() && nic.link != Some(false))
    {
        if let Some(known) = last.nics.iter().find(|known| known.name == nic.name) {
            nic.lldp.clone_from(&known.lldp);
        }
    }
}

/// A fingerprint of what does not vary without meaning; good for comparing within this process.
fn print_of(facts: &Facts) -> u64 {
    let mut steady = facts.clone();
    steady.collection = Collection::default();
    steady.memory.usable_bytes = None;
    for nic in &mut steady.nics {
        nic.addresses.sort();
    }
    for link in &mut steady.links {
        link.addresses.sort();
    }
    let mut hasher = DefaultHasher::new();
    // Facts are plain data: writing them cannot fail, and if it did they would be news.
    serde_json::to_vec(&steady).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// Threads of this process.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

#[cfg(test)]
mod tests {
    use muster_facts::{LldpNeighbour, Nic};

    use super::*;

    fn facts(at: u64, hostname: &str) -> Facts {
        let mut facts = Facts {
            hostname: Some(hostname.to_owned()),
            ..Facts::default()
        };
        facts.collection.at_unix_s = at;
        facts.memory.usable_bytes = Some(at);
        facts
    }

    #[test]
    fn the_time_of_a_look_is_no_news_and_a_new_name_is() {
        let mut looker = Looker::new(Path::new("/nowhere"));
        assert!(looker.is_due(&facts(1, "web1"), false));
        looker.told(&facts(1, "web1"));
        assert!(!looker.is_due(&facts(2, "web1"), false));
        assert!(looker.is_due(&facts(2, "web1"), true), "the server wants it");
        assert!(looker.is_due(&facts(2, "web2"), false));
        looker.refused(&facts(2, "web2"));
        assert!(!looker.is_due(&facts(3, "web2"), true), "it was refused");
    }

    #[test]
    fn a_neighbour_that_was_not_listened_for_stays_unless_the_cable_is_out() {
        let nic = |name: &str, link, heard: bool| Nic {
            name: name.to_owned(),
            link: Some(link),
            lldp: heard.then(LldpNeighbour::default),
            ..Nic::default()
        };
        let mut last = facts(1, "web1");
        last.nics = vec![nic("eth0", true, true), nic("eth1", true, true)];
        let mut now = facts(2, "web1");
        now.nics = vec![nic("eth0", true, false), nic("eth1", false, false)];
        keep_neighbours(&last, &mut now);
        assert!(now.nics[0].lldp.is_some() && now.nics[1].lldp.is_none());
    }

    #[test]
    fn a_tree_without_anything_is_looked_at_twice() {
        let root = tempfile::tempdir().unwrap();
        let mut looker = Looker::new(root.path());
        let first = looker.look().unwrap();
        looker.told(&first);
        let again = looker.look().unwrap();
        assert!(!looker.is_due(&again, false));
    }
}
