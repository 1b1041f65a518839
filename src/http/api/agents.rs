use axum::{Extension, Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{asked::Path, hosts::known};
use crate::{
    http::{PageState, Problem, guard::Known},
    provision::agents::revocation,
    store::AgentCredential,
};

/// Items of one answer at most.
const MOST: u64 = 100;

/// By what the agent of an installed system is or was known; the credential itself is never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Agent {
    host: Uuid,
    /// When it was enrolled.
    created_at: DateTime<Utc>,
    /// When it was last heard, as coarse as ten minutes.
    last_used_at: Option<DateTime<Utc>>,
    /// When it ended.
    revoked_at: Option<DateTime<Utc>>,
    /// Who ended it, e.g. `user:anna`; `enrolled anew` or `retired` when nobody did.
    revoked_by: Option<String>,
}

impl From<AgentCredential> for Agent {
    fn from(credential: AgentCredential) -> Self {
        Self {
            host: credential.host.0,
            created_at: credential.created_at,
            last_used_at: credential.last_used_at,
            revoked_at: credential.revoked_at,
            revoked_by: credential.revoked_by,
        }
    }
}

/// What a host's agent is and was known by, newest first.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/agents", tag = "hosts", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Vec<Agent>), (status = "default", body = Problem)))]
pub(super) async fn agents(State(state): State<PageState>, Path(id): Path<Uuid>) -> Result<Json<Vec<Agent>>, Problem> {
    let host = known(&state, id).await?;
    let found = state.store().agent_credentials(Some(host.id), MOST).await?;
    Ok(Json(found.into_iter().map(Agent::from).collect()))
}

/// Ends what a host's agent is known by: it is not listened to until the host is enrolled anew.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/agents/revoke", tag = "hosts", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = "default", body = Problem)))]
pub(super) async fn revoke_agents(
    State(state): State<PageState>,
    Extension(caller): Known,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let host = known(&state, id).await?;
    let writes = revocation(host.id, &caller.actor(), state.now());
    state.store().writer().commit(writes).await?;
    Ok(StatusCode::NO_CONTENT)
}
