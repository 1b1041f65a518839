use chrono::{DateTime, Utc};
use muster::{
    install::{InstallId, Outcome, Planned, Progress},
    inventory::{HostId, State, new_id},
    store::{Install, Store, StoreError, Write},
};
use sea_orm::{ConnectionTrait, Database};

use super::{
    databases::{for_each_database, on_postgres},
    samples::{at, change, created, host},
};

fn install(host: HostId, begun: DateTime<Utc>) -> Install {
    Install {
        id: InstallId(new_id(begun)),
        host,
        profile: "web".to_owned(),
        distro: "rocky9".to_owned(),
        started_by: "user:anna".to_owned(),
        created_at: begun,
        ended_at: None,
        outcome: Outcome::Open,
        failed_by: None,
        reason: None,
        progress: Progress::requested("user:anna", begun),
        once: true,
        agent: true,
        hashes: None,
        client: None,
        snapshot: None,
        planned: Planned::default(),
        differences: None,
    }
}

async fn commit(store: &Store, installs: &[&Install]) -> Result<(), StoreError> {
    let writes = installs
        .iter()
        .map(|install| Write::Install(Box::new((*install).clone())))
        .collect();
    store.writer().commit(writes).await
}

async fn kept(store: &Store, install: &Install) -> Install {
    store.install(install.id).await.expect("readable").expect("kept")
}

#[tokio::test]
async fn of_one_host_one_installation_runs_whichever_server_started_it() {
    for_each_database(|store| async move {
        let (one, two) = (host(1), host(2));
        let made = vec![created(&one), created(&two)];
        store.writer().commit(made).await.expect("made");
        let mut first = install(one.id, at(10));
        commit(&store, &[&first]).await.expect("none runs");
        commit(&store, &[&install(two.id, at(10))])
            .await
            .expect("another host's");
        // It may be written as often as it moves.
        first.progress.starts = 1;
        commit(&store, &[&first]).await.expect("the same one");

        let second = install(one.id, at(20));
        let writes = vec![
            Write::Install(Box::new(second.clone())),
            Write::HostState {
                host: one.id,
                state: State::Installing,
                change: Box::new(change(one.id, "state", "installing")),
            },
        ];
        let refused = store.writer().commit(writes).await.expect_err("one runs");
        assert!(
            matches!(refused, StoreError::InstallRuns(host) if host == one.id),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("running already"), "{refused}");
        // Nothing is left of it.
        assert_eq!(store.install(second.id).await.expect("readable"), None);
        let state = store.host(one.id).await.expect("readable").expect("there").state;
        assert_eq!(state, State::Discovered);

        first.outcome = Outcome::Failed;
        first.ended_at = Some(at(30));
        commit(&store, &[&first, &second]).await.expect("the first has ended");
        assert_eq!(store.open_installs().await.expect("readable").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn of_two_that_run_when_two_hosts_turn_out_to_be_one_the_one_of_the_host_that_stays_goes_on() {
    for_each_database(|store| async move {
        let (stub, stays) = (host(1), host(2));
        let made = vec![created(&stub), created(&stays)];
        store.writer().commit(made).await.expect("made");
        let (theirs, ours) = (install(stub.id, at(20)), install(stays.id, at(10)));
        let mut before = install(stub.id, at(5));
        before.outcome = Outcome::Failed;
        commit(&store, &[&before, &theirs, &ours]).await.expect("one each");
        let absorbed = Write::HostAbsorbed {
            from: stub.id,
            into: stays.id,
        };
        store.writer().commit(vec![absorbed]).await.expect("absorbed");
        let ended = kept(&store, &theirs).await;
        assert_eq!((ended.outcome, ended.host), (Outcome::Cancelled, stays.id));
        assert_eq!(ended.ended_at, Some(at(20)), "when it was heard of last");
        let why = ended.reason.expect("a reason");
        assert!(why.contains("another installation runs"), "{why}");
        assert_eq!(kept(&store, &ours).await.outcome, Outcome::Open);
        let old = kept(&store, &before).await;
        assert_eq!((old.outcome, old.host, old.reason), (Outcome::Failed, stays.id, None));
    })
    .await;
}

#[tokio::test]
async fn doubles_in_an_old_ledger_end_before_the_database_forbids_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let store = Store::open(&url).await.expect("opens");
    store.migrate().await.expect("migrates");
    doubles_end(store.clone(), url).await;
    store.close().await.expect("closes");
    on_postgres(doubles_end).await;
}

async fn doubles_end(store: Store, url: String) {
    // The ledger as it was before this change; what came after it is left, as what writes needs it.
    let old = Database::connect(&url).await.expect("opens");
    for undone in [
        "DROP INDEX idx_install_open_host",
        "DELETE FROM seaql_migrations WHERE version = 'm20261125_000006_one_install_at_a_time'",
    ] {
        old.execute_unprepared(undone).await.expect("goes back");
    }
    let (doubled, single) = (host(1), host(2));
    let made = vec![created(&doubled), created(&single)];
    store.writer().commit(made).await.expect("made");
    let mut installs: Vec<Install> = [10, 20, 30]
        .map(|seconds| install(doubled.id, at(seconds)))
        .into_iter()
        .collect();
    installs[0].progress.heard_at = at(60);
    let alone = install(single.id, at(5));
    let all: Vec<&Install> = installs.iter().chain([&alone]).collect();
    commit(&store, &all).await.expect("an old ledger takes them");

    let applied = store.migrate().await.expect("migrates");
    assert_eq!(applied, ["m20261125_000006_one_install_at_a_time"]);
    for (double, ended_at) in [(&installs[0], at(60)), (&installs[1], at(20))] {
        let ended = kept(&store, double).await;
        assert_eq!((ended.outcome, ended.ended_at), (Outcome::Cancelled, Some(ended_at)));
        let why = ended.reason.expect("a reason");
        assert!(why.contains("a newer installation of this host"), "{why}");
    }
    assert_eq!(kept(&store, &installs[2]).await, installs[2], "the newest stays");
    assert_eq!(kept(&store, &alone).await, alone);
    let refused = commit(&store, &[&installs[1]]).await.expect_err("one runs");
    assert!(matches!(refused, StoreError::InstallRuns(_)), "{refused:?}");
    old.close().await.expect("closes");
}
