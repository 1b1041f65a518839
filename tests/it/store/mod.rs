//! The ledger on disk, the same on SQLite and PostgreSQL.

pub(crate) mod databases;
mod desired;
mod hosts;
mod installs;
mod leases;
mod measure;
mod measure_agents;
mod metrics;
mod people;
mod plans;
mod rules;
pub(crate) mod samples;
mod transcripts;
mod writer;

use databases::for_each_database;
use muster::store::Store;

#[tokio::test]
async fn the_schema_is_applied_once_and_told() {
    for_each_database(|store: Store| async move {
        // The harness has migrated already.
        assert!(store.pending_migrations().await.expect("readable").is_empty());
        assert!(store.migrate().await.expect("nothing to do").is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_empty_database_says_what_it_lacks() {
    let store = Store::open("sqlite::memory:").await.expect("opens");
    let pending = store.pending_migrations().await.expect("readable");
    assert_eq!(
        pending,
        [
            "m20261123_000001_ledger",
            "m20261124_000002_profiles",
            "m20261124_000003_installs",
            "m20261124_000004_rules",
            "m20261124_000005_agents",
            "m20261125_000006_one_install_at_a_time",
            "m20261125_000007_search",
            "m20261125_000008_metrics"
        ]
    );
    assert_eq!(store.migrate().await.expect("applies"), pending);
}

#[tokio::test]
async fn other_databases_are_refused_without_showing_the_password() {
    let refused = Store::open("mysql://muster:secret@db/muster")
        .await
        .expect_err("not known");
    assert_eq!(
        refused.to_string(),
        "database url `mysql` is not understood; write sqlite:///path/muster.db or postgres://user@server/name"
    );
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_file_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("muster.db").display());
    let host = samples::host(1);
    let store = Store::open(&url).await.expect("opens");
    store.migrate().await.expect("migrates");
    store
        .writer()
        .commit(vec![samples::created(&host)])
        .await
        .expect("committed");
    store.close().await.expect("closes");

    let again = Store::open(&url).await.expect("opens again");
    assert_eq!(again.host(host.id).await.expect("readable"), Some(host));
}
