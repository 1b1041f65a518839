use muster::{
    boot::{BootId, BootToken},
    inventory::{Host, Key, KeyKind, Source, State, merge, new_id},
    search::parse,
    store::{EventQuery, FactsSaved, HostPage, HostQuery, HostSort, Store, StoreError, Write},
};

use super::{databases::for_each_database, samples::*};

fn everything() -> HostQuery {
    HostQuery {
        limit: 100,
        ..HostQuery::default()
    }
}

async fn find(store: &Store, text: &str) -> Vec<Host> {
    let query = HostQuery {
        search: Some(parse(text).expect("a search").at(at(0))),
        ..everything()
    };
    store.hosts(&query).await.expect("readable").hosts
}

#[tokio::test]
async fn a_host_comes_back_as_it_was_saved() {
    for_each_database(|store| async move {
        let mut host = host(1);
        host.name = Some("db-1".to_owned());
        host.address = Some("2001:db8::1".parse().expect("an address"));
        host.boot_verdict = Some("reported".to_owned());
        host.booted_at = Some(at(7));
        host.ambiguous_with = vec![super::samples::host(9).id];
        host.summary = merge::summary(&facts("7CX1A2B", &[mac(1)]));
        store
            .writer()
            .commit(vec![created_with(&host, &[mac(1), mac(2)])])
            .await
            .expect("committed");
        assert_eq!(store.host(host.id).await.expect("readable"), Some(host.clone()));
        let interfaces = store.interfaces(host.id).await.expect("readable");
        assert_eq!(
            interfaces.iter().map(|interface| interface.mac).collect::<Vec<_>>(),
            [mac(1), mac(2)]
        );
        assert_eq!(store.host(super::samples::host(3).id).await.expect("readable"), None);
    })
    .await;
}

#[tokio::test]
async fn an_interface_belongs_to_one_host() {
    for_each_database(|store| async move {
        let (first, second) = (host(1), host(2));
        let writer = store.writer();
        let enter = || vec![created_with(&first, &[mac(1)])];
        writer.commit(enter()).await.expect("committed");
        // The same server tells it again; another one made a host of its own.
        writer.commit(enter()).await.expect("the same host");
        let refused = writer.commit(vec![created_with(&second, &[mac(1)])]).await;
        assert!(
            matches!(refused, Err(StoreError::MacTaken(taken)) if taken == mac(1)),
            "{refused:?}"
        );
        assert_eq!(store.host(second.id).await.expect("readable"), None);
    })
    .await;
}

#[tokio::test]
async fn a_report_is_saved_as_a_whole() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let mut host = host(1);
        host.name = Some("web-1".to_owned());
        let report = facts("7CX1A2B", &[mac(1), mac(2)]);
        let mut first = saved(&host, report.clone(), at(10));
        first.changes = vec![moved(&host)];
        first.events = vec![event(Some(host.id), None, 5)];
        writer
            .commit(vec![
                created_with(&host, &[mac(1)]),
                Write::Facts(Box::new(first.clone())),
            ])
            .await
            .expect("committed");

        assert_eq!(store.host(host.id).await.expect("readable"), Some(first.host.clone()));
        assert_eq!(store.interfaces(host.id).await.expect("readable"), first.interfaces);
        assert_eq!(store.components(host.id).await.expect("readable"), first.components);
        assert_eq!(store.changes(host.id, None, 10).await.expect("readable"), first.changes);
        let told = store.facts(host.id).await.expect("readable");
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].source, told[0].at, &told[0].facts),
            (Source::Netboot, at(10), &report)
        );
        let query = EventQuery {
            host: Some(host.id),
            limit: 10,
            ..EventQuery::default()
        };
        assert_eq!(store.events(&query).await.expect("readable"), first.events);

        // The next report replaces the document and the keys, and keeps what is gone as absent.
        let next = facts("7CX1A2B", &[mac(2), mac(3)]);
        let second = FactsSaved {
            interfaces: merge::interfaces(host.id, &first.interfaces, &next, at(20)),
            components: merge::components(host.id, &first.components, &next),
            ..saved(&first.host, next.clone(), at(20))
        };
        writer
            .commit(vec![Write::Facts(Box::new(second))])
            .await
            .expect("committed");
        assert_eq!(store.facts(host.id).await.expect("readable")[0].facts, next);
        let present: Vec<bool> = store
            .interfaces(host.id)
            .await
            .expect("readable")
            .iter()
            .map(|interface| interface.present)
            .collect();
        assert_eq!(present, [false, true, true]);
        let known = store.load_view().await.expect("readable").hosts.remove(0);
        assert_eq!(known.interfaces, [mac(1), mac(2), mac(3)]);
        assert_eq!(
            known.keys,
            [
                Key {
                    kind: KeyKind::ProductSerial,
                    value: "dell inc./7cx1a2b".to_owned()
                },
                Key::mac(mac(2)).expect("a key"),
                Key::mac(mac(3)).expect("a key"),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn facts_leave_the_desired_name_alone() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let host = host(1);
        writer.commit(vec![created(&host)]).await.expect("committed");
        let named = Write::HostNamed {
            host: host.id,
            name: Some("Rack-7-Node-3".to_owned()),
            change: Box::new(change(host.id, "name", "Rack-7-Node-3")),
        };
        writer.commit(vec![named]).await.expect("committed");
        // The report was merged from a row read before the name was given.
        let mut report = saved(&host, facts("7CX1A2B", &[mac(1)]), at(10));
        report.changes = vec![moved(&host)];
        writer
            .commit(vec![Write::Facts(Box::new(report))])
            .await
            .expect("committed");
        let after = store.host(host.id).await.expect("readable").expect("the host");
        assert_eq!(after.name.as_deref(), Some("Rack-7-Node-3"));
        assert_eq!(after.state, State::Inventoried);
        assert_eq!(after.created_at, host.created_at);
    })
    .await;
}

