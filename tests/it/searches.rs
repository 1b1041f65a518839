//! Searches answered by the ledger, on each database.

mod measure;

use std::collections::{BTreeMap, BTreeSet};

use muster::{
    boot::EventKind,
    desired::{Distro, Family, HostPlan, LabelKind, Parent, Profile, Tree, Values, labels_of, rules::GivenLayer},
    inventory::{Host, HostId, State},
    provision::{Catalog, HostDesired},
    search::parse,
    store::{AgentCredential, Given, HostQuery, Store, Write},
};
use muster_facts::{Facts, LldpNeighbour, MacAddr, Os, PciDevice};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::{
    site::Site,
    store::{
        databases::for_each_database,
        samples::{at, created, created_with, facts, host, mac, saved},
    },
};

/// The names, else the ids, of what a search finds.
async fn found(store: &Store, text: &str) -> BTreeSet<String> {
    let search = parse(text).unwrap_or_else(|fault| panic!("{}", fault.report(text)));
    let query = HostQuery {
        search: Some(search.at(at(3600))),
        limit: 1000,
        ..HostQuery::default()
    };
    let page = store.hosts(&query).await.expect("readable");
    assert_eq!(page.total, page.hosts.len() as u64, "{text}");
    page.hosts
        .into_iter()
        .map(|host| host.name.unwrap_or_else(|| host.id.to_string()))
        .collect()
}

async fn finds(store: &Store, text: &str, names: &[&str]) {
    let wanted: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found(store, text).await, wanted, "{text}");
}

fn named(n: u16, name: &str) -> Host {
    Host {
        name: Some(name.to_owned()),
        ..host(n)
    }
}

async fn report(store: &Store, host: &Host, facts: Facts, state: State) {
    let mut saved = saved(host, facts, at(60));
    saved.host.state = state;
    let macs: Vec<MacAddr> = saved.interfaces.iter().map(|interface| interface.mac).collect();
    let mut made = host.clone();
    made.state = state;
    store
        .writer()
        .commit(vec![created_with(&made, &macs), Write::Facts(Box::new(saved))])
        .await
        .expect("committed");
}

