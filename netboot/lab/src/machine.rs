//! Virtual machines: firmware, identity, disks and network cards as QEMU's arguments, and the running machine.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use serde_json::json;

use crate::{
    Accelerator, Console, LabError, Namespace, Process,
    hardware::{Bus, Hardware},
    qmp, smbios,
    system::DiskSystem,
};

/// The emulator.
const QEMU: &str = "qemu-system-x86_64";
/// UEFI firmware without Secure Boot, and the empty variable store beside it.
const UEFI_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const UEFI_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// The same with Secure Boot, and a variable store that has it switched on with Microsoft's keys.
const SECURE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
const SECURE_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";

/// The firmware of a machine and the network boot it starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// BIOS; the card's ROM is iPXE.
    Bios,
    /// UEFI with its own PXE: the card has no ROM, the firmware fetches a loader by TFTP.
    Uefi,
    /// UEFI; the card's ROM is iPXE.
    UefiIpxe,
    /// UEFI HTTP boot, with PXE switched off.
    UefiHttp,
    /// UEFI with its own PXE and Secure Boot: only what Microsoft has signed is started.
    UefiSecure,
    /// The same by HTTP boot, with PXE switched off.
    UefiSecureHttp,
}

impl Firmware {
    /// All kinds with their names on the command line.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("bios", Self::Bios),
        ("uefi", Self::Uefi),
        ("uefi-ipxe", Self::UefiIpxe),
        ("uefi-http", Self::UefiHttp),
        ("uefi-secure", Self::UefiSecure),
        ("uefi-secure-http", Self::UefiSecureHttp),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, firmware)| *firmware == self)
            .map_or("bios", |(name, _)| name)
    }

    /// Whether the machine has UEFI firmware.
    pub fn is_uefi(self) -> bool {
        self != Self::Bios
    }

    /// Whether the machine starts signed programs only.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::UefiSecure | Self::UefiSecureHttp)
    }

    /// Whether it loads by HTTP.
    fn is_http(self) -> bool {
        matches!(self, Self::UefiHttp | Self::UefiSecureHttp)
    }

    /// The firmware itself, and the variables it starts with.
    fn files(self) -> (&'static str, &'static str) {
        if self.is_secure() {
            (SECURE_CODE, SECURE_VARIABLES)
        } else {
            (UEFI_CODE, UEFI_VARIABLES)
        }
    }
}

impl FromStr for Firmware {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, firmware)| *firmware)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
                format!("unknown firmware `{text}`; one of: {}", names.join(", "))
            })
    }
}

/// A machine to be powered on.
#[derive(Debug, Clone)]
pub struct MachineSpec {
    /// Short name, for logs and interface names; at most 10 characters.
    pub name: String,
    /// Its firmware.
    pub firmware: Firmware,
    /// What it is made of.
    pub hardware: Hardware,
    /// Memory it really gets, in MiB.
    pub mebibytes: u32,
    /// Processors it really gets.
    pub processors: u8,
    /// Whether a reboot ends the machine.
    pub ends_at_reboot: bool,
    /// What runs its instructions.
    pub accelerator: Accelerator,
    /// What is on its first disk; nothing, when it was never installed.
    pub system: Option<DiskSystem>,
    /// Whether it has a second serial port, which writes into a file ([`Machine::second_port`]).
    pub second_port: bool,
}

impl MachineSpec {
    /// A machine with 1 GiB and two processors.
    pub fn new(name: &str, firmware: Firmware, hardware: Hardware) -> Self {
        Self {
            name: name.to_owned(),
            firmware,
            hardware,
            mebibytes: 1024,
            processors: 2,
            ends_at_reboot: false,
            accelerator: Accelerator::find(),
            system: None,
            second_port: false,
        }
    }

    /// Name of the tap of card number `index`.
    fn tap(&self, index: usize) -> String {
        format!("{}-{index}", self.name)
    }

