//! What a host says of itself at one time: typed, versioned, without I/O.
//!
//! Every collector (collection image, agent, SSH, Salt, Puppet) produces a [`Facts`]; the server
//! compares and stores it. Missing hardware is `None` or an empty list, never an empty string.
//! What exists but could not be read is listed in [`Facts::unread`] with the reason.
//!
//! Compatibility: a reader ignores fields it does not know; [`FACTS_VERSION`] changes only when a
//! field changes its meaning.

mod mac;
pub mod metrics;
mod text;

pub use mac::{MacAddr, MacParseError};
pub use text::{clean_text, trim_text};

use serde::{Deserialize, Serialize};

/// Version of the document written by this crate.
pub const FACTS_VERSION: u32 = 1;

/// Everything a host says of itself at one time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// [`FACTS_VERSION`] of the writer.
    pub version: u32,
    /// The collection itself: when, how long, by which program.
    pub collection: Collection,
    /// The product as its maker names it (SMBIOS type 1).
    pub system: System,
    /// The main board (SMBIOS type 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<Board>,
    /// The enclosure (SMBIOS type 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chassis: Option<Chassis>,
    /// Firmware (SMBIOS type 0) and the mode the running kernel was booted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bios: Option<Bios>,
    /// Processors as the kernel and SMBIOS type 4 show them.
    pub cpu: Cpu,
    /// Main memory and its modules (SMBIOS type 17).
    pub memory: Memory,
    /// Whole disks; partitions, loop devices, RAM disks, device-mapper and multipath paths are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Physical and virtual-function network interfaces; bridges, bonds, tunnels and `lo` are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Nic>,
    /// Interfaces made by software that have an address: bonds, bridges, VLANs, tunnels. Without `lo`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// GPUs and 3D controllers (PCI class 03).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<PciDevice>,
    /// All other PCI functions, by numeric id; the server resolves names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pci: Vec<PciDevice>,
    /// Board management controller, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bmc: Option<Bmc>,
    /// `kvm`, `vmware`, `hyperv`, `xen`, `qemu`, `virtualbox`, `container`…; `None` on bare metal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtualization: Option<String>,
    /// The running kernel.
    pub kernel: Kernel,
    /// The installed operating system; `None` in the collection image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// `/etc/machine-id`, meaningful only within one installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// Current host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// What exists but could not be read, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

/// When and how the facts were collected.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Collection {
    /// Seconds since the Unix epoch by the host's own clock (which may be wrong).
    pub at_unix_s: u64,
    /// How long gathering took, milliseconds.
    pub duration_ms: u64,
    /// Program and version, such as `muster-agent 0.1.0`.
    pub by: String,
}

/// SMBIOS type 1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// Manufacturer, e.g. `Dell Inc.`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Product name, e.g. `PowerEdge R640`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Product version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Serial number (service tag).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// System UUID in the canonical lower-case form that dmidecode prints (first three fields
    /// byte-swapped from the wire since SMBIOS 2.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// SKU number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Product family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
}

/// SMBIOS type 2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Board {
    /// Manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Asset tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_tag: Option<String>,
}

/// SMBIOS type 3.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Chassis {
    /// Manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Kind in dmidecode's words, e.g. `Rack Mount Chassis`, `Notebook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Asset tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_tag: Option<String>,
    /// Height in rack units, when stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height_u: Option<u8>,
}

/// SMBIOS type 0 and the boot mode.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bios {
    /// Vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Version string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Release date as written by the vendor, `MM/DD/YYYY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// BIOS revision `major.minor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Revision `major.minor` of the embedded controller's firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ec_revision: Option<String>,
    /// Size of the firmware's ROM, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rom_bytes: Option<u64>,
    /// How the running kernel was started; `None` where it cannot be told (a partial tree).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<BootMode>,
    /// Secure Boot state under UEFI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
}

/// How the running kernel was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootMode {
    /// Legacy BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// Processors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// `x86_64`, `aarch64`, … as `uname -m` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// `GenuineIntel`, `AuthenticAMD`, `ARM`….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Model name (of the first processor).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Populated sockets; zero where it cannot be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub sockets: u32,
    /// Physical cores of all sockets together; zero where it cannot be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub cores: u32,
    /// Logical CPUs that are present, switched on or not; zero where it cannot be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub threads: u32,
    /// Logical CPUs that are present but switched off.
    #[serde(skip_serializing_if = "is_zero")]
    pub offline: u32,
    /// Physical cores in each socket, of the kind named by `model`; zero where it cannot be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub cores_per_socket: u32,
    /// Logical CPUs in each core, of the kind named by `model`; zero where it cannot be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub threads_per_core: u32,
    /// Each kind of core, where a machine mixes several (ARM big.LITTLE), in the kernel's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<CpuKind>,
    /// Highest frequency, MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mhz: Option<u32>,
    /// Flags that matter for placing work (vmx, svm, aes, avx2, avx512f, sgx, …), sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Each socket as SMBIOS type 4 tells it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<CpuPackage>,
}

