//! Accounts, sessions and tokens as a browser and a program meet them.

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use muster::store::Role;

use crate::site::{PASSWORD, PROXY, Site, TOKEN};

fn setup_form(token: &str) -> String {
    format!("token={token}&name=anna&password={}", PASSWORD.replace(' ', "+"))
}

#[tokio::test]
async fn the_first_account_needs_the_token_and_only_once() {
    let site = Site::new().await;
    let token = site.auth.open_setup(Some(TOKEN.to_owned())).await.unwrap().unwrap();
    assert_eq!(token.reveal(), TOKEN);
    assert_eq!(site.get("/hosts", &[]).await.header(header::LOCATION), "/setup");
    assert_eq!(site.get("/signin", &[]).await.header(header::LOCATION), "/setup");

    let wrong = site.form("/setup", "", &setup_form("wrong")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("not the one that was printed"));
    let short = site
        .form("/setup", "", &format!("token={TOKEN}&name=anna&password=short"))
        .await;
    assert!(short.body.contains("at least 10 characters"));

    let made = site.form("/setup", "", &setup_form(TOKEN)).await;
    assert_eq!(made.header(header::LOCATION), "/hosts");
    let set = made.header(header::SET_COOKIE).to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    assert_eq!(
        site.get("/hosts", &[("cookie", &made.cookie())]).await.status,
        StatusCode::OK
    );

    let again = site.form("/setup", "", &setup_form(TOKEN)).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(site.auth.open_setup(None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_ends_by_signing_out_and_by_time() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let me = site.get("/api/v1/me", &[("cookie", &cookie)]).await;
    assert_eq!(
        (me.json()["name"].as_str(), me.json()["role"].as_str()),
        (Some("anna"), Some("admin"))
    );
    assert_eq!(me.header(header::CACHE_CONTROL), "no-store");

    // Each use within the time makes it last.
    for _ in 0..3 {
        site.pass(TimeDelta::days(5));
        assert_eq!(
            site.get("/api/v1/me", &[("cookie", &cookie)]).await.status,
            StatusCode::OK
        );
    }
    site.pass(TimeDelta::days(8));
    assert_eq!(
        site.get("/api/v1/me", &[("cookie", &cookie)]).await.status,
        StatusCode::UNAUTHORIZED
    );

    let fields = format!("name=anna&password={}&next=/dhcp", PASSWORD.replace(' ', "+"));
    let entered = site.form("/signin", "", &fields).await;
    assert_eq!(entered.header(header::LOCATION), "/dhcp");
    let cookie = entered.cookie();
    site.form("/signout", &cookie, "").await;
    assert_eq!(
        site.get("/api/v1/me", &[("cookie", &cookie)]).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn guessing_gets_slower() {
    let site = Site::new().await;
    site.signed_in().await;
    for _ in 0..5 {
        let refused = site.form("/signin", "", "name=anna&password=wrong").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.body.contains("Name or password is wrong"));
    }
    let right = format!("name=anna&password={}", PASSWORD.replace(' ', "+"));
    let waiting = site.form("/signin", "", &right).await;
    assert!(waiting.body.contains("Try again in"), "{}", waiting.body);
    site.pass(TimeDelta::seconds(3));
    assert_eq!(site.form("/signin", "", &right).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_guesser_locks_nobody_out_elsewhere() {
    let site = Site::new().await;
    site.signed_in().await;
    let elsewhere = "10.77.0.66:1".parse().unwrap();
    let guess = |number: u32| format!("name=anna&password=wrong{number}");
    for number in 0..50 {
        site.form_from(elsewhere, &[], "/signin", "", &guess(number)).await;
    }
    let right = format!("name=anna&password={}", PASSWORD.replace(' ', "+"));
    let entered = site.form("/signin", "", &right).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.body);
    let guesser = site.form_from(elsewhere, &[], "/signin", "", &right).await;
    assert!(guesser.body.contains("Try again in"), "where it was guessed one waits");
}

#[tokio::test]
async fn behind_our_proxy_each_client_is_counted_by_itself() {
    let site = Site::new().await;
    site.signed_in().await;
    let right = format!("name=anna&password={}", PASSWORD.replace(' ', "+"));
    let from = |client: &'static str| [("x-forwarded-for", client)];
    for _ in 0..6 {
        // The guesser writes an address of its own choice before the one that the proxy adds.
        let wrong = "name=anna&password=wrong";
        let said = from("10.1.1.1, 192.0.2.66");
        site.form_from(PROXY, &said, "/signin", "", wrong).await;
    }
    for (client, status) in [
        ("192.0.2.66", StatusCode::FORBIDDEN),
        ("10.1.1.1, 192.0.2.66", StatusCode::FORBIDDEN),
        ("192.0.2.67", StatusCode::SEE_OTHER),
    ] {
        let answer = site.form_from(PROXY, &from(client), "/signin", "", &right).await;
        assert_eq!(answer.status, status, "{client}");
    }
}

#[tokio::test]
async fn behind_tls_cookies_are_sent_by_https_only() {
    for (site, secure) in [(Site::new().await, false), (Site::behind_tls().await, true)] {
        site.auth.open_setup(Some(TOKEN.to_owned())).await.unwrap();
        let made = site.form("/setup", "", &setup_form(TOKEN)).await;
        let language = site.form("/language", "", "locale=zh-CN&back=/hosts").await;
        for answer in [made, language] {
            let set = answer.header(header::SET_COOKIE);
            assert_eq!(set.contains("; Secure"), secure, "{set}");
        }
    }
}

#[tokio::test]
async fn a_token_acts_for_its_maker_and_not_beyond() {
    let site = Site::new().await;
    let cookie = site.signed_in_as("otto", Role::Operator).await;
    let page = site
        .form("/account/tokens", &cookie, "name=ci&role=viewer&days=30")
        .await;
    let at = page.body.find("muster_").unwrap();
    let secret: String = page.body[at..].chars().take_while(|c| *c != '"').collect();
    let bearer = format!("Bearer {secret}");

    let me = site.get("/api/v1/me", &[("authorization", &bearer)]).await.json();
    assert_eq!(
        (me["role"].as_str(), me["token"].as_str()),
        (Some("viewer"), Some("ci"))
    );
    let refused = site.get("/api/v1/tokens", &[("authorization", &bearer)]).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("forbidden"))
    );

    let listed = site.get("/account", &[("cookie", &cookie)]).await;
    assert!(!listed.body.contains(&secret), "a secret is shown once");

    let stronger = site.form("/account/tokens", &cookie, "name=x&role=admin&days=30").await;
    assert_eq!(stronger.status, StatusCode::UNPROCESSABLE_ENTITY);

    site.pass(TimeDelta::days(31));
    let ended = site.get("/api/v1/me", &[("authorization", &bearer)]).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let present = PASSWORD.replace(' ', "+");
    let wrong = site
        .form("/account/password", &cookie, "present=wrong&new=another+password")
        .await;
    assert!(wrong.body.contains("present password is wrong"));
    let changed = site
        .form(
            "/account/password",
            &cookie,
            &format!("present={present}&new=another+password"),
        )
        .await;
    assert_eq!(changed.header(header::LOCATION), "/signin?changed=true");
    assert_eq!(
        site.get("/api/v1/me", &[("cookie", &cookie)]).await.status,
        StatusCode::UNAUTHORIZED
    );
    let entered = site.form("/signin", "", "name=anna&password=another+password").await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_site_cannot_post_for_a_person() {
    let site = Site::new().await;
    let cookie = site.signed_in().await;
    let request = axum::http::Request::post("/signout")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(site.send(request).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        site.get("/api/v1/me", &[("cookie", &cookie)]).await.status,
        StatusCode::OK
    );
}
