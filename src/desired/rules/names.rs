//! The names an expression may use: a documented, stable set, taken from the facts.
//!
//! Every name is there for every host. What a host does not tell is an empty text, zero, false or an empty list, so
//! that an expression is true or false of every host and does not fail for want of a value.

use std::net::IpAddr;

use ipnet::IpNet;
use minijinja::value::Serde;
use muster_facts::{BootMode, Disk, Facts, Nic};
use serde_json::{Map, Value, json};

use crate::inventory::identity::is_junk_serial;

/// One name of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// As it is written, e.g. `bios.mode`. For items of a list `disks[].kind`.
    pub path: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

const fn name(path: &'static str, meaning: &'static str) -> Name {
    Name { path, meaning }
}

/// Every name, in the order people read them.
pub const NAMES: &[Name] = &[
    name("vendor", "maker of the system"),
    name("product", "product name"),
    name("version", "product version"),
    name("family", "product family"),
    name("sku", "SKU number"),
    name("serial", "serial number (service tag)"),
    name("uuid", "system UUID, lower case"),
    name("board.vendor", "maker of the main board"),
    name("board.product", "product name of the main board"),
    name("board.serial", "serial number of the main board"),
    name("board.asset_tag", "asset tag of the main board"),
    name("chassis.vendor", "maker of the chassis"),
    name("chassis.kind", "kind of chassis, e.g. Rack Mount Chassis"),
    name("chassis.serial", "serial number of the chassis"),
    name("chassis.asset_tag", "asset tag of the chassis"),
    name("chassis.height_u", "height in rack units"),
    name("bios.vendor", "maker of the firmware"),
    name("bios.version", "version of the firmware"),
    name("bios.mode", "bios or uefi: how the machine was started"),
    name("bios.secure_boot", "true when Secure Boot is on"),
    name("architecture", "x86_64, aarch64, …"),
    name("cpu.vendor", "maker of the processors, e.g. GenuineIntel"),
    name("cpu.model", "model of the processors"),
    name("cpu.flags", "list of flags, e.g. vmx"),
    name("cpus", "processor sockets in use"),
    name("cores", "cores of all sockets"),
    name("threads", "logical processors"),
    name("memory_gib", "memory in GiB, rounded"),
    name("dimm_count", "memory modules"),
    name("disk_count", "disks"),
    name("disk_gib", "all disks together in GiB, rounded"),
    name("disks", "list of disks"),
    name("disks[].name", "name of the kernel"),
    name("disks[].size_gib", "size in GiB, rounded"),
    name("disks[].vendor", "maker"),
    name("disks[].model", "model"),
    name("disks[].serial", "serial number"),
    name("disks[].wwn", "world-wide name"),
    name("disks[].kind", "hdd, ssd, optical or removable"),
    name("disks[].bus", "nvme, sata, scsi, virtio, usb, mmc or paravirtual"),
    name("nic_count", "interfaces"),
    name("nics", "list of interfaces"),
    name("nics[].name", "name of the kernel"),
    name("nics[].mac", "MAC address"),
    name("nics[].driver", "driver"),
    name("nics[].speed_mbps", "speed of the link"),
    name("nics[].link", "true when a cable is in"),
    name("nics[].pci_id", "vendor:device"),
    name("nics[].addresses", "list of addresses with prefix"),
    name("nics[].switch", "switch heard by LLDP"),
    name("nics[].port", "port of the switch heard by LLDP"),
    name(
        "mac",
        "MAC of the interface it reported by, else of the first with a link",
    ),
    name("address", "address of that interface"),
    name("macs", "list of all MAC addresses"),
    name("addresses", "list of all addresses"),
    name(
        "lldp.switch",
        "switch heard by that interface, else by the first that hears one",
    ),
    name("lldp.port", "port of that switch"),
    name("lldp.port_description", "description of that port"),
    name("lldp.vlan", "port VLAN"),
    name("switches", "list of all switches heard"),
    name("gpu_count", "GPUs and 3D controllers"),
    name("gpus", "list of GPUs"),
    name("gpus[].vendor_id", "PCI vendor, e.g. 10de"),
    name("gpus[].device_id", "PCI device"),
    name("gpus[].driver", "driver"),
    name("bmc.address", "address of the BMC"),
    name("bmc.mac", "MAC of the BMC"),
    name("bmc.firmware", "firmware of the BMC"),
    name("virtualization", "kvm, vmware, …; empty on bare metal"),
    name("kernel", "release of the running kernel"),
    name("os.id", "installed system, e.g. rocky; empty in the collection image"),
    name("os.version", "its version"),
    name("hostname", "present host name"),
];

