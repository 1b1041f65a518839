//! Distros, profiles, plans and installations by the API and on pages.

use axum::http::{Method, StatusCode, header};
use chrono::TimeDelta;
use muster::{
    boot::Level,
    install::{Difference, Evidence, InstallId, Outcome, Packages, Planned, Progress, Stage},
    inventory::{HostId, new_id},
    store::{Install, InstallLog, Role, Write},
};
use muster_fleet::{Firmware, hardware};
use serde_json::{Value, json};

use crate::site::Site;

const HASH: &str = "$6$abcdefgh$0123456789";

fn distro() -> Value {
    json!({
        "family": "debian", "id": "debian", "version": "13", "codename": "trixie", "arch": "x86_64",
        "tree": {"url": "http://mirror/debian"}, "kernel": "linux", "initrd": "initrd.gz",
        "values": {"packages": ["vim"], "kernel_options": {"console": "ttyS0"}},
    })
}

/// A site with a distro, two profiles on it, and a host that has reported.
async fn planned(site: &Site, cookie: &str) -> HostId {
    let put = async |path: &str, body: Value| site.json(Method::PUT, path, cookie, &body).await;
    let made = put("/api/v1/distros/trixie", distro()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let base = json!({"parent": {"distro": "trixie"}, "values": {"timezone": "UTC", "root_password_hash": HASH, "disk": {"rule": "smallest"}}});
    assert_eq!(put("/api/v1/profiles/base", base).await.status, StatusCode::CREATED);
    let web = json!({"parent": {"profile": "base"}, "values": {"packages": ["nginx"]}});
    assert_eq!(put("/api/v1/profiles/web", web).await.status, StatusCode::CREATED);
    let host = site
        .reported(hardware::facts(1, 0, Firmware::Uefi, 1_800_000_000))
        .await;
    let plan = json!({"profile": "web", "values": {"hostname": "web1"}});
    let set = put(&format!("/api/v1/hosts/{host}/plan"), plan).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    host
}

#[tokio::test]
async fn values_are_read_with_their_layers_and_secrets_stay() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let host = planned(&site, &cookie).await;
    let get = async |path: String| site.get(&path, &[("cookie", &cookie)]).await;
    let plan = get(format!("/api/v1/hosts/{host}/plan")).await;
    assert!(!plan.body.contains("$6$"), "{}", plan.body);
    let plan = plan.json();
    assert_eq!(
        (&plan["distro"], &plan["profiles"]),
        (&json!("trixie"), &json!(["web", "base"]))
    );
    assert_eq!(plan["effective"]["values"]["packages"], json!(["vim", "nginx"]));
    assert_eq!(plan["effective"]["origins"]["packages.1"], "profile web");
    assert_eq!(plan["effective"]["values"]["root_password_hash"], "(set)");
    assert_eq!(plan["values"], json!({"hostname": "web1"}));

    // What was shown can be sent back: the secret stays.
    let base = get("/api/v1/profiles/base".into()).await.json();
    let again = json!({"parent": base["parent"], "values": base["values"]});
    let put = site.json(Method::PUT, "/api/v1/profiles/base", &cookie, &again).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.body);
    let kept = site.store.desired_objects().await.unwrap();
    assert_eq!(kept.profiles["base"].values.as_map()["root_password_hash"], HASH);

    let listed = get("/api/v1/profiles".into()).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let answer = get(format!("/api/v1/hosts/{host}/answer?check=true")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(!answer.body.contains("$6$"));
    let answer = answer.json();
    assert_eq!(answer["template"], "debian/default.preseed");
    assert!(
        answer["lines"][0]["template"]
            .as_str()
            .unwrap()
            .starts_with("built-in/debian/")
    );
    for path in ["/api/v1/profiles/none", "/api/v1/distros/none"] {
        assert_eq!(get(path.into()).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_change_is_previewed_and_faults_name_their_field() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let host = planned(&site, &cookie).await;
    let send = async |method, path: &str, body: Value| site.json(method, path, &cookie, &body).await;
    let base = json!({"parent": {"distro": "trixie"}, "values": {"timezone": "Asia/Shanghai", "root_password_hash": HASH, "disk": {"rule": "smallest"}}});
    let seen = send(Method::POST, "/api/v1/profiles/base/preview-change", base).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    assert!(!seen.body.contains("$6$"));
    let seen = seen.json();
    assert_eq!(seen["fields"], json!(["timezone"]));
    assert_eq!(seen["profiles"], json!(["base", "web"]));
    assert_eq!(seen["hosts"][0]["id"], host.to_string());
    let difference = seen["files"][0]["difference"].as_str().unwrap();
    assert!(
        difference.contains("+") && difference.contains("Asia/Shanghai"),
        "{difference}"
    );
    // Nothing was changed by looking.
    let kept = site.store.desired_objects().await.unwrap();
    assert_eq!(kept.profiles["base"].values.as_map()["timezone"], "UTC");

    for (path, body, field, status) in [
        (
            "/api/v1/profiles/base",
            json!({"parent": {"distro": "trixie"}, "values": {"selinux": "on"}}),
            "selinux",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/api/v1/profiles/base",
            json!({"parent": {"profile": "web"}, "values": {}}),
            "parent",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/api/v1/hosts/HOST/plan",
            json!({"profile": "webb", "values": {}}),
            "profile",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let refused = send(Method::PUT, &path.replace("HOST", &host.to_string()), body).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        let told = refused.json();
        assert_eq!(told["field"], field, "{told}");
        assert!(!told["advice"].as_str().unwrap().is_empty(), "{told}");
    }
    let used = send(Method::DELETE, "/api/v1/profiles/base", json!(null)).await;
    assert_eq!(
        (used.status, &used.json()["code"]),
        (StatusCode::CONFLICT, &json!("in_use"))
    );
    let copied = send(Method::POST, "/api/v1/profiles/web/copy", json!({"to": "web2"})).await;
    assert_eq!(copied.status, StatusCode::CREATED, "{}", copied.body);
    let renamed = send(Method::POST, "/api/v1/profiles/web2/rename", json!({"to": "web3"})).await;
    assert_eq!(renamed.json()["name"], "web3");
    let removed = send(Method::DELETE, "/api/v1/profiles/web3", json!(null)).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let site = Site::new().await;
    let admin = site.signed_in().await;
    let host = planned(&site, &admin).await;
    let viewer = site.signed_in_as("vera", Role::Viewer).await;
    for path in [
        "/profiles",
        "/profiles/web",
        "/distros/trixie",
        "/defaults",
        "/installs",
    ] {
        let page = site.get(path, &[("cookie", &viewer)]).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.body.contains("layer-form"), "{path}");
    }
    for (path, fields) in [
        ("/profiles/web", "mode=form"),
        ("/defaults", "mode=form"),
        (&*format!("/hosts/{host}/plan"), "mode=form"),
        (&*format!("/hosts/{host}/start"), ""),
    ] {
        assert_eq!(
            site.form(path, &viewer, fields).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let put = site.json(Method::PUT, "/api/v1/distros/x", &viewer, &distro()).await;
    assert_eq!(put.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_form_shows_its_faults_and_who_would_feel_it_before_it_is_saved() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    planned(&site, &cookie).await;
    let tree = site.get("/profiles", &[("cookie", &cookie)]).await.body;
    assert!(tree.contains("href=\"/profiles/web\"") && tree.contains("depth-2"));
    let form = site.get("/profiles/base?view=edit", &[("cookie", &cookie)]).await.body;
    assert!(form.contains("name=\"v.timezone\" value=\"UTC\"") && !form.contains("$6$"));

    let wrong = "mode=form&parent=distro:trixie&v.selinux=on&v.timezone=UTC&v.packages='open";
    let wrong = site.form("/profiles/base", &cookie, wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("invalid-feedback") && wrong.body.contains("a quote is not closed"));

    let change = "mode=form&parent=distro:trixie&v.timezone=Asia/Shanghai&v.root_password_hash=&v.disk=rule=smallest";
    let asked = site.form("/profiles/base", &cookie, change).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    assert!(
        asked.body.contains("id=\"confirm\"") && asked.body.contains("Time zone"),
        "{}",
        asked.body
    );
    let seen = asked
        .body
        .split("name=\"seen\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let saved = site
        .form("/profiles/base", &cookie, &format!("{change}&seen={seen}&do=save"))
        .await;
    assert_eq!(
        saved.header(header::LOCATION),
        "/profiles/base?saved=1",
        "{}",
        saved.body
    );
    let kept = site.store.desired_objects().await.unwrap();
    let values = kept.profiles["base"].values.as_map();
    assert_eq!(
        (&values["timezone"], &values["root_password_hash"]),
        (&json!("Asia/Shanghai"), &json!(HASH))
    );

    let text = "mode=text&text=%7B%22packages%22%3A%20%5B%22mc%22%5D%7D&parent=profile:base&name=small";
    let made = site.form("/new/profile", &cookie, text).await;
    assert_eq!(
        made.header(header::LOCATION),
        "/profiles/small?saved=1",
        "{}",
        made.body
    );
    let removed = site.form("/profiles/small/remove", &cookie, "").await;
    assert_eq!(removed.header(header::LOCATION), "/profiles");
}

/// An installation that began `minutes` ago and came to `stage`, one minute a stage.
fn install(site: &Site, host: HostId, minutes: i64, stage: Stage, outcome: Outcome) -> Install {
    let began = site.now() - TimeDelta::minutes(minutes);
    let mut progress = Progress::requested("user:anna", began);
    for (place, reached) in Stage::ALL
        .iter()
        .enumerate()
        .take_while(|(_, reached)| **reached <= stage)
    {
        let at = began + TimeDelta::minutes(i64::try_from(place).unwrap());
        progress.hear(&Evidence::new(*reached, "heard <b>"), at);
    }
    progress.packages = Some(Packages {
        done: 12,
        all: Some(345),
    });
    Install {
        id: InstallId(new_id(began)),
        host,
        profile: "web".into(),
        distro: "trixie".into(),
        started_by: "user:anna".into(),
        created_at: began,
        ended_at: (outcome != Outcome::Open).then_some(progress.heard_at),
        outcome,
        failed_by: None,
        reason: None,
        progress,
        once: true,
        agent: true,
        hashes: None,
        client: None,
        snapshot: None,
        planned: Planned::default(),
        differences: (outcome == Outcome::Done).then(|| {
            vec![Difference {
                field: "hostname".into(),
                planned: "web1".into(),
                found: Some("web2".into()),
            }]
        }),
    }
}

#[tokio::test]
async fn installations_are_listed_found_and_followed_beside_what_is_usual() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let host = planned(&site, &cookie).await;
    let empty = site.get("/installs", &[("cookie", &cookie)]).await.body;
    assert!(empty.contains("Nothing has been installed yet"));

    let done = install(&site, host, 60, Stage::Verified, Outcome::Done);
    let runs = install(&site, host, 7, Stage::Packages, Outcome::Open);
    let silent = InstallLog {
        id: new_id(site.now()),
        install: runs.id,
        at: site.now(),
        source: "syslog".into(),
        level: Level::Info,
        text: "in-target: Unpacking <script>".into(),
    };
    let writes = vec![
        Write::Install(Box::new(done.clone())),
        Write::Install(Box::new(runs.clone())),
        Write::InstallLog(silent),
    ];
    site.store.writer().commit(writes).await.unwrap();

    let get = async |path: String| site.get(&path, &[("cookie", &cookie)]).await.body;
    let rows = |page: &str| page.matches("<tr id=\"install-").count();
    assert_eq!(rows(&get("/installs".into()).await), 2);
    assert_eq!(rows(&get("/installs?outcome=open&q=WEB".into()).await), 1);
    let serial = hardware::facts(1, 0, Firmware::Uefi, 1_800_000_000)
        .system
        .serial
        .unwrap();
    assert_eq!(rows(&get(format!("/installs?q={serial}+trix")).await), 2);
    assert_eq!(rows(&get("/installs?q=nobody".into()).await), 0);

    let page = get(format!("/installs/{}", runs.id)).await;
    assert!(
        page.contains("12 of 345 packages") && page.contains("Unpacking &lt;script&gt;"),
        "{page}"
    );
    assert!(
        page.contains("usually 1:00") && page.contains("about 4:00 left"),
        "{page}"
    );
    assert!(page.contains("data-stage=\"packages\" aria-current=\"step\""), "{page}");
    let page = get(format!("/hosts/{host}?tab=install")).await;
    assert!(page.contains("12 of 345 packages") && rows(&page) == 1, "{page}");
    let page = get(format!("/installs/{}", done.id)).await;
    assert!(page.contains("web2") && page.contains("Planned and found"), "{page}");

    site.pass(TimeDelta::hours(1));
    let page = get(format!("/installs/{}", runs.id)).await;
    assert!(
        page.contains("Stuck: Packages") && page.contains("heard &lt;b&gt;"),
        "{page}"
    );
    let answer = get(format!("/hosts/{host}?tab=plan&view=answer")).await;
    assert!(
        answer.contains("id=\"answer\"") && answer.contains("debian&#x2f;default.preseed:"),
        "{answer}"
    );
}
