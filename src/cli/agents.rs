//! `muster agent list|revoke`: agents of installed systems. Written to the ledger, which the running server asks each time.

use clap::Subcommand;
use serde_json::json;

use super::{
    Failure, hosts,
    table::{table, time},
};
use crate::{
    app,
    config::Settings,
    inventory::HostId,
    provision::{Catalog, agents::revocation},
    store::{AgentCredential, Store},
};

/// Who acts on the command line.
const ACTOR: &str = "cli";

#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// List what agents are known by, newest first.
    List {
        /// Of one host: its name, MAC or id.
        host: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End what a host's agent is known by: it is not listened to until the host is enrolled anew.
    Revoke {
        /// Its name, MAC or id.
        host: String,
    },
}

pub(super) async fn agent(settings: &Settings, command: AgentCommand) -> Result<String, Failure> {
    let store = hosts::open(settings).await?;
    let text = match command {
        AgentCommand::List { host, limit, json } => list(&store, host.as_deref(), limit, json).await,
        AgentCommand::Revoke { host } => revoke(&store, &host).await,
    };
    store.close().await?;
    text
}

async fn called(store: &Store, word: &str) -> Result<HostId, Failure> {
    Ok(Catalog::new(store.clone(), &[]).host_called(word).await?.id)
}

async fn list(store: &Store, host: Option<&str>, limit: u64, json: bool) -> Result<String, Failure> {
    let host = match host {
        Some(word) => Some(called(store, word).await?),
        None => None,
    };
    let found = store.agent_credentials(host, limit).await?;
    if json {
        let rows: Vec<_> = found
            .iter()
            .map(|credential| {
                json!({
                    "host": credential.host,
                    "created_at": credential.created_at,
                    "last_used_at": credential.last_used_at,
                    "revoked_at": credential.revoked_at,
                    "revoked_by": credential.revoked_by,
                })
            })
            .collect();
        return Ok(format!("{:#}\n", json!({ "agents": rows })));
    }
    let mut rows = Vec::with_capacity(found.len());
    for credential in &found {
        rows.push(row(store, credential).await?);
    }
    Ok(table(&["HOST", "ENROLLED", "LAST USED", "ENDED", "BY"], &rows))
}

async fn row(store: &Store, credential: &AgentCredential) -> Result<Vec<String>, Failure> {
    let name = store.host(credential.host).await?.and_then(|host| host.name);
    let or_dash = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or_else(|| "-".to_owned(), time);
    Ok(vec![
        name.unwrap_or_else(|| credential.host.to_string()),
        time(credential.created_at),
        or_dash(credential.last_used_at),
        or_dash(credential.revoked_at),
        credential.revoked_by.clone().unwrap_or_else(|| "-".to_owned()),
    ])
}

async fn revoke(store: &Store, word: &str) -> Result<String, Failure> {
    let host = called(store, word).await?;
    let credentials = store.agent_credentials(Some(host), u64::MAX >> 1).await?;
    let good = credentials
        .iter()
        .filter(|credential| credential.revoked_at.is_none())
        .count();
    if good == 0 {
        return Ok(format!("host {word} has no agent that is known\n"));
    }
    store.writer().commit(revocation(host, ACTOR, app::now())).await?;
    Ok(format!("the agent of host {word} is no longer known\n"))
}
