//! What a virtual machine is given to be: its maker, serials, memory modules, disks and network cards.

/// What a machine says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Maker of the system, board and chassis.
    pub vendor: String,
    /// Model of the system.
    pub product: String,
    /// Version of the system, board and chassis.
    pub version: String,
    /// Serial number of the system and the chassis.
    pub serial: String,
    /// System UUID in its usual written form; `None` leaves it all zeros, as some machines do.
    pub uuid: Option<String>,
    /// Product family.
    pub family: String,
    /// Stock keeping unit of the system.
    pub sku: String,
    /// Board model.
    pub board: String,
    /// Board serial number.
    pub board_serial: String,
    /// Asset tag of the chassis.
    pub asset_tag: String,
    /// Maker of the firmware.
    pub firmware_vendor: String,
    /// Firmware version.
    pub firmware_version: String,
    /// Firmware date, as SMBIOS writes it: MM/DD/YYYY.
    pub firmware_date: String,
    /// Processor model, in SMBIOS and in CPUID.
    pub processor: String,
    /// Maker of the processor.
    pub processor_vendor: String,
    /// Free texts (SMBIOS type 11).
    pub notes: Vec<String>,
}

/// A memory module in its slot, or an empty slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimm {
    /// Slot as printed on the board.
    pub slot: String,
    /// Bank name.
    pub bank: String,
    /// The module; `None` for an empty slot.
    pub module: Option<Module>,
}

/// A memory module. What it says is independent of the memory the machine really gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Size in MiB.
    pub mebibytes: u32,
    /// Speed in MT/s.
    pub speed: u16,
    /// SMBIOS memory type, for example 0x1a for DDR4 and 0x22 for DDR5.
    pub kind: u8,
    /// Maker.
    pub maker: String,
    /// Part number.
    pub part: String,
    /// Serial number.
    pub serial: String,
}

/// How a disk is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// A virtio block device.
    Virtio,
    /// A controller of its own with one namespace.
    Nvme,
    /// A SATA disk behind AHCI.
    Sata {
        /// Model text.
        model: String,
        /// World wide name.
        wwn: u64,
    },
    /// A SAS disk behind a RAID controller of LSI.
    Scsi {
        /// SCSI vendor, at most 8 characters.
        vendor: String,
        /// SCSI product, at most 16 characters.
        product: String,
        /// World wide name.
        wwn: u64,
    },
}

/// An empty disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// How it is attached.
    pub bus: Bus,
    /// Serial number, at most 20 characters.
    pub serial: String,
    /// Size in MiB; the file behind it is sparse.
    pub mebibytes: u64,
}

/// Model of a network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicModel {
    /// virtio-net.
    Virtio,
    /// Intel 82540EM.
    E1000,
    /// Intel 82574L.
    E1000e,
    /// Realtek 8139.
    Rtl8139,
    /// The paravirtual vmxnet3.
    Vmxnet3,
}

impl NicModel {
    /// QEMU's name of the device.
    pub fn device(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-net-pci",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Rtl8139 => "rtl8139",
            Self::Vmxnet3 => "vmxnet3",
        }
    }

    /// Linux's name of the driver.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Virtio => "virtio_net",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Rtl8139 => "8139cp",
            Self::Vmxnet3 => "vmxnet3",
        }
    }
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// Its model.
    pub model: NicModel,
    /// Its address, as `52:54:00:77:00:01`.
    pub mac: String,
}

/// The hardware of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// What it says it is.
    pub identity: Identity,
    /// Memory slots.
    pub dimms: Vec<Dimm>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Network cards; the first is the one it boots from.
    pub nics: Vec<Nic>,
}

/// Maker, product, family, board, firmware maker, memory maker, memory part: what servers of that make really say.
const MAKES: [[&str; 7]; 4] = [
    [
        "Dell Inc.",
        "PowerEdge R640",
        "PowerEdge",
        "0H28RR",
        "Dell Inc.",
        "Samsung",
        "M393A4K40BB2-CTD",
    ],
    [
        "HPE",
        "ProLiant DL380 Gen10",
        "ProLiant",
        "ProLiant DL380 Gen10",
        "HPE",
        "SK Hynix",
        "HMA84GR7CJR4N-WM",
    ],
    [
        "Lenovo",
        "ThinkSystem SR650",
        "ThinkSystem",
        "7X06CTO1WW",
        "Lenovo",
        "Micron",
        "36ASF4G72PZ-2G6E1",
    ],
    [
        "Supermicro",
        "SYS-6029P-TRT",
        "SMC X11",
        "X11DPi-NT",
        "American Megatrends Inc.",
        "Kingston",
        "KSM26RD4/32HAI",
    ],
];

