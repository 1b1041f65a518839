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
    provision::{Catalog, CatalogFault},
    store::{Install, InstallQuery, Store, StoreError},
};

#[derive(Debug, Subcommand)]
pub(super) enum InstallCommand {
    /// List installations, newest first.
    List(ListArgs),
    /// Show one installation: its stages with their times, and what is not as planned.
    Show {
        /// A host, for its newest installation: its name or MAC; or the id of an installation.
        which: String,
        /// The answer file as it was served, without its secrets.
        #[arg(long)]
        answer: bool,
    },
    /// Show what was heard of an installation.
    Log {
        /// A host, for its newest installation: its name or MAC; or the id of an installation.
        which: String,
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
        InstallCommand::List(args) => list(&store, &args).await.map_err(CatalogFault::from),
        InstallCommand::Show { which, answer } => show(&store, &which, answer).await,
        InstallCommand::Log { which, limit } => log(&store, &which, limit).await,
    };
    store.close().await?;
    Ok(text?)
}

/// The installation of this id, or the newest one of the host of this name or MAC.
async fn called(store: &Store, which: &str) -> Result<Option<Install>, CatalogFault> {
    if let Ok(id) = which.parse::<InstallId>()
        && let Some(install) = store.install(id).await?
    {
        return Ok(Some(install));
    }
    if which.parse::<InstallId>().is_ok() && store.hosts_called(which).await?.is_empty() {
        return Ok(None);
    }
    let host = Catalog::new(store.clone(), &[]).host_called(which).await?;
    let query = InstallQuery {
        host: Some(host.id),
        limit: 1,
        ..InstallQuery::default()
    };
    let newest = store.installs(&query).await?.0.pop();
    match newest {
        Some(install) => Ok(store.install(install.id).await?),
        None => Ok(None),
    }
}

async fn list(store: &Store, args: &ListArgs) -> Result<String, StoreError> {
    let (installs, total) = store
        .installs(&InstallQuery {
            outcome: args.outcome,
            limit: args.limit,
            ..InstallQuery::default()
        })
        .await?;
    let names = store.host_names().await?;
    if args.json {
        let rows: Vec<_> = installs
            .iter()
            .map(|install| {
                json!({
                    "id": install.id,
                    "host": install.host,
                    "host_name": names.get(&install.host),
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
                names
                    .get(&install.host)
                    .cloned()
                    .unwrap_or_else(|| install.host.to_string()),
                install.profile.clone(),
                install.outcome.as_str().to_owned(),
                install.progress.stage.as_str().to_owned(),
                time(install.created_at),
                install
                    .reason
                    .clone()
                    .unwrap_or_else(|| install.progress.evidence.clone()),
                install.id.to_string(),
            ]
        })
        .collect();
    Ok(table(
        &["HOST", "PROFILE", "OUTCOME", "STAGE", "STARTED", "LAST HEARD", "ID"],
        &rows,
    ))
}

async fn show(store: &Store, which: &str, answer: bool) -> Result<String, CatalogFault> {
    let Some(install) = called(store, which).await? else {
        return Ok(unknown(which));
    };
    if answer {
        return Ok(install.snapshot.unwrap_or_default());
    }
    let host = store.host(install.host).await?;
    Ok(shown(&install, host.and_then(|host| host.name).as_deref()))
}

fn shown(install: &Install, name: Option<&str>) -> String {
    let progress = &install.progress;
    let mut text = format!(
        "host     {}\ninstall  {}\nprofile  {} ({})\nby       {}\noutcome  {}\n",
        name.map_or_else(|| install.host.to_string(), |name| format!("{name} ({})", install.host)),
        install.id,
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

async fn log(store: &Store, which: &str, limit: u64) -> Result<String, CatalogFault> {
    let Some(install) = called(store, which).await? else {
        return Ok(unknown(which));
    };
    let mut lines = store.install_log(install.id, None, limit).await?;
    if lines.is_empty() {
        return Ok(unknown(which));
    }
    lines.reverse();
    Ok(lines
        .iter()
        .map(|line| format!("{}  {:<7} {}\n", time(line.at), line.source, line.text))
        .collect())
}

fn unknown(which: &str) -> String {
    format!("nothing is kept of an installation {which}; `muster install list` shows all\n")
}