/// Whether a dotted path is a name, or a group of names.
pub(super) fn is_known(path: &str) -> bool {
    NAMES.iter().any(|name| {
        name.path == path
            || name
                .path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.') && !path.is_empty())
    })
}

/// The fields that items of lists have.
pub(super) fn item_fields() -> impl Iterator<Item = &'static str> {
    NAMES
        .iter()
        .filter_map(|name| name.path.split_once("[].").map(|(_, field)| field))
}

/// The facts of one host as expressions see them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighted {
    /// Every name.
    pub(super) all: Map<String, Value>,
    /// The same for the engine.
    seen: minijinja::Value,
    /// Only what the host tells, for the engine: what a name of a host may be made of.
    told: minijinja::Value,
}

impl Sighted {
    /// Looks at facts.
    #[must_use]
    pub fn new(facts: &Facts) -> Self {
        let all = names_of(facts);
        Self {
            seen: minijinja::Value::from(Serde(&all)),
            told: minijinja::Value::from(Serde(told(&all))),
            all,
        }
    }

    pub(super) fn seen(&self) -> minijinja::Value {
        self.seen.clone()
    }

    pub(super) fn told(&self) -> minijinja::Value {
        self.told.clone()
    }

    /// The value of a name, for a person.
    #[must_use]
    pub fn shown(&self, path: &str) -> Option<String> {
        let mut parts = path.split('.');
        let mut value = self.all.get(parts.next()?)?;
        for part in parts {
            value = value.get(part)?;
        }
        let text = match value {
            Value::String(text) if text.is_empty() => "not told".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) if items.iter().any(Value::is_object) => format!("{} items", items.len()),
            other => other.to_string(),
        };
        Some(text.chars().take(80).collect())
    }
}

/// Without what is empty, and without the words that firmware writes where a serial should be.
fn told(all: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in all {
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) if key == "serial" && is_junk_serial(text) => {}
            Value::Object(inner) => {
                let inner = told(inner);
                if !inner.is_empty() {
                    out.insert(key.clone(), Value::Object(inner));
                }
            }
            other => {
                out.insert(key.clone(), other.clone());
            }
        }
    }
    out
}

fn text(value: Option<&String>) -> Value {
    value.map_or_else(|| Value::from(""), |text| Value::from(text.as_str()))
}

/// Bytes as GiB, to the nearest.
const fn gib(bytes: u64) -> u64 {
    bytes.saturating_add(1 << 29) >> 30
}

/// A word of the facts as it is written in their document.
fn word<T: serde::Serialize>(value: Option<T>) -> Value {
    value
        .and_then(|value| serde_json::to_value(value).ok())
        .unwrap_or_else(|| Value::from(""))
}

