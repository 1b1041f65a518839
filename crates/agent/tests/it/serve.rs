//! `muster-agent serve`, the program itself, against a server that is scripted here.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const TOKEN: &str = "the-one-time-token";
const PREFIX: &str = "muster_agent_";
/// The agent answers in milliseconds; a machine under load gets more.
const LONG: Duration = Duration::from_secs(60);

/// One request: what was asked, by whom, and its body.
#[derive(Debug)]
struct Asked {
    line: String,
    bearer: String,
    body: String,
}

/// A server that answers by `answer`; gives what it was asked.
fn server(listener: TcpListener, answer: fn(&Asked) -> (u16, String)) -> Receiver<Asked> {
    let (sender, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(one) = request(&stream) else { continue };
            let (status, body) = answer(&one);
            let head = format!(
                "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
            if sender.send(one).is_err() {
                return;
            }
        }
    });
    asked
}

fn request(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream);
    let (mut first, mut bearer, mut length) = (String::new(), String::new(), 0);
    lines.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let (name, value) = line.trim().split_once(": ").unwrap_or_default();
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => bearer = value.trim_start_matches("Bearer ").to_owned(),
            "" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some(Asked {
        line: first.trim().trim_end_matches(" HTTP/1.1").to_owned(),
        bearer,
        body: String::from_utf8(body).ok()?,
    })
}

