use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use serde::{Deserialize, Serialize};

use super::{HostId, UnknownWord};

/// A NIC, by MAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Whose it is now.
    pub host: HostId,
    /// Permanent address: unique in the ledger.
    pub mac: MacAddr,
    /// Kernel name when last reported.
    pub name: Option<String>,
    /// Driver.
    pub driver: Option<String>,
    /// Mbit/s, when there was a link.
    pub speed_mbps: Option<u32>,
    /// `switch port` heard by LLDP, as shown.
    pub neighbour: Option<String>,
    /// False when the last facts no longer list it.
    pub present: bool,
    /// Last packet or report with this MAC.
    pub last_seen_at: DateTime<Utc>,
}

/// Kind of component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentKind {
    /// A processor.
    Cpu,
    /// A memory module.
    Dimm,
    /// A disk.
    Disk,
    /// A graphics or compute card.
    Gpu,
}

impl ComponentKind {
    const ALL: [Self; 4] = [Self::Cpu, Self::Dimm, Self::Disk, Self::Gpu];

    /// The word used in tables, API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Dimm => "dimm",
            Self::Disk => "disk",
            Self::Gpu => "gpu",
        }
    }
}

impl std::str::FromStr for ComponentKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "kind of component",
                word: text.to_owned(),
            })
    }
}

/// A disk, DIMM, CPU or card by its own serial or slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Whose it is.
    pub host: HostId,
    /// What it is.
    pub kind: ComponentKind,
    /// Stable key within the host and kind: serial, else WWN, else slot or bus address.
    pub key: String,
    /// Slot or kernel name, as shown.
    pub slot: Option<String>,
    /// Maker.
    pub vendor: Option<String>,
    /// Model or part number.
    pub model: Option<String>,
    /// Serial.
    pub serial: Option<String>,
    /// Bytes, for disks and DIMMs.
    pub size_bytes: Option<u64>,
    /// False when the last facts no longer list it.
    pub present: bool,
}
