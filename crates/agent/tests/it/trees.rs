//! Made-up trees: what the kernel documents of `/proc` and `/sys` and the captures do not show.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use muster_agent::gather;
use muster_facts::{BootMode, Disk, DiskBus, DiskKind, Facts};

struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes files, each with a final newline as the kernel does.
    fn files(&self, folder: &str, files: &[(&str, &str)]) -> &Self {
        for (name, text) in files {
            let path = self.0.path().join(folder).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
        self
    }

    /// Makes `link` point to `target`, both below the root, by a relative path as sysfs does.
    fn link(&self, link: &str, target: &str) -> &Self {
        let path = self.0.path().join(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::create_dir_all(self.0.path().join(target)).unwrap();
        let up = "../".repeat(Path::new(link).components().count() - 1);
        symlink(format!("{up}{target}"), path).unwrap();
        self
    }

    /// A block device with a `size` in sectors.
    fn block(&self, path: &str, sectors: u64, files: &[(&str, &str)]) -> &Self {
        let name = path.rsplit('/').next().unwrap();
        self.link(&format!("sys/block/{name}"), path);
        self.files(path, &[("size", &sectors.to_string())]).files(path, files)
    }

    fn facts(&self) -> Facts {
        gather::facts(self.0.path())
    }
}

fn disk<'a>(facts: &'a Facts, name: &str) -> &'a Disk {
    facts
        .disks
        .iter()
        .find(|disk| disk.name == name)
        .unwrap_or_else(|| panic!("{name} in {:?}", facts.disks))
}

#[test]
fn disks_by_bus() {
    let root = Root::new();
    let pci = "sys/devices/pci0000:00";
    let virtio = format!("{pci}/0000:00:04.0/virtio1/block/vda");
    root.block(
        &virtio,
        20,
        &[
            ("serial", "VD-1"),
            ("queue/rotational", "1"),
            ("device/vendor", "0x1af4"),
        ],
    );
    let sas = format!("{pci}/0000:03:00.0/host0/target0:2:0/0:2:0:0/block/sda");
    root.block(
        &sas,
        40,
        &[
            ("device/vendor", "DELL"),
            ("device/model", "PERC H730 Mini"),
            ("device/rev", "4.30"),
            ("device/wwid", "naa.6D0946606C3B4A0023A1E2F10B6F2A11"),
            ("queue/rotational", "1"),
            ("removable", "0"),
        ],
    );
    let usb = format!("{pci}/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb");
    root.block(
        &usb,
        60,
        &[
            ("removable", "1"),
            ("device/vendor", "SanDisk"),
            ("device/model", "Ultra Fit"),
        ],
    );
    root.files(
        &format!("{pci}/0000:00:14.0/usb2/2-1"),
        &[("idVendor", "0781"), ("serial", "4C53000")],
    );
    let card = format!("{pci}/0000:00:14.0/usb2/2-2/2-2:1.0/host7/target7:0:0/7:0:0:0/block/sdc");
    root.block(&card, 0, &[("removable", "1")]);
    let mmc = "sys/devices/platform/soc/1c11000.mmc/mmc_host/mmc1/mmc1:0001/block/mmcblk1";
    root.block(
        mmc,
        80,
        &[
            ("device/name", "DG4032"),
            ("device/serial", "0x1b3a"),
            ("queue/rotational", "0"),
        ],
    );
    root.block(&format!("{mmc}boot0"), 8, &[]);
    root.block("sys/devices/virtual/block/dm-0", 80, &[]);
    root.block("sys/devices/virtual/block/loop0", 80, &[]);
    root.block(
        "sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sr0",
        0x1f_ffff,
        &[("removable", "1"), ("device/type", "5"), ("device/vendor", "HL-DT-ST")],
    );
    root.block("sys/devices/vbd-51712/block/xvda", 100, &[]);

    let facts = root.facts();
    let names: Vec<&str> = facts.disks.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(names, ["mmcblk1", "sda", "sdb", "sr0", "vda", "xvda"]);
    let virtio = disk(&facts, "vda");
    assert_eq!(
        (virtio.bus, virtio.serial.as_deref()),
        (Some(DiskBus::Virtio), Some("VD-1"))
    );
    assert_eq!(
        (virtio.vendor.as_deref(), virtio.pci_address.as_deref()),
        (None, Some("0000:00:04.0"))
    );
    let sas = disk(&facts, "sda");
    assert_eq!((sas.bus, sas.vendor.as_deref()), (Some(DiskBus::Scsi), Some("DELL")));
    assert_eq!(sas.wwn.as_deref(), Some("naa.6d0946606c3b4a0023a1e2f10b6f2a11"));
    assert_eq!((sas.kind, sas.size_bytes), (Some(DiskKind::Hdd), 40 * 512));
    let usb = disk(&facts, "sdb");
    assert_eq!((usb.bus, usb.kind), (Some(DiskBus::Usb), Some(DiskKind::Removable)));
    assert_eq!(usb.serial.as_deref(), Some("4C53000"));
    let mmc = disk(&facts, "mmcblk1");
    assert_eq!(
        (mmc.bus, mmc.model.as_deref(), mmc.serial.as_deref()),
        (Some(DiskBus::Mmc), Some("DG4032"), Some("0x1b3a"))
    );
    let optical = disk(&facts, "sr0");
    assert_eq!((optical.kind, optical.size_bytes), (Some(DiskKind::Optical), 0));
    assert_eq!(disk(&facts, "xvda").bus, Some(DiskBus::Paravirtual));
}

