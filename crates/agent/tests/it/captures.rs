//! Trees of real machines against what lscpu, lsblk and dmidecode say of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use muster_agent::gather;
use muster_facts::{DiskBus, DiskKind, Facts};
use serde_json::Value;

/// An unpacked capture.
struct Capture {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/hardware")
}

fn unpack(archive: &str) -> Capture {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("tar")
        .arg("-xf")
        .arg(fixtures().join(archive))
        .arg("-C")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{archive}");
    let mut root = folder.path().to_owned();
    if !root.join("sys").exists() {
        let only = fs::read_dir(&root).unwrap().next().unwrap().unwrap();
        root = only.path();
    }
    Capture { _folder: folder, root }
}

fn expected(name: &str) -> Value {
    let text = fs::read_to_string(fixtures().join(format!("{name}.expected.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// dmidecode's word for a text that is not there is no text.
fn told<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key]
        .as_str()
        .map(str::trim)
        .filter(|text| !matches!(*text, "Not Specified" | "<BAD INDEX>" | ""))
}

/// `16 GB`, `64 kB`.
fn bytes(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap();
    let scale = match unit {
        "kB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        other => panic!("{other}"),
    };
    number.parse::<u64>().unwrap() * scale
}

/// `2933 MT/s`, `4200 MHz`; `Unknown` is none.
fn number(text: Option<&str>) -> Option<u32> {
    text?.split(' ').next()?.parse().ok()
}

fn agrees_with_lscpu(name: &str) -> Facts {
    let capture = unpack(&format!("{name}.tar.gz"));
    let facts = gather::facts(&capture.root);
    let expected = &expected(name)["cpu"];
    let cpu = &facts.cpu;
    assert_eq!(cpu.vendor.as_deref(), expected["vendor"].as_str(), "{name}");
    assert_eq!(cpu.model.as_deref(), expected["model"].as_str(), "{name}");
    assert_eq!(
        u64::from(cpu.threads),
        expected["logical_cpus"].as_u64().unwrap(),
        "{name}"
    );
    assert_eq!(
        u64::from(cpu.threads_per_core),
        expected["threads_per_core"].as_u64().unwrap(),
        "{name}"
    );
    assert_eq!(
        u64::from(cpu.cores_per_socket),
        expected["cores_per_socket"].as_u64().unwrap(),
        "{name}"
    );
    assert_eq!(u64::from(cpu.sockets), expected["sockets"].as_u64().unwrap(), "{name}");
    facts
}

#[test]
fn cpus_agree_with_lscpu() {
    let big = agrees_with_lscpu("cpu-x86_64-64cpu");
    assert_eq!((big.cpu.cores, big.cpu.offline), (32, 0));
    assert!(big.cpu.kinds.is_empty());
    let laptop = agrees_with_lscpu("cpu-x86_64-dell_e4310");
    assert_eq!(laptop.cpu.cores, 2);
    assert_eq!(laptop.cpu.architecture.as_deref(), Some("x86_64"));
}

#[test]
fn a_mix_of_arm_cores_is_one_socket_with_four_kinds() {
    let facts = agrees_with_lscpu("cpu-arm-A510-A710-A715-X3");
    assert_eq!(facts.cpu.architecture.as_deref(), Some("aarch64"));
    assert_eq!(facts.cpu.cores, 8);
    let kinds: Vec<(&str, u32)> = facts
        .cpu
        .kinds
        .iter()
        .map(|kind| (kind.model.as_deref().unwrap(), kind.cores))
        .collect();
    assert_eq!(
        kinds,
        [
            ("Cortex-A510", 3),
            ("Cortex-A715", 2),
            ("Cortex-A710", 2),
            ("Cortex-X3", 1)
        ]
    );
}

#[test]
fn disks_agree_with_lsblk() {
    let capture = unpack("disk-simple-nvme.tar.xz");
    let facts = gather::facts(&capture.root);
    let listing = fs::read_to_string(fixtures().join("disk-simple-nvme.expected.txt")).unwrap();
    let (sizes, models) = listing.split_once("\n\n").unwrap();

    let is_disk = |line: &&str| !line.starts_with(['|', '`']);
    let by_size: Vec<(&str, String)> = sizes
        .lines()
        .skip(1)
        .filter(is_disk)
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.nth(3).unwrap().to_owned())
        })
        .collect();
    assert_eq!(facts.disks.len(), by_size.len());
    for (name, size) in by_size {
        let disk = facts.disks.iter().find(|disk| disk.name == name).unwrap();
        let tenths = (disk.size_bytes * 10 + (1 << 29)) >> 30;
        assert_eq!(format!("{}.{}G", tenths / 10, tenths % 10), size, "{name}");
    }

    // A model may hold blanks and is as wide as its column; vendor and revision are single words.
    let header = models.lines().find(|line| line.starts_with("NAME")).unwrap();
    let (model, vendor) = (header.find("MODEL").unwrap(), header.find("VENDOR").unwrap());
    let rows = models.lines().skip_while(|line| !line.starts_with("NAME")).skip(1);
    for line in rows.filter(is_disk) {
        let (left, right) = line.split_at(vendor);
        let disk = facts
            .disks
            .iter()
            .find(|disk| disk.name == left[..model].trim())
            .unwrap();
        assert_eq!(disk.model.as_deref().unwrap(), left[model..].trim(), "{line}");
        assert_eq!(disk.vendor, None, "ATA is no vendor: {line}");
        if let [vendor, revision] = right.split_whitespace().collect::<Vec<_>>()[..] {
            assert_eq!((vendor, disk.firmware.as_deref()), ("ATA", Some(revision)), "{line}");
        }
    }

    let [nvme, ssd, hdd] = facts.disks.as_slice() else {
        panic!("{:?}", facts.disks)
    };
    assert_eq!(nvme.serial.as_deref(), Some("50026B728203601D"));
    assert_eq!((nvme.kind, nvme.bus), (Some(DiskKind::Ssd), Some(DiskBus::Nvme)));
    assert_eq!(nvme.pci_address.as_deref(), Some("0000:01:00.0"));
    assert_eq!(ssd.serial.as_deref(), Some("50026B724B09A1FF"));
    assert_eq!((ssd.kind, ssd.bus), (Some(DiskKind::Ssd), Some(DiskBus::Sata)));
    assert_eq!(hdd.serial.as_deref(), Some("WD-WMAM9XE78956"));
    assert_eq!((hdd.kind, hdd.wwn.as_deref()), (Some(DiskKind::Hdd), None));
}

