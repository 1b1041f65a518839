//! The installer's kernel and initramfs, and what the lab adds: a second archive that the kernel unpacks over the first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use muster_wire::cpio::Writer;

use super::{extract, key::Key};
use crate::{apt::AptRoot, run_command};

/// Where the installer keeps the keys it trusts.
const KEYRINGS: &str = "usr/share/keyrings/";
/// Parts that let the installer read a kickstart.
const KICKSEED: [&str; 2] = ["kickseed-common", "initrd-kickseed"];
/// What is put in to make an emulated installation shorter; run when the target is mounted and still empty.
const HURRY: &str = include_str!("hurry.sh");
const HURRY_NAME: &str = "usr/lib/base-installer.d/05muster-lab";

/// One entry of an archive.
pub(super) struct Entry {
    pub(super) name: String,
    /// Where it leads to, when it is a symbolic link.
    target: Option<String>,
}

/// The release of a kernel, from its header (Documentation/arch/x86/boot.rst, `kernel_version`).
pub(super) fn kernel_release(linux: &Path) -> anyhow::Result<String> {
    let image = fs::read(linux).with_context(|| linux.display().to_string())?;
    let word = image.get(0x20e..0x210).context("the installer's kernel is too short")?;
    let at = usize::from(u16::from_le_bytes([word[0], word[1]])) + 0x200;
    let text = image.get(at..).unwrap_or_default();
    let end = text.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(0);
    let release = String::from_utf8_lossy(&text[..end]).into_owned();
    ensure!(!release.is_empty(), "{} names no kernel release", linux.display());
    Ok(release)
}

/// What is in an initramfs.
pub(super) fn entries(initrd: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut unpack = Command::new("gzip")
        .args(["--decompress", "--stdout"])
        .arg(initrd)
        .stdout(Stdio::piped())
        .spawn()
        .context("gzip could not be started")?;
    let archive = unpack.stdout.take().context("gzip says nothing")?;
    let text = run_command(
        Command::new("cpio")
            .args(["--list", "--verbose", "--quiet"])
            .stdin(archive),
    )?;
    ensure!(unpack.wait()?.success(), "{} cannot be unpacked", initrd.display());
    Ok(text.lines().filter_map(entry).collect())
}

/// A line of the listing: mode, links, owner, group, size or device numbers, three words of time, name.
fn entry(line: &str) -> Option<Entry> {
    // Device numbers are two words.
    let before_name = if line.starts_with(['c', 'b']) { 9 } else { 8 };
    let mut rest = line;
    for _ in 0..before_name {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    let (name, target) = match rest.trim_start().split_once(" -> ") {
        Some((name, target)) => (name, Some(target.to_owned())),
        None => (rest.trim_start(), None),
    };
    let name = name.trim_start_matches("./").to_owned();
    Some(Entry { name, target })
}

/// Writes kernel and initramfs into `boot`.
pub(super) fn write(netboot: &Path, boot: &Path, key: &Key, parts: &AptRoot) -> anyhow::Result<()> {
    fs::create_dir_all(boot)?;
    fs::copy(netboot.join("linux"), boot.join("linux"))?;
    let original = netboot.join("initrd.gz");
    let known = entries(&original)?;
    let mut overlay = Overlay::over(&known);
    let keyrings: Vec<&str> = known
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|name| name.starts_with(KEYRINGS) && name.len() > KEYRINGS.len())
        .collect();
    ensure!(!keyrings.is_empty(), "the installer's initramfs holds no keyring");
    for name in keyrings {
        overlay.add(name, 0o644, key.public().to_vec());
    }
    overlay.add(HURRY_NAME, 0o755, HURRY.as_bytes().to_vec());
    let folder = tempfile::tempdir()?;
    let packages = KICKSEED.map(str::to_owned);
    if let Some(said) = parts.fetch(&packages, folder.path())? {
        // Preseed works without.
        println!("no kickstart through this installer: {said}");
    } else {
        let root = folder.path().join("root");
        for entry in fs::read_dir(folder.path())?.flatten() {
            if entry.path().extension().is_some_and(|end| end == "udeb") {
                extract(&entry.path(), &root)?;
            }
        }
        overlay.add_tree(&root, "")?;
    }
    let both = [fs::read(&original)?, compress(&overlay.finish()?)?].concat();
    fs::write(boot.join("initrd.gz"), both)?;
    Ok(())
}

