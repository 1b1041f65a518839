use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Pattern, Piece};
use crate::inventory::{HostId, State};

/// What a search asks of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// All of them; every host when there are none.
    All(Vec<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// What does not meet it; also a host of which nothing is known there.
    Not(Box<Self>),
    /// One condition.
    Term(Term),
}

impl Expression {
    /// The expression as it is asked at `now`, from which ages count.
    #[must_use]
    pub const fn at(self, now: DateTime<Utc>) -> Search {
        Search { expression: self, now }
    }

    /// Whether every host meets it because it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }
}

/// An expression asked at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What is asked.
    pub expression: Expression,
    /// When.
    pub now: DateTime<Utc>,
}

/// One condition. What a host does not tell meets no condition, but that it is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// Text somewhere in name, maker, product, serial, UUID, architecture, processor, id, MACs or address.
    Anywhere(Vec<Piece>),
    /// A text of the host's row.
    Text(TextField, Pattern),
    /// A number of the host's row.
    Amount(AmountField, Relation, u64),
    /// A time of the host's row.
    Time(TimeField, When),
    /// The host's state is one of these.
    State(Vec<State>),
    /// The host of this id.
    Id(HostId),
    /// The address it used last.
    Address(AddressTest),
    /// One of its interfaces has such a MAC.
    Mac(Pattern),
    /// What is wanted of it, by the values in force.
    Label(LabelField, Pattern),
    /// One of its parts that are there.
    Part(PartField, Pattern),
    /// Something that a host has or has not.
    Has(Feature),
}

/// Texts of the host's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// Desired name.
    Name,
    /// Maker.
    Vendor,
    /// Product.
    Product,
    /// Product serial.
    Serial,
    /// System UUID.
    Uuid,
    /// `x86_64`, `aarch64`.
    Architecture,
    /// `bios` or `uefi`.
    Firmware,
    /// Processor model.
    Cpu,
    /// `ID` of the installed system's os-release.
    Os,
    /// `VERSION_ID` of the installed system's os-release.
    OsVersion,
    /// Verdict code of the last boot.
    Boot,
}

/// Numbers of the host's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountField {
    /// Installed memory, bytes.
    Memory,
    /// Sum of all disks, bytes.
    Disk,
    /// Physical cores.
    Cores,
    /// Number of disks.
    Disks,
    /// Number of interfaces.
    Nics,
}

/// Times of the host's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeField {
    /// The last packet, request or report.
    Seen,
    /// When it became known.
    Created,
    /// The last report of facts.
    Reported,
    /// When the last boot began.
    Booted,
}

/// How a number compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Is,
    /// Larger.
    Above,
    /// Larger or the same.
    AtLeast,
    /// Smaller.
    Below,
    /// Smaller or the same.
    AtMost,
}

/// How a time compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Longer ago than this.
    LongerAgo(TimeDelta),
    /// Not longer ago than this.
    Within(TimeDelta),
    /// Before this.
    Before(DateTime<Utc>),
    /// From this on.
    From(DateTime<Utc>),
    /// From the first on and before the second.
    Between(DateTime<Utc>, DateTime<Utc>),
}

/// What is asked of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressTest {
    /// Between two, both meant too; one address is between itself.
    Between(IpAddr, IpAddr),
    /// As it is written.
    Written(Pattern),
}

/// What is wanted of a host and can be searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelField {
    /// Its profile, or one that this stands on.
    Profile,
    /// What its profile installs.
    Distro,
    /// Words to find it by.
    Tag,
    /// Who answers for it.
    Owner,
    /// Where it stands.
    Place,
    /// The first part of where it stands.
    Site,
    /// The template variable `role`, or a tag `role=…`: rules give tags, people and profiles either.
    Role,
    /// A template variable.
    Var(String),
}

/// Parts of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartField {
    /// PCI id of a graphics or compute card.
    Gpu,
    /// Serial of a disk, memory module, processor or card.
    Serial,
    /// Switch and port that an interface is wired to, by LLDP.
    Switch,
}

/// What a host has or has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// A graphics or compute card.
    Gpu,
    /// A disk.
    Disk,
    /// A desired name.
    Name,
    /// A profile.
    Profile,
    /// An address that it used.
    Address,
    /// A report of facts.
    Report,
    /// An agent that the server knows.
    Agent,
    /// Something that a person should look at.
    Trouble,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Self; 8] = [
        Self::Gpu,
        Self::Disk,
        Self::Name,
        Self::Profile,
        Self::Address,
        Self::Report,
        Self::Agent,
        Self::Trouble,
    ];

    /// The word that is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Disk => "disk",
            Self::Name => "name",
            Self::Profile => "profile",
            Self::Address => "address",
            Self::Report => "report",
            Self::Agent => "agent",
            Self::Trouble => "trouble",
        }
    }
}
