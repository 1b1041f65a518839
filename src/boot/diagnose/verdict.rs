use std::collections::BTreeMap;

use serde::Serialize;

use crate::boot::Level;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $level:ident);* $(;)?) => {
        /// What a boot came to: catalogue keys `verdict.<word>` and `verdict.<word>.advice`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum VerdictCode { $($(#[$doc])* $name),* }

        impl VerdictCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word used in tables, API and catalogue keys.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// How much it matters.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $(Self::$name => Level::$level),* }
            }
        }
    };
}

codes! {
    /// The machine has reported.
    Reported = "reported", Info;
    /// It is on its way. Parameters: `phase`.
    InProgress = "in_progress", Info;
    /// Seen where Muster only observes. Parameters: `subnet`, `server` when another one answered.
    ObservedOnly = "observed_only", Info;
    /// Its interface or relay is in no configured subnet. Parameters: `interface`, `relay`.
    NoSubnet = "no_subnet", Fail;
    /// Another DHCP server won the client. Parameters: `server`, `subnet`.
    OtherServerFirst = "other_server_first", Fail;
    /// It fetched a loader for another architecture and never came back. Parameters: `file`, `arch`, `file_arch`.
    WrongLoader = "wrong_loader", Fail;
    /// It took an address elsewhere and never asked for what we offered beside it. Parameters: `server`.
    ProxyIgnored = "proxy_ignored", Fail;
    /// There is no loader for it, or its file is missing. Parameters: `arch`, `file`.
    NoLoader = "no_loader", Fail;
    /// There is no collection image.
    NoImage = "no_image", Fail;
    /// No address is free. Parameters: `subnet`.
    PoolExhausted = "pool_exhausted", Fail;
    /// Its boot token had ended when it reported.
    TokenExpired = "token_expired", Fail;
    /// It was given an address to fetch by HTTP and never did. Parameters: `url`.
    HttpUnreachable = "http_unreachable", Fail;
    /// A pattern of `boot.refuse` matches its MAC.
    RefusedByPolicy = "refused_by_policy", Fail;
    /// The loader starts, and the firmware asks for it again and again. Parameters: `file`, `times`.
    LoaderLoop = "loader_loop", Fail;
    /// Mode `reserved`, and it is not known. Parameters: `subnet`.
    NotKnown = "not_known", Fail;
    /// Its address is in use by another machine. Parameters: `address`.
    AddressConflict = "address_conflict", Fail;
    /// Its facts were refused. Parameters: `why`.
    FactsRefused = "facts_refused", Fail;
    /// Nothing came for a while, for no reason seen from here. Parameters: `phase`, `seconds`.
    Stalled = "stalled", Warn;
    /// It was told to boot its own disk.
    LocalBoot = "local_boot", Info;
    /// A person at its console tests its memory.
    MemoryTest = "memory_test", Info;
    /// It was given its installer; how that goes on, its installation tells.
    Installing = "installing", Info;
    /// The collection image says what it cannot do. Parameters: `why`.
    ImageTrouble = "image_trouble", Fail;
}

impl std::fmt::Display for VerdictCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for VerdictCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a boot came to, in one code and the values for its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Which.
    pub code: VerdictCode,
    /// How much it matters.
    pub level: Level,
    /// Values for the words.
    pub params: BTreeMap<String, String>,
}

impl Verdict {
    pub(super) fn new(code: VerdictCode) -> Self {
        Self {
            code,
            level: code.level(),
            params: BTreeMap::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.params.insert(name.to_owned(), value.into());
        }
        self
    }
}
