//! Pages on a phone and on a desk: nothing sticks out to the side, in light and in dark, with nothing in the ledger and
//! with much.

use serde_json::json;

use crate::{browser::Browser, set_up, site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_a_phone() {
    pages_fit("phone", 390, 844).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_a_desk() {
    pages_fit("desk", 1440, 900).await;
}

/// Looks at every page on a screen of so many CSS pixels.
async fn pages_fit(name: &str, width: u32, height: u32) {
    let site = Site::start().await;
    let browser = Browser::start(name).await;
    browser.screen(width, height).await;
    browser.open(&site.url("/setup")).await;
    browser.picture("entry-setup-light-en").await;
    set_up(&browser, &site).await;
    let pages = [
        "/hosts",
        "/installs",
        "/profiles",
        "/rules",
        "/rules/dry-run",
        "/new/rule",
        "/new/distro",
        "/defaults",
        "/dhcp",
        "/account",
    ];
    looks_at(&browser, &site, "empty", width, &pages).await;

    site.enter(10_000).await;
    site.boot("none").await;
    browser.open(&site.url(&format!("/hosts?q={}", Site::machine()))).await;
    let host = browser
        .value("document.querySelector('#rows a.title').getAttribute('href')")
        .await;
    let host = host.as_str().unwrap();
    site.profiles().await;
    site.rules().await;
    let running = site.installations(10_000).await;
    let planned = site.planned().await;
    let tabs = ["overview", "hardware", "boots", "changes", "facts"].map(|tab| format!("{host}?tab={tab}"));
    let views = ["values", "edit", "text", "answer"].map(|view| format!("/hosts/{planned}?tab=plan&view={view}"));
    let others = [
        format!("/hosts/{planned}?tab=install"),
        format!("/installs/{running}"),
        "/rules/big-memory?view=try".to_owned(),
    ];
    let mut pages: Vec<&str> = vec!["/hosts", "/hosts?page=150", "/dhcp", "/installs", "/profiles"];
    pages.extend([
        "/profiles/web-canary",
        "/profiles/web?view=edit",
        "/profiles/base?view=text",
        "/distros/debian13",
    ]);
    pages.extend([
        "/defaults",
        "/new/profile?parent=profile:web",
        "/rules",
        "/rules/dry-run",
    ]);
    pages.extend(tabs.iter().chain(&views).chain(&others).map(String::as_str));
    looks_at(&browser, &site, "full", width, &pages).await;
    browser.open(&site.url("/hosts?page=150")).await;
    let found = browser.value("document.getElementById('pager').innerText").await;
    assert!(found.as_str().unwrap().contains("10,001"), "{found}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    browser
        .click("details.menu:has(form[action='/signout']) > summary")
        .await;
    browser.click("form[action='/signout'] button").await;
    browser.until("the sign-in", "location.pathname === '/signin'").await;
    looks_at(&browser, &site, "entry", width, &["/signin"]).await;
    browser.close().await;
    site.stop().await;
}

/// Opens each page in each theme and both languages.
async fn looks_at(browser: &Browser, site: &Site, ledger: &str, width: u32, pages: &[&str]) {
    for (theme, language) in [("light", "en"), ("dark", "zh-CN"), ("light", "zh-CN"), ("dark", "en")] {
        browser.open(&site.url(pages[0])).await;
        browser.click("details.menu:has([data-theme-set]) > summary").await;
        browser.click(&format!("[data-theme-set={theme}]")).await;
        browser.click("details.menu:has(button[name=locale]) > summary").await;
        browser.click(&format!("button[name=locale][value={language}]")).await;
        let chosen = format!("document.documentElement.lang === '{language}'");
        browser.until(language, &chosen).await;
        for page in pages {
            browser.open(&site.url(page)).await;
            let shown = browser
                .value("document.documentElement.getAttribute('data-bs-theme')")
                .await;
            assert_eq!(shown, theme, "{page}");
            let name = picture_name(page);
            browser.picture(&format!("{ledger}-{name}-{theme}-{language}")).await;
            let sticks_out = browser.value(STICKS_OUT).await;
            assert_eq!(sticks_out, json!([]), "{page} in {theme}, {language}");
            let lost = browser.value(LOST).await;
            assert_eq!(
                lost,
                json!([]),
                "{page} in {theme}, {language}: where one is cannot be seen"
            );
            let scrolls = browser.value("document.documentElement.scrollWidth").await;
            assert_eq!(scrolls, width, "{page} in {theme}, {language}");
        }
    }
}

/// The name of a page's picture: without the ids of its address.
fn picture_name(page: &str) -> String {
    page.split(['/', '?', '&', '=', ':'])
        .filter(|part| !part.is_empty() && uuid::Uuid::parse_str(part).is_err())
        .collect::<Vec<_>>()
        .join("-")
}

/// Marks of where one is that are not wholly on the screen.
const LOST: &str = r"Array.from(document.querySelectorAll('[aria-current]')).filter(function (element) {
    var box = element.getBoundingClientRect();
    return box.left < -0.5 || box.right > innerWidth + 0.5;
}).map(function (element) { return element.outerHTML; })";

/// Elements that end right of the screen, but for those in a box that scrolls by itself.
const STICKS_OUT: &str = r"Array.from(document.querySelectorAll('body *')).filter(function (element) {
    var box = element.getBoundingClientRect();
    if (box.width === 0 || box.right <= innerWidth + 0.5) return false;
    for (var around = element; around !== document.body; around = around.parentElement) {
        if (getComputedStyle(around).overflowX !== 'visible') return false;
    }
    return true;
}).map(function (element) { return element.outerHTML.slice(0, 120); })";
