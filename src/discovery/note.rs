//! Events on their way: into the boot they belong to, to disk, to open pages.

use std::{net::IpAddr, sync::Arc, time::Duration};

use muster_facts::MacAddr;
use tokio_util::sync::CancellationToken;

use super::{Discovery, FeedItem};
use crate::{
    boot::{BootId, Event, Verdict, diagnose},
    inventory::{Host, HostId},
    store::Write,
};

/// Between two looks whether a command has named a host.
const LEARN: Duration = Duration::from_secs(2);

/// How often verdicts are looked at that change by time alone.
const SWEEP: Duration = Duration::from_secs(5);

/// How often the folders of loaders and image are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Boots judged in one go: some hundred microseconds, which no packet notices.
const JUDGED_AT_ONCE: usize = 256;

impl Discovery {
    /// Notes something that happened: host and boot are filled in by MAC, the transcript is written without waiting,
    /// open pages are told. Gives the event as it was noted.
    pub fn note(&self, event: Event) -> Arc<Event> {
        let surroundings = self.surroundings();
        let (event, writes) = self.view().record(event, &surroundings);
        self.tell_verdicts(&writes);
        self.writer().post(writes);
        let event = Arc::new(event);
        self.feed().tell(FeedItem::Event(Arc::clone(&event)));
        event
    }

    /// As [`Self::note`], for an event that was committed with what it tells of.
    pub(in crate::discovery) fn note_written(&self, event: Event) {
        let surroundings = self.surroundings();
        let (event, mut writes) = self.view().record(event, &surroundings);
        writes.retain(|write| !matches!(write, Write::Event(_)));
        self.tell_verdicts(&writes);
        self.writer().post(writes);
        self.feed().tell(FeedItem::Event(Arc::new(event)));
    }

    /// The host an interface belongs to.
    #[must_use]
    pub fn host_by_mac(&self, mac: MacAddr) -> Option<Host> {
        let view = self.view();
        view.host_by_mac(mac).and_then(|id| view.host(id)).cloned()
    }

    /// One host's row as it is in memory.
    #[must_use]
    pub fn host(&self, id: HostId) -> Option<Host> {
        self.view().host(id).cloned()
    }

    /// The boot of one interface that runs, or ran within the hour.
    #[must_use]
    pub fn boot_session(&self, mac: MacAddr) -> Option<BootId> {
        self.view().boot_session(mac)
    }

    /// The verdict on events that were read from the ledger, oldest first, as of now.
    #[must_use]
    pub fn verdict(&self, events: &[Event]) -> Verdict {
        diagnose(events, &self.surroundings(), self.now())
    }

    /// The verdict on the boot of one interface that runs, or ran within the hour.
    #[must_use]
    pub fn running_verdict(&self, mac: MacAddr) -> Option<Verdict> {
        let (surroundings, now) = (self.surroundings(), self.now());
        self.view().verdict(mac, &surroundings, now)
    }

    /// Does what is due by time alone: verdicts of boots from which nothing comes any more. Called every few seconds.
    pub fn sweep(&self) {
        let (surroundings, now) = (self.surroundings(), self.now());
        let running = self.view().running();
        for some in running.chunks(JUDGED_AT_ONCE) {
            let writes = self.view().judge_anew(some, &surroundings, now);
            self.tell_verdicts(&writes);
            self.writer().post(writes);
        }
        let forgotten = self.view().forget(now);
        for host in &forgotten {
            self.feed().tell(FeedItem::Host(*host));
        }
        self.writer()
            .post(forgotten.into_iter().map(Write::HostForgotten).collect());
    }

    /// Calls [`Self::sweep`], looks at the folders of boot files and at names given by commands until `stop`.
    pub async fn keep(self, stop: CancellationToken) {
        let sweeping = repeat(SWEEP, &stop, || async { self.sweep() });
        // A folder that hangs keeps nothing else from being done.
        let looking = repeat(LOOK, &stop, || async {
            let files = Arc::clone(self.files());
            // It cannot fail but by a panic, and then the next look is tried.
            let _ = tokio::task::spawn_blocking(move || files.look()).await;
        });
        let learning = repeat(LEARN, &stop, || async {
            if let Err(error) = self.learn_names().await {
                tracing::warn!(%error, "names that were given by commands cannot be read");
            }
        });
        tokio::join!(sweeping, looking, learning);
    }

    pub(in crate::discovery) fn tell_verdicts(&self, writes: &[Write]) {
        for write in writes {
            if let Write::BootVerdict { host, .. } = write {
                self.feed().tell(FeedItem::Host(*host));
            }
        }
    }

    /// Whoever uses an address: by our running lease, as seen of other servers, or who had it last.
    #[must_use]
    pub fn mac_of_address(&self, address: IpAddr) -> Option<MacAddr> {
        let IpAddr::V4(address) = address else { return None };
        let now = self.now();
        let view = self.view();
        view.leases
            .bound_to(address, now)
            .or_else(|| view.seen_at(address))
            .or_else(|| view.leases.holder(address))
    }
}

/// Does something every now and then until `stop`, which also ends what is being done.
async fn repeat<F: Future<Output = ()>>(every: Duration, stop: &CancellationToken, work: impl Fn() -> F) {
    let mut due = tokio::time::interval(every);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let work = async {
        loop {
            due.tick().await;
            work().await;
        }
    };
    stop.run_until_cancelled(work).await;
}
