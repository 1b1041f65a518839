use chrono::{DateTime, Utc};

use super::{Auth, AuthError, Caller, ClientAddress, NewPassword, Secret, gate::Try, parse_name, secret};
use crate::{
    inventory::new_id,
    store::{AuditEntry, Role, User},
};

impl Auth {
    /// Opens set-up when there is no account yet: keeps the hash of a new token and gives the token, to be printed.
    /// `chosen` is a token from the environment, for tests and laboratories.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn open_setup(&self, chosen: Option<String>) -> Result<Option<Secret>, AuthError> {
        if !self.needs_setup().await? {
            return Ok(None);
        }
        let token = chosen.map_or_else(Secret::random, Secret::chosen);
        self.store.set_setup_token(&token.hash()).await?;
        Ok(Some(token))
    }

    /// True while there is no account.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn needs_setup(&self) -> Result<bool, AuthError> {
        Ok(self.store.user_count().await? == 0)
    }

    /// Makes the first account, an administrator, by the set-up token; the token ends with it.
    ///
    /// # Errors
    /// [`AuthError::SetupRefused`] for another token or when an account exists, [`AuthError::Wait`] after many
    /// failures from this client, and when name or password cannot be used.
    pub async fn set_up(
        &self,
        token: &str,
        name: &str,
        password: String,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<User, AuthError> {
        let attempt = Try::SetUp(client);
        self.gate.enter(&attempt, now)?;
        let hash = secret::hash(token.trim());
        if !self.needs_setup().await? || !self.store.is_setup_token(&hash).await? {
            return Err(AuthError::SetupRefused);
        }
        self.gate.right(&attempt);
        let user = self.new_user(name, password, Role::Admin, now).await?;
        self.store.create_first_user(&hash, &user).await?;
        self.record(format!("user:{}", user.name), "account.first", None, now)
            .await?;
        Ok(user)
    }

    /// Makes a further account; for the command line, whose user already owns the database.
    ///
    /// # Errors
    /// When name or password cannot be used, or the name is in use.
    pub async fn add_user(
        &self,
        name: &str,
        password: String,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<User, AuthError> {
        let user = self.new_user(name, password, role, now).await?;
        self.store.create_user(&user).await?;
        self.record(
            "cli".to_owned(),
            "account.add",
            Some(format!("user:{}", user.name)),
            now,
        )
        .await?;
        Ok(user)
    }

    /// Gives the caller another password. All sessions of the user end, the caller's own too.
    ///
    /// # Errors
    /// [`AuthError::Wrong`] when the present password is another one, [`AuthError::Wait`] after many failures.
    pub async fn change_password(
        &self,
        caller: &Caller,
        present: String,
        new: String,
        now: DateTime<Utc>,
    ) -> Result<(), AuthError> {
        let new = NewPassword::parse(new)?;
        let attempt = Try::Password(caller.user);
        self.gate.enter(&attempt, now)?;
        let stored = self.store.user(caller.user).await?.map(|user| user.password_hash);
        if !self.passwords.matches(present, stored).await? {
            return Err(AuthError::Wrong);
        }
        self.gate.right(&attempt);
        let hash = self.passwords.hash(new).await?;
        self.store.set_password(caller.user, &hash).await?;
        self.record(caller.actor(), "account.password", None, now).await
    }

    /// Remembers the language of the caller's user.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn choose_locale(&self, caller: &Caller, locale: &str) -> Result<(), AuthError> {
        Ok(self.store.set_locale(caller.user, Some(locale)).await?)
    }

    async fn new_user(&self, name: &str, password: String, role: Role, now: DateTime<Utc>) -> Result<User, AuthError> {
        let name = parse_name(name)?;
        let password_hash = self.passwords.hash(NewPassword::parse(password)?).await?;
        Ok(User {
            id: new_id(now),
            name,
            password_hash,
            role,
            locale: None,
            created_at: now,
        })
    }

    /// Writes down what a person or program did to accounts and tokens.
    pub(super) async fn record(
        &self,
        actor: String,
        action: &str,
        target: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), AuthError> {
        let entry = AuditEntry {
            id: new_id(now),
            at: now,
            actor,
            action: action.to_owned(),
            target,
            detail: None,
        };
        Ok(self.store.audit(&entry).await?)
    }
}
