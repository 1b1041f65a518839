//! What installed machines measure, on each database.

use muster::{
    inventory::{Health, State},
    metrics::{Block, Kind, SeriesName, Step},
    search::parse,
    store::{AgentCredential, AgentHeard, HostQuery, KeptBlock, MetricsLaid, Services, StoreError, Write},
};

use super::{databases::for_each_database, samples::*};

const HASH: [u8; 32] = [7; 32];
const START: i64 = 1_800_003_600;

fn name() -> SeriesName {
    SeriesName::only(Kind::Load1)
}

fn packed(at: i64) -> (i64, Vec<u8>) {
    (at, Block::sample(at, [(name(), at as f32)]).pack().unwrap())
}

fn heard(host: muster::inventory::HostId, seconds: i64, number: u64, times: &[i64]) -> Write {
    Write::AgentHeard(Box::new(AgentHeard {
        host,
        at: at(seconds),
        address: [10, 77, 0, 9].into(),
        acknowledged: (number > 0).then_some((HASH, number)),
        samples: times.iter().map(|at| packed(*at)).collect(),
        services: Some(Services {
            failed_units: None,
            listening: vec![("udp".into(), "::".into(), 53)],
        }),
    }))
}

#[tokio::test]
async fn signs_of_life_and_samples_are_kept_together() {
    for_each_database(|store| async move {
        let mut machine = host(1);
        machine.state = State::Active;
        let credential = AgentCredential {
            hash: HASH,
            host: machine.id,
            created_at: at(0),
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
            acknowledged: 0,
        };
        let writer = store.writer();
        writer
            .commit(vec![created(&machine), Write::AgentEnrolled(credential)])
            .await
            .unwrap();
        // Twice in one group, and once more: at each time there is one.
        writer
            .commit(vec![
                heard(machine.id, 60, 2, &[START, START + 60]),
                heard(machine.id, 120, 3, &[START + 60, START + 120]),
            ])
            .await
            .unwrap();
        writer.commit(vec![heard(machine.id, 30, 1, &[START])]).await.unwrap();
        let kept = store.metric_tail(machine.id, 0, i64::MAX).await.unwrap();
        assert_eq!(kept.times(), [START, START + 60, START + 120]);
        assert_eq!(kept.lines[&name()][1].avg, (START + 60) as f32);
        let row = store.host(machine.id).await.unwrap().unwrap();
        assert_eq!((row.heard_at, row.last_seen_at), (Some(at(120)), at(120)));
        let credential = store.agent_credential(&HASH).await.unwrap().unwrap();
        assert_eq!(credential.acknowledged, 3);
        // What another server took is not taken again, at whatever time, nor what comes after the credential's end.
        writer
            .commit(vec![heard(machine.id, 150, 3, &[START + 121])])
            .await
            .unwrap();
        let here = parse("ip:10.77.0.9").unwrap().at(at(150));
        let query = HostQuery {
            search: Some(here),
            limit: 1,
            ..HostQuery::default()
        };
        let found = store.hosts(&query).await.unwrap();
        assert_eq!(
            found.hosts[0].heard_at,
            Some(at(120)),
            "found by the address it was heard from"
        );
        let kept = store.metric_tail(machine.id, 0, i64::MAX).await.unwrap();
        assert_eq!(kept.times(), [START, START + 60, START + 120]);
        let (_, services) = store.services(machine.id).await.unwrap().unwrap();
        assert_eq!((services.failed_units, services.listening.len()), (None, 1));

        let late = store
            .hosts(&HostQuery {
                health: Some((Health::Late, at(120 + 200))),
                limit: 10,
                ..HostQuery::default()
            })
            .await
            .unwrap();
        assert_eq!(late.total, 1);
        assert_eq!(store.health_counts(at(120)).await.unwrap()[&Health::Ok], 1);
        // A report of facts leaves the sign of life alone.
        let report = facts("S1", &[mac(1)]);
        writer
            .commit(vec![Write::Facts(Box::new(saved(&machine, report, at(200))))])
            .await
            .unwrap();
        assert_eq!(store.host(machine.id).await.unwrap().unwrap().heard_at, Some(at(120)));
        store.revoke_agents(machine.id, "user:anna", at(300)).await.unwrap();
        assert_eq!(store.host(machine.id).await.unwrap().unwrap().heard_at, None);
    })
    .await;
}