#[tokio::test]
async fn what_hosts_are_is_searched_by_their_columns() {
    for_each_database(|store| async move {
        let mut big = facts("7CX1A2B", &[mac(1), mac(2)]);
        big.memory.total_bytes = 256 << 30;
        big.cpu.cores = 64;
        big.os = Some(Os {
            id: Some("Debian".into()),
            version: Some("12".into()),
            name: None,
        });
        big.gpus = vec![PciDevice {
            address: "0000:3b:00.0".into(),
            vendor_id: "10de".into(),
            device_id: "20b0".into(),
            ..PciDevice::default()
        }];
        big.nics[0].lldp = Some(LldpNeighbour {
            switch: Some("Leaf-12".into()),
            port: Some("Ethernet7".into()),
            ..LldpNeighbour::default()
        });
        report(&store, &named(1, "db1"), big, State::Active).await;
        let mut other = facts("100%_x", &[mac(3)]);
        other.system.vendor = Some("Lenovo".into());
        other.disks.clear();
        report(&store, &named(2, "Web_1"), other, State::Inventoried).await;
        // Seen, and only entered: nothing else is known of either.
        let seen = named(3, "seen");
        let mut entered = named(4, "entered");
        (entered.address, entered.last_seen_at) = (None, entered.created_at);
        store
            .writer()
            .commit(vec![created_with(&seen, &[mac(5)]), created(&entered)])
            .await
            .expect("committed");
        let credential = Write::AgentEnrolled(AgentCredential {
            hash: [1; 32],
            host: seen.id,
            created_at: at(0),
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
            acknowledged: 0,
        });
        store.writer().commit(vec![credential]).await.expect("committed");

        let all = ["db1", "Web_1", "seen", "entered"];
        for (text, names) in [
            ("", &all[..]),
            ("vendor:dell mem>=256 state:active", &["db1"]),
            ("vendor:dell or vendor:lenovo", &["db1", "Web_1"]),
            ("-vendor:dell", &["Web_1", "seen", "entered"]),
            ("vendor=dell", &[]),
            ("vendor=\"DELL inc.\"", &["db1"]),
            ("vendor=", &["seen", "entered"]),
            ("vendor!=", &["db1", "Web_1"]),
            ("product:r640 cpu:xeon cores>16", &["db1"]),
            ("mem=64", &["Web_1"]),
            ("mem!=64", &["db1", "seen", "entered"]),
            ("disk>=960 disks:1", &["db1"]),
            ("nics>1", &["db1"]),
            ("serial:7cx1a2b", &["db1"]),
            ("serial:7cx*", &["db1"]),
            ("serial:7cx", &[]),
            ("serial:\"100%_x\"", &["Web_1"]),
            ("name:web?1", &["Web_1"]),
            ("name:web_*", &["Web_1"]),
            ("7cx1", &["db1"]),
            ("poweredge 00:77:00:03", &["Web_1"]),
            ("525400770002", &["db1"]),
            ("10.77.0.3", &["seen"]),
            ("100%", &["Web_1"]),
            ("-poweredge", &["seen", "entered"]),
            ("mac:52:54:00:77:00:05", &["seen"]),
            ("mac:*:0?", &["db1", "Web_1", "seen"]),
            ("mac=", &["entered"]),
            ("ip:10.77.0.0/31", &["db1"]),
            ("ip:10.0.0.0/8", &["db1", "Web_1", "seen"]),
            ("ip:10.77.0.3", &["seen"]),
            ("ip:10.77.*", &["db1", "Web_1", "seen"]),
            ("ip=", &["entered"]),
            ("-ip:10.77.0.3", &["db1", "Web_1", "entered"]),
            ("os:debian os_version:12", &["db1"]),
            ("gpu:10de:20b0", &["db1"]),
            ("gpu=", &["Web_1", "seen", "entered"]),
            ("part:d-7cx1a2b", &["db1"]),
            ("switch:leaf-12", &["db1"]),
            ("has:gpu", &["db1"]),
            ("has:disk", &["db1"]),
            ("has:report", &["db1", "Web_1"]),
            ("has:agent", &["seen"]),
            ("has:name -has:address", &["entered"]),
            ("has:trouble", &[]),
            ("has:profile", &[]),
            ("firmware:uefi arch=", &["db1", "Web_1"]),
            ("state:act*", &["db1"]),
            // Asked an hour after the first was seen; reports came after a minute.
            ("seen<1h", &["db1", "Web_1", "seen"]),
            ("seen>58m", &["db1", "Web_1", "seen"]),
            ("seen<58m", &[]),
            ("reported<58m", &[]),
            ("reported>=58m", &["db1", "Web_1"]),
            ("-reported>58m", &["seen", "entered"]),
            ("created>=2026-11-18", &all),
            ("created>2026-11-18 or created<2026-11-18", &[]),
            ("created:2026-11-18", &all),
            ("(state:active or has:agent) -name:db*", &["seen"]),
        ] {
            finds(&store, text, names).await;
        }
        let id = format!("id:{}", seen.id);
        finds(&store, &id, &["seen"]).await;
    })
    .await;
}

fn values(document: &Value) -> Values {
    Values::check(document.as_object().cloned().expect("an object")).expect("well-formed")
}

async fn profile(catalog: &Catalog, name: &str, parent: Parent, document: &Value) {
    let profile = Profile {
        name: name.to_owned(),
        parent,
        values: values(document),
    };
    catalog.add_profile(profile, "cli", at(0)).await.expect("made");
}

