use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An EUI-48 address, shown as `52:54:00:77:00:01`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

/// Why a text is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacParseError(String);

impl fmt::Display for MacParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a MAC address; write six hex pairs such as 52:54:00:77:00:01",
            self.0
        )
    }
}

impl std::error::Error for MacParseError {}

impl MacAddr {
    /// True for all zeros, broadcast, and multicast addresses: these name no interface.
    #[must_use]
    pub const fn is_unusable(self) -> bool {
        self.0[0] & 1 == 1 || matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// True when the address was made up by software (the locally administered bit).
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 == 2
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = MacParseError;

    /// Accepts `52:54:00:77:00:01`, `52-54-00-77-00-01`, `5254.0077.0001` and `525400770001`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || MacParseError(text.chars().take(40).collect());
        let trimmed = text.trim();
        let shape: String = trimmed
            .chars()
            .map(|c| if c.is_ascii_hexdigit() { 'h' } else { c })
            .collect();
        if ![
            "hh:hh:hh:hh:hh:hh",
            "hh-hh-hh-hh-hh-hh",
            "hhhh.hhhh.hhhh",
            "hhhhhhhhhhhh",
        ]
        .contains(&shape.as_str())
        {
            return Err(refused());
        }
        let digits: String = trimmed.chars().filter(char::is_ascii_hexdigit).collect();
        let value = u64::from_str_radix(&digits, 16).map_err(|_| refused())?;
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        Ok(Self([a, b, c, d, e, f]))
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_four_written_forms() {
        let mac = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);
        for text in [
            "52:54:00:77:00:01",
            "52-54-00-77-00-01",
            "5254.0077.0001",
            "525400770001",
            " 52:54:00:77:00:01\n",
        ] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "52:54:00:77:00:01");
    }

    #[test]
    fn refuses_what_is_no_mac() {
        for text in [
            "",
            "52:54",
            "52:54:00:77:00:0g",
            "52:54:00:77:00:01:02",
            "52:5400:77:00:01",
            "ä2:54:00:77:00:01",
        ] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
    }
}