fn agrees_with_dmidecode(name: &str) -> Facts {
    let capture = unpack(&format!("{name}.tar.gz"));
    let facts = gather::facts(&capture.root);
    let expected = expected(name);
    let system = &expected["system"];
    for (ours, key) in [
        (&facts.system.vendor, "Manufacturer"),
        (&facts.system.product, "Product Name"),
        (&facts.system.version, "Version"),
        (&facts.system.serial, "Serial Number"),
        (&facts.system.uuid, "UUID"),
        (&facts.system.sku, "SKU Number"),
        (&facts.system.family, "Family"),
    ] {
        assert_eq!(ours.as_deref(), told(system, key), "{name}: system {key}");
    }
    let board = facts.board.clone().unwrap();
    for (ours, key) in [
        (&board.vendor, "Manufacturer"),
        (&board.product, "Product Name"),
        (&board.version, "Version"),
        (&board.serial, "Serial Number"),
        (&board.asset_tag, "Asset Tag"),
    ] {
        assert_eq!(ours.as_deref(), told(&expected["board"], key), "{name}: board {key}");
    }
    let chassis = facts.chassis.clone().unwrap();
    for (ours, key) in [
        (&chassis.vendor, "Manufacturer"),
        (&chassis.kind, "Type"),
        (&chassis.version, "Version"),
        (&chassis.serial, "Serial Number"),
        (&chassis.asset_tag, "Asset Tag"),
    ] {
        assert_eq!(
            ours.as_deref(),
            told(&expected["chassis"], key),
            "{name}: chassis {key}"
        );
    }
    assert_eq!(told(&expected["chassis"], "Height"), Some("Unspecified"));
    assert_eq!(chassis.height_u, None);
    let bios = facts.bios.clone().unwrap();
    for (ours, key) in [
        (&bios.vendor, "Vendor"),
        (&bios.version, "Version"),
        (&bios.date, "Release Date"),
        (&bios.revision, "BIOS Revision"),
        (&bios.ec_revision, "Firmware Revision"),
    ] {
        assert_eq!(ours.as_deref(), told(&expected["bios"], key), "{name}: bios {key}");
    }
    assert_eq!(bios.rom_bytes, told(&expected["bios"], "ROM Size").map(bytes));
    processors_agree(name, &facts, &expected);
    modules_agree(name, &facts, &expected);
    facts
}

