//! What agents cost a real server: it is started as a process of its own, with hosts in its ledger whose agents report.
//! Not a test of right and wrong: `cargo xtask fleet --agents 10000` runs it, with `MUSTER_AGENTS` and `MUSTER_SECONDS`.

use std::{path::Path, time::Duration};

use muster::{
    auth::Secret,
    inventory::{Host, HostId, State, new_id},
    store::{AgentCredential, Store, Write},
};
use muster_fleet::{
    agents::{self, AgentsPlan},
    trial::{Server, Site, SitePlan},
};

use super::samples::created;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn measure_agents_that_report() {
    let (count, seconds) = (number("MUSTER_AGENTS", 200), number("MUSTER_SECONDS", 20));
    let every = Duration::from_secs(number("MUSTER_EVERY", 60));
    let database = std::env::var("MUSTER_AGENTS_DATABASE").ok();
    let plan = SitePlan {
        database_url: database.clone(),
        ..SitePlan::default()
    };
    let site = Site::create(&plan).unwrap();
    let file = site.settings().parent().unwrap().join("data/muster.db");
    let url = database.unwrap_or_else(|| format!("sqlite://{}", file.display()));
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let credentials = enrolled(&store, count).await;
    store.close().await.unwrap();

    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_muster")), &site)
        .await
        .unwrap();
    let before = server.usage();
    let plan = AgentsPlan {
        server: site.boot(),
        credentials,
        every,
        length: Duration::from_secs(seconds),
        seed: 1,
    };
    let summary = agents::run(&plan).await.unwrap();
    let after = server.usage();
    server.finish().await.unwrap();
    println!("{count} agents, a report each {} s\n{summary}", every.as_secs());
    println!(
        "the server used {:.1} s of processor time, {:.1} MiB when ready, {:.1} MiB at the end, {:.1} MiB at most",
        (after.cpu - before.cpu).as_secs_f64(),
        before.resident as f64 / f64::from(1 << 20),
        after.resident as f64 / f64::from(1 << 20),
        after.peak as f64 / f64::from(1 << 20),
    );
    let store = Store::open(&url).await.unwrap();
    let kept = kept(&store).await;
    println!("{kept} samples in the ledger");
    if let Ok(file) = std::fs::metadata(&file) {
        println!(
            "{:.1} MiB of SQLite, {} bytes a sample with all else",
            file.len() as f64 / f64::from(1 << 20),
            file.len() / kept.max(1)
        );
    }
    store.close().await.unwrap();
    assert_eq!(kept, summary.acknowledged, "what was acknowledged is kept, once");
}

/// Enters hosts that are installed and have agents; gives their credentials.
async fn enrolled(store: &Store, count: u64) -> Vec<String> {
    let now = chrono::Utc::now();
    let mut credentials = Vec::new();
    let mut writes = Vec::new();
    for place in 0..count {
        let mut host = Host::discovered(HostId(new_id(now)), now);
        host.state = State::Active;
        host.name = Some(format!("node{place:05}.example.org"));
        let credential = format!("muster_agent_{place:032}");
        writes.push(created(&host));
        writes.push(Write::AgentEnrolled(AgentCredential {
            hash: Secret::chosen(credential.clone()).hash(),
            host: host.id,
            created_at: now,
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
            acknowledged: 0,
        }));
        credentials.push(credential);
        if writes.len() >= 1000 {
            store.writer().commit(std::mem::take(&mut writes)).await.unwrap();
        }
    }
    store.writer().commit(writes).await.unwrap();
    credentials
}

async fn kept(store: &Store) -> u64 {
    let (mut all, mut after) = (0, None);
    loop {
        let some = store.metric_tails((0, i64::MAX), after, 4000).await.unwrap();
        let Some((last, _)) = some.last() else { return all };
        after = Some(*last);
        all += some.iter().map(|(_, block)| block.times().len() as u64).sum::<u64>();
    }
}
