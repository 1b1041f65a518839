//! Writes the initramfs: the agent, the modules, and nothing else. The same input gives the same bytes.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use muster_wire::cpio::Writer;

/// Highest level whose window every kernel with `CONFIG_RD_ZSTD` can unpack without much memory.
const LEVEL: i32 = 19;

/// The archive, not compressed.
pub(super) fn write(agent: &Path, modules: &Path, firmware: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let mut archive = Writer::new();
    for name in ["dev", "lib", "proc", "run", "sys"] {
        archive.directory(name, 0o755)?;
    }
    // The kernel opens it before the agent can mount anything; without it there is no first word on a failure.
    archive.character_device("dev/console", 0o600, 5, 1)?;
    let program = fs::read(agent).with_context(|| agent.display().to_string())?;
    archive.file("init", 0o755, &program)?;
    tree(&mut archive, modules, "lib/modules")?;
    if let Some(folder) = firmware {
        ensure!(
            folder.is_dir(),
            "{} is no folder; give one that holds firmware files",
            folder.display()
        );
        tree(&mut archive, folder, "lib/firmware")?;
    }
    Ok(archive.finish())
}

/// Adds a folder with everything in it, sorted by name. Links become what they lead to.
fn tree(archive: &mut Writer, from: &Path, name: &str) -> anyhow::Result<()> {
    archive.directory(name, 0o755)?;
    let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name();
        let file_name = file_name
            .to_str()
            .with_context(|| format!("{} is not UTF-8", entry.path().display()))?;
        let inside = format!("{name}/{file_name}");
        if fs::metadata(entry.path())?.is_dir() {
            tree(archive, &entry.path(), &inside)?;
        } else {
            archive.file(&inside, 0o644, &fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Compresses with one thread: more would make the bytes depend on the machine.
pub(super) fn compress(archive: &[u8]) -> anyhow::Result<Vec<u8>> {
    zstd::bulk::compress(archive, LEVEL).context("zstd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().join("modules/6.1");
        fs::create_dir_all(&modules).unwrap();
        fs::write(modules.join("b.ko"), "b").unwrap();
        fs::write(modules.join("a.ko"), "a").unwrap();
        let agent = root.path().join("agent");
        fs::write(&agent, "elf").unwrap();
        let once = write(&agent, &root.path().join("modules"), None).unwrap();
        let twice = write(&agent, &root.path().join("modules"), None).unwrap();
        assert_eq!(once, twice);
        let at = |name: &str| {
            once.windows(name.len())
                .position(|part| part == name.as_bytes())
                .unwrap()
        };
        assert!(at("dev/console") < at("init") && at("6.1/a.ko") < at("6.1/b.ko"));
        assert!(write(&agent, &root.path().join("modules"), Some(&agent)).is_err());
    }
}