/// A server as it should be.
fn willing(asked: &Asked) -> (u16, String) {
    match (asked.line.as_str(), asked.bearer.as_str()) {
        ("POST /boot/enrol", TOKEN) => (200, r#"{"host":"5f0c"}"#.to_owned()),
        ("POST /boot/enrol", _) => (403, r#"{"code":"install_token_used","detail":"used"}"#.to_owned()),
        (_, credential) if credential.len() == PREFIX.len() + 64 => (
            200,
            r#"{"host":"5f0c","name":"web1","report":false,"heartbeat_seconds":1,"look_seconds":300}"#.to_owned(),
        ),
        _ => (401, r#"{"code":"agent_unknown","detail":"not known"}"#.to_owned()),
    }
}

/// An installed machine: the files that the agent reads and keeps.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(server: SocketAddr) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for (path, text) in [
            ("etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n".to_owned()),
            ("etc/hostname", "web1\n".to_owned()),
            ("proc/cmdline", "root=/dev/vda1 quiet\n".to_owned()),
            (
                "etc/muster/agent.env",
                format!("MUSTER_SERVER=http://{server}\nMUSTER_TOKEN={TOKEN}\n"),
            ),
        ] {
            let path = machine.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn serve(&self) -> Running {
        let child = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
            .args(["serve", "--root"])
            .arg(self.0.path())
            .env_remove("MUSTER_SERVER")
            .env_remove("MUSTER_TOKEN")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running(child)
    }
}

/// The agent; killed when a test stops early.
struct Running(Child);

impl Running {
    /// Reads what it says until these words come.
    fn says(&mut self, words: &str) {
        let mut said = BufReader::new(self.0.stderr.as_mut().unwrap());
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended");
        }
    }

    fn end(mut self) -> (ExitStatus, String) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        let status = self.0.wait().unwrap();
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where a test came to its end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The credential that the agent offered.
fn offered(asked: &Asked) -> String {
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    let credential = body["credential"].as_str().unwrap();
    assert!(credential.starts_with(PREFIX) && credential.len() == PREFIX.len() + 64);
    credential.to_owned()
}

fn next(asked: &Receiver<Asked>) -> Asked {
    asked.recv_timeout(LONG).unwrap()
}

fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn it_enrols_once_reports_and_says_that_it_is_there() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    let asked = server(listener, willing);
    let agent = machine.serve();
    let enrolled = next(&asked);
    assert_eq!(
        (enrolled.line.as_str(), enrolled.bearer.as_str()),
        ("POST /boot/enrol", TOKEN)
    );
    let own = offered(&enrolled);
    let report = next(&asked);
    assert_eq!(
        (report.line.as_str(), report.bearer.as_str()),
        ("POST /agent/v1/facts", own.as_str())
    );
    let facts: muster_facts::Facts = serde_json::from_str(&report.body).unwrap();
    assert_eq!(facts.hostname.as_deref(), Some("web1"));
    let os = facts.os.unwrap();
    assert_eq!((os.id.as_deref(), os.version.as_deref()), (Some("debian"), Some("13")));
    assert_eq!(facts.kernel.cmdline.as_deref(), Some("root=/dev/vda1 quiet"));
    let heartbeat = next(&asked);
    assert_eq!(heartbeat.line, "POST /agent/v1/heartbeat");
    let body: serde_json::Value = serde_json::from_str(&heartbeat.body).unwrap();
    assert!(body["samples"].is_array() && body["dropped"] == 0, "{body}");

    let credential = machine.path("etc/muster/agent.credential");
    assert_eq!(machine.read("etc/muster/agent.credential").trim(), own);
    assert_eq!(fs::metadata(credential).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        machine.read("etc/muster/agent.env"),
        format!("MUSTER_SERVER=http://{address}\n")
    );
    let (status, said) = agent.end();
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
    assert!(
        said.contains("enrolled: this machine is host 5f0c") && said.contains("knows this machine as web1"),
        "{said}"
    );
    assert!(!said.contains(TOKEN) && !said.contains(&own), "{said}");

    // Started again it is known: nothing is enrolled, and what it says of itself is reported anew.
    let _agent = machine.serve();
    assert_eq!(next(&asked).line, "POST /agent/v1/facts");
}

#[test]
fn a_server_that_comes_later_is_waited_for() {
    let (listener, address) = bind();
    drop(listener);
    let machine = Machine::new(address);
    let mut agent = machine.serve();
    agent.says("tried again in");
    let asked = server(TcpListener::bind(address).unwrap(), willing);
    assert_eq!(next(&asked).line, "POST /boot/enrol");
    assert_eq!(next(&asked).line, "POST /agent/v1/facts");
}

/// A server whose first answer to an enrolment breaks off: as a network does, or a server that is killed after its commit.
fn losing(asked: &Asked) -> (u16, String) {
    static LOST: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    if asked.line == "POST /boot/enrol" && !LOST.swap(true, std::sync::atomic::Ordering::SeqCst) {
        return (200, r#"{"ho"#.to_owned());
    }
    willing(asked)
}

#[test]
fn an_answer_that_is_lost_costs_no_token() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    let asked = server(listener, losing);
    let mut agent = machine.serve();
    let first = next(&asked);
    agent.says("tried again in");
    // The power is cut before it is.
    drop(agent);
    let _agent = machine.serve();
    let second = next(&asked);
    assert_eq!(
        (second.line.as_str(), second.bearer.as_str()),
        ("POST /boot/enrol", TOKEN)
    );
    assert_eq!(
        offered(&first),
        offered(&second),
        "the same credential is offered again"
    );
    assert_eq!(next(&asked).bearer, offered(&first));
}

/// The token is spent on the credential that is offered, and its time is over.
fn remembering(asked: &Asked) -> (u16, String) {
    match asked.line.as_str() {
        "POST /boot/enrol" => (403, r#"{"code":"install_token_old","detail":"over"}"#.to_owned()),
        _ => willing(asked),
    }
}

#[test]
fn a_credential_that_the_server_knows_is_used_also_when_its_token_is_over() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    let asked = server(listener, remembering);
    let _agent = machine.serve();
    let own = offered(&next(&asked));
    for line in ["POST /agent/v1/heartbeat", "POST /agent/v1/facts"] {
        let one = next(&asked);
        assert_eq!((one.line.as_str(), one.bearer.as_str()), (line, own.as_str()));
    }
    assert_eq!(machine.read("etc/muster/agent.credential").trim(), own);
}

#[test]
fn a_disk_without_room_costs_no_token() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    // Nothing can be made beside the settings: what a full disk does, without filling one.
    let folder = machine.path("etc/muster/agent.credential.new");
    fs::create_dir_all(folder.join("in the way")).unwrap();
    let asked = server(listener, willing);
    let mut agent = machine.serve();
    agent.says("no token is spent");
    assert!(asked.try_recv().is_err(), "the server was asked");
    assert!(machine.read("etc/muster/agent.env").contains(TOKEN));
}

