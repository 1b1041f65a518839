use std::net::Ipv4Addr;

use muster_facts::MacAddr;
use sea_orm::DbErr;

use crate::inventory::HostId;

/// Why the ledger could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("the database failed: {0}")]
    Database(#[from] DbErr),
    /// The database server does not answer, or lets nobody in. Neither text holds a password.
    #[error("the database at {address} cannot be reached: {why}; start it, or mend database.url")]
    Unreachable {
        /// `server:port`, or the path of its socket.
        address: String,
        /// What it or the network said.
        why: String,
    },
    /// No database can be opened by this URL (the text shown holds no password).
    #[error("database url `{0}` is not understood; write sqlite:///path/muster.db or postgres://user@server/name")]
    Url(String),
    /// The address is bound to another client and its lease has not ended.
    #[error("address {0} is leased to another client; offer another one")]
    AddressTaken(Ipv4Addr),
    /// The interface already belongs to another host.
    #[error("interface {0} already belongs to another host; read the ledger again")]
    MacTaken(MacAddr),
    /// Another installation of this host has not ended.
    #[error("an installation of host {0} is running already; wait for its end, or cancel it first")]
    InstallRuns(HostId),
    /// Another host was given this name.
    #[error("another host was given the name `{0}`; give another one")]
    NameTaken(String),
    /// Another distro or profile has the name, or what it names is gone or still used.
    #[error("the ledger was changed by somebody else at the same time; look again and repeat")]
    Overtaken,
    /// The name of a user is in use.
    #[error("a user named `{0}` exists already; choose another name")]
    UserExists(String),
    /// The set-up token is wrong, or set-up is done.
    #[error("the set-up token is not the one that was printed, or set-up is done already; log in instead")]
    SetupRefused,
    /// A stored value cannot be read back.
    #[error("table `{table}` holds {what}; the database was changed by another program or a newer version")]
    Unreadable {
        /// Which table.
        table: &'static str,
        /// Which value and why.
        what: String,
    },
    /// The writer has ended: the process is shutting down.
    #[error("the ledger is closing; nothing more is written")]
    Closed,
}

impl StoreError {
    pub(super) fn unreadable(table: &'static str, what: impl std::fmt::Display) -> Self {
        Self::Unreadable {
            table,
            what: what.to_string(),
        }
    }
}
