//! `muster migrate` and `muster hosts`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Failure,
    search::expression,
    table::{counted, size, table, time},
    word,
};
use crate::{
    app,
    config::Settings,
    inventory::{Health, Host, State},
    search::Expression,
    store::{HostPage, HostQuery, HostSort, Store, StoreError},
};

#[derive(Debug, Args)]
pub(super) struct HostsArgs {
    /// What they have to meet, e.g. `vendor:dell mem>=256 role:web`; a word alone is found in any text. `muster host find --fields` shows what can be searched for.
    search: Vec<String>,
    /// Only hosts in this state.
    #[arg(long, value_parser = word::<State>(State::ALL.map(State::as_str)))]
    state: Option<State>,
    /// Only hosts a person should look at.
    #[arg(long)]
    trouble: bool,
    /// Only hosts of this health: ok, late or lost.
    #[arg(long)]
    health: Option<Health>,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Opens the ledger, refusing one whose schema is older than this program. An empty one is made, as the server would at its
/// first start, and that is told: it may be another than was meant.
pub(super) async fn open(settings: &Settings) -> Result<Store, Failure> {
    let store = app::open(settings).await?;
    let pending = store.pending_migrations().await?;
    if pending.is_empty() {
        return Ok(store);
    }
    if Store::is_all_there_is(&pending) {
        store.migrate().await?;
        // Nobody who reads the output is to take it for an answer; whether it can be written is no reason to stop.
        let _ = writeln!(
            io::stderr(),
            "muster: the ledger at {} was empty and has been made",
            settings.database_url().masked()
        );
        return Ok(store);
    }
    store.close().await?;
    Err(Failure::NotMigrated)
}

pub(super) async fn migrate(settings: &Settings) -> Result<String, Failure> {
    let (store, applied) = app::open_migrated(settings).await?;
    store.close().await?;
    Ok(if applied.is_empty() {
        "the schema is up to date\n".to_owned()
    } else {
        applied.iter().map(|name| format!("applied {name}\n")).collect()
    })
}

pub(super) async fn hosts(settings: &Settings, args: HostsArgs) -> Result<String, Failure> {
    let search = expression(&args.search)?;
    let store = open(settings).await?;
    let found = find_hosts(&store, &args, search).await;
    store.close().await?;
    let page = found?;
    Ok(if args.json {
        format!("{:#}\n", hosts_as_json(&page))
    } else {
        hosts_as_text(&page)
    })
}

async fn find_hosts(store: &Store, args: &HostsArgs, search: Expression) -> Result<HostPage, StoreError> {
    store
        .hosts(&HostQuery {
            search: Some(search.at(app::now())),
            state: args.state,
            trouble: args.trouble,
            health: args.health.map(|health| (health, app::now())),
            sort: HostSort::LastSeen,
            descending: true,
            offset: 0,
            limit: args.limit,
        })
        .await
}

fn hosts_as_text(page: &HostPage) -> String {
    let rows: Vec<Vec<String>> = page.hosts.iter().map(row).collect();
    let mut text = table(
        &[
            "NAME", "STATE", "BOOT", "PRODUCT", "SERIAL", "CPU", "MEMORY", "DISKS", "ADDRESS", "SEEN",
        ],
        &rows,
    );
    let shown = page.hosts.len() as u64;
    if shown < page.total {
        let _ = writeln!(text, "{shown} of {}; --limit shows more", counted(page.total, "host"));
    }
    text
}

fn row(host: &Host) -> Vec<String> {
    let summary = &host.summary;
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let product = [&summary.vendor, &summary.product]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let disks = match (summary.disks, summary.disk_bytes) {
        (Some(count), Some(bytes)) => format!("{count} / {}", size(bytes)),
        _ => "-".to_owned(),
    };
    vec![
        host.name.clone().unwrap_or_else(|| host.id.to_string()),
        host.state.as_str().to_owned(),
        or_dash(&host.boot_verdict),
        if product.is_empty() { "-".to_owned() } else { product },
        or_dash(&summary.serial),
        summary.cores.map_or_else(|| "-".to_owned(), |cores| cores.to_string()),
        summary.memory_bytes.map_or_else(|| "-".to_owned(), size),
        disks,
        host.address
            .map_or_else(|| "-".to_owned(), |address| address.to_string()),
        host.seen_at().map_or_else(|| "-".to_owned(), time),
    ]
}

fn hosts_as_json(page: &HostPage) -> Value {
    let hosts: Vec<Value> = page
        .hosts
        .iter()
        .map(|host| {
            let summary = &host.summary;
            json!({
                "id": host.id,
                "name": host.name,
                "state": host.state.as_str(),
                "boot_verdict": host.boot_verdict,
                "created_at": host.created_at,
                "last_seen_at": host.seen_at(),
                "reported_at": host.reported_at,
                "heard_at": host.heard_at,
                "address": host.address,
                "vendor": summary.vendor,
                "product": summary.product,
                "serial": summary.serial,
                "uuid": summary.uuid,
                "architecture": summary.architecture,
                "boot_mode": summary.boot_mode,
                "cpu_model": summary.cpu_model,
                "cores": summary.cores,
                "memory_bytes": summary.memory_bytes,
                "disk_bytes": summary.disk_bytes,
                "disks": summary.disks,
                "nics": summary.nics,
                "os": summary.os,
                "os_version": summary.os_version,
                "ambiguous_with": host.ambiguous_with,
            })
        })
        .collect();
    json!({ "total": page.total, "hosts": hosts })
}
