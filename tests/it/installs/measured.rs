//! What agents measure: taken once and in order, put right or refused by name, acknowledged when it is on disk.

use axum::http::StatusCode;
use chrono::TimeDelta;
use muster::{
    boot::EventKind,
    inventory::Health,
    metrics::{Kind, SeriesName, Step},
    provision::{
        agents::revocation,
        metrics::{Metrics, Wanted},
    },
};
use serde_json::{Value, json};

use super::Rig;

const HEARTBEAT: &str = "/agent/v1/heartbeat";

/// A sample whose load is its number.
fn sample(sequence: u64, at: i64) -> Value {
    json!({
        "sequence": sequence, "at_unix_s": at, "uptime_s": 1000 + sequence * 60, "load": [sequence, 0.5, 0.5],
        "cpu": {"user": 0.2, "system": 0.1, "idle": 0.7}, "memory": {"total_bytes": 1u64 << 34, "available_bytes": 1u64 << 33},
        "filesystems": [{"mount": "/", "kind": "ext4", "size_bytes": 1000000, "free_bytes": 250000}],
        "failed_units": ["backup.service"], "listening": [{"protocol": "tcp", "address": "0.0.0.0", "port": 22}],
    })
}

impl Rig {
    fn clock(&self) -> i64 {
        self.discovery.now().timestamp()
    }