fn processors_agree(name: &str, facts: &Facts, expected: &Value) {
    let theirs = expected["processors"].as_array().unwrap();
    assert_eq!(facts.cpu.packages.len(), theirs.len(), "{name}");
    assert_eq!(facts.cpu.sockets as usize, theirs.len(), "{name}");
    for (package, processor) in facts.cpu.packages.iter().zip(theirs) {
        assert_eq!(
            Some(package.socket.as_str()),
            told(processor, "Socket Designation"),
            "{name}"
        );
        assert_eq!(package.vendor.as_deref(), told(processor, "Manufacturer"), "{name}");
        assert_eq!(package.version.as_deref(), told(processor, "Version"), "{name}");
        assert_eq!(package.serial.as_deref(), told(processor, "Serial Number"), "{name}");
        assert_eq!(package.part.as_deref(), told(processor, "Part Number"), "{name}");
        assert_eq!(package.cores, number(told(processor, "Core Count")), "{name}");
        assert_eq!(package.threads, number(told(processor, "Thread Count")), "{name}");
        assert_eq!(package.max_mhz, number(told(processor, "Max Speed")), "{name}");
    }
}

fn modules_agree(name: &str, facts: &Facts, expected: &Value) {
    let theirs = expected["memory_devices"].as_array().unwrap();
    assert_eq!(facts.memory.slots.unwrap() as usize, theirs.len(), "{name}");
    let populated: Vec<&Value> = theirs
        .iter()
        .filter(|device| device["Size"] != "No Module Installed")
        .collect();
    assert_eq!(facts.memory.dimms.len(), populated.len(), "{name}");
    let mut sum = 0;
    for (dimm, device) in facts.memory.dimms.iter().zip(populated) {
        assert_eq!(Some(dimm.slot.as_str()), told(device, "Locator"), "{name}");
        assert_eq!(dimm.bank.as_deref(), told(device, "Bank Locator"), "{name}");
        assert_eq!(dimm.size_bytes, bytes(told(device, "Size").unwrap()), "{name}");
        assert_eq!(dimm.kind.as_deref(), told(device, "Type"), "{name}");
        assert_eq!(dimm.speed_mts, number(told(device, "Speed")), "{name}");
        assert_eq!(
            dimm.configured_mts,
            number(told(device, "Configured Memory Speed")),
            "{name}"
        );
        assert_eq!(dimm.vendor.as_deref(), told(device, "Manufacturer"), "{name}");
        assert_eq!(dimm.part.as_deref(), told(device, "Part Number"), "{name}");
        assert_eq!(dimm.serial.as_deref(), told(device, "Serial Number"), "{name}");
        sum += dimm.size_bytes;
    }
    assert_eq!(facts.memory.total_bytes, sum, "{name}");
}

#[test]
fn firmware_tables_agree_with_dmidecode() {
    let desktop = agrees_with_dmidecode("dmi-gigabyte-x399");
    assert_eq!(desktop.virtualization, None);
    agrees_with_dmidecode("dmi-lenovo-thinkpad-t480");
    let guest = agrees_with_dmidecode("dmi-vmware");
    assert_eq!(guest.virtualization.as_deref(), Some("vmware"));
}

#[test]
fn a_partial_tree_tells_what_it_lacks() {
    let capture = unpack("dmi-lenovo-thinkpad-t480.tar.gz");
    let facts = gather::facts(&capture.root);
    let missing: Vec<&str> = facts.unread.iter().map(|unread| unread.what.as_str()).collect();
    for what in [
        "cpu.model",
        "cpu.cores",
        "disks",
        "nics",
        "pci",
        "memory.usable_bytes",
        "kernel.release",
    ] {
        assert!(missing.contains(&what), "{what}: {missing:?}");
    }
    assert!(
        facts.unread.iter().all(|unread| unread.why.starts_with('/')),
        "{:?}",
        facts.unread
    );
    assert_eq!(facts.bios.unwrap().mode, None);
    let json = serde_json::to_string(&facts.cpu).unwrap();
    assert!(!json.contains("\"\"") && !json.contains("null"), "{json}");
}

