//! How long searches of a large ledger take. Not a test of right and wrong: run it by name with
//! `cargo test --release --test it measure_searches -- --ignored --nocapture`; with `MUSTER_TEST_POSTGRES` on PostgreSQL too.

use std::time::{Duration, Instant};

use muster::{
    desired::HostPlan,
    provision::Catalog,
    search::parse,
    store::{HostQuery, Store, Write},
};
use muster_facts::MacAddr;
use serde_json::json;

use super::{plans, values};
use crate::store::{
    databases::for_each_database,
    samples::{at, created_with, facts, host, saved},
};

const HOSTS: u32 = 100_000;

const SEARCHES: [&str; 15] = [
    "",
    "poweredge 00:77:01",
    "vendor:dell mem>=256 role:web state:active",
    "serial:s-004711",
    "serial:s-0047*",
    "name:node-04711",
    "mac:52:54:00:01:12:67",
    "ip:10.77.0.0/24",
    "tag:canary",
    "role:web",
    "-tag:canary profile:base",
    "site:gz2 mem>=256",
    "os:debian or has:gpu",
    "part:d-s-004711",
    "seen<1h cores>=32",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn measure_searches() {
    for_each_database(|store| async move {
        let catalog = Catalog::new(store.clone(), &[]);
        plans(&store, &catalog).await;
        let started = Instant::now();
        fill(&store).await;
        println!("{HOSTS} hosts entered in {:?}", started.elapsed());
        for text in SEARCHES {
            let query = HostQuery {
                search: Some(parse(text).expect("read").at(at(3600))),
                limit: 50,
                descending: true,
                ..HostQuery::default()
            };
            let mut times: Vec<Duration> = Vec::new();
            let mut total = 0;
            for _ in 0..5 {
                let started = Instant::now();
                total = store.hosts(&query).await.expect("readable").total;
                times.push(started.elapsed());
            }
            times.sort_unstable();
            println!(
                "{:>9.1?} median, {:>9.1?} worst, finds {total:>6}: {text}",
                times[2], times[4]
            );
        }
    })
    .await;
}

async fn fill(store: &Store) {
    let numbers: Vec<u32> = (0..HOSTS).collect();
    for chunk in numbers.chunks(500) {
        let mut writes = Vec::new();
        for n in chunk {
            let [_, a, b, c] = n.to_be_bytes();
            let mac = MacAddr([0x52, 0x54, 0, a, b, c]);
            let mut host = host(1);
            host.name = Some(format!("node-{n:05}"));
            host.address = Some([10, 77 + a, b, c].into());
            let mut report = facts(&format!("S-{n:06}"), &[mac]);
            report.memory.total_bytes = (64 << (n % 4)) << 30;
            report.cpu.cores = 16 << (n % 3);
            let mut made = host.clone();
            made.name.clone_from(&host.name);
            writes.push(created_with(&made, &[mac]));
            writes.push(Write::Facts(Box::new(saved(&host, report, at(60)))));
            let profile = ["base", "web", "db"]
                .get((n % 4) as usize)
                .map(|name| (*name).to_owned());
            let own = match n % 10 {
                0 => json!({"tags": ["canary"]}),
                1 => json!({"vars": {"role": "web"}, "place": "gz2/r09/u4"}),
                _ => json!({}),
            };
            let plan = HostPlan {
                profile,
                values: values(&own),
                ..HostPlan::empty(host.id)
            };
            writes.push(Write::Given(Box::new(muster::store::Given {
                host: host.id,
                profile: plan.profile.map(|value| muster::desired::rules::By {
                    value,
                    rule: "r".into(),
                }),
                layers: vec![muster::desired::rules::GivenLayer {
                    rule: "r".into(),
                    values: plan.values,
                }],
                changes: Vec::new(),
            })));
        }
        store.writer().commit(writes).await.expect("committed");
    }
}
