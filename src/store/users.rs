use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, SqlErr,
    TransactionTrait, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::user,
    row::{set, word},
    sessions, settings,
    writer::immediate,
};
use crate::inventory::UnknownWord;

/// What a person or token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, and changes hosts.
    Operator,
    /// Everything, users and settings too.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word used in tables, API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "role",
                word: text.to_owned(),
            })
    }
}

/// A person who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Names the user for ever (UUID version 7).
    pub id: Uuid,
    /// Log-in name, unique.
    pub name: String,
    /// Argon2id in PHC form, made by `auth`.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// Chosen language, `en` or `zh-CN`; `None` follows the browser.
    pub locale: Option<String>,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
}

impl std::fmt::Debug for User {
    /// Without the hash: a user may end in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// [`StoreError::UserExists`] when the name is in use.
    pub async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        insert(self.own(), user).await
    }

    /// Makes the first user with the set-up token whose SHA-256 is `setup`, and ends the token: one of several callers
    /// succeeds.
    ///
    /// # Errors
    /// [`StoreError::SetupRefused`] when the token is not the kept one or set-up is done.
    pub async fn create_first_user(&self, setup: &[u8; 32], user: &User) -> Result<(), StoreError> {
        let transaction = self.own().begin_with_options(immediate()).await?;
        if !settings::take(&transaction, settings::SETUP_TOKEN, &hex::encode(setup)).await? {
            transaction.rollback().await?;
            return Err(StoreError::SetupRefused);
        }
        insert(&transaction, user).await?;
        Ok(transaction.commit().await?)
    }

    /// All users, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = user::Entity::find()
            .order_by(user::Column::Name, Order::Asc)
            .all(self.reader())
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// How many users there are: none means set-up is still to be done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_count(&self) -> Result<u64, StoreError> {
        Ok(user::Entity::find().count(self.reader()).await?)
    }

    /// One user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let row = user::Entity::find_by_id(id).one(self.reader()).await?;
        row.map(User::try_from).transpose()
    }

    /// One user by log-in name, exactly.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        let row = user::Entity::find()
            .filter(user::Column::Name.eq(name))
            .one(self.reader())
            .await?;
        row.map(User::try_from).transpose()
    }

    /// Gives a user another password and ends all sessions of that user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(&self, id: Uuid, password_hash: &str) -> Result<(), StoreError> {
        let transaction = self.own().begin_with_options(immediate()).await?;
        update(&transaction, id, user::Column::PasswordHash, Expr::value(password_hash)).await?;
        sessions::end_all(&transaction, id).await?;
        Ok(transaction.commit().await?)
    }

    /// Gives a user another role.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_role(&self, id: Uuid, role: Role) -> Result<(), StoreError> {
        update(self.own(), id, user::Column::Role, Expr::value(role.as_str())).await
    }

    /// Sets the language of a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_locale(&self, id: Uuid, locale: Option<&str>) -> Result<(), StoreError> {
        let locale = locale.map(str::to_owned);
        update(self.own(), id, user::Column::Locale, Expr::value(locale)).await
    }

    /// Deletes a user with sessions and tokens. False when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_user(&self, id: Uuid) -> Result<bool, StoreError> {
        let done = user::Entity::delete_by_id(id).exec(self.own()).await?;
        Ok(done.rows_affected > 0)
    }
}

async fn update(
    connection: &impl ConnectionTrait,
    id: Uuid,
    column: user::Column,
    value: Expr,
) -> Result<(), StoreError> {
    user::Entity::update_many()
        .col_expr(column, value)
        .filter(user::Column::Id.eq(id))
        .exec(connection)
        .await?;
    Ok(())
}

async fn insert(connection: &impl ConnectionTrait, user: &User) -> Result<(), StoreError> {
    let row = user::ActiveModel {
        id: set(user.id),
        name: set(user.name.clone()),
        password_hash: set(user.password_hash.clone()),
        role: set(user.role.as_str().to_owned()),
        locale: set(user.locale.clone()),
        created_at: set(user.created_at),
    };
    user::Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .map_err(|error| taken(error, &user.name))?;
    Ok(())
}

fn taken(error: DbErr, name: &str) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::UserExists(name.to_owned()),
        _ => error.into(),
    }
}

impl TryFrom<user::Model> for User {
    type Error = StoreError;

    fn try_from(row: user::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            name: row.name,
            password_hash: row.password_hash,
            role: word("user", &row.role)?,
            locale: row.locale,
            created_at: row.created_at,
        })
    }
}