#[test]
fn a_disk_with_two_paths_is_one_disk() {
    let root = Root::new();
    for (name, port) in [("sda", "0000:05:00.0"), ("sdb", "0000:06:00.0")] {
        let path = format!("sys/devices/pci0000:00/{port}/host1/target1:0:0/1:0:0:1/block/{name}");
        root.block(
            &path,
            1000,
            &[("device/wwid", "naa.600a098038303053"), ("device/vendor", "NETAPP")],
        );
    }
    let facts = root.facts();
    assert_eq!(facts.disks.len(), 1);
    assert_eq!(facts.disks[0].name, "sda");
}

#[test]
fn an_nvme_disk_with_two_controllers_is_one_disk() {
    let root = Root::new();
    let subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0";
    root.block(
        &format!("{subsystem}/nvme0n1"),
        1000,
        &[("hidden", "0"), ("wwid", "eui.0025385b71b0a5d1")],
    );
    root.files(
        subsystem,
        &[
            ("model", "SAMSUNG MZWLL"),
            ("serial", "S4"),
            ("firmware_rev", "GPJA2B3Q"),
        ],
    );
    symlink(
        "../../nvme-subsys0",
        root.0.path().join(subsystem).join("nvme0n1/device"),
    )
    .unwrap();
    for (index, port) in [(0, "0000:81:00.0"), (1, "0000:c1:00.0")] {
        let controller = format!("sys/devices/pci0000:80/{port}/nvme/nvme{index}");
        root.link(&format!("{subsystem}/nvme{index}"), &controller);
        root.block(&format!("{controller}/nvme0c{index}n1"), 1000, &[("hidden", "1")]);
    }
    let facts = root.facts();
    let [disk] = facts.disks.as_slice() else {
        panic!("{:?}", facts.disks)
    };
    assert_eq!((disk.name.as_str(), disk.bus), ("nvme0n1", Some(DiskBus::Nvme)));
    assert_eq!(
        (disk.pci_address.as_deref(), disk.wwn.as_deref()),
        (Some("0000:81:00.0"), Some("eui.0025385b71b0a5d1"))
    );
}

