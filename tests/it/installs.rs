//! Installations from a person's word to the installed system: boots, answer files, stages, and what is kept of them.

mod admitted;
mod again;
mod agents;
mod edits;
mod enrolment;
mod gate;
mod holds;
mod measured;
mod races;
mod real_agent;
mod refusals;
mod silence;
mod wishes;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use muster::{
    auth::Secret,
    boot::{EventKind, Policy},
    desired::Family,
    discovery::{BootFiles, Clock, Discovery, Setup},
    http::{
        agent::agent_router,
        boot::{BootBounds, boot_router, install_router},
    },
    install::{FailedBy, LogLine, Outcome, Planned, Stage},
    inventory::{HostId, State},
    provision::{
        agents::Agents,
        install::{AnswerFile, InstallPlan, Installs, Start},
    },
    store::{EventQuery, Install, Store},
};
use muster_facts::{Facts, MacAddr, Os};
use muster_fleet::{Firmware, hardware};
use tower::ServiceExt;

use gate::Gate;

const MAC: MacAddr = MacAddr([0xe4, 0x43, 0x4b, 0, 0, 0]);
const OWN: &str = "10.77.0.100";
const OTHER: &str = "10.77.0.101";
const PASSWORD_HASH: &str = "$6$saltsalt$averysecrethashofapassword";
const SITE_SECRET: &str = "licence-key-of-the-site";

struct Rig {
    store: Store,
    discovery: Discovery,
    installs: Installs,
    plans: Arc<Gate>,
    router: Router,
    seconds: Arc<AtomicI64>,
    host: HostId,
    _folder: tempfile::TempDir,
}

/// An answer of the server: status and text.
type Answer = (StatusCode, String);

impl Rig {
    /// A machine that has reported and has a plan.
    async fn new() -> Self {
        Self::with_agent(true).await
    }

