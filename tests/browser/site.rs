//! A server in this process, with its real edges on loopback: DHCP, TFTP and HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use muster::{
    auth::Auth,
    boot::Policy,
    discovery::{ArrivalPort, BootFiles, Clock, Discovery, Setup},
    http::{
        HttpBounds, PageSetup, PageState,
        boot::{BootBounds, boot_router},
        page_router, serve_http,
    },
    inventory::{Host, HostId, State, merge, new_id},
    ipam::{AddressRange, Mode, Subnet},
    net::{
        dhcp::{DhcpListener, DhcpPorts, run_dhcp},
        tftp::{TftpBounds, TftpListener, run_tftp},
    },
    store::{Store, Write},
};
use muster_facts::MacAddr;
use muster_fleet::{Fault, Firmware, Fleet, FleetPlan, Mix, Summary, hardware};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "a-token-for-tests";
const SEED: u64 = 1;
/// Hosts entered in one transaction.
const AT_ONCE: u32 = 500;

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    store: Store,
    dhcp: SocketAddrV4,
    tftp: u16,
    stop: CancellationToken,
    edges: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Site {
    /// Starts everything; the first account is still to be made.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["snponly.efi", "vmlinuz", "initrd"] {
            std::fs::write(folder.path().join(name), vec![7; 200 << 10]).unwrap();
        }
        let store = Store::open(&format!("sqlite://{}/muster.db", folder.path().display()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = http.local_addr().unwrap();
        let setup = Setup {
            policy: Policy::default(),
            subnets: vec![subnet()],
            files: Arc::new(BootFiles::new(folder.path().to_owned(), folder.path().to_owned())),
            boot_listen: address,
            boot_url: None,
        };
        let discovery = Discovery::start(&store, setup, Clock::new(Utc::now)).await.unwrap();
        let auth = Auth::new(store.clone());
        auth.open_setup(Some(TOKEN.to_owned())).await.unwrap();

        let (stop, mut edges) = (CancellationToken::new(), JoinSet::new());
        let router = page_router(PageState::new(PageSetup {
            installs: None,
            discovery: discovery.clone(),
            auth,
            https: false,
            proxies: Vec::new(),
        }))
        .merge(boot_router(discovery.clone(), BootBounds::default()));
        edges.spawn(serve_http(http, router, HttpBounds::default(), stop.clone()));

        let listener = DhcpListener::bind(0).unwrap();
        let dhcp = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.port());
        let ports = DhcpPorts {
            server: dhcp.port(),
            client: 6868,
            proxy: 4011,
        };
        let answering = run_dhcp(
            listener,
            ArrivalPort::Dhcp,
            ports,
            Vec::new(),
            discovery.clone(),
            stop.clone(),
        );
        edges.spawn(async { answering.await.unwrap() });

        let listener = TftpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tftp = listener.local_addr().port();
        let sending = run_tftp(listener, Arc::new(discovery), TftpBounds::default(), stop.clone());
        edges.spawn(async { sending.await.unwrap() });
        Self {
            address,
            store,
            dhcp,
            tftp,
            stop,
            edges,
            _folder: folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The machine that [`Self::boot`] powers on.
    pub(crate) fn machine() -> MacAddr {
        hardware::mac(0, 0)
    }

    /// Powers a UEFI machine on, always the same one, and waits until its boot has ended.
    pub(crate) async fn boot(&self, fault: &str) -> Summary {
        let plan = FleetPlan {
            count: 1,
            seed: SEED,
            relay: SocketAddrV4::new(Ipv4Addr::new(127, 77, 0, 2), 0),
            server: self.dhcp,
            tftp_port: self.tftp,
            spread: Duration::ZERO,
            at_once: 1,
            whole_image: true,
            firmware: "uefi".parse::<Mix<Firmware>>().unwrap(),
            faults: fault.parse::<Mix<Fault>>().unwrap(),
        };
        let summary = Fleet::new(plan).unwrap().run(|_| ()).await;
        assert!(summary.is_whole(), "{summary}");
        summary
    }

    /// Enters hosts that have reported, without booting them. The machine that boots is none of them.
    pub(crate) async fn enter(&self, count: u32) {
        for first in (1..=count).step_by(AT_ONCE as usize) {
            let writes = (first..=count.min(first + AT_ONCE - 1)).map(entered).collect();
            self.store.writer().commit(writes).await.unwrap();
        }
    }

    /// Stops everything, as the server does.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.edges.join_next().await {
            ended.unwrap();
        }
        self.store.close().await.unwrap();
    }
}

fn entered(index: u32) -> Write {
    let now = Utc::now();
    let facts = hardware::facts(SEED, index, Firmware::Uefi, 0);
    let host = Host {
        id: HostId(new_id(now)),
        name: index
            .is_multiple_of(3)
            .then(|| format!("rack{:03}-node{:02}.example.org", index / 40, index % 40)),
        state: State::Inventoried,
        created_at: now,
        last_seen_at: now,
        reported_at: Some(now),
        address: Some(Ipv4Addr::from_bits(0x7f4d_0000 + index).into()),
        summary: merge::summary(&facts),
        boot_verdict: Some("reported".to_owned()),
        booted_at: Some(now),
        ambiguous_with: Vec::new(),
    };
    Write::HostCreated(Box::new(host), vec![hardware::mac(index, 0)])
}

fn subnet() -> Subnet {
    Subnet {
        network: "127.77.0.0/16".parse().unwrap(),
        mode: Mode::Pool,
        ranges: vec![AddressRange {
            first: Ipv4Addr::new(127, 77, 1, 0),
            last: Ipv4Addr::new(127, 77, 254, 255),
        }],
        reservations: Vec::new(),
        router: None,
        dns: Vec::new(),
        domain: None,
        ntp: Vec::new(),
        lease_time: Duration::from_secs(3600),
    }
}
