//! Running a checker: with input, without a way to hang.

use std::{
    io::{self, Write},
    process::{Command, Output, Stdio},
    thread,
};

/// Seconds that a checker may take.
const SECONDS: &str = "20";

/// Runs `program` with `input` on its standard input, for at most 20 seconds.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
    let mut child = Command::new("timeout")
        .args(["--kill-after=1", SECONDS, program])
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stdin.take();
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(pipe) = pipe.as_mut() {
                // A checker that stops reading has said enough.
                let _ = pipe.write_all(input.as_bytes());
            }
        });
        child.wait_with_output()
    })
}
