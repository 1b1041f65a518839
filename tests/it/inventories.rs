//! Inventories and Muster's own numbers, by HTTP and by the command line.

use axum::http::StatusCode;
use muster::{
    desired::{HostPlan, Values},
    inventory::HostId,
    store::Role,
};
use muster_facts::Os;
use serde_json::{Value, json};

use crate::{
    cli_desired::Site as Commands,
    site::Site,
    store::samples::{facts, mac},
};

/// Plans a host that has reported, and names it.
async fn plan(site: &Site, id: HostId, name: &str, values: &Value) {
    let catalog = muster::provision::Catalog::new(site.store.clone(), &[]);
    let host = site.store.host(id).await.unwrap().unwrap();
    catalog.rename_host(&host, name, "test", site.now()).await.unwrap();
    let plan = HostPlan {
        values: Values::check(values.as_object().cloned().unwrap()).unwrap(),
        ..HostPlan::empty(id)
    };
    catalog.set_plan(plan, "test", site.now()).await.unwrap();
}

#[tokio::test]
async fn programs_are_given_the_hosts_that_a_search_finds() {
    let site = Site::new().await;
    let cookie = site.signed_in_as("prom", Role::Viewer).await;
    let mut reported = facts("{{ lookup('pipe', 'id') }}", &[mac(1)]);
    reported.os = Some(Os {
        id: Some("debian".into()),
        version: Some("13".into()),
        name: None,
    });
    let web = site.reported(reported).await;
    let values = json!({
        "domain": "example.org", "place": "bj1/r07/u12", "tags": ["canary"],
        "vars": {"role": "web", "api_token": "s3cret", "http_port": 8080},
        "root_password_hash": "$6$abcdefgh$x", "proxy": "http://anna:s3cret@proxy:3128",
        "network": {"interfaces": {"eth0": {"addresses": ["10.77.0.20/24", "2001:db8::20/64"]}}},
    });
    plan(&site, web, "web1", &values).await;
    let db = site.reported(facts("7CX1A2C", &[mac(2)])).await;
    plan(&site, db, "db1", &json!({"domain": "example.org"})).await;
    let ask = async |path: &str| site.get(path, &[("cookie", cookie.as_str())]).await;

    let ansible = ask("/api/v1/inventory/ansible").await;
    assert!(
        !ansible.body.contains("s3cret") && !ansible.body.contains("$6$"),
        "{}",
        ansible.body
    );
    let ansible = ansible.json();
    assert_eq!(ansible["muster"]["hosts"], json!(["db1", "web1"]));
    for group in ["site_bj1", "tag_canary", "role_web", "os_debian"] {
        assert_eq!(ansible[group]["hosts"], json!(["web1"]), "{group}");
    }
    let variables = &ansible["_meta"]["hostvars"]["web1"];
    assert_eq!(
        (&variables["ansible_host"], &variables["http_port"]),
        (&json!("10.77.0.20"), &json!(8080))
    );
    assert_eq!(
        variables["muster"]["serial"]["__ansible_unsafe"],
        "{{ lookup('pipe', 'id') }}"
    );
    let found = ask("/api/v1/inventory/ansible?q=role:web").await.json();
    assert_eq!(found["muster"]["hosts"], json!(["web1"]));
    let one = ask("/api/v1/inventory/ansible/web1").await.json();
    assert_eq!(&one, variables);
    assert_eq!(ask("/api/v1/inventory/ansible/nobody").await.json(), json!({}));

    let targets = ask("/api/v1/inventory/prometheus?q=has:report&port=9200").await.json();
    assert_eq!(targets.as_array().unwrap().len(), 1, "db1 has no address: {targets:#}");
    assert_eq!(targets[0]["targets"], json!(["10.77.0.20:9200"]));
    assert_eq!(targets[0]["labels"]["__meta_muster_role"], "web");

    let hosts = ask("/api/v1/inventory/hosts").await.body;
    assert_eq!(
        hosts,
        "10.77.0.20 web1.example.org web1\n2001:db8::20 web1.example.org web1\n"
    );
    let zone = ask("/api/v1/inventory/dns?zone=example.org").await.body;
    assert!(
        zone.contains("web1 IN A 10.77.0.20\nweb1 IN AAAA 2001:db8::20\n"),
        "{zone}"
    );
    let back = ask("/api/v1/inventory/dns?zone=example.org&reverse=10.77.0.0/24")
        .await
        .body;
    assert!(
        back.contains("20.0.77.10.in-addr.arpa. IN PTR web1.example.org.\n"),
        "{back}"
    );

    for minion in ["web1", "web1.example.org", "52:54:00:77:00:01", &web.to_string()] {
        let pillar = ask(&format!("/api/v1/inventory/salt/{minion}")).await.json();
        assert_eq!(
            (&pillar["role"], &pillar["muster"]["os"]),
            (&json!("web"), &json!("debian")),
            "{minion}"
        );
        assert_eq!(pillar.get("api_token"), None);
    }
    for (path, code) in [
        ("salt/web1.evil.org", "host_unknown"),
        ("ansible?q=rol:web", "search_fault"),
        ("dns?zone=-", "malformed"),
        ("dns?zone=example.org&reverse=10.0.0.0/20", "malformed"),
        ("dns?zone=example.org&reverse=x", "malformed"),
    ] {
        let refused = ask(&format!("/api/v1/inventory/{path}")).await;
        assert_eq!(refused.json()["code"], code, "{path}");
    }
}

