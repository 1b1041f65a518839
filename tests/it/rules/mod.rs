//! Rules on facts: what hosts that report are given, what they are not, and what a trial says of both.

mod names;
mod trial;

use std::{
    net::SocketAddr,
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
    boot::{AfterFacts, EventKind, Policy},
    desired::{Distro, Family, HostPlan, Parent, Profile, Tree, Values, rules::Rule},
    discovery::{BootFiles, Clock, Discovery, Setup},
    http::boot::{BootBounds, boot_router},
    install::Planned,
    inventory::{HostId, Source, State},
    provision::{
        Catalog,
        install::{AnswerFile, GivenPlans, InstallPlan, Installs},
        rules::{RuleGiver, Rules},
    },
    store::{EventQuery, InstallQuery, Store},
};
use muster_facts::Facts;
use muster_fleet::{Firmware, hardware};
use serde_json::{Value, json};
use tower::ServiceExt;

const ACTOR: &str = "user:anna";

/// A ledger with two profiles, and the boot routes of its server.
struct Rig {
    store: Store,
    catalog: Catalog,
    rules: Rules,
    discovery: Discovery,
    giver: RuleGiver,
    plans: Arc<GivenPlans>,
    router: Router,
    seconds: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["image/vmlinuz", "image/initrd"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.migrate().await.unwrap();
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let ticks = Arc::clone(&seconds);
        let clock = Clock::new(move || -> DateTime<Utc> {
            DateTime::UNIX_EPOCH + TimeDelta::seconds(ticks.load(Ordering::Relaxed))
        });
        let setup = Setup {
            policy: Policy {
                after_facts: AfterFacts::PowerOff,
                ..Policy::default()
            },
            subnets: Vec::new(),
            files: Arc::new(BootFiles::new(
                folder.path().join("loaders"),
                folder.path().join("image"),
            )),
            boot_listen: "0.0.0.0:8081".parse().unwrap(),
            boot_url: None,
        };
        let discovery = Discovery::start(&store, setup, clock).await.unwrap();
        let plans = Arc::new(GivenPlans::default());
        let installs = Installs::open(&discovery, plans.clone(), None).await.unwrap();
        let rules = Rules::new(store.clone());
        let giver = RuleGiver::open(&discovery, rules.clone(), Some(installs));
        let catalog = Catalog::new(store.clone(), &[]);
        profiles(&catalog, discovery.now()).await;
        Self {
            router: boot_router(discovery.clone(), BootBounds::default()),
            store,
            catalog,
            rules,
            discovery,
            giver,
            plans,
            seconds,
            _folder: folder,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.discovery.now()
    }

    async fn enter(&self, rule: Rule) {
        self.rules.add(rule, ACTOR, self.now()).await.unwrap();
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Boots the collection image and reports; gives the host and what its machine is told to do next.
    async fn report(&self, facts: &Facts) -> (HostId, String) {
        self.seconds.fetch_add(60, Ordering::Relaxed);
        let mac = facts.nics[0].mac.unwrap();
        let client: SocketAddr = format!("10.77.0.{}:40000", 10 + mac.0[4]).parse().unwrap();
        let script = Request::get(format!("/boot/ipxe?mac={mac}&platform=efi"))
            .extension(ConnectInfo(client))
            .header(header::HOST, "10.77.0.1:8081")
            .body(Body::empty())
            .unwrap();
        let (_, script) = self.send(script).await;
        let token = script
            .split_whitespace()
            .find_map(|word| word.strip_prefix("muster.token="))
            .unwrap_or_else(|| panic!("no token in {script}"));
        let report = Request::post("/boot/facts")
            .extension(ConnectInfo(client))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::HOST, "10.77.0.1:8081")
            .body(Body::from(serde_json::to_vec(facts).unwrap()))
            .unwrap();
        let (status, text) = self.send(report).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        (
            answer["host"].as_str().unwrap().parse().unwrap(),
            answer["next"].as_str().unwrap().to_owned(),
        )
    }

    async fn plan(&self, host: HostId) -> HostPlan {
        self.store.plan(host).await.unwrap()
    }

    /// What events of a kind say, newest first.
    async fn told(&self, host: HostId, kind: EventKind) -> Vec<String> {
        self.store.drain().await.unwrap();
        let query = EventQuery {
            host: Some(host),
            limit: 500,
            ..EventQuery::default()
        };
        let events = self.store.events(&query).await.unwrap();
        let of_kind = events.into_iter().filter(|event| event.kind == kind);
        of_kind
            .map(|event| {
                let word = |name: &str| event.params.get(name).cloned().unwrap_or_default();
                format!("{}: {} {}", word("rule"), word("gives"), word("why"))
                    .trim()
                    .to_owned()
            })
            .collect()
    }
}

async fn profiles(catalog: &Catalog, now: DateTime<Utc>) {
    let distro = Distro {
        name: "rocky9".into(),
        family: Family::Redhat,
        id: "rocky".into(),
        version: "9.4".into(),
        codename: None,
        arch: "x86_64".into(),
        tree: Tree::Path("/srv/rocky9".into()),
        kernel: "images/pxeboot/vmlinuz".into(),
        initrd: "images/pxeboot/initrd.img".into(),
        values: Values::default(),
    };
    catalog.add_distro(distro, ACTOR, now).await.unwrap();
    for name in ["web", "db"] {
        let profile = Profile {
            name: name.into(),
            parent: Parent::Distro("rocky9".into()),
            values: values(&json!({"tags": [name]})),
        };
        catalog.add_profile(profile, ACTOR, now).await.unwrap();
    }
}

fn values(document: &Value) -> Values {
    Values::check(document.as_object().cloned().unwrap()).unwrap()
}

fn rule(name: &str, when: &str) -> Rule {
    Rule {
        when: when.to_owned(),
        ..Rule::empty(name)
    }
}

/// Gives the profile, a name by serial number and a tag.
fn web(when: &str) -> Rule {
    Rule {
        profile: Some("web".into()),
        hostname: Some("web-{{ serial | lower }}".into()),
        tags: vec!["edge".into()],
        ..rule("web", when)
    }
}

fn machine(index: u32) -> Facts {
    hardware::facts(1, index, Firmware::Uefi, 1_800_000_000)
}

#[tokio::test]
async fn a_machine_that_reports_is_given_what_rules_say_before_it_is_answered() {
    let rig = Rig::new().await;
    let (other, next) = rig.report(&machine(1)).await;
    assert_eq!(next, "poweroff", "nobody has plans for it");
    rig.enter(web(
        "vendor is like('dell*') and memory_gib >= 128 and bios.mode == 'uefi'",
    ))
    .await;
    rig.enter(Rule {
        place: Some("bj1/{{ nics[0].driver }}".into()),
        tags: vec!["ssd".into(), "edge".into()],
        order: 5,
        ..rule("ssd", "disks | selectattr('kind', 'eq', 'ssd') | list | length >= 2")
    })
    .await;

    let facts = machine(0);
    let (host, next) = rig.report(&facts).await;
    assert_eq!(next, "wait", "it has a profile now");
    assert_eq!(rig.discovery.host(host).unwrap().state, State::Assigned);
    let name = format!("web-{}", facts.system.serial.as_ref().unwrap().to_lowercase());
    assert_eq!(rig.discovery.host(host).unwrap().name.as_ref(), Some(&name));
    let kept = rig.store.host(host).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.name.as_ref()), (State::Assigned, Some(&name)));

    let desired = rig.catalog.host(host).await.unwrap().unwrap();
    assert_eq!(desired.profiles, ["web"]);
    assert_eq!(
        desired.plan.profile_by.as_ref().map(ToString::to_string).as_deref(),
        Some("rule:web")
    );
    assert_eq!(desired.effective.values["tags"], json!(["web", "ssd", "edge"]));
    let from = |path: &str| desired.effective.origins[path].to_string();
    assert_eq!(desired.effective.values["hostname"], json!(name));
    assert_eq!(from("hostname"), "rule web");
    assert_eq!(from("place"), "rule ssd");
    assert_eq!(
        [from("tags.0"), from("tags.1"), from("tags.2")],
        ["profile web", "rule ssd", "rule ssd"]
    );
    let changes = rig.store.changes(host, None, 100).await.unwrap();
    let by_rule: Vec<_> = changes.iter().filter(|change| change.source == Source::Rule).collect();
    let mut fields: Vec<_> = by_rule.iter().map(|change| change.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["name", "profile", "state"]);
    assert!(by_rule.iter().all(|change| change.actor.as_deref() == Some("rule:web")));
    let mut told = rig.told(host, EventKind::RuleGave).await;
    told.sort();
    assert!(told[0].starts_with("ssd: place bj1/i40e"), "{told:?}");
    assert!(told[1].starts_with("web: profile web"), "{told:?}");

    // The same report again changes nothing, and the one that no rule matches has nothing.
    rig.report(&facts).await;
    assert_eq!(rig.told(host, EventKind::RuleGave).await.len(), 2);
    assert_eq!(rig.told(host, EventKind::RuleRefused).await, [""; 0]);
    rig.report(&machine(1)).await;
    assert_eq!(rig.plan(other).await, HostPlan::empty(other));
}

