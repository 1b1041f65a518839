//! Programs that are not ours read what Muster says of its hosts. A peer that is not installed is named and left out;
//! `cargo xtask test` installs them all.

mod ansible;
mod dns;
mod prometheus;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::cli::{Running, folder, muster, output, text, with_input};

/// Far more than anything here takes; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(60);

/// Whether these programs are installed; says which are not.
fn installed(programs: &[&str]) -> bool {
    let folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let is_there = |program: &str| {
        let mut places = folders.iter().map(|folder| folder.join(program));
        Path::new(program).is_absolute() && Path::new(program).exists() || places.any(|place| place.is_file())
    };
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_there(program)).collect();
    if !missing.is_empty() {
        println!("NOT RUN: {} is not installed here", missing.join(", "));
    }
    missing.is_empty()
}

/// A port that was free just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A server with hosts of this machine's own addresses, and a token of a viewer.
struct Server {
    dir: TempDir,
    port: u16,
    token: String,
    _running: Running,
}

impl Server {
    fn start() -> Self {
        let dir = folder("127.0.0.1:0", "");
        let mut command = muster(dir.path());
        command.arg("serve");
        let (running, lines) = Running::start(command);
        let told = Running::until_ready(&lines).join("\n");
        let address = told
            .split("http://127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let port = address.and_then(|port| port.parse().ok()).expect(&told);
        let server = Self {
            dir,
            port,
            token: String::new(),
            _running: running,
        };
        let made = with_input(
            &mut server.muster(&["user", "add", "peer"]),
            "correct horse battery staple\n",
        );
        assert!(made.status.success(), "{}", text(&made.stderr));
        let token = server.does(&["token", "add", "peer", "--user", "peer", "--role", "viewer"]);
        fs::write(server.path("token"), &token).unwrap();
        server.does(&[
            "distro",
            "add",
            "debian13",
            "--family",
            "debian",
            "--os",
            "debian",
            "--os-version",
            "13",
            "--arch",
            "x86_64",
            "--tree",
            "http://mirror/debian13",
            "--kernel",
            "linux",
            "--initrd",
            "initrd.gz",
        ]);
        server.does(&[
            "profile",
            "add",
            "web",
            "--distro",
            "debian13",
            "--domain",
            "example.org",
        ]);
        Self {
            token: token.trim().to_owned(),
            ..server
        }
    }

    fn host(&self, name: &str, mac: &str, address: &str, more: &[&str]) {
        let network = format!(r#"{{"interfaces": {{"eth0": {{"addresses": ["{address}"]}}}}}}"#);
        let mut arguments = vec![
            "host",
            "add",
            name,
            "--mac",
            mac,
            "--profile",
            "web",
            "--network",
            &network,
        ];
        arguments.extend(more);
        self.does(&arguments);
    }

    fn muster(&self, arguments: &[&str]) -> Command {
        let mut command = muster(self.dir.path());
        command.args(arguments);
        command
    }

    fn does(&self, arguments: &[&str]) -> String {
        let done = output(&mut self.muster(arguments));
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// What a program prints that must end well.
fn prints(command: &mut Command) -> String {
    let done = output(command);
    assert!(
        done.status.success(),
        "{command:?}: {}{}",
        text(&done.stdout),
        text(&done.stderr)
    );
    text(&done.stdout)
}
