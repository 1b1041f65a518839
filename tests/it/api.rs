//! The REST API: its description, its answers and its refusals.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use muster::{
    boot::EventKind,
    http::{Access, Audience},
};
use muster_facts::MacAddr;
use muster_fleet::{Firmware, hardware};
use serde_json::Value;

use crate::site::Site;

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);

#[tokio::test]
async fn no_route_answers_without_signing_in() {
    let site = Site::new().await;
    site.signed_in().await;
    let routes = site.pages.routes.clone();
    assert!(routes.len() > 25);
    let open: Vec<_> = routes
        .iter()
        .filter(|route| route.access == Access::Anyone)
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(
        open,
        [
            "GET /signin",
            "POST /signin",
            "GET /setup",
            "POST /setup",
            "POST /language"
        ]
    );
    for route in routes.iter().filter(|route| route.access != Access::Anyone) {
        let path = route.path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
        for credentials in [
            ("x-none", ""),
            ("cookie", "muster_session=guess"),
            ("authorization", "Bearer guess"),
        ] {
            let request = Request::builder()
                .method(route.method.clone())
                .uri(&path)
                .header(credentials.0, credentials.1)
                .body(Body::empty())
                .unwrap();
            let answer = site.send(request).await;
            let what = format!("{} {path}", route.method);
            match route.audience {
                Audience::Program => {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                    assert_eq!(answer.json()["code"], "sign_in_first", "{what}");
                }
                Audience::Person => {
                    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
                    assert!(answer.header(header::LOCATION).starts_with("/signin"), "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_description_is_the_one_in_docs() {
    let site = Site::new().await;
    let served = site.get("/api/v1/openapi.json", &[]).await;
    // By name: in this order a difference is read.
    let mut sorted = served.json();
    sorted.sort_all_objects();
    let text = serde_json::to_string_pretty(&sorted).unwrap() + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    if std::env::var_os("MUSTER_UPDATE_DOCS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == text,
        "docs/openapi.json is not what the server says; run this test with MUSTER_UPDATE_DOCS=1 and review the difference"
    );
    let described = served.json();
    let paths = described["paths"].as_object().unwrap();
    for route in &site.pages.routes {
        if route.path.starts_with("/api/") {
            let method = route.method.as_str().to_lowercase();
            assert!(paths[&route.path].get(&method).is_some(), "{method} {}", route.path);
        }
    }
}

#[tokio::test]
async fn hosts_are_found_with_all_that_is_known_of_them() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let signed = [("cookie", cookie.as_str())];
    let facts = hardware::facts(1, 0, Firmware::Uefi, 1_800_000_000);
    let serial = facts.system.serial.clone().unwrap();
    let mac = facts.nics[0].mac.unwrap();
    let id = site.reported(facts.clone()).await;
    site.seen(MAC, "stalled", &[(EventKind::DhcpDiscover, &[("arch", "x64-uefi")])])
        .await;
    site.network(mac).await;

    for query in [format!("q={serial}"), format!("q={mac}"), "state=inventoried".into()] {
        let found = site.get(&format!("/api/v1/hosts?{query}"), &signed).await.json();
        assert_eq!(
            (&found["total"], found["hosts"][0]["id"].as_str()),
            (&1.into(), Some(id.to_string().as_str()))
        );
    }
    let troubled = site.get("/api/v1/hosts?trouble=true", &signed).await.json();
    assert_eq!(troubled["hosts"][0]["boot_verdict"], "stalled");
    assert_eq!(
        site.get("/api/v1/hosts?limit=1&sort=created", &signed).await.json()["total"],
        2
    );

    let under = |part: &str| format!("/api/v1/hosts/{id}/{part}");
    let sets = site.get(&under("facts"), &signed).await.json();
    let kept: muster_facts::Facts = serde_json::from_value(sets[0]["facts"].clone()).unwrap();
    assert_eq!((sets[0]["source"].as_str(), kept), (Some("netboot"), facts.clone()));
    let components = site.get(&under("components"), &signed).await.json();
    let dimms = components
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["kind"] == "dimm");
    assert_eq!(dimms.count(), facts.memory.dimms.len());
    let interfaces = site.get(&under("interfaces"), &signed).await.json();
    assert_eq!(interfaces.as_array().unwrap().len(), facts.nics.len());

    let events = site.get(&format!("/api/v1/events?mac={MAC}"), &signed).await.json();
    assert_eq!(events[0]["words"], "Looks for a DHCP server (UEFI)");
    let boot = events[0]["boot"].as_str().unwrap();
    let story = site.get(&format!("/api/v1/boots/{boot}"), &signed).await.json();
    assert_eq!(story, events);

    let subnets = site.get("/api/v1/subnets", &signed).await.json();
    assert_eq!((&subnets[0]["used"], &subnets[0]["size"]), (&1.into(), &10.into()));
    assert_eq!(
        site.get("/api/v1/leases", &signed).await.json()["leases"][0]["mac"],
        mac.to_string()
    );
    assert_eq!(
        site.get("/api/v1/dhcp-servers", &signed).await.json()[0]["address"],
        "10.77.0.2"
    );
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    for (path, status, code) in [
        ("/api/v1/hosts?sort=colour", 422, "malformed"),
        ("/api/v1/hosts?state=happy", 422, "malformed"),
        ("/api/v1/hosts?limit=many", 400, "malformed"),
        ("/api/v1/hosts/nonsense", 400, "malformed"),
        ("/api/v1/events?mac=zz", 422, "malformed"),
        (
            "/api/v1/hosts/01890a5d-ac96-774b-bcce-b302099a8057",
            404,
            "host_unknown",
        ),
        (
            "/api/v1/boots/01890a5d-ac96-774b-bcce-b302099a8057",
            404,
            "boot_unknown",
        ),
        ("/api/v1/nothing", 404, "not_found"),
    ] {
        let answer = site.get(path, &[("cookie", &cookie)]).await;
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (status, Some(code)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_names_the_field_and_what_to_write() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let send = |method: Method, path: &str, kind: &str, body: String| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, kind);
        site.send(request.body(Body::from(body)).unwrap())
    };
    let json = "application/json";
    let distro = "/api/v1/distros/x";
    for (method, path, kind, body, status, field, told) in [
        (
            Method::GET,
            "/api/v1/hosts/nonsense",
            json,
            "",
            400,
            "id",
            "id = `nonsense`: it is no id (UUID); write one",
        ),
        (Method::GET, "/api/v1/installs/1/log", json, "", 400, "id", "id = `1`"),
        (Method::GET, "/api/v1/distros/%ff", json, "", 400, "name", "no UTF-8"),
        (
            Method::GET,
            "/api/v1/hosts?limit=many",
            json,
            "",
            400,
            "limit",
            "limit: invalid digit",
        ),
        (
            Method::GET,
            "/api/v1/installs?host=web1",
            json,
            "",
            400,
            "host",
            "host: ",
        ),
        (
            Method::GET,
            "/api/v1/hosts?sort=colour",
            json,
            "",
            422,
            "sort",
            "sort = `colour`: the word is not known; write seen",
        ),
        (Method::PUT, distro, json, "{", 400, "body", "it is no JSON"),
        (
            Method::PUT,
            distro,
            "text/plain",
            "{}",
            415,
            "body",
            "Content-Type: application/json",
        ),
        (Method::PUT, distro, json, "[]", 422, "body", "body: it is"),
        (
            Method::PUT,
            distro,
            json,
            "{}",
            422,
            "family",
            "family: it is missing; add it",
        ),
        (
            Method::POST,
            "/api/v1/tokens",
            json,
            r#"{"name": "ci", "role": "king"}"#,
            422,
            "role",
            "role = `king`: the word is not known; write viewer, operator, admin",
        ),
        (
            Method::PUT,
            distro,
            json,
            r#"{"famly": "redhat"}"#,
            422,
            "famly",
            "famly: there is no such field; write ",
        ),
        (
            Method::POST,
            "/api/v1/tokens",
            json,
            r#"{"name": 5, "role": "viewer"}"#,
            422,
            "name",
            "name: it is integer `5`; write a string",
        ),
        (
            Method::PUT,
            "/api/v1/rules/r",
            json,
            r#"{"when": "true", "hostname": "web_1"}"#,
            422,
            "hostname",
            "`_` cannot stand in one",
        ),
    ] {
        let what = format!("{method} {path} {body}");
        let answer = send(method, path, kind, body.to_owned()).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.body);
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{what}"
        );
        let problem = answer.json();
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&"malformed".into(), &field.into()),
            "{what}: {problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(told), "{what}: {problem}");
        assert!(!problem["advice"].as_str().unwrap().is_empty(), "{what}");
        assert!(!answer.body.contains("deserialize"), "{what}: {problem}");
    }
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(70 << 10));
    let answer = send(Method::POST, "/api/v1/tokens", json, large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body.contains("send 64 KiB at most"), "{}", answer.body);
    let answer = send(Method::DELETE, "/api/v1/hosts", json, String::new()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["code"], "method_not_allowed");
    assert!(answer.header(header::ALLOW).contains("GET"));
}

