use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::StoreError;

/// How long a statement waits for another process that writes the same SQLite file (`muster user add`).
const BUSY: Duration = Duration::from_secs(5);

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