#[test]
fn interfaces_with_a_device_are_reported() {
    let root = Root::new();
    let function = "sys/devices/pci0000:3a/0000:3b:00.0";
    let port = format!("{function}/net/eno1");
    root.link("sys/class/net/eno1", &port);
    root.link(&format!("{function}/driver"), "sys/bus/pci/drivers/ixgbe");
    root.link(&format!("{function}/subsystem"), "sys/bus/pci");
    root.link("sys/bus/pci/devices/0000:3b:00.0", function);
    root.files(
        function,
        &[("vendor", "0x8086"), ("device", "0x10fb"), ("class", "0x020000")],
    );
    root.files(
        function,
        &[("subsystem_vendor", "0x1028"), ("subsystem_device", "0x1f72")],
    );
    root.files(
        &port,
        &[
            ("address", "02:00:00:00:00:99"),
            ("type", "1"),
            ("carrier", "1"),
            ("speed", "10000"),
        ],
    );
    root.files(&port, &[("bonding_slave/perm_hwaddr", "a0:36:9f:00:00:01")]);
    symlink("../../../0000:3b:00.0", root.0.path().join(&port).join("device")).unwrap();

    let virtio = "sys/devices/pci0000:00/0000:00:03.0/virtio0";
    root.link("sys/class/net/eth0", &format!("{virtio}/net/eth0"));
    root.files(
        &format!("{virtio}/net/eth0"),
        &[
            ("address", "52:54:00:77:00:01"),
            ("type", "1"),
            ("speed", "-1"),
            ("carrier", "0"),
        ],
    );
    symlink("../../../virtio0", root.0.path().join(virtio).join("net/eth0/device")).unwrap();
    root.files(
        "sys/devices/pci0000:00/0000:00:03.0",
        &[("vendor", "0x1af4"), ("device", "0x1000"), ("class", "0x020000")],
    );
    root.link(
        "sys/bus/pci/devices/0000:00:03.0",
        "sys/devices/pci0000:00/0000:00:03.0",
    );

    let usb = "sys/devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0";
    root.link("sys/class/net/enx1", &format!("{usb}/net/enx1"));
    root.files(
        &format!("{usb}/net/enx1"),
        &[("address", "00:e0:4c:68:00:01"), ("type", "1")],
    );
    root.link(&format!("{usb}/subsystem"), "sys/bus/usb");
    symlink("../../../1-4:1.0", root.0.path().join(usb).join("net/enx1/device")).unwrap();

    for name in ["lo", "br0", "bond0"] {
        root.link(
            &format!("sys/class/net/{name}"),
            &format!("sys/devices/virtual/net/{name}"),
        );
    }

    let facts = root.facts();
    let [eno1, enx1, eth0] = facts.nics.as_slice() else {
        panic!("{:?}", facts.nics)
    };
    assert_eq!(
        eno1.mac.unwrap().to_string(),
        "a0:36:9f:00:00:01",
        "the bond has changed the current one"
    );
    assert_eq!(
        (eno1.driver.as_deref(), eno1.pci_id.as_deref()),
        (Some("ixgbe"), Some("8086:10fb"))
    );
    assert_eq!((eno1.link, eno1.speed_mbps), (Some(true), Some(10_000)));
    assert_eq!(eno1.bus_address.as_deref(), Some("0000:3b:00.0"));
    assert_eq!(
        (eth0.bus_address.as_deref(), eth0.pci_id.as_deref()),
        (Some("virtio0"), Some("1af4:1000"))
    );
    assert_eq!((eth0.link, eth0.speed_mbps), (Some(false), None));
    assert_eq!(enx1.bus_address.as_deref(), Some("usb 1-4"));
    let nic = facts
        .pci
        .iter()
        .find(|device| device.address == "0000:3b:00.0")
        .unwrap();
    assert_eq!(nic.subsystem.as_deref(), Some("1028:1f72"));
}

#[test]
fn attributes_stand_in_for_the_tables() {
    let root = Root::new();
    root.files(
        "sys/class/dmi/id",
        &[
            ("sys_vendor", "Dell Inc."),
            ("product_name", "PowerEdge R640"),
            ("product_serial", "ABC1234"),
            ("product_uuid", "4C4C4544-0042-4310-8031-C3C04F313233"),
            ("chassis_type", "23"),
            ("board_asset_tag", " "),
            ("bios_version", "2.12.2"),
        ],
    );
    let facts = root.facts();
    assert_eq!(
        facts.system.uuid.as_deref(),
        Some("4c4c4544-0042-4310-8031-c3c04f313233")
    );
    assert_eq!(facts.system.serial.as_deref(), Some("ABC1234"));
    assert_eq!(facts.chassis.unwrap().kind.as_deref(), Some("Rack Mount Chassis"));
    assert_eq!(
        (facts.board, facts.bios.unwrap().version.as_deref()),
        (None, Some("2.12.2"))
    );
    assert!(facts.unread.iter().any(|unread| unread.what == "memory.dimms"));
}

/// `/proc/cpuinfo` of one CPU of an ARM server.
fn neoverse(number: u32) -> String {
    format!("processor\t: {number}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n")
}

#[test]
fn clusters_of_an_arm_server_are_no_sockets() {
    let root = Root::new();
    let cpuinfo: Vec<String> = (0..8).map(neoverse).collect();
    root.files("proc", &[("cpuinfo", &cpuinfo.join("\n"))]);
    for cpu in 0..8 {
        let cluster = if cpu < 4 { "0f" } else { "f0" };
        root.files(
            &format!("sys/devices/system/cpu/cpu{cpu}/topology"),
            &[
                ("thread_siblings", &format!("{:02x}", 1 << cpu)),
                ("core_siblings", cluster),
            ],
        );
    }
    assert_eq!(
        root.facts().cpu.sockets,
        2,
        "without firmware's word a package is a socket"
    );
    // One populated socket (type 4, status 41h).
    let mut table = vec![4, 0x1a, 0, 0];
    table.resize(0x1a, 0);
    table[0x18] = 0x41;
    table.extend([0, 0]);
    fs::create_dir_all(root.0.path().join("sys/firmware/dmi/tables")).unwrap();
    fs::write(root.0.path().join("sys/firmware/dmi/tables/DMI"), table).unwrap();
    let cpu = root.facts().cpu;
    assert_eq!((cpu.sockets, cpu.cores, cpu.cores_per_socket), (1, 8, 8));
    assert_eq!(cpu.model.as_deref(), Some("Neoverse-N1"));
}