#[tokio::test]
async fn blocks_take_the_place_of_the_tail_and_only_of_what_was_read() {
    for_each_database(|store| async move {
        let machine = host(1);
        let writer = store.writer();
        writer
            .commit(vec![created(&machine), heard(machine.id, 60, 0, &[START, START + 60])])
            .await
            .unwrap();
        assert_eq!(store.hosts_with_tail(START).await.unwrap(), []);
        assert_eq!(store.hosts_with_tail(START + 1).await.unwrap(), [machine.id]);
        let laid = |version, times: &[i64]| {
            let block = KeptBlock {
                step: Step::Raw,
                start: START,
                version,
                data: packed(START).1,
            };
            Write::MetricsLaid(Box::new(MetricsLaid {
                host: machine.id,
                blocks: vec![block],
                times: times.to_vec(),
            }))
        };
        writer.commit(vec![laid(0, &[START])]).await.unwrap();
        // Another server lays the same: nothing of it happens.
        for version in [0, 2] {
            let refused = writer.commit(vec![laid(version, &[START + 60])]).await;
            assert!(matches!(refused, Err(StoreError::Overtaken)), "{refused:?}");
        }
        assert_eq!(
            store.metric_tail(machine.id, 0, i64::MAX).await.unwrap().times(),
            [START + 60]
        );
        writer.commit(vec![laid(1, &[START + 60])]).await.unwrap();
        let kept = store.metric_blocks(machine.id, Step::Raw, 0, i64::MAX).await.unwrap();
        assert_eq!((kept.len(), kept[0].version), (1, 2));
        assert!(store.metric_tail(machine.id, 0, i64::MAX).await.unwrap().is_empty());

        let day = 86_400;
        assert_eq!(store.trim_metrics(START + 2 * day).await.unwrap(), 0);
        assert_eq!(store.trim_metrics(START + 3 * day).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_fleet_is_read_in_the_order_of_hosts_and_kept_by_step() {
    for_each_database(|store| async move {
        let machines: Vec<_> = (1..4).map(host).collect();
        let mut writes: Vec<Write> = machines.iter().map(created).collect();
        writes.extend(machines.iter().map(|host| heard(host.id, 60, 0, &[START, START + 60])));
        store.writer().commit(writes).await.unwrap();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let some = store.metric_tails((START, START + 300), after, 3).await.unwrap();
            let Some((last, _)) = some.last() else { break };
            after = Some(*last);
            seen.extend(some.into_iter().map(|(host, block)| (host, block.times().len())));
        }
        let mut all: Vec<_> = machines.iter().map(|host| (host.id, 2)).collect();
        all.sort();
        assert_eq!(seen, all);
        for value in [1.0, 2.0] {
            let block = Block::sample(START, [(SeriesName::only(Kind::HostsReporting), value)]);
            let write = Write::FleetMetrics {
                step: Step::Five,
                block,
            };
            store.writer().commit(vec![write]).await.unwrap();
        }
        let kept = store.fleet_metrics(Step::Five, 0, i64::MAX).await.unwrap();
        assert_eq!(kept.last(&SeriesName::only(Kind::HostsReporting)).unwrap().avg, 2.0);
        assert_eq!(store.last_fleet_metric(Step::Five).await.unwrap(), Some(START));
        assert_eq!(store.last_fleet_metric(Step::Hour).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_host_that_turns_out_to_be_another_brings_what_it_measured() {
    for_each_database(|store| async move {
        let (ends, stays) = (host(1), host(2));
        let writes = vec![created(&ends), created(&stays), heard(ends.id, 60, 0, &[START])];
        store.writer().commit(writes).await.unwrap();
        let absorbed = Write::HostAbsorbed {
            from: ends.id,
            into: stays.id,
        };
        store.writer().commit(vec![absorbed]).await.unwrap();
        assert_eq!(store.metric_tail(stays.id, 0, i64::MAX).await.unwrap().times(), [START]);
        assert_eq!(store.host(stays.id).await.unwrap().unwrap().heard_at, Some(at(60)));
    })
    .await;
}
