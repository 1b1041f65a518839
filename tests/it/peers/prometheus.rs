//! Prometheus finds its targets here and scrapes them.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{Ended, Server, free_port, installed, prints, until};
use crate::cli::with_input;

fn curl(arguments: &[&str]) -> Option<String> {
    let done = Command::new("curl")
        .args(["-fsS", "--max-time", "10"])
        .args(arguments)
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

#[test]
fn promtool_accepts_what_is_told_of_the_server() {
    if !installed(&["promtool", "curl"]) {
        return;
    }
    let server = Server::start();
    server.host("web1", "52:54:00:77:00:01", "127.0.0.1/8", &[]);
    let bearer = format!("Authorization: Bearer {}", server.token);
    let told = curl(&["-H", &bearer, &server.url("/metrics")]).expect("the numbers");
    assert!(told.contains("muster_hosts{state=\"assigned\"} 1\n"), "{told}");
    let checked = with_input(Command::new("promtool").args(["check", "metrics"]), &told);
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn a_prometheus_scrapes_what_discovery_names() {
    if !installed(&["prometheus", "curl"]) {
        return;
    }
    let server = Server::start();
    // The server itself is what runs on these hosts; the second is not asked for.
    server.host(
        "web1",
        "52:54:00:77:00:01",
        "127.0.0.1/8",
        &["--vars", "role=web tier=gold", "--tags", "canary"],
    );
    server.host("db1", "52:54:00:77:00:02", "127.0.0.2/8", &["--vars", "role=db"]);
    let (port, own) = (server.port, free_port());
    let config = server.path("prometheus.yml");
    let token = server.path("token");
    fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: hosts\n  authorization: {{type: Bearer, credentials_file: {token}}}\n\
             \x20 http_sd_configs:\n  - url: 'http://127.0.0.1:{port}/api/v1/inventory/prometheus?q=role:web&port={port}'\n\
             \x20   refresh_interval: 1s\n    authorization: {{type: Bearer, credentials_file: {token}}}\n\
             \x20 relabel_configs:\n  - {{source_labels: [__meta_muster_name], target_label: host}}\n\
             \x20 - {{source_labels: [__meta_muster_var_tier], target_label: tier}}\n",
            token = token.display()
        ),
    )
    .unwrap();
    // What it says goes to a file, so that no full pipe stops it.
    let log = fs::File::create(server.path("prometheus.log")).unwrap();
    let _prometheus = Ended(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", server.path("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{own}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let targets = format!("http://127.0.0.1:{own}/api/v1/targets?state=active");
    let target = until("a target that is up", || {
        let told: Value = serde_json::from_str(&curl(&[&targets])?).ok()?;
        let active = told["data"]["activeTargets"].as_array()?;
        assert!(active.len() <= 1, "{told:#}");
        active.iter().find(|target| target["health"] == "up").cloned()
    });
    assert_eq!(target["labels"]["instance"], format!("127.0.0.1:{port}"));
    assert_eq!(
        (&target["labels"]["host"], &target["labels"]["tier"]),
        (&"web1".into(), &"gold".into())
    );
    assert_eq!(target["discoveredLabels"]["__meta_muster_tags"], ",canary,");
    let query = format!(
        "http://127.0.0.1:{own}/api/v1/query?query=muster_hosts%7Bhost%3D%22web1%22%2Cstate%3D%22assigned%22%7D"
    );
    let value = until("a number that was scraped", || {
        let told: Value = serde_json::from_str(&curl(&[&query])?).ok()?;
        Some(told["data"]["result"][0]["value"][1].as_str()?.to_owned())
    });
    assert_eq!(value, "2");
    assert!(prints(Command::new("prometheus").arg("--version")).contains("prometheus"));
}
