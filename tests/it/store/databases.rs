use std::future::Future;

use muster::store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

/// Runs a test on each database at hand: SQLite in memory and in a file, and PostgreSQL when `MUSTER_TEST_POSTGRES`
/// is the URL of a server where databases may be created. Each run has a fresh, migrated database of its own.
pub(crate) async fn for_each_database<Test, Done>(test: Test)
where
    Test: Fn(Store) -> Done,
    Done: Future<Output = ()>,
{
    test(migrated("sqlite::memory:").await).await;

    let folder = tempfile::tempdir().expect("a folder");
    let store = migrated(&format!("sqlite://{}", folder.path().join("muster.db").display())).await;
    test(store.clone()).await;
    store.close().await.expect("the file closes");

    on_postgres(|store, _| test(store)).await;
}

/// Runs a test on PostgreSQL alone, with the URL of its database; does nothing when `MUSTER_TEST_POSTGRES` is not set.
pub(crate) async fn on_postgres<Test, Done>(test: Test)
where
    Test: Fn(Store, String) -> Done,
    Done: Future<Output = ()>,
{
    let Ok(server) = std::env::var("MUSTER_TEST_POSTGRES") else {
        return;
    };
    let server = server
        .strip_suffix("/postgres")
        .unwrap_or(&server)
        .trim_end_matches('/');
    let name = format!("muster_test_{}", Uuid::now_v7().simple());
    let keeper = Database::connect(format!("{server}/postgres"))
        .await
        .expect("the server");
    keeper
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .expect("a database");
    let url = format!("{server}/{name}");
    let store = migrated(&url).await;
    test(store.clone(), url).await;
    store.close().await.expect("the connections close");
    keeper
        .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await
        .expect("dropped");
}

async fn migrated(url: &str) -> Store {
    let options = StoreOptions {
        connections: 3,
        ..StoreOptions::default()
    };
    let store = Store::open_with(url, options).await.expect("the database opens");
    let applied = store.migrate().await.expect("the schema is made");
    assert!(!applied.is_empty());
    store
}
