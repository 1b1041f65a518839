use muster::{
    desired::{
        Distro, Family, HostPlan, Parent, Profile, Tree, Values,
        rules::{By, GivenLayer, Giver, Rule},
    },
    inventory::HostId,
    provision::{Catalog, rules::Rules},
    store::{Given, Store, StoreError, Write},
};
use serde_json::json;

use super::{
    databases::for_each_database,
    samples::{self, at},
};

async fn profile(catalog: &Catalog, name: &str) {
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
    catalog.add_distro(distro, "cli", at(0)).await.expect("made");
    let profile = Profile {
        name: name.into(),
        parent: Parent::Distro("rocky9".into()),
        values: Values::default(),
    };
    catalog.add_profile(profile, "cli", at(0)).await.expect("made");
}

fn values(document: &serde_json::Value) -> Values {
    Values::check(document.as_object().cloned().expect("an object")).expect("well-formed")
}

fn given(host: HostId, profile: Option<&str>, name: &str) -> Write {
    Write::Given(Box::new(Given {
        host,
        profile: profile.map(|value| By {
            value: value.to_owned(),
            rule: "r".to_owned(),
        }),
        layers: vec![GivenLayer {
            rule: "r".to_owned(),
            values: values(&json!({"hostname": name, "tags": ["t"]})),
        }],
        changes: vec![samples::change(host, "profile", "web")],
    }))
}

async fn two_hosts(store: &Store) -> (HostId, HostId) {
    let (one, two) = (samples::host(1), samples::host(2));
    let writer = store.writer();
    writer
        .commit(vec![samples::created(&one), samples::created(&two)])
        .await
        .expect("made");
    (one.id, two.id)
}

#[tokio::test]
async fn rules_are_kept_in_order_and_follow_their_profile() {
    for_each_database(|store| async move {
        let catalog = Catalog::new(store.clone(), &[]);
        profile(&catalog, "web").await;
        let (ours, theirs) = (Rules::new(store.clone()), Rules::new(store.clone()));
        let rule = |name: &str, order| Rule {
            order,
            when: "vendor is like(\"dell*\")".into(),
            profile: Some("web".into()),
            tags: vec!["a".into(), "b".into()],
            ..Rule::empty(name)
        };
        ours.add(rule("late", 200), "cli", at(0)).await.expect("made");
        theirs.add(rule("early", 10), "cli", at(0)).await.expect("made");
        assert!(ours.add(rule("early", 10), "cli", at(0)).await.is_err());
        // Another server sees it, and all of it.
        let book = ours.book().await.expect("readable");
        let names: Vec<_> = book.rules().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["early", "late"]);
        assert_eq!(book.rule("late").ok(), Some(&rule("late", 200)));
        let unknown = Rule {
            profile: Some("wbe".into()),
            ..rule("late", 200)
        };
        let refused = ours.edit(unknown, "cli", at(0)).await.expect_err("no such profile");
        assert!(refused.to_string().contains("did you mean `web`?"), "{refused}");

        let web = Parent::Profile("web".into());
        let refused = catalog.remove(&web, "cli", at(0)).await.expect_err("used");
        assert!(refused.to_string().contains("rule early"), "{refused}");
        catalog.rename(&web, "www", "cli", at(0)).await.expect("renamed");
        let book = theirs.book().await.expect("readable");
        assert!(book.rules().all(|rule| rule.profile.as_deref() == Some("www")));
        ours.remove("late", "cli", at(0)).await.expect("removed");
        assert_eq!(theirs.book().await.expect("readable").rules().len(), 1);
        assert_eq!(
            store.audit_log(None, 1).await.expect("readable")[0].action,
            "rule.remove"
        );
    })
    .await;
}

