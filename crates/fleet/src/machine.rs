use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_facts::MacAddr;
use muster_wire::dhcp::{Architecture, Message, Undi};

use crate::{boot::Boot, clients::Relay, hardware, mix::Fault};

/// How a machine's firmware boots from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Firmware {
    /// BIOS whose NIC has iPXE as its ROM, as in QEMU.
    BiosIpxe,
    /// BIOS with a PXE ROM: loads iPXE by TFTP.
    Bios,
    /// UEFI PXE on x64: loads iPXE by TFTP.
    Uefi,
    /// UEFI HTTP boot on x64: loads iPXE by HTTP.
    UefiHttp,
    /// UEFI PXE on arm64.
    Arm64,
}

impl Firmware {
    pub(crate) const NAMES: [(&'static str, Self); 5] = [
        ("ipxe", Self::BiosIpxe),
        ("bios", Self::Bios),
        ("uefi", Self::Uefi),
        ("uefi-http", Self::UefiHttp),
        ("arm64", Self::Arm64),
    ];

    /// True for UEFI.
    #[must_use]
    pub const fn is_uefi(self) -> bool {
        matches!(self, Self::Uefi | Self::UefiHttp | Self::Arm64)
    }

    /// What option 93 says before iPXE runs.
    const fn architecture(self) -> u16 {
        match self {
            Self::BiosIpxe | Self::Bios => 0,
            Self::Uefi => 7,
            Self::UefiHttp => 16,
            Self::Arm64 => 11,
        }
    }

    /// What option 93 says once iPXE runs.
    const fn ipxe_architecture(self) -> u16 {
        match self {
            Self::BiosIpxe | Self::Bios => 0,
            Self::Uefi | Self::UefiHttp => 7,
            Self::Arm64 => 11,
        }
    }
}

/// How far a machine came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Asks for an address.
    Firmware,
    /// Loads its loader.
    Loader,
    /// iPXE asks for an address.
    Ipxe,
    /// Asks for its script.
    Script,
    /// Loads kernel and initramfs.
    Image,
    /// The collection image asks for an address.
    Address,
    /// Sends its facts.
    Report,
    /// The facts are acknowledged.
    Reported,
}

/// How a machine's boot ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Number of the machine.
    pub index: u32,
    /// The interface it booted by.
    pub mac: MacAddr,
    /// How far it came.
    pub stage: Stage,
    /// From power-on to the end.
    pub took: Duration,
    /// The host the server named.
    pub host: Option<String>,
    /// The addresses it was given, in order.
    pub addresses: Vec<Ipv4Addr>,
    /// What went wrong.
    pub error: Option<String>,
    /// How far it should have come.
    pub expected: Stage,
}

impl Outcome {
    /// True when the machine came as far as its trouble lets it.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.stage == self.expected
    }
}

/// One simulated machine.
#[derive(Debug)]
pub struct Machine {
    /// Its number: everything about it follows from this and the seed.
    pub index: u32,
    /// Seed of the fleet.
    pub seed: u64,
    /// How it boots.
    pub firmware: Firmware,
    /// What is wrong with it.
    pub fault: Fault,
    /// Fetch kernel and initramfs whole, or ask for their headers only (to spare loopback).
    pub whole_image: bool,
    /// TFTP port of the server.
    pub tftp_port: u16,
}

impl Machine {
    /// Boots once, from power-on to acknowledged facts. `nic` is the port's number: another one after a swap.
    pub async fn boot(&self, relay: &Arc<Relay>, http: &reqwest::Client, nic: u8) -> Outcome {
        let began = Instant::now();
        let mac = hardware::mac(self.index, nic);
        let mut boot = Boot::new(self, mac, relay.plug(mac), http);
        let result = boot.run(nic).await;
        Outcome {
            index: self.index,
            mac,
            stage: boot.stage,
            took: began.elapsed(),
            addresses: boot.addresses,
            error: result.as_ref().err().map(ToString::to_string),
            host: result.ok(),
            expected: self.fault.ends_at(),
        }
    }
}

impl Machine {
    pub(crate) fn speak_firmware(&self, message: &mut Message) {
        let class = if self.firmware == Firmware::UefiHttp {
            "HTTPClient"
        } else {
            "PXEClient"
        };
        let arch = self.firmware.architecture();
        let undi = if self.firmware.is_uefi() { "003000" } else { "002001" };
        message.vendor_class = Some(format!("{class}:Arch:{arch:05}:UNDI:{undi}").into_bytes());
        message.architectures = vec![Architecture(arch)];
        message.undi = Some(Undi {
            kind: 1,
            major: if self.firmware.is_uefi() { 3 } else { 2 },
            minor: 0,
        });
        message.broadcast = self.firmware.is_uefi();
    }

    pub(crate) fn speak_ipxe(&self, message: &mut Message) {
        let arch = self.firmware.ipxe_architecture();
        message.vendor_class = Some(format!("PXEClient:Arch:{arch:05}:UNDI:003010").into_bytes());
        message.architectures = vec![Architecture(arch)];
        message.undi = Some(Undi {
            kind: 1,
            major: 3,
            minor: 10,
        });
        message.user_class = Some(b"iPXE".to_vec());
    }
}
