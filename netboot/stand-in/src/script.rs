//! Scripts of a kickstart, run by busybox.

use std::{fs, io, process::Command};

/// Where busybox is in the initramfs.
const BUSYBOX: &str = "/bin/busybox";

/// Puts busybox's commands on the search path.
pub(crate) fn prepare() {
    // Without them a script says which command it misses.
    let _ = fs::create_dir_all("/tmp");
    let _ = Command::new(BUSYBOX).args(["--install", "-s", "/bin"]).status();
}

/// Runs a shell script to its end; gives its exit status, 255 when it was killed.
///
/// # Errors
/// When it cannot be written or started.
pub(crate) fn run(text: &str) -> io::Result<i32> {
    let file = "/tmp/kickstart-script";
    fs::write(file, text)?;
    let status = Command::new(BUSYBOX)
        .args(["sh", file])
        .env_clear()
        .env("PATH", "/bin")
        .status()?;
    Ok(status.code().unwrap_or(255))
}

/// Makes a serial port give bytes on as they are.
///
/// # Errors
/// When there is no such port.
pub(crate) fn raw_terminal(port: &str) -> io::Result<()> {
    let status = Command::new(BUSYBOX)
        .args(["stty", "-F", &format!("/dev/{port}"), "raw", "-echo"])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("there is no such serial port"))
    }
}
