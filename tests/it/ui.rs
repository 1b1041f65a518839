//! Pages as a browser gets them.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use chrono::TimeDelta;
use futures_util::StreamExt;
use muster::{boot::EventKind, discovery::FeedItem, http::ui::Locale, store::Role};
use muster_facts::{MacAddr, Unread};
use muster_fleet::{Firmware, hardware};

use crate::site::Site;

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);

/// A page in both languages: it renders, leaves no key unsaid, and has no script or style of its own.
async fn page(site: &Site, cookie: &str, path: &str) -> String {
    let mut english = String::new();
    for locale in Locale::ALL {
        let answer = site
            .get(path, &[("cookie", cookie), ("accept-language", locale.code())])
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert!(answer.body.contains(&format!("<html lang=\"{}\"", locale.code())));
        for unsaid in [
            "hosts.",
            "host.",
            "verdict.",
            "verdict_advice.",
            "event.",
            "rule.",
            "state.",
            "mode.",
            "dhcp.",
        ] {
            assert!(
                !answer.body.contains(&format!(">{unsaid}")),
                "{path} shows a key {unsaid}"
            );
        }
        assert!(!answer.body.contains(" style="), "{path} has a style of its own");
        assert!(!answer.body.contains("<script>"), "{path} has a script of its own");
        assert!(!answer.body.contains("onclick"), "{path} has a handler of its own");
        if locale == Locale::En {
            english = answer.body;
        }
    }
    english
}

#[tokio::test]
async fn an_empty_ledger_says_what_to_do() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let hosts = page(&site, &cookie, "/hosts").await;
    assert!(hosts.contains("No machine has been seen yet"));
    assert!(hosts.contains("[[dhcp.subnets]]"));
    let dhcp = page(&site, &cookie, "/dhcp").await;
    assert!(dhcp.contains("must be the only DHCP server"));
    assert!(dhcp.contains("0 of 10 addresses leased"));
    page(&site, &cookie, "/account").await;
}

#[tokio::test]
async fn a_host_shows_all_that_it_reported() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    for (index, firmware) in [Firmware::Bios, Firmware::Uefi, Firmware::Arm64]
        .into_iter()
        .enumerate()
    {
        let mut facts = hardware::facts(3, u32::try_from(index).unwrap(), firmware, 1_800_000_000);
        facts.unread.push(Unread {
            what: "bmc".into(),
            why: "/dev/ipmi0: no such device".into(),
        });
        let id = site.reported(facts.clone()).await;
        let overview = page(&site, &cookie, &format!("/hosts/{id}")).await;
        assert!(overview.contains("Booted and reported"));
        assert!(overview.contains(facts.system.serial.as_deref().unwrap()));
        let shown = page(&site, &cookie, &format!("/hosts/{id}?tab=hardware")).await;
        let serials = facts.memory.dimms.iter().filter_map(|dimm| dimm.serial.as_deref());
        for serial in serials.chain(facts.disks.iter().filter_map(|disk| disk.serial.as_deref())) {
            assert!(shown.contains(serial), "{serial}");
        }
        for nic in &facts.nics {
            assert!(shown.contains(&nic.mac.unwrap().to_string()));
        }
        assert!(shown.contains("no such device"));
        assert!(
            page(&site, &cookie, &format!("/hosts/{id}?tab=facts"))
                .await
                .contains("&quot;serial&quot;")
        );
        page(&site, &cookie, &format!("/hosts/{id}?tab=changes")).await;
        page(&site, &cookie, &format!("/hosts/{id}?tab=boots")).await;
        let list = page(&site, &cookie, "/hosts").await;
        assert!(list.contains(&format!("id=\"host-{id}\"")));
    }
    // The least that a machine can say renders too.
    let id = site.reported(muster_facts::Facts::default()).await;
    for tab in ["overview", "hardware", "boots", "changes", "facts", "nonsense"] {
        page(&site, &cookie, &format!("/hosts/{id}?tab={tab}")).await;
    }
}

#[tokio::test]
async fn a_boot_is_told_in_plain_words() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let id = site
        .seen(
            MAC,
            "observed_only",
            &[
                (EventKind::DhcpDiscover, &[("arch", "x86-bios"), ("mode", "observe")]),
                (EventKind::DhcpSilence, &[("mode", "observe")]),
            ],
        )
        .await;
    let told = page(&site, &cookie, &format!("/hosts/{id}?tab=boots")).await;
    assert!(told.contains("Looks for a DHCP server (BIOS)"), "{told}");
    assert!(told.contains("Muster only observes in this subnet"));
    let list = page(&site, &cookie, "/hosts").await;
    assert!(list.contains(&MAC.to_string()));
}

#[tokio::test]
async fn what_machines_say_is_text_and_never_markup() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let mut facts = hardware::facts(5, 0, Firmware::Bios, 1_800_000_000);
    let evil = "<img src=x onerror=alert(1)>\"'";
    facts.system.product = Some(evil.into());
    facts.system.serial = Some(evil.into());
    facts.memory.dimms[0].part = Some(evil.into());
    facts.hostname = Some(evil.into());
    let mac = facts.nics[0].mac.unwrap();
    let id = site.reported(facts).await;
    site.network(mac).await;
    for path in [
        "/hosts".to_owned(),
        "/dhcp".to_owned(),
        format!("/hosts/{id}"),
        format!("/hosts/{id}?tab=hardware"),
        format!("/hosts/{id}?tab=facts"),
    ] {
        let shown = page(&site, &cookie, &path).await;
        assert!(!shown.contains("<img"), "{path}");
        assert!(!shown.contains("<script>alert"), "{path}");
    }
    // As it is it cannot be read, in quotation marks it is a text.
    for (quote, said) in [("", "No field stands before"), ("%22", "No host fits")] {
        let path = format!("/hosts?q={quote}%3Cscript%3Ealert(1)%3C/script%3E{quote}");
        let search = site.get(&path, &[("cookie", &cookie)]).await;
        assert!(!search.body.contains("<script>alert"));
        assert!(search.body.contains(said), "{}", search.body);
    }
}

