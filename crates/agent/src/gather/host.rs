//! The running kernel, the installed system, names, and how the machine was started.

use muster_facts::{BootMode, Kernel, Os};

use super::tree::Tree;

/// `uname -r` and the kernel's command line.
pub(super) fn kernel(tree: &Tree) -> Kernel {
    const RELEASE: &str = "proc/sys/kernel/osrelease";
    let release = tree.value("kernel.release", RELEASE).or_else(|| {
        let version = tree.value("kernel.release", "proc/version")?;
        version
            .strip_prefix("Linux version ")?
            .split_whitespace()
            .next()
            .map(str::to_owned)
    });
    if release.is_none() {
        tree.note_missing("kernel.release", RELEASE);
    }
    Kernel {
        release,
        cmdline: tree
            .value("kernel.cmdline", "proc/cmdline")
            .map(|line| without_secrets(&line)),
    }
}

/// Words that carry a secret of Muster (`muster.token=`, and any later `muster.…token=`) are left out.
fn without_secrets(line: &str) -> String {
    let is_secret = |word: &&str| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.starts_with("muster.") && name.ends_with("token"))
    };
    line.split_whitespace()
        .filter(|word| !is_secret(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The installed system (os-release(5)); `None` where there is no such file.
pub(super) fn os(tree: &Tree) -> Option<Os> {
    let text = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|path| tree.text("os", path))?;
    let value = |name: &str| {
        text.lines().rev().find_map(|line| {
            let raw = line.trim().strip_prefix(name)?.strip_prefix('=')?.trim();
            muster_facts::trim_text(&unquoted(raw))
        })
    };
    let os = Os {
        id: value("ID"),
        version: value("VERSION_ID"),
        name: value("PRETTY_NAME"),
    };
    (os != Os::default()).then_some(os)
}

/// Takes off the quotes and backslashes of a shell assignment.
fn unquoted(raw: &str) -> String {
    let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote
        .and_then(|quote| raw.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(raw);
    if quote == Some('\'') {
        return inner.to_owned();
    }
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(c);
            escaped = false;
        }
    }
    text
}

/// `/etc/machine-id` (machine-id(5)): 32 hexadecimal digits; `uninitialized` is none.
pub(super) fn machine_id(tree: &Tree) -> Option<String> {
    let id = tree.value("machine_id", "etc/machine-id")?.to_lowercase();
    (id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit())).then_some(id)
}

/// The current host name; the kernel's word for "not set" is none.
pub(super) fn hostname(tree: &Tree) -> Option<String> {
    ["proc/sys/kernel/hostname", "etc/hostname"]
        .into_iter()
        .find_map(|path| tree.value("hostname", path).filter(|name| name != "(none)"))
}

/// UEFI leaves a folder in `/sys/firmware`. Its absence means BIOS only where the rest of that
/// folder is there, and on x86: other machines have firmware of other kinds.
pub(super) fn boot_mode(tree: &Tree, architecture: Option<&str>) -> Option<BootMode> {
    if tree.exists("sys/firmware/efi") {
        return Some(BootMode::Uefi);
    }
    let is_whole = ["acpi", "memmap", "edd"]
        .iter()
        .any(|name| tree.exists(&format!("sys/firmware/{name}")));
    (is_whole && matches!(architecture, Some("x86_64" | "i686"))).then_some(BootMode::Bios)
}

/// The UEFI variable `SecureBoot`: four bytes of attributes, then one that is 1 when it is on.
pub(super) fn secure_boot(tree: &Tree) -> Option<bool> {
    const WHAT: &str = "bios.secure_boot";
    const VARIABLE: &str = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    const FOLDER: &str = "sys/firmware/efi/efivars";
    if !tree.exists("sys/firmware/efi") {
        return None;
    }
    if let Some(value) = tree.bytes(WHAT, &format!("{FOLDER}/{VARIABLE}")) {
        return value.get(4).map(|byte| *byte == 1);
    }
    if let Some(value) = tree.bytes(WHAT, &format!("sys/firmware/efi/vars/{VARIABLE}/data")) {
        return value.first().map(|byte| *byte == 1);
    }
    if tree.names(WHAT, FOLDER).is_some_and(|names| names.is_empty()) {
        tree.note(
            WHAT,
            format!("/{FOLDER}: empty; the efivarfs file system is not mounted"),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_boot_token_is_left_out() {
        let line =
            "BOOT_IMAGE=vmlinuz muster.server=http://10.0.0.1 muster.token=abc= console=ttyS0 muster.install_token=x";
        assert_eq!(
            without_secrets(line),
            "BOOT_IMAGE=vmlinuz muster.server=http://10.0.0.1 console=ttyS0"
        );
    }

    #[test]
    fn os_release_is_a_list_of_shell_assignments() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let text = "# comment\nPRETTY_NAME=\"A \\\"quoted\\\" name\"\nID='debian'\nID_LIKE=x\nVERSION_ID=12\n";
        fs::write(root.path().join("etc/os-release"), text).unwrap();
        let os = os(&Tree::new(root.path())).unwrap();
        assert_eq!(os.name.as_deref(), Some("A \"quoted\" name"));
        assert_eq!(os.id.as_deref(), Some("debian"));
        assert_eq!(os.version.as_deref(), Some("12"));
    }

    #[test]
    fn secure_boot_is_the_fifth_byte() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/firmware/efi/efivars");
        fs::create_dir_all(&folder).unwrap();
        let tree = Tree::new(root.path());
        assert_eq!(secure_boot(&tree), None);
        fs::write(
            folder.join("SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"),
            [6, 0, 0, 0, 1],
        )
        .unwrap();
        assert_eq!(secure_boot(&tree), Some(true));
        assert_eq!(boot_mode(&tree, None), Some(BootMode::Uefi));
        let unread = tree.into_unread();
        assert_eq!(unread.len(), 1, "{unread:?}");
        assert_eq!(unread[0].what, "bios.secure_boot");
    }

    #[test]
    fn bios_is_told_by_a_whole_firmware_folder_without_efi() {
        let root = tempfile::tempdir().unwrap();
        let tree = Tree::new(root.path());
        assert_eq!(boot_mode(&tree, Some("x86_64")), None);
        fs::create_dir_all(root.path().join("sys/firmware/acpi")).unwrap();
        assert_eq!(boot_mode(&tree, Some("x86_64")), Some(BootMode::Bios));
        assert_eq!(boot_mode(&tree, Some("aarch64")), None);
    }
}
