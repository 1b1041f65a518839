//! `muster install`: looks at installations, and has them started and ended by the server that runs on the ledger: it has to
//! know at once, and guards them as it does on pages.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Failure, hosts,
    table::{table, time},
    word,
};
use crate::{
    app,
    config::Settings,
    desired::Fault,
    install::{InstallId, Outcome},
    provision::{
        Catalog, CatalogFault,
        install::{Granted, Wanted, Wish},
    },
    store::{Install, InstallQuery, Store, StoreError},
};

/// Who acts on the command line.
const ACTOR: &str = "cli";

/// A server that runs looks every second: this long nobody has to wait for one.
const PATIENCE: Duration = Duration::from_secs(10);
/// Once a server has taken a wish it is waited for longer: it renders the answer file first.
const WHILE_GRANTED: Duration = Duration::from_secs(60);
/// Between two looks for the server's answer.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

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
    /// Start the installation of a host that has a profile.
    Start(StartArgs),
    /// Install a host once more, after an installation that failed, was cancelled or is done.
    Retry(StartArgs),
    /// Give up an installation that runs; the host counts as failed.
    Cancel {
        /// The host: its name or MAC; or the id of the installation.
        which: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
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
    #[arg(long, value_parser = word::<Outcome>(Outcome::ALL.iter().map(|one| one.as_str())))]
    outcome: Option<Outcome>,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// The host: its name or MAC. To install once more also the id of an installation of it.
    which: String,
    /// What the host goes by, where what is on its disks would be overwritten: its name; of a host without one its serial
    /// number or a MAC.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
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
        InstallCommand::Start(args) => start(&store, args).await,
        InstallCommand::Retry(args) => retry(&store, args).await,
        InstallCommand::Cancel { which, json } => cancel(&store, &which, json).await,
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
        let rows: Vec<Value> = installs
            .iter()
            .map(|install| as_json(install, names.get(&install.host).map(String::as_str)))
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

fn as_json(install: &Install, name: Option<&str>) -> Value {
    json!({
        "id": install.id,
        "host": install.host,
        "host_name": name,
        "profile": install.profile,
        "distro": install.distro,
        "outcome": install.outcome.as_str(),
        "stage": install.progress.stage,
        "created_at": install.created_at,
        "ended_at": install.ended_at,
        "reason": install.reason,
    })
}

async fn start(store: &Store, args: StartArgs) -> Result<String, CatalogFault> {
    let host = Catalog::new(store.clone(), &[]).host_called(&args.which).await?;
    let wanted = Wanted::Start(host.id, args.name);
    granted(store, wanted, &args.which, "started", args.json).await
}

async fn retry(store: &Store, args: StartArgs) -> Result<String, CatalogFault> {
    let before = newest(store, &args.which).await?;
    let wanted = Wanted::Retry(before.id, args.name);
    granted(store, wanted, &args.which, "started", args.json).await
}

async fn cancel(store: &Store, which: &str, json: bool) -> Result<String, CatalogFault> {
    let install = newest(store, which).await?;
    granted(store, Wanted::Cancel(install.id), which, "cancelled", json).await
}

/// The installation that is meant.
async fn newest(store: &Store, which: &str) -> Result<Install, CatalogFault> {
    let found = called(store, which).await?;
    found.ok_or_else(|| {
        let why = "no installation is kept of it";
        Fault::new("host", which, why, "`muster install list` shows all").into()
    })
}

/// Has a running server do it, and waits for what comes of it.
async fn granted(store: &Store, wanted: Wanted, which: &str, done: &str, json: bool) -> Result<String, CatalogFault> {
    let refused = |why: String, advice: &str| Err(Fault::new("install", which, why, advice).into());
    let wish = Wish::write(store, wanted, ACTOR, app::now()).await?;
    let mut until = Instant::now() + PATIENCE;
    let mut taken = false;
    let granted = loop {
        if let Some(granted) = wish.answer(store).await? {
            break granted;
        }
        if Instant::now() >= until {
            if taken {
                let why = "the server has not answered yet".to_owned();
                return refused(why, "look what came of it: `muster install list`");
            }
            if wish.take_back(store).await? {
                let why = format!(
                    "no server that runs on this ledger has answered in {} seconds; nothing was done",
                    PATIENCE.as_secs()
                );
                return refused(why, "start it (`muster serve`), and ask again");
            }
            taken = true;
            until = Instant::now() + WHILE_GRANTED;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    let id = match granted {
        Granted::Done(id) => id,
        Granted::Refused(why) => return refused(why, "`muster install list` shows what runs"),
        Granted::Type(word) => {
            let why = "there may be a system on its disks, and it would be lost".to_owned();
            // A serial number is what a machine says: it is quoted for the shell it is pasted into.
            let word = word.replace('\'', r"'\''");
            return refused(why, &format!("to go on add --name '{word}'"));
        }
    };
    let Some(install) = store.install(id).await? else {
        return Ok(unknown(which));
    };
    let name = store.host(install.host).await?.and_then(|host| host.name);
    Ok(if json {
        format!("{:#}\n", as_json(&install, name.as_deref()))
    } else {
        let host = name.unwrap_or_else(|| install.host.to_string());
        format!("{done} installation {id} of host {host}\n")
    })
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
