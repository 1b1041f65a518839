//! A machine is heard for the first time: it gets a host of its own, known by its interface alone.

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;

use super::{Discovery, FeedItem, View};
use crate::{
    boot::{Event, EventKind, Level},
    inventory::{Host, HostId, Key, new_id},
    store::{StoreError, Write},
};

/// Hosts known by packets alone that are kept; more are served and not entered, so that a flood of invented addresses
/// fills neither memory nor disk.
const MAX_STUBS: usize = 50_000;

/// Why a machine is not entered in the ledger.
#[derive(Debug, thiserror::Error)]
pub(in crate::discovery) enum NotEntered {
    #[error("{MAX_STUBS} hosts are known by packets alone and none is entered any more; remove what is not yours")]
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
            self.view().remove_host(id);
            return Err(error.into());
        }
        self.note(Event::new(now, mac, EventKind::HostCreated, Level::Info));
        self.feed().tell(FeedItem::Host(id));
        Ok(id)
    }
}

impl View {
    /// True while further hosts may be entered by a packet alone.
    pub(in crate::discovery) const fn has_room_for_stub(&self) -> bool {
        self.stub_count() < MAX_STUBS
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
