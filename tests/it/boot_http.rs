//! What machines ask by HTTP while they boot: scripts, files, and their reports.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::connect_info::MockConnectInfo,
    http::{Request, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta};
use muster::{
    boot::{AfterFacts, EventKind, Policy},
    discovery::{BootFiles, Clock, Discovery, Setup},
    http::boot::{BootBounds, boot_router},
    inventory::{Host, State},
    store::{EventQuery, HostQuery, Store},
};
use muster_facts::{Facts, MacAddr};
use muster_fleet::{Firmware, hardware};
use serde_json::Value;
use tower::ServiceExt;

const MAC: MacAddr = MacAddr([0xe4, 0x43, 0x4b, 0, 0, 0]);

/// A server without sockets, its files, and its clock.
struct Rig {
    store: Store,
    files: Arc<BootFiles>,
    router: Router,
    seconds: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

impl Rig {
    async fn new(policy: Policy) -> Self {
        Self::within(policy, BootBounds::default()).await
    }

    async fn within(policy: Policy, bounds: BootBounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("loaders/snponly.efi", "a loader"),
            ("image/vmlinuz", "a kernel"),
            ("image/initrd", "0123456789"),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.migrate().await.unwrap();
        let seconds = Arc::new(AtomicI64::new(0));
        let ticks = Arc::clone(&seconds);
        let clock = Clock::new(move || DateTime::UNIX_EPOCH + TimeDelta::seconds(ticks.load(Ordering::Relaxed)));
        let files = Arc::new(BootFiles::new(
            folder.path().join("loaders"),
            folder.path().join("image"),
        ));
        let setup = Setup {
            policy,
            subnets: Vec::new(),
            files: Arc::clone(&files),
            boot_listen: "0.0.0.0:8081".parse().unwrap(),
            boot_url: None,
        };
        let discovery = Discovery::start(&store, setup, clock).await.unwrap();
        let client: SocketAddr = "10.77.0.100:40000".parse().unwrap();
        Self {
            store,
            files,
            router: boot_router(discovery, bounds).layer(MockConnectInfo(client)),
            seconds,
            folder,
        }
    }

    fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::Relaxed);
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::get(path).header(header::HOST, "10.77.0.1:8081");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn script(&self, mac: MacAddr) -> String {
        text(self.get(&format!("/boot/ipxe?mac={mac}&platform=efi"), &[]).await).await
    }

    /// The boot token out of a fresh script.
    async fn token(&self, mac: MacAddr) -> String {
        let script = self.script(mac).await;
        let word = script
            .split_whitespace()
            .find_map(|word| word.strip_prefix("muster.token="));
        word.unwrap_or_else(|| panic!("no token in {script}")).to_owned()
    }

    async fn report(&self, token: &str, facts: &Facts) -> Response {
        self.post("/boot/facts", token, serde_json::to_vec(facts).unwrap())
            .await
    }