#[tokio::test]
async fn a_stub_is_absorbed_with_all_that_belongs_to_it() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let (kept, mut stub) = (host(1), host(2));
        stub.name = Some("web9".to_owned());
        let boot = BootId(new_id(at(1)));
        let token = BootToken {
            hash: [7; 32],
            mac: mac(2),
            host: stub.id,
            boot,
            created_at: at(1),
            expires_at: at(1800),
        };
        writer
            .commit(vec![
                created_with(&kept, &[mac(1)]),
                created_with(&stub, &[mac(2)]),
                Write::Event(event(Some(stub.id), Some(boot), 2)),
                Write::BootToken(token.clone()),
            ])
            .await
            .expect("committed");
        let report = FactsSaved {
            absorbed: vec![stub.id],
            ..saved(&kept, facts("7CX1A2B", &[mac(1), mac(2)]), at(10))
        };
        writer
            .commit(vec![Write::Facts(Box::new(report))])
            .await
            .expect("committed");

        assert_eq!(store.host(stub.id).await.expect("readable"), None);
        assert_eq!(store.interfaces(kept.id).await.expect("readable").len(), 2);
        let boots = store.boots(kept.id, 10).await.expect("readable");
        assert_eq!(boots.len(), 1);
        assert_eq!((boots[0].id, boots[0].events), (boot, 1));
        let view = store.load_view().await.expect("readable");
        assert_eq!(view.tokens, [BootToken { host: kept.id, ..token }]);
        assert_eq!(view.hosts.len(), 1);
        assert_eq!(view.hosts[0].host.name, stub.name, "a name is not lost");
        assert_eq!(find(&store, "52:54:00:77:00:02").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_person_makes_one_host_of_two() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let (old, mut new) = (host(1), host(2));
        new.ambiguous_with = vec![old.id];
        let mut kept = old.clone();
        kept.ambiguous_with = vec![new.id];
        writer
            .commit(vec![
                Write::Facts(Box::new(saved(&kept, facts("OLD12345", &[mac(1)]), at(10)))),
                Write::Facts(Box::new(saved(&new, facts("NEW12345", &[mac(2)]), at(20)))),
            ])
            .await
            .expect("committed");
        let absorbed = Write::HostAbsorbed {
            from: new.id,
            into: old.id,
        };
        writer
            .commit(vec![absorbed.clone(), absorbed])
            .await
            .expect("twice is once");
        let view = store.load_view().await.expect("readable");
        assert_eq!(view.hosts.len(), 1);
        assert!(view.hosts[0].host.ambiguous_with.is_empty());
        assert_eq!(view.hosts[0].interfaces, [mac(1), mac(2)]);
        assert_eq!(view.hosts[0].keys.len(), 4, "{:?}", view.hosts[0].keys);
        let told = store.facts(old.id).await.expect("readable");
        assert_eq!(
            told[0].facts.system.serial.as_deref(),
            Some("NEW12345"),
            "the newer facts stay"
        );
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let mut hosts: Vec<Host> = (1..=5).map(host).collect();
        hosts[0].name = Some("alpha".to_owned());
        hosts[1].name = Some("beta".to_owned());
        hosts[2].state = State::Failed;
        hosts[3].boot_verdict = Some("pool_exhausted".to_owned());
        hosts[4].boot_verdict = Some("reported".to_owned());
        let macs: Vec<_> = (1..=5).map(mac).collect();
        let writes = hosts.iter().zip(&macs).map(|(host, mac)| created_with(host, &[*mac]));
        writer.commit(writes.collect()).await.expect("committed");
        let mut report = saved(&hosts[1], facts("50%_OFF", &[mac(2)]), at(2));
        report.changes = vec![moved(&hosts[1])];
        writer
            .commit(vec![Write::Facts(Box::new(report))])
            .await
            .expect("committed");

        let page = |query: HostQuery| {
            let store = &store;
            async move { store.hosts(&query).await.expect("readable") }
        };
        let ids = |page: &HostPage| page.hosts.iter().map(|host| host.id).collect::<Vec<_>>();
        let all = page(everything()).await;
        assert_eq!(all.total, 5);
        assert_eq!(ids(&all), hosts.iter().map(|host| host.id).collect::<Vec<_>>());
        let second = page(HostQuery {
            offset: 2,
            limit: 2,
            descending: true,
            ..everything()
        })
        .await;
        assert_eq!((ids(&second), second.total), (vec![hosts[2].id, hosts[1].id], 5));

        // Hosts without a name come last either way.
        let by_name = page(HostQuery {
            sort: HostSort::Name,
            ..everything()
        })
        .await;
        assert_eq!(ids(&by_name)[..2], [hosts[0].id, hosts[1].id]);
        let by_name = page(HostQuery {
            sort: HostSort::Name,
            descending: true,
            ..everything()
        })
        .await;
        assert_eq!(ids(&by_name)[..2], [hosts[1].id, hosts[0].id]);

        let trouble = page(HostQuery {
            trouble: true,
            ..everything()
        })
        .await;
        assert_eq!(ids(&trouble), [hosts[2].id, hosts[3].id]);
        let failed = page(HostQuery {
            state: Some(State::Failed),
            ..everything()
        })
        .await;
        assert_eq!(ids(&failed), [hosts[2].id]);
        let counts = store.host_counts().await.expect("readable");
        assert_eq!(
            counts.into_iter().collect::<Vec<_>>(),
            [(State::Discovered, 3), (State::Inventoried, 1), (State::Failed, 1)]
        );

        for (text, found) in [
            ("ALPHA", vec![0]),
            ("52-54-00-77-00-04", vec![3]),
            ("10.77.0.3", vec![2]),
            ("poweredge dell", vec![1]),
            ("poweredge hp", vec![]),
            ("50%_off", vec![1]),
            ("%", vec![1]),
            ("_", vec![1]),
            ("xeon(r) gold", vec![1]),
        ] {
            let found: Vec<_> = found.into_iter().map(|n: usize| hosts[n].id).collect();
            let got: Vec<_> = find(&store, text).await.iter().map(|host| host.id).collect();
            assert_eq!(got, found, "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn single_writes_change_one_thing() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let host = host(1);
        writer.commit(vec![created(&host)]).await.expect("committed");
        writer
            .commit(vec![
                Write::HostSeen {
                    host: host.id,
                    at: at(50),
                    address: Some("10.77.0.9".parse().expect("one")),
                },
                Write::HostSeen {
                    host: host.id,
                    at: at(60),
                    address: None,
                },
                Write::HostSeen {
                    host: host.id,
                    at: at(40),
                    address: Some("10.77.0.8".parse().expect("one")),
                },
                Write::BootVerdict {
                    host: host.id,
                    verdict: "stalled".to_owned(),
                    booted_at: at(30),
                },
                Write::HostState {
                    host: host.id,
                    state: State::Maintenance,
                    change: Box::new(change(host.id, "state", "maintenance")),
                },
                Write::HostAmbiguous {
                    host: host.id,
                    with: vec![super::samples::host(2).id],
                },
            ])
            .await
            .expect("committed");
        let after = store.host(host.id).await.expect("readable").expect("the host");
        assert_eq!(after.last_seen_at, at(60));
        assert_eq!(after.address, Some("10.77.0.9".parse().expect("one")));
        assert_eq!(after.boot_verdict.as_deref(), Some("stalled"));
        assert_eq!(after.booted_at, Some(at(30)));
        assert_eq!(after.state, State::Maintenance);
        assert_eq!(after.ambiguous_with.len(), 1);
        assert_eq!(
            store.changes(host.id, None, 10).await.expect("readable")[0].field,
            "state"
        );
        let resolved = Write::HostAmbiguous {
            host: host.id,
            with: Vec::new(),
        };
        writer.commit(vec![resolved]).await.expect("committed");
        let after = store.host(host.id).await.expect("readable").expect("the host");
        assert!(after.ambiguous_with.is_empty());
    })
    .await;
}
