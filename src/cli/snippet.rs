//! `muster snippet`: pieces of templates, the site's own over those that come with Muster.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Failure, hosts::open, table::table};
use crate::{app, config::Settings, provision::snippets::Snippets};

#[derive(Debug, Subcommand)]
pub(super) enum SnippetCommand {
    /// Show all, with where each comes from.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print one as it is in use.
    Show {
        /// Its name below snippets/, e.g. redhat/network.
        name: String,
        /// The one that comes with Muster, although the site has its own.
        #[arg(long)]
        built_in: bool,
    },
    /// Write one of the site, or another text of it, when made-up machines of every kind still render.
    Add {
        /// Its name: network, redhat/network, per_profile/network/web, per_host/network/web1.
        name: String,
        /// The file with its text.
        #[arg(long)]
        file: PathBuf,
    },
    /// Remove one of the site.
    Remove {
        /// Its name below snippets/.
        name: String,
    },
}

pub(super) async fn snippet(settings: &Settings, command: SnippetCommand) -> Result<String, Failure> {
    let snippets = Snippets::open(&settings.templates.dir.value)?;
    match command {
        SnippetCommand::List { json } => Ok(listed(&snippets, json)),
        SnippetCommand::Show { name, built_in } => Ok(snippets.one(&name, built_in)?.text.to_string()),
        SnippetCommand::Add { name, file } => {
            let store = open(settings).await?;
            let added = snippets.add(&name, &file, &app::catalog(settings, store.clone())).await;
            store.close().await?;
            Ok(format!("wrote {}\n", added?.display()))
        }
        SnippetCommand::Remove { name } => {
            let store = open(settings).await?;
            let removed = snippets.remove(&name, &app::catalog(settings, store.clone())).await;
            store.close().await?;
            let after = if removed? {
                "; the one that comes with Muster is used from now on"
            } else {
                ""
            };
            Ok(format!("removed snippet {name}{after}\n"))
        }
    }
}

fn listed(snippets: &Snippets, json: bool) -> String {
    let all = snippets.all();
    let from = |site: bool| if site { "site" } else { "built-in" };
    if json {
        let all: Vec<Value> = all
            .iter()
            .map(|snippet| json!({"name": snippet.place, "from": from(snippet.site), "in_use": !snippet.hidden}))
            .collect();
        return format!("{:#}\n", Value::from(all));
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|snippet| {
            let hidden = if snippet.hidden { " (the site's is used)" } else { "" };
            vec![snippet.place.clone(), format!("{}{hidden}", from(snippet.site))]
        })
        .collect();
    table(&["NAME", "FROM"], &rows)
}
