use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Rule;
use crate::inventory::{HostId, UnknownWord, new_id};

/// Names one boot of one machine: the events that share it are its transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootId(pub Uuid);

/// How much a line matters to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// Worth a look.
    Warn,
    /// This stops the boot.
    Fail,
}

impl Level {
    /// The word used in tables and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Info, Self::Warn, Self::Fail]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "level",
                word: text.to_owned(),
            })
    }
}

/// One thing that happened to a host or MAC. Its words are made by the page from `kind`, `rule` and `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Time-ordered id (UUID version 7).
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// The interface, when one is known.
    pub mac: Option<MacAddr>,
    /// The host, when one is known.
    pub host: Option<HostId>,
    /// The boot it belongs to.
    pub boot: Option<BootId>,
    /// What happened: catalogue key `event.<kind>`.
    pub kind: EventKind,
    /// How much it matters.
    pub level: Level,
    /// The rule that decided, when something was decided: catalogue key `rule.<rule>`.
    pub rule: Option<String>,
    /// Values for the words: `address`, `file`, `bytes`, `server`, `why`…. Never a secret.
    pub params: BTreeMap<String, String>,
}

/// Parameters of an event, from pairs of name and value.
#[must_use]
pub fn params<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

impl Event {
    /// An event of one interface, with an id of its own; host and boot are filled in when it is noted.
    #[must_use]
    pub fn new(at: DateTime<Utc>, mac: MacAddr, kind: EventKind, level: Level) -> Self {
        Self {
            id: new_id(at),
            at,
            mac: Some(mac),
            host: None,
            boot: None,
            kind,
            level,
            rule: None,
            params: BTreeMap::new(),
        }
    }

    /// With the rule that decided.
    #[must_use]
    pub fn by(mut self, rule: Rule) -> Self {
        self.rule = Some(rule.as_str().to_owned());
        self
    }

    /// With one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind { $($(#[$doc])* $name),* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word used in tables, API and catalogue keys.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

event_kinds! {
    /// A client looks for a server.
    DhcpDiscover = "dhcp_discover",
    /// We offered an address.
    DhcpOffer = "dhcp_offer",
    /// We offered boot information beside another server.
    ProxyOffer = "proxy_offer",
    /// A client asks for an address.
    DhcpRequest = "dhcp_request",
    /// We gave an address (or boot information by 4011).
    DhcpAck = "dhcp_ack",
    /// We refused an address.
    DhcpNak = "dhcp_nak",
    /// We did not answer, by rule.
    DhcpSilence = "dhcp_silence",
    /// A client found the address in use.
    DhcpDecline = "dhcp_decline",
    /// A client gave its address back.
    DhcpRelease = "dhcp_release",
    /// A client with an address asked for settings.
    DhcpInform = "dhcp_inform",
    /// A client took another server's offer.
    DhcpOtherServer = "dhcp_other_server",
    /// A file was asked for by TFTP.
    TftpRequest = "tftp_request",
    /// A TFTP transfer ended well.
    TftpDone = "tftp_done",
    /// A TFTP transfer ended badly.
    TftpFailed = "tftp_failed",
    /// A boot script was asked for and answered.
    BootScript = "boot_script",
    /// A file was fetched by HTTP.
    HttpFile = "http_file",
    /// A request by HTTP was refused.
    HttpRefused = "http_refused",
    /// The collection image says what it does.
    ImageProgress = "image_progress",
    /// Facts were accepted.
    FactsAccepted = "facts_accepted",
    /// Facts were refused.
    FactsRefused = "facts_refused",
    /// We told the machine what to do next.
    NextTold = "next_told",
    /// A host was entered in the ledger.
    HostCreated = "host_created",
    /// A machine was recognised as a host we know.
    HostRecognised = "host_recognised",
    /// A person started an installation.
    InstallStarted = "install_started",
    /// An answer file was given to its host.
    AnswerServed = "answer_served",
    /// An answer file was asked for and not given.
    AnswerRefused = "answer_refused",
    /// An installation has reached a further stage.
    InstallStage = "install_stage",
    /// An installer could not be given, for what is planned or its template; the machine waits.
    InstallHeld = "install_held",
    /// Nothing is heard of an installation.
    InstallStuck = "install_stuck",
    /// An installation has ended.
    InstallEnded = "install_ended",
    /// The agent of an installed system got its credential.
    AgentEnrolled = "agent_enrolled",
    /// The agent of an installed system was refused.
    AgentRefused = "agent_refused",
    /// What a host's agent is known by was ended.
    AgentRevoked = "agent_revoked",
    /// A part of what an agent measured was refused.
    MetricsRefused = "metrics_refused",
    /// Measurements of an agent are missing.
    MetricsGap = "metrics_gap",
    /// The clock of an agent's machine is wrong; its times were put right.
    AgentClock = "agent_clock",
    /// Rules on facts gave a host something.
    RuleGave = "rule_gave",
    /// What a rule would give cannot be given.
    RuleRefused = "rule_refused",
    /// A machine may be one of several hosts.
    HostAmbiguous = "host_ambiguous",
}

impl std::str::FromStr for EventKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "kind of event",
                word: text.to_owned(),
            })
    }
}