/// Files to be unpacked over an initramfs.
struct Overlay {
    /// Folders at the top that are links in the initramfs, such as `lib`: a folder of that name would take the link's
    /// place, and with it everything behind it.
    links: BTreeMap<String, String>,
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Overlay {
    fn over(known: &[Entry]) -> Self {
        let links = known
            .iter()
            .filter(|entry| !entry.name.contains('/'))
            .filter_map(|entry| Some((entry.name.clone(), entry.target.clone()?)))
            .collect();
        Self {
            links,
            files: BTreeMap::new(),
        }
    }

    fn add(&mut self, name: &str, mode: u32, content: Vec<u8>) {
        let (top, rest) = name.split_once('/').unwrap_or((name, ""));
        let name = match self.links.get(top) {
            Some(target) => format!("{}/{rest}", target.trim_start_matches('/')),
            None => name.to_owned(),
        };
        self.files.insert(name, (mode, content));
    }

    fn add_tree(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder)?.flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let about = fs::metadata(entry.path())?;
            if about.is_dir() {
                self.add_tree(&entry.path(), &format!("{name}/"))?;
            } else {
                self.add(&name, about.permissions().mode() & 0o777, fs::read(entry.path())?);
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<Vec<u8>> {
        let mut archive = Writer::new();
        let mut folders = BTreeSet::new();
        for (name, (mode, content)) in self.files {
            for (at, _) in name.match_indices('/') {
                if folders.insert(name[..at].to_owned()) {
                    archive.directory(&name[..at], 0o755)?;
                }
            }
            archive.file(&name, mode, &content)?;
        }
        Ok(archive.finish())
    }
}

fn compress(archive: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut gzip = Command::new("gzip")
        .args(["-9", "--no-name", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("gzip could not be started")?;
    let mut input = gzip.stdin.take().context("gzip takes nothing")?;
    let archive = archive.to_vec();
    let feeding = std::thread::spawn(move || input.write_all(&archive));
    let output = gzip.wait_with_output()?;
    ensure!(
        output.status.success() && feeding.join().is_ok_and(|fed| fed.is_ok()),
        "gzip failed"
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read() {
        let link = entry("lrwxrwxrwx   1 root     root            7 Jan  1  1970 lib -> usr/lib").unwrap();
        assert_eq!((link.name.as_str(), link.target.as_deref()), ("lib", Some("usr/lib")));
        let device = entry("crw-r--r--   1 root     root       5,   1 Jan  1  1970 dev/console").unwrap();
        assert_eq!(device.name, "dev/console");
        let file = entry("-rw-r--r--   1 root     root         1234 Aug  9  2025 ./usr/share/keyrings/a.gpg").unwrap();
        assert_eq!(file.name, "usr/share/keyrings/a.gpg");
    }

    #[test]
    fn files_go_behind_links_and_after_their_folders() {
        let known = [entry("lrwxrwxrwx   1 root     root            7 Jan  1  1970 lib -> usr/lib").unwrap()];
        let mut overlay = Overlay::over(&known);
        overlay.add("lib/a/b", 0o755, b"x".to_vec());
        assert_eq!(overlay.files.keys().collect::<Vec<_>>(), ["usr/lib/a/b"]);
        let archive = overlay.finish().unwrap();
        let at = |name: &str| {
            archive
                .windows(name.len())
                .position(|part| part == name.as_bytes())
                .unwrap()
        };
        assert!(at("usr\0") < at("usr/lib\0") && at("usr/lib/a\0") < at("usr/lib/a/b\0"));
    }
}