    async fn with_agent(agent: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["image/vmlinuz", "image/initrd"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let url = format!("sqlite://{}", folder.path().join("muster.db").display());
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let discovery = discovery(&store, &folder, &seconds).await;
        let plans = Arc::new(Gate::default());
        let installs = Installs::open(&discovery, plans.clone(), Some(514)).await.unwrap();
        let router = boot_router(discovery.clone(), BootBounds::default())
            .merge(install_router(installs.clone()))
            .merge(agent_router(Agents::new(installs.clone())));
        let mut rig = Self {
            store,
            discovery,
            installs,
            plans,
            router,
            seconds,
            host: HostId(uuid_nil()),
            _folder: folder,
        };
        rig.report().await;
        rig.host = rig.discovery.host_by_mac(MAC).unwrap().id;
        rig.plans.given.give(rig.host, plan(agent), answer_file());
        rig
    }

    /// The server is killed and started again on the same ledger.
    async fn restart(&mut self) {
        self.store.drain().await.unwrap();
        self.discovery = discovery(&self.store, &self._folder, &self.seconds).await;
        self.installs = Installs::open(&self.discovery, self.plans.clone(), Some(514))
            .await
            .unwrap();
        self.router = boot_router(self.discovery.clone(), BootBounds::default())
            .merge(install_router(self.installs.clone()))
            .merge(agent_router(Agents::new(self.installs.clone())));
    }

    /// Another server on the same ledger.
    async fn beside(&self) -> Installs {
        self.store.drain().await.unwrap();
        let discovery = discovery(&self.store, &self._folder, &self.seconds).await;
        Installs::open(&discovery, self.plans.clone(), Some(514)).await.unwrap()
    }

    /// Minutes in which the server looks after its installations, as it does when it runs.
    async fn minutes(&self, minutes: u32) {
        for _ in 0..minutes {
            self.pass(TimeDelta::minutes(1));
            self.installs.look().await;
        }
    }

    fn pass(&self, time: TimeDelta) {
        self.seconds.fetch_add(time.num_seconds(), Ordering::Relaxed);
    }

    async fn ask(&self, from: &str, path: &str) -> Answer {
        let client = SocketAddr::new(from.parse::<IpAddr>().unwrap(), 40_000);
        let request = Request::get(path)
            .extension(ConnectInfo(client))
            .header(header::HOST, "10.77.0.1:8081")
            .body(Body::empty())
            .unwrap();
        self.send(request).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn boot(&self) -> String {
        self.ask(OWN, &format!("/boot/ipxe?mac={MAC}&platform=efi")).await.1
    }

    /// Posts with a bearer token.
    async fn post(&self, path: &str, token: &str, body: Vec<u8>) -> Answer {
        self.post_from(OWN, path, token, body).await
    }

    async fn post_from(&self, from: &str, path: &str, token: &str, body: Vec<u8>) -> Answer {
        let request = Request::post(path)
            .extension(ConnectInfo(SocketAddr::new(from.parse().unwrap(), 40_000)))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::HOST, "10.77.0.1:8081")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// Boots the collection image and reports; gives the boot token.
    async fn report(&self) -> String {
        let script = self.boot().await;
        let token = after(&script, "muster.token=");
        let (status, text) = self
            .post("/boot/facts", &token, serde_json::to_vec(&facts()).unwrap())
            .await;
        assert_eq!(status, StatusCode::OK, "{text}");
        token
    }

    async fn start(&self) -> Install {
        let start = Start {
            host: self.host,
            typed: None,
            actor: "user:anna".to_owned(),
        };
        self.installs.start(start).await.unwrap()
    }

    async fn install(&self, install: &Install) -> Install {
        self.store.drain().await.unwrap();
        self.store.install(install.id).await.unwrap().unwrap()
    }

    fn state(&self) -> State {
        self.discovery.host(self.host).unwrap().state
    }

    /// The answer file's path out of an installer's script.
    async fn answer_path(&self) -> String {
        let script = self.boot().await;
        assert!(script.contains("/boot/tree/rocky-9/vmlinuz"), "{script}");
        format!("/boot/answer/{}", after(&script, "/boot/answer/"))
    }

    /// Boots the installer and fetches its answer file: its stage path and its enrolment token.
    async fn installing(&self) -> (String, String) {
        let path = self.answer_path().await;
        let (status, text) = self.ask(OWN, &path).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        (
            format!("/boot/stage/{}", after(&text, "/boot/stage/")),
            after(&text, "token="),
        )
    }

    async fn told(&self, stage: &str, word: &str) {
        let (status, text) = self.ask(OWN, &format!("{stage}?stage={word}")).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    }

    async fn count(&self, kind: EventKind) -> usize {
        self.store.drain().await.unwrap();
        let query = EventQuery {
            host: Some(self.host),
            limit: 500,
            ..EventQuery::default()
        };
        let events = self.store.events(&query).await.unwrap();
        events.iter().filter(|event| event.kind == kind).count()
    }
}

async fn discovery(store: &Store, folder: &tempfile::TempDir, seconds: &Arc<AtomicI64>) -> Discovery {
    let ticks = Arc::clone(seconds);
    let setup = Setup {
        policy: Policy::default(),
        subnets: Vec::new(),
        files: Arc::new(BootFiles::new(
            folder.path().join("loaders"),
            folder.path().join("image"),
        )),
        boot_listen: "0.0.0.0:8081".parse().unwrap(),
        boot_url: None,
    };
    let clock = Clock::new(move || -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(ticks.load(Ordering::Relaxed))
    });
    Discovery::start(store, setup, clock).await.unwrap()
}

fn uuid_nil() -> uuid::Uuid {
    uuid::Uuid::nil()
}

fn after(text: &str, mark: &str) -> String {
    let rest = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}")).1;
    rest.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}

fn facts() -> Facts {
    hardware::facts(1, 0, Firmware::Uefi, 0)
}

fn plan(agent: bool) -> InstallPlan {
    InstallPlan {
        profile: "web".into(),
        distro: "rocky-9".into(),
        family: Family::Redhat,
        kickstart: true,
        major: 9,
        codename: None,
        kernel: "/boot/tree/rocky-9/vmlinuz".into(),
        initrds: vec!["/boot/tree/rocky-9/initrd.img".into()],
        tree: Some("/boot/tree/rocky-9".into()),
        hostname: Some("web1".into()),
        domain: None,
        name_servers: Vec::new(),
        locale: "en_US.UTF-8".into(),
        keyboard: "us".into(),
        kernel_options: Vec::new(),
        once: true,
        agent,
        planned: Planned {
            hostname: Some("web1".into()),
            os: Some("rocky".into()),
            ..Planned::default()
        },
    }
}

fn answer_file() -> AnswerFile {
    AnswerFile {
        text: format!(
            "rootpw --iscrypted {PASSWORD_HASH}\nlicence {SITE_SECRET}\ncurl @stage_url@?stage=post\ntoken=@token@\n"
        ),
        secrets: vec![SITE_SECRET.to_owned(), PASSWORD_HASH.to_owned()],
    }
}

