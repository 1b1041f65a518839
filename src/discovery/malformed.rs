//! What arrives and is nothing: counted, told once per sender, forgotten.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddrV4},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;

use super::Discovery;

/// Senders remembered; a flood from forged addresses makes the list start again.
const MAX_SENDERS: usize = 4096;

/// What it was meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Protocol {
    Dhcp,
    Tftp,
    Report,
}

impl Protocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dhcp => "dhcp",
            Self::Tftp => "tftp",
            Self::Report => "report",
        }
    }
}

/// Malformed since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MalformedCounts {
    /// Datagrams on DHCP ports.
    pub dhcp: u64,
    /// Datagrams on the TFTP port.
    pub tftp: u64,
    /// Reports of machines: of a wrong shape, too large, or with a token that nobody was given.
    pub reports: u64,
}

/// How many there were, and who has been told of.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    dhcp: AtomicU64,
    tftp: AtomicU64,
    reports: AtomicU64,
    told: Mutex<HashSet<(Protocol, IpAddr)>>,
}

impl Malformed {
    /// Counts one; true when this sender has not been told of yet.
    fn is_first(&self, protocol: Protocol, from: IpAddr) -> bool {
        let counter = match protocol {
            Protocol::Dhcp => &self.dhcp,
            Protocol::Tftp => &self.tftp,
            Protocol::Report => &self.reports,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_SENDERS && !told.contains(&(protocol, from)) {
            told.clear();
        }
        told.insert((protocol, from))
    }

    fn counts(&self) -> MalformedCounts {
        MalformedCounts {
            dhcp: self.dhcp.load(Ordering::Relaxed),
            tftp: self.tftp.load(Ordering::Relaxed),
            reports: self.reports.load(Ordering::Relaxed),
        }
    }
}

impl Discovery {
    /// A datagram on a DHCP port that is no DHCP message.
    pub fn dhcp_malformed(&self, from: SocketAddrV4, interface: &str, why: &str) {
        self.malformed(Protocol::Dhcp, IpAddr::V4(*from.ip()), Some(interface), why);
    }

    /// A datagram on the TFTP port that is no read request.
    pub fn tftp_malformed(&self, from: SocketAddrV4, why: &str) {
        self.malformed(Protocol::Tftp, IpAddr::V4(*from.ip()), None, why);
    }

    /// A report by HTTP that is none: of a wrong shape, too large, or without a right.
    pub fn report_malformed(&self, from: IpAddr, why: &str) {
        self.malformed(Protocol::Report, from, None, why);
    }

    /// Malformed datagrams and reports since the start.
    #[must_use]
    pub fn malformed_counts(&self) -> MalformedCounts {
        self.inner.malformed.counts()
    }

    fn malformed(&self, protocol: Protocol, from: IpAddr, interface: Option<&str>, why: &str) {
        if self.inner.malformed.is_first(protocol, from) {
            tracing::warn!(
                protocol = protocol.as_str(),
                %from,
                interface,
                why,
                "malformed input; more of this sender is only counted"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_of_once_and_memory_is_bounded() {
        let malformed = Malformed::default();
        let sender = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(malformed.is_first(Protocol::Dhcp, sender(1)));
        assert!(!malformed.is_first(Protocol::Dhcp, sender(1)));
        assert!(malformed.is_first(Protocol::Tftp, sender(1)));
        for n in 0..100_000 {
            malformed.is_first(Protocol::Report, sender(n));
        }
        assert!(malformed.told.lock().unwrap().len() <= MAX_SENDERS);
        let counts = malformed.counts();
        assert_eq!((counts.dhcp, counts.tftp, counts.reports), (2, 1, 100_000));
    }
}
