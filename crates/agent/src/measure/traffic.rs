//! What goes through disks and network interfaces: counters of the kernel, and the rates between two readings of them.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_facts::metrics::{DiskTraffic, NicTraffic};

use super::{bounded, rounded};
use crate::gather::tree::Tree;
use crate::gather::{disk, nic};

/// In `/proc/diskstats` sectors have this size whatever the disk's own is.
const SECTOR: u64 = 512;
/// Disks and interfaces that are measured at most. Their names are in order, so that they are the same each time.
const MOST: usize = 128;

/// Counters by the kernel's name.
pub(super) type Disks = BTreeMap<String, DiskCounters>;
/// The same of interfaces.
pub(super) type Nics = BTreeMap<String, NicCounters>;

/// What one disk has done since it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskCounters {
    requests: u64,
    read_sectors: u64,
    written_sectors: u64,
    busy_ms: u64,
}

/// What one interface has done since it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NicCounters {
    rx_bytes: u64,
    tx_bytes: u64,
    errors: u64,
}

/// Whole disks with media that stay, from `/proc/diskstats`.
pub(super) fn disks(tree: &Tree) -> Disks {
    let found = tree.lines("proc/diskstats").filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // In sysfs a name has no slash.
        let name = words.get(2)?.replace('/', "!");
        let folder = format!("{}/{name}", disk::FOLDER);
        if name.contains("..") || name.starts_with("sr") || !tree.exists(&folder) {
            return None;
        }
        let path = tree.link_path(&folder).unwrap_or_default();
        if !disk::is_whole_disk(&name, &path) {
            return None;
        }
        let number = |place: usize| words.get(place)?.parse::<u64>().ok();
        let counters = DiskCounters {
            requests: number(3)?.checked_add(number(7)?)?,
            read_sectors: number(5)?,
            written_sectors: number(9)?,
            busy_ms: number(12)?,
        };
        Some((bounded(&name), counters))
    });
    found.take(MOST).collect()
}

/// Interfaces that are hardware, bond, bridge or VLAN. Those that containers come and go with are left out: what passes them
/// passes one of these too.
pub(super) fn nics(tree: &Tree) -> Nics {
    let found = tree.lines("proc/net/dev").filter_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        let name = name.trim();
        if name == "lo" || name.contains(['/', '|']) || !is_followed(tree, name) {
            return None;
        }
        let words: Vec<&str> = numbers.split_whitespace().collect();
        let number = |place: usize| words.get(place)?.parse::<u64>().ok();
        let errors = [2, 3, 10, 11].into_iter().filter_map(number);
        let counters = NicCounters {
            rx_bytes: number(0)?,
            tx_bytes: number(8)?,
            errors: errors.fold(0, u64::saturating_add),
        };
        Some((bounded(name), counters))
    });
    found.take(MOST).collect()
}

fn is_followed(tree: &Tree, name: &str) -> bool {
    let folder = format!("{}/{name}", nic::FOLDER);
    let is_virtual = match tree.link_path(&folder) {
        Some(path) => path.contains("/virtual/"),
        None => tree.exists(&folder) && !tree.exists(&format!("{folder}/device")),
    };
    if !is_virtual {
        return true;
    }
    let is_kind = |line: &str| {
        line.strip_prefix("DEVTYPE=")
            .is_some_and(|kind| ["bond", "bridge", "vlan"].contains(&kind))
    };
    tree.lines(&format!("{folder}/uevent")).any(|line| is_kind(&line))
}

/// What happened each second between two readings; `None` for a counter that went back: it is of another device now.
fn rate(before: u64, now: u64, elapsed: Duration) -> Option<f64> {
    let seconds = elapsed.as_secs_f64();
    let count = now.checked_sub(before)?;
    (seconds > 0.0).then(|| count as f64 / seconds)
}

/// The rates of the disks that both readings know.
pub(super) fn disk_rates(before: &Disks, now: &Disks, elapsed: Duration) -> Vec<DiskTraffic> {
    let known = now.iter().filter_map(|(name, now)| {
        let before = before.get(name)?;
        let bytes = |before, now| Some(rounded(rate(before, now, elapsed)? * SECTOR as f64, 1));
        Some(DiskTraffic {
            name: name.clone(),
            read_bytes_s: bytes(before.read_sectors, now.read_sectors)?,
            write_bytes_s: bytes(before.written_sectors, now.written_sectors)?,
            requests_s: rounded(rate(before.requests, now.requests, elapsed)?, 2),
            busy: rounded((rate(before.busy_ms, now.busy_ms, elapsed)? / 1000.0).min(1.0), 4),
            healthy: None,
        })
    });
    known.collect()
}

