use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{
    Store, StoreError, User,
    entity::{session, user},
    row::{hash, set},
};

/// A log-in, known by the SHA-256 of its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token in the cookie.
    pub hash: [u8; 32],
    /// Whose.
    pub user: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, as coarse as [`Store::touch_session`] is called.
    pub last_seen_at: DateTime<Utc>,
}

impl Store {
    /// Keeps a new session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let row = session::ActiveModel {
            hash: set(hex::encode(session.hash)),
            user: set(session.user),
            created_at: set(session.created_at),
            expires_at: set(session.expires_at),
            last_seen_at: set(session.last_seen_at),
        };
        session::Entity::insert(row).exec_without_returning(self.own()).await?;
        Ok(())
    }

    /// The session with this hash and its user, unless it ended before `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, hash: &[u8; 32], now: DateTime<Utc>) -> Result<Option<(Session, User)>, StoreError> {
        let found = session::Entity::find_by_id(hex::encode(hash))
            .filter(session::Column::ExpiresAt.gt(now))
            .one(self.reader())
            .await?;
        let Some(row) = found else {
            return Ok(None);
        };
        let user = user::Entity::find_by_id(row.user).one(self.reader()).await?;
        user.map(|user| Ok((Session::try_from(row)?, User::try_from(user)?)))
            .transpose()
    }

    /// Notes that a session was used, and when it ends now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_session(
        &self,
        hash: &[u8; 32],
        at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        session::Entity::update_many()
            .col_expr(session::Column::LastSeenAt, Expr::value(at))
            .col_expr(session::Column::ExpiresAt, Expr::value(expires_at))
            .filter(session::Column::Hash.eq(hex::encode(hash)))
            .exec(self.own())
            .await?;
        Ok(())
    }

    /// Ends a session (log-out). No error when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        session::Entity::delete_by_id(hex::encode(hash))
            .exec(self.own())
            .await?;
        Ok(())
    }

    /// Ends every session of a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions_of(&self, user: Uuid) -> Result<(), StoreError> {
        end_all(self.own(), user).await
    }
}

pub(super) async fn end_all(connection: &impl ConnectionTrait, user: Uuid) -> Result<(), StoreError> {
    session::Entity::delete_many()
        .filter(session::Column::User.eq(user))
        .exec(connection)
        .await?;
    Ok(())
}

impl TryFrom<session::Model> for Session {
    type Error = StoreError;

    fn try_from(row: session::Model) -> Result<Self, StoreError> {
        Ok(Self {
            hash: hash("session", &row.hash)?,
            user: row.user,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_seen_at: row.last_seen_at,
        })
    }
}