#[tokio::test]
async fn a_persons_word_wins_and_installed_hosts_are_not_moved() {
    let rig = Rig::new().await;
    let (host, _) = rig.report(&machine(0)).await;
    let plan = HostPlan {
        profile: Some("db".into()),
        values: values(&json!({"hostname": "db1", "tags": ["!edge"]})),
        ..HostPlan::empty(host)
    };
    rig.catalog.set_plan(plan, ACTOR, rig.now()).await.unwrap();
    rig.enter(web("true")).await;
    rig.report(&machine(0)).await;
    let desired = rig.catalog.host(host).await.unwrap().unwrap();
    assert_eq!(desired.profiles, ["db"]);
    assert_eq!(desired.effective.values["hostname"], "db1");
    assert_eq!(
        desired.effective.values["tags"],
        json!(["db"]),
        "a person takes a rule's tag away"
    );
    assert_eq!(rig.discovery.host(host).unwrap().name, None);

    // Taken away by a person it stays away; forgotten as a whole, rules give again.
    let mut plan = desired.plan;
    plan.profile = None;
    rig.catalog.set_plan(plan, ACTOR, rig.now()).await.unwrap();
    rig.report(&machine(0)).await;
    assert_eq!(rig.plan(host).await.profile, None);
    rig.catalog.remove_plan(host, ACTOR, rig.now()).await.unwrap();
    rig.report(&machine(0)).await;
    assert_eq!(rig.plan(host).await.profile.as_deref(), Some("web"));

    // An installed host keeps what it has, whatever rules say by now.
    for cause in [
        muster::inventory::lifecycle::Cause::InstallStarted,
        muster::inventory::lifecycle::Cause::InstallFinished,
    ] {
        rig.discovery
            .move_host(host, cause, None, |_| Vec::new())
            .await
            .unwrap();
    }
    let before = rig.plan(host).await;
    let edited = Rule {
        profile: Some("db".into()),
        tags: vec!["other".into()],
        ..web("true")
    };
    rig.rules.edit(edited, ACTOR, rig.now()).await.unwrap();
    assert!(!rig.giver.give(host, &machine(0)).await.unwrap());
    assert_eq!(rig.plan(host).await, before);
    assert_eq!(rig.discovery.host(host).unwrap().state, State::Active);
}

