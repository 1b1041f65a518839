use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection,
    sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions},
};

use super::StoreError;

/// How long a statement waits for another process that writes the same SQLite file (`muster user add`).
const BUSY: Duration = Duration::from_secs(5);

/// How long a database server may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections for writing to PostgreSQL: one for the groups, one for people's own writes.
const WRITERS: u32 = 2;

/// The connections of one ledger.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) reader: DatabaseConnection,
    pub(super) writer: DatabaseConnection,
    shared: bool,
}

impl Pools {
    pub(super) async fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" if url.contains(":memory:") => {
                let one = sqlite(url, 1, false).await?;
                Ok(Self {
                    reader: one.clone(),
                    writer: one,
                    shared: true,
                })
            }
            "sqlite" => {
                let writer = sqlite(url, 1, false).await?;
                let reader = sqlite(url, connections, true).await?;
                Ok(Self {
                    reader,
                    writer,
                    shared: false,
                })
            }
            "postgres" | "postgresql" => {
                answers(url).await?;
                // Pages that read much must not keep a lease from being written.
                Ok(Self {
                    reader: postgres(url, connections).await?,
                    writer: postgres(url, WRITERS).await?,
                    shared: false,
                })
            }
            _ => Err(StoreError::Url(scheme.to_owned())),
        }
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        if !self.shared {
            self.reader.close_by_ref().await?;
        }
        self.writer.close_by_ref().await?;
        Ok(())
    }
}

/// Asks PostgreSQL for one connection, so that what is wrong is told at once and in its own words: a pool goes on trying for
/// half a minute, and says in the end that it had no time.
async fn answers(url: &str) -> Result<(), StoreError> {
    let Ok(options) = url.parse::<PgConnectOptions>() else {
        // What is wrong with the URL is told when it is opened.
        return Ok(());
    };
    let address = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let why = match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => {
            // That it is let go badly says nothing of the next one.
            let _ = connection.close().await;
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} seconds", PATIENCE.as_secs()),
    };
    Err(StoreError::Unreachable { address, why })
}

async fn postgres(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

async fn sqlite(url: &str, connections: u32, reading: bool) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        // A memory database lives as long as its one connection.
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite.busy_timeout(BUSY).foreign_keys(true);
            if reading {
                // Readers only look: a statement that writes by mistake fails instead of blocking the writer.
                sqlite.pragma("query_only", "on")
            } else {
                sqlite
                    .create_if_missing(true)
                    .pragma("journal_mode", "wal")
                    // An acknowledged lease survives loss of power; groups make the cost bearable.
                    .pragma("synchronous", "full")
            }
        });
    Ok(Database::connect(options).await?)
}