/// Distros, profiles that stand on each other, and hosts that agree and disagree with them.
async fn plans(store: &Store, catalog: &Catalog) {
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
        values: values(&json!({"tags": ["el9"], "vars": {"tier": "bronze"}})),
    };
    let defaults =
        json!({"tags": ["site"], "owners": ["ops"], "place": "bj1/r01", "vars": {"tier": "none", "db_password": "x"}});
    catalog
        .set_defaults(values(&defaults), "cli", at(0))
        .await
        .expect("set");
    catalog.add_distro(distro, "cli", at(0)).await.expect("made");
    let on = |name: &str| Parent::Profile(name.to_owned());
    let base = json!({"tags": ["base", "Blue"], "vars": {"role": "Base", "ports": [80, 443]}});
    profile(catalog, "base", Parent::Distro("rocky9".into()), &base).await;
    profile(
        catalog,
        "web",
        on("base"),
        &json!({"tags": ["!base", "web1"], "vars": {"role": "web"}}),
    )
    .await;
    profile(
        catalog,
        "db",
        on("base"),
        &json!({"owners": "<<none>>", "vars": {"!tier": null}}),
    )
    .await;

    let own = [
        json!({}),
        json!({"tags": ["!blue", "!Blue"], "vars": {"role": "db"}}),
        json!({"tags": "<<none>>", "owners": ["anna", "!ops"], "vars": "<<none>>"}),
        json!({"tags": ["web1", "web2", "role=web", "base"], "place": "gz2/r09/u4", "vars": {"!role": null, "ports": [22]}}),
        json!({"tags": ["!web1", "!site", "!el9", "!base", "!Blue"], "place": "<<none>>", "vars": {"tier": "gold"}}),
    ];
    let mut number = 0;
    for profile in [None, Some("base"), Some("web"), Some("db")] {
        for document in &own {
            number += 1;
            let host = named(number, &format!("h{number}"));
            store.writer().commit(vec![created(&host)]).await.expect("made");
            let plan = HostPlan {
                profile: profile.map(str::to_owned),
                values: values(document),
                ..HostPlan::empty(host.id)
            };
            catalog.set_plan(plan, "cli", at(0)).await.expect("planned");
        }
    }
    // A host without a plan, and one that a rule gives something that the host takes back in part.
    let (bare, ruled) = (named(50, "bare"), named(51, "ruled"));
    store
        .writer()
        .commit(vec![created(&bare), created(&ruled)])
        .await
        .expect("made");
    let plan = HostPlan {
        profile: Some("web".into()),
        values: values(&json!({"tags": ["!canary"]})),
        ..HostPlan::empty(ruled.id)
    };
    catalog.set_plan(plan, "cli", at(0)).await.expect("planned");
    let given = Given {
        host: ruled.id,
        profile: None,
        layers: vec![GivenLayer {
            rule: "r".into(),
            values: values(&json!({"tags": ["canary", "role=cache"], "place": "sh3/r1"})),
        }],
        changes: Vec::new(),
    };
    store
        .writer()
        .commit(vec![Write::Given(Box::new(given))])
        .await
        .expect("given");
}

/// Whether what is wanted of a host meets a search.
type Meets = fn(&HostDesired) -> bool;

