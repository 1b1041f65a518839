use std::{collections::BTreeSet, fmt, str::FromStr};

use muster_facts::{Facts, MacAddr};

use super::junk;
use crate::inventory::UnknownWord;

/// What a value that recognises a host is a value of; strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// SMBIOS system UUID, in whichever byte order it was read.
    SystemUuid,
    /// Product serial with its maker.
    ProductSerial,
    /// Main board serial with its maker.
    BoardSerial,
    /// Chassis serial with its maker.
    ChassisSerial,
    /// MAC of the management controller: it cannot leave the board.
    BmcMac,
    /// Permanent MAC of an interface.
    Mac,
    /// World-wide name of a disk. Shared storage shows the same one to many hosts.
    DiskWwn,
}

impl KeyKind {
    /// Every kind, strongest first.
    pub const ALL: [Self; 7] = [
        Self::SystemUuid,
        Self::ProductSerial,
        Self::BoardSerial,
        Self::ChassisSerial,
        Self::BmcMac,
        Self::Mac,
        Self::DiskWwn,
    ];

    /// The word used in tables, API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SystemUuid => "system_uuid",
            Self::ProductSerial => "product_serial",
            Self::BoardSerial => "board_serial",
            Self::ChassisSerial => "chassis_serial",
            Self::BmcMac => "bmc_mac",
            Self::Mac => "mac",
            Self::DiskWwn => "disk_wwn",
        }
    }

    /// True for what names the machine itself; false for what names a part that can be carried to another machine.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        matches!(
            self,
            Self::SystemUuid | Self::ProductSerial | Self::BoardSerial | Self::ChassisSerial
        )
    }
}

impl FromStr for KeyKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "kind of key",
                word: text.to_owned(),
            })
    }
}

/// One value a host is recognised by. Junk never becomes a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is a value of.
    pub kind: KeyKind,
    /// The value, normalised so that two ways to write it are equal.
    pub value: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.value)
    }
}

impl Key {
    /// The key of an interface; `None` for an address that names none.
    #[must_use]
    pub fn mac(mac: MacAddr) -> Option<Self> {
        Self::of_mac(KeyKind::Mac, mac)
    }

    /// The key of a system UUID; `None` for junk and for what is no UUID.
    ///
    /// SMBIOS before 2.6, some firmware and DHCP option 97 give the first three fields in the other byte order: both
    /// forms make the same key.
    #[must_use]
    pub fn system_uuid(text: &str) -> Option<Self> {
        let uuid: uuid::Uuid = text.trim().parse().ok()?;
        let swapped = uuid::Uuid::from_bytes(uuid.to_bytes_le());
        if junk::uuid(uuid) || junk::uuid(swapped) {
            return None;
        }
        Some(Self {
            kind: KeyKind::SystemUuid,
            value: uuid.min(swapped).to_string(),
        })
    }

    fn of_mac(kind: KeyKind, mac: MacAddr) -> Option<Self> {
        (!junk::mac(mac)).then(|| Self {
            kind,
            value: mac.to_string(),
        })
    }

    fn serial(kind: KeyKind, vendor: Option<&str>, serial: Option<&str>) -> Option<Self> {
        let serial = serial?.trim().to_lowercase();
        if junk::serial(&serial) {
            return None;
        }
        let vendor = vendor.map(|vendor| vendor.trim().to_lowercase()).unwrap_or_default();
        Some(Self {
            kind,
            value: format!("{vendor}/{serial}"),
        })
    }

    fn wwn(wwn: &str) -> Option<Self> {
        let wwn = wwn.trim().to_lowercase();
        (!junk::wwn(&wwn)).then_some(Self {
            kind: KeyKind::DiskWwn,
            value: wwn,
        })
    }
}

/// Every key in the facts, strongest first, without junk and without repetition.
#[must_use]
pub fn keys_of(facts: &Facts) -> Vec<Key> {
    let system = &facts.system;
    let mut keys = BTreeSet::new();
    keys.extend(system.uuid.as_deref().and_then(Key::system_uuid));
    keys.extend(Key::serial(
        KeyKind::ProductSerial,
        system.vendor.as_deref(),
        system.serial.as_deref(),
    ));
    if let Some(board) = &facts.board {
        keys.extend(Key::serial(
            KeyKind::BoardSerial,
            board.vendor.as_deref(),
            board.serial.as_deref(),
        ));
    }
    if let Some(chassis) = &facts.chassis {
        keys.extend(Key::serial(
            KeyKind::ChassisSerial,
            chassis.vendor.as_deref(),
            chassis.serial.as_deref(),
        ));
    }
    let bmc = facts.bmc.as_ref().and_then(|bmc| bmc.mac);
    keys.extend(bmc.and_then(|mac| Key::of_mac(KeyKind::BmcMac, mac)));
    keys.extend(facts.nics.iter().filter_map(|nic| nic.mac).filter_map(Key::mac));
    keys.extend(
        facts
            .disks
            .iter()
            .filter_map(|disk| disk.wwn.as_deref())
            .filter_map(Key::wwn),
    );
    keys.into_iter().collect()
}
