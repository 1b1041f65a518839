//! Wiring: settings become plain values, rooms are started with them, and all is drained at the end.

mod housekeeping;
mod ledger;
mod listen;
mod open_files;
mod plain;
mod serve;

pub use ledger::{now, open, open_migrated};
pub use plain::{catalog, plan, shown_base, tree_folders};
pub use serve::serve;

/// Why Muster cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A listener cannot be had.
    #[error("{setting} = {address} ({origin}) cannot be listened on{holder}")]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// Where the setting comes from.
        origin: crate::config::Origin,
        /// `: NAME (pid N) has it`, or nothing.
        holder: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The data folder cannot be made.
    #[error("server.data_dir = {path} ({origin}) cannot be made")]
    DataDir {
        /// The folder.
        path: std::path::PathBuf,
        /// Where the setting comes from.
        origin: crate::config::Origin,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The ledger cannot be opened or its schema not be brought up to date.
    #[error("the ledger at {url} cannot be used")]
    Ledger {
        /// Its URL without the password.
        url: String,
        /// Why.
        source: crate::store::StoreError,
    },
    /// The site's templates cannot be used.
    #[error(transparent)]
    Templates(crate::render::answer::LibraryFault),
    /// The set-up of the first account cannot be opened.
    #[error("the set-up of the first account cannot be opened")]
    Setup(#[source] crate::auth::AuthError),
    /// What is known of hosts and leases cannot be read.
    #[error("what is known of hosts and leases cannot be read")]
    View(#[source] crate::store::StoreError),
    /// A part of the server ended that should run until the end.
    #[error("{part} ended by itself")]
    Ended {
        /// Which part.
        part: &'static str,
        /// Why, when it said.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Signals cannot be waited for.
    #[error("signals cannot be caught")]
    Signals(#[source] std::io::Error),
}