/// Something gets in the credential's way between the question and the answer.
fn blocking(asked: &Asked) -> (u16, String) {
    if asked.line == "POST /boot/enrol"
        && let Some(folder) = IN_THE_WAY.get()
    {
        let _ = fs::create_dir_all(folder);
    }
    willing(asked)
}

static IN_THE_WAY: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();

#[test]
fn a_credential_that_could_not_be_kept_is_offered_again_with_its_token() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    let folder = machine.path("etc/muster/agent.credential");
    IN_THE_WAY.set(folder.join("in the way")).unwrap();
    let asked = server(listener, blocking);
    let mut agent = machine.serve();
    let own = offered(&next(&asked));
    agent.says("is offered again after a restart");
    assert_eq!(next(&asked).bearer, own, "it is known all the same");
    assert!(machine.read("etc/muster/agent.env").contains(TOKEN));
    drop(agent);
    fs::remove_dir_all(&folder).unwrap();
    let mut agent = machine.serve();
    agent.says("is offered again after a restart");
    let again = asked.iter().find(|one| one.line == "POST /boot/enrol").unwrap();
    assert_eq!((offered(&again), again.bearer.as_str()), (own, TOKEN));
}

#[test]
fn a_newer_token_replaces_a_credential_that_is_not_known_any_more() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    fs::write(
        machine.path("etc/muster/agent.credential"),
        "muster_agent_of-an-earlier-life\n",
    )
    .unwrap();
    let asked = server(listener, willing);
    let _agent = machine.serve();
    assert_eq!(next(&asked).bearer, "muster_agent_of-an-earlier-life");
    let enrolled = next(&asked);
    assert_eq!(enrolled.bearer, TOKEN);
    let own = offered(&enrolled);
    assert_eq!(next(&asked).bearer, own);
    assert_eq!(machine.read("etc/muster/agent.credential").trim(), own);
}

/// A server that takes samples, as far as this test goes: it has those up to the last that it was sent.
fn taking(asked: &Asked) -> (u16, String) {
    let (status, answer) = willing(asked);
    let acknowledged = numbers(asked).last().copied().unwrap_or(0);
    if asked.line != "POST /agent/v1/heartbeat" || acknowledged >= 3 {
        // The third is lost on its way back.
        return (if acknowledged >= 3 { 503 } else { status }, answer);
    }
    (
        status,
        answer.replace('{', &format!("{{\"acknowledged\":{acknowledged},")),
    )
}

/// The numbers of the samples in a sign of life.
fn numbers(asked: &Asked) -> Vec<u64> {
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap_or_default();
    let samples = body["samples"].as_array().cloned().unwrap_or_default();
    samples
        .iter()
        .filter_map(|sample| sample["sequence"].as_u64())
        .collect()
}

#[test]
fn samples_go_with_signs_of_life_and_their_numbers_outlive_the_process() {
    let (listener, address) = bind();
    let machine = Machine::new(address);
    fs::create_dir_all(machine.path("proc")).unwrap();
    fs::write(machine.path("proc/loadavg"), "0.5 0.25 0.125 1/2 3\n").unwrap();
    let asked = server(listener, taking);
    let agent = machine.serve();
    let sent = asked.iter().find(|one| !numbers(one).is_empty()).unwrap();
    assert_eq!(numbers(&sent).first(), Some(&1));
    assert!(sent.body.contains(r#""load":[0.5,0.25,0.125]"#), "{}", sent.body);
    let state = machine.path("var/lib/muster-agent/samples");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    let third = asked.iter().find(|one| numbers(one).contains(&3)).unwrap();
    assert_eq!(numbers(&third).last(), Some(&3));
    // SIGKILL, before or after the answer is read: the third was not acknowledged, and comes again under its number.
    drop(agent);
    let _agent = machine.serve();
    let again = asked
        .iter()
        .find(|one| !numbers(one).is_empty() && one.line.ends_with("heartbeat"))
        .unwrap();
    assert!(numbers(&again).contains(&3), "{:?}", numbers(&again));
}

#[test]
fn without_a_server_to_report_to_it_says_what_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .args(["serve", "--root"])
        .arg(folder.path())
        .env_remove("MUSTER_SERVER")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("MUSTER_SERVER is not set"), "{said}");
    let output = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .args(["serve", "--rot", "/"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
