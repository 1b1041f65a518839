//! Short forms of the trials that `cargo xtask fleet`, `chaos` and `flood` run at length.

use std::{path::Path, time::Duration};

use muster_fleet::trial::{
    SitePlan,
    chaos::{self, ChaosPlan},
    flood::{self, FloodPlan},
    load::{self, LoadPlan},
};

fn muster() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_muster"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_machine_of_a_fleet_with_troubles_is_in_the_ledger_once() {
    let plan = LoadPlan {
        count: 44,
        seed: 1,
        spread: Duration::from_secs(1),
        at_once: 44,
        whole_image: false,
        firmware: "ipxe=1,bios=1,uefi=1,uefi-http=1,arm64=1".parse().unwrap(),
        faults: "none=3,doubles=1,loses=1,garbage=1,junk-identity=1,returns=1,swaps-nic=1,bad-reports=1,loops=1"
            .parse()
            .unwrap(),
    };
    let load = load::run(muster(), &SitePlan::default(), &plan, |_| {}).await.unwrap();
    assert!(load.is_good(), "{load}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_power_cuts_lose_nothing_that_was_acknowledged() {
    let plan = ChaosPlan {
        rounds: 3,
        at_once: 20,
        longest: Duration::from_secs(2),
        seed: 1,
        database_url: None,
    };
    let chaos = Box::pin(chaos::run(muster(), &plan, |_, _| {})).await.unwrap();
    assert!(chaos.is_good(), "{chaos}");
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_leaves_the_server_serving_with_steady_memory() {
    let plan = FloodPlan {
        datagrams: 30_000,
        rate: 10_000,
        requests: 300,
        seed: 1,
    };
    let flood = Box::pin(flood::run(muster(), plan)).await.unwrap();
    assert!(flood.is_good(), "{flood}");
}
