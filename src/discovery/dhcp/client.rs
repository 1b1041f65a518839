use muster_wire::dhcp::{Message, VendorClass};

use crate::boot::{Architecture, LoaderTable, Stage};

/// The vendor class of the program in the collection image.
const AGENT: &[u8] = b"muster-agent";

/// The word a boot client and its server write in option 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BootWord {
    Pxe,
    Http,
}

impl BootWord {
    pub(super) const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Pxe => b"PXEClient",
            Self::Http => b"HTTPClient",
        }
    }
}

/// What a client says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) stage: Stage,
    pub(super) arch: Option<Architecture>,
    /// The word to be echoed.
    pub(super) word: Option<BootWord>,
}

impl Client {
    pub(super) fn of(packet: &Message, loaders: &LoaderTable) -> Self {
        let word = match packet.vendor() {
            VendorClass::PxeClient { .. } => Some(BootWord::Pxe),
            VendorClass::HttpClient { .. } => Some(BootWord::Http),
            VendorClass::Other => None,
        };
        let arch = architecture(packet, word, loaders);
        let stage = if packet.is_ipxe() {
            Stage::Ipxe
        } else if packet
            .vendor_class
            .as_deref()
            .is_some_and(|class| class.starts_with(AGENT))
        {
            Stage::Image
        } else {
            match (word, arch) {
                (None, None) => Stage::Ordinary,
                // PXE ROMs of before RFC 4578 do not say: they are BIOS.
                (Some(BootWord::Pxe), None) => Stage::Firmware(Architecture::X86Bios),
                (Some(BootWord::Http), None) => Stage::Firmware(Architecture::X64Http),
                (_, Some(arch)) => Stage::Firmware(arch),
            }
        };
        Self { stage, arch, word }
    }

    /// True for clients that a boot server beside another DHCP server has something for.
    pub(super) const fn wants_boot_file(&self) -> bool {
        matches!(self.stage, Stage::Firmware(_) | Stage::Ipxe)
    }

    pub(super) const fn is_bios(&self) -> bool {
        matches!(self.stage, Stage::Firmware(Architecture::X86Bios))
    }
}

/// Of several architectures the first that there is a loader for; else the first.
fn architecture(packet: &Message, word: Option<BootWord>, loaders: &LoaderTable) -> Option<Architecture> {
    let read = |code: u16| match (Architecture::from_code(code), word) {
        // The word says how it loads, whatever the number says.
        (Architecture::X64Uefi, Some(BootWord::Http)) => Architecture::X64Http,
        (Architecture::Arm64Uefi, Some(BootWord::Http)) => Architecture::Arm64Http,
        (arch, _) => arch,
    };
    let mut all = packet.architectures.iter().map(|arch| read(arch.0));
    all.clone()
        .find(|arch| loaders.get(*arch).is_some())
        .or_else(|| all.next())
        .or_else(|| packet.architecture().map(|arch| read(arch.0)))
}

#[cfg(test)]
mod tests {
    use muster_facts::MacAddr;
    use muster_wire::dhcp::{self, MessageType};

    use super::*;

    fn client(change: impl FnOnce(&mut Message)) -> Stage {
        let mut packet = Message::request(MessageType::Discover, 1, MacAddr([2, 0, 0, 0, 0, 1]));
        change(&mut packet);
        Client::of(&packet, &LoaderTable::default()).stage
    }

    #[test]
    fn clients_are_told_apart() {
        let class = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(client(|_| {}), Stage::Ordinary);
        assert_eq!(client(|p| p.vendor_class = class("muster-agent")), Stage::Image);
        assert_eq!(client(|p| p.vendor_class = class("udhcp 1.36")), Stage::Ordinary);
        assert_eq!(
            client(|p| p.vendor_class = class("PXEClient")),
            Stage::Firmware(Architecture::X86Bios)
        );
        assert_eq!(
            client(|p| p.vendor_class = class("PXEClient:Arch:00007:UNDI:003000")),
            Stage::Firmware(Architecture::X64Uefi)
        );
        assert_eq!(
            client(|p| {
                p.vendor_class = class("HTTPClient:Arch:00016:UNDI:003000");
                p.architectures = vec![dhcp::Architecture(16)];
            }),
            Stage::Firmware(Architecture::X64Http)
        );
        // Several: the first one we can serve.
        assert_eq!(
            client(|p| {
                p.vendor_class = class("PXEClient");
                p.architectures = vec![dhcp::Architecture(27), dhcp::Architecture(11)];
            }),
            Stage::Firmware(Architecture::Arm64Uefi)
        );
        assert_eq!(
            client(|p| {
                p.vendor_class = class("PXEClient:Arch:00000:UNDI:002001");
                p.user_class = class("iPXE");
            }),
            Stage::Ipxe
        );
    }
}
