//! The program as a person runs it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Far more than anything here takes; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn muster(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(name);
        }
    }
    command.arg("--config").arg(dir.join("muster.toml"));
    command
}

/// A folder with settings that need no privilege and touch nothing outside it.
pub(crate) fn folder(http: &str, more: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[server]\ndata_dir = \"{0}\"\n[http]\nlisten = \"{http}\"\n[boot]\nimage_dir = \"{0}/image\"\nloader_dir = \"{0}/loaders\"\n\
         [dhcp]\nenabled = false\n[tftp]\nenabled = false\n{more}",
        dir.path().display()
    );
    fs::write(dir.path().join("muster.toml"), text).unwrap();
    dir
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends the process when a test fails before it does.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    pub(crate) fn start(mut command: Command) -> (Self, mpsc::Receiver<String>) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        (Self(child), lines)
    }

    /// Lines up to and with `ready`.
    pub(crate) fn until_ready(lines: &mpsc::Receiver<String>) -> Vec<String> {
        let mut seen = Vec::new();
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("not ready ({error}); so far: {seen:?}"),
            }
            if seen.last().is_some_and(|line| line == "ready") {
                return seen;
            }
        }
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for the end and returns its code.
    fn code(&mut self) -> Option<i32> {
        let (send, ended) = mpsc::channel();
        let pid = self.0.id();
        std::thread::spawn(move || {
            // A hang fails the test by the deadline below instead of hanging it.
            if ended.recv_timeout(DEADLINE).is_err() {
                let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        });
        let status = self.0.wait().unwrap();
        let _ = send.send(());
        status.code()
    }
}

pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[test]
fn config_show_names_the_origin_of_each_value() {
    let dir = folder("127.0.0.1:0", "[log]\nfilter = \"warn\"\n");
    let shown = output(
        muster(dir.path())
            .args(["config", "show", "--json", "--set", "tftp.port=6969"])
            .env("MUSTER_DATABASE__URL", "postgres://anna:s3cret@db/muster")
            .env("MUSTER_SETUP_TOKEN", "not a setting"),
    );
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(!text(&shown.stdout).contains("s3cret"));
    let rows: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let origin = |key: &str| {
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["key"] == key)
            .map(|row| row["origin"].as_str().unwrap().to_owned())
            .unwrap()
    };
    assert_eq!(origin("dhcp.port"), "default");
    assert_eq!(origin("tftp.port"), "--set tftp.port");
    assert_eq!(origin("database.url"), "MUSTER_DATABASE__URL");
    assert!(
        origin("log.filter").ends_with("muster.toml:13:10"),
        "{}",
        origin("log.filter")
    );
}

#[test]
fn wrong_settings_end_with_code_2_and_the_line() {
    let dir = folder("127.0.0.1:0", "[log]\nfilte = \"warn\"\n");
    let refused = output(muster(dir.path()).arg("serve"));
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(
        told.contains("muster.toml:13:1: unknown key `log.filte`; did you mean `log.filter`?"),
        "{told}"
    );
}

#[test]
fn check_says_what_stops_a_boot_and_fails() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = folder(&taken.local_addr().unwrap().to_string(), "");
    fs::create_dir(dir.path().join("loaders")).unwrap();
    fs::write(dir.path().join("loaders/undionly.kpxe"), b"x").unwrap();
    let checked = output(muster(dir.path()).args(["check", "--json"]));
    assert_eq!(checked.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let found = |about: &str, weight: &str, part: &str| {
        report["findings"].as_array().unwrap().iter().any(|finding| {
            finding["about"] == about && finding["weight"] == weight && finding["what"].as_str().unwrap().contains(part)
        })
    };
    assert!(
        found("ports", "fail", &format!("(pid {})", std::process::id())),
        "{report:#}"
    );
    assert!(found("loaders", "ok", "undionly.kpxe"), "{report:#}");
    assert!(found("loaders", "fail", "snponly.efi does not exist"), "{report:#}");
    assert!(found("image", "fail", "vmlinuz does not exist"), "{report:#}");
}

#[test]
fn serve_says_ready_and_ends_well_when_told() {
    for signal in [nix::sys::signal::Signal::SIGTERM, nix::sys::signal::Signal::SIGINT] {
        let dir = folder("127.0.0.1:0", "");
        let mut command = muster(dir.path());
        command.arg("serve");
        let (mut running, lines) = Running::start(command);
        Running::until_ready(&lines);
        running.signal(signal);
        assert_eq!(running.code(), Some(0), "{signal}");
    }
}

#[test]
fn a_taken_address_names_the_setting_and_who_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = folder(&address.to_string(), "");
    let refused = output(muster(dir.path()).arg("serve"));
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains(&format!("http.listen = {address}")), "{told}");
    assert!(told.contains("muster.toml:4:10"), "{told}");
    assert!(told.contains(&format!("(pid {})", std::process::id())), "{told}");
}

