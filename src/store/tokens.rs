use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, sea_query::Expr};
use uuid::Uuid;

use super::{
    Role, Store, StoreError, User,
    entity::{api_token, boot_token, user},
    row::{hash, set, word},
};
use crate::{
    boot::{BootId, BootToken},
    inventory::HostId,
};

/// A program's right to act for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Names it for ever (UUID version 7).
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the token; the token itself is shown once and not kept.
    pub hash: [u8; 32],
    /// Whose.
    pub user: Uuid,
    /// What it may do at most; never more than its user.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, as coarse as [`Store::touch_api_token`] is called.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Keeps a new token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        let row = api_token::ActiveModel {
            id: set(token.id),
            name: set(token.name.clone()),
            hash: set(hex::encode(token.hash)),
            user: set(token.user),
            role: set(token.role.as_str().to_owned()),
            created_at: set(token.created_at),
            expires_at: set(token.expires_at),
            last_used_at: set(token.last_used_at),
        };
        api_token::Entity::insert(row)
            .exec_without_returning(self.own())
            .await?;
        Ok(())
    }

    /// The tokens of one user or of all, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_tokens(&self, user: Option<Uuid>) -> Result<Vec<ApiToken>, StoreError> {
        let mut select = api_token::Entity::find().order_by(api_token::Column::Id, Order::Asc);
        if let Some(user) = user {
            select = select.filter(api_token::Column::User.eq(user));
        }
        let rows = select.all(self.reader()).await?;
        rows.into_iter().map(ApiToken::try_from).collect()
    }

    /// The token with this hash and its user, unless it ended before `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_token(&self, hash: &[u8; 32], now: DateTime<Utc>) -> Result<Option<(ApiToken, User)>, StoreError> {
        let found = api_token::Entity::find()
            .filter(api_token::Column::Hash.eq(hex::encode(hash)))
            .filter(
                Condition::any()
                    .add(api_token::Column::ExpiresAt.is_null())
                    .add(api_token::Column::ExpiresAt.gt(now)),
            )
            .one(self.reader())
            .await?;
        let Some(row) = found else {
            return Ok(None);
        };
        let user = user::Entity::find_by_id(row.user).one(self.reader()).await?;
        user.map(|user| Ok((ApiToken::try_from(row)?, User::try_from(user)?)))
            .transpose()
    }

    /// Notes that a token was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_api_token(&self, id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        api_token::Entity::update_many()
            .col_expr(api_token::Column::LastUsedAt, Expr::value(at))
            .filter(api_token::Column::Id.eq(id))
            .exec(self.own())
            .await?;
        Ok(())
    }

    /// Ends a token. False when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_api_token(&self, id: Uuid) -> Result<bool, StoreError> {
        let done = api_token::Entity::delete_by_id(id).exec(self.own()).await?;
        Ok(done.rows_affected > 0)
    }
}

/// The row of a boot token.
pub(super) fn boot_token_row(token: &BootToken) -> boot_token::ActiveModel {
    boot_token::ActiveModel {
        hash: set(hex::encode(token.hash)),
        mac: set(token.mac.to_string()),
        host: set(token.host.0),
        boot: set(token.boot.0),
        created_at: set(token.created_at),
        expires_at: set(token.expires_at),
    }
}

impl TryFrom<api_token::Model> for ApiToken {
    type Error = StoreError;

    fn try_from(row: api_token::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            name: row.name,
            hash: hash("api_token", &row.hash)?,
            user: row.user,
            role: word("api_token", &row.role)?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        })
    }
}

impl TryFrom<boot_token::Model> for BootToken {
    type Error = StoreError;

    fn try_from(row: boot_token::Model) -> Result<Self, StoreError> {
        Ok(Self {
            hash: hash("boot_token", &row.hash)?,
            mac: word("boot_token", &row.mac)?,
            host: HostId(row.host),
            boot: BootId(row.boot),
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}
