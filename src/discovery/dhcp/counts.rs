use std::sync::atomic::{AtomicU64, Ordering};

use muster_wire::dhcp::MessageType;
use serde::Serialize;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// DHCP since the start of the process.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct DhcpCounts { $($(#[$doc])* pub $name: u64),* }

        #[derive(Debug, Default)]
        pub(in crate::discovery) struct Counters { $(pub(super) $name: AtomicU64),* }

        impl Counters {
            pub(in crate::discovery) fn read(&self) -> DhcpCounts {
                DhcpCounts { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counts! {
    /// DISCOVERs received.
    discovers,
    /// REQUESTs received.
    requests,
    /// DECLINEs received.
    declines,
    /// RELEASEs received.
    releases,
    /// INFORMs received.
    informs,
    /// Messages that servers do not answer.
    others,
    /// Answers of other servers that were heard.
    foreign,
    /// OFFERs sent, those beside another server too.
    offers,
    /// ACKs sent.
    acks,
    /// NAKs sent.
    naks,
    /// Requests that were not answered, by rule.
    silences,
    /// Addresses that could not be promised because the ledger could not be written.
    not_written,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, kind: Option<MessageType>) {
        Self::add(match kind {
            Some(MessageType::Discover) => &self.discovers,
            Some(MessageType::Request) => &self.requests,
            Some(MessageType::Decline) => &self.declines,
            Some(MessageType::Release) => &self.releases,
            Some(MessageType::Inform) => &self.informs,
            _ => &self.others,
        });
    }

    pub(super) fn sent(&self, kind: Option<MessageType>) {
        Self::add(match kind {
            Some(MessageType::Offer) => &self.offers,
            Some(MessageType::Nak) => &self.naks,
            _ => &self.acks,
        });
    }
}
