//! Hardware made from a number: the same machine every time, no two alike.

use muster_facts::{
    Bios, Board, BootMode, Chassis, Collection, Cpu, CpuPackage, Dimm, Disk, DiskBus, DiskKind, FACTS_VERSION, Facts,
    Kernel, LldpNeighbour, MacAddr, Memory, Nic, PciDevice, System,
};
use uuid::Uuid;

use crate::Firmware;

struct Model {
    vendor: &'static str,
    product: &'static str,
    bios: &'static str,
    bios_version: &'static str,
    cpu: &'static str,
    sockets: u32,
    cores: u32,
    dimms: u32,
    dimm_gib: u64,
    disks: &'static [Kind],
    nic_driver: &'static str,
    nic_id: &'static str,
    nics: u8,
    oui: [u8; 3],
}

enum Kind {
    Nvme,
    SataSsd,
    SasHdd,
}

const GIB: u64 = 1 << 30;

const MODELS: &[Model] = &[
    Model {
        vendor: "Dell Inc.",
        product: "PowerEdge R640",
        bios: "Dell Inc.",
        bios_version: "2.19.1",
        cpu: "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz",
        sockets: 2,
        cores: 16,
        dimms: 12,
        dimm_gib: 32,
        disks: &[Kind::SataSsd, Kind::SataSsd, Kind::SasHdd, Kind::SasHdd],
        nic_driver: "i40e",
        nic_id: "8086:1572",
        nics: 4,
        oui: [0xe4, 0x43, 0x4b],
    },
    Model {
        vendor: "HPE",
        product: "ProLiant DL360 Gen10",
        bios: "HPE",
        bios_version: "U32",
        cpu: "Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz",
        sockets: 2,
        cores: 10,
        dimms: 8,
        dimm_gib: 16,
        disks: &[Kind::SasHdd, Kind::SasHdd],
        nic_driver: "tg3",
        nic_id: "14e4:1657",
        nics: 4,
        oui: [0x94, 0x40, 0xc9],
    },
    Model {
        vendor: "Supermicro",
        product: "AS -1114S-WN10RT",
        bios: "American Megatrends Inc.",
        bios_version: "2.4",
        cpu: "AMD EPYC 7543P 32-Core Processor",
        sockets: 1,
        cores: 32,
        dimms: 8,
        dimm_gib: 64,
        disks: &[Kind::Nvme, Kind::Nvme, Kind::Nvme],
        nic_driver: "bnxt_en",
        nic_id: "14e4:16d8",
        nics: 2,
        oui: [0x3c, 0xec, 0xef],
    },
    Model {
        vendor: "Lenovo",
        product: "ThinkSystem SR650 V2",
        bios: "Lenovo",
        bios_version: "AFE130K-3.20",
        cpu: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz",
        sockets: 2,
        cores: 32,
        dimms: 16,
        dimm_gib: 32,
        disks: &[Kind::SataSsd, Kind::SataSsd, Kind::Nvme, Kind::Nvme],
        nic_driver: "mlx5_core",
        nic_id: "15b3:1017",
        nics: 2,
        oui: [0xb8, 0xce, 0xf6],
    },
];

/// The address of interface `port` of machine `index`.
#[must_use]
pub fn mac(index: u32, port: u8) -> MacAddr {
    let [_, _, high, low] = (index & 0xffff).to_be_bytes();
    let oui = model(index).oui;
    // Machines beyond 65,535 do not fit under one vendor prefix with four ports each.
    MacAddr([oui[0], oui[1], oui[2], high, low, port])
}

/// The system UUID of machine `index`.
#[must_use]
pub fn uuid(seed: u64, index: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("muster-fleet {seed} {index}").as_bytes())
}

