//! Rules on facts as pages, and scripts of an answer file as people read them.

use axum::http::{Method, StatusCode, header};
use muster::{inventory::HostId, store::Role};
use muster_fleet::{Firmware, hardware};
use serde_json::{Value, json};

use crate::site::{Answer, Site};

const HASH: &str = "$6$abcdefgh$0123456789";

/// A site with a profile and three hosts that have reported.
async fn site(cookie: &mut String) -> (Site, Vec<HostId>) {
    let site = Site::new().await;
    *cookie = site.signed_in().await;
    let put = async |path: &str, body: Value| {
        let made = site.json(Method::PUT, path, cookie, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    };
    let distro = json!({
        "family": "debian", "id": "debian", "version": "13", "codename": "trixie", "arch": "x86_64",
        "tree": {"url": "http://mirror/debian"}, "kernel": "linux", "initrd": "initrd.gz",
    });
    put("/api/v1/distros/trixie", distro).await;
    let web = json!({"parent": {"distro": "trixie"}, "values": {"root_password_hash": HASH, "disk": {"rule": "smallest"},
        "users": {"ops": {"password_hash": "$6$12345678$abcdefghij"}}}});
    put("/api/v1/profiles/web", web).await;
    let mut hosts = Vec::new();
    for index in 0..3 {
        let facts = hardware::facts(1, index, Firmware::Uefi, 1_800_000_000);
        hosts.push(site.reported(facts).await);
    }
    (site, hosts)
}

fn moved_to(answer: &Answer) -> &str {
    answer.header(header::LOCATION)
}

/// The names of rules in the order the page lists them.
fn listed(page: &str) -> Vec<&str> {
    let rows = page.split("<tr id=\"rule-").skip(1);
    rows.filter_map(|row| row.split('"').next()).collect()
}

#[tokio::test]
async fn a_rule_is_tried_entered_moved_and_removed_on_pages() {
    let mut cookie = String::new();
    let (site, hosts) = site(&mut cookie).await;
    let get = async |path: &str| site.get(path, &[("cookie", &cookie)]).await.body;
    assert!(get("/rules").await.contains("There is no rule yet"));
    let form = get("/new/rule").await;
    assert!(form.contains("disks[].size_gib") && form.contains("size in GiB, rounded"));

    // Tried: the hosts are listed and nothing is kept.
    let asked = "name=all&order=20&when=memory_gib+%3E+0&profile=web&tags=big+new&do=";
    let tried = site.form("/new/rule", &cookie, &format!("{asked}try")).await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.body);
    assert!(tried.body.contains("3 of 3 hosts match"), "{}", tried.body);
    assert!(tried.body.contains(&format!("/hosts/{}?tab=plan", hosts[0])));
    assert!(listed(&get("/rules").await).is_empty());

    let saved = site.form("/new/rule", &cookie, &format!("{asked}save")).await;
    assert_eq!(moved_to(&saved), "/rules?saved=1", "{}", saved.body);
    let second = "name=none&order=20&when=cores+%3C+0&place=nowhere&do=save";
    assert_eq!(
        moved_to(&site.form("/new/rule", &cookie, second).await),
        "/rules?saved=1"
    );
    assert_eq!(listed(&get("/rules").await), ["all", "none"]);
    let none = get("/rules/none?view=try").await;
    assert!(
        none.contains("No host matches") && none.contains("does not hold"),
        "{none}"
    );
    assert!(get("/rules/dry-run").await.contains("3 of 3 hosts match"));

    // Equal numbers are given anew when one is moved past the other.
    let moved = site.form("/rules/none/move", &cookie, "way=earlier").await;
    assert_eq!(moved_to(&moved), "/rules?saved=1", "{}", moved.body);
    assert_eq!(listed(&get("/rules").await), ["none", "all"]);
    let wrong = site.form("/rules/none/move", &cookie, "way=up").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);

    // A fault stands at its field, with what was typed.
    let wrong = "order=1&when=memory_gb+%3E+1&profile=web&do=save";
    let wrong = site.form("/rules/all", &cookie, wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("id=\"f-when\"") && wrong.body.contains("memory_gib"));

    let applied = site.form("/rules/apply", &cookie, "").await;
    assert_eq!(moved_to(&applied), "/rules?applied=1");
    let removed = site.form("/rules/none/remove", &cookie, "").await;
    assert_eq!(moved_to(&removed), "/rules?saved=1");
    assert_eq!(listed(&get("/rules").await), ["all"]);
    assert_eq!(
        site.get("/rules/none", &[("cookie", &cookie)]).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_rule_that_installs_is_not_saved_before_somebody_has_seen_whom() {
    let mut cookie = String::new();
    let (site, _) = site(&mut cookie).await;
    let asked = "name=auto&order=1&when=true&profile=web&install=true&do=save";
    let first = site.form("/new/rule", &cookie, asked).await;
    assert_eq!(first.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", first.body);
    assert!(first.body.contains("id=\"look-first\"") && first.body.contains("3 would be installed"));
    assert!(site.store.rules().await.unwrap().is_empty());
    let seen = first.body.split("name=\"seen\" value=\"").nth(1).unwrap();
    let seen = seen.split('"').next().unwrap();
    // What was seen is this rule and no other.
    let other = asked.replace("when=true", "when=cores+%3E+0") + "&seen=" + seen;
    let again = site.form("/new/rule", &cookie, &other).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    let saved = site.form("/new/rule", &cookie, &format!("{asked}&seen={seen}")).await;
    assert_eq!(moved_to(&saved), "/rules?saved=1", "{}", saved.body);
    assert!(site.store.rules().await.unwrap()[0].install);
}

#[tokio::test]
async fn a_viewer_sees_rules_and_neither_tries_nor_changes_one() {
    let mut cookie = String::new();
    let (site, _) = site(&mut cookie).await;
    let made = "name=all&order=1&when=true&tags=x&do=save";
    assert_eq!(moved_to(&site.form("/new/rule", &cookie, made).await), "/rules?saved=1");
    let viewer = site.signed_in_as("vera", Role::Viewer).await;
    // Whom a rule matches tells facts of hosts: for those who may enter one, as in the API.
    let refused = site.get("/rules/dry-run", &[("cookie", &viewer)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for path in ["/rules", "/rules/all", "/rules/all?view=try"] {
        let page = site.get(path, &[("cookie", &viewer)]).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for change in [
            "rule-form",
            "/move",
            "/remove",
            "/rules/apply",
            "/new/rule",
            "dry-run",
            "hosts match",
        ] {
            assert!(!page.body.contains(change), "{path} offers {change}");
        }
    }
    for path in [
        "/new/rule",
        "/rules/all",
        "/rules/all/move",
        "/rules/all/remove",
        "/rules/apply",
    ] {
        let sent = site.form(path, &viewer, "way=later").await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn scripts_of_an_answer_file_are_read_in_clear_and_without_secrets() {
    let mut cookie = String::new();
    let (site, hosts) = site(&mut cookie).await;
    let plan = json!({"profile": "web", "values": {"hostname": "web1"}});
    let path = format!("/api/v1/hosts/{}/plan", hosts[0]);
    let set = site.json(Method::PUT, &path, &cookie, &plan).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let page = format!("/hosts/{}?tab=plan&view=answer", hosts[0]);
    let page = site.get(&page, &[("cookie", &cookie)]).await.body;
    assert!(
        page.contains("Description=First start after the installation"),
        "{page}"
    );
    // The script that it writes for the first start is read as well.
    assert!(page.matches("class=\"script\"").count() >= 2, "{page}");
    assert!(!page.contains("$6$"));
}
