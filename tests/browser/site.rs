//! A server in this process, with its real edges on loopback: DHCP, TFTP and HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use muster::{
    auth::Auth,
    boot::{Level, Policy},
    desired::{Distro, Family, HostPlan, Parent, Profile, Tree, Values, rules::Rule},
    discovery::{ArrivalPort, BootFiles, Clock, Discovery, Setup},
    http::{
        HttpBounds, PageSetup, PageState,
        boot::{BootBounds, boot_router, install_router},
        page_router, serve_http,
    },
    install::{Difference, Evidence, FailedBy, InstallId, Outcome, Packages, Planned, Progress, Stage},
    inventory::{Host, HostId, Source, State, identity, merge, new_id},
    ipam::{AddressRange, Mode, Subnet},
    net::{
        dhcp::{DhcpListener, DhcpPorts, run_dhcp},
        tftp::{TftpBounds, TftpListener, run_tftp},
    },
    provision::{Catalog, answers::Answers, install::Installs, rules::Rules},
    render::answer::Library,
    search::parse,
    store::{FactsSaved, HostQuery, Install, InstallLog, Store, Write},
};
use muster_facts::MacAddr;
use muster_fleet::{Fault, Firmware, Fleet, FleetPlan, Mix, Summary, hardware};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::measured;