#[tokio::test]
async fn what_rules_give_stands_beside_what_people_want() {
    for_each_database(|store| async move {
        let catalog = Catalog::new(store.clone(), &[]);
        profile(&catalog, "web").await;
        let (one, two) = two_hosts(&store).await;
        let writer = store.writer();
        writer.commit(vec![given(one, Some("web"), "n1")]).await.expect("given");
        let mut plan = store.plan(one).await.expect("readable");
        assert_eq!(plan.profile.as_deref(), Some("web"));
        assert_eq!(plan.profile_by, Some(Giver::Rule("r".into())));
        assert_eq!(plan.given[0].values, values(&json!({"hostname": "n1", "tags": ["t"]})));
        assert_eq!(store.changes(one, None, 10).await.expect("readable").len(), 1);

        // A person's values leave it as it is; a rule's leave the person's.
        plan.values = values(&json!({"timezone": "UTC"}));
        catalog.set_plan(plan.clone(), "cli", at(0)).await.expect("planned");
        assert_eq!(store.plan(one).await.expect("readable"), plan);
        writer.commit(vec![given(one, None, "n2")]).await.expect("given");
        let after = store.plan(one).await.expect("readable");
        assert_eq!((&after.values, &after.profile), (&plan.values, &plan.profile));

        // The name is one host's, by any road.
        let taken = writer.commit(vec![given(two, None, "n2")]).await.expect_err("taken");
        assert!(matches!(taken, StoreError::NameTaken(name) if name == "n2"));
        assert_eq!(store.plan(two).await.expect("readable"), HostPlan::empty(two));
        let named = async |word: &str| store.hosts_named(word).await.expect("readable");
        assert_eq!(named("n2").await, [one]);
        assert_eq!(catalog.host_called("n2").await.ok(), None, "only planned yet");
        let planned = HostPlan {
            values: values(&json!({"hostname": "db1"})),
            ..HostPlan::empty(two)
        };
        catalog.set_plan(planned, "cli", at(0)).await.expect("planned");
        for word in ["db1", "DB1"] {
            assert_eq!(named(word).await, [two], "{word}");
        }
        assert_eq!(named("N2").await, [one]);
        for word in ["n", "db", "db1.example", "%", "d_1"] {
            assert_eq!(named(word).await, [], "{word}");
        }
        let planned = HostPlan {
            values: values(&json!({"hostname": "DB1.example.org"})),
            ..HostPlan::empty(two)
        };
        catalog.set_plan(planned, "cli", at(0)).await.expect("planned");
        assert_eq!(named("db1").await, [two]);

        // Once a person has decided about the profile, a rule does not.
        let mut plan = store.plan(one).await.expect("readable");
        plan.profile = None;
        catalog.set_plan(plan, "cli", at(0)).await.expect("taken away");
        let refused = writer
            .commit(vec![given(one, Some("web"), "n3")])
            .await
            .expect_err("decided");
        assert!(matches!(refused, StoreError::Overtaken));
        let kept = store.plan(one).await.expect("readable");
        assert_eq!((kept.profile, kept.profile_by), (None, Some(Giver::Person)));
        // A profile that is gone is not given.
        let gone = writer
            .commit(vec![given(two, Some("nowhere"), "n4")])
            .await
            .expect_err("gone");
        assert!(matches!(gone, StoreError::Overtaken), "{gone}");
    })
    .await;
}

#[tokio::test]
async fn hosts_that_reported_come_with_facts_and_plan() {
    for_each_database(|store| async move {
        let (silent, host) = (samples::host(1), samples::host(2));
        let facts = samples::facts("SN2", &[samples::mac(2)]);
        let saved = samples::saved(&host, facts.clone(), at(5));
        let writes = vec![
            samples::created(&silent),
            samples::created(&host),
            Write::Facts(Box::new(saved)),
            given(host.id, None, "n2"),
        ];
        store.writer().commit(writes).await.expect("made");
        let found = store.reported_hosts(None, 10).await.expect("readable");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].host.id, &found[0].facts), (host.id, &facts));
        assert_eq!(found[0].plan.given.len(), 1);
        assert!(
            store
                .reported_hosts(Some(host.id), 10)
                .await
                .expect("readable")
                .is_empty()
        );
    })
    .await;
}
