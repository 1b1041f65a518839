//! A person chooses a profile, sees what is in force, starts the installation and watches it.

use std::time::Duration;

use crate::{browser::Browser, set_up, site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_given_a_profile_and_its_installation_is_watched() {
    let site = Site::start().await;
    site.profiles().await;
    let browser = Browser::start("install").await;
    set_up(&browser, &site).await;
    site.boot("none").await;
    browser.open(&site.url("/hosts")).await;
    browser.click("#rows a.title").await;
    browser
        .until("the host's page", "location.pathname.startsWith('/hosts/')")
        .await;

    // A profile, and what comes of it.
    browser.click(".tabs a[href$='tab=plan']").await;
    browser.click("#profile option[value=web]").await;
    browser.click("#profile-form button").await;
    let in_force = "document.getElementById('in-force').innerText";
    browser
        .until(
            "values of all layers",
            &format!("/nginx/.test({in_force}) && /Europe\\/Berlin/.test({in_force})"),
        )
        .await;
    let layers = "Array.from(document.querySelectorAll('#field-packages .badge')).map(e => e.innerText).join()";
    assert_eq!(browser.value(layers).await, "profile base,profile base,profile web");
    browser.picture("1-plan").await;

    // Its own values: a fault stands at its field, and what is right is saved.
    browser.click(".pills a[href$='view=edit']").await;
    browser.click("details.group:has(#v-hostname) > summary").await;
    browser.fill("#v-hostname", "not a name").await;
    browser.click(".save button[value=save]").await;
    browser.find("#v-hostname.is-invalid").await;
    browser.picture("2-fault").await;
    browser.fill("#v-hostname", "web1").await;
    browser.click(".save button[value=save]").await;
    browser
        .until("the saved name", "document.querySelector('#field-hostname .own')")
        .await;

    // The answer file, line by line.
    browser.click(".pills a[href$='view=answer']").await;
    browser
        .until("its lines", "document.querySelectorAll('#answer li').length > 20")
        .await;
    assert_eq!(
        browser
            .value("document.getElementById('answer').innerText.includes('$6$')")
            .await,
        false
    );
    browser.picture("3-answer").await;

    // The installation.
    browser.click(".tabs a[href$='tab=install']").await;
    browser.click("#start button").await;
    let now = "document.querySelector('.stages [aria-current]')?.dataset.stage";
    browser
        .until("it waits for the machine", &format!("{now} === 'waiting_boot'"))
        .await;
    browser
        .until("the stream", "!document.getElementById('live').hidden")
        .await;
    browser.value("window.neverReloaded = true").await;
    browser.picture("4-waits").await;

    let machine = Installer::new(&site);
    let answer = machine.starts().await;
    browser
        .until("the answer file is fetched", &format!("{now} === 'answer'"))
        .await;
    machine.says(&answer, "stage=packages&n=5&of=50").await;
    browser.until("packages", &format!("{now} === 'packages'")).await;
    browser.picture("5-packages").await;
    machine.says(&answer, "stage=failed&message=no+space+left").await;
    let head = "document.querySelector('#install-head h2').innerText";
    browser.until("its end", &format!("{head}.startsWith('Failed')")).await;
    assert_eq!(browser.value("window.neverReloaded").await, true);

    // It is in the list, and can be tried again; its answer file was given, so the host's name is asked for.
    browser.open(&site.url("/installs")).await;
    browser.click("#rows a.title").await;
    let asked = "document.querySelector('label[for=typed] b').innerText";
    browser.find("#typed").await;
    let name = browser.value(asked).await;
    browser.fill("#typed", name.as_str().unwrap_or_default()).await;
    browser.click("#start button").await;
    browser
        .until("it runs again", &format!("{now} === 'waiting_boot'"))
        .await;
    browser.click("#cancel > summary").await;
    browser.click("#cancel button").await;
    browser
        .until("it is cancelled", &format!("{head}.startsWith('Cancelled')"))
        .await;
    browser.picture("6-cancelled").await;
    // A form that is refused is no success, and the browser says so.
    let complaints = browser.complaints().await;
    assert!(
        complaints.len() == 1 && complaints[0].contains("/plan") && complaints[0].contains("422"),
        "{complaints:?}"
    );
    browser.close().await;
    site.stop().await;
}

/// What an installer asks of the server, from this machine.
struct Installer {
    client: reqwest::Client,
    script: String,
}

impl Installer {
    fn new(site: &Site) -> Self {
        Self {
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()
                .unwrap(),
            script: site.url(&format!("/boot/ipxe?mac={}&platform=efi", Site::machine())),
        }
    }

    async fn get(&self, address: &str) -> String {
        let answer = self.client.get(address).send().await.unwrap();
        assert!(answer.status().is_success(), "{address}: {}", answer.status());
        answer.text().await.unwrap()
    }

    /// Boots its kernel and fetches its answer file; gives the address where it tells its stages.
    async fn starts(&self) -> String {
        let script = self.get(&self.script).await;
        let address = word(&script, "http://", "/boot/answer/");
        let answer = self.get(&address).await;
        word(&answer, "http://", "/boot/stage/")
    }

    async fn says(&self, stage: &str, what: &str) {
        self.get(&format!("{stage}?{what}")).await;
    }
}

/// The word of a text that begins with `begin` and has `part` in it, up to what no address has.
fn word(text: &str, begin: &str, part: &str) -> String {
    let middle = text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    let from = text[..middle].rfind(begin).unwrap();
    let rest = &text[from..];
    let end = rest
        .find(|c: char| c.is_whitespace() || "\"'?;&".contains(c))
        .unwrap_or(rest.len());
    rest[..end].to_owned()
}
