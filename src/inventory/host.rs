use std::{fmt, net::IpAddr, str::FromStr};

use chrono::{DateTime, Utc};
use muster_facts::BootMode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Health;

/// Names one host for ever; time-ordered (UUID version 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostId(pub Uuid);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HostId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where a host is in its life. Only `inventory::lifecycle` moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Seen on the network, has not reported.
    Discovered,
    /// Has reported its hardware.
    Inventoried,
    /// Has a profile.
    Assigned,
    /// An installation runs.
    Installing,
    /// Installed and reporting.
    Active,
    /// Its last installation failed.
    Failed,
    /// Taken out of service by a person.
    Maintenance,
    /// Gone; kept for its history.
    Retired,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Discovered,
        Self::Inventoried,
        Self::Assigned,
        Self::Installing,
        Self::Active,
        Self::Failed,
        Self::Maintenance,
        Self::Retired,
    ];

    /// True while a profile that is given or taken moves a host.
    #[must_use]
    pub const fn is_before_installation(self) -> bool {
        matches!(self, Self::Discovered | Self::Inventoried | Self::Assigned)
    }

    /// The word used in tables, API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Inventoried => "inventoried",
            Self::Assigned => "assigned",
            Self::Installing => "installing",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Maintenance => "maintenance",
            Self::Retired => "retired",
        }
    }
}

/// A word that names no known value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {what}")]
pub struct UnknownWord {
    /// What was expected, e.g. `state`.
    pub what: &'static str,
    /// The word found.
    pub word: String,
}

impl FromStr for State {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "state",
                word: text.to_owned(),
            })
    }
}

/// One physical or virtual machine, however we learned of it: the row that lists and searches read.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name in this ledger, for ever.
    pub id: HostId,
    /// Desired name, given by a person or a rule.
    pub name: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// When we first learned of it.
    pub created_at: DateTime<Utc>,
    /// The last packet, request or report.
    pub last_seen_at: DateTime<Utc>,
    /// The last accepted facts report.
    pub reported_at: Option<DateTime<Utc>>,
    /// The last sign of life of its agent; none without one.
    pub heard_at: Option<DateTime<Utc>>,
    /// The last address we gave it or saw it use.
    pub address: Option<IpAddr>,
    /// What the facts say, cut down to what lists show and search.
    pub summary: Summary,
    /// The last boot: verdict code of `boot::diagnose`, kept for lists.
    pub boot_verdict: Option<String>,
    /// When the last boot began.
    pub booted_at: Option<DateTime<Utc>>,
    /// Hosts this one may be the same as: a person resolves it.
    pub ambiguous_with: Vec<HostId>,
}

impl Host {
    /// A host heard of for the first time, of which nothing else is known.
    #[must_use]
    pub fn discovered(id: HostId, at: DateTime<Utc>) -> Self {
        Self {
            id,
            name: None,
            state: State::Discovered,
            created_at: at,
            last_seen_at: at,
            reported_at: None,
            heard_at: None,
            address: None,
            summary: Summary::default(),
            boot_verdict: None,
            booted_at: None,
            ambiguous_with: Vec::new(),
        }
    }

    /// Whether it gives signs of life.
    #[must_use]
    pub fn health(&self, now: DateTime<Utc>) -> Option<Health> {
        Health::of(self.state, self.heard_at, now)
    }

    /// When anything was heard of it last; none of one that a person entered and nobody has heard of yet.
    #[must_use]
    pub fn seen_at(&self) -> Option<DateTime<Utc>> {
        let heard = self.reported_at.is_some() || self.booted_at.is_some() || self.last_seen_at > self.created_at;
        heard.then_some(self.last_seen_at)
    }
}

/// Indexed columns taken from the facts when they are saved.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Maker.
    pub vendor: Option<String>,
    /// Product.
    pub product: Option<String>,
    /// Product serial, also a junk one (shown as it is; identity judges it).
    pub serial: Option<String>,
    /// System UUID, canonical lower case.
    pub uuid: Option<String>,
    /// `x86_64`, `aarch64`.
    pub architecture: Option<String>,
    /// How it boots.
    pub boot_mode: Option<BootMode>,
    /// Processor model.
    pub cpu_model: Option<String>,
    /// Physical cores of all sockets.
    pub cores: Option<u32>,
    /// Installed memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Sum of all disks, bytes.
    pub disk_bytes: Option<u64>,
    /// Number of disks.
    pub disks: Option<u32>,
    /// Number of interfaces.
    pub nics: Option<u32>,
    /// `ID` of the installed system's os-release, lower case; none of a machine that no installed system reported of.
    pub os: Option<String>,
    /// `VERSION_ID` of the installed system's os-release.
    pub os_version: Option<String>,
}