/// The service tag of machine `index`.
#[must_use]
pub fn serial(seed: u64, index: u32) -> String {
    let letters = b"BCDFGHJKLMNPQRSTVWXYZ0123456789";
    let mut rest = uuid(seed, index).as_u128();
    let tail: String = std::iter::repeat_with(|| {
        let letter = letters[(rest % letters.len() as u128) as usize];
        rest /= letters.len() as u128;
        char::from(letter)
    })
    .take(3)
    .collect();
    format!("{tail}{index:05}")
}

fn model(index: u32) -> &'static Model {
    &MODELS[index as usize % MODELS.len()]
}

/// What a board says whose maker filled in nothing.
pub const JUNK_SERIAL: &str = "Default string";

/// What machine `index` says of itself.
#[must_use]
pub fn facts(seed: u64, index: u32, firmware: Firmware, now_unix_s: u64) -> Facts {
    let model = model(index);
    let serial = serial(seed, index);
    Facts {
        version: FACTS_VERSION,
        collection: Collection {
            at_unix_s: now_unix_s,
            duration_ms: 900 + u64::from(index % 400),
            by: concat!("muster-fleet ", env!("CARGO_PKG_VERSION")).to_owned(),
        },
        system: System {
            vendor: Some(model.vendor.to_owned()),
            product: Some(model.product.to_owned()),
            serial: Some(serial.clone()),
            uuid: Some(uuid(seed, index).to_string()),
            ..System::default()
        },
        board: Some(Board {
            vendor: Some(model.vendor.to_owned()),
            product: Some(format!("0H28R{}", index % 4)),
            serial: Some(format!(".{serial}.CNFCP{index:06}.")),
            ..Board::default()
        }),
        chassis: Some(Chassis {
            vendor: Some(model.vendor.to_owned()),
            kind: Some("Rack Mount Chassis".to_owned()),
            serial: Some(serial.clone()),
            height_u: Some(1),
            ..Chassis::default()
        }),
        bios: Some(Bios {
            vendor: Some(model.bios.to_owned()),
            version: Some(model.bios_version.to_owned()),
            date: Some("06/04/2024".to_owned()),
            mode: Some(if firmware.is_uefi() {
                BootMode::Uefi
            } else {
                BootMode::Bios
            }),
            ..Bios::default()
        }),
        cpu: cpu(model),
        memory: memory(model, &serial),
        disks: disks(model, &serial),
        nics: (0..model.nics).map(|port| nic(model, index, port)).collect(),
        pci: vec![PciDevice {
            address: "0000:00:00.0".to_owned(),
            class: "060000".to_owned(),
            vendor_id: "8086".to_owned(),
            device_id: "2020".to_owned(),
            ..PciDevice::default()
        }],
        kernel: Kernel {
            release: Some("6.1.0-50-amd64".to_owned()),
            cmdline: None,
        },
        ..Facts::default()
    }
}

/// The facts of a board whose maker filled in nothing: every identity is junk.
pub fn forget_identity(facts: &mut Facts) {
    let junk = || Some(JUNK_SERIAL.to_owned());
    facts.system.serial = junk();
    facts.system.uuid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    for serial in [
        facts.board.as_mut().map(|board| &mut board.serial),
        facts.chassis.as_mut().map(|chassis| &mut chassis.serial),
    ]
    .into_iter()
    .flatten()
    {
        *serial = junk();
    }
}

fn cpu(model: &Model) -> Cpu {
    Cpu {
        architecture: Some("x86_64".to_owned()),
        vendor: Some(
            if model.cpu.starts_with("AMD") {
                "AuthenticAMD"
            } else {
                "GenuineIntel"
            }
            .to_owned(),
        ),
        model: Some(model.cpu.to_owned()),
        sockets: model.sockets,
        cores: model.sockets * model.cores,
        threads: model.sockets * model.cores * 2,
        max_mhz: Some(3700),
        flags: ["aes", "avx2"].map(str::to_owned).to_vec(),
        packages: (1..=model.sockets)
            .map(|socket| CpuPackage {
                socket: format!("CPU{socket}"),
                version: Some(model.cpu.to_owned()),
                cores: Some(model.cores),
                threads: Some(model.cores * 2),
                ..CpuPackage::default()
            })
            .collect(),
        ..Cpu::default()
    }
}