    /// QEMU's arguments; files of the machine are in `folder`.
    fn arguments(&self, folder: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = self
            .accelerator
            .arguments()
            .iter()
            .copied()
            .map(str::to_owned)
            .collect();
        let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        let identity = &self.hardware.identity;
        add("-name", self.name.clone());
        // The firmware keeps its variables from the system in system management mode.
        let smm = if self.firmware.is_secure() { ",smm=on" } else { "" };
        add("-machine", format!("q35,graphics=off{smm}"));
        add("-cpu", format!("qemu64,model-id={}", quoted(&identity.processor)));
        add("-m", self.mebibytes.to_string());
        add("-smp", format!("{0},sockets={0}", self.processors));
        add("-serial", "stdio".into());
        if self.second_port {
            add(
                "-serial",
                format!("file:{}", quoted(&second_port(folder).display().to_string())),
            );
        }
        add(
            "-qmp",
            format!(
                "unix:{},server=on,wait=off",
                quoted(&folder.join("qmp").display().to_string())
            ),
        );
        add("-monitor", "none".into());
        add("-display", "none".into());
        add("-vga", "none".into());
        if self.firmware.is_uefi() {
            let variables = folder.join("variables.fd").display().to_string();
            let (code, _) = self.firmware.files();
            if self.firmware.is_secure() {
                add("-global", "driver=cfi.pflash01,property=secure,value=on".into());
            }
            add("-drive", format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"));
            add(
                "-drive",
                format!("if=pflash,format=raw,unit=1,file={}", quoted(&variables)),
            );
        }
        if self.firmware.is_http() {
            for family in ["IPv4", "IPv6"] {
                add(
                    "-fw_cfg",
                    format!("name=opt/org.tianocore/{family}PXESupport,string=no"),
                );
            }
        }
        self.add_identity(&mut add);
        for index in 0..=self.hardware.dimms.len() {
            add(
                "-smbios",
                format!("file={}", quoted(&structure_file(folder, index).display().to_string())),
            );
        }
        self.add_disks(&mut add, folder);
        self.add_cards(&mut add);
        arguments.push("-nodefaults".into());
        if self.ends_at_reboot {
            arguments.push("-no-reboot".into());
        }
        arguments
    }

    fn add_identity(&self, add: &mut impl FnMut(&str, String)) {
        let identity = &self.hardware.identity;
        if let Some(uuid) = &identity.uuid {
            add("-uuid", uuid.clone());
        }
        let mut structure = |kind: u8, fields: &[(&str, &str)]| {
            let fields: String = fields
                .iter()
                .map(|(name, value)| format!(",{name}={}", quoted(value)))
                .collect();
            add("-smbios", format!("type={kind}{fields}"));
        };
        structure(
            0,
            &[
                ("vendor", &identity.firmware_vendor),
                ("version", &identity.firmware_version),
                ("date", &identity.firmware_date),
            ],
        );
        structure(
            1,
            &[
                ("manufacturer", &identity.vendor),
                ("product", &identity.product),
                ("version", &identity.version),
                ("serial", &identity.serial),
                ("sku", &identity.sku),
                ("family", &identity.family),
            ],
        );
        structure(
            2,
            &[
                ("manufacturer", &identity.vendor),
                ("product", &identity.board),
                ("serial", &identity.board_serial),
            ],
        );
        structure(
            3,
            &[
                ("manufacturer", &identity.vendor),
                ("serial", &identity.serial),
                ("asset", &identity.asset_tag),
            ],
        );
        structure(
            4,
            &[
                ("sock_pfx", "CPU"),
                ("manufacturer", &identity.processor_vendor),
                ("version", &identity.processor),
            ],
        );
        let notes: Vec<(&str, &str)> = identity.notes.iter().map(|note| ("value", note.as_str())).collect();
        if !notes.is_empty() {
            structure(11, &notes);
        }
    }

    fn add_disks(&self, add: &mut impl FnMut(&str, String), folder: &Path) {
        for (index, disk) in self.hardware.disks.iter().enumerate() {
            let file = quoted(&disk_file(folder, index).display().to_string());
            add(
                "-drive",
                format!("if=none,id=disk{index},format=raw,cache=unsafe,file={file}"),
            );
            // After the cards: the firmware must have looked at the disk when a loader hands over to it.
            let order = 100 + index;
            let common = format!("drive=disk{index},serial={},bootindex={order}", quoted(&disk.serial));
            let device = match &disk.bus {
                Bus::Virtio => format!("virtio-blk-pci,{common}"),
                Bus::Nvme => format!("nvme,{common}"),
                Bus::Sata { model, wwn } => {
                    format!(
                        "ide-hd,bus=ide.{index},{common},model={},wwn={wwn},rotation_rate=7200",
                        quoted(model)
                    )
                }
                Bus::Scsi { vendor, product, wwn } => {
                    add("-device", format!("megasas,id=scsi{index}"));
                    let names = format!("vendor={},product={}", quoted(vendor), quoted(product));
                    format!("scsi-hd,bus=scsi{index}.0,{common},{names},wwn={wwn},rotation_rate=7200")
                }
            };
            add("-device", device);
        }
    }

    fn add_cards(&self, add: &mut impl FnMut(&str, String)) {
        for (index, nic) in self.hardware.nics.iter().enumerate() {
            let mut device = format!("{},netdev=net{index},mac={}", nic.model.device(), nic.mac);
            if index == 0 {
                device.push_str(",bootindex=1");
            }
            // Without a ROM the firmware's own network stack drives the card; cards that are not booted from need none.
            if index > 0 || !matches!(self.firmware, Firmware::Bios | Firmware::UefiIpxe) {
                device.push_str(",romfile=");
            }
            add(
                "-netdev",
                format!("tap,id=net{index},ifname={},script=no,downscript=no", self.tap(index)),
            );
            add("-device", device);
        }
    }

    /// Writes the files the machine is made of: disks, firmware variables, SMBIOS structures.
    fn prepare(&self, folder: &Path) -> Result<(), LabError> {
        let action = |path: &Path| format!("writing {}", path.display());
        fs::create_dir_all(folder).map_err(LabError::io(action(folder)))?;
        for (index, disk) in self.hardware.disks.iter().enumerate() {
            let path = disk_file(folder, index);
            // A machine that is powered on again has what is on its disks.
            let file = File::options()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(LabError::io(action(&path)))?;
            file.set_len(disk.mebibytes << 20)
                .map_err(LabError::io(action(&path)))?;
        }
        if let Some(system) = &self.system {
            system.write(&disk_file(folder, 0))?;
        }
        for (index, structure) in smbios::memory(&self.hardware.dimms).iter().enumerate() {
            let path = structure_file(folder, index);
            fs::write(&path, structure).map_err(LabError::io(action(&path)))?;
        }
        if self.firmware.is_uefi() {
            let path = folder.join("variables.fd");
            let (_, variables) = self.firmware.files();
            fs::copy(variables, &path).map_err(LabError::io(format!("copying {variables}")))?;
        }
        Ok(())
    }

    /// Powers the machine on: every card is a port of `bridge`. Disks and other files are made in `folder`, its
    /// serial console is written to `log`.
    ///
    /// # Errors
    /// When a file, a tap or the process cannot be made.
    pub fn power_on(self, namespace: &Namespace, bridge: &str, folder: &Path, log: &Path) -> Result<Machine, LabError> {
        let folder = folder.join(&self.name);
        self.prepare(&folder)?;
        for index in 0..self.hardware.nics.len() {
            let tap = self.tap(index);
            // A machine that is powered on again finds its taps there.
            if namespace.ip(&["link", "show", "dev", &tap]).is_err() {
                namespace.add_tap(&tap, bridge)?;
            }
        }
        let arguments = self.arguments(&folder);
        let process = Process::start(&self.name, namespace, Path::new(QEMU), &arguments, &[], log)?;
        Ok(Machine {
            spec: self,
            process,
            folder,
        })
    }
}

/// A running machine; its power is cut when this is dropped.
#[derive(Debug)]
pub struct Machine {
    spec: MachineSpec,
    process: Process,
    folder: PathBuf,
}

impl Machine {
    /// What it was made of.
    pub fn spec(&self) -> &MachineSpec {
        &self.spec
    }

