//! Running a checker: with input, without a way to hang.

use std::{
    fs::File,
    io::{self, Seek, Write},
    process::{Command, Output, Stdio},
};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Seconds that a checker may take.
const SECONDS: &str = "20";

/// Runs `program` with `input` on its standard input, for at most 20 seconds.
///
/// The input is a file in memory: an answer holds secrets, and ksvalidator reads no pipe.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
    let mut file = File::from(memfd_create("answer", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(input.as_bytes())?;
    file.rewind()?;
    Command::new("timeout")
        .args(["--kill-after=1", SECONDS, program])
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::from(file))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?
        .wait_with_output()
}
