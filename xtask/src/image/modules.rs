//! Chooses the kernel modules of the image and writes their index.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context, bail, ensure};
use muster_agent::init::modules::ModuleIndex;

use crate::run_command;

/// The modules that were staged.
pub(super) struct Chosen {
    /// The kernel's release, `uname -r`.
    pub(super) release: String,
    /// How many module files.
    pub(super) files: usize,
    /// Their size together.
    pub(super) bytes: u64,
}

/// Copies the modules of `list`, and what they need, from the unpacked package `kernel` to
/// `staging/lib/modules/RELEASE` with the index the agent reads. `lenient`: names the kernel does not have are told,
/// not refused.
///
/// Debian signs its modules and a kernel started by Secure Boot takes no others, so they are not stripped: that would
/// cost the signature for nothing, as they hold no debug information.
pub(super) fn stage(kernel: &Path, staging: &Path, list: &str, lenient: bool) -> anyhow::Result<Chosen> {
    let release = release(kernel)?;
    let from = kernel.join("lib/modules").join(&release);
    let to = staging.join("lib/modules").join(&release);
    fs::create_dir_all(&to)?;
    depmod(kernel, &release)?;
    let text = |name: &str| fs::read_to_string(from.join(name)).with_context(|| format!("{name} of {release}"));
    let index = ModuleIndex::parse(
        &text("modules.dep")?,
        &text("modules.alias")?,
        &text("modules.softdep")?,
    );
    let builtin: BTreeSet<String> = text("modules.builtin")?.lines().filter_map(stem).collect();

    let wanted = parse(list);
    let mut absent = Vec::new();
    let mut paths = BTreeSet::new();
    for (name, optional) in &wanted {
        let found = index.insertions(name);
        if found.is_empty() && !optional && !builtin.contains(&name.replace('-', "_")) {
            absent.push(name.clone());
        }
        paths.extend(found.into_iter().map(|insertion| insertion.path));
    }
    if !absent.is_empty() {
        let names = absent.join(" ");
        ensure!(
            lenient,
            "netboot/modules.list names modules that Linux {release} does not have: {names}"
        );
        println!("not in this kernel: {names}");
    }
    let mut bytes = 0;
    for path in &paths {
        let target = to.join(path.trim_end_matches(".xz"));
        fs::create_dir_all(target.parent().unwrap_or(&to))?;
        let content = read_module(&from.join(path))?;
        bytes += content.len() as u64;
        fs::write(&target, content)?;
    }
    for name in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        fs::copy(from.join(name), to.join(name)).with_context(|| name.to_owned())?;
    }
    depmod(staging, &release)?;
    // What the agent reads stays; the rest is the same once more for other programs.
    for entry in fs::read_dir(&to)?.flatten() {
        let name = entry.file_name();
        let keep = ["modules.dep", "modules.alias", "modules.softdep"]
            .iter()
            .any(|keep| name == *keep);
        if !keep && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(Chosen {
        release,
        files: paths.len(),
        bytes,
    })
}

/// Names of the list, and whether each may be absent.
fn parse(list: &str) -> BTreeMap<String, bool> {
    list.lines()
        .filter_map(|line| line.split('#').next())
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|name| match name.strip_prefix('?') {
            Some(name) => (name.to_owned(), true),
            None => (name.to_owned(), false),
        })
        .collect()
}

fn release(kernel: &Path) -> anyhow::Result<String> {
    let mut names: Vec<String> = fs::read_dir(kernel.join("lib/modules"))
        .context("the kernel package holds no modules")?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    match (names.pop(), names.pop()) {
        (Some(only), None) => Ok(only),
        _ => bail!("the kernel package does not hold the modules of one kernel"),
    }
}

fn depmod(base: &Path, release: &str) -> anyhow::Result<()> {
    // In /usr/sbin, which a user's search path may lack.
    let program = ["/usr/sbin/depmod", "/sbin/depmod"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    run_command(
        Command::new(program.unwrap_or("depmod"))
            .arg("-b")
            .arg(base)
            .arg(release),
    )
    .map(drop)
}

fn read_module(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.extension().is_some_and(|end| end == "xz") {
        let output = Command::new("xz")
            .args(["--decompress", "--stdout"])
            .arg(path)
            .output()?;
        ensure!(output.status.success(), "{} cannot be unpacked", path.display());
        return Ok(output.stdout);
    }
    fs::read(path).with_context(|| path.display().to_string())
}

/// `kernel/drivers/acpi/button.ko` is `button`.
fn stem(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    Some(file.split(".ko").next()?.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_comments_and_optional_names() {
        let wanted = parse("# head\ne1000e\n\n?hv_netvsc # maybe\n");
        assert_eq!(
            wanted.into_iter().collect::<Vec<_>>(),
            [("e1000e".to_owned(), false), ("hv_netvsc".to_owned(), true)]
        );
    }

    #[test]
    fn the_projects_own_list_names_each_module_once() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../netboot/modules.list");
        let text = fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
            .count();
        assert_eq!(parse(&text).len(), lines);
        assert!(parse(&text).keys().all(|name| !name.contains(char::is_whitespace)));
    }

    #[test]
    fn names_of_what_is_built_in() {
        assert_eq!(
            stem("kernel/drivers/char/hw_random/rng-core.ko").as_deref(),
            Some("rng_core")
        );
    }
}
