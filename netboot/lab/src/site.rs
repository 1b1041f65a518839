//! A whole site: the server's namespace, the machines' network, and where files go.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    Firmware, LabError, Machine, MachineSpec, Namespace,
    advertise::Advertiser,
    capture::Capture,
    hardware::{Hardware, NicModel},
    http::Client,
    peer::{Peer, RunningPeer},
    relay::{Relay, RelaySpec},
    server::{Server, Settings, SubnetSettings},
};

/// The bridge that machines are ports of, on either side of a relay.
pub const BRIDGE: &str = "br0";
/// The server's hardware address on the bridge, and the relay's on its own.
pub const SERVER_MAC: &str = "52:54:00:7f:00:01";
const RELAY_MAC: &str = "52:54:00:7f:00:02";
/// The server's address on a network without relay.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The relay's address on the machines' network behind it.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
/// The server's end of the cable to the relay, and the relay's.
const CABLE: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(10, 79, 0, 1), Ipv4Addr::new(10, 79, 0, 2));
/// Name of both ends of the cable.
const UPLINK: &str = "up0";
/// Where the page and API, and the machines' HTTP, listen.
const PAGE_PORT: u16 = 8080;
const BOOT_PORT: u16 = 8081;

/// What is built beforehand and used by a site.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The server.
    pub server: PathBuf,
    /// Folder of the collection image (`vmlinuz`, `initrd`).
    pub image: PathBuf,
    /// Folder of the boot loaders.
    pub loaders: PathBuf,
}

/// A site; with it go its processes, namespaces and files.
#[derive(Debug)]
pub struct Site {
    relay: Option<Relay>,
    advertisers: Vec<Advertiser>,
    machines: Option<Namespace>,
    server: Namespace,
    numbered: Cell<u16>,
    logs: PathBuf,
    scratch: TempDir,
}

impl Site {
    /// A network with the server on it; logs and captures go to `logs`.
    ///
    /// # Errors
    /// When the network or a folder cannot be made.
    pub fn open(namespace: Namespace, logs: &Path) -> Result<Self, LabError> {
        namespace.add_bridge(BRIDGE, SERVER_MAC, SERVER, 24)?;
        let advertiser = Advertiser::start(&namespace, BRIDGE)?;
        fs::create_dir_all(logs).map_err(LabError::io(format!("creating {}", logs.display())))?;
        // Disks of machines are better held in memory, where there is a file system for it.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let scratch = tempfile::Builder::new()
            .prefix("muster-lab-")
            .tempdir_in(&folder)
            .map_err(LabError::io(format!("making a folder in {}", folder.display())))?;
        Ok(Self {
            relay: None,
            advertisers: vec![advertiser],
            machines: None,
            server: namespace,
            numbered: Cell::new(0),
            logs: logs.to_path_buf(),
            scratch,
        })
    }

    /// A site whose machines are on a network of their own, behind a DHCP relay and router.
    ///
    /// `disguised` machines look as if their firmware were not iPXE until they have an address; see [`RelaySpec`].
    ///
    /// # Errors
    /// When the network or a folder cannot be made.
    pub fn open_relayed(
        server: Namespace,
        machines: Namespace,
        disguised: BTreeSet<[u8; 6]>,
        logs: &Path,
    ) -> Result<Self, LabError> {
        let mut site = Self::open(server, logs)?;
        machines.add_bridge(BRIDGE, RELAY_MAC, RELAY, 24)?;
        let advertiser = Advertiser::start(&machines, BRIDGE)?;
        site.server.add_cable(UPLINK, &machines, UPLINK)?;
        site.server.add_address(UPLINK, CABLE.0, 30)?;
        machines.add_address(UPLINK, CABLE.1, 30)?;
        machines.route_between()?;
        machines.ip(&["route", "add", "default", "via", &CABLE.0.to_string()])?;
        site.server
            .ip(&["route", "add", "10.78.0.0/24", "via", &CABLE.1.to_string()])?;
        let relay = RelaySpec {
            machines: BRIDGE.to_owned(),
            address: RELAY,
            uplink: UPLINK.to_owned(),
            server: CABLE.0,
            disguised,
        };
        site.relay = Some(relay.start(&machines)?);
        site.advertisers.push(advertiser);
        site.machines = Some(machines);
        Ok(site)
    }

    /// The server's namespace.
    pub fn server_side(&self) -> &Namespace {
        &self.server
    }

