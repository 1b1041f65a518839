use uuid::Uuid;

use super::{Permission, SecretHash, allows};
use crate::store::Role;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user, or the user that a token acts for.
    pub user: Uuid,
    /// The user's name.
    pub name: String,
    /// What this caller may do: for a token the weaker of its own role and its user's.
    pub role: Role,
    /// The user's language, when one was chosen.
    pub locale: Option<String>,
    /// How the caller was known.
    pub means: Means,
}

/// How a caller was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// A person by the cookie of a session.
    Session(SecretHash),
    /// A program by an API token of this name.
    Token(String),
}

impl Caller {
    /// Whether this caller may do something.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        allows(self.role, permission)
    }

    /// The word for logs and the audit table: `user:anna`, `token:ci`.
    #[must_use]
    pub fn actor(&self) -> String {
        match &self.means {
            Means::Session(_) => format!("user:{}", self.name),
            Means::Token(token) => format!("token:{token}"),
        }
    }
}
