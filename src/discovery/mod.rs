//! What happens when a machine asks and when facts arrive.

mod arrival;
mod claim;
mod clock;
mod dhcp;
mod feed;
mod files;
mod hosts;
mod installs;
mod malformed;
mod note;
mod report;
mod script;
mod tokens;
mod transfers;
mod view;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use chrono::{DateTime, Utc};

pub use arrival::{Answer, Arrival, ArrivalPort};
pub use clock::Clock;
pub use dhcp::DhcpCounts;
pub use feed::{Feed, FeedItem};
pub use files::{AgentProgram, BootFile, BootFiles, FileFault, FileKind};
pub use installs::{InstallHold, InstallScripts, InstallerAsked, InstallerScript, MoveRefused};
pub use malformed::MalformedCounts;
pub use report::{NextStep, ReportRefused};
pub use script::ScriptRequest;
pub use transfers::TftpTicket;
pub use view::View;

use crate::{
    boot::{Policy, Surroundings},
    ipam::{Subnet, SubnetNo, Usage},
    store::{Store, StoreError, Writer},
};

/// What discovery is made of, as plain values of the settings.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What machines that boot are given.
    pub policy: Policy,
    /// Every configured subnet.
    pub subnets: Vec<Subnet>,
    /// Loaders and the collection image.
    pub files: Arc<BootFiles>,
    /// Where the boot routes listen. An unspecified address is replaced by the one a machine reaches us at.
    pub boot_listen: SocketAddr,
    /// `boot.url`, when it cannot be derived: without a slash at its end.
    pub boot_url: Option<String>,
}

/// The use cases of machines that boot. Cheap to clone; all clones share one view.
#[derive(Debug, Clone)]
pub struct Discovery {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    view: Mutex<View>,
    store: Store,
    writer: Writer,
    feed: Feed,
    clock: Clock,
    setup: Setup,
    malformed: malformed::Malformed,
    turns: report::Turns,
    counters: dhcp::Counters,
    installer: OnceLock<Arc<dyn InstallScripts>>,
}

impl Discovery {
    /// Reads the view from the ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn start(store: &Store, setup: Setup, clock: Clock) -> Result<Self, StoreError> {
        let snapshot = store.load_view().await?;
        let servers = store.dhcp_servers().await?;
        let view = View::load(&snapshot, servers, &setup.subnets, clock.now());
        Ok(Self {
            inner: Arc::new(Inner {
                view: Mutex::new(view),
                store: store.clone(),
                writer: store.writer(),
                feed: Feed::default(),
                clock,
                setup,
                malformed: malformed::Malformed::default(),
                turns: report::Turns::default(),
                counters: dhcp::Counters::default(),
                installer: OnceLock::new(),
            }),
        })
    }

    /// What happens, for open pages.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// What machines that boot are given.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.inner.setup.policy
    }

    /// Every configured subnet.
    #[must_use]
    pub fn subnets(&self) -> &[Subnet] {
        &self.inner.setup.subnets
    }

    /// True for an address in a configured subnet.
    #[must_use]
    pub fn serves(&self, address: Ipv4Addr) -> bool {
        SubnetNo::of(self.subnets(), address).is_some()
    }

    /// Loaders and the collection image.
    #[must_use]
    pub fn files(&self) -> &Arc<BootFiles> {
        &self.inner.setup.files
    }

    /// The agent's program for an architecture such as `x86_64`; none when it is not beside the collection image.
    #[must_use]
    pub fn agent_program(&self, architecture: &str) -> Option<AgentProgram> {
        self.files().agent_program(architecture)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// What verdicts depend on beside events.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        Surroundings {
            image: self.files().has_image(),
        }
    }

    /// `http://address:port` of the boot routes, for a machine that reaches us at `ours`.
    #[must_use]
    pub fn boot_base(&self, ours: Ipv4Addr) -> String {
        if let Some(url) = &self.inner.setup.boot_url {
            return url.clone();
        }
        let listen = self.inner.setup.boot_listen;
        let address = match listen.ip() {
            IpAddr::V4(address) if !address.is_unspecified() => address,
            _ => ours,
        };
        match listen.port() {
            80 => format!("http://{address}"),
            port => format!("http://{address}:{port}"),
        }
    }

    /// DHCP since the start of the process.
    #[must_use]
    pub fn dhcp_counts(&self) -> DhcpCounts {
        self.inner.counters.read()
    }

    /// Every subnet with the use of its ranges now.
    #[must_use]
    pub fn subnet_usage(&self) -> Vec<(Subnet, Usage)> {
        let now = self.now();
        let view = self.view();
        let usage = |subnet: &Subnet| {
            view.leases
                .subnet_of(subnet.network.network())
                .map_or_else(Usage::default, |number| view.leases.usage(number, now))
        };
        self.subnets()
            .iter()
            .map(|subnet| (subnet.clone(), usage(subnet)))
            .collect()
    }

    pub(in crate::discovery) fn counters(&self) -> &dhcp::Counters {
        &self.inner.counters
    }

    /// The view; held for a moment, never across an await.
    pub(in crate::discovery) fn view(&self) -> MutexGuard<'_, View> {
        // A panic in a holder leaves at worst one machine's boot half noted.
        self.inner.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger, for what is not in memory.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Where everything that happens is handed in.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }
}
