//! `muster-agent`: gathers a host's facts and reports them.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use muster_agent::measure::Gauge;
use muster_agent::{gather, init, serve};

const USAGE: &str = "\
usage: muster-agent facts [--root DIR]
       muster-agent metrics [--root DIR]
       muster-agent serve [--root DIR] [--env FILE]
       muster-agent version

facts    prints what this machine says of itself, as JSON.
metrics  prints what this machine measures, as JSON: shares and rates over one second.
serve    reports to the server for as long as the machine runs. MUSTER_SERVER and MUSTER_TOKEN are read from the
         environment, else from FILE (/etc/muster/agent.env). The credential is kept beside FILE, and
         samples that the server does not have yet in STATE_DIRECTORY (/var/lib/muster-agent).

With --root the machine below DIR is read, and FILE is looked for there. Only a machine that runs has rates and space of
file systems.
Started by the kernel as /init it is the collection image's only program.
";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if is_init(&args) {
        init::run();
    }
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or("")).collect();
    match words.as_slice() {
        ["facts"] => print_facts(Path::new("/")),
        ["facts", "--root", _] => print_facts(Path::new(&args[2])),
        ["metrics"] => print_metrics(Path::new("/")),
        ["metrics", "--root", _] => print_metrics(Path::new(&args[2])),
        ["serve", ..] => match serve_options(&args[1..]) {
            Some(options) => serve::run(&options),
            None => usage(),
        },
        ["version" | "--version"] => print(concat!("muster-agent ", env!("CARGO_PKG_VERSION"))),
        ["help" | "--help" | "-h"] => print(USAGE.trim_end()),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}

/// The options of `serve`; `None` when they are not understood.
fn serve_options(args: &[OsString]) -> Option<serve::Options> {
    let (mut root, mut env) = (None, None);
    let mut rest = args.iter();
    while let Some(name) = rest.next() {
        let place = match name.to_str()? {
            "--root" => &mut root,
            "--env" => &mut env,
            _ => return None,
        };
        *place = Some(Path::new(rest.next()?));
    }
    let mut options = serve::Options::below(root.unwrap_or(Path::new("/")));
    if let Some(env) = env {
        env.clone_into(&mut options.env);
    }
    // What systemd made for the service (systemd.exec(5), `StateDirectory=`).
    if let Some(state) = std::env::var_os("STATE_DIRECTORY").filter(|_| root.is_none()) {
        options.state = state.into();
    }
    Some(options)
}

/// True for PID 1 of the collection image. The kernel hands words of its command line that it does
/// not know to `/init`, so the arguments say nothing there; PID 1 of a container has another name.
fn is_init(args: &[OsString]) -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    let named_init = Path::new(&name).file_name().is_some_and(|name| name == "init");
    std::process::id() == 1 && (named_init || args.first().is_some_and(|word| word == "init"))
}

/// Prints the facts of the machine whose root directory is `root` as JSON.
fn print_facts(root: &Path) -> ExitCode {
    print_json("facts", &gather::facts(root))
}

/// Prints what the machine whose root directory is `root` measures as JSON. Rates are over a second; a tree that was copied
/// does not change in one.
fn print_metrics(root: &Path) -> ExitCode {
    let mut gauge = Gauge::new(root);
    let first = gauge.measure(Instant::now(), SystemTime::now());
    if root != Path::new("/") {
        return print_json("metrics", &first);
    }
    thread::sleep(Duration::from_secs(1));
    print_json("metrics", &gauge.measure(Instant::now(), SystemTime::now()))
}

fn print_json(what: &str, value: &impl serde::Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(json) => print(&json),
        Err(error) => {
            eprintln!("muster-agent: {what} cannot be written as json: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints one text with a final newline; a reader that went away is a failure, not a panic.
fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
