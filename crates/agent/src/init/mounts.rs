//! The file systems PID 1 needs before anything else.

use std::fs;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

/// Mounts `/dev`, `/proc`, `/sys` and `/run`. What could not be mounted comes back in plain words;
/// the collection goes on with what there is.
#[must_use]
pub fn basics() -> Vec<String> {
    [
        ("devtmpfs", "/dev"),
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("tmpfs", "/run"),
    ]
    .into_iter()
    .filter_map(|(kind, target)| file_system(kind, target).err())
    .collect()
}

/// Mounts UEFI's variables read-only, where there are any; Secure Boot's state is read there.
///
/// # Errors
/// In plain words, when the firmware is UEFI but its variables cannot be mounted.
pub fn efi_variables() -> Result<(), String> {
    let target = "/sys/firmware/efi/efivars";
    if fs::metadata(target).is_err() {
        return Ok(());
    }
    file_system("efivarfs", target)
}

fn file_system(kind: &str, target: &str) -> Result<(), String> {
    // An existing directory is the ordinary case; a real failure shows in the mount.
    let _ = fs::create_dir_all(target);
    let flags = if kind == "devtmpfs" {
        MsFlags::MS_NOSUID
    } else {
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC
    };
    let flags = if kind == "efivarfs" {
        flags | MsFlags::MS_RDONLY
    } else {
        flags
    };
    match mount(Some(kind), target, Some(kind), flags, None::<&str>) {
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(errno) => Err(format!("{kind} cannot be mounted on {target}: {}", errno.desc())),
    }
}