/// The rates of the interfaces that both readings know.
pub(super) fn nic_rates(before: &Nics, now: &Nics, elapsed: Duration) -> Vec<NicTraffic> {
    let known = now.iter().filter_map(|(name, now)| {
        let before = before.get(name)?;
        let rate = |before, now| Some(rounded(rate(before, now, elapsed)?, 2));
        Some(NicTraffic {
            name: name.clone(),
            rx_bytes_s: rate(before.rx_bytes, now.rx_bytes)?,
            tx_bytes_s: rate(before.tx_bytes, now.tx_bytes)?,
            errors_s: rate(before.errors, now.errors)?,
        })
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Makes `link` of sysfs point to the folder `target`, as the kernel does.
    fn device(root: &Path, link: &str, target: &str, uevent: &str) {
        fs::create_dir_all(root.join(target)).unwrap();
        fs::write(root.join(target).join("uevent"), uevent).unwrap();
        let link = root.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(Path::new("../../..").join(target), link).unwrap();
    }

    #[test]
    fn whole_disks_are_measured_and_parts_of_them_are_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (name, target) in [
            ("sda", "sys/devices/pci0/ata1/host0/block/sda"),
            ("cciss!c0d0", "sys/devices/pci0/block/cciss!c0d0"),
            ("dm-0", "sys/devices/virtual/block/dm-0"),
            ("sr0", "sys/devices/pci0/ata2/host1/block/sr0"),
        ] {
            // One folder less than a link of an interface has.
            device(root, &format!("sys/block/{name}"), target, "");
            fs::remove_file(root.join("sys/block").join(name)).unwrap();
            symlink(Path::new("../..").join(target), root.join("sys/block").join(name)).unwrap();
        }
        let stats = |reads: u64, busy: u64| {
            format!(
                "   8  0 sda {reads} 0 {0} 5 10 0 600 5 0 {busy} 9\n 8 1 sda1 1 1 1 1 1 1 1 1 1 1 1\n 104 0 cciss/c0d0 1 0 8 0 0 0 0 0 0 0 0 0 0 0 0\n\
                 253 0 dm-0 1 0 8 0 0 0 0 0 0 0 0\n 11 0 sr0 1 0 8 0 0 0 0 0 0 0 0\n 8 16 sdb\nnonsense\n 8 0 ../x 1 0 8 0 0 0 0 0 0 0 0\n",
                reads * 8
            )
        };
        fs::create_dir_all(root.join("proc")).unwrap();
        fs::write(root.join("proc/diskstats"), stats(100, 1000)).unwrap();
        let before = disks(&Tree::new(root));
        assert_eq!(before.keys().collect::<Vec<_>>(), ["cciss!c0d0", "sda"]);
        fs::write(root.join("proc/diskstats"), stats(700, 31_000)).unwrap();
        let rates = disk_rates(&before, &disks(&Tree::new(root)), MINUTE);
        let sda = &rates[1];
        assert_eq!(
            (sda.read_bytes_s, sda.write_bytes_s, sda.requests_s),
            (80.0 * 512.0, 0.0, 10.0)
        );
        assert_eq!((sda.busy, sda.healthy), (0.5, None));
    }

    #[test]
    fn interfaces_that_containers_come_and_go_with_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (name, target, uevent) in [
            ("eth0", "sys/devices/pci0/net/eth0", ""),
            (
                "bond0",
                "sys/devices/virtual/net/bond0",
                "DEVTYPE=bond\nINTERFACE=bond0\n",
            ),
            ("veth1", "sys/devices/virtual/net/veth1", "INTERFACE=veth1\n"),
        ] {
            device(root, &format!("sys/class/net/{name}"), target, uevent);
        }
        fs::create_dir_all(root.join("proc/net")).unwrap();
        let line = |name: &str| format!("{name}: 1 1 1 1 0 0 0 0 1 1 1 1 0 0 0 0\n");
        let text: String = ["lo", "eth0", "bond0", "veth1", "../x"].into_iter().map(line).collect();
        fs::write(root.join("proc/net/dev"), text).unwrap();
        let found = nics(&Tree::new(root));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["bond0", "eth0"]);
        assert_eq!(found["eth0"].errors, 4);
    }

    #[test]
    fn a_counter_that_goes_back_and_no_time_give_no_rate() {
        assert_eq!(rate(5, 4, MINUTE), None);
        assert_eq!(rate(4, 5, Duration::ZERO), None);
        assert_eq!(rate(0, 120, MINUTE), Some(2.0));
    }
}
