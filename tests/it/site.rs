//! A server's pages without sockets, for the tests of pages, API and accounts.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use muster::{
    auth::Auth,
    boot::{BootId, Event, EventKind, Level, Policy},
    discovery::{BootFiles, Clock, Discovery, Setup},
    http::{PageSetup, PageState, Pages, pages},
    inventory::{Host, HostId, Source, State, Summary, identity, merge, new_id},
    ipam::{AddressRange, Lease, LeaseState, Mode, Subnet},
    metrics::{Block, Kind, SeriesName},
    provision::{Catalog, answers::Answers, install::Installs},
    render::answer::Library,
    store::{AgentHeard, DhcpServerSeen, FactsSaved, Role, Services, Store, Write},
};
use muster_facts::{Facts, MacAddr};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "a-token-for-tests";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// 2027-01-15, a fixed time: tests move it by [`Site::pass`].
const START: i64 = 1_800_000_000;

/// Where requests come from unless they say otherwise.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 50)), 40_000);
/// The proxy that the site believes.
pub(crate) const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 8)), 40_000);

pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) auth: Auth,
    pub(crate) discovery: Discovery,
    pub(crate) pages: Pages,
    seconds: Arc<AtomicI64>,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The session cookie as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let set = self.header(header::SET_COOKIE);
        set.split(';').next().unwrap().to_owned()
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::reached_by(false).await
    }

    /// A site that people reach by HTTPS.
    pub(crate) async fn behind_tls() -> Self {
        Self::reached_by(true).await
    }

    async fn reached_by(https: bool) -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.migrate().await.unwrap();
        let seconds = Arc::new(AtomicI64::new(0));
        let ticks = Arc::clone(&seconds);
        let clock = Clock::new(move || start() + TimeDelta::seconds(ticks.load(Ordering::Relaxed)));
        let setup = Setup {
            policy: Policy::default(),
            subnets: vec![subnet()],
            files: Arc::new(BootFiles::new("/nonexistent".into(), "/nonexistent".into())),
            boot_listen: "0.0.0.0:8081".parse().unwrap(),
            boot_url: None,
        };
        let discovery = Discovery::start(&store, setup, clock).await.unwrap();
        let auth = Auth::new(store.clone());
        let library = Arc::new(Library::built_in());
        let answers = Answers::new(store.clone(), Catalog::new(store.clone(), &[subnet()]), library);
        let installs = Installs::open(&discovery, Arc::new(answers.clone()), None)
            .await
            .unwrap();
        let pages = pages(PageState::new(PageSetup {
            answers: Some(answers),
            installs: Some(installs),
            discovery: discovery.clone(),
            auth: auth.clone(),
            https,
            proxies: vec![PROXY.ip()],
        }));
        Self {
            store,
            auth,
            discovery,
            pages,
            seconds,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        start() + TimeDelta::seconds(self.seconds.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::Relaxed);
    }

    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Response {
        if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() {
            request.extensions_mut().insert(ConnectInfo(CLIENT));
        }
        self.pages.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.raw(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 16 << 20).await.unwrap();
        Answer {
            status,
            headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn form(&self, path: &str, cookie: &str, fields: &str) -> Answer {
        self.form_from(CLIENT, &[], path, cookie, fields).await
    }

    /// The same from another address, with more headers.
    pub(crate) async fn form_from(
        &self,
        client: SocketAddr,
        headers: &[(&str, &str)],
        path: &str,
        cookie: &str,
        fields: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .extension(ConnectInfo(client))
            .method(Method::POST)
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(fields.to_owned())).unwrap()).await
    }

    /// Sends a document to the API.
    pub(crate) async fn json(&self, method: Method, path: &str, cookie: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// The cookie of an administrator.
    pub(crate) async fn signed_in(&self) -> String {
        self.signed_in_as("anna", Role::Admin).await
    }

    pub(crate) async fn signed_in_as(&self, name: &str, role: Role) -> String {
        self.auth
            .add_user(name, PASSWORD.to_owned(), role, self.now())
            .await
            .unwrap();
        let fields = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        let answer = self.form("/signin", "", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.cookie()
    }

    /// A host that has booted and reported these facts.
    pub(crate) async fn reported(&self, facts: Facts) -> HostId {
        let (id, at) = (HostId(new_id(self.now())), self.now());
        let host = host(id, at, State::Inventoried, "reported", merge::summary(&facts));
        let saved = FactsSaved {
            interfaces: merge::interfaces(id, &[], &facts, at),
            components: merge::components(id, &[], &facts),
            keys: identity::keys_of(&facts),
            source: Source::Netboot,
            host: host.clone(),
            facts,
            at,
            changes: Vec::new(),
            events: Vec::new(),
            absorbed: Vec::new(),
        };
        self.store
            .writer()
            .commit(vec![
                Write::HostCreated(Box::new(host), Vec::new()),
                Write::Facts(Box::new(saved)),
            ])
            .await
            .unwrap();
        id
    }

    /// An hour of measurements of a host, up to now.
    pub(crate) async fn measured(&self, host: HostId) {
        let now = self.now();
        let samples = (0..60).map(|minute| {
            let at = now.timestamp() - 60 * minute;
            let values = [
                (SeriesName::only(Kind::CpuUser), 0.5),
                (SeriesName::of(Kind::FilesystemUsed, "/"), 1e9),
                (SeriesName::of(Kind::FilesystemSize, "/"), 4e9),
            ];
            (at, Block::sample(at, values).pack().unwrap())
        });
        let heard = AgentHeard {
            host,
            at: now,
            address: "10.77.0.100".parse().unwrap(),
            acknowledged: None,
            samples: samples.collect(),
            services: Some(Services {
                failed_units: Some(vec!["backup.service".to_owned()]),
                listening: vec![("tcp".to_owned(), "0.0.0.0".to_owned(), 22)],
            }),
        };
        self.store
            .writer()
            .commit(vec![Write::AgentHeard(Box::new(heard))])
            .await
            .unwrap();
    }

    /// A host that was seen and has not reported, with the events of its boot.
    pub(crate) async fn seen(&self, mac: MacAddr, verdict: &str, kinds: &[(EventKind, &[(&str, &str)])]) -> HostId {
        let (id, at) = (HostId(new_id(self.now())), self.now());
        let host = host(id, at, State::Discovered, verdict, Summary::default());
        let mut writes = vec![Write::HostCreated(Box::new(host), vec![mac])];
        let boot = BootId(new_id(at));
        for (kind, params) in kinds {
            writes.push(Write::Event(Event {
                id: new_id(at),
                at,
                mac: Some(mac),
                host: Some(id),
                boot: Some(boot),
                kind: *kind,
                level: Level::Info,
                rule: Some("observe".to_owned()),
                params: params
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            }));
        }
        self.store.writer().commit(writes).await.unwrap();
        id
    }

    /// A lease, and another server heard in the same network.
    pub(crate) async fn network(&self, mac: MacAddr) {
        let now = self.now();
        let lease = Lease {
            address: "10.77.0.100".parse().unwrap(),
            mac,
            client_id: None,
            hostname: Some("<script>alert(1)</script>".to_owned()),
            state: LeaseState::Bound,
            starts_at: now,
            ends_at: now + TimeDelta::hours(1),
        };
        let server = DhcpServerSeen {
            address: "10.77.0.2".parse().unwrap(),
            interface: "eth0".to_owned(),
            mac: None,
            offers_seen: 3,
            first_seen_at: now,
            last_seen_at: now,
            answers_pxe_since: None,
        };
        self.store
            .writer()
            .commit(vec![Write::Lease(lease), Write::DhcpServer(server)])
            .await
            .unwrap();
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(START, 0).unwrap()
}

fn subnet() -> Subnet {
    Subnet {
        network: "10.77.0.0/24".parse().unwrap(),
        mode: Mode::Pool,
        ranges: vec![AddressRange {
            first: "10.77.0.100".parse().unwrap(),
            last: "10.77.0.109".parse().unwrap(),
        }],
        reservations: Vec::new(),
        router: None,
        dns: Vec::new(),
        domain: None,
        ntp: Vec::new(),
        lease_time: std::time::Duration::from_secs(3600),
    }
}

fn host(id: HostId, at: DateTime<Utc>, state: State, verdict: &str, summary: Summary) -> Host {
    Host {
        id,
        name: None,
        state,
        created_at: at,
        last_seen_at: at,
        reported_at: (state != State::Discovered).then_some(at),
        heard_at: None,
        address: None,
        summary,
        boot_verdict: Some(verdict.to_owned()),
        booted_at: Some(at),
        ambiguous_with: Vec::new(),
    }
}
