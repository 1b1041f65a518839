use std::{net::Ipv4Addr, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use ipnet::Ipv4Net;
use muster_facts::MacAddr;
use serde::{Deserialize, Serialize};

use crate::inventory::UnknownWord;

/// What Muster does for the clients of one subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Answers nobody; records every PXE client and every other DHCP server.
    #[default]
    Observe,
    /// Gives boot information beside an existing DHCP server (`ProxyDHCP`).
    Proxy,
    /// Addresses for known hosts only.
    Reserved,
    /// Addresses for everybody.
    Pool,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Observe, Self::Proxy, Self::Reserved, Self::Pool];

    /// The word used in settings, API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Proxy => "proxy",
            Self::Reserved => "reserved",
            Self::Pool => "pool",
        }
    }

    /// True when Muster gives addresses here.
    #[must_use]
    pub const fn gives_addresses(self) -> bool {
        matches!(self, Self::Reserved | Self::Pool)
    }
}

impl FromStr for Mode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "DHCP mode",
                word: text.to_owned(),
            })
    }
}

/// First and last address, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address.
    pub last: Ipv4Addr,
}

impl AddressRange {
    /// True when the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Number of addresses.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::from(u32::from(self.last)).saturating_sub(u64::from(u32::from(self.first))) + 1
    }

    /// A range always holds at least one address.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// An address kept for one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Whose.
    pub mac: MacAddr,
    /// Which.
    pub address: Ipv4Addr,
    /// Host name sent with it.
    pub hostname: Option<String>,
}

/// An address range with its DHCP mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Network and prefix.
    pub network: Ipv4Net,
    /// What Muster does here.
    pub mode: Mode,
    /// Dynamic ranges; empty with `observe` and `proxy`.
    pub ranges: Vec<AddressRange>,
    /// Reserved addresses.
    pub reservations: Vec<Reservation>,
    /// Option 3.
    pub router: Option<Ipv4Addr>,
    /// Option 6.
    pub dns: Vec<Ipv4Addr>,
    /// Option 15.
    pub domain: Option<String>,
    /// Option 42.
    pub ntp: Vec<Ipv4Addr>,
    /// Length of a lease.
    pub lease_time: Duration,
}

/// What a lease stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// Acknowledged to the client.
    Bound,
    /// Given back.
    Released,
    /// The client found it in use; kept out of the pool until it ends.
    Declined,
}

impl LeaseState {
    /// The word used in tables and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Released => "released",
            Self::Declined => "declined",
        }
    }
}

impl FromStr for LeaseState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Bound, Self::Released, Self::Declined]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "lease state",
                word: text.to_owned(),
            })
    }
}

/// An address given out; unique by address. Offers are kept in memory only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// Keyed on the hardware address: an installed system's DUID must not move it.
    pub mac: MacAddr,
    /// Option 61 as sent, for the record.
    pub client_id: Option<Vec<u8>>,
    /// Option 12 as sent.
    pub hostname: Option<String>,
    /// What it stands for.
    pub state: LeaseState,
    /// When it was first given to this client.
    pub starts_at: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
}
