//! Gathers what a host says of itself from a root directory.
//!
//! Everything is read below [`Options::root`], so that a tree captured from another machine gives
//! the facts of that machine. What only the running kernel can tell (ioctls, raw sockets) is asked
//! only when the root is `/`. Nothing here fails, and nothing waits for ever: what cannot be read, or
//! is not read within its [`Limits`], is listed in [`Facts::unread`] and the rest is reported.

mod bmc;
mod cpu;
pub(crate) mod disk;
mod dmi;
mod host;
mod lldp;
mod memory;
pub(crate) mod nic;
mod parts;
mod pci;
pub mod smbios;
pub(crate) mod tree;
mod virt;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use muster_facts::{Bios, Collection, Disk, FACTS_VERSION, Facts, Nic};

use parts::Machine;

/// How long gathering may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One part: a disk, an interface, the management controller, … Answers take milliseconds; what has not come
    /// after this long hangs.
    pub part: Duration,
    /// All parts, without [`Options::lldp_wait`].
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            part: Duration::from_secs(15),
            whole: Duration::from_secs(60),
        }
    }
}

/// What to gather, and from where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory that holds `proc`, `sys` and `etc`; `/` for the machine this runs on.
    pub root: PathBuf,
    /// How long to listen for LLDP frames on interfaces with a link; zero: do not listen.
    /// Ignored unless the root is `/`. Switches send every 30 s by default (IEEE 802.1AB 9.2.5.7).
    pub lldp_wait: Duration,
    /// When to go on without what does not answer.
    pub limits: Limits,
}

impl Options {
    /// Gather from `root` without listening for LLDP.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            lldp_wait: Duration::ZERO,
            limits: Limits::default(),
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
    let (wait, limits) = (options.lldp_wait, options.limits);
    let whole = limits.whole + wait;
    let mut machine = Machine::new(&options.root, Limits { whole, ..limits }, started);
    // What needs nothing else is asked at once, so that several that hang cost the time of one.
    let smbios = machine.ask("smbios", dmi::gather);
    let pci = machine.ask("pci", pci::gather);
    let nics = machine.ask("nics", nic::names);
    let addresses = machine.ask("nics.addresses", nic::addresses);
    let secure_boot = machine.ask("bios.secure_boot", host::secure_boot);
    let disks = machine.ask("disks", disk::names);
    let kernel = machine.ask("kernel", host::kernel);
    let os = machine.ask("os", host::os);
    let machine_id = machine.ask("machine_id", host::machine_id);
    let hostname = machine.ask("hostname", host::hostname);

    let smbios = Arc::new(machine.take(smbios).unwrap_or_default());
    let told = Arc::clone(&smbios);
    let cpu = machine.ask("cpu", move |tree| cpu::gather(tree, &told));
    let told = Arc::clone(&smbios);
    let memory = machine.ask("memory", move |tree| memory::gather(tree, &told));
    let told = Arc::clone(&smbios);
    let bmc = machine.ask("bmc", move |tree| bmc::gather(tree, &told));

    let cpu = machine.take(cpu);
    let cpu::Gathered { cpu, hypervisor } = cpu.unwrap_or_else(|| cpu::told_by_firmware(&smbios));
    let architecture = cpu.architecture.clone();
    let mode = machine.ask("bios.mode", move |tree| host::boot_mode(tree, architecture.as_deref()));
    let told = Arc::clone(&smbios);
    let virtualization = machine.ask("virtualization", move |tree| virt::gather(tree, &told, hypervisor));

    let (gpus, pci) = machine.take(pci).unwrap_or_default();
    let bios = Bios {
        mode: machine.take(mode).flatten(),
        ..smbios.bios.clone().unwrap_or_default()
    };
    let names = machine.take(nics).unwrap_or_default();
    let addresses = machine.take(addresses).unwrap_or_default();
    let told = addresses.clone();
    let nics = machine.each("nics", &names, move |tree, name| nic::gather(tree, name, &told));
    let nics: Vec<Nic> = nics.into_iter().flatten().collect();
    let hardware = nics.clone();
    let links = machine.ask("links", move |tree| nic::links(tree, &names, &hardware, &addresses));
    let nics = with_neighbours(&mut machine, nics, limits.part, wait);
    let bios = Bios {
        secure_boot: machine.take(secure_boot).flatten(),
        ..bios
    };
    let memory = machine.take(memory);
    let names = machine.take(disks).unwrap_or_default();
    let disks: Vec<Option<Disk>> = machine.each("disks", &names, disk::gather);
    let bmc = machine.take(bmc);
    Facts {
        version: FACTS_VERSION,
        memory: memory.unwrap_or_else(|| memory::told_by_firmware(&smbios)),
        disks: disk::once_each(disks.into_iter().flatten().collect()),
        nics,
        links: machine.take(links).unwrap_or_default(),
        gpus,
        pci,
        bmc: bmc.unwrap_or_else(|| bmc::told_by_firmware(&smbios)),
        virtualization: machine.take(virtualization).flatten(),
        kernel: machine.take(kernel).unwrap_or_default(),
        os: machine.take(os).flatten(),
        machine_id: machine.take(machine_id).flatten(),
        hostname: machine.take(hostname).flatten(),
        system: smbios.system.clone().unwrap_or_default(),
        board: smbios.board.clone(),
        chassis: smbios.chassis.clone(),
        bios: (bios != Bios::default()).then_some(bios),
        cpu,
        collection: Collection {
            at_unix_s: at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            by: concat!("muster-agent ", env!("CARGO_PKG_VERSION")).to_owned(),
        },
        unread: machine.into_unread(),
    }
}

/// The interfaces with the switches that are heard on them within `wait`.
fn with_neighbours(machine: &mut Machine, mut nics: Vec<Nic>, limit: Duration, wait: Duration) -> Vec<Nic> {
    let asked = nics.clone();
    let heard = machine.ask_within(limit + wait, "nics.lldp", move |tree| lldp::listen(tree, &asked, wait));
    for (place, neighbour) in machine.take(heard).unwrap_or_default() {
        if let Some(nic) = nics.get_mut(place) {
            nic.lldp = Some(neighbour);
        }
    }
    nics
}
