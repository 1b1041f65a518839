//! A person at a browser: pages are opened in Chromium, clicked, and looked at while machines boot. Needs Chromium and
//! ChromeDriver, which `cargo xtask setup` installs; no root.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, helpers of tests too"
)]

mod browser;
mod charts;
mod install;
mod measured;
mod screens;
mod site;
mod watch;

use browser::Browser;
use site::{Site, TOKEN};

/// Makes the first account, as its owner does with the token that the server printed.
async fn set_up(browser: &Browser, site: &Site) {
    browser.open(&site.url("/")).await;
    assert_eq!(
        browser.path().await,
        "/setup",
        "without an account there is nothing else"
    );
    browser.fill("#token", TOKEN).await;
    browser.fill("#name", "anna").await;
    browser.fill("#password", "correct horse battery").await;
    browser.click("form[action='/setup'] button").await;
    browser
        .until("the hosts after set-up", "location.pathname === '/hosts'")
        .await;
}
