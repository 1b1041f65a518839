//! The machine as its firmware describes it: the SMBIOS tables, or what the kernel took from them.

use muster_facts::{Bios, Board, Chassis, System};

use super::smbios::{self, Smbios};
use super::tree::Tree;

const TABLES: &str = "sys/firmware/dmi/tables";
const ATTRIBUTES: [&str; 2] = ["sys/class/dmi/id", "sys/devices/virtual/dmi/id"];

/// Reads the tables; where they are not there or may not be read, the kernel's own extract of them.
pub(super) fn gather(tree: &Tree) -> Smbios {
    let table_path = format!("{TABLES}/DMI");
    if let Some(tables) = tree.bytes("smbios", &table_path) {
        let entry = tree
            .bytes("smbios", &format!("{TABLES}/smbios_entry_point"))
            .unwrap_or_default();
        let found = smbios::parse(&entry, &tables);
        for problem in &found.problems {
            tree.note("smbios", format!("/{table_path}: {problem}"));
        }
        return found;
    }
    match ATTRIBUTES.into_iter().find(|path| tree.exists(path)) {
        Some(folder) => {
            if !tree.exists(&table_path) {
                tree.note_missing("memory.dimms", &table_path);
            }
            from_attributes(tree, folder)
        }
        None => {
            if !tree.exists(&table_path) {
                tree.note_missing("smbios", TABLES);
            }
            Smbios::default()
        }
    }
}

/// Documented in the kernel's `Documentation/ABI/testing/sysfs-class-dmi` by name; serials and the
/// UUID are readable by root only.
fn from_attributes(tree: &Tree, folder: &str) -> Smbios {
    let value = |what: &str, name: &str| tree.value(what, &format!("{folder}/{name}"));
    let bios = Bios {
        vendor: value("bios.vendor", "bios_vendor"),
        version: value("bios.version", "bios_version"),
        date: value("bios.date", "bios_date"),
        revision: value("bios.revision", "bios_release"),
        ec_revision: value("bios.ec_revision", "ec_firmware_release"),
        ..Bios::default()
    };
    let system = System {
        vendor: value("system.vendor", "sys_vendor"),
        product: value("system.product", "product_name"),
        version: value("system.version", "product_version"),
        serial: value("system.serial", "product_serial"),
        uuid: value("system.uuid", "product_uuid")
            .map(|uuid| uuid.to_lowercase())
            .filter(|uuid| is_set(uuid)),
        sku: value("system.sku", "product_sku"),
        family: value("system.family", "product_family"),
    };
    let board = Board {
        vendor: value("board.vendor", "board_vendor"),
        product: value("board.product", "board_name"),
        version: value("board.version", "board_version"),
        serial: value("board.serial", "board_serial"),
        asset_tag: value("board.asset_tag", "board_asset_tag"),
    };
    let kind = value("chassis.kind", "chassis_type").and_then(|kind| kind.parse().ok());
    let chassis = Chassis {
        vendor: value("chassis.vendor", "chassis_vendor"),
        kind: kind.and_then(smbios::chassis_kind).map(str::to_owned),
        version: value("chassis.version", "chassis_version"),
        serial: value("chassis.serial", "chassis_serial"),
        asset_tag: value("chassis.asset_tag", "chassis_asset_tag"),
        height_u: None,
    };
    Smbios {
        bios: (bios != Bios::default()).then_some(bios),
        system: Some(system),
        board: (board != Board::default()).then_some(board),
        chassis: (chassis != Chassis::default()).then_some(chassis),
        ..Smbios::default()
    }
}

/// The kernel prints a UUID of all zeros or all ones for one that firmware did not set.
fn is_set(uuid: &str) -> bool {
    !uuid.chars().all(|c| matches!(c, '0' | '-')) && !uuid.chars().all(|c| matches!(c, 'f' | '-'))
}
