//! Which disks a host is installed on: chosen from its inventory by rule, and named so that the name means the same disk
//! at the next boot.

use muster_facts::{Disk, DiskBus, DiskKind};
use serde::{Deserialize, Serialize};

use crate::desired::Fault;

/// Which disk is wanted, as the value `disk` says it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct DiskWish {
    /// Choose by this rule.
    pub rule: Option<DiskRule>,
    /// The disk of this serial.
    pub serial: Option<String>,
    /// The disk of this world-wide name.
    pub wwn: Option<String>,
    /// This device, whatever the inventory says.
    pub path: Option<String>,
}

/// How a disk is chosen among several. Disks of one size are taken in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskRule {
    /// The smallest solid-state disk.
    SmallestSsd,
    /// The smallest.
    Smallest,
    /// The largest.
    Largest,
    /// The first by the name the collection image gave it.
    First,
}

/// A disk to install on, as templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstallDisk {
    /// A name that means this disk at every boot: below `/dev/disk/by-id` as udev's `60-persistent-storage.rules` makes
    /// it.
    pub path: String,
    /// Its serial.
    pub serial: Option<String>,
    /// Its world-wide name.
    pub wwn: Option<String>,
    /// Its size, bytes.
    pub size_bytes: Option<u64>,
    /// Its kind.
    pub kind: Option<DiskKind>,
}

impl InstallDisk {
    /// What facts recognise it by.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.serial.as_deref().or(self.wwn.as_deref())
    }
}

/// Chooses `count` disks. A disk of `keep` (serials or world-wide names) is never chosen, nor one that can be pulled out.
///
/// Without a wish the only disk there is is taken; where there are several, a person has to say which: what is on the
/// others may be all that somebody has.
///
/// # Errors
/// [`Fault`] on `disk` when none fits, several fit a wish for one, or the one that fits has no lasting name.
pub fn choose_disks(wish: &DiskWish, keep: &[String], count: usize, disks: &[Disk]) -> Result<Vec<InstallDisk>, Fault> {
    let kept = |disk: &Disk| keep.iter().any(|kept| is_called(disk, kept));
    let fit: Vec<&Disk> = disks.iter().filter(|disk| is_fixed(disk) && !kept(disk)).collect();
    if let Some(path) = &wish.path {
        return by_path(path, count, disks, keep);
    }
    let fault = |field: &str, value: &str, why: String, advice: &str| Err(Fault::new(field, value, why, advice));
    for (field, wanted) in [("disk.serial", &wish.serial), ("disk.wwn", &wish.wwn)] {
        let Some(wanted) = wanted else { continue };
        let of = |disk: &Disk| {
            if field == "disk.wwn" {
                disk.wwn.clone()
            } else {
                disk.serial.clone()
            }
        };
        let named = |disk: &&&Disk| of(disk).is_some_and(|word| same_name(&word, wanted));
        let Some(disk) = fit.iter().find(named) else {
            let why = if disks.iter().any(|disk| named(&&disk)) {
                "this disk is to be kept, or can be pulled out".to_owned()
            } else {
                format!("the host has no such disk; it has {}", told(&fit))
            };
            return fault(field, wanted, why, "name another disk, or let the host report again");
        };
        if count > 1 {
            let why = format!("{count} disks are needed and one is named");
            return fault(field, wanted, why, "use disk.rule instead");
        }
        return Ok(vec![named_stably(disk, disks)?]);
    }
    let mut fit_order = fit.clone();
    match wish.rule {
        Some(DiskRule::SmallestSsd) => {
            fit_order.retain(|disk| disk.kind == Some(DiskKind::Ssd) || disk.bus == Some(DiskBus::Nvme));
            fit_order.sort_by_key(|disk| disk.size_bytes);
        }
        Some(DiskRule::Smallest) => fit_order.sort_by_key(|disk| disk.size_bytes),
        Some(DiskRule::Largest) => fit_order.sort_by_key(|disk| std::cmp::Reverse(disk.size_bytes)),
        Some(DiskRule::First) => {}
        None if fit.len() > count => {
            let why = format!("the host has {} disks and nobody says which: {}", fit.len(), told(&fit));
            return Err(Fault::unshown(
                "disk",
                why,
                "write disk.serial, disk.wwn or disk.rule (smallest_ssd, smallest, largest, first)",
            ));
        }
        None => {}
    }
    if fit_order.len() < count {
        let why = format!(
            "{count} needed, and {} of the host's disks fit; it has {}",
            fit_order.len(),
            told(&fit)
        );
        return Err(Fault::unshown(
            "disk",
            why,
            "write another rule, keep fewer disks, or let the host report its disks",
        ));
    }
    fit_order
        .into_iter()
        .take(count)
        .map(|disk| named_stably(disk, disks))
        .collect()
}

