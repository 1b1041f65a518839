//! What Muster writes of its own doings, on standard error. Events about machines are not logged: they are in the
//! ledger.

use std::io;

use tracing_subscriber::{EnvFilter, filter};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people; without colours when standard error is no terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not in `tracing`'s notation.
    #[error("log.filter is not a list of levels such as `info,muster::net=debug`")]
    Filter(#[from] filter::ParseError),
    /// Something else in this process logs already.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging for the life of the process.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn start(log_filter: &str, format: Format) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(log_filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
    match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::Twice)
}
