//! Datagrams that are nothing: counted, told once per sender, forgotten.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddrV4},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Discovery;

/// Senders remembered; a flood from forged addresses makes the list start again.
const MAX_SENDERS: usize = 4096;

/// Malformed datagrams since the start, and who has been told of.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    count: AtomicU64,
    told: Mutex<HashSet<(&'static str, IpAddr)>>,
}

impl Malformed {
    /// Counts one; true when this sender has not been told of yet.
    fn is_first(&self, protocol: &'static str, from: IpAddr) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_SENDERS && !told.contains(&(protocol, from)) {
            told.clear();
        }
        told.insert((protocol, from))
    }
}

impl Discovery {
    /// A datagram on a DHCP port that is no DHCP message.
    pub fn dhcp_malformed(&self, from: SocketAddrV4, interface: &str, why: &str) {
        self.malformed("dhcp", from, Some(interface), why);
    }

    /// A datagram on the TFTP port that is no read request.
    pub fn tftp_malformed(&self, from: SocketAddrV4, why: &str) {
        self.malformed("tftp", from, None, why);
    }

    /// Malformed datagrams since the start.
    #[must_use]
    pub fn malformed_count(&self) -> u64 {
        self.inner.malformed.count.load(Ordering::Relaxed)
    }

    fn malformed(&self, protocol: &'static str, from: SocketAddrV4, interface: Option<&str>, why: &str) {
        if self.inner.malformed.is_first(protocol, IpAddr::V4(*from.ip())) {
            tracing::warn!(
                protocol,
                %from,
                interface,
                why,
                "malformed datagram; further ones of this sender are only counted"
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
        assert!(malformed.is_first("dhcp", sender(1)));
        assert!(!malformed.is_first("dhcp", sender(1)));
        assert!(malformed.is_first("tftp", sender(1)));
        for n in 0..100_000 {
            malformed.is_first("dhcp", sender(n));
        }
        assert!(malformed.told.lock().unwrap().len() <= MAX_SENDERS);
        assert_eq!(malformed.count.load(Ordering::Relaxed), 100_003);
    }
}
