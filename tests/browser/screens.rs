//! Pages on a phone and on a desk: nothing sticks out to the side, in light and in dark, with nothing in the ledger and
//! with much.

use serde_json::json;

use crate::{browser::Browser, charts::DRAWN, set_up, site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_a_phone() {
    pages_fit("phone", 390, 844).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_a_desk() {
    pages_fit("desk", 1440, 1000).await;
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
        "/overview",
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
    looks_at(&browser, &site, "empty", &pages).await;

    site.enter(10_000).await;
    site.boot("none").await;
    browser.open(&site.url(&format!("/hosts?q={}", Site::machine()))).await;
    let host = browser
        .value("document.querySelector('#rows a.title').getAttribute('href')")
        .await;
    let host = host.as_str().unwrap();
    let planned = host.trim_start_matches("/hosts/").to_owned();
    site.profiles().await;
    site.rules().await;
    let running = site.installations(10_000).await;
    site.plan(planned.parse().unwrap()).await;
    let measured = site.measured_host().await;
    let tabs = ["overview", "charts", "hardware", "boots", "changes", "facts"].map(|tab| format!("{host}?tab={tab}"));
    let views = ["values", "edit", "text", "answer"].map(|view| format!("/hosts/{planned}?tab=plan&view={view}"));
    let others = [
        format!("/hosts/{planned}?tab=install"),
        format!("/installs/{running}"),
        format!("/hosts/{measured}?tab=charts&span=1d"),
        "/rules/big-memory?view=try".to_owned(),
    ];
    let mut pages: Vec<&str> = vec![
        "/hosts",
        "/overview",
        "/hosts?health=late",
        "/hosts?page=150",
        "/dhcp",
        "/installs",
        "/profiles",
    ];
    pages.extend([
        "/hosts?q=vendor:dell%20mem%3E%3D64",
        "/hosts?q=vendor:dell%20(memm%3E%3D256%20or%20serial:a-very-long-serial-number-that-does-not-fit-a-phone)",
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
    looks_at(&browser, &site, "full", &pages).await;
    browser.open(&site.url("/hosts?page=150")).await;
    let found = browser.value("document.getElementById('pager').innerText").await;
    assert!(found.as_str().unwrap().contains("10,001"), "{found}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    browser
        .click("details.menu:has(form[action='/signout']) > summary")
        .await;
    browser.click("form[action='/signout'] button").await;
    browser.until("the sign-in", "location.pathname === '/signin'").await;
    looks_at(&browser, &site, "entry", &["/signin"]).await;
    browser.close().await;
    site.stop().await;
}

/// What is looked for on each page, and what it means where something is found.
const CHECKS: [(&str, &str); 5] = [
    (STICKS_OUT, "sticks out to the side"),
    (LOST, "where one is cannot be seen"),
    (NAMELESS, "has no name that is read out"),
    (SKIPS, "a heading skips a level"),
    (FAINT, "is too faint to read"),
];

/// Opens each page in each theme and both languages.
pub(crate) async fn looks_at(browser: &Browser, site: &Site, ledger: &str, pages: &[&str]) {
    let mut wrong = Vec::new();
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
            browser.until("the charts", DRAWN).await;
            let took = browser.value(TOOK).await;
            println!("{took} ms {ledger} {page}");
            let shown = browser
                .value("document.documentElement.getAttribute('data-bs-theme')")
                .await;
            assert_eq!(shown, theme, "{page}");
            let name = picture_name(page);
            browser.picture(&format!("{ledger}-{name}-{theme}-{language}")).await;
            for (check, what) in CHECKS {
                let found = browser.value(check).await;
                if found != json!([]) {
                    wrong.push(format!("{page} in {theme}, {language}: {what}: {found:#}"));
                }
            }
            let scrolls = browser.value(SCROLLS).await;
            if scrolls != 0 {
                wrong.push(format!(
                    "{page} in {theme}, {language} scrolls {scrolls} pixels sideways"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

/// How far the page as a whole moves sideways, CSS pixels.
const SCROLLS: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// From the request of the page to the first byte of its answer, milliseconds.
const TOOK: &str = "(function (entry) { return Math.round(entry.responseStart - entry.requestStart); })(performance.getEntriesByType('navigation')[0])";

/// What is used and has no name for who does not see it.
const NAMELESS: &str = r"Array.from(document.querySelectorAll('input:not([type=hidden]):not([hidden]), select, textarea, button, a, summary')).filter(function (element) {
    var words = [element.textContent, element.getAttribute('aria-label'), element.title].concat(Array.from(element.labels || []).map(function (label) { return label.textContent; }));
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName)) words[0] = '';
    return !words.join('').trim();
}).map(function (element) { return element.outerHTML.slice(0, 160); })";

/// Headings that skip a level.
const SKIPS: &str = r"Array.from(document.querySelectorAll('main h1, main h2, main h3, main h4')).filter(function (heading, index, all) {
    var level = Number(heading.tagName[1]), before = index ? Number(all[index - 1].tagName[1]) : 0;
    return level > before + 1;
}).map(function (heading) { return heading.outerHTML.slice(0, 120); })";

/// Words with less contrast to what is behind them than WCAG 2.2 asks for (1.4.3: 4.5, large ones 3), but for what cannot
/// be used now.
const FAINT: &str = r"(function () {
    var context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    function paint(colours) {
        context.clearRect(0, 0, 1, 1);
        colours.forEach(function (colour) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); });
        return Array.from(context.getImageData(0, 0, 1, 1).data).slice(0, 3);
    }
    function light(rgb) {
        var parts = rgb.map(function (part) { part /= 255; return part <= 0.04045 ? part / 12.92 : Math.pow((part + 0.055) / 1.055, 2.4); });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    }
    var seen = {}, faint = [];
    var walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        var element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest('option, [disabled], .visually-hidden, .skip')) continue;
        var style = getComputedStyle(element), layers = [], opacity = 1;
        for (var around = element; around; around = around.parentElement) {
            var its = getComputedStyle(around);
            opacity *= Number(its.opacity);
            layers.unshift(its.backgroundColor);
        }
        layers.unshift(document.documentElement.getAttribute('data-bs-theme') === 'dark' ? '#000' : '#fff');
        var key = [style.color, opacity, style.fontSize, style.fontWeight].concat(layers).join();
        if (seen[key]) continue;
        seen[key] = true;
        var back = paint(layers), fore = paint(layers.concat(style.color));
        fore = fore.map(function (part, index) { return part * opacity + back[index] * (1 - opacity); });
        var high = Math.max(light(fore), light(back)), low = Math.min(light(fore), light(back));
        var size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        var ratio = (high + 0.05) / (low + 0.05);
        if (ratio < (large ? 3 : 4.5)) faint.push(ratio.toFixed(2) + ' ' + style.color + ' on rgb(' + back + ') ' + element.outerHTML.slice(0, 110));
    }
    return faint;
})()";
