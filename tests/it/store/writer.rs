use std::time::Duration;

use muster::store::{EventQuery, LeaseQuery, Store, StoreError, StoreOptions, Write};

use super::{databases::for_each_database, samples::*};

#[tokio::test]
async fn one_that_fails_does_not_harm_its_neighbours() {
    for_each_database(|store| async move {
        let writer = store.writer();
        writer
            .commit(vec![Write::Lease(lease(100, mac(1), 0, 3600))])
            .await
            .expect("free");
        // Handed in together, so one group: the second and the fourth want what is taken.
        let attempts = (0..5_u8).map(|n| {
            let address = if n % 2 == 1 { 100 } else { 110 + n };
            let client = mac(u16::from(n) + 10);
            let host = host(u16::from(n) + 10);
            let writer = writer.clone();
            async move {
                let writes = vec![
                    created_with(&host, &[client]),
                    Write::Lease(lease(address, client, 10, 3600)),
                    Write::Event(event(Some(host.id), None, 10 + u16::from(n))),
                ];
                (host.id, writer.commit(writes).await)
            }
        });
        let answers = futures_util::future::join_all(attempts).await;
        for (n, (host, answer)) in answers.iter().enumerate() {
            let query = EventQuery {
                host: Some(*host),
                limit: 10,
                ..EventQuery::default()
            };
            let events = store.events(&query).await.expect("readable").len();
            let entered = store.host(*host).await.expect("readable").is_some();
            if n % 2 == 1 {
                assert!(matches!(answer, Err(StoreError::AddressTaken(_))), "{n}: {answer:?}");
                assert_eq!((events, entered), (0, false), "nothing of {n} is left");
            } else {
                assert!(answer.is_ok(), "{n}: {answer:?}");
                assert_eq!((events, entered), (1, true), "all of {n} is there");
            }
        }
        let query = LeaseQuery {
            limit: 100,
            ..LeaseQuery::default()
        };
        assert_eq!(store.leases(&query).await.expect("readable").total, 4);
    })
    .await;
}

#[tokio::test]
async fn an_answer_comes_after_the_commit() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let commits = (1..=40_u8).map(|n| {
            let (writer, store) = (writer.clone(), &store);
            async move {
                let taken = lease(n, mac(n.into()), 0, 60);
                writer.commit(vec![Write::Lease(taken.clone())]).await.expect("free");
                // Read over another connection (where there is one): only what is committed is seen.
                let query = LeaseQuery {
                    mac: Some(mac(n.into())),
                    limit: 1,
                    ..LeaseQuery::default()
                };
                assert_eq!(store.leases(&query).await.expect("readable").leases, [taken]);
            }
        });
        futures_util::future::join_all(commits).await;
    })
    .await;
}

#[tokio::test]
async fn posts_are_written_before_a_later_commit_answers() {
    for_each_database(|store| async move {
        let host = host(1);
        for n in 0..700 {
            store.writer().post(vec![Write::Event(event(Some(host.id), None, n))]);
        }
        store.drain().await.expect("drained");
        let query = EventQuery {
            host: Some(host.id),
            limit: 1000,
            ..EventQuery::default()
        };
        assert_eq!(store.events(&query).await.expect("readable").len(), 700);
        assert_eq!(store.writer().lost(), 0);
    })
    .await;
}

#[tokio::test]
async fn many_commits_share_a_transaction() {
    // A group is closed by its size here, never by time: 64 commits of one write are done although the writer would
    // wait an hour for a 65th, and the 65th alone is not.
    let options = StoreOptions {
        group: 64,
        linger: Duration::from_secs(3600),
        ..StoreOptions::default()
    };
    let store = Store::open_with("sqlite::memory:", options).await.expect("opens");
    store.migrate().await.expect("migrates");
    let commit = |n: u16| {
        let writer = store.writer();
        async move { writer.commit(vec![Write::Event(event(None, None, n))]).await }
    };
    let answers = futures_util::future::join_all((0..64).map(commit)).await;
    assert!(answers.iter().all(Result::is_ok));
    let mut alone = std::pin::pin!(commit(65));
    let waiting = tokio::time::timeout(Duration::from_millis(20), &mut alone).await;
    assert!(waiting.is_err(), "a lone commit waits for its group");
}

#[tokio::test]
async fn what_does_not_fit_is_lost_and_counted() {
    // One thread: the writer does not run before this test awaits.
    let options = StoreOptions {
        queue: 10,
        ..StoreOptions::default()
    };
    let store = Store::open_with("sqlite::memory:", options).await.expect("opens");
    store.migrate().await.expect("migrates");
    let writer = store.writer();
    for n in 0..25 {
        writer.post(vec![
            Write::Event(event(None, None, n)),
            Write::Event(event(None, None, n)),
        ]);
    }
    assert_eq!(writer.lost(), 30);
    store.drain().await.expect("drained");
    let query = EventQuery {
        limit: 100,
        ..EventQuery::default()
    };
    assert_eq!(store.events(&query).await.expect("readable").len(), 20);
}

#[tokio::test]
async fn a_post_the_database_refuses_is_counted_as_lost() {
    for_each_database(|store| async move {
        let writer = store.writer();
        writer
            .commit(vec![created_with(&host(1), &[mac(1)])])
            .await
            .expect("committed");
        writer.post(vec![created_with(&host(2), &[mac(1)])]);
        store.drain().await.expect("drained");
        assert_eq!(writer.lost(), 1);
    })
    .await;
}

#[tokio::test]
async fn after_closing_nothing_is_written() {
    let store = Store::open("sqlite::memory:").await.expect("opens");
    store.migrate().await.expect("migrates");
    store.close().await.expect("closes");
    let refused = store.writer().commit(vec![created(&host(1))]).await;
    assert!(refused.is_err());
}
