//! PCI functions from `/sys/bus/pci/devices`, by numeric id.

use muster_facts::PciDevice;

use super::tree::Tree;

const FOLDER: &str = "sys/bus/pci/devices";

/// Display controllers and all other functions, both in the order of their addresses.
pub(super) fn gather(tree: &Tree) -> (Vec<PciDevice>, Vec<PciDevice>) {
    let Some(mut addresses) = tree.names("pci", FOLDER) else {
        if !tree.exists(FOLDER) {
            tree.note_missing("pci", FOLDER);
        }
        return (Vec::new(), Vec::new());
    };
    // Addresses are hexadecimal: their digits sort as text.
    addresses.sort_unstable();
    addresses
        .into_iter()
        .filter_map(|address| device(tree, address))
        .partition(|device: &PciDevice| device.class.starts_with("03"))
}

fn device(tree: &Tree, address: String) -> Option<PciDevice> {
    let folder = format!("{FOLDER}/{address}");
    let what = format!("pci.{address}");
    let id = |name: &str, digits: usize| hex(&tree.value(&what, &format!("{folder}/{name}"))?, digits);
    let subsystem = id("subsystem_vendor", 4).zip(id("subsystem_device", 4));
    Some(PciDevice {
        class: id("class", 6)?,
        vendor_id: id("vendor", 4)?,
        device_id: id("device", 4)?,
        subsystem: subsystem
            .filter(|(vendor, _)| vendor != "0000" && vendor != "ffff")
            .map(|(vendor, device)| format!("{vendor}:{device}")),
        driver: tree.link_name(&format!("{folder}/driver")),
        address,
    })
}

/// `vendor:device` of the function at an address.
pub(super) fn id_of(tree: &Tree, address: &str) -> Option<String> {
    let folder = format!("{FOLDER}/{address}");
    let vendor = hex(&tree.value("nics", &format!("{folder}/vendor"))?, 4)?;
    let device = hex(&tree.value("nics", &format!("{folder}/device"))?, 4)?;
    Some(format!("{vendor}:{device}"))
}

/// The address of the function nearest to the end of a device path, e.g. `0000:3b:00.0`.
pub(super) fn address_in(path: &str) -> Option<&str> {
    path.split('/').rev().find(|part| is_address(part))
}

/// Domain (four digits or more), bus, device and function, in hexadecimal.
fn is_address(part: &str) -> bool {
    let hex = |text: &str, range: std::ops::RangeInclusive<usize>| {
        range.contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
    };
    let mut fields = part.split(':');
    let (Some(domain), Some(bus), Some(slot), None) = (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let Some((device, function)) = slot.split_once('.') else {
        return false;
    };
    hex(domain, 4..=8) && hex(bus, 2..=2) && hex(device, 2..=2) && hex(function, 1..=1)
}

/// `0x8086` as `8086`; `None` for anything else than that many digits.
fn hex(value: &str, digits: usize) -> Option<String> {
    let number = u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
    let text = format!("{number:0digits$x}");
    (text.len() == digits).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_function() {
        let path = "sys/devices/pci0000:00/0000:00:01.1/0000:02:00.0/virtio6/host0/target0:0:0/0:0:0:1/block/sda";
        assert_eq!(address_in(path), Some("0000:02:00.0"));
        assert_eq!(
            address_in("sys/devices/pci10000:00/10000:01:00.0/nvme"),
            Some("10000:01:00.0")
        );
        assert_eq!(address_in("sys/devices/virtual/block/dm-0"), None);
    }

    #[test]
    fn ids_have_all_their_digits() {
        assert_eq!(hex("0x030000", 6).as_deref(), Some("030000"));
        assert_eq!(hex("0x86", 4).as_deref(), Some("0086"));
        assert_eq!(hex("8086", 4), None);
        assert_eq!(hex("0x12345", 4), None);
    }
}
