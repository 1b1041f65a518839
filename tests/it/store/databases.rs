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
    let store = migrated(&format!("{server}/{name}")).await;
    test(store.clone()).await;
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