fn names_of(facts: &Facts) -> Map<String, Value> {
    let system = &facts.system;
    let board = facts.board.clone().unwrap_or_default();
    let chassis = facts.chassis.clone().unwrap_or_default();
    let bios = facts.bios.clone().unwrap_or_default();
    let bmc = facts.bmc.clone().unwrap_or_default();
    let os = facts.os.clone().unwrap_or_default();
    let main = main_nic(&facts.nics);
    let heard = main
        .filter(|nic| nic.lldp.is_some())
        .or_else(|| facts.nics.iter().find(|nic| nic.lldp.is_some()))
        .and_then(|nic| nic.lldp.clone())
        .unwrap_or_default();
    let mode = match bios.mode {
        Some(BootMode::Bios) => "bios",
        Some(BootMode::Uefi) => "uefi",
        None => "",
    };
    let document = json!({
        "vendor": text(system.vendor.as_ref()),
        "product": text(system.product.as_ref()),
        "version": text(system.version.as_ref()),
        "family": text(system.family.as_ref()),
        "sku": text(system.sku.as_ref()),
        "serial": text(system.serial.as_ref()),
        "uuid": text(system.uuid.as_ref()),
        "board": {
            "vendor": text(board.vendor.as_ref()),
            "product": text(board.product.as_ref()),
            "serial": text(board.serial.as_ref()),
            "asset_tag": text(board.asset_tag.as_ref()),
        },
        "chassis": {
            "vendor": text(chassis.vendor.as_ref()),
            "kind": text(chassis.kind.as_ref()),
            "serial": text(chassis.serial.as_ref()),
            "asset_tag": text(chassis.asset_tag.as_ref()),
            "height_u": chassis.height_u.unwrap_or(0),
        },
        "bios": {
            "vendor": text(bios.vendor.as_ref()),
            "version": text(bios.version.as_ref()),
            "mode": mode,
            "secure_boot": bios.secure_boot.unwrap_or(false),
        },
        "architecture": text(facts.cpu.architecture.as_ref()),
        "cpu": {
            "vendor": text(facts.cpu.vendor.as_ref()),
            "model": text(facts.cpu.model.as_ref()),
            "flags": facts.cpu.flags,
        },
        "cpus": facts.cpu.sockets,
        "cores": facts.cpu.cores,
        "threads": facts.cpu.threads,
        "memory_gib": gib(facts.memory.total_bytes),
        "dimm_count": facts.memory.dimms.len(),
        "disk_count": facts.disks.len(),
        "disk_gib": gib(facts.disks.iter().fold(0, |sum, disk| sum.saturating_add(disk.size_bytes))),
        "disks": facts.disks.iter().map(disk).collect::<Vec<_>>(),
        "nic_count": facts.nics.len(),
        "nics": facts.nics.iter().map(nic).collect::<Vec<_>>(),
        "mac": word(main.and_then(|nic| nic.mac)),
        "address": main.and_then(|nic| nic.addresses.first()).map_or_else(String::new, |address| bare(address)),
        "macs": facts.nics.iter().filter_map(|nic| nic.mac).collect::<Vec<_>>(),
        "addresses": facts.nics.iter().flat_map(|nic| &nic.addresses).map(|address| bare(address)).collect::<Vec<_>>(),
        "lldp": {
            "switch": text(heard.switch.as_ref()),
            "port": text(heard.port.as_ref()),
            "port_description": text(heard.port_description.as_ref()),
            "vlan": heard.vlan.unwrap_or(0),
        },
        "switches": facts.nics.iter().filter_map(|nic| nic.lldp.as_ref()?.switch.as_ref()).collect::<Vec<_>>(),
        "gpu_count": facts.gpus.len(),
        "gpus": facts.gpus.iter().map(|gpu| json!({
            "vendor_id": gpu.vendor_id,
            "device_id": gpu.device_id,
            "driver": text(gpu.driver.as_ref()),
        })).collect::<Vec<_>>(),
        "bmc": {
            "address": text(bmc.address.as_ref()),
            "mac": word(bmc.mac),
            "firmware": text(bmc.firmware.as_ref()),
        },
        "virtualization": text(facts.virtualization.as_ref()),
        "kernel": text(facts.kernel.release.as_ref()),
        "os": {
            "id": text(os.id.as_ref()),
            "version": text(os.version.as_ref()),
        },
        "hostname": text(facts.hostname.as_ref()),
    });
    match document {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The interface a machine reports by has an address; else the first with a link, else the first.
fn main_nic(nics: &[Nic]) -> Option<&Nic> {
    let with_address = nics.iter().find(|nic| !nic.addresses.is_empty());
    with_address
        .or_else(|| nics.iter().find(|nic| nic.link == Some(true)))
        .or_else(|| nics.first())
}

/// An address without its prefix.
fn bare(address: &str) -> String {
    match address.parse::<IpNet>() {
        Ok(net) => net.addr().to_string(),
        Err(_) => address
            .parse::<IpAddr>()
            .map_or_else(|_| address.to_owned(), |address| address.to_string()),
    }
}

fn disk(disk: &Disk) -> Value {
    json!({
        "name": disk.name,
        "size_gib": gib(disk.size_bytes),
        "vendor": text(disk.vendor.as_ref()),
        "model": text(disk.model.as_ref()),
        "serial": text(disk.serial.as_ref()),
        "wwn": text(disk.wwn.as_ref()),
        "kind": word(disk.kind),
        "bus": word(disk.bus),
    })
}

fn nic(nic: &Nic) -> Value {
    let heard = nic.lldp.clone().unwrap_or_default();
    json!({
        "name": nic.name,
        "mac": word(nic.mac),
        "driver": text(nic.driver.as_ref()),
        "speed_mbps": nic.speed_mbps.unwrap_or(0),
        "link": nic.link.unwrap_or(false),
        "pci_id": text(nic.pci_id.as_ref()),
        "addresses": nic.addresses,
        "switch": text(heard.switch.as_ref()),
        "port": text(heard.port.as_ref()),
    })
}