#[test]
fn a_hybrid_laptop_has_cores_with_one_and_two_threads() {
    let capture = unpack("tree-i7-1270p.tar.gz");
    let facts = gather::facts(&capture.root);
    assert_eq!((facts.cpu.sockets, facts.cpu.cores, facts.cpu.threads), (1, 12, 16));
    assert_eq!(facts.cpu.model.as_deref(), Some("12th Gen Intel(R) Core(TM) i7-1270P"));
    assert_eq!(facts.memory.usable_bytes, Some(32_542_668 * 1024));
    let [disk] = facts.disks.as_slice() else {
        panic!("{:?}", facts.disks)
    };
    assert_eq!((disk.name.as_str(), disk.size_bytes), ("nvme0n1", 2_000_409_264 * 512));
    assert_eq!(disk.wwn.as_deref(), Some("eui.002538bc21b15601"));
    assert_eq!(disk.pci_address.as_deref(), Some("0000:04:00.0"));
    let [gpu] = facts.gpus.as_slice() else {
        panic!("{:?}", facts.gpus)
    };
    assert_eq!(
        (gpu.vendor_id.as_str(), gpu.device_id.as_str(), gpu.class.as_str()),
        ("8086", "46a6", "030000")
    );
    assert_eq!(gpu.driver.as_deref(), Some("i915"));
    agrees_with_pci_files(&capture.root, &facts);
}

#[test]
fn a_guest_with_a_passed_through_gpu() {
    let capture = unpack("tree-nvidia.tar.gz");
    let facts = gather::facts(&capture.root);
    assert_eq!((facts.cpu.sockets, facts.cpu.cores, facts.cpu.threads), (1, 8, 8));
    assert_eq!(facts.virtualization.as_deref(), Some("other"));
    let [disk] = facts.disks.as_slice() else {
        panic!("{:?}", facts.disks)
    };
    assert_eq!((disk.size_bytes, disk.bus), (97_656_256 * 512, Some(DiskBus::Virtio)));
    let gpus: Vec<&str> = facts.gpus.iter().map(|gpu| gpu.vendor_id.as_str()).collect();
    assert_eq!(gpus, ["1af4", "10de"]);
    agrees_with_pci_files(&capture.root, &facts);
}

/// Every function in the tree is reported once, with the ids and the driver of its files.
fn agrees_with_pci_files(root: &Path, facts: &Facts) {
    let folder = root.join("sys/bus/pci/devices");
    let mut theirs: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    theirs.sort();
    let mut ours: Vec<_> = facts.gpus.iter().chain(&facts.pci).collect();
    ours.sort_by_key(|device| &device.address);
    assert_eq!(
        ours.iter().map(|device| device.address.clone()).collect::<Vec<_>>(),
        theirs
    );
    for device in ours {
        let read = |name: &str| fs::read_to_string(folder.join(&device.address).join(name)).unwrap();
        assert_eq!(read("vendor").trim(), format!("0x{}", device.vendor_id));
        assert_eq!(read("device").trim(), format!("0x{}", device.device_id));
        assert_eq!(read("class").trim(), format!("0x{}", device.class));
        let driver = fs::read_link(folder.join(&device.address).join("driver")).ok();
        assert_eq!(
            driver.and_then(|path| path.file_name()?.to_str().map(str::to_owned)),
            device.driver
        );
    }
}

#[test]
fn a_captured_tree_measures_what_it_holds() {
    let capture = unpack("tree-i7-1270p.tar.gz");
    let output = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .args(["metrics", "--root"])
        .arg(&capture.root)
        .output()
        .unwrap();
    let sample: muster_facts::metrics::Sample = serde_json::from_slice(&output.stdout).unwrap();
    let text = fs::read_to_string(capture.root.join("proc/meminfo")).unwrap();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let memory = sample.memory.unwrap();
    assert_eq!(memory.total_bytes, bytes(total.trim()));
    assert!(memory.available_bytes > 0 && memory.available_bytes < memory.total_bytes);
    // Rates need two readings, and space the machine itself.
    assert!(sample.cpu.is_none() && sample.disks.is_empty() && sample.filesystems.is_empty());
}
