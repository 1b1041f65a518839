use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::UnknownWord;

/// Who told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The collection image.
    Netboot,
    /// The agent on an installed machine.
    Agent,
    /// The SSH collector.
    Ssh,
    /// Salt.
    Salt,
    /// Puppet.
    Puppet,
    /// A BMC's Redfish service.
    Redfish,
    /// A workbook or another system.
    Import,
    /// A person, by page, API or command line.
    Person,
    /// A rule on facts.
    Rule,
}

impl Source {
    const ALL: [Self; 9] = [
        Self::Netboot,
        Self::Agent,
        Self::Ssh,
        Self::Salt,
        Self::Puppet,
        Self::Redfish,
        Self::Import,
        Self::Person,
        Self::Rule,
    ];

    /// The word used in tables, API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Netboot => "netboot",
            Self::Agent => "agent",
            Self::Ssh => "ssh",
            Self::Salt => "salt",
            Self::Puppet => "puppet",
            Self::Redfish => "redfish",
            Self::Import => "import",
            Self::Person => "person",
            Self::Rule => "rule",
        }
    }
}

impl FromStr for Source {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "source",
                word: text.to_owned(),
            })
    }
}