#[test]
fn the_list_of_keys_can_be_cut_short() {
    let dir = folder("127.0.0.1:0", "");
    let mut command = muster(dir.path());
    let mut child = command.args(["config", "keys"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// Runs a command that reads standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn users_and_tokens_are_made_from_the_command_line() {
    let dir = folder("127.0.0.1:0", "");
    let early = output(muster(dir.path()).args(["user", "list"]));
    assert!(
        text(&early.stderr).contains("muster migrate"),
        "{}",
        text(&early.stderr)
    );
    assert!(output(muster(dir.path()).arg("migrate")).status.success());

    let add = |name: &str, password: &str| {
        with_input(
            muster(dir.path()).args(["user", "add", name, "--role", "operator"]),
            password,
        )
    };
    let made = add("anna", "a long enough one\n");
    assert_eq!(
        text(&made.stdout),
        "made user anna (operator)\n",
        "{}",
        text(&made.stderr)
    );
    assert_eq!(add("anna", "a long enough one\n").status.code(), Some(1));
    assert!(text(&add("bo", "short\n").stderr).contains("fewer than"));

    let token = |user: &str, role: &str| {
        output(muster(dir.path()).args(["token", "add", "ci", "--user", user, "--role", role, "--days", "30"]))
    };
    assert!(text(&token("anna", "viewer").stdout).starts_with("muster_"));
    assert!(text(&token("anna", "admin").stderr).contains("stronger"));
    assert!(text(&token("carla", "viewer").stderr).contains("there is no user `carla`"));

    let listed = output(muster(dir.path()).args(["user", "list"]));
    assert!(
        text(&listed.stdout).contains("anna  operator"),
        "{}",
        text(&listed.stdout)
    );
    let hosts = output(muster(dir.path()).args(["hosts", "--json"]));
    let hosts: serde_json::Value = serde_json::from_slice(&hosts.stdout).unwrap();
    assert_eq!(hosts["total"], 0);
}

#[test]
fn the_first_start_prints_a_set_up_token_until_there_is_a_user() {
    let dir = folder("127.0.0.1:0", "");
    let start = || {
        let mut command = muster(dir.path());
        command.arg("serve").env("MUSTER_SETUP_TOKEN", "chosen-by-the-test");
        let (mut running, lines) = Running::start(command);
        let seen = Running::until_ready(&lines);
        running.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(running.code(), Some(0));
        seen
    };
    let first = start();
    assert!(
        first[0].starts_with("set-up token: chosen-by-the-test  (open http://127.0.0.1:"),
        "{first:?}"
    );
    assert!(first[0].ends_with("/setup)"), "{first:?}");

    let added = with_input(muster(dir.path()).args(["user", "add", "anna"]), "a long enough one\n");
    assert!(added.status.success(), "{}", text(&added.stderr));
    assert_eq!(start(), ["ready"]);
}

#[test]
fn rules_are_entered_tried_and_removed_from_the_command_line() {
    let dir = folder("127.0.0.1:0", "");
    let run = |arguments: &[&str]| {
        let done = output(muster(dir.path()).args(arguments));
        (done.status.success(), text(&done.stdout) + &text(&done.stderr))
    };
    assert!(run(&["migrate"]).0);
    let (refused, told) = run(&["rule", "add", "web", "--when", "vendor == 'Dell'", "--profile", "web"]);
    assert!(!refused && told.contains("there is no such profile"), "{told}");
    let (_, told) = run(&["rule", "add", "web", "--when", "vender == 'Dell'", "--tags", "edge"]);
    assert!(
        told.contains("when = `vender`: there is no such fact; did you mean `vendor`?"),
        "{told}"
    );
    let when = "vendor is like('dell*') and memory_gib >= 64";
    let (made, told) = run(&[
        "rule",
        "add",
        "web",
        "--when",
        when,
        "--tags",
        "edge, big",
        "--order",
        "7",
    ]);
    assert!(made, "{told}");
    assert_eq!(told, "made rule web\n");
    let (_, told) = run(&[
        "rule",
        "edit",
        "web",
        "--hostname",
        "web-{{ serial | lower }}",
        "--tags",
        "edge",
    ]);
    assert_eq!(told, "changed rule web\n");
    let (_, listed) = run(&["rule", "list"]);
    assert!(listed.contains("7      web   vendor is like"), "{listed}");
    assert!(
        listed.contains("hostname web-{{ serial | lower }}, tags edge"),
        "{listed}"
    );
    let (_, report) = run(&["rule", "report", "web", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["when"], &report["tags"][0]), (&when.into(), &"edge".into()));
    let (_, tried) = run(&["rule", "dry-run", "--when", "cores > 8", "--tags", "big"]);
    assert!(tried.contains("0 of 0 hosts are matched"), "{tried}");
    assert!(run(&["rule", "apply"]).1.contains("within seconds"));
    assert!(run(&["rule", "names"]).1.contains("bios.mode"));
    assert_eq!(
        run(&["rule", "remove", "web"]).1,
        "removed rule web; what it gave stays with the hosts\n"
    );
    assert_eq!(run(&["rule", "list"]).1, "ORDER  NAME  WHEN  GIVES\n");
}
