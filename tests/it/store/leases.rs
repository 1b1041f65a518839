use std::net::Ipv4Addr;

use muster::{
    ipam::{AddressRange, Lease, LeaseState},
    store::{LeaseQuery, StoreError, Write},
};

use super::{databases::for_each_database, samples::*};

fn everything() -> LeaseQuery {
    LeaseQuery {
        limit: 100,
        ..LeaseQuery::default()
    }
}

#[tokio::test]
async fn an_address_is_one_clients_until_its_lease_ends() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let take = |lease: Lease| {
            let writer = writer.clone();
            async move { writer.commit(vec![Write::Lease(lease)]).await }
        };
        take(lease(100, mac(1), 0, 3600)).await.expect("free");
        take(lease(100, mac(1), 0, 7200)).await.expect("renewed");
        let refused = take(lease(100, mac(2), 3600, 9000)).await;
        assert!(
            matches!(refused, Err(StoreError::AddressTaken(address)) if address == Ipv4Addr::new(10, 77, 0, 100)),
            "{refused:?}"
        );
        take(lease(100, mac(2), 7200, 9000)).await.expect("ended");

        let released = Lease {
            state: LeaseState::Released,
            ..lease(100, mac(2), 7200, 9000)
        };
        take(released).await.expect("given back");
        take(lease(100, mac(3), 7300, 9000)).await.expect("free again");

        let declined = Lease {
            state: LeaseState::Declined,
            ..lease(100, mac(3), 7300, 9000)
        };
        take(declined).await.expect("found in use");
        let refused = take(lease(100, mac(4), 7400, 9000)).await;
        assert!(matches!(refused, Err(StoreError::AddressTaken(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn one_address_twice_in_one_group_is_judged_in_order() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let twice = vec![
            Write::Lease(lease(100, mac(1), 0, 3600)),
            Write::Lease(lease(100, mac(1), 0, 4000)),
            Write::Lease(lease(101, mac(2), 0, 3600)),
        ];
        writer.commit(twice).await.expect("renewed at once");
        let all = store.leases(&everything()).await.expect("readable");
        assert_eq!(all.leases[0].ends_at, at(4000));
        let two_clients = vec![
            Write::Lease(lease(102, mac(1), 0, 3600)),
            Write::Lease(lease(102, mac(2), 0, 3600)),
        ];
        let refused = writer.commit(two_clients).await;
        assert!(matches!(refused, Err(StoreError::AddressTaken(_))), "{refused:?}");
        assert_eq!(store.leases(&everything()).await.expect("readable").total, 2);
    })
    .await;
}

#[tokio::test]
async fn leases_are_listed_by_address() {
    for_each_database(|store| async move {
        let leases: Vec<Lease> = [9, 100, 20].map(|last| lease(last, mac(last.into()), 0, 60)).into();
        store
            .writer()
            .commit(leases.iter().cloned().map(Write::Lease).collect())
            .await
            .expect("committed");
        let all = store.leases(&everything()).await.expect("readable");
        assert_eq!(all.leases, [leases[0].clone(), leases[2].clone(), leases[1].clone()]);
        assert_eq!(store.load_view().await.expect("readable").leases, all.leases);
        for (query, found) in [
            (
                LeaseQuery {
                    range: Some(AddressRange {
                        first: Ipv4Addr::new(10, 77, 0, 10),
                        last: Ipv4Addr::new(10, 77, 0, 100),
                    }),
                    ..everything()
                },
                vec![2, 1],
            ),
            (
                LeaseQuery {
                    mac: Some(mac(9)),
                    ..everything()
                },
                vec![0],
            ),
            (
                LeaseQuery {
                    text: Some("77:00:64".to_owned()),
                    ..everything()
                },
                vec![1],
            ),
            (
                LeaseQuery {
                    text: Some("0.20".to_owned()),
                    ..everything()
                },
                vec![2],
            ),
        ] {
            let page = store.leases(&query).await.expect("readable");
            let found: Vec<_> = found.into_iter().map(|n: usize| leases[n].clone()).collect();
            assert_eq!(page.leases, found, "{query:?}");
            assert_eq!(page.total, found.len() as u64);
        }
    })
    .await;
}
