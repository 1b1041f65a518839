//! `muster install list|show|log`: looks at installations. They are started and ended on the page or by the API, because
//! the running server has to know at once.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Failure, hosts,
    table::{table, time},
};
use crate::{
    config::Settings,
    install::{InstallId, Outcome},
    store::{Install, InstallQuery, Store, StoreError},
};

#[derive(Debug, Subcommand)]
pub(super) enum InstallCommand {
    /// List installations, newest first.
    List(ListArgs),
    /// Show one installation: its stages with their times, and what is not as planned.
    Show {
        /// Its id.
        id: InstallId,
        /// The answer file as it was served, without its secrets.
        #[arg(long)]
        answer: bool,
    },
    /// Show what was heard of an installation.
    Log {
        /// Its id.
        id: InstallId,
        /// At most this many lines, the last ones.
        #[arg(long, default_value_t = 200)]
        limit: u64,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those that came to this: open, done, failed or cancelled.
    #[arg(long)]
    outcome: Option<Outcome>,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn install(settings: &Settings, command: InstallCommand) -> Result<String, Failure> {
    let store = hosts::open(settings).await?;
    let text = match command {
        InstallCommand::List(args) => list(&store, &args).await,
        InstallCommand::Show { id, answer } => show(&store, id, answer).await,
        InstallCommand::Log { id, limit } => log(&store, id, limit).await,
    };
    store.close().await?;
    Ok(text?)
}

async fn list(store: &Store, args: &ListArgs) -> Result<String, StoreError> {
    let (installs, total) = store
        .installs(&InstallQuery {
            outcome: args.outcome,
            limit: args.limit,
            ..InstallQuery::default()
        })
        .await?;
    if args.json {
        let rows: Vec<_> = installs
            .iter()
            .map(|install| {
                json!({
                    "id": install.id,
                    "host": install.host,
                    "profile": install.profile,
                    "distro": install.distro,
                    "outcome": install.outcome.as_str(),
                    "stage": install.progress.stage,
                    "created_at": install.created_at,
                    "ended_at": install.ended_at,
                    "reason": install.reason,
                })
            })
            .collect();
        return Ok(format!("{:#}\n", json!({ "total": total, "installs": rows })));
    }
    let rows: Vec<Vec<String>> = installs
        .iter()
        .map(|install| {
            vec![
                install.id.to_string(),
                install.host.to_string(),
                install.profile.clone(),
                install.outcome.as_str().to_owned(),
                install.progress.stage.as_str().to_owned(),
                time(install.created_at),
                install
                    .reason
                    .clone()
                    .unwrap_or_else(|| install.progress.evidence.clone()),
            ]
        })
        .collect();
    Ok(table(
        &["ID", "HOST", "PROFILE", "OUTCOME", "STAGE", "STARTED", "LAST HEARD"],
        &rows,
    ))
}

async fn show(store: &Store, id: InstallId, answer: bool) -> Result<String, StoreError> {
    let Some(install) = store.install(id).await? else {
        return Ok(unknown(id));
    };
    if answer {
        return Ok(install.snapshot.unwrap_or_default());
    }
    Ok(shown(&install))
}

fn shown(install: &Install) -> String {
    let progress = &install.progress;
    let mut text = format!(
        "install  {}\nhost     {}\nprofile  {} ({})\nby       {}\noutcome  {}\n",
        install.id,
        install.host,
        install.profile,
        install.distro,
        install.started_by,
        install.outcome.as_str()
    );
    // Writing to a String cannot fail.
    if let Some(reason) = &install.reason {
        let _ = writeln!(text, "why      {reason}");
    }
    if let Some(packages) = progress.packages {
        let all = packages.all.map_or_else(String::new, |all| format!(" of {all}"));
        let _ = writeln!(text, "packages {}{all}", packages.done);
    }
    for reached in &progress.times {
        let _ = writeln!(text, "{}  {}", time(reached.at), reached.stage.as_str());
    }
    let _ = writeln!(text, "{}  last heard: {}", time(progress.heard_at), progress.evidence);
    for one in install.differences.iter().flatten() {
        let found = one.found.as_deref().unwrap_or("nothing");
        let _ = writeln!(
            text,
            "not as planned: {}: {} planned, {found} found",
            one.field, one.planned
        );
    }
    text
}

async fn log(store: &Store, id: InstallId, limit: u64) -> Result<String, StoreError> {
    let mut lines = store.install_log(id, None, limit).await?;
    if lines.is_empty() {
        return Ok(unknown(id));
    }
    lines.reverse();
    Ok(lines
        .iter()
        .map(|line| format!("{}  {:<7} {}\n", time(line.at), line.source, line.text))
        .collect())
}

fn unknown(id: InstallId) -> String {
    format!("nothing is kept of an installation {id}; `muster install list` shows all\n")
}
