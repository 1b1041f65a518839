use std::str::FromStr;

use crate::inventory::UnknownWord;

macro_rules! words {
    ($what:literal, $(#[$outer:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $word:literal),* $(,)? }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$doc])* $name),* }

        impl $type {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word used in tables, API and catalogue keys.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.as_str() == text)
                    .ok_or_else(|| UnknownWord { what: $what, word: text.to_owned() })
            }
        }
    };
}

words! { "outcome of an installation",
    /// What became of an installation: catalogue key `install_outcome.<word>`.
    Outcome {
        /// It goes on.
        Open = "open",
        /// The host is installed.
        Done = "done",
        /// It ended without an installed host.
        Failed = "failed",
        /// A person gave it up.
        Cancelled = "cancelled",
    }
}

words! { "reason of a failed installation",
    /// Why an installation failed: catalogue key `install_failed.<word>`.
    FailedBy {
        /// The installer said so.
        Installer = "installer",
        /// The machine started again while the installer may have written to its disks.
        Interrupted = "interrupted",
        /// The installer was started again and again without asking for its answer file.
        Loop = "loop",
        /// Nothing came for so long that it was given up.
        Silence = "silence",
        /// The answer file could not be made.
        Answer = "answer",
    }
}