/// Every search of labels finds what the values in force say, host by host.
async fn agrees(store: &Store, catalog: &Catalog) {
    let mut hosts = Vec::new();
    for known in catalog.hosts().await.expect("readable") {
        let desired = catalog.host(known.host.id).await.expect("readable").expect("there");
        hosts.push((
            known.host.name.clone().expect("named"),
            labels_of(&desired.effective.values),
            desired,
        ));
    }
    let has = |kind: LabelKind, name: Option<&str>, value: &str| -> BTreeSet<String> {
        let meets = |label: &muster::desired::Label| {
            label.kind == kind
                && name.is_none_or(|name| label.name == name)
                && label.values.iter().any(|one| one == value)
        };
        hosts
            .iter()
            .filter(|(_, labels, _)| labels.iter().any(meets))
            .map(|(name, ..)| name.clone())
            .collect()
    };
    let everybody: BTreeSet<String> = hosts.iter().map(|(name, ..)| name.clone()).collect();
    let mut met = 0;
    for (field, kind, values) in [
        (
            "tag",
            LabelKind::Tag,
            &["site", "el9", "base", "blue", "web1", "web2", "canary", "nothing"][..],
        ),
        ("owner", LabelKind::Owner, &["ops", "anna"]),
        ("place", LabelKind::Place, &["bj1/r01", "gz2/r09/u4", "sh3/r1"]),
        ("site", LabelKind::Site, &["bj1", "gz2", "sh3"]),
    ] {
        for value in values {
            let wanted = has(kind, None, value);
            met += wanted.len();
            assert_eq!(
                found(store, &format!("{field}:{value}")).await,
                wanted,
                "{field}:{value}"
            );
            let others: BTreeSet<String> = everybody.difference(&wanted).cloned().collect();
            assert_eq!(
                found(store, &format!("-{field}:{value}")).await,
                others,
                "-{field}:{value}"
            );
        }
    }
    for (name, value) in [
        ("tier", "bronze"),
        ("tier", "none"),
        ("tier", "gold"),
        ("role", "base"),
        ("role", "web"),
        ("role", "db"),
        ("ports", "443"),
        ("ports", "22"),
        ("db_password", "x"),
    ] {
        let wanted = has(LabelKind::Var, Some(name), value);
        met += wanted.len();
        assert_eq!(
            found(store, &format!("var.{name}:{value}")).await,
            wanted,
            "{name}:{value}"
        );
        let by_tag = has(LabelKind::Tag, None, &format!("role={value}"));
        if name == "role" {
            let either: BTreeSet<String> = wanted.union(&by_tag).cloned().collect();
            assert_eq!(found(store, &format!("role:{value}")).await, either, "role:{value}");
        }
    }
    assert!(met > 60, "{met}");
    assert!(
        has(LabelKind::Var, Some("db_password"), "x").is_empty(),
        "a secret is not searched for"
    );
    let by_values: [(&str, Meets); 6] = [
        ("profile:base", |desired| desired.profiles.contains(&"base".to_owned())),
        ("profile=", |desired| desired.plan.profile.is_none()),
        ("distro:rocky*", |desired| desired.distro.is_some()),
        ("tag=", |desired| {
            desired
                .effective
                .values
                .get("tags")
                .is_none_or(|tags| *tags == json!([]))
        }),
        ("tag:web*", |desired| {
            let tags = desired.effective.values.get("tags").and_then(Value::as_array);
            tags.is_some_and(|tags| {
                tags.iter()
                    .any(|tag| tag.as_str().is_some_and(|tag| tag.starts_with("web")))
            })
        }),
        ("place=", |desired| !desired.effective.values.contains_key("place")),
    ];
    for (text, meets) in by_values {
        let wanted: BTreeSet<String> = hosts
            .iter()
            .filter(|(.., desired)| meets(desired))
            .map(|(name, ..)| name.clone())
            .collect();
        assert_eq!(found(store, text).await, wanted, "{text}");
    }
}

#[tokio::test]
async fn what_is_wanted_is_searched_by_the_values_in_force() {
    for_each_database(|store| async move {
        let catalog = Catalog::new(store.clone(), &[]);
        plans(&store, &catalog).await;
        agrees(&store, &catalog).await;
        finds(&store, "role:cache", &["ruled"]).await;

        // A change above hosts is met at once, and writes no row of theirs.
        let web = Profile {
            name: "web".into(),
            parent: Parent::Profile("base".into()),
            values: values(&json!({"tags": ["web2"], "vars": {"tier": "gold"}, "place": "gz2/r09/u4"})),
        };
        catalog.edit_profile(web, "cli", at(1)).await.expect("edited");
        agrees(&store, &catalog).await;
        catalog
            .rename(&Parent::Profile("web".into()), "www", "cli", at(1))
            .await
            .expect("renamed");
        assert!(!found(&store, "profile:www").await.is_empty());
        agrees(&store, &catalog).await;
        let known = catalog.hosts().await.expect("readable");
        let ids: BTreeMap<&str, HostId> = known
            .iter()
            .filter_map(|known| Some((known.host.name.as_deref()?, known.host.id)))
            .collect();
        for name in ["h2", "h9", "h13", "h20"] {
            catalog.remove_plan(ids[name], "cli", at(2)).await.expect("removed");
        }
        agrees(&store, &catalog).await;
        // What was wanted of a host that turns out to be another is wanted of that one.
        finds(&store, "name:bare tag:web2", &[]).await;
        finds(&store, "name:h4 tag:web2", &["h4"]).await;
        let (from, into) = (ids["h4"], ids["bare"]);
        store
            .writer()
            .commit(vec![Write::HostAbsorbed { from, into }])
            .await
            .expect("absorbed");
        finds(&store, "name:bare tag:web2", &["bare"]).await;
        agrees(&store, &catalog).await;
    })
    .await;
}

