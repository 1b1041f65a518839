//! Walks the devices the kernel has found and puts in the modules they ask for.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::kmod::{ModuleInitFlags, finit_module};

use super::modules::{Insertion, ModuleIndex};

/// What no device asks for by itself: disks and optical drives behind their buses, the controller
/// of the management processor, and the place where UEFI's variables are read.
const ALWAYS: [&str; 5] = ["sd_mod", "sr_mod", "efivarfs", "dmi_sysfs", "ipmi_si"];

/// Goes in last. The kernel ends the insertion of a module only when everything that drivers started
/// in the background is done, so this one (which needs no hardware, and is wanted anyway) waits for
/// the disks of SAS and RAID controllers, which may take many seconds to answer.
const BARRIER: &str = "ipmi_devintf";

/// Modules put in so far, and what is known of the devices.
#[derive(Debug)]
pub struct Coldplug {
    sysfs: PathBuf,
    directory: PathBuf,
    index: ModuleIndex,
    /// Devices at the last look, as paths below `SYSFS/bus`.
    devices: BTreeSet<PathBuf>,
    tried: BTreeSet<String>,
    blocks: usize,
    /// How many modules are in.
    pub loaded: usize,
    /// Modules the kernel refused, with its reason.
    pub refused: Vec<(String, String)>,
}

impl Coldplug {
    /// Reads the index below `directory` (`/lib/modules/RELEASE`). A missing index is an empty one:
    /// a kernel with everything built in needs none.
    #[must_use]
    pub fn new(sysfs: &Path, directory: &Path) -> Self {
        let text = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
        Self {
            sysfs: sysfs.to_owned(),
            directory: directory.to_owned(),
            index: ModuleIndex::parse(&text("modules.dep"), &text("modules.alias"), &text("modules.softdep")),
            devices: BTreeSet::new(),
            tried: BTreeSet::new(),
            blocks: 0,
            loaded: 0,
            refused: Vec::new(),
        }
    }

    /// How many modules the image holds.
    #[must_use]
    pub fn in_image(&self) -> usize {
        self.index.len()
    }

    /// Puts in what no device asks for.
    pub fn basics(&mut self) {
        self.insert_all(&ALWAYS, &mut into_kernel);
    }

    /// Returns when what drivers do in the background is done.
    pub fn wait_for_background(&mut self) {
        self.insert_all(&[BARRIER], &mut into_kernel);
    }

    /// One look at the devices: modules for those not seen before go in. True when anything is new
    /// (a device, a module, a disk), so that a further look may show more.
    pub fn round(&mut self) -> bool {
        self.round_with(&mut into_kernel)
    }

    fn round_with(&mut self, insert: &mut dyn FnMut(&Path) -> io::Result<()>) -> bool {
        let present = devices(&self.sysfs.join("bus"));
        // Only what is new is opened: a look at a machine with a thousand devices costs a few listings.
        let fresh: Vec<String> = present
            .difference(&self.devices)
            .filter_map(|device| modalias(device))
            .collect();
        let wanted: BTreeSet<String> = fresh
            .iter()
            .flat_map(|modalias| self.index.for_device(modalias))
            .map(str::to_owned)
            .collect();
        let before = self.loaded;
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        self.insert_all(&wanted, insert);
        let blocks = fs::read_dir(self.sysfs.join("block")).map_or(0, Iterator::count);
        let news = present != self.devices || self.loaded != before || blocks != self.blocks;
        self.blocks = blocks;
        self.devices = present;
        news
    }

    fn insert_all(&mut self, names: &[&str], insert: &mut dyn FnMut(&Path) -> io::Result<()>) {
        for name in names {
            for Insertion { name, path } in self.index.insertions(name) {
                if !self.tried.insert(name.clone()) {
                    continue;
                }
                match insert(&self.directory.join(path)) {
                    Ok(()) => self.loaded += 1,
                    // Built in or already there.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    // A driver whose hardware is not there (ipmi_si, efivarfs on BIOS) is no fault.
                    Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32) => {}
                    Err(error) => self.refused.push((name, error.to_string())),
                }
            }
        }
    }
}

fn into_kernel(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    Ok(finit_module(&file, c"", ModuleInitFlags::empty())?)
}

/// Every device of every bus.
fn devices(bus: &Path) -> BTreeSet<PathBuf> {
    let list = |path: &Path| {
        fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    list(bus)
        .flat_map(|bus| list(&bus.join("devices")).collect::<Vec<_>>())
        .collect()
}

fn modalias(device: &Path) -> Option<String> {
    let text = fs::read_to_string(device.join("modalias")).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().join("modules");
        fs::create_dir_all(&modules).unwrap();
        fs::write(
            modules.join("modules.dep"),
            "k/virtio_pci.ko: k/virtio.ko\nk/virtio.ko:\nk/virtio_net.ko: k/virtio.ko\n",
        )
        .unwrap();
        fs::write(
            modules.join("modules.alias"),
            "alias pci:v1af4* virtio_pci\nalias virtio:d1* virtio_net\n",
        )
        .unwrap();
        let pci = root.path().join("sys/bus/pci/devices/0000:00:03.0");
        fs::create_dir_all(&pci).unwrap();
        fs::create_dir_all(root.path().join("sys/block")).unwrap();
        fs::write(pci.join("modalias"), "pci:v1af4d1000\n").unwrap();
        root
    }

    #[test]
    fn devices_that_appear_later_get_their_module_and_then_it_is_quiet() {
        let root = tree();
        let sysfs = root.path().join("sys");
        let mut plug = Coldplug::new(&sysfs, &root.path().join("modules"));
        let mut order = Vec::new();
        let mut insert = |path: &Path| {
            order.push(path.file_name().unwrap().to_owned());
            Ok(())
        };
        assert!(plug.round_with(&mut insert));
        let child = sysfs.join("bus/virtio/devices/virtio0");
        fs::create_dir_all(&child).unwrap();
        fs::write(child.join("modalias"), "virtio:d1v1\n").unwrap();
        assert!(plug.round_with(&mut insert));
        assert!(!plug.round_with(&mut insert));
        assert_eq!(order, ["virtio.ko", "virtio_pci.ko", "virtio_net.ko"]);
        assert_eq!(plug.loaded, 3);
    }

    #[test]
    fn what_the_kernel_refuses_is_told_and_tried_once() {
        let root = tree();
        let mut plug = Coldplug::new(&root.path().join("sys"), &root.path().join("modules"));
        let mut calls = 0;
        let mut insert = |_: &Path| {
            calls += 1;
            Err(io::Error::from_raw_os_error(nix::errno::Errno::ENOEXEC as i32))
        };
        plug.round_with(&mut insert);
        plug.devices.clear();
        plug.round_with(&mut insert);
        assert_eq!(calls, 2);
        assert_eq!(plug.refused.len(), 2);
        assert_eq!(plug.refused[0].0, "virtio");
    }

    #[test]
    fn hardware_that_is_not_there_is_no_fault() {
        let root = tree();
        let mut plug = Coldplug::new(&root.path().join("sys"), &root.path().join("modules"));
        plug.round_with(&mut |_| Err(io::Error::from_raw_os_error(nix::errno::Errno::ENODEV as i32)));
        assert!(plug.refused.is_empty());
        assert_eq!(plug.loaded, 0);
    }
}
