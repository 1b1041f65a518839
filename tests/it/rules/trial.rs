//! What a trial says of hosts, by the use case and by the API.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use muster::{
    desired::rules::Rule,
    provision::{
        Catalog,
        rules::{Rules, TrialAsked},
    },
    store::Role,
};
use muster_facts::Facts;
use serde_json::{Value, json};

use super::{machine, profiles, rule, web};
use crate::site::Site;

/// What the agent says of a machine whose parts were captured.
fn captured(name: &str) -> Facts {
    let path = format!("{}/tests/fixtures/facts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_trial_says_of_real_machines_who_would_get_what_and_why_others_do_not() {
    let site = Site::new().await;
    let catalog = Catalog::new(site.store.clone(), &[]);
    profiles(&catalog, site.now()).await;
    let board = site.reported(captured("dmi-gigabyte-x399")).await.to_string();
    for name in ["dmi-lenovo-thinkpad-t480", "dmi-vmware", "tree-i7-1270p", "tree-nvidia"] {
        site.reported(captured(name)).await;
    }
    let rules = Rules::new(site.store.clone());
    let trial = async |candidate: Rule, misses: bool| {
        let asked = TrialAsked {
            only: Some(candidate.name.clone()),
            candidate: Some(candidate),
            host: None,
            misses,
            limit: 100,
        };
        rules.trial(&asked).await.map_err(|fault| fault.to_string())
    };
    let matched = async |when: &str| {
        let tagged = Rule {
            tags: vec!["t".into()],
            ..rule("trial", when)
        };
        let trial = trial(tagged, false).await.unwrap();
        assert_eq!((trial.looked_at, trial.matched), (5, trial.hosts.len()));
        trial.hosts.into_iter().map(|host| host.label).collect::<Vec<_>>()
    };
    assert_eq!(matched("vendor is like('lenovo')").await, ["PC131TBF"]);
    assert_eq!(matched("virtualization == 'vmware'").await.len(), 1);
    assert_eq!(
        matched("gpus | selectattr('vendor_id', 'eq', '10de') | list | length > 0")
            .await
            .len(),
        1
    );
    assert_eq!(
        matched("disks | selectattr('bus', 'eq', 'nvme') | map(attribute='size_gib') | sum > 900")
            .await
            .len(),
        1
    );
    assert_eq!(
        matched("cores >= 32 and cpu.model is like('amd*')").await,
        [board.as_str()]
    );
    assert_eq!(matched("memory_gib in [24, 128]").await.len(), 2);
    assert_eq!(matched("true").await.len(), 5);

    // By name: a board that carries no serial number gets none, and a laptop does.
    let named = trial(
        Rule {
            profile: Some("web".into()),
            ..web("memory_gib >= 24 and serial != ''")
        },
        true,
    )
    .await
    .unwrap();
    assert_eq!((named.looked_at, named.matched, named.hosts.len()), (5, 2, 5));
    let of = |label: &str| named.hosts.iter().find(|host| host.label == label).unwrap();
    let gives: Vec<_> = of("PC131TBF")
        .gives
        .iter()
        .map(|given| (given.field, given.value.as_str()))
        .collect();
    assert_eq!(
        gives,
        [("profile", "web"), ("hostname", "web-pc131tbf"), ("tags", "edge")]
    );
    let board = of(&board);
    assert_eq!(board.gives.len(), 2);
    assert!(board.notes[0].contains("does not tell it"), "{:?}", board.notes);
    let virtual_one = named
        .hosts
        .iter()
        .find(|host| host.label.starts_with("VMware"))
        .unwrap();
    assert_eq!(
        virtual_one.misses[0].why,
        "`memory_gib >= 24` does not hold: memory_gib is 1"
    );

    // Nothing was changed, and what cannot be is refused before it is tried.
    assert!(site.store.plans().await.unwrap().is_empty());
    let fault = trial(web("vendr == 'LENOVO'"), false).await.unwrap_err();
    assert!(fault.contains("did you mean `vendor`?"), "{fault}");
    let missing = Rule {
        profile: Some("wbe".into()),
        ..web("true")
    };
    let fault = trial(missing, false).await.unwrap_err();
    assert!(fault.contains("did you mean `web`?"), "{fault}");
}

#[tokio::test]
async fn a_trial_counts_all_that_would_be_installed_and_lists_them_first() {
    let site = Site::new().await;
    profiles(&Catalog::new(site.store.clone(), &[]), site.now()).await;
    for index in 0..4 {
        site.reported(machine(index)).await;
    }
    let rules = Rules::new(site.store.clone());
    let tagged = Rule {
        tags: vec!["t".into()],
        ..rule("all", "true")
    };
    rules.add(tagged, "cli", site.now()).await.unwrap();
    let trial = async |when: &str, limit: usize| {
        let asked = TrialAsked {
            candidate: Some(Rule {
                profile: Some("web".into()),
                install: true,
                ..rule("auto", when)
            }),
            limit,
            ..TrialAsked::default()
        };
        rules.trial(&asked).await.unwrap()
    };
    let all = trial("true", 2).await;
    assert_eq!((all.matched, all.installs, all.hosts.len()), (4, 4, 2));
    // Wherever the one stands among the others.
    for host in trial("true", 4).await.hosts {
        let one = trial(&format!("serial == '{}'", host.label), 2).await;
        assert_eq!((one.matched, one.installs, one.hosts.len()), (4, 1, 2));
        assert_eq!((one.hosts[0].host, one.hosts[0].install), (host.host, true));
        assert!(!one.hosts[1].install);
    }
}

#[tokio::test]
async fn the_api_enters_tries_and_removes_rules() {
    let site = Site::new().await;
    profiles(&Catalog::new(site.store.clone(), &[]), site.now()).await;
    site.reported(machine(0)).await;
    let admin = site.signed_in().await;
    let viewer = site.signed_in_as("vera", Role::Viewer).await;
    let send = async |method: Method, path: &str, cookie: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        site.send(request).await
    };
    let said = json!({"when": "cores >= 16", "profile": "web", "tags": ["big"], "hostname": "n-{{ serial | lower }}"});
    let refused = send(Method::PUT, "/api/v1/rules/big", &viewer, said.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let made = send(Method::PUT, "/api/v1/rules/big", &admin, said.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.json()["order"], 100);
    let again = send(Method::PUT, "/api/v1/rules/big", &admin, said).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    let audit = site.store.audit_log(None, 1).await.unwrap();
    assert_eq!(
        (audit[0].actor.as_str(), audit[0].action.as_str()),
        ("user:anna", "rule.edit")
    );

    let wrong = json!({"when": "coers >= 16", "tags": ["big"]});
    let refused = send(Method::PUT, "/api/v1/rules/big", &admin, wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("did you mean `cores`?"), "{}", refused.body);

    let signed = [("cookie", viewer.as_str())];
    assert_eq!(site.get("/api/v1/rules", &signed).await.json()[0]["name"], "big");
    assert_eq!(
        site.get("/api/v1/rules/big", &signed).await.json()["when"],
        "cores >= 16"
    );
    let unknown = site.get("/api/v1/rules/bgi", &signed).await;
    assert_eq!(
        (unknown.status, unknown.json()["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("rule_unknown"))
    );

    let refused = send(Method::POST, "/api/v1/rules/dry-run", &viewer, json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "it is for those who enter rules");
    let trial = send(Method::POST, "/api/v1/rules/dry-run", &admin, json!({}))
        .await
        .json();
    assert_eq!(
        (&trial["matched"], &trial["hosts"][0]["gives"][0]["value"]),
        (&1.into(), &"web".into())
    );
    let candidate = json!({"rule": {"when": "cores > 999", "tags": ["x"]}, "misses": true});
    let trial = send(Method::POST, "/api/v1/rules/dry-run", &admin, candidate)
        .await
        .json();
    assert_eq!(trial["matched"], 0);
    assert_eq!(
        trial["hosts"][0]["misses"][0]["why"],
        "`cores > 999` does not hold: cores is 32"
    );

    let refused = send(Method::POST, "/api/v1/rules/apply", &viewer, Value::Null).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let asked = send(Method::POST, "/api/v1/rules/apply", &admin, Value::Null).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    let removed = send(Method::DELETE, "/api/v1/rules/big", &admin, Value::Null).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.body);
    let removed = send(Method::DELETE, "/api/v1/rules/big", &admin, Value::Null).await;
    assert_eq!(removed.status, StatusCode::NOT_FOUND);
}
