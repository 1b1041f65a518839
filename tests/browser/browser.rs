//! A headless Chromium, driven by WebDriver (W3C) through ChromeDriver.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    time::Duration,
};

use axum::http::Method;
use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long something may take to appear, beside other work on a small machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Kills its whole process group when it is told to end or when who started it has died: ChromeDriver leaves its browser
/// behind when it is killed.
const KEEPER: &str = "trap 'kill -KILL 0' TERM; chromedriver --port=0 & wait";

/// A browser with one window and an empty profile. Dropped, it and all its processes are gone.
pub(crate) struct Browser {
    client: Client,
    pictures: PathBuf,
    // Dropped in this order: processes first, then their files.
    _driver: Driver,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser; pictures that are taken of its pages go to a folder named `test`.
    pub(crate) async fn start(test: &str) -> Self {
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser").join(test);
        std::fs::create_dir_all(&pictures).unwrap();
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = Driver::start(profile.path());
        let options = json!({
            "binary": on_path("chromium"),
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                // Nothing but this machine is reached, whatever a page or the browser itself wants.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--lang=en-US",
                format!("--user-data-dir={}", profile.path().display()),
            ],
        });
        let mut capabilities = Capabilities::new();
        capabilities.insert("browserName".to_owned(), json!("chrome"));
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let browser = Self {
            client,
            pictures,
            _driver: driver,
            _profile: profile,
        };
        browser.screen(1280, 900).await;
        browser
    }

    /// Closes the browser as a person does.
    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }

    pub(crate) async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// The path that is shown.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// The element, once it is there.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).every(POLL);
        match found.for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.seen().await),
        }
    }

    /// Clicks, once the element is there: what a live page replaces meanwhile is looked for again.
    pub(crate) async fn click(&self, css: &str) {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = self.find(css).await.click().await {
            assert!(
                Instant::now() < end,
                "{css} cannot be clicked: {error}\n{}",
                self.seen().await
            );
            sleep(POLL).await;
        }
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What an expression of JavaScript gives.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.client
            .execute(&format!("return {expression}"), Vec::new())
            .await
            .unwrap()
    }

    /// Waits until an expression of JavaScript is true.
    pub(crate) async fn until(&self, what: &str, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(&format!("Boolean({expression})")).await != json!(true) {
            assert!(Instant::now() < end, "{what}\n{}", self.seen().await);
            sleep(POLL).await;
        }
    }

    /// Makes the page's area so many CSS pixels large, as a screen of that size would; a narrow one is a phone's, with
    /// scroll bars that take no room.
    pub(crate) async fn screen(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.send(Extra::devtools("Emulation.setDeviceMetricsOverride", &metrics))
            .await;
    }

    /// Keeps a picture of what is on the screen, for people.
    pub(crate) async fn picture(&self, name: &str) {
        let png = self.client.screenshot().await.unwrap();
        std::fs::write(self.pictures.join(format!("{name}.png")), png).unwrap();
    }

    /// What pages complained about since the last call: errors of scripts, files that did not come, policies broken.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.send(Extra::log()).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    async fn send(&self, command: Extra) -> Value {
        self.client.issue_cmd(command).await.unwrap()
    }

    /// The page's words, for a test that fails.
    async fn seen(&self) -> String {
        let words = self.client.execute("return document.body.innerText", Vec::new()).await;
        let address = self.client.current_url().await;
        format!(
            "{address:?}\n{}",
            words.unwrap_or_default().as_str().unwrap_or_default()
        )
    }
}

/// A command of ChromeDriver beside the standard's.
#[derive(Debug)]
struct Extra {
    path: &'static str,
    body: Value,
}

impl Extra {
    /// A command of the browser's developer tools.
    fn devtools(command: &str, parameters: &Value) -> Self {
        Self {
            path: "goog/cdp/execute",
            body: json!({ "cmd": command, "params": parameters }),
        }
    }

    /// The lines of the browser's console since the last time.
    fn log() -> Self {
        Self {
            path: "se/log",
            body: json!({ "type": "browser" }),
        }
    }
}

impl WebDriverCompatibleCommand for Extra {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// ChromeDriver and every process it has started.
struct Driver(Child);

impl Driver {
    /// Starts it on a free port, which it tells. What it and the browser write goes to `files`.
    fn start(files: &Path) -> (Self, u16) {
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "sh", "-c", KEEPER])
            .env("TMPDIR", files)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut driver = Self(child);
        let lines = BufReader::new(driver.0.stdout.take().unwrap()).lines();
        // Its first line names the port that was asked for, which is 0.
        let port = lines.map_while(Result::ok).find_map(|line| {
            let told = line.trim_end_matches('.').split_once("successfully on port ")?.1;
            told.parse().ok()
        });
        (
            driver,
            port.expect("chromedriver tells its port; is chromium-driver installed?"),
        )
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let Ok(group) = i32::try_from(self.0.id()) else { return };
        let end = std::time::Instant::now() + PATIENCE;
        // Until there is nobody left to kill: then nothing writes to the files that go next.
        while killpg(Pid::from_raw(group), Signal::SIGKILL).is_ok() && std::time::Instant::now() < end {
            let _ = self.0.try_wait();
            std::thread::sleep(POLL);
        }
    }
}

/// Where a program is.
fn on_path(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; `cargo xtask setup` installs it"))
}
