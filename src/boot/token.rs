use chrono::{DateTime, Utc};
use muster_facts::MacAddr;

use super::BootId;
use crate::inventory::HostId;

/// SHA-256 of a token; the token itself is never kept.
pub type TokenHash = [u8; 32];

/// The right of one boot of one machine to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootToken {
    /// SHA-256 of the token.
    pub hash: TokenHash,
    /// The interface that asked for the script.
    pub mac: MacAddr,
    /// The host it was made for.
    pub host: HostId,
    /// The boot it belongs to.
    pub boot: BootId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}
