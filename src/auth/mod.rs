//! Who may do what: accounts, sessions, API tokens and permissions.
//!
//! Time is passed in. Machines are not here: they are admitted by boot tokens, see `discovery`.

mod accounts;
mod caller;
mod client;
mod gate;
mod password;
mod permission;
mod secret;
mod sessions;
mod throttle;
mod tokens;

pub use caller::{Caller, Means};
pub use client::ClientAddress;
pub use password::{LONGEST_PASSWORD, NewPassword, PasswordFault, PasswordRefused, SHORTEST_PASSWORD};
pub use permission::{Permission, allows};
pub use secret::{Secret, SecretHash};
pub use sessions::{NewSession, SESSION_LIFETIME};
pub use throttle::{Pace, Throttle};
pub use tokens::{NewApiToken, TOKEN_PREFIX, TokenRequest};

use std::{sync::Arc, time::Duration};

use crate::store::{Role, Store, StoreError};

/// Longest name of a person or token, in characters.
pub const LONGEST_NAME: usize = 64;

/// Why somebody is not let in, or an account is not changed.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No such user, or another password: which of the two is not told.
    #[error("name or password is wrong")]
    Wrong,
    /// Too many failures.
    #[error("too many attempts failed; try again in {} seconds", .0.as_secs().max(1))]
    Wait(Duration),
    /// The set-up token is wrong, or an account exists already.
    #[error("the set-up token is not the one that `muster serve` printed, or an account exists already")]
    SetupRefused,
    /// The name cannot be used.
    #[error("name must have 1 to {LONGEST_NAME} characters without spaces around it or control characters")]
    Name,
    /// The name is in use.
    #[error("name is in use; choose another one")]
    NameTaken,
    /// The new password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordRefused),
    /// A token may not do more than who makes it.
    #[error("role {wanted} is stronger than your own, {own}; choose {own} or a weaker one", wanted = .wanted.as_str(), own = .own.as_str())]
    RoleTooStrong {
        /// What was asked for.
        wanted: Role,
        /// What the caller is.
        own: Role,
    },
    /// The ledger failed.
    #[error("the ledger failed")]
    Store(#[source] StoreError),
    /// The password could not be hashed or compared.
    #[error("the password could not be checked")]
    Fault(#[from] PasswordFault),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::SetupRefused => Self::SetupRefused,
            StoreError::UserExists(_) => Self::NameTaken,
            other => Self::Store(other),
        }
    }
}

/// The use cases of this room. Cheap to clone; all clones share the gate.
#[derive(Clone)]
pub struct Auth {
    store: Store,
    passwords: password::Passwords,
    gate: Arc<gate::Gate>,
}

impl Auth {
    /// Over this ledger.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            passwords: password::Passwords::default(),
            gate: Arc::default(),
        }
    }
}

/// A name without spaces around it, of a sane length.
fn parse_name(text: &str) -> Result<String, AuthError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(AuthError::Name);
    }
    Ok(name.to_owned())
}
