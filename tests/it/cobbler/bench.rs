//! Many hosts with the same values in Cobbler and in Muster, and templates that do the same work.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use chrono::Utc;
use muster::{
    desired::{HostPlan, Parent, Profile, Values},
    inventory::new_id,
    store::{AuditEntry, ObjectWrite, Store, Write},
};
use muster_facts::MacAddr;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde_json::{Map, Value, json};

use super::{
    muster::distro,
    peer::{self, Site},
    world::{Given, Kind, On, Step},
};
use crate::store::samples;

/// The kit's folder of one engine.
fn kit(engine: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/cobbler/kit")
        .join(engine)
}

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> Map<String, Value> {
    let mut out = Map::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(&here).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                out.insert(name, std::fs::read_to_string(&path).expect("text").into());
            }
        }
    }
    out
}

/// A host's name.
fn host_name(n: u32) -> String {
    format!("host-{n:05}.example.org")
}

fn address(n: u32, last: u32) -> String {
    format!("10.{}.{}.{last}", 1 + n / 200, n % 200)
}

fn mac(n: u32) -> MacAddr {
    let [_, high, middle, low] = n.to_be_bytes();
    MacAddr([0x52, 0x54, 0, high, middle, low])
}

/// The objects, by Muster's names; all else than the hosts is the same for each of them.
fn objects(hosts: u32) -> Vec<Step> {
    let site = "tree=http://mirror.example.org/rocky/9 timezone=Europe/Berlin \
        admins=anna,bob package_names=chrony,vim-enhanced,tar,rsync,tmux";
    let mut steps = vec![
        Step::add(
            Kind::Distro,
            "rocky9",
            None,
            &[("vars", site), ("kernel_options_post", "audit=1")],
        ),
        Step::add(
            Kind::Profile,
            "base",
            Some(On::Distro("rocky9".into())),
            &[
                (
                    "vars",
                    "role=none disk=sda swap_mib=4096 repo_names=base,extras service_names=chronyd",
                ),
                ("name_servers", "10.0.0.53 10.0.1.53"),
                ("search_domains", "example.org"),
                ("kernel_options_post", "console=ttyS0,115200"),
            ],
        ),
        Step::add(
            Kind::Profile,
            "web",
            Some(On::Profile("base".into())),
            &[
                ("vars", "role=web service_names=chronyd,nginx,node_exporter"),
                ("kernel_options_post", "quiet"),
            ],
        ),
        Step::add(
            Kind::Profile,
            "db",
            Some(On::Profile("base".into())),
            &[
                ("vars", "role=db disk=nvme0n1 firmware=uefi swap_mib=16384"),
                ("name_servers", "10.0.2.53"),
            ],
        ),
    ];
    for n in 1..=hosts {
        let own = format!(
            "rack=r{} mac={} address={} netmask=255.255.255.0 gateway={}",
            n % 97,
            mac(n),
            address(n, 10),
            address(n, 1)
        );
        let fields = [("vars", own.as_str()), ("hostname", &host_name(n))];
        let profile = if n % 3 == 0 { "db" } else { "web" };
        steps.push(Step::add(
            Kind::Host,
            &host_name(n),
            Some(On::Profile(profile.into())),
            &fields,
        ));
    }
    steps
}

/// What the templates take from Cobbler's settings and Muster has nowhere.
fn defaults() -> Value {
    json!({"template": "redhat/kit.ks", "vars": {"http_server": "10.0.0.1"}})
}

/// Cobbler's site with these objects; `engine` is `cheetah` or `jinja`.
fn site(engine: &str, hosts: u32) -> Site {
    let mut site = Site::new(&json!({"template": "kit.ks"}));
    let mut texts = files(&kit(engine));
    site.templates
        .insert("kit.ks".into(), texts.remove("kit.ks").expect("the kit"));
    for (name, text) in texts {
        site.snippets
            .insert(name.trim_start_matches("snippets/").to_owned(), text);
    }
    if engine == "jinja" {
        site.settings
            .insert("jinja2_includedir".into(), json!("/var/lib/cobbler/snippets"));
    }
    for step in objects(hosts) {
        site.push(&step);
    }
    site.render = (1..=hosts).map(host_name).collect();
    site
}

