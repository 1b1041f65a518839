use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{boot::Event, inventory::HostId};

/// Items a slow reader may lag behind before it loses the oldest.
const DEPTH: usize = 1024;

/// Something that open pages want to know at once.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// A host is new or has changed.
    Host(HostId),
    /// A line of a transcript.
    Event(Arc<Event>),
    /// Leases have changed.
    Leases,
}

/// What happens, as it happens. Readers that lag lose items and are told how many: they read the page again.
#[derive(Debug, Clone)]
pub struct Feed {
    sender: broadcast::Sender<FeedItem>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(DEPTH),
        }
    }
}

impl Feed {
    /// Everything from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<FeedItem> {
        self.sender.subscribe()
    }

    /// Tells whoever listens; nobody listening is as good.
    pub fn send(&self, item: FeedItem) {
        let _nobody = self.sender.send(item);
    }
}
