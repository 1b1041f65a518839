//! Which firmware files drivers asked for in vain, from the kernel's log.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;

/// Firmware files that drivers missed so far; empty where the log cannot be read.
#[must_use]
pub(super) fn missing() -> Vec<String> {
    let log = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open("/dev/kmsg");
    let Ok(mut log) = log else { return Vec::new() };
    let mut found = BTreeSet::new();
    // One record a read, each below 8 KiB; the log's ring holds far fewer than the bound.
    let mut record = [0; 8192];
    for _ in 0..100_000 {
        match log.read(&mut record) {
            Ok(length) if length > 0 => {
                let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
                found.extend(missing_in(&text).map(str::to_owned));
            }
            // The record was overwritten before it was read: the next read goes on after it.
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EPIPE as i32) => {}
            _ => break,
        }
    }
    found.into_iter().collect()
}

/// The file named in a log record, in the kernel's own words or in Debian's.
fn missing_in(record: &str) -> Option<&str> {
    let (_, direct) = record.split_once("Direct firmware load for ").unwrap_or_default();
    if let Some((file, _)) = direct.split_once(" failed") {
        return Some(file);
    }
    let (_, debian) = record.split_once("failed to load ").unwrap_or_default();
    let (file, _) = debian.split_once(" (-")?;
    (record.contains("firmware:") && !file.contains(' ')).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::missing_in;

    #[test]
    fn both_wordings_name_the_file() {
        for record in [
            "4,801,3012345,-;bnx2 0000:03:00.0: firmware: failed to load bnx2/bnx2-mips-09-6.2.1b.fw (-2)\n",
            "4,802,3012399,-;bnx2 0000:03:00.0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw failed with error -2\n",
        ] {
            assert_eq!(missing_in(record), Some("bnx2/bnx2-mips-09-6.2.1b.fw"));
        }
        assert_eq!(missing_in("6,1,0,-;Linux version 6.1.0"), None);
        assert_eq!(missing_in("3,1,0,-;foo: failed to load policy (-2)"), None);
        assert_eq!(
            missing_in("6,9,1,-;firmware: direct-loading firmware ql2500_fw.bin"),
            None
        );
    }
}
