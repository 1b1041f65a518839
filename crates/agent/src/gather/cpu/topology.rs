//! Cores and sockets from `/sys/devices/system/cpu` (kernel's `Documentation/admin-guide/cputopology.rst`).

use std::collections::BTreeSet;

use super::super::tree::Tree;

pub(super) const FOLDER: &str = "sys/devices/system/cpu";

/// A set of logical CPUs, sorted. Two CPUs of one core or socket show the same set.
pub(super) type CpuSet = Vec<u32>;

/// The core and the socket of one logical CPU, by the CPUs that share them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) core: CpuSet,
    pub(super) socket: Option<CpuSet>,
}

/// Cores, sockets and threads of a group of CPUs.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(super) struct Counts {
    pub(super) sockets: u32,
    pub(super) cores: u32,
    pub(super) threads_per_core: u32,
}

/// Where the kernel places a CPU; `None` for one that is switched off or has no topology.
pub(super) fn place(tree: &Tree, cpu: u32) -> Option<Place> {
    let set = |names: [&str; 2]| {
        names.into_iter().find_map(|name| {
            let path = format!("{FOLDER}/cpu{cpu}/topology/{name}");
            let mask = tree.value("cpu.cores", &path).and_then(|mask| parse_mask(&mask));
            mask.or_else(|| parse_list(&tree.value("cpu.cores", &format!("{path}_list"))?))
        })
    };
    // The first names are those of kernel 5.3 and later, the second those of all kernels.
    let core = set(["core_cpus", "thread_siblings"])?;
    let socket = set(["package_cpus", "core_siblings"]);
    Some(Place { core, socket })
}

/// Counts distinct cores and sockets.
pub(super) fn count<'a>(places: impl Iterator<Item = &'a Place>) -> Counts {
    let (mut cores, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    let mut threads_per_core = 0;
    for place in places {
        threads_per_core = threads_per_core.max(place.core.len().max(1));
        cores.insert(&place.core);
        sockets.extend(&place.socket);
    }
    Counts {
        sockets: narrow(sockets.len()).max(u32::from(!cores.is_empty())),
        cores: narrow(cores.len()),
        threads_per_core: narrow(threads_per_core),
    }
}

/// The CPUs of a list file such as `present`, where it is there.
pub(super) fn list(tree: &Tree, name: &str) -> Option<CpuSet> {
    parse_list(&tree.value("cpu.threads", &format!("{FOLDER}/{name}"))?)
}

/// The CPUs that have a folder, where there is one at all.
pub(super) fn folders(tree: &Tree) -> Option<CpuSet> {
    let names = tree.names("cpu.cores", FOLDER)?;
    Some(
        names
            .iter()
            .filter_map(|name| name.strip_prefix("cpu")?.parse().ok())
            .collect(),
    )
}

pub(super) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// No kernel knows more CPUs; a captured file may name any number.
const CPU_LIMIT: u32 = 1 << 16;

/// `00000000,0000000f`: words of 32 bits in hexadecimal, the highest first.
fn parse_mask(text: &str) -> Option<CpuSet> {
    let mut cpus = Vec::new();
    for (word, digits) in text.split(',').rev().enumerate() {
        let bits = u32::from_str_radix(digits.trim(), 16).ok()?;
        let base = narrow(word).checked_mul(32).filter(|base| *base < CPU_LIMIT)?;
        cpus.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| base + bit));
    }
    (!cpus.is_empty()).then_some(cpus)
}

/// `0-3,8`: ranges in decimal.
fn parse_list(text: &str) -> Option<CpuSet> {
    let mut cpus = Vec::new();
    for range in text.split(',').map(str::trim) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= CPU_LIMIT {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    (!cpus.is_empty()).then_some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_lists_name_the_same_cpus() {
        assert_eq!(parse_mask("00000001,0000000f"), Some(vec![0, 1, 2, 3, 32]));
        assert_eq!(parse_list("0-3,32"), Some(vec![0, 1, 2, 3, 32]));
        assert_eq!(parse_mask("ffff").map(|cpus| cpus.len()), Some(16));
    }

    #[test]
    fn nonsense_is_no_set() {
        for text in ["", "x", "1-", "0-4294967295", "00000000"] {
            assert_eq!(parse_list(text).filter(|set| set.len() > 1), None, "{text}");
        }
        assert_eq!(parse_mask("0,0"), None);
        assert_eq!(parse_mask("123456789"), None);
    }
}
