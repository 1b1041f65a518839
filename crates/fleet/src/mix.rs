use std::str::FromStr;

use crate::{Firmware, Stage};

/// Something wrong with one machine, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// None.
    None,
    /// Every DHCP packet is sent twice.
    Doubles,
    /// The first answer to each question is lost.
    Loses,
    /// Sends garbage to the DHCP port between its packets.
    Garbage,
    /// Its board says `Default string` wherever a serial belongs, and has no UUID.
    JunkIdentity,
    /// Boots a second time after it has reported.
    Returns,
    /// Boots a second time with another NIC in the same slot.
    SwapsNic,
    /// Sends facts of a wrong shape, with a wrong token, and too large, before the right ones.
    BadReports,
    /// Its loader hands back to the firmware, over and over; it never reports.
    Loops,
    /// Cannot reach the server by HTTP; it never reports.
    NoHttp,
    /// Hangs once the collection image has its address; it never reports.
    Stalls,
}

impl Fault {
    /// How far a machine with this trouble comes when the server does everything right.
    #[must_use]
    pub const fn ends_at(self) -> Stage {
        match self {
            Self::Loops => Stage::Loader,
            Self::NoHttp => Stage::Script,
            Self::Stalls => Stage::Report,
            _ => Stage::Reported,
        }
    }

    const NAMES: [(&'static str, Self); 11] = [
        ("none", Self::None),
        ("doubles", Self::Doubles),
        ("loses", Self::Loses),
        ("garbage", Self::Garbage),
        ("junk-identity", Self::JunkIdentity),
        ("returns", Self::Returns),
        ("swaps-nic", Self::SwapsNic),
        ("bad-reports", Self::BadReports),
        ("loops", Self::Loops),
        ("no-http", Self::NoHttp),
        ("stalls", Self::Stalls),
    ];
}

/// How many parts of each kind: `bios=2,uefi=6,http=1,ipxe=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix<T>(Vec<(T, u32)>);

/// Why a mix cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixParseError {
    /// A word that names nothing.
    #[error("`{word}` is none of {known}")]
    Unknown {
        /// The word.
        word: String,
        /// The words there are.
        known: String,
    },
    /// A part that is no number.
    #[error("`{0}` is no whole number of parts; write for example bios=2,uefi=6")]
    Parts(String),
    /// No parts at all.
    #[error("a mix needs at least one part")]
    Empty,
}

impl<T: Copy> Mix<T> {
    /// The kind of machine number `index`: the parts repeat in order, so that any prefix of the fleet
    /// has about the whole mix.
    #[must_use]
    pub fn pick(&self, index: u32) -> T {
        let total: u32 = self.0.iter().map(|(_, parts)| parts).sum();
        // A step that has no divisor in common with small totals spreads the kinds.
        let mut at = (u64::from(index) * 7919 % u64::from(total.max(1))) as u32;
        for (kind, parts) in &self.0 {
            if at < *parts {
                return *kind;
            }
            at -= parts;
        }
        self.0[0].0
    }

    fn parse(text: &str, names: &[(&'static str, T)]) -> Result<Self, MixParseError> {
        let mut parts = Vec::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (word, count) = part.split_once('=').unwrap_or((part, "1"));
            let Some((_, kind)) = names.iter().find(|(name, _)| *name == word.trim()) else {
                return Err(MixParseError::Unknown {
                    word: word.trim().to_owned(),
                    known: names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
                });
            };
            let count: u32 = count
                .trim()
                .parse()
                .ok()
                .filter(|count| *count < 1_000_000)
                .ok_or_else(|| MixParseError::Parts(count.trim().to_owned()))?;
            parts.push((*kind, count));
        }
        if parts.iter().all(|(_, count)| *count == 0) {
            return Err(MixParseError::Empty);
        }
        Ok(Self(parts))
    }
}

impl FromStr for Mix<Fault> {
    type Err = MixParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, &Fault::NAMES)
    }
}

impl FromStr for Mix<Firmware> {
    type Err = MixParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, &Firmware::NAMES)
    }
}

impl Default for Mix<Fault> {
    fn default() -> Self {
        Self(vec![(Fault::None, 1)])
    }
}

impl Default for Mix<Firmware> {
    fn default() -> Self {
        Self(vec![
            (Firmware::BiosIpxe, 2),
            (Firmware::Bios, 2),
            (Firmware::Uefi, 5),
            (Firmware::UefiHttp, 1),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_kept_over_any_stretch() {
        let mix: Mix<Firmware> = "bios=1, uefi=3".parse().unwrap();
        let uefi = (0..400).filter(|i| mix.pick(*i) == Firmware::Uefi).count();
        assert_eq!(uefi, 300);
    }

    #[test]
    fn a_wrong_mix_says_what_there_is() {
        let error = "uefi=1,efi=2".parse::<Mix<Firmware>>().unwrap_err().to_string();
        assert!(error.contains("`efi`") && error.contains("uefi-http"), "{error}");
        assert_eq!("bios=x".parse::<Mix<Firmware>>(), Err(MixParseError::Parts("x".into())));
        assert_eq!("none=0".parse::<Mix<Fault>>(), Err(MixParseError::Empty));
    }
}
