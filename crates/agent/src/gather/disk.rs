//! Whole disks from `/sys/block`.

use std::collections::BTreeSet;

use muster_facts::{Disk, DiskBus, DiskKind};

use super::pci;
use super::tree::Tree;

pub(crate) const FOLDER: &str = "sys/block";
/// Sizes in sysfs are in these units whatever the disk's own block size is.
const SECTOR: u64 = 512;
/// What the driver of optical drives states as long as it has seen no medium.
const NO_MEDIUM_SECTORS: u64 = 0x1f_ffff;

/// The names of all block devices, in their order.
pub(super) fn names(tree: &Tree) -> Vec<String> {
    tree.names("disks", FOLDER).unwrap_or_else(|| {
        if !tree.exists(FOLDER) {
            tree.note_missing("disks", FOLDER);
        }
        Vec::new()
    })
}

/// Each disk once. The same name and size a second time is another path to the same disk. `NVMe` hides its paths
/// itself, and cheap drives of that kind are known to share one name.
pub(super) fn once_each(mut disks: Vec<Disk>) -> Vec<Disk> {
    let mut paths = BTreeSet::new();
    disks.retain(|disk| match &disk.wwn {
        Some(wwn) if disk.bus != Some(DiskBus::Nvme) => paths.insert((wwn.clone(), disk.size_bytes)),
        _ => true,
    });
    disks
}

/// One block device; `None` when it is no whole disk or has no medium.
pub(super) fn gather(tree: &Tree, name: String) -> Option<Disk> {
    let folder = format!("{FOLDER}/{name}");
    // The path tells bus and address; a tree that was copied without links has none.
    let path = tree
        .link_path(&folder)
        .or_else(|| tree.link_path(&format!("{folder}/device")))
        .unwrap_or_default();
    if !is_whole_disk(&name, &path) || tree.value("disks", &format!("{folder}/hidden")).as_deref() == Some("1") {
        return None;
    }
    let what = format!("disks.{name}");
    let value = |attribute: &str| tree.value(&what, &format!("{folder}/{attribute}"));
    let bus = bus(tree, &name, &path);
    let is_optical =
        name.starts_with("sr") || (bus != Some(DiskBus::Virtio) && value("device/type").as_deref() == Some("5"));
    let sectors: u64 = tree.number(&what, &format!("{folder}/size"))?;
    let sectors = if is_optical && sectors == NO_MEDIUM_SECTORS {
        0
    } else {
        sectors
    };
    if sectors == 0 && !is_optical {
        return None;
    }
    let is_scsi = matches!(
        bus,
        Some(DiskBus::Scsi | DiskBus::Sata | DiskBus::Usb | DiskBus::Paravirtual)
    ) || value("device/scsi_level").is_some();
    let kind = if is_optical {
        Some(DiskKind::Optical)
    } else if value("removable").as_deref() == Some("1") {
        Some(DiskKind::Removable)
    } else {
        match value("queue/rotational").as_deref() {
            Some("1") => Some(DiskKind::Hdd),
            Some("0") => Some(DiskKind::Ssd),
            _ => None,
        }
    };
    Some(Disk {
        size_bytes: sectors.checked_mul(SECTOR)?,
        vendor: if is_scsi {
            value("device/vendor").filter(|vendor| vendor != "ATA")
        } else {
            None
        },
        model: value("device/model").or_else(|| {
            if bus == Some(DiskBus::Mmc) {
                value("device/name")
            } else {
                None
            }
        }),
        serial: serial(tree, &what, &folder, &path, bus),
        wwn: ["wwid", "device/wwid"]
            .into_iter()
            .find_map(value)
            .and_then(|wwid| world_wide_name(&wwid)),
        firmware: ["device/firmware_rev", "device/rev", "device/fwrev"]
            .into_iter()
            .find_map(value),
        kind,
        bus,
        pci_address: pci_address(tree, &path),
        name,
    })
}

/// Leaves out what the kernel made up (loop, RAM, device-mapper, md, network block devices), floppy
/// drives, and the parts of an eMMC that show up beside it. `NVMe` disks with several paths are below
/// `/devices/virtual` all the same.
pub(crate) fn is_whole_disk(name: &str, path: &str) -> bool {
    const MADE_UP: [&str; 12] = [
        "loop", "ram", "zram", "dm-", "md", "nbd", "zd", "drbd", "bcache", "rbd", "fd", "ublkb",
    ];
    let is_numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_'))
    };
    let emmc_part =
        name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb") || name.contains("gp"));
    !MADE_UP.into_iter().any(is_numbered) && !emmc_part && !path.contains("/virtual/block/")
}

