//! Units of systemd that failed, as its own `systemctl` tells: the one way that works for every version without speaking
//! D-Bus here. It costs a few milliseconds.

use std::io::Read;
use std::process::{Command, Stdio};

/// What is there where systemd runs (`sd_booted(3)`).
pub(super) const MARK: &str = "run/systemd/system";
/// Bytes that are read, and units that are listed, at most.
const LONGEST: u64 = 256 * 1024;
const MOST: usize = 128;

/// Asks `systemctl`; `None` when there is none or systemd does not answer it.
pub(super) fn failed() -> Option<Vec<String>> {
    let mut command = Command::new("systemctl");
    command
        .args([
            "list-units",
            "--all",
            "--state=failed",
            "--plain",
            "--full",
            "--no-legend",
            "--no-pager",
        ])
        // Nothing of what this program was given is any business of another.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut told = Vec::new();
    // What is longer is cut; the pipe is closed, which ends who still writes.
    let read = child.stdout.take()?.take(LONGEST).read_to_end(&mut told);
    let status = child.wait().ok()?;
    read.ok()?;
    (status.success() || !told.is_empty()).then(|| names(&String::from_utf8_lossy(&told)))
}

/// The first word of each line; some versions put a mark before it.
fn names(text: &str) -> Vec<String> {
    let units = text
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.contains('.')))
        .map(super::bounded);
    units.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_named_with_and_without_a_mark() {
        let text = "nginx.service loaded failed failed A web server\n● var-lib.mount loaded failed failed /var/lib\n\n";
        assert_eq!(names(text), ["nginx.service", "var-lib.mount"]);
        assert!(names("").is_empty());
    }
}
