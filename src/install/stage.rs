use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::inventory::UnknownWord;

macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// How far an installation has come, in the order in which it goes: catalogue key `install_stage.<word>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Stage { $($(#[$doc])* $name),* }

        impl Stage {
            /// Every stage, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word used in tables, API and catalogue keys.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

stages! {
    /// A person wants it.
    Requested = "requested",
    /// The machine has to boot from the network.
    WaitingBoot = "waiting_boot",
    /// The machine was given the installer's kernel.
    Loader = "loader",
    /// The installer runs.
    Installer = "installer",
    /// The installer has its answer file.
    Answer = "answer",
    /// Disks are partitioned and formatted. From here on what was on them is gone.
    Disks = "disks",
    /// Packages are installed.
    Packages = "packages",
    /// Boot loader, scripts and what else comes after the packages.
    Post = "post",
    /// The installer has ended; the machine restarts.
    Rebooting = "rebooting",
    /// The installed system starts.
    FirstBoot = "first_boot",
    /// The installed system's agent has got its credential.
    AgentEnrolled = "agent_enrolled",
    /// What was found was compared with what was planned.
    Verified = "verified",
}

impl Stage {
    /// True from the boot script to the restart: only then is the answer file given.
    #[must_use]
    pub fn is_installers(self) -> bool {
        (Self::Loader..=Self::Post).contains(&self)
    }

    /// True when the installer may have begun to write: from its answer file on, as nobody promises to tell of disks.
    #[must_use]
    pub fn may_have_written(self) -> bool {
        self >= Self::Answer
    }

    /// True when the installer has ended, so that the machine starts from its own disk.
    #[must_use]
    pub fn is_installed(self) -> bool {
        self >= Self::Rebooting
    }

    /// The stage that a machine may tell by itself, by the word of its stage address. Those that only the server can
    /// know are not among them.
    #[must_use]
    pub fn told_as(word: &str) -> Option<Self> {
        Some(match word {
            "installer" | "pre" | "start" => Self::Installer,
            "disks" | "partitioning" => Self::Disks,
            "packages" => Self::Packages,
            "post" => Self::Post,
            "rebooting" | "done" | "finished" => Self::Rebooting,
            "first_boot" | "firstboot" => Self::FirstBoot,
            _ => return None,
        })
    }
}

impl FromStr for Stage {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "stage of an installation",
                word: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_list_is_the_order_of_an_installation() {
        assert!(Stage::ALL.is_sorted());
        for stage in Stage::ALL {
            assert_eq!(stage.as_str().parse::<Stage>().unwrap(), *stage);
        }
    }

    #[test]
    fn a_machine_cannot_say_that_it_is_verified() {
        for word in [
            "agent_enrolled",
            "verified",
            "requested",
            "waiting_boot",
            "loader",
            "answer",
            "",
        ] {
            assert_eq!(Stage::told_as(word), None, "{word}");
        }
        assert_eq!(Stage::told_as("first_boot"), Some(Stage::FirstBoot));
    }

    #[test]
    fn the_answer_file_is_given_while_the_installer_runs() {
        let open: Vec<_> = Stage::ALL.iter().filter(|stage| stage.is_installers()).collect();
        assert_eq!(open.first(), Some(&&Stage::Loader));
        assert_eq!(open.last(), Some(&&Stage::Post));
        assert!(!Stage::WaitingBoot.is_installers() && !Stage::Rebooting.is_installers());
    }
}
