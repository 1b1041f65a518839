use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{boot::Event, inventory::HostId};

/// Items a reader may be behind before it is dropped.
const DEPTH: usize = 1024;

/// One thing that pages may want to show at once.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// The row or the facts of a host changed; also for a host that was joined with another.
    Host(HostId),
    /// Something new is known of the installation of a host: a stage, packages, a line of its log.
    Install(HostId),
    /// Something happened.
    Event(Arc<Event>),
    /// A lease changed, or another DHCP server was heard.
    Leases,
}

/// What happens, told to whoever listens. Nobody is waited for: a reader that falls behind learns that it did.
#[derive(Debug, Clone)]
pub struct Feed(broadcast::Sender<FeedItem>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(DEPTH))
    }
}

impl Feed {
    /// Tells all listeners; without any it costs nothing.
    pub fn tell(&self, item: FeedItem) {
        // An error means that nobody listens.
        let _ = self.0.send(item);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<FeedItem> {
        self.0.subscribe()
    }
}