/// A device a person named. Where disks are to be kept it has to be one of the inventory, by one of its lasting names: what
/// another name means at the next boot nobody knows.
fn by_path(path: &str, count: usize, disks: &[Disk], keep: &[String]) -> Result<Vec<InstallDisk>, Fault> {
    let fault = |why: String, advice: &str| Err(Fault::new("disk.path", path, why, advice));
    if count > 1 {
        return fault(
            format!("{count} disks are needed and one is named"),
            "use disk.rule instead",
        );
    }
    let by_kernel = disks.iter().find(|disk| path == format!("/dev/{}", disk.name));
    let known = by_kernel.or_else(|| disks.iter().find(|disk| links(disk).iter().any(|link| link == path)));
    let Some(disk) = known else {
        if keep.is_empty() {
            return Ok(vec![InstallDisk {
                path: path.to_owned(),
                serial: None,
                wwn: None,
                size_bytes: None,
                kind: None,
            }]);
        }
        return fault(
            "disks are to be kept, and whether this is one of them cannot be told: the host has not reported it by this name"
                .to_owned(),
            "write disk.serial, or a link below /dev/disk/by-id, or let the host report",
        );
    };
    if keep.iter().any(|kept| is_called(disk, kept)) {
        return fault(
            "this disk is to be kept".to_owned(),
            "name another, or take it out of keep_disks",
        );
    }
    if by_kernel.is_none() {
        return Ok(vec![InstallDisk {
            path: path.to_owned(),
            ..named_stably(disk, disks)?
        }]);
    }
    Ok(vec![named_stably(disk, disks)?])
}

/// Whether this is the disk's serial or world-wide name, as facts, `lsblk` or udev write it.
fn is_called(disk: &Disk, name: &str) -> bool {
    [&disk.serial, &disk.wwn]
        .into_iter()
        .flatten()
        .any(|word| same_name(word, name))
}

/// `naa.5000c5…`, `0x5000c5…` and `wwn-0x5000c5…` are one name.
fn same_name(one: &str, other: &str) -> bool {
    fn bare(name: &str) -> &str {
        let name = name.strip_prefix("wwn-").or(name.strip_prefix("nvme-")).unwrap_or(name);
        ["0x", "naa.", "eui."]
            .into_iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .unwrap_or(name)
    }
    let (one, other) = (one.trim().to_ascii_lowercase(), other.trim().to_ascii_lowercase());
    bare(&one) == bare(&other)
}

fn named_stably(disk: &Disk, all: &[Disk]) -> Result<InstallDisk, Fault> {
    let others = all.iter().filter(|other| other.kind != Some(DiskKind::Optical)).count();
    let path = match links(disk).into_iter().next() {
        Some(path) => path,
        // The kernel's name is as good as any where there is nothing to mix it up with.
        None if others == 1 => format!("/dev/{}", disk.name),
        None => {
            return Err(Fault::new(
                "disk",
                &disk.name,
                "this disk has neither serial nor world-wide name, so its name may mean another one at the next boot",
                "write disk.path",
            ));
        }
    };
    Ok(InstallDisk {
        path,
        serial: disk.serial.clone(),
        wwn: disk.wwn.clone(),
        size_bytes: Some(disk.size_bytes),
        kind: disk.kind,
    })
}