    async fn post(&self, path: &str, token: &str, body: Vec<u8>) -> Response {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn hosts(&self) -> Vec<Host> {
        self.store.drain().await.unwrap();
        let query = HostQuery {
            limit: 100,
            ..HostQuery::default()
        };
        self.store.hosts(&query).await.unwrap().hosts
    }

    async fn kinds(&self, host: &Host) -> Vec<EventKind> {
        self.store.drain().await.unwrap();
        let query = EventQuery {
            host: Some(host.id),
            limit: 100,
            ..EventQuery::default()
        };
        let mut kinds: Vec<_> = self
            .store
            .events(&query)
            .await
            .unwrap()
            .iter()
            .map(|event| event.kind)
            .collect();
        kinds.reverse();
        kinds
    }
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn facts(index: u32) -> Facts {
    hardware::facts(1, index, Firmware::Uefi, 0)
}

#[tokio::test]
async fn an_unknown_machine_is_collected_and_becomes_a_host() {
    let rig = Rig::new(Policy::default()).await;
    let token = rig.token(MAC).await;
    let progress = rig
        .post(
            "/boot/progress",
            &token,
            br#"{"stage":"gather","message":"reading"}"#.to_vec(),
        )
        .await;
    assert_eq!(progress.status(), StatusCode::NO_CONTENT);
    let answer = rig.report(&token, &facts(0)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = json(answer).await;
    assert_eq!(answer["next"], "wait");

    let hosts = rig.hosts().await;
    assert_eq!(hosts.len(), 1);
    let host = &hosts[0];
    assert_eq!(answer["host"], host.id.to_string());
    assert_eq!(host.state, State::Inventoried);
    assert_eq!(host.summary.serial, facts(0).system.serial);
    assert_eq!(host.boot_verdict.as_deref(), Some("reported"));
    assert_eq!(
        rig.kinds(host).await,
        [
            EventKind::HostCreated,
            EventKind::BootScript,
            EventKind::ImageProgress,
            EventKind::FactsAccepted,
            EventKind::NextTold
        ]
    );
    let next = rig
        .get("/boot/next", &[("authorization", &format!("Bearer {token}"))])
        .await;
    assert_eq!(json(next).await["host"], answer["host"]);
}

#[tokio::test]
async fn a_machine_that_returns_is_the_same_host_after_a_nic_swap_too() {
    let rig = Rig::new(Policy::default()).await;
    let first = json(rig.report(&rig.token(MAC).await, &facts(0)).await).await;
    let again = json(rig.report(&rig.token(MAC).await, &facts(0)).await).await;
    assert_eq!(first["host"], again["host"]);

    let other = MacAddr([0xb8, 0xce, 0xf6, 0, 0, 9]);
    let mut swapped = facts(0);
    swapped.nics[0].mac = Some(other);
    let token = rig.token(other).await;
    assert_eq!(
        rig.hosts().await.len(),
        2,
        "the new card is a host of its own until it reports"
    );
    let after = json(rig.report(&token, &swapped).await).await;
    assert_eq!(first["host"], after["host"]);
    let hosts = rig.hosts().await;
    assert_eq!(hosts.len(), 1, "and then it is the host it was");
    let next = rig
        .get("/boot/next", &[("authorization", &format!("Bearer {token}"))])
        .await;
    assert_eq!(json(next).await["host"], first["host"], "its token goes with it");
    let kinds = rig.kinds(&hosts[0]).await;
    assert_eq!(
        kinds.iter().filter(|kind| **kind == EventKind::HostCreated).count(),
        2,
        "events move with it"
    );
}

#[tokio::test]
async fn two_machines_with_default_strings_are_two_hosts() {
    let rig = Rig::new(Policy::default()).await;
    for index in [0, 4] {
        let mut facts = facts(index);
        hardware::forget_identity(&mut facts);
        let token = rig.token(hardware::mac(index, 0)).await;
        assert_eq!(rig.report(&token, &facts).await.status(), StatusCode::OK);
    }
    assert_eq!(rig.hosts().await.len(), 2);
}

#[tokio::test]
async fn many_reports_at_once_are_none_lost_and_none_doubled() {
    let rig = Arc::new(Rig::new(Policy::default()).await);
    let mut running = tokio::task::JoinSet::new();
    for index in 0..200 {
        let rig = Arc::clone(&rig);
        running.spawn(async move {
            let token = rig.token(hardware::mac(index, 0)).await;
            let facts = facts(index);
            // As machines do: where there is no room in time, they come again.
            let report = async || loop {
                let status = rig.report(&token, &facts).await.status();
                if status != StatusCode::SERVICE_UNAVAILABLE {
                    break status;
                }
            };
            let (first, second) = tokio::join!(report(), report());
            assert_eq!((first, second), (StatusCode::OK, StatusCode::OK));
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    let page = rig.store.host_counts().await.unwrap();
    assert_eq!(page.values().sum::<u64>(), 200);
}

#[tokio::test]
async fn bad_reports_are_refused_with_a_reason_and_nothing_is_stored() {
    let rig = Rig::new(Policy::default()).await;
    let token = rig.token(MAC).await;
    let malformed = br#"{"version":1,"disks":[{"size_bytes":-1}]}"#.to_vec();
    for (token, body, status, code, words) in [
        (
            "guessed",
            b"{}".to_vec(),
            StatusCode::UNAUTHORIZED,
            "boot_token_unknown",
            "restart",
        ),
        (
            &token,
            malformed,
            StatusCode::UNPROCESSABLE_ENTITY,
            "facts_malformed",
            "disks[0].size_bytes",
        ),
        (
            &token,
            b"{}".to_vec(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "facts_malformed",
            "version",
        ),
        (
            &token,
            vec![b' '; 5 << 20],
            StatusCode::PAYLOAD_TOO_LARGE,
            "facts_too_large",
            "4194304",
        ),
    ] {
        let answer = rig.post("/boot/facts", token, body).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let problem = json(answer).await;
        assert_eq!(problem["code"], code);
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let missing = rig.get("/boot/next", &[]).await;
    assert_eq!(json(missing).await["code"], "boot_token_missing");
    let host = &rig.hosts().await[0];
    assert_eq!(host.state, State::Discovered);
    assert_eq!(host.boot_verdict.as_deref(), Some("facts_refused"));
    assert_eq!(
        rig.report(&token, &facts(0)).await.status(),
        StatusCode::OK,
        "the next one is served"
    );
}

#[tokio::test]
async fn guessing_tokens_is_slowed_down() {
    let rig = Rig::new(Policy::default()).await;
    let token = rig.token(MAC).await;
    let mut last = StatusCode::OK;
    for guess in 0..40 {
        last = rig
            .post("/boot/facts", &format!("guess{guess}"), b"{}".to_vec())
            .await
            .status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let own = rig.report(&token, &facts(0)).await;
    assert_eq!(
        own.status(),
        StatusCode::OK,
        "a token that was given is served all the same"
    );
}

#[tokio::test]
async fn a_report_for_which_there_is_no_room_comes_again() {
    let bounds = BootBounds {
        reports: 1,
        turn: Duration::ZERO,
    };
    let rig = Rig::within(Policy::default(), bounds).await;
    let (slow, other) = (rig.token(MAC).await, rig.token(hardware::mac(1, 0)).await);
    // A machine that has said where its report is to go, and then says nothing.
    let (begun, waited) = tokio::sync::oneshot::channel();
    let mut begun = Some(begun);
    let silent = Body::from_stream(futures_util::stream::poll_fn(move |_| {
        if let Some(begun) = begun.take() {
            begun.send(()).unwrap();
        }
        std::task::Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
    }));
    let request = Request::post("/boot/facts")
        .header(header::AUTHORIZATION, format!("Bearer {slow}"))
        .body(silent)
        .unwrap();
    let reporting = tokio::spawn(rig.router.clone().oneshot(request));
    waited.await.unwrap();

    let refused = rig.report(&other, &facts(1)).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait: u64 = refused.headers()[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((2..=9).contains(&wait));
    assert_eq!(json(refused).await["code"], "busy");

    reporting.abort();
    assert!(reporting.await.is_err());
    assert_eq!(rig.report(&other, &facts(1)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_boot_tells_of_its_progress_within_bounds() {
    let rig = Rig::new(Policy::default()).await;
    let (loud, other) = (rig.token(MAC).await, rig.token(hardware::mac(1, 0)).await);
    let line = br#"{"stage":"link","message":"eth0 has a link"}"#;
    let large = rig.post("/boot/progress", &loud, vec![b' '; 100 * 1024]).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json(large).await["code"], "progress_too_large");
    let mut taken = 0;
    let refused = loop {
        let answer = rig.post("/boot/progress", &loud, line.to_vec()).await;
        if answer.status() != StatusCode::NO_CONTENT {
            break answer;
        }
        taken += 1;
        assert!(taken < 1000, "without bound");
    };
    assert_eq!((taken, refused.status()), (59, StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    let second = rig.post("/boot/progress", &other, line.to_vec()).await;
    assert_eq!(
        second.status(),
        StatusCode::NO_CONTENT,
        "another boot is not in its way"
    );
    rig.pass(TimeDelta::seconds(1));
    let later = rig.post("/boot/progress", &loud, line.to_vec()).await;
    assert_eq!(later.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_token_ends_unless_its_machine_keeps_asking() {
    let rig = Rig::new(Policy::default()).await;
    let kept = rig.token(MAC).await;
    let left = rig.token(hardware::mac(1, 0)).await;
    let bearer = format!("Bearer {kept}");
    for _ in 0..4 {
        rig.pass(TimeDelta::minutes(20));
        let next = rig.get("/boot/next", &[("authorization", &bearer)]).await;
        assert_eq!(next.status(), StatusCode::OK);
    }
    let refused = rig.report(&left, &facts(1)).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(json(refused).await["code"], "boot_token_expired");
    let hosts = rig.hosts().await;
    let host = hosts
        .iter()
        .find(|host| host.boot_verdict.as_deref() == Some("token_expired"));
    assert!(host.is_some(), "{hosts:?}");
}

#[tokio::test]
async fn without_an_image_the_machine_is_held_with_the_reason() {
    let rig = Rig::new(Policy::default()).await;
    std::fs::remove_file(rig.folder.path().join("image/initrd")).unwrap();
    rig.files.look();
    let script = rig.script(MAC).await;
    assert!(script.contains("Why: ") && script.contains("sleep"), "{script}");
    assert!(!script.contains("kernel"), "{script}");
    assert_eq!(rig.hosts().await[0].boot_verdict.as_deref(), Some("no_image"));
    std::fs::write(rig.folder.path().join("image/initrd"), "back").unwrap();
    rig.files.look();
    assert!(rig.script(MAC).await.contains("muster.token="));
}

#[tokio::test]
async fn a_refused_machine_and_a_request_without_a_mac_get_a_script_that_says_so() {
    let policy = Policy {
        refuse: vec!["e4:43:4b:*".parse().unwrap()],
        ..Policy::default()
    };
    let rig = Rig::new(policy).await;
    assert!(!rig.script(MAC).await.contains("muster.token="));
    let script = text(rig.get("/boot/ipxe", &[]).await).await;
    assert!(
        script.starts_with("#!ipxe") && script.contains("which interface"),
        "{script}"
    );
    let hosts = rig.hosts().await;
    assert_eq!(hosts.len(), 1, "the refused one has a page that says so");
    assert_eq!(hosts[0].boot_verdict.as_deref(), Some("refused_by_policy"));
}

#[tokio::test]
async fn a_machine_is_told_to_reboot_when_the_settings_say_so() {
    let policy = Policy {
        after_facts: AfterFacts::Reboot,
        ..Policy::default()
    };
    let rig = Rig::new(policy).await;
    let answer = json(rig.report(&rig.token(MAC).await, &facts(0)).await).await;
    assert_eq!(answer["next"], "reboot");
    assert!(
        !rig.script(MAC).await.contains("muster.token="),
        "its next boot is its own disk"
    );
}

#[tokio::test]
async fn files_come_whole_in_parts_or_not_at_all() {
    let rig = Rig::new(Policy::default()).await;
    let whole = rig.get("/boot/image/initrd", &[]).await;
    assert_eq!(whole.status(), StatusCode::OK);
    let etag = whole.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(text(whole).await, "0123456789");

    let part = rig.get("/boot/image/initrd", &[("range", "bytes=2-4")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
    assert_eq!(text(part).await, "234");

    let changed = [("range", "bytes=2-4"), ("if-range", "\"another\"")];
    assert_eq!(rig.get("/boot/image/initrd", &changed).await.status(), StatusCode::OK);
    let had = rig.get("/boot/image/initrd", &[("if-none-match", &etag)]).await;
    assert_eq!(had.status(), StatusCode::NOT_MODIFIED);
    let beyond = rig.get("/boot/image/initrd", &[("range", "bytes=10-")]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    for path in [
        "/boot/loader/nosuch.efi",
        "/boot/loader/..%2Fimage%2Finitrd",
        "/boot/image/%2e%2e",
        "/boot/image/passwd",
    ] {
        assert_eq!(rig.get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

/// Shim joins the folder it was loaded from and the name of what it starts next with one slash too many.
#[tokio::test]
async fn shim_finds_what_it_starts_by_http() {
    let rig = Rig::new(Policy::default()).await;
    let given = rig.get("/boot/loader//snponly.efi", &[]).await;
    assert_eq!(given.status(), StatusCode::OK);
    assert_eq!(text(given).await, "a loader");
    for path in [
        "/boot/loader//",
        "/boot/loader/a/snponly.efi",
        "/boot/loader//..%2Fimage%2Finitrd",
    ] {
        assert_eq!(rig.get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_agent_s_program_is_given_to_anybody_and_nothing_else_from_there() {
    let rig = Rig::new(Policy::default()).await;
    let missing = rig.get("/boot/agent", &[]).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    std::fs::write(rig.folder.path().join("image/muster-agent-x86_64"), "a program").unwrap();
    for path in ["/boot/agent", "/boot/agent/x86_64"] {
        let given = rig.get(path, &[]).await;
        assert_eq!(given.status(), StatusCode::OK, "{path}");
        assert_eq!(text(given).await, "a program");
    }
    for path in [
        "/boot/agent/aarch64",
        "/boot/agent/..%2Finitrd",
        "/boot/agent/x86_64%2F..%2F..%2Finitrd",
    ] {
        assert_eq!(rig.get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
