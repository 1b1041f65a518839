//! A machine is heard for the first time: it gets a host of its own, known by its interface alone.

use chrono::{DateTime, Utc};
use muster_facts::MacAddr;

use super::{Discovery, FeedItem, View};
use crate::{
    boot::{Event, EventKind, Level},
    inventory::{Host, HostId, Key, new_id},
    store::{StoreError, Write},
};

impl Discovery {
    /// The host of an interface; made and committed when there is none.
    ///
    /// # Errors
    /// When the ledger cannot be written; then there is none, as before.
    pub(in crate::discovery) async fn ensure_host(&self, mac: MacAddr) -> Result<HostId, StoreError> {
        let now = self.now();
        let host = {
            let mut view = self.view();
            if let Some(known) = view.host_by_mac(mac) {
                return Ok(known);
            }
            view.add_stub(mac, now)
        };
        let id = host.id;
        let write = Write::HostCreated(Box::new(host), vec![mac]);
        if let Err(error) = self.writer().commit(vec![write]).await {
            self.view().remove_host(id);
            return Err(error);
        }
        self.note(Event::new(now, mac, EventKind::HostCreated, Level::Info));
        self.feed().tell(FeedItem::Host(id));
        Ok(id)
    }
}

impl View {
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
