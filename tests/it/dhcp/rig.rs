use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use muster::{
    boot::{Event, Policy},
    discovery::{Arrival, ArrivalPort, BootFiles, Clock, Discovery, Setup},
    ipam::{AddressRange, Mode, Reservation, Subnet},
    store::{EventQuery, Store},
};
use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType, decode, encode_within};

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 9]);

pub(crate) fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

pub(crate) fn subnet(network: &str, mode: Mode, first: Ipv4Addr, last: Ipv4Addr) -> Subnet {
    Subnet {
        network: network.parse().unwrap(),
        mode,
        ranges: if mode == Mode::Pool {
            vec![AddressRange { first, last }]
        } else {
            Vec::new()
        },
        reservations: Vec::new(),
        router: Some(SERVER),
        dns: vec![SERVER],
        domain: Some("lab".to_owned()),
        ntp: Vec::new(),
        lease_time: Duration::from_secs(3600),
    }
}

/// 10.77.0.0/24 in one mode.
pub(crate) fn lab(mode: Mode) -> Vec<Subnet> {
    vec![subnet("10.77.0.0/24", mode, ip(100), ip(250))]
}

pub(crate) fn reserved(pairs: &[(MacAddr, Ipv4Addr)]) -> Vec<Subnet> {
    let mut subnets = lab(Mode::Reserved);
    subnets[0].reservations = pairs
        .iter()
        .map(|(mac, address)| Reservation {
            mac: *mac,
            address: *address,
            hostname: Some("node1".to_owned()),
        })
        .collect();
    subnets
}

/// Discovery with a ledger in memory, files and a clock of its own.
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) discovery: Discovery,
    pub(crate) folder: tempfile::TempDir,
    seconds: Arc<AtomicI64>,
}

impl Rig {
    pub(crate) async fn new(subnets: Vec<Subnet>) -> Self {
        Self::with(subnets, Policy::default()).await
    }

    pub(crate) async fn with(subnets: Vec<Subnet>, policy: Policy) -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.migrate().await.unwrap();
        Self::on(store, subnets, policy).await
    }

    /// On a ledger that may hold something already.
    pub(crate) async fn on(store: Store, subnets: Vec<Subnet>, policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["undionly.kpxe", "snponly.efi", "snponly-arm64.efi"] {
            std::fs::write(folder.path().join(name), b"loader").unwrap();
        }
        for name in ["vmlinuz", "initrd"] {
            std::fs::write(folder.path().join(name), b"image").unwrap();
        }
        let seconds = Arc::new(AtomicI64::new(0));
        let ticks = Arc::clone(&seconds);
        let clock = Clock::new(move || time(ticks.load(Ordering::Relaxed)));
        let setup = Setup {
            policy,
            subnets,
            files: Arc::new(BootFiles::new(folder.path().to_owned(), folder.path().to_owned())),
            boot_listen: "0.0.0.0:8081".parse().unwrap(),
            boot_url: None,
        };
        let discovery = Discovery::start(&store, setup, clock).await.unwrap();
        Self {
            store,
            discovery,
            folder,
            seconds,
        }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sends through the bytes of question and answer, as the wire would.
    pub(crate) async fn ask_by(&self, packet: &Message, arrival: &Arrival) -> Option<Message> {
        let answer = self.discovery.dhcp(packet, arrival).await?.message;
        let bytes = encode_within(&answer, packet.reply_limit());
        assert!(bytes.len() >= 300, "shorter than relays take");
        assert!(bytes.len() <= packet.reply_limit(), "longer than the client takes");
        let sent = decode(&bytes).unwrap();
        assert_eq!(sent.faults, []);
        assert_eq!((sent.xid, sent.chaddr), (packet.xid, packet.chaddr));
        assert_eq!(sent.machine_id_raw, packet.machine_id_raw);
        Some(sent)
    }

    pub(crate) async fn ask(&self, packet: &Message) -> Option<Message> {
        self.ask_by(packet, &arrival(ArrivalPort::Dhcp)).await
    }

    /// Offer and acknowledgement of an address.
    pub(crate) async fn lease(&self, mac: MacAddr) -> Ipv4Addr {
        let offer = self.ask(&discover(mac)).await.unwrap();
        let ack = self.ask(&select(mac, offer.yiaddr)).await.unwrap();
        assert_eq!(ack.message_type, Some(MessageType::Ack));
        ack.yiaddr
    }

    /// The transcript of one interface, oldest first.
    pub(crate) async fn transcript(&self, mac: MacAddr) -> Vec<Event> {
        self.store.drain().await.unwrap();
        let query = EventQuery {
            mac: Some(mac),
            limit: 500,
            ..EventQuery::default()
        };
        let mut events = self.store.events(&query).await.unwrap();
        events.sort_by_key(|event| event.id);
        events
    }

    /// The verdict that the page of one interface's host shows now.
    pub(crate) async fn verdict(&self, mac: MacAddr) -> &'static str {
        let events = self.transcript(mac).await;
        self.discovery.verdict(&events).code.as_str()
    }
}

pub(crate) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn arrival(kind: ArrivalPort) -> Arrival {
    Arrival {
        interface: "br0".to_owned(),
        index: 2,
        server: SERVER,
        kind,
        from: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
    }
}

pub(crate) fn discover(mac: MacAddr) -> Message {
    Message::request(MessageType::Discover, 7, mac)
}

/// REQUEST of a client that selects our offer.
pub(crate) fn select(mac: MacAddr, address: Ipv4Addr) -> Message {
    let mut request = Message::request(MessageType::Request, 7, mac);
    request.server_id = Some(SERVER);
    request.requested_ip = Some(address);
    request
}

/// The same packet, sent by firmware or a loader.
pub(crate) fn firmware(mut packet: Message, class: &str, arch: u16) -> Message {
    packet.vendor_class = Some(class.as_bytes().to_vec());
    packet.architectures = vec![muster_wire::dhcp::Architecture(arch)];
    packet
}

pub(crate) fn uefi(packet: Message) -> Message {
    firmware(packet, "PXEClient:Arch:00007:UNDI:003000", 7)
}

pub(crate) fn ipxe(packet: Message) -> Message {
    let mut packet = firmware(packet, "PXEClient:Arch:00007:UNDI:003010", 7);
    packet.user_class = Some(b"iPXE".to_vec());
    packet
}
