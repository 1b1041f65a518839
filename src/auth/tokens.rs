use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Auth, AuthError, Caller, Means, Secret, parse_name, secret};
use crate::{
    inventory::new_id,
    store::{ApiToken, Role},
};

/// How every API token begins, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "muster_";
/// A use is written down at most so often.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// What a new API token shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// What its owner calls it.
    pub name: String,
    /// What it may do: not more than who makes it.
    pub role: Role,
    /// How long it lives; `None` for ever.
    pub lifetime: Option<Duration>,
}

/// A new API token: the only time its secret is seen.
pub struct NewApiToken {
    /// What is kept of it.
    pub token: ApiToken,
    /// The secret.
    pub secret: Secret,
}

impl Auth {
    /// Makes an API token that acts for the caller's user.
    ///
    /// # Errors
    /// [`AuthError::Name`] or [`AuthError::RoleTooStrong`].
    pub async fn make_token(
        &self,
        caller: &Caller,
        request: TokenRequest,
        now: DateTime<Utc>,
    ) -> Result<NewApiToken, AuthError> {
        let name = parse_name(&request.name)?;
        if request.role > caller.role {
            return Err(AuthError::RoleTooStrong {
                wanted: request.role,
                own: caller.role,
            });
        }
        let secret = Secret::random_with_prefix(TOKEN_PREFIX);
        let token = ApiToken {
            id: new_id(now),
            name,
            hash: secret.hash(),
            user: caller.user,
            role: request.role,
            created_at: now,
            expires_at: request.lifetime.map(|lifetime| now + lifetime),
            last_used_at: None,
        };
        self.store.create_api_token(&token).await?;
        self.record(caller.actor(), "token.make", Some(format!("token:{}", token.name)), now)
            .await?;
        Ok(NewApiToken { token, secret })
    }

    /// The tokens of the caller's user, oldest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn tokens(&self, caller: &Caller) -> Result<Vec<ApiToken>, AuthError> {
        Ok(self.store.api_tokens(Some(caller.user)).await?)
    }

    /// Ends one of the tokens of the caller's user; false when there is no such token.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn end_token(&self, caller: &Caller, id: Uuid, now: DateTime<Utc>) -> Result<bool, AuthError> {
        let Some(token) = self.tokens(caller).await?.into_iter().find(|token| token.id == id) else {
            return Ok(false);
        };
        let ended = self.store.delete_api_token(id).await?;
        self.record(caller.actor(), "token.end", Some(format!("token:{}", token.name)), now)
            .await?;
        Ok(ended)
    }

    /// Who has this API token; `None` when it is unknown or has ended.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn by_token(&self, text: &str, now: DateTime<Utc>) -> Result<Option<Caller>, AuthError> {
        let Some((token, user)) = self.store.api_token(&secret::hash(text), now).await? else {
            return Ok(None);
        };
        let coarse = chrono::TimeDelta::from_std(TOUCH_EVERY).unwrap_or_default();
        if token.last_used_at.is_none_or(|last| now - last > coarse) {
            self.store.touch_api_token(token.id, now).await?;
        }
        Ok(Some(Caller {
            user: user.id,
            name: user.name,
            role: token.role.min(user.role),
            locale: user.locale,
            means: Means::Token(token.name),
        }))
    }
}