    /// Its serial console, beginning with power-on.
    pub fn console(&self) -> &Console {
        self.process.console()
    }

    /// Whether it is off: it powered itself off, or QEMU ended.
    pub fn is_off(&mut self) -> bool {
        self.process.has_ended()
    }

    /// What was written to its second serial port since it was powered on, when it has one.
    pub fn second_port(&self) -> PathBuf {
        second_port(&self.folder)
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn reset(&self) -> Result<(), LabError> {
        qmp::ask(&self.folder.join("qmp"), "system_reset", &json!({})).map(drop)
    }

    /// Presses a key of its keyboard, by QEMU's name for it: `l`, `ret`, `esc`.
    ///
    /// # Errors
    /// When QEMU does not answer, or knows no such key.
    pub fn press(&self, key: &str) -> Result<(), LabError> {
        let keys = json!({ "keys": [{ "type": "qcode", "data": key }] });
        qmp::ask(&self.folder.join("qmp"), "send-key", &keys).map(drop)
    }

    /// Plugs the cable of card number `index` in, or pulls it.
    ///
    /// # Errors
    /// When QEMU does not answer, or there is no such card.
    pub fn plug(&self, index: usize, plugged: bool) -> Result<(), LabError> {
        let link = json!({ "name": format!("net{index}"), "up": plugged });
        qmp::ask(&self.folder.join("qmp"), "set_link", &link).map(drop)
    }

    /// Cuts the power and waits until it is off.
    ///
    /// # Errors
    /// When QEMU does not end within ten seconds.
    pub fn cut_power(self) -> Result<(), LabError> {
        self.process.finish(Duration::from_secs(10))
    }
}

fn disk_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("disk{index}.raw"))
}