fn memory(model: &Model, serial: &str) -> Memory {
    Memory {
        total_bytes: u64::from(model.dimms) * model.dimm_gib * GIB,
        usable_bytes: None,
        slots: Some(24),
        dimms: (0..model.dimms)
            .map(|slot| Dimm {
                slot: format!("DIMM_{}{}", if slot % 2 == 0 { 'A' } else { 'B' }, slot / 2 + 1),
                size_bytes: model.dimm_gib * GIB,
                kind: Some("DDR4".to_owned()),
                speed_mts: Some(2933),
                vendor: Some("Samsung".to_owned()),
                part: Some("M393A4K40DB2-CVF".to_owned()),
                serial: Some(format!("{serial}D{slot:02}")),
                ..Dimm::default()
            })
            .collect(),
    }
}

fn disks(model: &Model, serial: &str) -> Vec<Disk> {
    let disk = |slot: usize, kind: &Kind| {
        let (name, model, bytes, kind, bus) = match kind {
            Kind::Nvme => (
                format!("nvme{slot}n1"),
                "SAMSUNG MZQL21T9HCJR-00A07",
                1_920_383_410_176,
                DiskKind::Ssd,
                DiskBus::Nvme,
            ),
            Kind::SataSsd => (
                letter(slot),
                "INTEL SSDSC2KB480G8",
                480_103_981_056,
                DiskKind::Ssd,
                DiskBus::Sata,
            ),
            Kind::SasHdd => (
                letter(slot),
                "ST4000NM0025",
                4_000_787_030_016,
                DiskKind::Hdd,
                DiskBus::Scsi,
            ),
        };
        Disk {
            name,
            size_bytes: bytes,
            model: Some(model.to_owned()),
            serial: Some(format!("{serial}S{slot:02}")),
            firmware: Some("GDC5602Q".to_owned()),
            kind: Some(kind),
            bus: Some(bus),
            ..Disk::default()
        }
    };
    model
        .disks
        .iter()
        .enumerate()
        .map(|(slot, kind)| disk(slot, kind))
        .collect()
}

fn letter(slot: usize) -> String {
    format!("sd{}", char::from(b'a' + (slot % 26) as u8))
}

fn nic(model: &Model, index: u32, port: u8) -> Nic {
    let linked = port < 2;
    Nic {
        name: format!("eth{port}"),
        mac: Some(mac(index, port)),
        driver: Some(model.nic_driver.to_owned()),
        speed_mbps: linked.then_some(10_000),
        link: Some(linked),
        bus_address: Some(format!("0000:3b:00.{port}")),
        pci_id: Some(model.nic_id.to_owned()),
        lldp: linked.then(|| LldpNeighbour {
            switch: Some(format!("tor-{:02}-{}", index / 40, if port == 0 { 'a' } else { 'b' })),
            port: Some(format!("Ethernet{}", index % 40 + 1)),
            ..LldpNeighbour::default()
        }),
        ..Nic::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ten_thousand_machines_share_no_identity() {
        let mut seen = HashSet::new();
        for index in 0..10_000 {
            assert!(seen.insert(uuid(1, index).to_string()));
            assert!(seen.insert(serial(1, index)));
            for port in 0..4 {
                assert!(seen.insert(mac(index, port).to_string()), "{index} {port}");
            }
        }
    }

    #[test]
    fn the_same_number_is_the_same_machine() {
        assert_eq!(facts(1, 7, Firmware::Uefi, 0), facts(1, 7, Firmware::Uefi, 0));
        assert_ne!(facts(1, 7, Firmware::Uefi, 0), facts(2, 7, Firmware::Uefi, 0));
    }
}