impl Hardware {
    /// Believable hardware number `index`: two machines never share a serial, a UUID, an address or a WWN.
    ///
    /// Each has several memory modules beside an empty slot, disks of the four kinds, and three network cards; `boot`
    /// is the model of the first.
    pub fn numbered(index: u16, boot: NicModel) -> Self {
        let [vendor, product, family, board, firmware_vendor, maker, part] = MAKES[usize::from(index) % MAKES.len()];
        let tag = format!("{:04X}", 0x7700_u16.wrapping_add(index));
        let identity = Identity {
            vendor: vendor.into(),
            product: product.into(),
            version: "A01".into(),
            serial: format!("MSTR{tag}"),
            uuid: Some(format!("4c4c4544-0077-4410-8077-b4c04f77{}", tag.to_lowercase())),
            family: family.into(),
            sku: format!("SKU-{tag}"),
            board: board.into(),
            board_serial: format!("BRD-{tag}-01"),
            asset_tag: format!("ASSET-{tag}"),
            firmware_vendor: firmware_vendor.into(),
            firmware_version: "2.19.1".into(),
            firmware_date: "06/04/2024".into(),
            processor: "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz".into(),
            processor_vendor: "Intel".into(),
            notes: vec!["lab:site=ams1".into(), format!("lab:rack={}", 1 + index / 40)],
        };
        let mut dimms: Vec<Dimm> = ["A1", "A2", "B1", "B2"]
            .iter()
            .zip(1_u8..)
            .map(|(slot, number)| Dimm {
                slot: format!("DIMM_{slot}"),
                bank: format!("BANK {number}"),
                module: Some(Module {
                    mebibytes: 32 * 1024,
                    speed: 2666,
                    kind: 0x1a,
                    maker: maker.into(),
                    part: part.into(),
                    serial: format!("{number:02X}DE{tag}"),
                }),
            })
            .collect();
        dimms.push(Dimm {
            slot: "DIMM_C1".into(),
            bank: "BANK 5".into(),
            module: None,
        });
        let wwn = |number: u64| 0x5000_c500_7700_0000 | u64::from(index) << 8 | number;
        let disks = vec![
            Disk {
                bus: Bus::Virtio,
                serial: format!("VBLK-{tag}-0001"),
                mebibytes: 20 * 1024,
            },
            Disk {
                bus: Bus::Nvme,
                serial: format!("S3X9NX0K{tag}"),
                mebibytes: 960 * 1024,
            },
            Disk {
                bus: Bus::Sata {
                    model: "WDC WD4000FYYZ".into(),
                    wwn: wwn(1),
                },
                serial: format!("WD-WCC1{tag}"),
                mebibytes: 4000 * 1024,
            },
            Disk {
                bus: Bus::Scsi {
                    vendor: "SEAGATE".into(),
                    product: "ST4000NM0025".into(),
                    wwn: wwn(2),
                },
                serial: format!("ZC1{tag}"),
                mebibytes: 4000 * 1024,
            },
        ];
        let [high, low] = index.to_be_bytes();
        let nic = |model, port: u8| Nic {
            model,
            mac: format!("52:54:00:{:02x}:{high:02x}:{low:02x}", 0x70 + port),
        };
        let nics = vec![nic(boot, 0), nic(NicModel::E1000e, 1), nic(NicModel::Virtio, 2)];
        Self {
            identity,
            dimms,
            disks,
            nics,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn machines_share_no_key() {
        let all: Vec<Hardware> = (0..200)
            .map(|index| Hardware::numbered(index, NicModel::Virtio))
            .collect();
        let keys: Vec<String> = all
            .iter()
            .flat_map(|hardware| {
                let identity = &hardware.identity;
                let own = [identity.serial.clone(), identity.board_serial.clone()]
                    .into_iter()
                    .chain(identity.uuid.clone());
                own.chain(hardware.nics.iter().map(|nic| nic.mac.clone()))
                    .chain(hardware.disks.iter().map(|disk| disk.serial.clone()))
                    .chain(
                        hardware
                            .dimms
                            .iter()
                            .filter_map(|dimm| Some(dimm.module.as_ref()?.serial.clone())),
                    )
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    }

    #[test]
    fn serials_fit_their_buses() {
        for disk in Hardware::numbered(u16::MAX, NicModel::E1000).disks {
            assert!(disk.serial.len() <= 20, "{}", disk.serial);
        }
    }
}
