//! Where installations meet machines that boot. What an installation is, is `provision`'s; that one runs is known here,
//! because decisions read memory and never the database.

use std::{fmt, future::Future, net::IpAddr, pin::Pin, sync::Arc};

use muster_facts::MacAddr;

use super::{Discovery, FeedItem};
use crate::{
    install::OpenInstalls,
    inventory::{
        Change, HostId, Source, State,
        lifecycle::{self, Cause},
        new_id,
    },
    render::ScriptLanguage,
    store::{StoreError, Write},
};

/// A machine with a running installation asks for its boot script.
#[derive(Debug, Clone)]
pub struct InstallerAsked {
    /// Which host.
    pub host: HostId,
    /// The interface that boots.
    pub mac: MacAddr,
    /// `http://address:port` by which this machine reaches us.
    pub base: String,
    /// Where to ask for the script again.
    pub again: String,
    /// Where the request came from.
    pub client: Option<IpAddr>,
    /// The loader that asks.
    pub language: ScriptLanguage,
}

/// Why an installer cannot be started now, for the machine's screen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}; {advice}")]
pub struct InstallHold {
    /// Why.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

/// What [`InstallScripts::boots`] gives: the installer's script, or none when the machine boots something else.
pub type InstallerScript<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, InstallHold>> + Send + 'a>>;

/// Takes note that a machine boots in the middle of its installation, and makes the script that starts its installer. What
/// the boot means is judged when the installation's turn has come, not by what was known when the machine asked.
pub trait InstallScripts: Send + Sync + fmt::Debug {
    /// The machine boots.
    fn boots<'a>(&'a self, asked: &'a InstallerAsked) -> InstallerScript<'a>;
}

/// Why a host cannot be moved to another state.
#[derive(Debug, thiserror::Error)]
pub enum MoveRefused {
    /// There is no such host.
    #[error("there is no such host")]
    Unknown,
    /// Its life has no such move.
    #[error(transparent)]
    Lifecycle(#[from] lifecycle::Refused),
    /// The ledger could not be written: nothing has changed.
    #[error("the ledger could not be written")]
    NotKept(#[from] StoreError),
}

impl Discovery {
    /// Says who starts installers. Once, at the start.
    pub fn install_by(&self, installer: Arc<dyn InstallScripts>) {
        if self.inner.installer.set(installer).is_err() {
            tracing::error!("installers are started by two; the first one stays");
        }
    }

    /// Looks at, or changes, the installations that run. Held for a moment, never across an await.
    pub fn with_installs<R>(&self, look: impl FnOnce(&mut OpenInstalls) -> R) -> R {
        look(&mut self.view().installs)
    }

    /// The host that uses an address, by its lease or as it was seen.
    #[must_use]
    pub fn host_of_address(&self, address: IpAddr) -> Option<HostId> {
        let mac = self.mac_of_address(address)?;
        self.view().host_by_mac(mac)
    }

    /// The interfaces of a host.
    #[must_use]
    pub fn macs_of(&self, host: HostId) -> Vec<MacAddr> {
        self.view().macs_of(host)
    }

    /// Moves a host by `cause` and commits that with `writes`, all or nothing. Waits for a report of the same host that
    /// is being taken in, so that neither undoes the other.
    ///
    /// # Errors
    /// When the move makes no sense from where the host is, or the ledger cannot be written.
    pub async fn move_host(
        &self,
        host: HostId,
        cause: Cause,
        actor: Option<String>,
        writes: impl FnOnce(State) -> Vec<Write> + Send,
    ) -> Result<State, MoveRefused> {
        self.move_host_by(host, &[cause], actor, writes).await
    }

    /// The same by several causes, one after the other.
    ///
    /// # Errors
    /// As [`Self::move_host`]; then none of the moves has happened.
    pub async fn move_host_by(
        &self,
        host: HostId,
        causes: &[Cause],
        actor: Option<String>,
        writes: impl FnOnce(State) -> Vec<Write> + Send,
    ) -> Result<State, MoveRefused> {
        let _turn = self.inner.turns.of(host).await;
        let now = self.now();
        let mut state = self.host(host).ok_or(MoveRefused::Unknown)?.state;
        let mut moves = Vec::with_capacity(causes.len());
        for cause in causes {
            let before = state;
            state = lifecycle::apply(before, *cause)?;
            if state != before {
                moves.push(Write::HostState {
                    host,
                    state,
                    change: Box::new(Change {
                        id: new_id(now),
                        host,
                        at: now,
                        source: Source::Person,
                        actor: actor.clone(),
                        field: "state".to_owned(),
                        before: Some(before.as_str().to_owned()),
                        after: Some(state.as_str().to_owned()),
                    }),
                });
            }
        }
        let mut writes = writes(state);
        writes.extend(moves);
        if state == State::Retired {
            writes.push(Write::AgentsRevoked {
                host,
                by: "retired".to_owned(),
                at: now,
            });
        }
        self.writer().commit(writes).await?;
        self.view().change_host(host, |host| host.state = state);
        self.feed().tell(FeedItem::Host(host));
        Ok(state)
    }
}
