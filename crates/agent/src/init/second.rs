//! The second look at the machine, while the server's orders are waited for: switches make themselves heard late, and
//! some hardware appears late.

use std::path::Path;
use std::time::Duration;

use muster_facts::Facts;

use crate::aside::{self, Missing, Outcome};
use crate::gather::{self, Options};

/// Switches tell their name every 30 s (IEEE 802.1AB 9.2.5.7).
const LLDP_WAIT: Duration = Duration::from_secs(32);

/// A second look that goes on beside the session.
#[derive(Debug)]
pub(super) struct SecondLook(Option<Outcome<Facts>>);

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// The machine as it is now.
    Facts(Box<Facts>),
    /// It failed, for this reason. The first report stands.
    Failed(String),
}

impl SecondLook {
    /// Gathers once more, listening to the switches.
    pub(super) fn start() -> Self {
        Self::by(|| {
            gather::gather(&Options {
                lldp_wait: LLDP_WAIT,
                ..Options::new(Path::new("/"))
            })
        })
    }

    /// Gathers by `look`.
    pub(super) fn by(look: impl FnOnce() -> Facts + Send + 'static) -> Self {
        Self(Some(aside::start("second look", look)))
    }

    /// What came of it, told once; `None` while it goes on and afterwards.
    pub(super) fn news(&mut self) -> Option<Seen> {
        let seen = match self.0.as_ref()?.wait(Duration::ZERO) {
            Ok(facts) => Seen::Facts(Box::new(facts)),
            Err(Missing::Late) => return None,
            Err(Missing::Failed(why)) => Seen::Failed(why),
        };
        self.0 = None;
        Some(seen)
    }
}

/// True when switches were heard, or something has appeared that was slower than the first report. A look that misses
/// what the first one saw is no news: what did not answer this time would look as if it had been taken out.
pub(super) fn tells_more(first: &Facts, second: &Facts) -> bool {
    let count = |facts: &Facts| {
        [
            facts.disks.len(),
            facts.nics.len(),
            facts.gpus.len(),
            facts.pci.len(),
            usize::from(facts.system.uuid.is_some()),
            usize::from(facts.bmc.as_ref().is_some_and(|bmc| bmc.mac.is_some())),
        ]
    };
    let (before, now) = (count(first), count(second));
    let misses = before.iter().zip(&now).any(|(before, now)| now < before);
    !misses && (second.nics.iter().any(|nic| nic.lldp.is_some()) || before != now)
}

#[cfg(test)]
mod tests {
    use muster_facts::{Disk, LldpNeighbour, Nic};

    use super::*;

    /// The one piece of news of a look that ends.
    fn only(mut look: SecondLook) -> Seen {
        let seen = loop {
            match look.news() {
                Some(seen) => break seen,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(look.news(), None);
        seen
    }

    #[test]
    fn a_look_is_told_once() {
        let seen = only(SecondLook::by(Facts::default));
        assert_eq!(seen, Seen::Facts(Box::default()));
    }

    #[test]
    fn a_look_that_panics_says_why() {
        let seen = only(SecondLook::by(|| panic!("too many ports")));
        assert_eq!(seen, Seen::Failed("too many ports".to_owned()));
    }

    #[test]
    fn a_second_report_is_made_only_when_it_tells_more() {
        let first = Facts {
            nics: vec![Nic::default()],
            ..Facts::default()
        };
        assert!(!tells_more(&first, &first));
        let mut heard = first.clone();
        heard.nics[0].lldp = Some(LldpNeighbour::default());
        assert!(tells_more(&first, &heard));
        let slow = Facts {
            disks: vec![Disk::default()],
            ..first.clone()
        };
        assert!(tells_more(&first, &slow));
    }

    #[test]
    fn a_disk_that_no_longer_answers_is_not_reported_as_taken_out() {
        let first = Facts {
            nics: vec![Nic::default()],
            disks: vec![Disk::default()],
            ..Facts::default()
        };
        let mut second = first.clone();
        second.disks.clear();
        second.nics[0].lldp = Some(LldpNeighbour::default());
        assert!(!tells_more(&first, &second));
    }
}
