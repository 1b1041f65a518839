use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_facts::{CpuPackage, Dimm, Disk, Facts, LldpNeighbour, Nic, PciDevice};

use crate::inventory::{Component, ComponentKind, HostId, Interface, Summary};

/// What lists show and search, out of the facts.
#[must_use]
pub fn summary(facts: &Facts) -> Summary {
    let count = |length: usize| (length > 0).then(|| u32::try_from(length).unwrap_or(u32::MAX));
    let disk_bytes = facts
        .disks
        .iter()
        .fold(0_u64, |sum, disk| sum.saturating_add(disk.size_bytes));
    Summary {
        vendor: facts.system.vendor.clone(),
        product: facts.system.product.clone(),
        serial: facts.system.serial.clone(),
        uuid: facts.system.uuid.as_deref().map(str::to_lowercase),
        architecture: facts.cpu.architecture.clone(),
        boot_mode: facts.bios.as_ref().and_then(|bios| bios.mode),
        cpu_model: facts.cpu.model.clone(),
        cores: (facts.cpu.cores > 0).then_some(facts.cpu.cores),
        memory_bytes: (facts.memory.total_bytes > 0).then_some(facts.memory.total_bytes),
        disk_bytes: (disk_bytes > 0).then_some(disk_bytes),
        disks: count(facts.disks.len()),
        nics: count(facts.nics.len()),
        os: facts.os.as_ref().and_then(|os| os.id.as_deref()).map(str::to_lowercase),
        os_version: facts.os.as_ref().and_then(|os| os.version.clone()),
    }
}

/// The interfaces of a host after a report: those reported are present, those only known before are kept as absent.
///
/// Interfaces without a usable MAC cannot be told apart and are left out; two ports with one MAC are one interface.
#[must_use]
pub fn interfaces(host: HostId, before: &[Interface], facts: &Facts, at: DateTime<Utc>) -> Vec<Interface> {
    let mut after: BTreeMap<_, _> = before
        .iter()
        .map(|interface| {
            let gone = Interface {
                host,
                present: false,
                ..interface.clone()
            };
            (interface.mac, gone)
        })
        .collect();
    for nic in &facts.nics {
        if let Some(mac) = nic.mac.filter(|mac| !mac.is_unusable()) {
            after.insert(mac, interface(host, mac, nic, at));
        }
    }
    after.into_values().collect()
}

fn interface(host: HostId, mac: muster_facts::MacAddr, nic: &Nic, at: DateTime<Utc>) -> Interface {
    Interface {
        host,
        mac,
        name: (!nic.name.is_empty()).then(|| nic.name.clone()),
        driver: nic.driver.clone(),
        speed_mbps: nic.speed_mbps,
        neighbour: nic.lldp.as_ref().and_then(neighbour),
        present: true,
        last_seen_at: at,
    }
}

fn neighbour(lldp: &LldpNeighbour) -> Option<String> {
    let switch = lldp.switch.as_deref().or(lldp.chassis_id.as_deref());
    let port = lldp.port.as_deref().or(lldp.port_description.as_deref());
    let shown: Vec<&str> = switch.into_iter().chain(port).collect();
    (!shown.is_empty()).then(|| shown.join(" "))
}

/// The components of a host after a report: those reported are present, those only known before are kept as absent.
#[must_use]
pub fn components(host: HostId, before: &[Component], facts: &Facts) -> Vec<Component> {
    let mut reported: Vec<Component> = Vec::new();
    reported.extend(facts.cpu.packages.iter().map(|package| cpu(host, package)));
    reported.extend(facts.memory.dimms.iter().map(|module| dimm(host, module)));
    reported.extend(facts.disks.iter().map(|drive| disk(host, drive)));
    reported.extend(facts.gpus.iter().map(|card| gpu(host, card)));
    number_twins(&mut reported);
    let present: BTreeSet<(&str, &str)> = reported
        .iter()
        .map(|component| (component.kind.as_str(), component.key.as_str()))
        .collect();
    let gone: Vec<Component> = before
        .iter()
        .filter(|component| !present.contains(&(component.kind.as_str(), component.key.as_str())))
        .map(|component| Component {
            host,
            present: false,
            ..component.clone()
        })
        .collect();
    reported.extend(gone);
    reported.sort_by(|a, b| (a.kind.as_str(), &a.key).cmp(&(b.kind.as_str(), &b.key)));
    reported
}

/// Two members of one kind with one key (firmware gives all modules the serial `00000000`) get `#2`, `#3`.
fn number_twins(components: &mut [Component]) {
    let mut seen: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    for component in components {
        let times = seen
            .entry((component.kind.as_str(), component.key.clone()))
            .or_default();
        *times += 1;
        if *times > 1 {
            component.key = format!("{}#{times}", component.key);
        }
    }
}

fn first<'a>(choices: impl IntoIterator<Item = Option<&'a str>>) -> String {
    choices
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|text| !text.is_empty())
        .unwrap_or("?")
        .to_owned()
}

fn cpu(host: HostId, package: &CpuPackage) -> Component {
    Component {
        host,
        kind: ComponentKind::Cpu,
        // Serials of processors are filled in by hardly any firmware, and alike where they are.
        key: first([Some(package.socket.as_str())]),
        slot: Some(package.socket.clone()).filter(|slot| !slot.is_empty()),
        vendor: package.vendor.clone(),
        model: package.version.clone().or_else(|| package.part.clone()),
        serial: package.serial.clone(),
        size_bytes: None,
        present: true,
    }
}

fn dimm(host: HostId, module: &Dimm) -> Component {
    Component {
        host,
        kind: ComponentKind::Dimm,
        key: first([module.serial.as_deref(), Some(&module.slot), module.bank.as_deref()]),
        slot: Some(module.slot.clone()).filter(|slot| !slot.is_empty()),
        vendor: module.vendor.clone(),
        model: module.part.clone(),
        serial: module.serial.clone(),
        size_bytes: Some(module.size_bytes),
        present: true,
    }
}

fn disk(host: HostId, drive: &Disk) -> Component {
    Component {
        host,
        kind: ComponentKind::Disk,
        key: disk_key(drive),
        slot: Some(drive.name.clone()).filter(|name| !name.is_empty()),
        vendor: drive.vendor.clone(),
        model: drive.model.clone(),
        serial: drive.serial.clone(),
        size_bytes: Some(drive.size_bytes),
        present: true,
    }
}

/// What a disk is called whichever order the kernel found it in.
pub(super) fn disk_key(drive: &Disk) -> String {
    first([
        drive.serial.as_deref(),
        drive.wwn.as_deref(),
        drive.pci_address.as_deref(),
        Some(&drive.name),
    ])
}

fn gpu(host: HostId, card: &PciDevice) -> Component {
    Component {
        host,
        kind: ComponentKind::Gpu,
        key: first([Some(card.address.as_str())]),
        slot: Some(card.address.clone()).filter(|address| !address.is_empty()),
        vendor: None,
        model: Some(format!("{}:{}", card.vendor_id, card.device_id)),
        serial: None,
        size_bytes: None,
        present: true,
    }
}