    async fn measured(&self, credential: &str, body: &Value) -> (StatusCode, Value) {
        let (status, text) = self.post(HEARTBEAT, credential, body.to_string().into_bytes()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The loads that are kept, with when they were measured, seconds before now.
    async fn loads(&self) -> Vec<(i64, f32)> {
        let now = self.clock();
        let block = self.store.metric_tail(self.host, 0, now + 1).await.unwrap();
        let line = block
            .lines
            .get(&SeriesName::only(Kind::Load1))
            .cloned()
            .unwrap_or_default();
        line.iter().map(|point| (point.at - now, point.avg)).collect()
    }

    async fn reasons_of(&self, kind: EventKind, param: &str) -> Vec<String> {
        self.store.drain().await.unwrap();
        let query = muster::store::EventQuery {
            host: Some(self.host),
            limit: 500,
            ..Default::default()
        };
        let mut events = self.store.events(&query).await.unwrap();
        events.reverse();
        let of_kind = events.into_iter().filter(|event| event.kind == kind);
        of_kind.filter_map(|mut event| event.params.remove(param)).collect()
    }
}

#[tokio::test]
async fn samples_are_kept_once_and_acknowledged() {
    let (rig, credential) = Rig::enrolled().await;
    let now = rig.clock();
    let first = json!({"samples": [sample(1, now - 60), sample(2, now)], "dropped": 0, "clock_unix_s": now});
    for _ in 0..2 {
        // The answer may be lost: sent again, nothing is there twice.
        let (status, told) = rig.measured(&credential, &first).await;
        assert_eq!((status, &told["acknowledged"]), (StatusCode::OK, &json!(2)), "{told}");
        assert_eq!(rig.loads().await, [(-60, 1.0), (0, 2.0)]);
    }
    rig.pass(TimeDelta::minutes(1));
    let now = rig.clock();
    let body = json!({"samples": [sample(2, now - 60), sample(3, now)], "clock_unix_s": now});
    assert_eq!(rig.measured(&credential, &body).await.1["acknowledged"], 3);
    assert_eq!(rig.loads().await, [(-120, 1.0), (-60, 2.0), (0, 3.0)]);
    // Out of order: what is older than what was acknowledged is not taken any more.
    let (status, told) = rig
        .measured(&credential, &json!({"samples": [sample(1, now - 5)]}))
        .await;
    assert_eq!((status, &told["acknowledged"]), (StatusCode::OK, &json!(3)));
    assert_eq!(rig.loads().await.len(), 3);
    // Nothing, and nothing to measure, are signs of life.
    for body in ["", "{}"] {
        let (status, text) = rig.post(HEARTBEAT, &credential, body.into()).await;
        assert_eq!(
            (status, text.contains("\"acknowledged\":3")),
            (StatusCode::OK, true),
            "{text}"
        );
    }
    let (_, services) = rig.store.services(rig.host).await.unwrap().unwrap();
    assert_eq!(
        services.failed_units.as_deref(),
        Some(["backup.service".to_owned()].as_slice())
    );
    assert_eq!(services.listening, [("tcp".to_owned(), "0.0.0.0".to_owned(), 22)]);
    for kind in [EventKind::MetricsGap, EventKind::MetricsRefused, EventKind::AgentClock] {
        assert_eq!(rig.count(kind).await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn many_reports_of_one_agent_at_once_are_kept_once() {
    let (rig, credential) = Rig::enrolled().await;
    let now = rig.clock();
    let body = json!({"samples": [sample(1, now - 60), sample(2, now)]});
    let answers = futures_util::future::join_all((0..8).map(|_| rig.measured(&credential, &body))).await;
    assert!(answers.iter().any(|(status, _)| *status == StatusCode::OK));
    for (status, told) in answers {
        // Of one machine two are taken in at a time; the others come again.
        assert!(
            status == StatusCode::OK && told["acknowledged"] == 2 || status == StatusCode::SERVICE_UNAVAILABLE,
            "{status} {told}"
        );
    }
    assert_eq!(rig.loads().await.len(), 2);
}

#[tokio::test]
async fn a_gap_is_told_and_so_is_what_the_agent_threw_away() {
    let (rig, credential) = Rig::enrolled().await;
    let now = rig.clock();
    rig.measured(&credential, &json!({"samples": [sample(1, now - 300)]}))
        .await;
    let body = json!({"samples": [sample(5, now - 120), sample(4, now - 180), sample(7, now)], "dropped": 2});
    assert_eq!(rig.measured(&credential, &body).await.1["acknowledged"], 7);
    assert_eq!(rig.reasons_of(EventKind::MetricsGap, "missing").await, ["3"]);
    assert_eq!(rig.reasons_of(EventKind::MetricsGap, "dropped").await, ["2"]);
    assert_eq!(rig.loads().await, [(-300, 1.0), (-180, 4.0), (-120, 5.0), (0, 7.0)]);
}

#[tokio::test]
async fn what_is_wrong_in_a_report_is_refused_by_name_and_the_rest_is_kept() {
    let (rig, credential) = Rig::enrolled().await;
    let now = rig.clock();
    let mut bad = sample(1, now - 60);
    bad["memory"] = json!("much");
    bad["disks"] = json!([{"name": "sda", "busy": -7.5, "read_bytes_s": 1e300, "write_bytes_s": 42.0}]);
    let body = json!({"samples": [bad, "nonsense", sample(2, now)]});
    let (status, told) = rig.measured(&credential, &body).await;
    assert_eq!((status, &told["acknowledged"]), (StatusCode::OK, &json!(2)), "{told}");
    assert_eq!(rig.loads().await, [(-60, 1.0), (0, 2.0)]);
    let block = rig.store.metric_tail(rig.host, 0, now + 1).await.unwrap();
    let has = |kind| block.lines.contains_key(&SeriesName::of(kind, "sda"));
    assert!(has(Kind::DiskWrite) && !has(Kind::DiskBusy) && !has(Kind::DiskRead));
    assert_eq!(
        rig.reasons_of(EventKind::MetricsRefused, "field").await,
        ["samples[0].memory"]
    );
    assert_eq!(rig.reasons_of(EventKind::MetricsRefused, "count").await, ["4"]);
    // An agent that goes on so does not fill the history.
    for sequence in 3..20 {
        let mut bad = sample(sequence, now);
        bad["memory"] = json!("much");
        rig.measured(&credential, &json!({"samples": [bad]})).await;
    }
    assert_eq!(rig.count(EventKind::MetricsRefused).await, 1);
}

#[tokio::test]
async fn a_clock_an_hour_off_is_put_right_and_told_once() {
    let (rig, credential) = Rig::enrolled().await;
    for (sequence, skew) in [(1, 3600), (3, -3600)] {
        let wrong = rig.clock() + skew;
        let body =
            json!({"samples": [sample(sequence, wrong - 60), sample(sequence + 1, wrong)], "clock_unix_s": wrong});
        assert_eq!(rig.measured(&credential, &body).await.0, StatusCode::OK);
        rig.pass(TimeDelta::minutes(2));
    }
    assert_eq!(rig.loads().await, [(-300, 1.0), (-240, 2.0), (-180, 3.0), (-120, 4.0)]);
    assert_eq!(rig.reasons_of(EventKind::AgentClock, "seconds").await, ["3600"]);
}

#[tokio::test]
async fn what_is_no_report_is_refused_whole() {
    let (rig, credential) = Rig::enrolled().await;
    let many = format!("{{\"samples\":[{}]}}", vec!["{}"; 121].join(","));
    for (body, code) in [
        ("{\"samples\":".to_owned(), "metrics_malformed"),
        ("{\"samples\":[{\"load\":[NaN]}]}".to_owned(), "metrics_malformed"),
        (many, "metrics_malformed"),
    ] {
        let (status, text) = rig.post(HEARTBEAT, &credential, body.into_bytes()).await;
        assert_eq!(
            (status, text.contains(code)),
            (StatusCode::UNPROCESSABLE_ENTITY, true),
            "{text}"
        );
    }
    let large = format!("{{\"samples\":[]{}}}", " ".repeat(600 * 1024));
    let (status, text) = rig.post(HEARTBEAT, &credential, large.into_bytes()).await;
    assert_eq!(
        (status, text.contains("metrics_too_large")),
        (StatusCode::PAYLOAD_TOO_LARGE, true),
        "{text}"
    );
    let mut why = rig.reasons_of(EventKind::AgentRefused, "why").await;
    why.sort();
    assert_eq!(why, ["metrics_malformed", "metrics_too_large"]);
    assert_eq!(rig.loads().await, []);
    // A revoked agent is not listened to.
    let at = rig.discovery.now();
    rig.store
        .writer()
        .commit(revocation(rig.host, "user:anna", at))
        .await
        .unwrap();
    let (status, told) = rig
        .measured(&credential, &json!({"samples": [sample(1, at.timestamp())]}))
        .await;
    assert_eq!(
        (status, &told["code"]),
        (StatusCode::UNAUTHORIZED, &json!("agent_revoked"))
    );
    assert_eq!(rig.loads().await, []);
    assert_eq!(rig.store.host(rig.host).await.unwrap().unwrap().heard_at, None);
}

#[tokio::test]
async fn silence_makes_a_host_late_and_then_lost() {
    let (rig, credential) = Rig::enrolled().await;
    rig.agent_reports(&credential, &super::agents::installed()).await;
    let health = async || {
        rig.store.drain().await.unwrap();
        let now = rig.discovery.now();
        let host = rig.store.host(rig.host).await.unwrap().unwrap();
        let counted: Vec<Health> = rig
            .store
            .health_counts(now)
            .await
            .unwrap()
            .into_iter()
            .filter_map(|(health, hosts)| (hosts > 0).then_some(health))
            .collect();
        assert_eq!(counted, Vec::from_iter(host.health(now)));
        host.health(now)
    };
    assert_eq!(health().await, Some(Health::Ok));
    rig.pass(TimeDelta::minutes(4));
    assert_eq!(health().await, Some(Health::Late));
    rig.pass(TimeDelta::minutes(30));
    assert_eq!(health().await, Some(Health::Lost));
    rig.post(HEARTBEAT, &credential, Vec::new()).await;
    assert_eq!(health().await, Some(Health::Ok));
}

#[tokio::test]
async fn hours_are_laid_into_blocks_and_charts_do_not_notice() {
    let (mut rig, credential) = Rig::enrolled().await;
    let began = rig.clock();
    let mut sequence = 0;
    for _ in 0..4 {
        let samples: Vec<Value> = (0..60)
            .map(|minute| {
                sequence += 1;
                sample(sequence, rig.clock() + minute * 60)
            })
            .collect();
        rig.pass(TimeDelta::hours(1));
        let (status, told) = rig.measured(&credential, &json!({"samples": samples})).await;
        assert_eq!(
            (status, &told["acknowledged"]),
            (StatusCode::OK, &json!(sequence)),
            "{told}"
        );
    }
    let now = rig.discovery.now();
    let metrics = Metrics::new(rig.store.clone());
    let wanted = |points| Wanted {
        series: vec!["load.1".into()],
        from: began,
        until: now.timestamp() + 1,
        points,
    };
    let (step, before) = metrics.host(rig.host, wanted(400), now).await.unwrap();
    assert_eq!((step, before.times.len(), before.lines.len()), (Step::Raw, 240, 1));
    let kept = metrics.keep(now).await.unwrap();
    assert_eq!(kept.laid, 1);
    assert_eq!(
        metrics.host(rig.host, wanted(400), now).await.unwrap(),
        (step, before.clone())
    );
    let (step, coarse) = metrics.host(rig.host, wanted(10), now).await.unwrap();
    assert_eq!(step, Step::Five);
    let (least, most) = (
        coarse.lines[0].min[0].unwrap(),
        coarse.lines[0].max.last().unwrap().unwrap(),
    );
    assert_eq!((least, most.round()), (1.0, 240.0));

    // The server is killed; what comes late is laid beside what is there, and counted once.
    rig.restart().await;
    let metrics = Metrics::new(rig.store.clone());
    let late = json!({"samples": [sample(sequence + 1, began + 30)]});
    assert_eq!(rig.measured(&credential, &late).await.0, StatusCode::OK);
    metrics.keep(now).await.unwrap();
    let (_, after) = metrics.host(rig.host, wanted(400), now).await.unwrap();
    assert_eq!(after.times.len(), 241);
    let again = metrics.keep(now).await.unwrap();
    assert_eq!((again.laid, again.deleted), (0, 0));

    // Two days later what was measured is gone, and the five minutes are there.
    rig.pass(TimeDelta::days(3));
    let later = rig.discovery.now();
    assert!(metrics.keep(later).await.unwrap().deleted > 0);
    let blocks = |step| rig.store.metric_blocks(rig.host, step, 0, i64::MAX);
    assert_eq!(blocks(Step::Raw).await.unwrap().len(), 0);
    assert!(!blocks(Step::Five).await.unwrap().is_empty());
    let (step, _) = metrics.host(rig.host, wanted(400), later).await.unwrap();
    assert_eq!(step, Step::Five);
}

#[tokio::test]
async fn all_hosts_are_added_up() {
    let (rig, credential) = Rig::enrolled().await;
    let metrics = Metrics::new(rig.store.clone());
    for sequence in 1..=20 {
        let now = rig.clock();
        rig.measured(&credential, &json!({"samples": [sample(sequence, now)]}))
            .await;
        rig.pass(TimeDelta::minutes(1));
        metrics.keep(rig.discovery.now()).await.unwrap();
    }
    let now = rig.discovery.now();
    let wanted = Wanted {
        series: Vec::new(),
        from: now.timestamp() - 3600,
        until: now.timestamp(),
        points: 300,
    };
    let (step, chart) = metrics.fleet(wanted, now).await.unwrap();
    assert_eq!((step, chart.width), (Step::Five, 300));
    let line = |kind| chart.lines.iter().find(|line| line.name.kind == kind).unwrap();
    assert!(chart.times.len() >= 3, "{:?}", chart.times);
    assert_eq!(line(Kind::HostsReporting).avg[0], Some(1.0));
    assert_eq!(line(Kind::MemoryUsed).avg[0], Some((1_u64 << 33) as f32));
    assert!((line(Kind::CpuBusy).avg[0].unwrap() - 0.3).abs() < 1e-3);
}