#[tokio::test]
async fn rows_of_an_earlier_version_are_filled_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let store = Store::open(&url).await.expect("opens");
    store.migrate().await.expect("migrates");
    plans(&store, &Catalog::new(store.clone(), &[])).await;
    store.close().await.expect("closes");
    let raw = Database::connect(&url).await.expect("opens");
    raw.execute_unprepared(
        "DELETE FROM host_label; UPDATE host SET address_key = NULL; DELETE FROM setting WHERE key = 'search.filled'",
    )
    .await
    .expect("as it was");
    raw.close().await.expect("closes");

    let store = Store::open(&url).await.expect("opens again");
    finds(&store, "tag:canary or ip:10.0.0.0/8", &[]).await;
    store.migrate().await.expect("fills");
    agrees(&store, &Catalog::new(store.clone(), &[])).await;
    assert_eq!(found(&store, "ip:10.77.0.0/24").await.len(), 22);
}

#[tokio::test]
async fn an_installed_system_is_remembered_through_a_boot_of_the_collection_image() {
    for_each_database(|store| async move {
        let first = named(1, "web1");
        let mut installed = facts("7CX1A2B", &[mac(1)]);
        installed.os = Some(Os {
            id: Some("debian".into()),
            ..Os::default()
        });
        report(&store, &first, installed, State::Active).await;
        let again = saved(&first, facts("7CX1A2B", &[mac(1)]), at(90));
        store
            .writer()
            .commit(vec![Write::Facts(Box::new(again))])
            .await
            .expect("committed");
        finds(&store, "os:debian", &["web1"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_search_is_told_with_its_place_by_page_and_api() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    site.reported(facts("7CX1A2B", &[mac(1)])).await;
    site.seen(mac(9), "stalled", &[(EventKind::DhcpDiscover, &[])]).await;
    let ask = async |path: &str, language: &str| {
        site.get(path, &[("cookie", cookie.as_str()), ("accept-language", language)])
            .await
    };
    let answer = ask("/api/v1/hosts?q=vendor:dell%20memm%3E%3D256", "en").await;
    let problem = answer.json();
    assert_eq!(
        (answer.status.as_u16(), problem["code"].as_str()),
        (422, Some("search_fault"))
    );
    assert_eq!((&problem["field"], &problem["place"]), (&json!("q"), &json!([12, 16])));
    assert!(
        problem["detail"]
            .as_str()
            .expect("words")
            .contains("did you mean `mem`?")
    );
    let right = ask("/api/v1/hosts?q=vendor:dell%20mem%3E%3D64", "en").await.json();
    assert_eq!(right["total"], 1);

    let page = ask("/hosts?q=vendor:dell%20memm%3E%3D256&state=inventoried", "en")
        .await
        .body;
    assert!(page.contains("vendor:dell <mark>memm</mark>&gt;=256"), "{page}");
    assert!(page.contains("No field is called memm. Did you mean mem?"));
    assert!(!page.contains("id=\"rows\"") && page.contains("name=\"state\" value=\"inventoried\""));
    let page = ask("/hosts?q=mem%3E", "zh-CN").await.body;
    assert!(page.contains("没有写明 mem 的值"), "{page}");
    let page = ask("/hosts?q=mem%3Elots", "zh-CN").await.body;
    assert!(page.contains("请写容量") && !page.contains("您是否想写"), "{page}");
    let page = ask("/hosts?q=vendor:dell%20-state:active", "en").await.body;
    assert!(page.contains("id=\"rows\"") && page.contains("How to search"));
}
