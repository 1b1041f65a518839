use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Auth, AuthError, Caller, ClientAddress, Means, Secret, gate::Try, secret};
use crate::store::{Session, User};

/// A session ends so long after its last use.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// A use is written down at most so often: a page view must not cost a disk flush.
const TOUCH_EVERY: Duration = Duration::from_secs(3600);

/// What a person who signed in gets.
pub struct NewSession {
    /// For the cookie, once.
    pub secret: Secret,
    /// Who signed in.
    pub user: User,
}

impl Auth {
    /// Signs a person in. `client` is the address that asks.
    ///
    /// # Errors
    /// [`AuthError::Wrong`], or [`AuthError::Wait`] after many failures: of this name here, from this
    /// address, or of this name anywhere.
    pub async fn sign_in(
        &self,
        name: &str,
        password: String,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<NewSession, AuthError> {
        let name = name.trim();
        let attempt = Try::sign_in(name, client);
        self.gate.enter(&attempt, now)?;
        let user = self.store.user_by_name(name).await?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let matches = self.passwords.matches(password, stored).await?;
        let Some(user) = user.filter(|_| matches) else {
            tracing::warn!(%client, "a sign-in was refused");
            return Err(AuthError::Wrong);
        };
        self.gate.right(&attempt);
        self.open_session(user, now).await
    }

    /// A session for a user who has proved who it is.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn open_session(&self, user: User, now: DateTime<Utc>) -> Result<NewSession, AuthError> {
        let secret = Secret::random();
        self.store
            .create_session(&Session {
                hash: secret.hash(),
                user: user.id,
                created_at: now,
                expires_at: now + SESSION_LIFETIME,
                last_seen_at: now,
            })
            .await?;
        self.record(format!("user:{}", user.name), "session.open", None, now)
            .await?;
        Ok(NewSession { secret, user })
    }

    /// Who has this cookie; `None` when the session is unknown or has ended.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn by_session(&self, cookie: &str, now: DateTime<Utc>) -> Result<Option<Caller>, AuthError> {
        let hash = secret::hash(cookie);
        let Some((session, user)) = self.store.session(&hash, now).await? else {
            return Ok(None);
        };
        if now - session.last_seen_at > chrono::TimeDelta::from_std(TOUCH_EVERY).unwrap_or_default() {
            self.store.touch_session(&hash, now, now + SESSION_LIFETIME).await?;
        }
        Ok(Some(Caller {
            user: user.id,
            name: user.name,
            role: user.role,
            locale: user.locale,
            means: Means::Session(hash),
        }))
    }

    /// Ends the caller's session. A token has none.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), AuthError> {
        if let Means::Session(hash) = &caller.means {
            self.store.end_session(hash).await?;
        }
        Ok(())
    }
}