pub(crate) const TOKEN: &str = "a-token-for-tests";
const SEED: u64 = 1;
/// Hosts entered in one transaction.
const AT_ONCE: u32 = 500;
/// Hosts that are entered with all that they reported.
const REPORTED: u32 = 120;

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    catalog: Catalog,
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

        let catalog = Catalog::new(store.clone(), &[]);
        let answers = Answers::new(store.clone(), catalog.clone(), Arc::new(Library::built_in()));
        let installs = Installs::open(&discovery, Arc::new(answers.clone()), None)
            .await
            .unwrap();

        let (stop, mut edges) = (CancellationToken::new(), JoinSet::new());
        let router = page_router(PageState::new(PageSetup {
            answers: Some(answers),
            installs: Some(installs.clone()),
            discovery: discovery.clone(),
            auth,
            https: false,
            proxies: Vec::new(),
        }))
        .merge(boot_router(discovery.clone(), BootBounds::default()))
        .merge(install_router(installs));
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
            catalog,
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
            let writes = (first..=count.min(first + AT_ONCE - 1)).flat_map(entered).collect();
            self.store.writer().commit(writes).await.unwrap();
        }
    }

    /// Enters two distros with profiles, and defaults.
    pub(crate) async fn profiles(&self) {
        let now = Utc::now();
        let (catalog, actor) = (&self.catalog, "user:anna");
        let defaults = json!({
            "timezone": "Europe/Berlin", "locale": "en_US.UTF-8", "keyboard": "us", "name_servers": ["10.77.0.1", "10.77.0.2"],
            "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl anna"],
        });
        catalog.set_defaults(values(&defaults), actor, now).await.unwrap();
        for (name, family, id, version, kernel, initrd) in [
            ("debian13", Family::Debian, "debian", "13", "linux", "initrd.gz"),
            (
                "rocky9",
                Family::Redhat,
                "rocky",
                "9.6",
                "images/pxeboot/vmlinuz",
                "images/pxeboot/initrd.img",
            ),
        ] {
            let distro = Distro {
                name: name.into(),
                family,
                id: id.into(),
                version: version.into(),
                codename: (id == "debian").then(|| "trixie".into()),
                arch: "x86_64".into(),
                tree: Tree::Url(format!("http://127.0.0.1:9/{name}")),
                kernel: kernel.into(),
                initrd: initrd.into(),
                values: values(&json!({"kernel_options": {"console": ["tty0", "ttyS0,115200"]}})),
            };
            catalog.add_distro(distro, actor, now).await.unwrap();
        }
        for (name, parent, document) in [
            (
                "base",
                Parent::Distro("debian13".into()),
                json!({"packages": ["openssh-server", "chrony"], "root_password_hash": "$6$abcdefgh$0123456789",
                    "partitioning": {"scheme": "lvm", "swap_mib": 4096}, "disk": {"rule": "smallest"}}),
            ),
            (
                "web",
                Parent::Profile("base".into()),
                json!({"packages": ["nginx"], "vars": {"role": "web"}, "tags": ["web"]}),
            ),
            (
                "web-canary",
                Parent::Profile("web".into()),
                json!({"packages": ["!chrony"], "comment": "first in line"}),
            ),
            (
                "database",
                Parent::Profile("base".into()),
                json!({"packages": ["postgresql"]}),
            ),
            (
                "rocky-base",
                Parent::Distro("rocky9".into()),
                json!({"selinux": "enforcing", "root_password_hash": "!"}),
            ),
        ] {
            let profile = Profile {
                name: name.into(),
                parent,
                values: values(&document),
            };
            catalog.add_profile(profile, actor, now).await.unwrap();
        }
    }

    /// Enters rules on facts: one matches all hosts, one some, one none.
    pub(crate) async fn rules(&self) {
        let rules = Rules::new(self.store.clone());
        let said = [
            (
                Rule {
                    place: Some("bj1/{{ lldp.switch }}".into()),
                    tags: vec!["bj1".into()],
                    ..Rule::empty("site")
                },
                "true",
            ),
            (
                Rule {
                    profile: Some("database".into()),
                    hostname: Some("db-{{ serial | lower }}".into()),
                    tags: vec!["database".into(), "big".into()],
                    ..Rule::empty("big-memory")
                },
                "memory_gib >= 256 and disks | selectattr(\"kind\", \"eq\", \"ssd\") | length >= 2",
            ),
            (
                Rule {
                    profile: Some("web-canary".into()),
                    install: true,
                    ..Rule::empty("canary")
                },
                "vendor is like(\"Nobody*\")",
            ),
        ];
        for (place, (rule, when)) in said.into_iter().enumerate() {
            let rule = Rule {
                order: 10 * u32::try_from(place).unwrap(),
                when: when.into(),
                ..rule
            };
            rules.add(rule, "user:anna", Utc::now()).await.unwrap();
        }
    }

    /// Gives hosts profiles and enters an installation of each, one that runs among them; gives the id of that one.
    pub(crate) async fn installations(&self, count: u32) -> InstallId {
        let query = HostQuery {
            limit: u64::from(count),
            ..HostQuery::default()
        };
        let hosts = self.store.hosts(&query).await.unwrap().hosts;
        let mut running = None;
        let mut writes = Vec::new();
        for (place, host) in hosts.iter().enumerate() {
            let outcome = match place {
                0 => Outcome::Open,
                _ if place % 9 == 4 => Outcome::Failed,
                _ if place % 23 == 5 => Outcome::Cancelled,
                _ => Outcome::Done,
            };
            let install = installation(host.id, i64::try_from(place).unwrap(), outcome);
            if place < 40 {
                let plan = HostPlan {
                    profile: Some(["web", "database", "base"][place % 3].into()),
                    values: values(&json!({"hostname": format!("node{place:02}"), "domain": "example.org"})),
                    ..HostPlan::empty(host.id)
                };
                self.catalog.set_plan(plan, "user:anna", Utc::now()).await.unwrap();
            }
            if outcome == Outcome::Open {
                running = Some(install.id);
                for line in 0..60 {
                    writes.push(Write::InstallLog(log_line(&install, line)));
                }
            }
            writes.insert(0, Write::Install(Box::new(install)));
            if writes.len() > 500 {
                self.store.writer().commit(std::mem::take(&mut writes)).await.unwrap();
            }
        }
        self.store.writer().commit(writes).await.unwrap();
        running.unwrap()
    }

    /// Enters what a host has measured in a day, and when others were heard; gives that host.
    pub(crate) async fn measured_host(&self) -> HostId {
        let query = HostQuery {
            search: Some(parse(&format!("mac:{}", hardware::mac(1, 0))).unwrap().at(Utc::now())),
            limit: 1,
            ..HostQuery::default()
        };
        let host = self.store.hosts(&query).await.unwrap().hosts.remove(0).id;
        measured::enter(&self.store, host).await;
        host
    }

    /// Gives a host that has reported a profile and a name.
    pub(crate) async fn plan(&self, host: HostId) {
        let plan = HostPlan {
            profile: Some("web".into()),
            values: values(&json!({"hostname": "node99", "domain": "example.org"})),
            ..HostPlan::empty(host)
        };
        self.catalog.set_plan(plan, "user:anna", Utc::now()).await.unwrap();
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

/// A host and, of the first ones, the report of its hardware.
fn entered(index: u32) -> Vec<Write> {
    let now = Utc::now();
    let facts = hardware::facts(SEED, index, Firmware::Uefi, 0);
    let id = HostId(new_id(now));
    let host = Host {
        id,
        name: index
            .is_multiple_of(3)
            .then(|| format!("rack{:03}-node{:02}.example.org", index / 40, index % 40)),
        state: State::Inventoried,
        created_at: now,
        last_seen_at: now,
        reported_at: Some(now),
        heard_at: None,
        address: Some(Ipv4Addr::from_bits(0x7f4d_0000 + index).into()),
        summary: merge::summary(&facts),
        boot_verdict: Some("reported".to_owned()),
        booted_at: Some(now),
        ambiguous_with: Vec::new(),
    };
    let created = Write::HostCreated(Box::new(host.clone()), vec![hardware::mac(index, 0)]);
    if index > REPORTED {
        return vec![created];
    }
    let saved = FactsSaved {
        interfaces: merge::interfaces(id, &[], &facts, now),
        components: merge::components(id, &[], &facts),
        keys: identity::keys_of(&facts),
        source: Source::Netboot,
        host,
        facts,
        at: now,
        changes: Vec::new(),
        events: Vec::new(),
        absorbed: Vec::new(),
    };
    vec![created, Write::Facts(Box::new(saved))]
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

fn values(document: &serde_json::Value) -> Values {
    Values::check(document.as_object().cloned().unwrap()).unwrap()
}

/// An installation that began some minutes ago, newest first by `place`.
fn installation(host: HostId, place: i64, outcome: Outcome) -> Install {
    let began = Utc::now() - TimeDelta::minutes(14 + place * 3);
    let last = match outcome {
        Outcome::Done => Stage::Verified,
        Outcome::Failed => Stage::Disks,
        _ => Stage::Packages,
    };
    let mut progress = Progress::requested("user:anna", began);
    let mut at = began;
    for reached in Stage::ALL.iter().take_while(|stage| **stage <= last) {
        let seconds = match reached {
            Stage::Loader | Stage::Rebooting => 95,
            Stage::Packages => 45,
            Stage::Post => 380,
            _ => 20,
        };
        at += TimeDelta::seconds(seconds + place % 7);
        progress.hear(
            &Evidence::new(*reached, format!("the machine says: {}", reached.as_str())),
            at,
        );
    }
    progress.packages = Some(Packages {
        done: 183,
        all: Some(412),
    });
    Install {
        id: InstallId(new_id(began)),
        host,
        profile: ["web", "database", "base"][usize::try_from(place % 3).unwrap()].into(),
        distro: "debian13".into(),
        started_by: "user:anna".into(),
        created_at: began,
        ended_at: (outcome != Outcome::Open).then_some(at),
        outcome,
        failed_by: (outcome == Outcome::Failed).then_some(FailedBy::Installer),
        reason: match outcome {
            Outcome::Failed => {
                Some("partman: no disk fits the recipe: the smallest has 8 GB and the recipe needs 12 GB".into())
            }
            Outcome::Done => Some("installed as planned".into()),
            _ => None,
        },
        progress,
        once: true,
        agent: true,
        hashes: None,
        client: None,
        snapshot: Some(
            "d-i debian-installer/locale string en_US.UTF-8\nd-i passwd/root-password-crypted password [hidden]\n"
                .into(),
        ),
        planned: Planned {
            hostname: Some("node01".into()),
            os: Some("debian".into()),
            os_version: Some("13".into()),
            addresses: vec!["10.77.0.21".into()],
            disk: Some("S3Z8NX0M712345".into()),
            kernel_options: vec!["console=ttyS0,115200".into()],
        },
        differences: (outcome == Outcome::Done && place % 4 == 1).then(|| {
            vec![Difference {
                field: "address".into(),
                planned: "10.77.0.21".into(),
                found: Some("10.77.0.121".into()),
            }]
        }),
    }
}

fn log_line(install: &Install, number: i64) -> InstallLog {
    let at = install.created_at + TimeDelta::seconds(240 + number * 9);
    InstallLog {
        id: new_id(at),
        install: install.id,
        at,
        source: if number % 10 == 0 { "stage" } else { "syslog" }.into(),
        level: if number % 25 == 7 { Level::Warn } else { Level::Info },
        text: format!(
            "in-target: Unpacking libexample{number} (1.{number}.0-1+deb13u2) over a line that is as long as those of installers"
        ),
    }
}