#[tokio::test]
async fn an_installation_goes_from_a_word_to_a_verified_system() {
    let rig = Rig::new().await;
    let waiting = rig.report().await;
    let install = rig.start().await;
    assert_eq!(rig.state(), State::Installing);
    let next = rig
        .send(
            Request::get("/boot/next")
                .extension(ConnectInfo(SocketAddr::new(OWN.parse().unwrap(), 40_000)))
                .header(header::AUTHORIZATION, format!("Bearer {waiting}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert!(next.1.contains("\"next\":\"reboot\""), "{}", next.1);

    let (stage, enrol) = rig.installing().await;
    for word in ["disks", "pre"] {
        // A word that comes late leads nowhere back.
        rig.told(&stage, word).await;
    }
    let line = LogLine {
        program: "packaging",
        message: "Installed: bash (12/340)",
    };
    assert!(rig.installs.log_line(OWN.parse().unwrap(), &line).await.unwrap());
    let packages = rig.install(&install).await.progress.packages.unwrap();
    assert_eq!((packages.done, packages.all), (12, Some(340)));
    rig.told(&stage, "post").await;
    rig.told(&stage, "rebooting").await;
    assert!(rig.boot().await.contains("from the local disk"));
    rig.told(&stage, "first_boot").await;

    let (status, credential) = rig.post("/boot/enrol", &enrol, Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{credential}");
    assert!(credential.contains("muster_agent_"));
    let (status, _) = rig.post("/boot/enrol", &enrol, Vec::new()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a credential is given once");

    let mut installed = facts();
    installed.hostname = Some("web2".into());
    installed.os = Some(Os {
        id: Some("rocky".into()),
        version: Some("9.5".into()),
        name: None,
    });
    let credential = Secret::chosen(format!("muster_agent_{}", after(&credential, "muster_agent_"))).hash();
    let reported = rig.installs.reported(rig.host, &installed, &credential);
    reported.await.unwrap().unwrap();
    let done = rig.install(&install).await;
    assert_eq!((done.outcome, rig.state()), (Outcome::Done, State::Active));
    let differences = done.differences.unwrap();
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].found.as_deref(), Some("web2"));
    let reached: Vec<_> = done.progress.times.iter().map(|time| time.stage).collect();
    assert_eq!(reached, Stage::ALL);
    assert!(rig.boot().await.contains("from the local disk"));
}

#[tokio::test]
async fn an_answer_file_is_given_to_its_own_machine_while_its_installer_runs() {
    let rig = Rig::new().await;
    rig.start().await;
    let old = rig.answer_path().await;
    let path = rig.answer_path().await;
    assert_ne!(old, path);
    // An installer asks more than once, and gets the same.
    let (status, first) = rig.ask(OWN, &path).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(rig.ask(OWN, &path).await, (StatusCode::OK, first.clone()));
    assert_eq!(rig.count(EventKind::AnswerServed).await, 2);
    // Another address, an old token, another purpose.
    for (from, path, code) in [
        (OTHER, path.clone(), "install_other_address"),
        (OWN, old, "install_token_old"),
        (
            OWN,
            format!("/boot/answer/{}", after(&first, "/boot/stage/")),
            "install_token_other",
        ),
        (OWN, "/boot/answer/guess".to_owned(), "install_token_unknown"),
    ] {
        let (status, text) = rig.ask(from, &path).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
        assert!(text.contains(code), "{code}: {text}");
        assert!(!text.contains("rootpw"));
    }
    assert_eq!(rig.count(EventKind::AnswerRefused).await, 3);
    // After the installer's stage, and after the end.
    let stage = format!("/boot/stage/{}", after(&first, "/boot/stage/"));
    rig.told(&stage, "rebooting").await;
    let (status, text) = rig.ask(OWN, &path).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("install_stage_over"), "{text}");
    let install = rig.store.open_installs().await.unwrap().remove(0);
    rig.installs.cancel(install.id, "user:anna").await.unwrap();
    rig.pass(TimeDelta::minutes(2));
    let (status, text) = rig.ask(OWN, &path).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("install_token_old"), "{text}");
    assert_eq!(rig.count(EventKind::AnswerRefused).await, 5);
}

