use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{HostId, Source};

/// One field of one host going from one value to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Time-ordered id.
    pub id: Uuid,
    /// Whose field.
    pub host: HostId,
    /// When we learned of it.
    pub at: DateTime<Utc>,
    /// Who told us.
    pub source: Source,
    /// The person or machine that acted, when it was one: `user:anna`.
    pub actor: Option<String>,
    /// Dotted path with the stable key of list members: `disks[S3X9NX0K123].firmware`, `memory.total_bytes`, `state`.
    pub field: String,
    /// Value before, as shown to a person; `None` when there was none.
    pub before: Option<String>,
    /// Value after; `None` when it is gone.
    pub after: Option<String>,
}