/// Fills an empty ledger with these objects.
async fn fill(store: &Store, hosts: u32) {
    let now = Utc::now();
    let mut writes = vec![ObjectWrite::Defaults(values(&defaults()))];
    let mut created = Vec::new();
    for (place, step) in objects(hosts).into_iter().enumerate() {
        let read = |(key, given): &(&'static str, Given)| match given {
            Given::Text(text) => (
                (*key).to_owned(),
                muster::desired::field(key).expect("there").read(text).expect("well"),
            ),
            _ => unreachable!("texts only"),
        };
        let own = values(&Value::Object(step.fields.iter().map(read).collect()));
        writes.push(match (step.kind, step.on) {
            (Kind::Profile, Some(on)) => {
                let parent = match on {
                    On::Distro(name) => Parent::Distro(name),
                    On::Profile(name) => Parent::Profile(name),
                };
                let profile = Profile {
                    name: step.name,
                    parent,
                    values: own,
                };
                ObjectWrite::Profile { profile, new: true }
            }
            (Kind::Host, Some(On::Profile(profile))) => {
                let n = u32::try_from(place).expect("few");
                let mut host = samples::host(0);
                host.name = Some(step.name);
                created.push(samples::created_with(&host, &[mac(n)]));
                let facts = samples::facts(&format!("S{n}"), &[mac(n)]);
                created.push(Write::Facts(Box::new(samples::saved(&host, facts, samples::at(1)))));
                let plan = HostPlan {
                    profile: Some(profile),
                    values: own,
                    ..HostPlan::empty(host.id)
                };
                ObjectWrite::Plan(plan, None)
            }
            _ => ObjectWrite::Distro {
                distro: distro(&step.name, own),
                new: true,
            },
        });
    }
    store.writer().commit(created).await.expect("made");
    for write in writes {
        let entry = AuditEntry {
            id: new_id(now),
            at: now,
            actor: "test".into(),
            action: "bench".into(),
            target: None,
            detail: None,
        };
        let revision = store.desired_revision().await.expect("readable");
        store.write_desired(revision, &write, &entry).await.expect("written");
    }
}

fn values(document: &Value) -> Values {
    Values::check(document.as_object().cloned().expect("a document")).expect("well-formed")
}

/// How many, from the environment.
fn number(name: &str, default: u32) -> u32 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The lines of a file that say something.
fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect()
}

/// Seconds that children of this process that have ended used of processors.
fn of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| std::time::Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0)).as_secs_f64())
        .sum()
}

/// Muster from a cold start: process, ledger, templates, a file for each host. The best of three runs: seconds that
/// passed, and seconds of processors. Each run has a fresh folder: a file system looks long for room where files were
/// removed just before.
fn muster(binary: &Path, folder: &Path, to: &Path, hosts: u32) -> (f64, f64) {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for run in 0..3 {
        let mut command = Command::new(binary);
        // They would be read as settings.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MUSTER_")) {
            command.env_remove(name);
        }
        let (began, used) = (Instant::now(), of_children());
        let done = command
            .arg("--config")
            .arg(folder.join("muster.toml"))
            .args(["render", "--all", "--to"])
            .arg(to.join(run.to_string()))
            .output()
            .expect("the program");
        best = (
            f64::min(best.0, began.elapsed().as_secs_f64()),
            f64::min(best.1, of_children() - used),
        );
        let told = String::from_utf8_lossy(&done.stdout);
        assert!(
            told.contains(&format!("{hosts} answer files, 0 hosts")),
            "{told}{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    best
}

#[tokio::test]
#[ignore = "minutes on both processors; cargo xtask cobbler --bench"]
async fn answer_files_a_second() {
    let Some(python) = peer::python() else { return };
    let Some(binary) = std::env::var_os("MUSTER_COBBLER_BINARY").map(PathBuf::from) else {
        println!("left out: MUSTER_COBBLER_BINARY names no muster built for speed");
        return;
    };
    let (hosts, cobbler_hosts) = (
        number("MUSTER_COBBLER_HOSTS", 5000),
        number("MUSTER_COBBLER_PEER_HOSTS", 300),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&format!("sqlite://{}", folder.path().join("muster.db").display()))
        .await
        .expect("opens");
    store.migrate().await.expect("migrates");
    fill(&store, hosts).await;
    store.close().await.expect("closes");
    let settings = format!(
        "[server]\ndata_dir = \"{}\"\n[templates]\ndir = \"{}\"\n[dhcp]\nenabled = false\n[tftp]\nenabled = false\n",
        folder.path().display(),
        kit("muster").display()
    );
    std::fs::write(folder.path().join("muster.toml"), settings).expect("written");
    // Cobbler's files stay in memory too.
    let memory = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder");
    let (seconds, used) = muster(&binary, folder.path(), memory.path(), hosts);
    let (ours, of_processor) = (f64::from(hosts) / seconds, f64::from(hosts) / used);
    println!(
        "Muster: {hosts} different hosts in {seconds:.2} s from the start of the process: {ours:.0} a second, \
         {of_processor:.0} a second of processor"
    );
    for engine in ["cheetah", "jinja"] {
        let mut site = site(engine, cobbler_hosts);
        site.show = (1..=cobbler_hosts.min(50)).map(host_name).collect();
        let said = site.run(&python);
        assert_eq!(said.refused, [], "Cobbler took all");
        let theirs = f64::from(cobbler_hosts) / said.rendered_seconds;
        let their_processor = f64::from(cobbler_hosts) / said.processor_seconds;
        println!(
            "Cobbler, {engine}: {cobbler_hosts} hosts in {:.2} s, without its start: {theirs:.1} a second, \
             {their_processor:.1} a second of processor; ratio {:.0}, of processor {:.0}",
            said.rendered_seconds,
            ours / theirs,
            of_processor / their_processor
        );
        for (name, text) in &said.texts {
            let file = std::fs::read_to_string(memory.path().join("0").join(name)).expect("the file");
            assert_eq!(
                lines(&file),
                lines(text.as_str().unwrap_or_default()),
                "{engine}: {name}"
            );
        }
        println!(
            "  {} files are the same line by line, but for blank lines",
            said.texts.len()
        );
    }
}
