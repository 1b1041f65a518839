use std::collections::HashMap;

use super::{Key, KeyKind};
use crate::inventory::HostId;

/// Hosts by their keys and keys by their hosts, kept in memory.
#[derive(Debug, Clone, Default)]
pub struct KeyIndex {
    holders: HashMap<Key, Vec<HostId>>,
    keys: HashMap<HostId, Vec<Key>>,
}

impl KeyIndex {
    /// An index of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all keys of one host.
    pub fn set(&mut self, host: HostId, keys: Vec<Key>) {
        self.remove(host);
        for key in &keys {
            self.holders.entry(key.clone()).or_default().push(host);
        }
        self.keys.insert(host, keys);
    }

    /// Adds one key to a host (an interface seen on the network before its machine has reported).
    pub fn add(&mut self, host: HostId, key: Key) {
        let keys = self.keys.entry(host).or_default();
        if !keys.contains(&key) {
            keys.push(key.clone());
            self.holders.entry(key).or_default().push(host);
        }
    }

    /// Forgets a host.
    pub fn remove(&mut self, host: HostId) {
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

    /// True for a host known by MAC alone: seen on the network, its hardware never reported.
    #[must_use]
    pub fn is_stub(&self, host: HostId) -> bool {
        self.keys(host).iter().all(|key| key.kind == KeyKind::Mac)
    }
}