fn second_port(folder: &Path) -> PathBuf {
    folder.join("ttyS1")
}

fn structure_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("smbios{index}.bin"))
}

/// A value inside a QEMU option: commas are doubled.
fn quoted(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::NicModel;

    fn arguments(firmware: Firmware) -> String {
        let spec = MachineSpec::new("m1", firmware, Hardware::numbered(1, NicModel::Virtio));
        spec.arguments(Path::new("/lab/m1")).join(" ")
    }

    #[test]
    fn only_the_first_card_boots_and_rom_follows_the_firmware() {
        let bios = arguments(Firmware::Bios);
        assert!(bios.contains("virtio-net-pci,netdev=net0,mac=52:54:00:70:00:01,bootindex=1 "));
        assert!(bios.contains("e1000e,netdev=net1,mac=52:54:00:71:00:01,romfile= "));
        assert!(!bios.contains("pflash"));
        let uefi = arguments(Firmware::Uefi);
        assert!(uefi.contains("mac=52:54:00:70:00:01,bootindex=1,romfile= ") && uefi.contains("pflash"));
        assert!(arguments(Firmware::UefiHttp).contains("IPv4PXESupport,string=no"));
        assert!(!uefi.contains("smm=on"));
        let secure = arguments(Firmware::UefiSecureHttp);
        assert!(secure.contains("smm=on") && secure.contains("secboot.fd") && secure.contains("IPv4PXESupport"));
    }

    #[test]
    fn commas_in_values_are_doubled() {
        let mut spec = MachineSpec::new("m1", Firmware::Bios, Hardware::numbered(0, NicModel::E1000));
        spec.hardware.identity.vendor = "Maker, Inc.".into();
        assert!(
            spec.arguments(Path::new("/lab"))
                .join(" ")
                .contains("type=1,manufacturer=Maker,, Inc.,")
        );
    }

    #[test]
    fn firmware_names_are_read_back() {
        for (name, firmware) in Firmware::NAMES {
            assert_eq!(name.parse::<Firmware>().unwrap(), firmware);
            assert_eq!(firmware.name(), name);
        }
        assert!("efi".parse::<Firmware>().unwrap_err().contains("uefi-http"));
    }
}
