use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// Shortest password, in characters.
pub const SHORTEST_PASSWORD: usize = 10;
/// Longest password, in bytes: hashing more is only work for us.
pub const LONGEST_PASSWORD: usize = 256;

/// Why a new password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Fewer than [`SHORTEST_PASSWORD`] characters.
    #[error("password has fewer than {SHORTEST_PASSWORD} characters; choose a longer one")]
    TooShort,
    /// More than [`LONGEST_PASSWORD`] bytes.
    #[error("password has more than {LONGEST_PASSWORD} bytes; choose a shorter one")]
    TooLong,
}

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFault {
    /// The hash in the database is none that we wrote.
    #[error("stored password hash cannot be read or made: {0}")]
    Hash(String),
    /// The worker thread ended.
    #[error("password worker ended")]
    Worker(#[source] tokio::task::JoinError),
}

/// A password that may be set.
pub struct NewPassword(String);

impl NewPassword {
    /// Takes a password that is long enough.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn parse(text: String) -> Result<Self, PasswordRefused> {
        if text.chars().count() < SHORTEST_PASSWORD {
            Err(PasswordRefused::TooShort)
        } else if text.len() > LONGEST_PASSWORD {
            Err(PasswordRefused::TooLong)
        } else {
            Ok(Self(text))
        }
    }
}

/// Hashes and compares passwords by argon2id (RFC 9106) on threads of their own.
///
/// Each takes 19 MiB and some ten milliseconds, so only two run at a time and the rest waits in line.
#[derive(Debug, Clone)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(2)),
        }
    }
}

impl Passwords {
    /// The PHC text to be stored: `$argon2id$v=19$…`.
    ///
    /// # Errors
    /// When the worker fails.
    pub(super) async fn hash(&self, password: NewPassword) -> Result<String, PasswordFault> {
        self.work(move || {
            Argon2::default()
                .hash_password(password.0.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(unusable)
        })
        .await
    }

    /// Whether a password is the one that was hashed.
    ///
    /// Without a stored hash (no such user) the same work is done and the answer is no, so that the time
    /// does not tell which names exist.
    ///
    /// # Errors
    /// When the stored hash is unreadable or the worker fails.
    pub(super) async fn matches(&self, password: String, stored: Option<String>) -> Result<bool, PasswordFault> {
        if password.len() > LONGEST_PASSWORD {
            return Ok(false);
        }
        self.work(move || match stored {
            Some(stored) => {
                let hash = PasswordHash::new(&stored).map_err(unusable)?;
                Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            }
            None => {
                Argon2::default().hash_password(password.as_bytes()).map_err(unusable)?;
                Ok(false)
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, PasswordFault> + Send + 'static,
    ) -> Result<T, PasswordFault> {
        // The semaphore is never closed; a permit that cannot be had would only mean no limit.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            job()
        })
        .await
        .map_err(PasswordFault::Worker)?
    }
}

fn unusable(error: impl std::fmt::Display) -> PasswordFault {
    PasswordFault::Hash(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_the_only_rule() {
        assert_eq!(
            NewPassword::parse("short".into()).err(),
            Some(PasswordRefused::TooShort)
        );
        assert_eq!(
            NewPassword::parse("x".repeat(300)).err(),
            Some(PasswordRefused::TooLong)
        );
        assert!(NewPassword::parse("十个字就够长的密码了".into()).is_ok());
    }

    #[tokio::test]
    async fn a_hash_matches_its_password_only() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash(NewPassword::parse("correct horse".into()).unwrap())
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(
            passwords
                .matches("correct horse".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(!passwords.matches("wrong horse".into(), Some(hash)).await.unwrap());
        assert!(!passwords.matches("correct horse".into(), None).await.unwrap());
    }
}
