//! Names of PCI devices, which machines report as numbers.

use muster_facts::{Facts, PciDevice};
use pci_ids::{Device, FromId, Subclass, Vendor};
use serde::Serialize;

/// A PCI function with its names.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    address: String,
    /// `Intel Corporation I350 Gigabit Network Connection`, else the numbers.
    name: String,
    class: Option<&'static str>,
    driver: Option<String>,
    id: String,
}

/// All PCI functions of a host: graphics first, then by address.
pub(super) fn cards(facts: &Facts) -> Vec<Card> {
    facts.gpus.iter().chain(&facts.pci).map(card).collect()
}

fn card(device: &PciDevice) -> Card {
    let id = format!("{}:{}", device.vendor_id, device.device_id);
    Card {
        address: device.address.clone(),
        name: pci_name(&id).unwrap_or_else(|| id.clone()),
        class: class_name(&device.class),
        driver: device.driver.clone(),
        id,
    }
}

/// Maker and device of `8086:1521`; the maker alone when the device is not in the list.
pub(super) fn pci_name(id: &str) -> Option<String> {
    let (vendor, device) = id.split_once(':')?;
    let vendor = u16::from_str_radix(vendor, 16).ok()?;
    let device = u16::from_str_radix(device, 16).ok()?;
    if let Some(known) = Device::from_vid_pid(vendor, device) {
        return Some(format!("{} {}", known.vendor().name(), known.name()));
    }
    Vendor::from_id(vendor).map(|vendor| format!("{} {id}", vendor.name()))
}

fn class_name(class: &str) -> Option<&'static str> {
    let class_id = u8::from_str_radix(class.get(..2)?, 16).ok()?;
    let subclass = u8::from_str_radix(class.get(2..4)?, 16).ok()?;
    Subclass::from_cid_sid(class_id, subclass).map(Subclass::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names() {
        assert_eq!(
            pci_name("8086:1521").as_deref(),
            Some("Intel Corporation I350 Gigabit Network Connection")
        );
        assert_eq!(pci_name("zz:1"), None);
        assert_eq!(class_name("020000"), Some("Ethernet controller"));
        assert_eq!(class_name("0"), None);
    }
}