#[tokio::test]
async fn a_name_is_one_hosts_and_half_a_name_is_none() {
    let rig = Rig::new().await;
    rig.enter(Rule {
        hostname: Some("node-{{ bios.mode }}".into()),
        tags: vec!["seen".into()],
        ..rule("named", "true")
    })
    .await;
    let (first, _) = rig.report(&machine(0)).await;
    let (second, _) = rig.report(&machine(1)).await;
    assert_eq!(rig.discovery.host(first).unwrap().name.as_deref(), Some("node-uefi"));
    assert_eq!(rig.discovery.host(second).unwrap().name, None);
    let told = rig.told(second, EventKind::RuleRefused).await;
    assert!(told[0].contains(&format!("host {first} has this name")), "{told:?}");
    // The rest is given.
    assert_eq!(
        rig.catalog.host(second).await.unwrap().unwrap().effective.values["tags"],
        json!(["seen"])
    );

    rig.rules
        .edit(
            Rule {
                hostname: Some("node-{{ serial | lower }}".into()),
                ..rule("named", "true")
            },
            ACTOR,
            rig.now(),
        )
        .await
        .unwrap();
    let mut nameless = machine(2);
    hardware::forget_identity(&mut nameless);
    let (third, _) = rig.report(&nameless).await;
    assert_eq!(rig.discovery.host(third).unwrap().name, None);
    let told = rig.told(third, EventKind::RuleRefused).await;
    assert!(told[0].contains("the host does not tell it"), "{told:?}");
}

#[tokio::test]
async fn a_rule_installs_a_host_once_when_it_says_so() {
    let rig = Rig::new().await;
    let facts = machine(0);
    let (host, _) = rig.report(&facts).await;
    rig.plans.give(
        host,
        install_plan(),
        AnswerFile {
            text: "rootpw --lock\n".into(),
            secrets: Vec::new(),
        },
    );
    rig.enter(Rule {
        install: true,
        ..web("product is startingwith 'PowerEdge'")
    })
    .await;
    let (_, next) = rig.report(&facts).await;
    assert_eq!(next, "reboot");
    assert_eq!(rig.discovery.host(host).unwrap().state, State::Installing);
    let query = InstallQuery {
        host: Some(host),
        limit: 10,
        ..InstallQuery::default()
    };
    let (installs, total) = rig.store.installs(&query).await.unwrap();
    assert_eq!((total, installs[0].started_by.as_str()), (1, "rule:web"));

    // A machine that had one is not installed by a rule, also when all that was wanted of it is forgotten.
    for cause in [
        muster::inventory::lifecycle::Cause::InstallFailed,
        muster::inventory::lifecycle::Cause::MaintenanceBegun,
        muster::inventory::lifecycle::Cause::Returned {
            reported: true,
            profile: false,
            installed: false,
        },
    ] {
        rig.discovery
            .move_host(host, cause, None, |_| Vec::new())
            .await
            .unwrap();
    }
    rig.discovery.with_installs(|open| drop(open.remove(host)));
    rig.catalog.remove_plan(host, ACTOR, rig.now()).await.unwrap();
    rig.report(&facts).await;
    assert_eq!(rig.discovery.host(host).unwrap().state, State::Assigned);
    assert_eq!(rig.store.installs(&query).await.unwrap().1, 1);
    let told = rig.told(host, EventKind::RuleRefused).await;
    assert!(told[0].contains("a person decides"), "{told:?}");
}

