use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict,
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    entity::{audit, setting},
    row::set,
};

/// Where the SHA-256 of the set-up token is kept until the first user is made.
pub(super) const SETUP_TOKEN: &str = "setup_token";

/// One thing a person or program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Time-ordered id (UUID version 7).
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: `user:anna`, `token:ci`, `cli`.
    pub actor: String,
    /// What: a catalogue key such as `host.rename`.
    pub action: String,
    /// To what: `host:<id>`, `user:<name>`.
    pub target: Option<String>,
    /// Particulars. Never a secret.
    pub detail: Option<String>,
}

impl Store {
    /// Writes down what was done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        insert_audit(self.own(), entry).await
    }

    /// What was done, newest first; `before` is the id of the last one seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(&self, before: Option<Uuid>, limit: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let mut select = audit::Entity::find()
            .order_by(audit::Column::Id, Order::Desc)
            .limit(limit);
        if let Some(before) = before {
            select = select.filter(audit::Column::Id.lt(before));
        }
        let rows = select.all(self.reader()).await?;
        Ok(rows
            .into_iter()
            .map(|row| AuditEntry {
                id: row.id,
                at: row.at,
                actor: row.actor,
                action: row.action,
                target: row.target,
                detail: row.detail,
            })
            .collect())
    }

    /// Keeps the SHA-256 of the set-up token; replaces one kept before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_setup_token(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.put_setting(SETUP_TOKEN, &hex::encode(hash)).await
    }

    /// True while the set-up token with this SHA-256 may make the first user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_setup_token(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.setting(SETUP_TOKEN).await?.as_deref() == Some(hex::encode(hash).as_str()))
    }

    /// A value kept by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let row = setting::Entity::find_by_id(key.to_owned()).one(self.reader()).await?;
        Ok(row.map(|row| row.value))
    }

    /// Every value whose name begins with `prefix`, by name. For names of which there are few.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settings_under(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let rows = setting::Entity::find()
            .filter(setting::Column::Key.starts_with(prefix))
            .order_by(setting::Column::Key, Order::Asc)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }

    /// Takes a value out when it is still this one. Of several who try, one is told true.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_setting(&self, key: &str, value: &str) -> Result<bool, StoreError> {
        take(self.own(), key, value).await
    }

    /// Keeps a value by name; replaces one kept before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_setting(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let row = setting::ActiveModel {
            key: set(key.to_owned()),
            value: set(value.to_owned()),
        };
        setting::Entity::insert(row)
            .on_conflict(
                OnConflict::column(setting::Column::Key)
                    .update_column(setting::Column::Value)
                    .to_owned(),
            )
            .exec_without_returning(self.own())
            .await?;
        Ok(())
    }
}

/// Deletes a setting when it has this value; false when it has not.
pub(super) async fn take(connection: &impl ConnectionTrait, key: &str, value: &str) -> Result<bool, StoreError> {
    let done = setting::Entity::delete_many()
        .filter(setting::Column::Key.eq(key))
        .filter(setting::Column::Value.eq(value))
        .exec(connection)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Writes down what was done, beside other writes.
pub(super) async fn insert_audit(connection: &impl ConnectionTrait, entry: &AuditEntry) -> Result<(), StoreError> {
    let row = audit::ActiveModel {
        id: set(entry.id),
        at: set(entry.at),
        actor: set(entry.actor.clone()),
        action: set(entry.action.clone()),
        target: set(entry.target.clone()),
        detail: set(entry.detail.clone()),
    };
    audit::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}
