use std::collections::{BTreeMap, BTreeSet};

use super::{Key, KeyIndex, KeyKind};
use crate::inventory::HostId;

/// A value carried by this many hosts tells them apart no more.
const COMMON: usize = 3;

/// Who a machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// It is this host.
    Same {
        /// The host.
        host: HostId,
        /// The strongest key that says so.
        by: Key,
        /// Hosts that never reported and turn out to be this machine: absorb them.
        stubs: Vec<HostId>,
    },
    /// No host in the ledger is this machine.
    New,
    /// It may be one of these, oldest first: a person decides.
    Ambiguous {
        /// Hosts that it may be.
        hosts: Vec<HostId>,
        /// Hosts that never reported and certainly are this machine, oldest first: use one for it, absorb the others.
        stubs: Vec<HostId>,
    },
}

/// How one host compares with the machine, key kind by key kind.
#[derive(Debug, Default)]
struct Comparison {
    /// Kinds with a value in common.
    agree: BTreeSet<KeyKind>,
    /// Kinds both have values of, none in common.
    differ: BTreeSet<KeyKind>,
    /// The MACs in common may be those of a card or dongle that was carried over.
    mac_is_minor: bool,
}

/// What a comparison means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The same machine, nothing speaks against it.
    Certain,
    /// The same machine with a part replaced.
    Likely,
    /// A person must look.
    Doubtful,
    /// Another machine that happens to share a part.
    Other,
}

/// Finds the host a machine with these keys is.
///
/// Strong keys (UUID, product, board and chassis serial) name the machine, parts (MACs, BMC, disks) can be carried to
/// another one. One strong key with nothing strong against it is the host, whatever parts were swapped. When strong
/// keys contradict each other, a part must speak for the host as well, or a person decides. Parts alone never merge a
/// machine into a host whose strong keys differ. A value on three hosts or more is no key at all.
#[must_use]
pub fn identify(keys: &[Key], known: &KeyIndex) -> Identified {
    let keys: Vec<&Key> = keys.iter().filter(|key| known.holders(key).len() < COMMON).collect();
    let candidates: BTreeSet<HostId> = keys.iter().flat_map(|key| known.holders(key)).copied().collect();
    // A stub is what asked to boot. With all its keys among this machine's, it is this machine.
    let (own, hosts): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|host| known.is_stub(*host) && known.keys(*host).iter().all(|key| keys.contains(&key)));
    let judged: Vec<(HostId, Comparison, Standing)> = hosts
        .into_iter()
        .map(|host| {
            let comparison = compare(&keys, host, known);
            let standing = standing(&comparison);
            (host, comparison, standing)
        })
        .collect();

    if let Some(host) = choose(&judged) {
        return match strongest_shared(&keys, host, known) {
            Some(by) => Identified::Same { host, by, stubs: own },
            None => Identified::New,
        };
    }
    let doubtful: Vec<HostId> = judged
        .iter()
        .filter(|(_, _, standing)| *standing != Standing::Other)
        .map(|(host, _, _)| *host)
        .collect();
    if !doubtful.is_empty() {
        return Identified::Ambiguous {
            hosts: doubtful,
            stubs: own,
        };
    }
    let mut own = own.into_iter();
    match own
        .next()
        .and_then(|host| Some((host, strongest_shared(&keys, host, known)?)))
    {
        Some((host, by)) => Identified::Same {
            host,
            by,
            stubs: own.collect(),
        },
        None => Identified::New,
    }
}

/// The one host it is, when there is one: certainty first, then the one whose parts agree too.
fn choose(judged: &[(HostId, Comparison, Standing)]) -> Option<HostId> {
    for standing in [Standing::Certain, Standing::Likely] {
        let of_standing: Vec<_> = judged.iter().filter(|(_, _, found)| *found == standing).collect();
        match of_standing.as_slice() {
            [] => {}
            [(host, _, _)] => return Some(*host),
            several => {
                let mut whole = several.iter().filter(|(_, comparison, _)| comparison.differ.is_empty());
                return match (whole.next(), whole.next()) {
                    (Some((host, _, _)), None) => Some(*host),
                    _ => None,
                };
            }
        }
    }
    None
}

