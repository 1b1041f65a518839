//! Opening the ledger that the settings name, and the clock that it is written by.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, time::Instant};

use chrono::{DateTime, Utc};
use nix::sys::stat::{Mode, umask};

use super::AppError;
use crate::{config::Settings, discovery::Clock, store::Store};

/// The time of day. Every other room is told it.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The time for discovery: of day, and a count that no jump of it moves.
pub(super) fn clock() -> Clock {
    let start = Instant::now();
    Clock::new(now).with_steady(move || start.elapsed())
}

/// Opens the ledger; makes the data folder when it is not there, closed to other users.
///
/// # Errors
/// When the folder cannot be made, or the database cannot be opened.
pub async fn open(settings: &Settings) -> Result<Store, AppError> {
    // The ledger holds hashes of passwords and tokens: its files are nobody else's to read.
    umask(Mode::from_bits_truncate(0o077));
    if settings.database.url.value.is_none() {
        let path = &settings.server.data_dir.value;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| AppError::DataDir {
                path: path.clone(),
                origin: settings.server.data_dir.origin.clone(),
                source,
            })?;
    }
    let url = settings.database_url();
    Store::open(url.expose()).await.map_err(|source| AppError::Ledger {
        url: url.masked(),
        source,
    })
}

/// Opens the ledger and brings its schema up to date; gives the names of the changes applied.
///
/// # Errors
/// As [`open`], and when a change cannot be applied.
pub async fn open_migrated(settings: &Settings) -> Result<(Store, Vec<String>), AppError> {
    let store = open(settings).await?;
    let applied = store.migrate().await.map_err(|source| AppError::Ledger {
        url: settings.database_url().masked(),
        source,
    })?;
    Ok((store, applied))
}
