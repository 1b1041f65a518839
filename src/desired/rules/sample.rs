//! A machine that tells everything, for the trial of a rule when it is entered.

use muster_facts::{
    Bios, Bmc, Board, BootMode, Chassis, Cpu, Dimm, Disk, DiskBus, DiskKind, Facts, LldpNeighbour, MacAddr, Memory,
    Nic, Os, PciDevice, System,
};

pub(super) fn facts() -> Facts {
    let text = |text: &str| Some(text.to_owned());
    Facts {
        system: System {
            vendor: text("Maker"),
            product: text("Server 1"),
            version: text("1.0"),
            serial: text("S3R1AL7"),
            uuid: text("3f1c2b9a-6d4e-4c8b-9a7f-0e5d1c2b3a4f"),
            sku: text("SKU1"),
            family: text("Servers"),
        },
        board: Some(Board {
            vendor: text("Maker"),
            product: text("B1"),
            version: text("A0"),
            serial: text("B0ARD7"),
            asset_tag: text("A7"),
        }),
        chassis: Some(Chassis {
            vendor: text("Maker"),
            kind: text("Rack Mount Chassis"),
            version: text("A0"),
            serial: text("C4SE7"),
            asset_tag: text("C7"),
            height_u: Some(1),
        }),
        bios: Some(Bios {
            vendor: text("Maker"),
            version: text("2.1"),
            mode: Some(BootMode::Uefi),
            secure_boot: Some(false),
            ..Bios::default()
        }),
        cpu: Cpu {
            architecture: text("x86_64"),
            vendor: text("GenuineIntel"),
            model: text("Processor 1"),
            sockets: 2,
            cores: 32,
            threads: 64,
            flags: vec!["vmx".to_owned()],
            ..Cpu::default()
        },
        memory: Memory {
            total_bytes: 64 << 30,
            dimms: vec![Dimm::default()],
            ..Memory::default()
        },
        disks: vec![Disk {
            name: "sda".to_owned(),
            size_bytes: 960_197_124_096,
            vendor: text("Maker"),
            model: text("Disk 1"),
            serial: text("D15K7"),
            wwn: text("naa.5000000000000001"),
            kind: Some(DiskKind::Ssd),
            bus: Some(DiskBus::Sata),
            ..Disk::default()
        }],
        nics: vec![Nic {
            name: "eno1".to_owned(),
            mac: Some(MacAddr([0x52, 0x54, 0, 0x77, 0, 1])),
            driver: text("igb"),
            speed_mbps: Some(1000),
            link: Some(true),
            pci_id: text("8086:1521"),
            addresses: vec!["192.0.2.10/24".to_owned()],
            lldp: Some(LldpNeighbour {
                switch: text("sw1"),
                chassis_id: text("00:00:5e:00:53:01"),
                port: text("p1"),
                port_description: text("rack-1-u1"),
                vlan: Some(1),
            }),
            ..Nic::default()
        }],
        gpus: vec![PciDevice {
            address: "0000:3b:00.0".to_owned(),
            class: "030200".to_owned(),
            vendor_id: "10de".to_owned(),
            device_id: "20b0".to_owned(),
            driver: text("nvidia"),
            ..PciDevice::default()
        }],
        bmc: Some(Bmc {
            address: text("192.0.2.20"),
            mac: Some(MacAddr([0x52, 0x54, 0, 0x77, 0, 2])),
            firmware: text("5.10"),
            ..Bmc::default()
        }),
        virtualization: text("kvm"),
        kernel: muster_facts::Kernel {
            release: text("6.1.0"),
            cmdline: None,
        },
        os: Some(Os {
            id: text("rocky"),
            version: text("9.4"),
            name: None,
        }),
        hostname: text("host1"),
        ..Facts::default()
    }
}
