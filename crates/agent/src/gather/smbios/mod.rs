//! SMBIOS tables (DMTF DSP0134, versions 2.0 to 3.7): bytes in, facts out.
//!
//! [`parse`] takes the two files of `/sys/firmware/dmi/tables`. It never fails and never panics:
//! firmware writes these tables by hand, and a broken structure costs only what follows it.

mod names;
mod structures;
mod types;

pub(super) use names::chassis as chassis_kind;
pub use structures::{EntryPoint, Structure, Walk};

use muster_facts::{Bios, Board, Chassis, CpuPackage, Dimm, System};

/// What the tables say, in facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smbios {
    /// Type 0; without the boot mode.
    pub bios: Option<Bios>,
    /// Type 1.
    pub system: Option<System>,
    /// The first type 2, which the specification calls the main board.
    pub board: Option<Board>,
    /// The first type 3.
    pub chassis: Option<Chassis>,
    /// Type 4, populated sockets only.
    pub packages: Vec<CpuPackage>,
    /// Type 17, populated slots of system memory only.
    pub dimms: Vec<Dimm>,
    /// Slots of system memory, populated or not; `None` when the tables name none.
    pub slots: Option<u32>,
    /// True when a populated slot does not tell its size.
    pub unknown_size: bool,
    /// What type 38 or 42 says of a management controller.
    pub bmc: Option<Controller>,
    /// What is wrong with the tables, in plain words.
    pub problems: Vec<String>,
}

/// A management controller as types 38 and 42 tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controller {
    /// IPMI version `major.minor` (type 38).
    pub ipmi_version: Option<String>,
    /// Whether it offers a Redfish host interface (type 42, protocol 04h).
    pub redfish: bool,
}

/// Reads the tables that `entry` introduces. An entry point that is missing or of an unknown kind
/// is a problem, and version 3.0 is assumed: only the byte order of the UUID depends on it.
#[must_use]
pub fn parse(entry: &[u8], tables: &[u8]) -> Smbios {
    let mut found = Smbios::default();
    let point = EntryPoint::parse(entry).unwrap_or_else(|| {
        found
            .problems
            .push("the entry point is missing or of an unknown kind; version 3.0 is assumed".to_owned());
        EntryPoint {
            major: 3,
            minor: 0,
            count: None,
        }
    });
    let mut walk = Walk::new(tables, point.count);
    let all: Vec<Structure<'_>> = walk.by_ref().collect();
    found.problems.extend(walk.problem());

    for structure in &all {
        match structure.kind {
            0 => fill(&mut found.bios, || types::bios(structure)),
            1 => fill(&mut found.system, || types::system(structure, &point)),
            2 => fill(&mut found.board, || types::board(structure)),
            3 => fill(&mut found.chassis, || types::chassis(structure)),
            4 => found.packages.extend(types::package(structure)),
            38 => found.bmc.get_or_insert_default().ipmi_version = types::ipmi_version(structure),
            42 if types::is_controller_interface(structure) => {
                found.bmc.get_or_insert_default().redfish |= types::has_redfish(structure);
            }
            _ => {}
        }
    }
    types::memory(&all, &mut found);
    found
}

/// The first structure of a kind is the machine's own; later ones belong to add-in boards.
fn fill<T>(slot: &mut Option<T>, make: impl FnOnce() -> T) {
    if slot.is_none() {
        *slot = Some(make());
    }
}