#[tokio::test]
async fn every_answer_forbids_inline_scripts_and_frames() {
    let site = Site::new().await;
    for path in ["/signin", "/nothing", "/api/v1/me", "/assets/muster.js"] {
        let answer = site.get(path, &[]).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn assets_are_kept_by_browsers_until_they_change() {
    let site = Site::new().await;
    site.signed_in().await;
    let html = site.get("/signin", &[]).await.body;
    for name in [
        "tabler.min.css",
        "muster.css",
        "htmx.min.js",
        "uPlot.iife.min.js",
        "muster.js",
        "theme.js",
    ] {
        assert!(html.contains(name), "{name} is not on the page");
        let asset = site.get(&format!("/assets/{name}"), &[]).await;
        assert_eq!(asset.status, StatusCode::OK, "{name}");
        let tag = asset.header(header::ETAG).to_owned();
        let again = site.get(&format!("/assets/{name}"), &[("if-none-match", &tag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{name}");
    }
    assert_eq!(
        site.get("/assets/..%2FCargo.toml", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_language_is_remembered() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let chosen = site.form("/language", &cookie, "locale=zh-CN&back=/dhcp").await;
    assert_eq!(chosen.header(header::LOCATION), "/dhcp");
    let shown = site.get("/dhcp", &[("cookie", &cookie)]).await;
    assert!(shown.body.contains("其他 DHCP 服务器"));
}

#[tokio::test]
async fn a_watcher_learns_what_changed() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let id = site.seen(MAC, "in_progress", &[]).await;
    let request = Request::get("/events/stream")
        .header("cookie", &cookie)
        .body(Body::empty())
        .unwrap();
    let answer = site.raw(request).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = answer.into_body().into_data_stream();
    let feed = site.discovery.feed();
    let told = tokio::join!(stream.next(), async {
        tokio::task::yield_now().await;
        feed.tell(FeedItem::Host(id));
        feed.tell(FeedItem::Leases);
    });
    let text = String::from_utf8(told.0.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.starts_with("event: changed\n"), "{text}");
    assert!(
        text.contains(&id.to_string()) && text.contains("\"leases\":true"),
        "{text}"
    );
}

#[tokio::test]
async fn one_user_has_so_many_streams_and_no_more() {
    let site = Site::new().await;
    let cookies = [site.signed_in().await, site.signed_in_as("bert", Role::Viewer).await];
    let open = async |cookie: &str| {
        let request = Request::get("/events/stream").header("cookie", cookie);
        site.raw(request.body(Body::empty()).unwrap()).await
    };
    let mut streams = Vec::new();
    for _ in 0..16 {
        let stream = open(&cookies[0]).await;
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    let refused = open(&cookies[0]).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "30");
    assert_eq!(open(&cookies[1]).await.status(), StatusCode::OK);
    streams.pop();
    assert_eq!(open(&cookies[0]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    for number in 0..60_u8 {
        site.seen(MacAddr([2, 0, 0, 0, 0, number]), "in_progress", &[]).await;
    }
    let first = page(&site, &cookie, "/hosts").await;
    assert_eq!(first.matches("<tr id=\"host-").count(), 50);
    let second = page(&site, &cookie, "/hosts?page=2").await;
    assert_eq!(second.matches("<tr id=\"host-").count(), 10);
    assert!(second.contains("51–60 of 60"));
    let sorted = page(&site, &cookie, "/hosts?sort=name&order=up").await;
    assert!(sorted.contains("aria-sort=\"ascending\""));
}

#[tokio::test]
async fn charts_and_overview_say_what_there_is() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let overview = page(&site, &cookie, "/overview").await;
    assert!(overview.contains("No machine has been seen yet"));
    let id = site
        .reported(hardware::facts(3, 1, Firmware::Uefi, 1_800_000_000))
        .await;
    let charts = page(&site, &cookie, &format!("/hosts/{id}?tab=charts")).await;
    assert!(charts.contains("Nothing was measured yet") && !charts.contains("data-series"));
    let overview = page(&site, &cookie, "/overview").await;
    assert!(overview.contains("No host has an agent yet") && overview.contains("hosts?state=inventoried"));

    site.measured(id).await;
    let charts = page(&site, &cookie, &format!("/hosts/{id}?tab=charts&span=7d")).await;
    for shown in [
        "data-series=\"cpu.user,",
        "backup.service",
        "data-seconds=\"604800\"",
        "charts.js",
    ] {
        assert!(charts.contains(shown), "{shown}");
    }
    assert!(charts.contains("health-ok"));
    let first = page(&site, &cookie, &format!("/hosts/{id}")).await;
    assert!(
        first.contains("25.0 % <span class=\"sub mono\">"),
        "the fullest file system"
    );
    assert!(page(&site, &cookie, "/overview").await.contains("hosts?health=ok"));
    site.pass(TimeDelta::minutes(5));
    let list = page(&site, &cookie, "/hosts").await;
    assert!(list.contains("hosts?health=late") && list.contains("health-late"));
    assert!(
        page(&site, &cookie, "/hosts?health=lost")
            .await
            .contains("No host fits")
    );
    assert!(
        page(&site, &cookie, "/hosts?health=late")
            .await
            .contains(&format!("host-{id}"))
    );
}