fn compare(keys: &[&Key], host: HostId, known: &KeyIndex) -> Comparison {
    let mut theirs: BTreeMap<KeyKind, BTreeSet<&str>> = BTreeMap::new();
    for key in known.keys(host).iter().filter(|key| known.holders(key).len() < COMMON) {
        theirs.entry(key.kind).or_default().insert(&key.value);
    }
    let mut ours: BTreeMap<KeyKind, BTreeSet<&str>> = BTreeMap::new();
    for key in keys {
        ours.entry(key.kind).or_default().insert(&key.value);
    }
    let named = |side: &BTreeMap<KeyKind, _>| side.keys().any(|kind| kind.is_strong());
    let one_is_named = named(&ours) != named(&theirs);
    let mut comparison = Comparison::default();
    for (kind, mine) in &ours {
        let Some(other) = theirs.get(kind) else { continue };
        let shared = mine.intersection(other).count();
        if shared == 0 {
            comparison.differ.insert(*kind);
        } else {
            comparison.agree.insert(*kind);
        }
        if *kind == KeyKind::Mac {
            let fewer = mine.len().min(other.len());
            // More than half of the addresses did not come with a card, nor did all of one side's: unless only one side
            // knows its name, when nothing less than the same addresses will do.
            let few = shared < fewer && shared * 2 <= fewer;
            comparison.mac_is_minor = few || (one_is_named && mine != other);
        }
    }
    comparison
}

fn standing(comparison: &Comparison) -> Standing {
    let Comparison {
        agree,
        differ,
        mac_is_minor,
    } = comparison;
    let strong = agree.iter().filter(|kind| kind.is_strong()).count();
    let against = differ.iter().filter(|kind| kind.is_strong()).count();
    let parts = agree.iter().filter(|kind| !kind.is_strong()).count();
    let parts_against = differ.iter().filter(|kind| !kind.is_strong()).count();
    let label = agree.contains(&KeyKind::ProductSerial) || agree.contains(&KeyKind::ChassisSerial);
    match (strong, against) {
        // One strong key alone, and no part of two kinds or more is the same: a copied UUID looks like this.
        (1, 0) if parts == 0 && parts_against >= 2 => Standing::Doubtful,
        (1.., 0) => Standing::Certain,
        // A replaced board keeps the label on the box or the cards and disks in it. Disks alone beside a shared UUID
        // may be copies on shared storage.
        (1.., _) if agree.contains(&KeyKind::BmcMac) || agree.contains(&KeyKind::Mac) => Standing::Likely,
        (1.., _) if label && agree.contains(&KeyKind::DiskWwn) => Standing::Likely,
        (1.., _) => Standing::Doubtful,
        // Cards and disks both moved: a board without a label was replaced, or a machine was rebuilt from another.
        (0, 1..) if parts >= 2 => Standing::Doubtful,
        (0, 1..) => Standing::Other,
        (0, 0) => parts_only(agree, differ, *mac_is_minor),
    }
}

/// Nothing strong on one side or the other: a machine whose firmware says nothing.
fn parts_only(agree: &BTreeSet<KeyKind>, differ: &BTreeSet<KeyKind>, mac_is_minor: bool) -> Standing {
    let has = |kind| agree.contains(&kind);
    match (has(KeyKind::BmcMac), has(KeyKind::Mac), has(KeyKind::DiskWwn)) {
        (true, true, _) | (_, true, true) | (true, _, true) => Standing::Certain,
        (true, false, false) | (false, true, false) if !differ.is_empty() || mac_is_minor => Standing::Doubtful,
        (true, false, false) | (false, true, false) => Standing::Certain,
        // Disks move, and shared storage shows one disk to many machines.
        (false, false, _) => Standing::Other,
    }
}

fn strongest_shared(keys: &[&Key], host: HostId, known: &KeyIndex) -> Option<Key> {
    let mut shared: Vec<&&Key> = keys.iter().filter(|key| known.keys(host).contains(key)).collect();
    shared.sort();
    shared.first().map(|key| (**key).clone())
}