#[tokio::test]
async fn its_own_numbers_are_for_callers_with_a_right_to_read() {
    let site = Site::new().await;
    let cookie = site.signed_in_as("prom", Role::Viewer).await;
    site.reported(facts("7CX1A2B", &[mac(1)])).await;
    site.network(mac(1)).await;
    let refused = site.get("/metrics", &[]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let told = site.get("/metrics", &[("cookie", cookie.as_str())]).await;
    assert_eq!(told.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "muster_hosts{state=\"inventoried\"} 1",
        "muster_hosts{state=\"active\"} 0",
        "muster_installs{outcome=\"open\"} 0",
        "muster_dhcp_received_total{type=\"discover\"} 0",
        "muster_malformed_total{protocol=\"tftp\"} 0",
        "muster_dhcp_addresses{subnet=\"10.77.0.0/24\",use=\"pool\"} 10",
        "muster_ledger_queue_length 0",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(
            told.body.lines().any(|told| told == line),
            "{line} is not in:\n{}",
            told.body
        );
    }
}

#[test]
fn commands_print_the_same() {
    let site = Commands::with_profile();
    site.does(&[
        "host",
        "add",
        "web1",
        "--mac",
        "52:54:00:77:00:01",
        "--profile",
        "web",
        "--domain",
        "example.org",
        "--vars",
        "role=web",
        "--network",
        r#"{"interfaces": {"eth0": {"addresses": ["10.77.0.20/24"]}}}"#,
    ]);
    let list = site.json(&["inventory", "ansible", "--list"]);
    assert_eq!(list["profile_base"]["hosts"], json!(["web1"]));
    assert_eq!(list, site.json(&["inventory", "ansible"]));
    let none = site.json(&["inventory", "ansible", "--list", "-q", "-role:web"]);
    assert_eq!(none["muster"]["hosts"], json!([]));
    let host = site.json(&["inventory", "ansible", "--host", "web1"]);
    assert_eq!(host["role"], "web");
    assert_eq!(
        site.json(&["inventory", "prometheus", "--port", "9200"])[0]["targets"],
        json!(["10.77.0.20:9200"])
    );
    assert_eq!(site.does(&["inventory", "hosts"]), "10.77.0.20 web1.example.org web1\n");
    assert!(
        site.does(&["inventory", "dns", "--zone", "example.org"])
            .ends_with("web1 IN A 10.77.0.20\n")
    );
    assert_eq!(site.json(&["inventory", "salt", "web1.example.org"])["role"], "web");
    assert_eq!(site.json(&["inventory", "salt", "nobody"]), json!({}));
    site.refuses(
        &["inventory", "hosts", "-q", "web1 or"],
        &["web1 or\n     ^^\nnothing follows `or`"],
    );
    site.refuses(&["inventory", "dns", "--zone", "a b"], &["zone `a b` is no name"]);
    let fields = site.does(&["host", "find", "--fields"]);
    assert!(
        fields.contains("mem, memory, ram") && fields.contains("mem>=256"),
        "{fields}"
    );
}