/// The links that udev makes for a disk (systemd's `60-persistent-storage.rules`), as far as they can be known from its
/// facts; the one that is sure to be there first.
fn links(disk: &Disk) -> Vec<String> {
    let model = disk.model.as_deref().map(udev_word);
    let serial = disk.serial.as_deref().map(udev_word);
    let of_model = |bus: &str| Some(format!("{bus}-{}_{}", model.as_deref()?, serial.as_deref()?));
    let mut names = Vec::new();
    match (disk.bus, disk.wwn.as_deref()) {
        (Some(DiskBus::Nvme), Some(wwn)) => names.push(format!("nvme-{wwn}")),
        (_, Some(wwn)) if wwn.starts_with("naa.") => names.push(format!("wwn-0x{}", &wwn["naa.".len()..])),
        _ => {}
    }
    match disk.bus {
        Some(DiskBus::Nvme) => names.extend(of_model("nvme")),
        Some(DiskBus::Sata) => names.extend(of_model("ata")),
        Some(DiskBus::Virtio) if disk.name.starts_with("vd") => {
            names.extend(serial.as_deref().map(|serial| format!("virtio-{serial}")));
        }
        _ => {}
    }
    names
        .into_iter()
        .map(|name| format!("/dev/disk/by-id/{name}"))
        .collect()
}

