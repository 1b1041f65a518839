use std::collections::{HashMap, HashSet};

use super::Key;
use crate::inventory::HostId;

/// Hosts by their keys and keys by their hosts, kept in memory.
#[derive(Debug, Clone, Default)]
pub struct KeyIndex {
    holders: HashMap<Key, Vec<HostId>>,
    keys: HashMap<HostId, Vec<Key>>,
    reported: HashSet<HostId>,
}

impl KeyIndex {
    /// An index of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all keys of one host by those of its report.
    pub fn set(&mut self, host: HostId, keys: Vec<Key>) {
        self.enter(host, keys, true);
    }

    /// Replaces all keys of one host by those kept of it; `reported` says whether it ever reported its hardware.
    pub fn enter(&mut self, host: HostId, keys: Vec<Key>, reported: bool) {
        self.remove(host);
        for key in &keys {
            self.holders.entry(key.clone()).or_default().push(host);
        }
        self.keys.insert(host, keys);
        if reported {
            self.reported.insert(host);
        }
    }

    /// Adds one key to a host, seen on the network: an interface that asked for an address, the UUID of option 97.
    /// A host that has only such keys is a stub.
    pub fn add(&mut self, host: HostId, key: Key) {
        let keys = self.keys.entry(host).or_default();
        if !keys.contains(&key) {
            keys.push(key.clone());
            self.holders.entry(key).or_default().push(host);
        }
    }

    /// Forgets a host.
    pub fn remove(&mut self, host: HostId) {
        self.reported.remove(&host);
        for key in self.keys.remove(&host).unwrap_or_default() {
            if let Some(holders) = self.holders.get_mut(&key) {
                holders.retain(|holder| *holder != host);
                if holders.is_empty() {
                    self.holders.remove(&key);
                }
            }
        }
    }

    /// The hosts that carry a key.
    #[must_use]
    pub fn holders(&self, key: &Key) -> &[HostId] {
        self.holders.get(key).map_or(&[], Vec::as_slice)
    }

    /// The keys of a host.
    #[must_use]
    pub fn keys(&self, host: HostId) -> &[Key] {
        self.keys.get(&host).map_or(&[], Vec::as_slice)
    }

    /// True for a host that was seen on the network and has never reported its hardware.
    #[must_use]
    pub fn is_stub(&self, host: HostId) -> bool {
        !self.reported.contains(&host)
    }
}
