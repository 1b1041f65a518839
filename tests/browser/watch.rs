//! A page that is left open shows what happens, by itself.

use crate::{browser::Browser, set_up, site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_arrives_on_an_open_page() {
    let site = Site::start().await;
    let browser = Browser::start("watch").await;
    set_up(&browser, &site).await;
    browser.find(".empty-steps li").await;
    browser.picture("1-empty").await;
    browser
        .until("the stream", "!document.getElementById('live').hidden")
        .await;
    // Gone after a reload: what appears from here on came by the stream.
    browser.value("window.neverReloaded = true").await;

    let summary = site.boot("stalls").await;
    assert_eq!(summary.hosts(), 0, "it hangs before its report");
    browser
        .until(
            "a row for the machine",
            "document.querySelectorAll('#rows tr').length === 1",
        )
        .await;
    let row = "document.querySelector('#rows tr').innerText";
    browser
        .until("its state", &format!("{row}.includes('Discovered')"))
        .await;
    let id = browser.value("document.querySelector('#rows tr').id").await;
    browser.picture("2-discovered").await;

    let summary = site.boot("none").await;
    assert_eq!(summary.hosts(), 1);
    browser
        .until("its new state", &format!("{row}.includes('Inventoried')"))
        .await;
    assert_eq!(browser.value("document.querySelector('#rows tr').id").await, id);
    assert_eq!(browser.value("document.querySelectorAll('#rows tr').length").await, 1);
    assert_eq!(browser.value("window.neverReloaded").await, true);
    browser.picture("3-inventoried").await;

    // What came by the stream works as what came with the page: the search asks for its rows only.
    browser.fill("#search", "nothing is called so").await;
    browser.until("nothing found", "!document.querySelector('#rows')").await;
    assert_eq!(browser.value("window.neverReloaded").await, true);
    browser.open(&site.url("/hosts")).await;

    browser.click("#rows a.title").await;
    browser
        .until("the host's page", "location.pathname.startsWith('/hosts/')")
        .await;
    let story = "document.querySelector('.story').innerText";
    browser
        .until("its transcript", &format!("{story}.includes('Report accepted')"))
        .await;
    browser.picture("4-host").await;
    let english = browser.value("document.querySelector('h1').innerText").await;

    browser.click("details.menu:has(button[name=locale]) > summary").await;
    browser.click("button[name=locale][value=zh-CN]").await;
    browser.until("中文", "document.documentElement.lang === 'zh-CN'").await;
    assert_eq!(browser.value("document.querySelector('h1').innerText").await, english);
    browser
        .until("the transcript in 中文", &format!("/[\\u4e00-\\u9fff]/.test({story})"))
        .await;
    browser.picture("5-chinese").await;

    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    site.stop().await;
}
