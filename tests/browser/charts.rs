//! A person looks at a host's charts: they are drawn, can be looked at closer, and follow the theme.

use serde_json::json;

use crate::{browser::Browser, set_up, site::Site};

/// All charts have been asked for.
pub(crate) const DRAWN: &str =
    "!document.getElementById('charts') || document.getElementById('charts').dataset.drawn === '1'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_are_drawn_and_looked_at_closer() {
    let site = Site::start().await;
    let browser = Browser::start("charts").await;
    browser.screen(1440, 1000).await;
    set_up(&browser, &site).await;
    site.enter(60).await;
    let host = site.measured_host().await;
    browser
        .open(&site.url(&format!("/hosts/{host}?tab=charts&span=1d")))
        .await;
    browser.until("the charts", DRAWN).await;
    let plots = browser
        .value("document.querySelectorAll('#charts .uplot canvas').length")
        .await;
    assert_eq!(plots, 8);
    let failed = "Array.from(document.querySelectorAll('.chart-failed, .chart-none')).filter(function (p) { return !p.hidden; }).length";
    assert_eq!(browser.value(failed).await, 0);
    // The hour in which it was off is no line: ink is missing there and beside it is some.
    let ink = r"(function () {
        var canvas = document.querySelector('[data-name=load] canvas'), context = canvas.getContext('2d');
        var inked = 0, columns = 0, left = canvas.width * 0.1, right = canvas.width * 0.98;
        for (var x = Math.round(left); x < right; x += 1) {
            var pixels = context.getImageData(x, Math.round(canvas.height * 0.05), 1, Math.round(canvas.height * 0.75)).data, strong = 0;
            for (var i = 0; i < pixels.length; i += 4) { if (pixels[i + 3] > 200 && Math.max(pixels[i], pixels[i + 1], pixels[i + 2]) - Math.min(pixels[i], pixels[i + 1], pixels[i + 2]) > 60) strong += 1; }
            columns += 1;
            if (strong > 0) inked += 1;
        }
        return inked / columns;
    })()";
    let share = browser.value(ink).await.as_f64().unwrap();
    assert!((0.85..0.985).contains(&share), "{share} of the time has a line");

    let drag = r"(function () {
        var over = document.querySelector('[data-name=cpu] .u-over'), box = over.getBoundingClientRect();
        var at = function (part) { return { bubbles: true, clientX: box.left + box.width * part, clientY: box.top + box.height / 2, button: 0 }; };
        over.dispatchEvent(new MouseEvent('mousemove', at(0.5)));
        over.dispatchEvent(new MouseEvent('mousedown', at(0.5)));
        document.dispatchEvent(new MouseEvent('mousemove', at(0.7)));
        over.dispatchEvent(new MouseEvent('mousemove', at(0.7)));
        document.dispatchEvent(new MouseEvent('mouseup', at(0.7)));
        document.getElementById('charts').dataset.drawn = '';
        return true;
    })()";
    browser.value(drag).await;
    browser
        .until("the way back", "!document.getElementById('zoom-out').hidden")
        .await;
    browser.until("the closer charts", DRAWN).await;
    browser.picture("zoomed").await;
    browser.click("#zoom-out").await;
    browser
        .until("the whole", "document.getElementById('zoom-out').hidden")
        .await;
    assert_eq!(
        browser
            .value("document.querySelectorAll('#charts .uplot').length")
            .await,
        json!(8)
    );
    for (theme, width) in [("light", 1440), ("dark", 1440), ("dark", 390), ("light", 390)] {
        browser.screen(width, 2200).await;
        browser
            .value(&format!("localStorage.setItem('muster-theme', '{theme}')"))
            .await;
        for page in [
            format!("/hosts/{host}?tab=charts&span=1d"),
            "/overview".to_owned(),
            "/hosts".to_owned(),
            format!("/hosts/{host}"),
        ] {
            browser.open(&site.url(&page)).await;
            browser.until("the charts", DRAWN).await;
            let name = page
                .split(['/', '?'])
                .filter(|part| !part.is_empty() && *part != host.to_string())
                .collect::<Vec<_>>()
                .join("-");
            browser.picture(&format!("{name}-{theme}-{width}")).await;
        }
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    site.stop().await;
}