    /// The machines' namespace: the server's, where there is no relay.
    pub fn machine_side(&self) -> &Namespace {
        self.machines.as_ref().unwrap_or(&self.server)
    }

    /// Where the page and the API are, inside [`Self::server_side`].
    pub fn page(&self) -> SocketAddr {
        (SERVER, PAGE_PORT).into()
    }

    /// The subnet the machines are on, with addresses .100 to .149 where the server gives them out.
    pub fn subnet(&self, mode: &'static str) -> SubnetSettings {
        let router = if self.machines.is_some() { RELAY } else { SERVER };
        let [first, second, third, _] = router.octets();
        let host = |last| Ipv4Addr::new(first, second, third, last);
        SubnetSettings {
            mode,
            network: format!("{}/24", host(0)),
            range: (mode == "pool").then(|| (host(100), host(149))),
            router,
        }
    }

    /// Starts the server with one subnet in `mode`; `more` is TOML for tables of its own.
    ///
    /// # Errors
    /// When the server does not become ready.
    pub fn start_server(
        &self,
        programs: &Programs,
        mode: &'static str,
        setup_token: &str,
        more: &str,
    ) -> Result<Server, LabError> {
        let settings = Settings {
            page: (Ipv4Addr::UNSPECIFIED, PAGE_PORT).into(),
            boot: (Ipv4Addr::UNSPECIFIED, BOOT_PORT).into(),
            image_dir: programs.image.clone(),
            loader_dir: programs.loaders.clone(),
            tree_dir: self.trees(),
            after_facts: "wait",
            subnets: vec![self.subnet(mode)],
            more: more.to_owned(),
        };
        let folder = self.server_folder();
        Server::start(
            &programs.server,
            &self.server,
            &settings,
            setup_token,
            &folder,
            &self.logs.join("server.log"),
        )
    }

    /// The folder in which the server finds installation trees.
    pub fn trees(&self) -> PathBuf {
        self.scratch.path().join("trees")
    }

    /// The settings file of the server, once it was started.
    pub fn config(&self) -> PathBuf {
        self.server_folder().join("muster.toml")
    }

    fn server_folder(&self) -> PathBuf {
        self.scratch.path().join("server")
    }

    /// Starts another DHCP server, on a machine of its own on the machines' network: its address is .2, and it gives
    /// out .150 to .199.
    ///
    /// # Errors
    /// When its network or dnsmasq does not start.
    pub fn start_peer(&self, boot_file: Option<&str>) -> Result<RunningPeer, LabError> {
        let router = self.subnet("observe").router;
        let [first, second, third, _] = router.octets();
        let host = |last| Ipv4Addr::new(first, second, third, last);
        let namespace = Namespace::unique("peer")?;
        self.machine_side().add_cable("peer0", &namespace, "eth0")?;
        self.machine_side().ip(&["link", "set", "peer0", "master", BRIDGE])?;
        namespace.add_address("eth0", host(2), 24)?;
        let peer = Peer {
            interface: "eth0".to_owned(),
            range: (host(150), host(199)),
            router,
            boot_file: boot_file.map(str::to_owned),
        };
        peer.start(namespace, self.scratch.path(), &self.logs.join("dnsmasq.log"))
    }

    /// Hardware that no other machine of this site has.
    pub fn next_hardware(&self, boot: NicModel) -> Hardware {
        self.numbered.set(self.numbered.get() + 1);
        Hardware::numbered(self.numbered.get(), boot)
    }

    /// Powers on a machine with hardware of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn power_on(&self, firmware: Firmware, boot: NicModel) -> Result<Machine, LabError> {
        let hardware = self.next_hardware(boot);
        self.power_on_as(MachineSpec::new(
            &format!("m{}", self.numbered.get()),
            firmware,
            hardware,
        ))
    }

    /// Powers on a machine as it is described.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn power_on_as(&self, spec: MachineSpec) -> Result<Machine, LabError> {
        let log = self.logs.join(format!("{}-{}.log", spec.name, spec.firmware.name()));
        spec.power_on(self.machine_side(), BRIDGE, self.scratch.path(), &log)
    }

    /// Captures what is said on the machines' network.
    ///
    /// # Errors
    /// When tcpdump does not start.
    pub fn capture(&self, filter: &str) -> Result<Capture, LabError> {
        Capture::start(self.machine_side(), BRIDGE, filter, &self.logs.join("network.pcap"))
    }

    /// A client of the page and the API, not signed in.
    pub fn client(&self) -> Client<'_> {
        Client::new(&self.server, self.page())
    }
}
