//! Flags that are settings, and how settings are printed.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::config::{Row, Sources};

/// Settings on the command line: the highest layer.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsArgs {
    /// Settings file; files of muster.d beside it are read too [default: /etc/muster/muster.toml].
    #[arg(short, long, value_name = "FILE", env = "MUSTER_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Any setting, as in --set dhcp.port=6767; can be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, global = true)]
    set: Vec<(String, String)>,
    /// Where people reach the page: `http.listen`.
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    listen: Option<String>,
    /// Where machines fetch what they boot: `boot.listen`.
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    boot_listen: Option<String>,
    /// Folder for what Muster keeps: `server.data_dir`.
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<String>,
    /// SQLite or PostgreSQL: `database.url`.
    #[arg(long, value_name = "URL", global = true)]
    database_url: Option<String>,
    /// What is logged: `log.filter`.
    #[arg(long, value_name = "FILTER", global = true)]
    log: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| "write KEY=VALUE, such as dhcp.port=6767".to_owned())
}

impl SettingsArgs {
    /// The layers of this process: its files, its environment, its flags.
    pub(super) fn sources(self) -> Sources {
        let named = [
            ("http.listen", "--listen", self.listen),
            ("boot.listen", "--boot-listen", self.boot_listen),
            ("server.data_dir", "--data-dir", self.data_dir),
            ("database.url", "--database-url", self.database_url),
            ("log.filter", "--log", self.log),
        ];
        let set = self.set.into_iter().map(|(key, value)| {
            let flag = format!("--set {key}");
            (key, value, flag)
        });
        Sources {
            file: self.config,
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            flags: set
                .chain(
                    named
                        .into_iter()
                        .filter_map(|(key, flag, value)| Some((key.to_owned(), value?, flag.to_owned()))),
                )
                .collect(),
        }
    }
}

/// `key = value` in one column, where it comes from in the next.
pub(super) fn rows_as_text(rows: &[Row]) -> String {
    let left: Vec<String> = rows.iter().map(|row| format!("{} = {}", row.key, row.value)).collect();
    let width = left.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(64);
    rows.iter()
        .zip(left)
        .map(|(row, left)| format!("{left:<width$}  # {}\n", row.origin))
        .collect()
}

/// A list of `{ key, value, origin }`.
pub(super) fn rows_as_json(rows: &[Row]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "key": row.key, "value": row.value, "origin": row.origin.to_string() }))
        .collect();
    format!("{:#}\n", Value::from(rows))
}
