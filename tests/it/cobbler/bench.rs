//! Many hosts with the same values in Cobbler and in Muster, and templates that do the same work.

use std::path::Path;

use chrono::Utc;
use muster::{
    desired::{HostPlan, Parent, Profile, Values},
    inventory::new_id,
    store::{AuditEntry, ObjectWrite, Store},
};
use muster_facts::MacAddr;
use serde_json::{Map, Value, json};

use super::{
    muster::distro,
    world::{Given, Kind, On, Step},
};
use crate::store::samples;

/// The kit's folder of one engine.
fn kit(engine: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cobbler/kit").join(engine)
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
pub(super) fn host_name(n: u32) -> String {
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
pub(super) fn objects(hosts: u32) -> Vec<Step> {
    let site = "tree=http://mirror.example.org/rocky/9 timezone=Europe/Berlin root_hash=$6$salt$hash \
        admins=anna,bob package_names=chrony,vim-enhanced,tar,rsync,tmux";
    let mut steps = vec![
        Step::add(Kind::Distro, "rocky9", None, &[("vars", site), ("kernel_options_post", "audit=1")]),
        Step::add(
            Kind::Profile,
            "base",
            Some(On::Distro("rocky9".into())),
            &[
                ("vars", "role=none disk=sda swap_mib=4096 repo_names=base,extras service_names=chronyd"),
                ("name_servers", "10.0.0.53 10.0.1.53"),
                ("search_domains", "example.org"),
                ("kernel_options_post", "console=ttyS0,115200"),
            ],
        ),
        Step::add(
            Kind::Profile,
            "web",
            Some(On::Profile("base".into())),
            &[("vars", "role=web service_names=chronyd,nginx,node_exporter"), ("kernel_options_post", "quiet")],
        ),
        Step::add(
            Kind::Profile,
            "db",
            Some(On::Profile("base".into())),
            &[("vars", "role=db disk=nvme0n1 firmware=uefi swap_mib=16384"), ("name_servers", "10.0.2.53")],
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
        steps.push(Step::add(Kind::Host, &host_name(n), Some(On::Profile(profile.into())), &fields));
    }
    steps
}

/// What the templates take from Cobbler's settings and Muster has nowhere.
fn defaults() -> Value {
    json!({"template": "redhat/kit.ks", "vars": {"http_server": "10.0.0.1"}})
}

/// Cobbler's site with these objects; `engine` is `cheetah` or `jinja`.
pub(super) fn site(engine: &str, hosts: u32) -> super::peer::Site {
    let mut site = super::peer::Site::new(&json!({"template": "kit.ks"}));
    let mut texts = files(&kit(engine));
    site.templates.insert("kit.ks".into(), texts.remove("kit.ks").expect("the kit"));
    for (name, text) in texts {
        site.snippets.insert(name.trim_start_matches("snippets/").to_owned(), text);
    }
    if engine == "jinja" {
        site.settings.insert("jinja2_includedir".into(), json!("/var/lib/cobbler/snippets"));
    }
    for step in objects(hosts) {
        site.push(&step);
    }
    site.render = (1..=hosts).map(host_name).collect();
    site
}

/// Fills an empty ledger with these objects.
pub(super) async fn fill(store: &Store, hosts: u32) {
    let now = Utc::now();
    let mut writes = vec![ObjectWrite::Defaults(values(&defaults()))];
    let mut created = Vec::new();
    for (place, step) in objects(hosts).into_iter().enumerate() {
        let read = |(key, given): &(&'static str, Given)| match given {
            Given::Text(text) => ((*key).to_owned(), muster::desired::field(key).expect("there").read(text).expect("well")),
            _ => unreachable!("texts only"),
        };
        let own = values(&Value::Object(step.fields.iter().map(read).collect()));
        writes.push(match (step.kind, step.on) {
            (Kind::Profile, Some(on)) => {
                let parent = match on {
                    On::Distro(name) => Parent::Distro(name),
                    On::Profile(name) => Parent::Profile(name),
                };
                let profile = Profile { name: step.name, parent, values: own };
                ObjectWrite::Profile { profile, new: true }
            }
            (Kind::Host, Some(On::Profile(profile))) => {
                let n = u32::try_from(place).expect("few");
                let mut host = samples::host(0);
                host.name = Some(step.name);
                created.push(samples::created_with(&host, &[mac(n)]));
                ObjectWrite::Plan(HostPlan { profile: Some(profile), values: own, ..HostPlan::empty(host.id) })
            }
            _ => ObjectWrite::Distro { distro: distro(&step.name, own), new: true },
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
