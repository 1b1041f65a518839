//! Main memory: modules from SMBIOS, the rest from the kernel.

use muster_facts::Memory;

use super::smbios::Smbios;
use super::tree::Tree;

pub(super) fn gather(tree: &Tree, smbios: &Smbios) -> Memory {
    let usable_bytes = usable(tree);
    counted(smbios, blocks(tree), usable_bytes)
}

/// What firmware alone says.
pub(super) fn told_by_firmware(smbios: &Smbios) -> Memory {
    counted(smbios, None, None)
}

/// The modules count; what the kernel sees stands in for sizes that they do not tell.
fn counted(smbios: &Smbios, blocks: Option<u64>, usable_bytes: Option<u64>) -> Memory {
    let modules: u64 = smbios
        .dimms
        .iter()
        .fold(0, |sum, dimm| sum.saturating_add(dimm.size_bytes));
    let seen = blocks.or(usable_bytes).unwrap_or(0);
    let total_bytes = match modules {
        0 => seen,
        _ if smbios.unknown_size => modules.max(seen),
        modules => modules,
    };
    Memory {
        total_bytes,
        usable_bytes,
        slots: smbios.slots,
        dimms: smbios.dimms.clone(),
    }
}

/// `MemTotal`, which leaves out what firmware and the kernel keep for themselves.
fn usable(tree: &Tree) -> Option<u64> {
    const PATH: &str = "proc/meminfo";
    if !tree.exists(PATH) {
        tree.note_missing("memory.usable_bytes", PATH);
    }
    let text = tree.text("memory.usable_bytes", PATH)?;
    let kib: u64 = text.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse()
            .ok()
    })?;
    kib.checked_mul(1024)
}

/// The memory that the kernel was given, by the blocks it manages (`Documentation/ABI/testing/sysfs-devices-memory`).
fn blocks(tree: &Tree) -> Option<u64> {
    const FOLDER: &str = "sys/devices/system/memory";
    let size = tree.value("memory.total_bytes", &format!("{FOLDER}/block_size_bytes"))?;
    let size = u64::from_str_radix(&size, 16).ok()?;
    let names = tree.names("memory.total_bytes", FOLDER)?;
    let online = names
        .iter()
        .filter(|name| {
            name.strip_prefix("memory")
                .is_some_and(|number| number.parse::<u32>().is_ok())
        })
        .filter(|name| {
            tree.value("memory.total_bytes", &format!("{FOLDER}/{name}/state"))
                .is_none_or(|state| state != "offline")
        })
        .count();
    u64::try_from(online).ok()?.checked_mul(size).filter(|bytes| *bytes > 0)
}
