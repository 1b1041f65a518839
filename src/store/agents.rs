use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{
    Store, StoreError,
    entity::{agent_credential, host as host_entity},
    row::{hash, set, signed, unsigned},
};
use crate::inventory::HostId;

/// What revoked a credential when it was no person: the host was enrolled anew.
const ENROLLED_ANEW: &str = "enrolled anew";

/// By what the agent of an installed system is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCredential {
    /// SHA-256 of the credential; the credential itself was told once and is not kept.
    pub hash: [u8; 32],
    /// The host that it speaks for.
    pub host: HostId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, as coarse as it is told.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Who ended it, or what did.
    pub revoked_by: Option<String>,
    /// The highest number of a sample that was committed; 0 of none.
    pub acknowledged: u64,
}

impl Store {
    /// The credential with this hash, also when it was revoked.
    ///
    /// # Errors
    /// When the database fails or holds what cannot be read.
    pub async fn agent_credential(&self, hash: &[u8; 32]) -> Result<Option<AgentCredential>, StoreError> {
        let found = agent_credential::Entity::find_by_id(hex::encode(hash))
            .one(self.reader())
            .await?;
        found.map(AgentCredential::try_from).transpose()
    }

    /// Credentials, newest first: of one host or of all, revoked ones too.
    ///
    /// # Errors
    /// As [`Self::agent_credential`].
    pub async fn agent_credentials(
        &self,
        host: Option<HostId>,
        limit: u64,
    ) -> Result<Vec<AgentCredential>, StoreError> {
        let mut select = agent_credential::Entity::find();
        if let Some(host) = host {
            select = select.filter(agent_credential::Column::Host.eq(host.0));
        }
        let rows = select
            .order_by(agent_credential::Column::CreatedAt, Order::Desc)
            .order_by(agent_credential::Column::Hash, Order::Asc)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(AgentCredential::try_from).collect()
    }

    /// Ends what a host's agent is known by; gives how many credentials were good until now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_agents(&self, host: HostId, by: &str, at: DateTime<Utc>) -> Result<u64, StoreError> {
        revoke(self.own(), host, by, at).await
    }
}

/// Ends a host's credentials.
pub(super) async fn revoke(
    connection: &impl ConnectionTrait,
    host: HostId,
    by: &str,
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = agent_credential::Entity::update_many()
        .col_expr(agent_credential::Column::RevokedAt, Expr::value(at))
        .col_expr(agent_credential::Column::RevokedBy, Expr::value(by))
        .filter(agent_credential::Column::Host.eq(host.0))
        .filter(agent_credential::Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    // Nobody is expected to be heard any more.
    host_entity::Entity::update_many()
        .col_expr(host_entity::Column::HeardAt, Expr::value(None::<DateTime<Utc>>))
        .filter(host_entity::Column::Id.eq(host.0))
        .exec(connection)
        .await?;
    Ok(done.rows_affected)
}

/// Keeps a new credential; those that the host had before end.
pub(super) async fn enrol(connection: &impl ConnectionTrait, kept: &AgentCredential) -> Result<(), StoreError> {
    revoke(connection, kept.host, ENROLLED_ANEW, kept.created_at).await?;
    let row = agent_credential::ActiveModel {
        hash: set(hex::encode(kept.hash)),
        host: set(kept.host.0),
        created_at: set(kept.created_at),
        last_used_at: set(kept.last_used_at),
        revoked_at: set(kept.revoked_at),
        revoked_by: set(kept.revoked_by.clone()),
        acknowledged: set(signed(kept.acknowledged)),
    };
    agent_credential::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Notes that a credential was used.
pub(super) async fn used(
    connection: &impl ConnectionTrait,
    hash: &[u8; 32],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let later = Expr::col(agent_credential::Column::LastUsedAt)
        .is_null()
        .or(Expr::col(agent_credential::Column::LastUsedAt).lt(at));
    agent_credential::Entity::update_many()
        .col_expr(agent_credential::Column::LastUsedAt, Expr::value(at))
        .filter(agent_credential::Column::Hash.eq(hex::encode(hash)))
        .filter(later)
        .exec(connection)
        .await?;
    Ok(())
}

impl TryFrom<agent_credential::Model> for AgentCredential {
    type Error = StoreError;

    fn try_from(row: agent_credential::Model) -> Result<Self, StoreError> {
        Ok(Self {
            hash: hash("agent_credential", &row.hash)?,
            host: HostId(row.host),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
            acknowledged: unsigned(row.acknowledged),
        })
    }
}