fn bus(tree: &Tree, name: &str, path: &str) -> Option<DiskBus> {
    let has = |prefix: &str| {
        path.split('/').any(|part| {
            part.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    if name.starts_with("nvme") {
        return Some(DiskBus::Nvme);
    }
    if name.starts_with("mmcblk") {
        return Some(DiskBus::Mmc);
    }
    if has("virtio") || (path.is_empty() && name.starts_with("vd")) {
        return Some(DiskBus::Virtio);
    }
    if has("usb") {
        return Some(DiskBus::Usb);
    }
    if has("ata") {
        return Some(DiskBus::Sata);
    }
    let is_paravirtual = path
        .split('/')
        .any(|part| part.starts_with("vbd-") || part.starts_with("VMBUS:"))
        || name.starts_with("xvd")
        || host_driver(tree, path).as_deref() == Some("vmw_pvscsi");
    if is_paravirtual {
        return Some(DiskBus::Paravirtual);
    }
    (has("host") || name.starts_with("sd") || name.starts_with("sr")).then_some(DiskBus::Scsi)
}

fn host_driver(tree: &Tree, path: &str) -> Option<String> {
    let address = pci::address_in(path)?;
    tree.link_name(&format!("sys/bus/pci/devices/{address}/driver"))
}

/// The PCI function on the path; a disk with several paths names one by its controllers.
fn pci_address(tree: &Tree, path: &str) -> Option<String> {
    if let Some(address) = pci::address_in(path) {
        return Some(address.to_owned());
    }
    let (subsystem, _) = path.rsplit_once('/').filter(|_| path.contains("/nvme-subsystem/"))?;
    tree.names("disks", subsystem)?
        .into_iter()
        .filter(|name| {
            name.strip_prefix("nvme")
                .is_some_and(|number| number.parse::<u32>().is_ok())
        })
        .find_map(|name| pci::address_in(&tree.link_path(&format!("{subsystem}/{name}"))?).map(str::to_owned))
}

/// The serial number: a page of the disk's own (SCSI vital product data 80h), an attribute, or that
/// of the USB device it is in.
fn serial(tree: &Tree, what: &str, folder: &str, path: &str, bus: Option<DiskBus>) -> Option<String> {
    if let Some(page) = tree.bytes(what, &format!("{folder}/device/vpd_pg80"))
        && let Some(serial) = unit_serial(&page)
    {
        return Some(serial);
    }
    ["device/serial", "serial"]
        .into_iter()
        .find_map(|name| tree.value(what, &format!("{folder}/{name}")))
        .or_else(|| {
            if bus == Some(DiskBus::Usb) {
                usb_serial(tree, what, path)
            } else {
                None
            }
        })
}

/// SPC-5 7.7.17: page code in byte 1, length in bytes 2 and 3, then the text.
fn unit_serial(page: &[u8]) -> Option<String> {
    let [_, 0x80, high, low, text @ ..] = page else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let text = text.get(..length).unwrap_or(text);
    muster_facts::trim_text(&String::from_utf8_lossy(text))
}

/// The nearest folder above that is a USB device (it has a vendor id).
fn usb_serial(tree: &Tree, what: &str, path: &str) -> Option<String> {
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        if tree.exists(&format!("{above}/idVendor")) {
            return tree.value(what, &format!("{above}/serial"));
        }
        folder = above;
    }
    None
}

/// Names that are unique in the world. `t10.` is none: it is vendor, model and serial in one text,
/// the same for all machines of some hypervisors.
fn world_wide_name(wwid: &str) -> Option<String> {
    let lower = wwid.to_lowercase();
    if ["naa.", "eui.", "nvme.", "uuid."]
        .iter()
        .any(|prefix| lower.starts_with(prefix))
    {
        return Some(lower);
    }
    let digits = lower.strip_prefix("0x").unwrap_or(&lower);
    let is_naa = matches!(digits.len(), 16 | 32) && digits.chars().all(|c| c.is_ascii_hexdigit());
    is_naa.then(|| format!("naa.{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_the_kernel_made_up() {
        for name in [
            "loop0",
            "ram1",
            "zram0",
            "dm-3",
            "md127",
            "md_d0",
            "nbd0",
            "fd0",
            "mmcblk0boot0",
            "zd16",
        ] {
            assert!(!is_whole_disk(name, ""), "{name}");
        }
        for name in ["sda", "nvme0n1", "vda", "mmcblk0", "xvda", "sr0", "dasda", "pmem0"] {
            assert!(is_whole_disk(name, ""), "{name}");
        }
        assert!(!is_whole_disk("weird", "sys/devices/virtual/block/weird"));
        assert!(is_whole_disk(
            "nvme0n1",
            "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
        ));
    }

    #[test]
    fn unit_serial_stays_within_its_page() {
        assert_eq!(unit_serial(b"\0\x80\0\x04 AB1zzz").as_deref(), Some("AB1"));
        assert_eq!(unit_serial(b"\0\x80\xff\xffAB").as_deref(), Some("AB"));
        assert_eq!(unit_serial(b"\0\x83\0\x02AB"), None);
        assert_eq!(unit_serial(b"\0"), None);
    }

    #[test]
    fn world_wide_names_have_one_form() {
        assert_eq!(
            world_wide_name("0x5000C500A1B2C3D4").as_deref(),
            Some("naa.5000c500a1b2c3d4")
        );
        assert_eq!(
            world_wide_name("naa.5000c500a1b2c3d4").as_deref(),
            Some("naa.5000c500a1b2c3d4")
        );
        assert_eq!(world_wide_name("t10.ATA     QEMU HARDDISK   QM00001"), None);
    }
}
