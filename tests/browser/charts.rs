//! A person looks at a host's charts: they are drawn, can be looked at closer, and follow the theme.

use serde_json::json;

use crate::{browser::Browser, screens::looks_at, set_up, site::Site};

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
        var inked = 0, columns = 0, height = Math.round(canvas.height * 0.8);
        var pixels = context.getImageData(0, 0, canvas.width, height).data;
        for (var x = Math.round(canvas.width * 0.1); x < canvas.width * 0.98; x += 1) {
            var strong = false;
            for (var y = 0; y < height; y += 1) {
                var i = (y * canvas.width + x) * 4, colour = [pixels[i], pixels[i + 1], pixels[i + 2]];
                if (pixels[i + 3] > 200 && Math.max.apply(null, colour) - Math.min.apply(null, colour) > 60) strong = true;
            }
            columns += 1;
            if (strong) inked += 1;
        }
        return inked / columns;
    })()";
    let share = browser.value(ink).await.as_f64().unwrap();
    assert!((0.85..0.985).contains(&share), "{share} of the time has a line");

    let drag = r"(function () {
        var over = document.querySelector('[data-name=cpu] .u-over'), box = over.getBoundingClientRect();
        var at = function (part) { return { bubbles: true, clientX: box.left + box.width * part, clientY: box.top + box.height / 2, movementX: 9, button: 0 }; };
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
    let host = format!("/hosts/{host}");
    let charts = format!("{host}?tab=charts&span=1d");
    for (screen, width, height) in [("desk", 1440, 1900), ("phone", 390, 3600)] {
        browser.screen(width, height).await;
        looks_at(
            &browser,
            &site,
            screen,
            &["/overview", &charts, &host, "/hosts?health=late"],
        )
        .await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    site.stop().await;
}