/// One kind of core of a machine that mixes several.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuKind {
    /// Maker of the core's design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Model name, e.g. `Cortex-A510`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Cores of this kind.
    pub cores: u32,
    /// Logical CPUs of this kind.
    pub threads: u32,
    /// Highest frequency, MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mhz: Option<u32>,
}

/// One populated processor socket (SMBIOS type 4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuPackage {
    /// Socket designation, e.g. `CPU1`; empty when firmware names none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socket: String,
    /// Manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Version string (the marketing name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Maximum speed, MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mhz: Option<u32>,
}

/// Main memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Installed bytes: the sum of the modules, else what the kernel sees; zero where it cannot be told.
    #[serde(skip_serializing_if = "is_zero_bytes")]
    pub total_bytes: u64,
    /// Bytes usable by the kernel (`MemTotal`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable_bytes: Option<u64>,
    /// Slots on the board, populated or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Populated slots only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dimms: Vec<Dimm>,
}

/// One populated memory slot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Dimm {
    /// Device locator, e.g. `DIMM_A1`; empty when firmware names none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub slot: String,
    /// Bank locator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank: Option<String>,
    /// Size in bytes; zero when firmware does not know it.
    #[serde(skip_serializing_if = "is_zero_bytes")]
    pub size_bytes: u64,
    /// `DDR4`, `DDR5`….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Rated speed, MT/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mts: Option<u32>,
    /// Configured speed, MT/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured_mts: Option<u32>,
    /// Maker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// One whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Kernel name, e.g. `nvme0n1`; not stable between boots.
    pub name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Maker (SCSI vendor), when it is not part of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// World-wide name: `naa.…`, `eui.…` or `nvme.…` as the kernel's wwid says; `0x…` NAA without prefix is normalised to `naa.…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwn: Option<String>,
    /// Firmware revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Rotating, solid or removable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<DiskKind>,
    /// How it is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<DiskBus>,
    /// Address of the PCI function it hangs on, e.g. `0000:00:1f.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pci_address: Option<String>,
}

/// Kind of disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskKind {
    /// Rotating.
    Hdd,
    /// Solid state.
    Ssd,
    /// Optical drive.
    Optical,
    /// Removable medium (USB stick, card).
    Removable,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskBus {
    /// NVM Express.
    Nvme,
    /// SATA behind AHCI or libata.
    Sata,
    /// SAS or parallel SCSI, also behind a RAID controller.
    Scsi,
    /// virtio-blk or virtio-scsi.
    Virtio,
    /// USB storage.
    Usb,
    /// eMMC or SD.
    Mmc,
    /// Xen, Hyper-V or `VMware` paravirtual.
    Paravirtual,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Nic {
    /// Kernel name; not stable between boots.
    pub name: String,
    /// Permanent address (ethtool's), or the current one where that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Driver, e.g. `ixgbe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Firmware version as the driver tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Link speed, Mbit/s, when there is a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mbps: Option<u32>,
    /// Carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
    /// `pci 0000:3b:00.0`, `usb 1-1`, `virtio0`: without the prefix for PCI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus_address: Option<String>,
    /// `vendor:device` in hex, e.g. `8086:1521`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pci_id: Option<String>,
    /// Addresses with prefix length, e.g. `10.0.0.5/24`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// The neighbour heard by LLDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lldp: Option<LldpNeighbour>,
}

/// An interface made by software: a bond, a bridge, a VLAN.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// Kernel name, which is a person's choice here.
    pub name: String,
    /// Current address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Addresses with prefix length, e.g. `10.0.0.5/24`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// A switch port heard by LLDP (IEEE 802.1AB).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LldpNeighbour {
    /// System name of the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<String>,
    /// Chassis id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chassis_id: Option<String>,
    /// Port id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Port description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_description: Option<String>,
    /// Port VLAN id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

/// One PCI function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PciDevice {
    /// `0000:3b:00.0`.
    pub address: String,
    /// Class code, six hex digits, e.g. `030000`.
    pub class: String,
    /// Vendor id, four hex digits.
    pub vendor_id: String,
    /// Device id, four hex digits.
    pub device_id: String,
    /// Subsystem `vendor:device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subsystem: Option<String>,
    /// Bound driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// Board management controller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bmc {
    /// IPv4 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Firmware version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// IPMI version, e.g. `2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipmi_version: Option<String>,
}

/// The running kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// `uname -r`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Command line with secrets (`muster.token=`) removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
}

/// `/etc/os-release` of an installed machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Os {
    /// `ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `VERSION_ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `PRETTY_NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Something that exists but could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Unread {
    /// Which part of the facts is missing: `memory.dimms`, `nics.eth0.lldp`….
    pub what: String,
    /// Why, in plain words with the path: `/sys/firmware/dmi/tables/DMI: permission denied`.
    pub why: String,
}

/// Whether a count is left out of the document.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Whether a size is left out of the document.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
const fn is_zero_bytes(size: &u64) -> bool {
    *size == 0
}
