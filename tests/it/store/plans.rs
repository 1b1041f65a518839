//! What is wanted of a host is changed while others touch the same host: who came too late is told.

use std::time::Duration;

use muster::{
    desired::{Distro, Family, HostPlan, Parent, Profile, Tree, Values},
    inventory::{Change, Host, State},
    provision::Catalog,
    store::{AuditEntry, ObjectWrite, Store, StoreError, Write},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use serde_json::json;

use super::{
    databases::{for_each_database, on_postgres},
    samples::{at, change, created, facts, host, mac, moved, saved},
};

fn entry() -> AuditEntry {
    AuditEntry {
        id: uuid::Uuid::now_v7(),
        at: at(0),
        actor: "cli".to_owned(),
        action: "host.plan".to_owned(),
        target: None,
        detail: None,
    }
}

async fn write(store: &Store, write: ObjectWrite) -> Result<(), StoreError> {
    let revision = store.desired_revision().await.expect("readable");
    store.write_desired(revision, &write, &entry()).await
}

async fn profiles(store: &Store) {
    let catalog = Catalog::new(store.clone(), &[]);
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
    for name in ["web", "db"] {
        let profile = Profile {
            name: name.into(),
            parent: Parent::Distro("rocky9".into()),
            values: Values::default(),
        };
        catalog.add_profile(profile, "cli", at(0)).await.expect("made");
    }
}

fn plan(host: &Host, profile: Option<&str>) -> HostPlan {
    HostPlan {
        profile: profile.map(str::to_owned),
        ..HostPlan::empty(host.id)
    }
}

fn state(host: &Host, state: State) -> Write {
    Write::HostState {
        host: host.id,
        state,
        change: Box::new(change(host.id, "state", state.as_str())),
    }
}

/// A host with profile `web`.
async fn planned(store: &Store) -> Host {
    profiles(store).await;
    let host = host(1);
    store.writer().commit(vec![created(&host)]).await.expect("made");
    let first = ObjectWrite::Plan(plan(&host, Some("web")), None);
    write(store, first).await.expect("planned");
    host
}

#[tokio::test]
async fn while_a_host_is_installed_its_profile_stays_and_its_values_may_change() {
    for_each_database(|store| async move {
        let host = planned(&store).await;
        // The installation began after the plan was judged.
        let began = vec![state(&host, State::Installing)];
        store.writer().commit(began).await.expect("began");
        for late in [
            ObjectWrite::Plan(plan(&host, Some("db")), None),
            ObjectWrite::Plan(plan(&host, None), None),
            ObjectWrite::RemovePlan(host.id, None),
        ] {
            let refused = write(&store, late.clone()).await.expect_err("too late");
            assert!(matches!(refused, StoreError::Overtaken), "{late:?}: {refused:?}");
        }
        let kept = store.plan(host.id).await.expect("readable");
        assert_eq!(kept.profile.as_deref(), Some("web"));
        let values = Values::check(json!({"timezone": "UTC"}).as_object().cloned().expect("one")).expect("well-formed");
        let mut same = plan(&host, Some("web"));
        same.values = values.clone();
        write(&store, ObjectWrite::Plan(same, None)).await.expect("its profile");
        assert_eq!(store.plan(host.id).await.expect("readable").values, values);

        let ended = vec![state(&host, State::Failed)];
        store.writer().commit(ended).await.expect("ended");
        let late = ObjectWrite::Plan(plan(&host, Some("db")), None);
        write(&store, late).await.expect("it has ended");
    })
    .await;
}

#[tokio::test]
async fn a_plan_waits_for_an_installation_that_begins_in_another_transaction() {
    Box::pin(on_postgres(|store, url| async move {
        let host = planned(&store).await;
        let other = Database::connect(&url).await.expect("the server");
        let begins = other.begin().await.expect("a transaction");
        begins
            .execute_raw(Statement::from_sql_and_values(
                DbBackend::Postgres,
                "UPDATE host SET state = 'installing' WHERE id = $1",
                [host.id.0.into()],
            ))
            .await
            .expect("moved");
        let late = ObjectWrite::Plan(plan(&host, Some("db")), None);
        let mut late = std::pin::pin!(write(&store, late));
        tokio::select! {
            done = late.as_mut() => panic!("it did not wait: {done:?}"),
            () = somebody_waits(&url) => {}
        }
        begins.commit().await.expect("committed");
        let refused = late.await.expect_err("the installation has begun");
        assert!(matches!(refused, StoreError::Overtaken), "{refused:?}");
        let kept = store.plan(host.id).await.expect("readable");
        assert_eq!(kept.profile.as_deref(), Some("web"));
        other.close().await.expect("closes");
    }))
    .await;
}

/// Returns when a transaction of this database waits for another one.
async fn somebody_waits(url: &str) {
    let looks = Database::connect(url).await.expect("the server");
    let found = async { while !waits(&looks).await {} };
    tokio::time::timeout(Duration::from_secs(60), found)
        .await
        .expect("somebody waits");
    looks.close().await.expect("closes");
}

async fn waits(looks: &DatabaseConnection) -> bool {
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let found = looks.query_one_raw(Statement::from_string(DbBackend::Postgres, waiting));
    found.await.expect("readable").is_some()
}

#[tokio::test]
async fn a_host_that_was_heard_of_meanwhile_is_not_forgotten() {
    for_each_database(|store| async move {
        let hosts: Vec<Host> = (1..=4).map(host).collect();
        store
            .writer()
            .commit(hosts.iter().map(created).collect())
            .await
            .expect("made");
        let heard = vec![
            Write::Facts(Box::new(saved(&hosts[0], facts("7CX1A2B", &[mac(1)]), at(10)))),
            Write::BootVerdict {
                host: hosts[1].id,
                verdict: "stalled".to_owned(),
                booted_at: at(10),
            },
            state(&hosts[2], State::Installing),
        ];
        store.writer().commit(heard).await.expect("heard");
        for host in &hosts[..3] {
            let refused = write(&store, ObjectWrite::HostForgotten(host.id))
                .await
                .expect_err("it is there");
            assert!(matches!(refused, StoreError::Overtaken), "{refused:?}");
            assert!(store.host(host.id).await.expect("readable").is_some());
        }
        let unheard = &hosts[3];
        write(&store, ObjectWrite::HostForgotten(unheard.id))
            .await
            .expect("nobody heard of it");
        assert_eq!(store.host(unheard.id).await.expect("readable"), None);
        let again = write(&store, ObjectWrite::HostForgotten(unheard.id)).await;
        assert!(matches!(again, Err(StoreError::Overtaken)), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn a_report_moves_a_host_only_from_where_it_found_it() {
    for_each_database(|store| async move {
        let host = host(1);
        let before = vec![created(&host), state(&host, State::Assigned)];
        let verdict = Write::BootVerdict {
            host: host.id,
            verdict: "stalled".to_owned(),
            booted_at: at(5),
        };
        store.writer().commit(before).await.expect("made");
        store.writer().commit(vec![verdict]).await.expect("told");
        // It was judged when the host was new: a person was quicker.
        let mut report = saved(&host, facts("7CX1A2B", &[mac(1)]), at(10));
        let product = Change {
            after: Some("PowerEdge R640".to_owned()),
            ..change(host.id, "system.product", "")
        };
        report.changes = vec![moved(&host), product.clone()];
        let report = vec![Write::Facts(Box::new(report))];
        store.writer().commit(report).await.expect("committed");
        let kept = store.host(host.id).await.expect("readable").expect("there");
        assert_eq!(kept.state, State::Assigned);
        assert_eq!(
            (kept.boot_verdict.as_deref(), kept.booted_at, kept.reported_at),
            (Some("stalled"), Some(at(5)), Some(at(10)))
        );
        // What did not happen is no history; the rest of the report is.
        let history = store.changes(host.id, None, 10).await.expect("readable");
        let fields: Vec<_> = history.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields.len(), 2, "{fields:?}");
        assert!(history.contains(&product));
        let states = history.iter().filter(|change| change.field == "state");
        assert_eq!(
            states.map(|change| change.after.as_deref()).collect::<Vec<_>>(),
            [Some("assigned")]
        );
    })
    .await;
}