/// A word as udev writes it into a link: runs of blank space are one `_`, and so is what no name may hold.
fn udev_word(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join("_")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn is_fixed(disk: &Disk) -> bool {
    disk.size_bytes > 0
        && !matches!(disk.kind, Some(DiskKind::Optical | DiskKind::Removable))
        && disk.bus != Some(DiskBus::Usb)
}

/// The disks in words, for a person who has to choose.
fn told(disks: &[&Disk]) -> String {
    if disks.is_empty() {
        return "no disk that can be installed on".to_owned();
    }
    let mut words: Vec<String> = disks
        .iter()
        .take(8)
        .map(|disk| {
            let gib = disk.size_bytes / (1 << 30);
            let id = disk.serial.as_deref().or(disk.wwn.as_deref()).unwrap_or("no serial");
            format!("{} ({gib} GiB, {id})", disk.name)
        })
        .collect();
    if disks.len() > words.len() {
        words.push(format!("{} more", disks.len() - words.len()));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, gib: u64, kind: DiskKind, bus: DiskBus) -> Disk {
        Disk {
            name: name.to_owned(),
            size_bytes: gib << 30,
            model: Some("Fast  Disk 1".to_owned()),
            serial: Some(format!("S-{name}")),
            kind: Some(kind),
            bus: Some(bus),
            ..Disk::default()
        }
    }

    fn machine() -> Vec<Disk> {
        let mut disks = vec![
            disk("sda", 4000, DiskKind::Hdd, DiskBus::Sata),
            disk("nvme0n1", 1000, DiskKind::Ssd, DiskBus::Nvme),
            disk("sdb", 480, DiskKind::Ssd, DiskBus::Sata),
            disk("vda", 480, DiskKind::Ssd, DiskBus::Virtio),
            disk("sdc", 8, DiskKind::Removable, DiskBus::Usb),
            disk("sr0", 1, DiskKind::Optical, DiskBus::Sata),
        ];
        disks[1].wwn = Some("eui.0025385b71b00001".to_owned());
        disks[2].wwn = Some("naa.5000c500a1b2c3d4".to_owned());
        disks
    }

    fn rule(rule: DiskRule) -> DiskWish {
        DiskWish {
            rule: Some(rule),
            ..DiskWish::default()
        }
    }

    fn paths(wish: &DiskWish, keep: &[&str], count: usize) -> Result<Vec<String>, String> {
        let keep: Vec<String> = keep.iter().map(|word| (*word).to_owned()).collect();
        choose_disks(wish, &keep, count, &machine())
            .map(|disks| disks.into_iter().map(|disk| disk.path).collect())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn rules_choose_and_names_last() {
        let ssd = rule(DiskRule::SmallestSsd);
        assert_eq!(paths(&ssd, &[], 1).unwrap(), ["/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"]);
        assert_eq!(
            paths(&ssd, &["NAA.5000c500a1b2c3d4"], 1).unwrap(),
            ["/dev/disk/by-id/virtio-S-vda"]
        );
        assert_eq!(
            paths(&ssd, &["s-sdb"], 2).unwrap(),
            [
                "/dev/disk/by-id/virtio-S-vda",
                "/dev/disk/by-id/nvme-eui.0025385b71b00001"
            ]
        );
        assert_eq!(
            paths(&rule(DiskRule::Largest), &[], 1).unwrap(),
            ["/dev/disk/by-id/ata-Fast_Disk_1_S-sda"]
        );
    }

    #[test]
    fn nobody_guesses_among_several() {
        let fault = paths(&DiskWish::default(), &[], 1).unwrap_err();
        assert!(
            fault.contains("4 disks") && fault.contains("S-sda") && fault.contains("disk.rule"),
            "{fault}"
        );
        let only = [disk("sda", 10, DiskKind::Hdd, DiskBus::Scsi)];
        assert_eq!(
            choose_disks(&DiskWish::default(), &[], 1, &only).unwrap()[0].path,
            "/dev/sda"
        );
    }

    #[test]
    fn a_kept_disk_is_known_by_all_its_names() {
        let by_path = |path: &str, keep: &str| {
            let wish = DiskWish {
                path: Some(path.into()),
                ..DiskWish::default()
            };
            paths(&wish, &[keep], 1)
        };
        for keep in [
            "S-sdb",
            "naa.5000C500A1B2C3D4",
            "0x5000c500a1b2c3d4",
            "wwn-0x5000c500a1b2c3d4",
        ] {
            for path in [
                "/dev/sdb",
                "/dev/disk/by-id/ata-Fast_Disk_1_S-sdb",
                "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4",
            ] {
                assert!(by_path(path, keep).unwrap_err().contains("to be kept"), "{path} {keep}");
            }
            assert_ne!(
                paths(&rule(DiskRule::SmallestSsd), &[keep], 1).unwrap(),
                ["/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"]
            );
        }
        assert!(
            by_path("/dev/disk/by-path/pci-0000:00:1f.2-ata-2", "S-sdb")
                .unwrap_err()
                .contains("cannot be told")
        );
        // The kernel's name is not what is written down.
        assert_eq!(
            by_path("/dev/sda", "S-sdb").unwrap(),
            ["/dev/disk/by-id/ata-Fast_Disk_1_S-sda"]
        );
    }

    #[test]
    fn a_kernel_s_name_is_taken_only_where_nothing_else_is_there() {
        let mut nameless = disk("sdb", 10, DiskKind::Hdd, DiskBus::Scsi);
        nameless.serial = None;
        let kept = disk("sda", 10, DiskKind::Hdd, DiskBus::Sata);
        let fault = choose_disks(&DiskWish::default(), &["S-sda".into()], 1, &[kept, nameless.clone()]).unwrap_err();
        assert!(fault.to_string().contains("next boot"), "{fault}");
        assert_eq!(
            choose_disks(&DiskWish::default(), &[], 1, &[nameless]).unwrap()[0].path,
            "/dev/sdb"
        );
    }

    #[test]
    fn a_disk_to_be_kept_is_never_chosen() {
        let serial = DiskWish {
            serial: Some("S-sda".into()),
            ..DiskWish::default()
        };
        assert_eq!(
            paths(&serial, &[], 1).unwrap(),
            ["/dev/disk/by-id/ata-Fast_Disk_1_S-sda"]
        );
        assert!(paths(&serial, &["S-sda"], 1).unwrap_err().contains("to be kept"));
        for path in ["/dev/sda", "/dev/disk/by-id/ata-Fast_Disk_1_S-sda"] {
            let wish = DiskWish {
                path: Some(path.into()),
                ..DiskWish::default()
            };
            assert!(
                paths(&wish, &["S-sda"], 1).unwrap_err().contains("to be kept"),
                "{path}"
            );
        }
        assert!(paths(&rule(DiskRule::SmallestSsd), &["S-sdb", "S-vda", "S-nvme0n1"], 1).is_err());
    }
}