#[tokio::test]
async fn what_an_installed_system_says_of_itself_asks_no_rule() {
    let rig = Rig::new().await;
    let facts = machine(0);
    let (host, _) = rig.report(&facts).await;
    let answer = AnswerFile {
        text: "rootpw --lock\n".into(),
        secrets: Vec::new(),
    };
    rig.plans.give(host, install_plan(), answer);
    rig.enter(Rule {
        install: true,
        ..web("product is startingwith 'PowerEdge'")
    })
    .await;
    rig.report(&facts).await;
    let query = InstallQuery {
        host: Some(host),
        limit: 10,
        ..InstallQuery::default()
    };
    assert_eq!(rig.store.installs(&query).await.unwrap().1, 1);
    let (plan, gave) = (rig.plan(host).await, rig.told(host, EventKind::RuleGave).await.len());
    rig.enter(Rule {
        order: 1,
        tags: vec!["late".into()],
        when: "true".into(),
        ..Rule::empty("late")
    })
    .await;
    // While it is installed, after that, and when all rules are applied to all hosts.
    for (cause, release) in [
        (None, "6.1.0"),
        (Some(muster::inventory::lifecycle::Cause::InstallFinished), "6.12.1"),
    ] {
        if let Some(cause) = cause {
            rig.discovery
                .move_host(host, cause, None, |_| Vec::new())
                .await
                .unwrap();
            rig.discovery.with_installs(|open| drop(open.remove(host)));
        }
        let mut said = facts.clone();
        said.kernel.release = Some(release.into());
        rig.discovery
            .accept_agent_facts(host, said, "10.77.0.99".parse().unwrap())
            .await
            .unwrap();
        rig.giver.apply().await.unwrap();
        assert_eq!(rig.plan(host).await, plan, "{release}");
    }
    assert_eq!(rig.discovery.host(host).unwrap().state, State::Active);
    assert_eq!(rig.store.installs(&query).await.unwrap().1, 1);
    assert_eq!(rig.told(host, EventKind::RuleGave).await.len(), gave);
}

fn install_plan() -> InstallPlan {
    InstallPlan {
        profile: "web".into(),
        distro: "rocky9".into(),
        family: Family::Redhat,
        kickstart: true,
        major: 9,
        codename: None,
        kernel: "/boot/tree/rocky9/vmlinuz".into(),
        initrds: vec!["/boot/tree/rocky9/initrd.img".into()],
        tree: Some("/boot/tree/rocky9".into()),
        hostname: None,
        domain: None,
        name_servers: Vec::new(),
        locale: "en_US.UTF-8".into(),
        keyboard: "us".into(),
        kernel_options: Vec::new(),
        once: true,
        agent: false,
        planned: Planned::default(),
    }
}

#[tokio::test]
async fn rules_are_applied_to_all_hosts_when_somebody_asks() {
    let rig = Rig::new().await;
    let (host, _) = rig.report(&machine(0)).await;
    rig.report(&machine(1)).await;
    rig.enter(web("vendor == 'Dell Inc.'")).await;
    rig.giver.look().await;
    assert_eq!(rig.plan(host).await.profile, None, "nobody has asked");
    rig.rules.ask_to_apply(ACTOR, rig.now()).await.unwrap();
    rig.giver.look().await;
    assert_eq!(rig.plan(host).await.profile.as_deref(), Some("web"));
    assert_eq!(rig.discovery.host(host).unwrap().state, State::Assigned);
    // It was done: what is entered later waits for the next wish.
    rig.rules.remove("web", ACTOR, rig.now()).await.unwrap();
    rig.giver.look().await;
    assert_eq!(rig.plan(host).await.given.len(), 1);
    let applied = rig.giver.apply().await.unwrap();
    assert_eq!(
        (applied.looked_at, applied.changed),
        (2, 1),
        "the tag goes with its rule"
    );
    let plan = rig.plan(host).await;
    assert_eq!(plan.profile.as_deref(), Some("web"), "the profile stays");
    assert_eq!(json!(plan.given[0].values).get("tags"), None);
}