#[test]
fn cpus_that_are_switched_off_are_counted_as_such() {
    let root = Root::new();
    root.files("proc", &[("cpuinfo", "processor : 0\nvendor_id : AuthenticAMD\nmodel name : AMD EPYC\n\nprocessor : 1\nvendor_id : AuthenticAMD\nmodel name : AMD EPYC\n")]);
    let folder = "sys/devices/system/cpu";
    root.files(
        folder,
        &[
            ("present", "0-3"),
            ("online", "0-1"),
            ("cpu2/online", "0"),
            ("cpu3/online", "0"),
        ],
    );
    for cpu in 0..2 {
        root.files(
            &format!("{folder}/cpu{cpu}/topology"),
            &[("core_cpus_list", &cpu.to_string()), ("package_cpus_list", "0-1")],
        );
    }
    let cpu = root.facts().cpu;
    assert_eq!((cpu.threads, cpu.offline, cpu.cores, cpu.sockets), (4, 2, 2, 1));
}

#[test]
fn cpuinfo_alone_tells_sockets_and_cores() {
    let root = Root::new();
    let one = |cpu: u32, package: u32, core: u32| {
        format!("processor : {cpu}\nvendor_id : GenuineIntel\nphysical id : {package}\ncore id : {core}\n")
    };
    let all: Vec<String> = (0..8).map(|cpu| one(cpu, cpu % 2, cpu / 2 % 2)).collect();
    root.files("proc", &[("cpuinfo", &all.join("\n"))]);
    let cpu = root.facts().cpu;
    assert_eq!(
        (cpu.sockets, cpu.cores, cpu.threads, cpu.threads_per_core),
        (2, 4, 8, 2)
    );
}

#[test]
fn a_running_machine() {
    let root = Root::new();
    root.files(
        "proc",
        &[
            ("cmdline", "quiet muster.token=secret muster.server=http://10.0.0.1"),
            ("sys/kernel/osrelease", "6.1.0-31-amd64"),
            ("sys/kernel/hostname", "(none)"),
        ],
    );
    root.files(
        "proc",
        &[(
            "cpuinfo",
            "processor : 0\nvendor_id : GenuineIntel\nflags : fpu lm hypervisor\n",
        )],
    );
    root.files("sys/firmware/memmap/0", &[("start", "0x0")]);
    root.files("etc", &[("machine-id", "uninitialized"), ("hostname", "node7")]);
    let facts = root.facts();
    assert_eq!(facts.kernel.release.as_deref(), Some("6.1.0-31-amd64"));
    assert_eq!(
        facts.kernel.cmdline.as_deref(),
        Some("quiet muster.server=http://10.0.0.1")
    );
    assert_eq!((facts.machine_id, facts.hostname.as_deref()), (None, Some("node7")));
    assert_eq!(facts.bios.unwrap().mode, Some(BootMode::Bios));
    assert_eq!(facts.virtualization.as_deref(), Some("other"));
}

#[test]
fn an_empty_root_gives_an_empty_document_with_reasons() {
    let facts = Root::new().facts();
    assert_eq!((facts.disks.len(), facts.nics.len(), facts.pci.len()), (0, 0, 0));
    assert_eq!((facts.bios, facts.bmc, facts.virtualization), (None, None, None));
    assert!(facts.unread.len() >= 7, "{:?}", facts.unread);
    let json = serde_json::to_value(&facts.cpu).unwrap();
    assert_eq!(json, serde_json::json!({}));
}

/// A pipe that nobody writes to holds its reader as a dying disk does.
#[test]
fn a_disk_that_never_answers_costs_only_itself() {
    let root = Root::new();
    let pci = "sys/devices/pci0000:00/0000:00:04.0";
    root.block(&format!("{pci}/virtio1/block/vda"), 20, &[("serial", "VD-1")])
        .block(&format!("{pci}/virtio2/block/vdb"), 40, &[]);
    let serial = root.0.path().join(format!("{pci}/virtio2/block/vdb/serial"));
    nix::unistd::mkfifo(&serial, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let facts = gather::gather(&gather::Options {
        limits: gather::Limits {
            part: Duration::from_secs(1),
            ..gather::Limits::default()
        },
        ..gather::Options::new(root.0.path())
    });
    assert_eq!(disk(&facts, "vda").serial.as_deref(), Some("VD-1"));
    assert_eq!(facts.disks.len(), 1);
    let told: Vec<&str> = facts
        .unread
        .iter()
        .filter(|unread| unread.what == "disks.vdb")
        .map(|unread| unread.why.as_str())
        .collect();
    assert_eq!(told, ["no answer within 1 s"]);
}
