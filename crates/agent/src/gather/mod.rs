//! Gathers what a host says of itself from a root directory.
//!
//! Everything is read below [`Options::root`], so that a tree captured from another machine gives
//! the facts of that machine. What only the running kernel can tell (ioctls, raw sockets) is asked
//! only when the root is `/`. Nothing here fails: what cannot be read is listed in
//! [`Facts::unread`] and the rest is reported.

mod bmc;
mod cpu;
mod disk;
mod dmi;
mod host;
mod lldp;
mod memory;
mod nic;
mod pci;
pub mod smbios;
mod tree;
mod virt;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use muster_facts::{Bios, Collection, FACTS_VERSION, Facts};

use tree::Tree;

/// What to gather, and from where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory that holds `proc`, `sys` and `etc`; `/` for the machine this runs on.
    pub root: PathBuf,
    /// How long to listen for LLDP frames on interfaces with a link; zero: do not listen.
    /// Ignored unless the root is `/`. Switches send every 30 s by default (IEEE 802.1AB 9.2.5.7).
    pub lldp_wait: Duration,
}

impl Options {
    /// Gather from `root` without listening for LLDP.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            lldp_wait: Duration::ZERO,
        }
    }
}

/// The facts of the machine whose root directory is `root`, without LLDP.
pub fn facts(root: &Path) -> Facts {
    gather(&Options::new(root))
}

/// The facts of the machine that `options` names.
pub fn gather(options: &Options) -> Facts {
    let (started, at) = (Instant::now(), SystemTime::now());
    let tree = Tree::new(&options.root);
    let smbios = dmi::gather(&tree);
    let cpu::Gathered { cpu, hypervisor } = cpu::gather(&tree, &smbios);
    let (gpus, pci) = pci::gather(&tree);
    let mode = host::boot_mode(&tree, cpu.architecture.as_deref());
    let mut nics = nic::gather(&tree);
    lldp::listen(&tree, &mut nics, options.lldp_wait);
    let told = smbios.bios.clone().unwrap_or_default();
    let bios = Bios {
        mode,
        secure_boot: host::secure_boot(&tree),
        ..told
    };
    Facts {
        version: FACTS_VERSION,
        memory: memory::gather(&tree, &smbios),
        disks: disk::gather(&tree),
        nics,
        gpus,
        pci,
        bmc: bmc::gather(&tree, &smbios),
        virtualization: virt::gather(&tree, &smbios, hypervisor),
        kernel: host::kernel(&tree),
        os: host::os(&tree),
        machine_id: host::machine_id(&tree),
        hostname: host::hostname(&tree),
        system: smbios.system.unwrap_or_default(),
        board: smbios.board,
        chassis: smbios.chassis,
        bios: (bios != Bios::default()).then_some(bios),
        cpu,
        collection: Collection {
            at_unix_s: at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            by: concat!("muster-agent ", env!("CARGO_PKG_VERSION")).to_owned(),
        },
        unread: tree.into_unread(),
    }
}
