//! `muster-agent`: gathers a host's facts and reports them.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use muster_agent::{gather, init};

const USAGE: &str = "usage: muster-agent facts [--root DIR]\n       muster-agent version\n\nStarted by the kernel as /init it is the collection image's only program.\n";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if is_init(&args) {
        init::run();
    }
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or("")).collect();
    match words.as_slice() {
        ["facts"] => print_facts(Path::new("/")),
        ["facts", "--root", _] => print_facts(Path::new(&args[2])),
        ["version" | "--version"] => print(concat!("muster-agent ", env!("CARGO_PKG_VERSION"))),
        ["help" | "--help" | "-h"] => print(USAGE.trim_end()),
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
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
    match serde_json::to_string_pretty(&gather::facts(root)) {
        Ok(json) => print(&json),
        Err(error) => {
            eprintln!("muster-agent: facts cannot be written as json: {error}");
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
