//! A machine is heard for the first time: it gets a host of its own, known by its interface alone.

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;

use super::{Discovery, FeedItem, View};
use crate::{
    boot::{Event, EventKind, Level},
    inventory::{Host, HostId, Key, State, new_id},
    store::{StoreError, Write},
};

/// Hosts known by packets alone that are kept; more are served and not entered, so that a flood of invented addresses
/// fills neither memory nor disk.
const MAX_STUBS: usize = 50_000;

/// A host that never said more than a packet is forgotten this long after the last one.
const FORGET_STUB: TimeDelta = TimeDelta::days(30);

/// When there is no room left, those are forgotten that were not heard of for this long.
const FORGET_WHEN_FULL: TimeDelta = TimeDelta::hours(1);

/// Hosts forgotten in one go: leases and reports are not kept waiting for long.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Why a machine is not entered in the ledger.
#[derive(Debug, thiserror::Error)]
pub(in crate::discovery) enum NotEntered {
    #[error("{MAX_STUBS} hosts are known by packets alone; there is room again when one is not heard of for an hour")]
    TooMany,
    #[error(transparent)]
    NotKept(#[from] StoreError),
}

impl Discovery {
    /// The host of an interface; made and committed when there is none.
    ///
    /// # Errors
    /// When there are too many of which nothing but a packet is known, or the ledger cannot be written; then there is
    /// none, as before.
    pub(in crate::discovery) async fn ensure_host(&self, mac: MacAddr) -> Result<HostId, NotEntered> {
        let now = self.now();
        let host = {
            let mut view = self.view();
            if let Some(known) = view.host_by_mac(mac) {
                return Ok(known);
            }
            if !view.has_room_for_stub() {
                return Err(NotEntered::TooMany);
            }
            view.add_stub(mac, now)
        };
        let id = host.id;
        let write = Write::HostCreated(Box::new(host), vec![mac]);
        if let Err(error) = self.writer().commit(vec![write]).await {
            return self.not_entered(id, mac, error).await;
        }
        self.note(Event::new(now, mac, EventKind::HostCreated, Level::Info));
        self.feed().tell(FeedItem::Host(id));
        Ok(id)
    }

    /// Takes in the names that commands, or another server, have given hosts since the last look, and the states that
    /// profiles have moved them to. Costs one read by primary key when nothing has changed.
    ///
    /// # Errors
    /// When the ledger cannot be read; then the names stay as they were known.
    pub async fn learn_names(&self) -> Result<(), StoreError> {
        let revision = self.store().desired_revision().await?;
        if self.view().names_at == Some(revision) {
            return Ok(());
        }
        let names = self.store().host_names().await?;
        let renamed = {
            let mut view = self.view();
            view.names_at = Some(revision);
            let renamed: Vec<HostId> = view
                .hosts()
                .filter(|host| host.name.as_ref() != names.get(&host.id))
                .map(|host| host.id)
                .collect();
            for id in &renamed {
                view.change_host(*id, |host| host.name = names.get(id).cloned());
            }
            renamed
        };
        for id in renamed {
            self.feed().tell(FeedItem::Host(id));
        }
        let kept = self.store().states_before_installation().await?;
        let moved: Vec<HostId> = self
            .view()
            .hosts()
            .filter(|host| kept.get(&host.id).is_some_and(|state| *state != host.state))
            .map(|host| host.id)
            .collect();
        for id in moved {
            self.learn_state(id).await?;
        }
        Ok(())
    }

    /// Takes in where a host stands before its installation, after a person gave or took its profile: that is written in the
    /// ledger, by commands too.
    ///
    /// # Errors
    /// When the ledger cannot be read; then the host stands where it was known to.
    pub async fn learn_state(&self, id: HostId) -> Result<(), StoreError> {
        // Whoever of this server moves a host has its turn until that is committed: what is read now is not older.
        let _turn = self.inner.turns.of(id).await;
        let Some(kept) = self.store().host(id).await? else {
            return Ok(());
        };
        let mut learned = false;
        self.view().change_host(id, |host| {
            if host.state.is_before_installation() && kept.state.is_before_installation() {
                learned = host.state != kept.state;
                host.state = kept.state;
            }
        });
        if learned {
            self.feed().tell(FeedItem::Host(id));
        }
        Ok(())
    }

    /// Takes back a host that could not be written. When another server of this ledger has entered the machine, that
    /// host is its host here too.
    ///
    /// # Errors
    /// `error`, when it is not that; or when the ledger cannot be read.
    pub(in crate::discovery) async fn not_entered(
        &self,
        ours: HostId,
        mac: MacAddr,
        error: StoreError,
    ) -> Result<HostId, NotEntered> {
        self.view().remove_host(ours);
        let StoreError::MacTaken(_) = error else {
            return Err(error.into());
        };
        let Some(known) = self.store().known_host(mac).await? else {
            return Err(error.into());
        };
        self.view().adopt(&known);
        Ok(known.host.id)
    }
}

impl View {
    /// True while further hosts may be entered by a packet alone.
    pub(in crate::discovery) const fn has_room_for_stub(&self) -> bool {
        self.stub_count() < MAX_STUBS
    }

    /// Hosts known by packets alone of which nothing has come for so long that they are forgotten. A person's name for
    /// one keeps it.
    pub(in crate::discovery) fn stale_stubs(&self, now: DateTime<Utc>) -> Vec<HostId> {
        if self.stub_count() == 0 {
            return Vec::new();
        }
        let patience = if self.has_room_for_stub() {
            FORGET_STUB
        } else {
            FORGET_WHEN_FULL
        };
        self.hosts()
            .filter(|host| host.state == State::Discovered && host.name.is_none())
            .filter(|host| now - host.last_seen_at >= patience)
            .map(|host| host.id)
            .take(FORGOTTEN_AT_ONCE)
            .collect()
    }

    /// Enters a host in state `discovered` for an interface that is nobody's.
    pub(in crate::discovery) fn add_stub(&mut self, mac: MacAddr, now: DateTime<Utc>) -> Host {
        let host = Host::discovered(HostId(new_id(now)), now);
        self.put_host(host.clone());
        self.put_interface(mac, host.id);
        if let Some(key) = Key::mac(mac) {
            self.keys_mut().add(host.id, key);
        }
        host
    }
}
