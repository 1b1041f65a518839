use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::TimeDelta;
use muster_facts::MacAddr;

use super::Architecture;

/// What a machine boots that we do not know, or know only by its MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UnknownBoots {
    /// The collection image.
    #[default]
    Collect,
    /// Its own disk.
    Local,
}

/// What a machine does when its facts are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AfterFacts {
    /// Stays in the collection image and keeps asking.
    #[default]
    Wait,
    /// Reboots; its next boot is its own disk.
    Reboot,
    /// Powers off.
    PowerOff,
}

impl AfterFacts {
    /// The word of the machine-facing HTTP: `wait`, `reboot`, `poweroff`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Reboot => "reboot",
            Self::PowerOff => "poweroff",
        }
    }
}

/// Boot loader by firmware, as a file of the loader folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderTable(BTreeMap<Architecture, String>);

impl Default for LoaderTable {
    fn default() -> Self {
        let table = [
            (Architecture::X86Bios, "undionly.kpxe"),
            (Architecture::X86Uefi, "snponly-x86.efi"),
            (Architecture::X64Uefi, "snponly.efi"),
            (Architecture::Arm64Uefi, "snponly-arm64.efi"),
            (Architecture::X64Http, "snponly.efi"),
            (Architecture::Arm64Http, "snponly-arm64.efi"),
        ];
        Self(table.into_iter().map(|(arch, name)| (arch, name.to_owned())).collect())
    }
}

impl LoaderTable {
    /// The loader of one firmware.
    #[must_use]
    pub fn get(&self, arch: Architecture) -> Option<&str> {
        self.0.get(&arch).map(String::as_str)
    }

    /// Sets the loader of one firmware; an empty name takes it away.
    pub fn set(&mut self, arch: Architecture, name: &str) {
        if name.is_empty() {
            self.0.remove(&arch);
        } else {
            self.0.insert(arch, name.to_owned());
        }
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (Architecture, &str)> {
        self.0.iter().map(|(arch, name)| (*arch, name.as_str()))
    }
}

/// A MAC address, or its first bytes and `*`: `52:54:00:aa:*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacPattern {
    first: Vec<u8>,
}

/// A text that is no MAC pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a MAC address nor its beginning and `*`; write it like 52:54:00:aa:*")]
pub struct BadMacPattern(String);

impl MacPattern {
    /// True when the address begins as the pattern does.
    #[must_use]
    pub fn matches(&self, mac: MacAddr) -> bool {
        mac.0.starts_with(&self.first)
    }
}

impl FromStr for MacPattern {
    type Err = BadMacPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || BadMacPattern(text.chars().take(40).collect());
        let (pairs, whole) = match text.strip_suffix(":*").or_else(|| text.strip_suffix("-*")) {
            Some(pairs) => (pairs, false),
            None => (text, true),
        };
        let first = pairs
            .split([':', '-'])
            .map(|pair| {
                let hex = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
                hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
            })
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(refused)?;
        if first.len() > 6 || whole != (first.len() == 6) {
            return Err(refused());
        }
        Ok(Self { first })
    }
}

impl fmt::Display for MacPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.first.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        if self.first.len() < 6 {
            f.write_str(":*")
        } else {
            Ok(())
        }
    }
}

/// What the people who run this server want of machines that boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What an unknown machine boots.
    pub unknown: UnknownBoots,
    /// What a machine does after its report.
    pub after_facts: AfterFacts,
    /// Machines that are never answered.
    pub refuse: Vec<MacPattern>,
    /// Boot loader by firmware.
    pub loaders: LoaderTable,
    /// From boot script to facts.
    pub token_lifetime: TimeDelta,
    /// Added to the kernel command line of the collection image.
    pub kernel_options: String,
    /// How long a menu waits for the person at the console; none is shown when it is not set.
    pub menu: Option<TimeDelta>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            unknown: UnknownBoots::default(),
            after_facts: AfterFacts::default(),
            refuse: Vec::new(),
            loaders: LoaderTable::default(),
            token_lifetime: TimeDelta::minutes(30),
            kernel_options: String::new(),
            menu: None,
        }
    }
}

impl Policy {
    /// The pattern that refuses this machine.
    #[must_use]
    pub fn refused_by(&self, mac: MacAddr) -> Option<&MacPattern> {
        self.refuse.iter().find(|pattern| pattern.matches(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_beginnings() {
        let mac = MacAddr([0x52, 0x54, 0, 0xaa, 1, 2]);
        for (text, matches) in [
            ("52:54:00:aa:*", true),
            ("52:54:*", true),
            ("52:54:00:AA:01:02", true),
            ("52-54-00-aa-01-02", true),
            ("52:54:00:ab:*", false),
        ] {
            let pattern: MacPattern = text.parse().unwrap();
            assert_eq!(pattern.matches(mac), matches, "{text}");
            assert_eq!(pattern.to_string().parse::<MacPattern>().unwrap(), pattern);
        }
        for text in ["", "*", "52:54", "52:54:00:aa:01:02:*", "52:5:*", "+1:*", "zz:*"] {
            assert!(text.parse::<MacPattern>().is_err(), "{text}");
        }
    }
}