#[tokio::test]
async fn tokens_are_made_and_ended() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let post = |body: &str| {
        Request::builder()
            .method(Method::POST)
            .uri("/api/v1/tokens")
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let made = site.send(post(r#"{"name":"ci","role":"viewer","days":7}"#)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.json()["token"]["id"].as_str().unwrap().to_owned();
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let listed = site.get("/api/v1/tokens", &[("cookie", &cookie)]).await;
    assert!(listed.body.contains(&id) && !listed.body.contains(&secret));
    let wrong = site.send(post(r#"{"name":"ci","role":"king"}"#)).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()["code"].as_str()),
        (422, Some("malformed"))
    );

    let end = || {
        Request::delete(format!("/api/v1/tokens/{id}"))
            .header(header::COOKIE, &cookie)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(site.send(end()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.send(end()).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_host_measured_is_given_as_series() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let signed = [("cookie", cookie.as_str())];
    let id = site
        .reported(hardware::facts(1, 0, Firmware::Uefi, 1_800_000_000))
        .await;
    site.measured(id).await;
    let path = format!("/api/v1/hosts/{id}/metrics");
    let all = site
        .get(&format!("{path}?series=cpu,filesystem.used"), &signed)
        .await
        .json();
    assert_eq!(
        (&all["step"], all["times"].as_array().unwrap().len()),
        (&"raw".into(), 13),
        "{all}"
    );
    let names: Vec<_> = all["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["instance"]))
        .collect();
    assert_eq!(
        names,
        [
            (&"cpu.user".into(), &Value::Null),
            (&"filesystem.used".into(), &"/".into())
        ]
    );
    assert_eq!(
        (&all["series"][0]["avg"][0], &all["series"][0]["unit"]),
        (&0.5.into(), &"share".into())
    );
    let shown = site.get(&format!("/api/v1/hosts/{id}"), &signed).await.json();
    assert_eq!(shown["health"], "ok");
    let found = site.get("/api/v1/hosts?health=lost", &signed).await.json();
    assert_eq!(found["total"], 0);
    for (query, word) in [
        ("series=nonsense", "nonsense"),
        ("from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:00Z", "before"),
    ] {
        let refused = site.get(&format!("{path}?{query}"), &signed).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
        assert!(refused.body.contains(word), "{}", refused.body);
    }
    for query in [
        "points=0",
        "points=1000000&from=1800-01-01T00:00:00Z",
        "to=9999-12-31T00:00:00Z",
    ] {
        let answer = site.get(&format!("{path}?{query}"), &signed).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
    }
    let nobody = uuid::Uuid::nil();
    let unknown = site.get(&format!("/api/v1/hosts/{nobody}/metrics"), &signed).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let fleet = site.get("/api/v1/metrics/fleet", &signed).await.json();
    assert_eq!(fleet["times"], Value::from(Vec::<i64>::new()));
}
