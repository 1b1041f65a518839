//! The ledger on disk: the only room that knows the database. SQLite and PostgreSQL by the same code.
//!
//! Decisions read memory; what is here is for pages, for start-up ([`Store::load_view`]) and for what must outlive the
//! process. Everything that happens while machines boot is written through [`Writer`], which commits many writes at
//! once; people's own writes (users, sessions, settings) are single transactions.

mod absorb;
mod agents;
mod connect;
mod distros;
mod entity;
mod error;
mod events;
mod facts;
mod hosts;
mod installs;
mod labels;
mod leases;
mod metrics;
mod pages;
mod plans;
mod profiles;
mod row;
mod rules;
mod search;
mod servers;
mod sessions;
mod settings;
mod tokens;
mod users;
mod view;
mod write;
mod writer;

pub use agents::AgentCredential;
pub use distros::ObjectWrite;
pub use error::StoreError;
pub use events::{BootSummary, EventQuery, Trimmed};
pub use facts::{FactSet, FactsSaved};
pub use hosts::{HostPage, HostQuery, HostSort};
pub use installs::{Install, InstallLog, InstallQuery};
pub use leases::{LeasePage, LeaseQuery};
pub use metrics::{AgentHeard, Keeping, KeptBlock, MetricsLaid, Services};
pub use pages::HostTrait;
pub use plans::PlannedHost;
pub use rules::{Given, ReportedHost};
pub use servers::DhcpServerSeen;
pub use sessions::Session;
pub use settings::AuditEntry;
pub use tokens::ApiToken;
pub use users::{Role, User};
pub use view::{KnownHost, Snapshot};
pub use write::Write;
pub use writer::Writer;

use std::{sync::Arc, time::Duration};

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, TransactionTrait};

/// Number of the lock, which must be nobody else's in that database: the bytes of `muster`.
const MIGRATION_LOCK: i64 = 0x6d75_7374_6572;

/// How the store groups what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Submissions that may wait for the writer; beyond it [`Writer::commit`] waits and [`Writer::post`] loses.
    pub queue: usize,
    /// Writes in one transaction, about; a report counts as sixteen.
    pub group: usize,
    /// How long the first of a group waits for others.
    pub linger: Duration,
    /// Connections for reading.
    pub connections: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            queue: 16_384,
            group: 512,
            linger: Duration::from_millis(1),
            connections: 8,
        }
    }
}

/// The ledger. Cheap to clone; all clones share the connections and the writer.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Arc<connect::Pools>,
    writer: Writer,
}

impl Store {
    /// Opens the database at `url` (`sqlite:///path`, `sqlite::memory:`, `postgres://…`) and starts its writer.
    /// A SQLite file that is not there is made. The schema is not touched: see [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Url`] for another scheme, [`StoreError::Database`] when it cannot be reached.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, StoreOptions::default()).await
    }

    /// [`Store::open`] with other limits.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        let pools = Arc::new(connect::Pools::open(url, options.connections).await?);
        let writer = Writer::start(pools.writer.clone(), options);
        Ok(Self { pools, writer })
    }

    /// Brings the schema up to date; gives the names of the changes applied. Of several servers that start together one
    /// does it and the others wait.
    ///
    /// # Errors
    /// When a change cannot be applied.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let turn = self.take_turn().await?;
        let pending = self.pending_migrations().await?;
        Migrator::up(&self.pools.writer, None).await?;
        self.fill_searches().await?;
        if let Some(turn) = turn {
            turn.commit().await?;
        }
        Ok(pending)
    }

    /// Holds PostgreSQL's lock of schema changes until the transaction ends. A SQLite file has one server, and its
    /// changes take the right to write.
    async fn take_turn(&self) -> Result<Option<DatabaseTransaction>, StoreError> {
        if self.pools.reader.get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let turn = self.pools.reader.begin().await?;
        turn.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            .await?;
        Ok(Some(turn))
    }

    /// Names of the schema changes that have not been applied yet, in order.
    ///
    /// # Errors
    /// When the database cannot be read, or knows changes that this program does not (it was used by a newer one).
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let pending = Migrator::get_pending_migrations_read_only(&self.pools.writer).await?;
        Ok(pending.iter().map(|change| change.name().to_owned()).collect())
    }

    /// Whether `pending` are all the changes there are: nothing has been made in the database yet.
    #[must_use]
    pub fn is_all_there_is(pending: &[String]) -> bool {
        pending.len() == Migrator::migrations().len()
    }

    /// Where everything that happens is handed in.
    #[must_use]
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// Waits until everything handed to the writer so far is committed.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn drain(&self) -> Result<(), StoreError> {
        self.writer.commit(Vec::new()).await
    }

    /// Drains the writer and closes the connections; for the end of the process. Later calls fail.
    ///
    /// # Errors
    /// When the last group could not be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        let drained = self.drain().await;
        self.pools.close().await?;
        drained
    }

    /// Where reading goes.
    fn reader(&self) -> &DatabaseConnection {
        &self.pools.reader
    }

    /// Where people's own writes go; shared with the writer's groups.
    fn own(&self) -> &DatabaseConnection {
        &self.pools.writer
    }
}
