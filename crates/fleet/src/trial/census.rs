use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use super::LedgerHost;

/// How many names of one kind are shown.
const SHOWN: usize = 5;

/// What the ledger holds, compared with what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Hosts in the ledger.
    pub hosts: usize,
    /// Acknowledged hosts that are there, with their serial.
    pub found: usize,
    /// Acknowledged hosts that are not there.
    pub missing: Vec<String>,
    /// Acknowledged hosts that are there with another serial, or none.
    pub wrong: Vec<String>,
    /// Serials that more hosts have than were acknowledged with it.
    pub doubled: Vec<String>,
}

impl Census {
    /// Compares the ledger with acknowledged reports: the host's id and the serial it reported.
    pub fn take<'a>(acknowledged: impl IntoIterator<Item = (&'a str, &'a str)>, hosts: &[LedgerHost]) -> Self {
        let by_id: HashMap<&str, &LedgerHost> = hosts.iter().map(|host| (host.id.as_str(), host)).collect();
        let mut census = Self {
            hosts: hosts.len(),
            ..Self::default()
        };
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for (id, serial) in acknowledged {
            *expected.entry(serial).or_default() += 1;
            match by_id.get(id) {
                None => census.missing.push(format!("{id} ({serial})")),
                Some(host) if host.serial.as_deref() == Some(serial) => census.found += 1,
                Some(host) => census.wrong.push(format!("{id} ({serial}, there {:?})", host.serial)),
            }
        }
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        for serial in hosts.iter().filter_map(|host| host.serial.as_deref()) {
            *held.entry(serial).or_default() += 1;
        }
        for (serial, count) in &expected {
            if held.get(serial).is_some_and(|held| held > count) {
                census.doubled.push((*serial).to_owned());
            }
        }
        census
    }

    /// True when everything acknowledged is there exactly once.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty() && self.doubled.is_empty()
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ledger has {} hosts; {} acknowledged ones are there with their serial, {} missing, {} wrong, {} doubled",
            self.hosts,
            self.found,
            self.missing.len(),
            self.wrong.len(),
            self.doubled.len()
        )?;
        for (what, names) in [
            ("missing", &self.missing),
            ("wrong", &self.wrong),
            ("doubled", &self.doubled),
        ] {
            for name in names.iter().take(SHOWN) {
                write!(f, "\n{what}: {name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(id: &str, serial: Option<&str>) -> LedgerHost {
        LedgerHost {
            id: id.to_owned(),
            serial: serial.map(str::to_owned),
            state: "inventoried".to_owned(),
        }
    }

    #[test]
    fn each_kind_of_loss_is_told_apart() {
        let hosts = [
            host("a", Some("A1")),
            host("b", None),
            host("d", Some("A1")),
            host("e", Some("Default string")),
            host("f", Some("Default string")),
        ];
        let acknowledged = [
            ("a", "A1"),
            ("b", "B1"),
            ("c", "C1"),
            ("e", "Default string"),
            ("f", "Default string"),
        ];
        let census = Census::take(acknowledged, &hosts);
        assert_eq!((census.hosts, census.found), (5, 3));
        assert_eq!(census.missing, ["c (C1)"]);
        assert_eq!(census.wrong.len(), 1);
        assert_eq!(census.doubled, ["A1"]);
        assert!(!census.is_whole());
        assert!(Census::take([("a", "A1")], &hosts[..1]).is_whole());
    }
}