#[tokio::test]
async fn nothing_that_is_kept_holds_a_secret_in_clear() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let path = rig.answer_path().await;
    let (_, text) = rig.ask(OWN, &path).await;
    let secrets = [
        path.trim_start_matches("/boot/answer/").to_owned(),
        after(&text, "/boot/stage/"),
        after(&text, "token="),
        PASSWORD_HASH.to_owned(),
        SITE_SECRET.to_owned(),
    ];
    let kernel = format!("Command line: inst.ks=http://10.77.0.1:8081{path} quiet");
    let line = LogLine {
        program: "kernel",
        message: &kernel,
    };
    rig.installs.log_line(OWN.parse().unwrap(), &line).await.unwrap();
    let stage = format!("/boot/stage/{}", secrets[1]);
    let (_, credential) = {
        rig.ask(OWN, &format!("{stage}?stage=post&message=curl+http://x{stage}"))
            .await;
        rig.told(&stage, "rebooting").await;
        rig.post("/boot/enrol", &secrets[2], Vec::new()).await
    };
    let credential = format!("muster_agent_{}", after(&credential, "muster_agent_"));
    let snapshot = rig.install(&install).await.snapshot.unwrap();
    assert!(snapshot.contains("rootpw --iscrypted ***") && snapshot.contains("licence ***"));
    rig.store.close().await.unwrap();
    for entry in std::fs::read_dir(rig._folder.path()).unwrap().flatten() {
        if !entry.path().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets.iter().chain([&credential]) {
            assert!(!text.contains(secret.as_str()), "{secret} in {:?}", entry.file_name());
        }
    }
}

#[tokio::test]
async fn power_cut_at_each_stage_goes_on_or_fails_and_never_installs_twice() {
    let words = [
        "",
        "installer",
        "answer",
        "disks",
        "packages",
        "post",
        "rebooting",
        "first_boot",
    ];
    for (word, server_too) in words.into_iter().flat_map(|word| [(word, false), (word, true)]) {
        let mut rig = Rig::new().await;
        let install = rig.start().await;
        if word.is_empty() {
            rig.answer_path().await;
        } else if word == "installer" {
            rig.answer_path().await;
            let line = LogLine {
                program: "anaconda",
                message: "Starting installer",
            };
            rig.installs.log_line(OWN.parse().unwrap(), &line).await.unwrap();
            assert_eq!(rig.install(&install).await.progress.stage, Stage::Installer);
        } else {
            let (stage, _) = rig.installing().await;
            if word != "answer" {
                rig.told(&stage, word).await;
            }
        }
        // The whole room may be without power.
        if server_too {
            rig.restart().await;
        }
        let again = rig.boot().await;
        let kept = rig.install(&install).await;
        match word {
            "" | "installer" => assert!(again.contains("/boot/answer/"), "{word}: {again}"),
            "answer" | "disks" | "packages" => {
                assert_eq!(kept.failed_by, Some(FailedBy::Interrupted), "{word}");
                assert_eq!(rig.state(), State::Failed);
                assert!(kept.reason.unwrap().contains(word));
                // It waits in the collection image, also at the boots after.
                for script in [again, rig.boot().await] {
                    assert!(script.contains("muster.token="), "{word}: {script}");
                }
            }
            _ => {
                assert_eq!(kept.outcome, Outcome::Open, "{word}");
                for script in [again, rig.boot().await] {
                    assert!(script.contains("from the local disk"), "{word}: {script}");
                }
            }
        }
        let (_, installs) = rig
            .store
            .installs(&muster::store::InstallQuery {
                limit: 1,
                ..Default::default()
            })
            .await
            .unwrap();
        assert_eq!(installs, 1, "{word}: nobody has started another one");
    }
}

#[tokio::test]
async fn an_installer_that_loops_is_stopped() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    for _ in 0..muster::install::MOST_STARTS {
        rig.answer_path().await;
    }
    assert!(rig.boot().await.contains("muster.token="));
    assert_eq!(rig.install(&install).await.failed_by, Some(FailedBy::Loop));
}

#[tokio::test]
async fn a_server_that_starts_again_goes_on_with_what_runs() {
    let mut rig = Rig::new().await;
    let install = rig.start().await;
    let path = rig.answer_path().await;
    rig.restart().await;
    let (status, text) = rig.ask(OWN, &path).await;
    assert_eq!((status, text.contains("rootpw")), (StatusCode::OK, true), "{text}");
    assert_eq!(rig.install(&install).await.progress.stage, Stage::Answer);
}

#[tokio::test]
async fn cobbler_s_addresses_work_for_the_machine_s_own_address() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let by = |op: &str| format!("/cblr/svc/op/{op}/system/{MAC}");
    assert_eq!(
        rig.ask(OWN, &by("ks")).await.0,
        StatusCode::FORBIDDEN,
        "before the installer"
    );
    rig.answer_path().await;
    assert_eq!(rig.ask(OTHER, &by("ks")).await.0, StatusCode::FORBIDDEN);
    let (status, text) = rig.ask(OWN, &by("ks")).await;
    assert_eq!((status, text.contains("rootpw")), (StatusCode::OK, true), "{text}");
    assert_eq!(rig.ask(OTHER, &by("nopxe")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(rig.ask(OWN, &by("nopxe")).await.0, StatusCode::OK);
    assert_eq!(rig.install(&install).await.progress.stage, Stage::Rebooting);
}
