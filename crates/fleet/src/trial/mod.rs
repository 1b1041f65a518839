//! Trials: a server of its own on loopback, without root, and what is asked of it under load.
//!
//! A [`Site`] is a folder with settings, loaders, image and data; a [`Server`] is the server's process on it, which
//! may be killed and started again; a [`Ledger`] is its API, signed in.

mod census;
pub mod chaos;
pub mod demo;
pub mod flood;
mod ledger;
pub mod load;
mod noise;
mod server;
mod site;

pub use census::Census;
pub use ledger::{Ledger, LedgerHost};
pub use server::Server;
pub use site::{Site, SitePlan};

/// The subnet in which a trial's machines live, behind a relay at its first address.
pub const NETWORK: &str = "127.77.0.0/16";

/// The relay's address; the port is free to choose.
pub const RELAY: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 77, 0, 1);

/// Why a trial could not be made, or what it found.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The operating system refused a step.
    #[error("{action} failed")]
    Io {
        /// What was being done.
        action: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The server ended, or was not ready in time.
    #[error("the server {what}; its last lines:\n{said}")]
    Server {
        /// What happened.
        what: String,
        /// The end of its log.
        said: String,
    },
    /// The server's API could not be reached.
    #[error("{request} failed")]
    Http {
        /// Method and path.
        request: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The server's API answered in a way that was not expected.
    #[error("{request} was answered {status}: {text}")]
    Answer {
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// The start of the body, or what it lacks.
        text: String,
    },
    /// No fleet.
    #[error(transparent)]
    Fleet(#[from] crate::FleetError),
}

impl TrialError {
    /// Turns a system error into a [`TrialError::Io`] that names the step; for `map_err`.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
