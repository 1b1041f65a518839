//! `cargo xtask agent`: the agent as one static program, small enough for the collection image; and other programs that
//! are alone in an initramfs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, ensure};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What the program is called beside the collection image: by its architecture, as installed machines ask for theirs.
pub(crate) const PUBLISHED: &str = "muster-agent-x86_64";

/// The most bytes the agent may have: it is loaded over the network by every machine that boots or is installed.
const LIMIT: u64 = 3 * 1024 * 1024;

/// Builds the agent, prints its size and gives its path.
///
/// # Errors
/// When cargo fails, the program is not static or it is too large.
pub(crate) fn build(repository: &Path) -> anyhow::Result<PathBuf> {
    let path = build_static(repository, "muster-agent")?;
    let size = fs::metadata(&path)?.len();
    ensure!(
        size <= LIMIT,
        "the agent has {size} bytes, {} more than it may: see what came in with `cargo tree -p muster-agent`",
        size - LIMIT
    );
    Ok(path)
}

/// Builds the program of a package as a small one that needs no library; prints its size and gives its path.
///
/// # Errors
/// When cargo fails, or the program is not static.
pub(crate) fn build_static(repository: &Path, package: &str) -> anyhow::Result<PathBuf> {
    // A folder of its own: with other flags cargo would build everything anew at each change of command.
    let folder = target_folder(repository).join("agent");
    let started = Instant::now();
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--locked", "--package", package, "--bin", package])
        // With a target named, the flags stay away from build scripts and procedural macros.
        .args(["--profile", "agent", "--target", TARGET])
        .current_dir(repository)
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "cargo could not build {package}");
    let path = folder.join(TARGET).join("agent").join(package);
    let program = fs::read(&path).with_context(|| format!("{} was not built", path.display()))?;
    ensure!(
        !has_interpreter(&program),
        "{} asks for a dynamic loader, which an initramfs does not hold: is the C library's static form installed \
         (libc6-dev)?",
        path.display()
    );
    println!(
        "{package}: {} ({:.2} MB, static, {:.0} s)",
        path.display(),
        program.len() as f64 / 1e6,
        started.elapsed().as_secs_f64()
    );
    Ok(path)
}

/// Builds the agent and puts it where the server looks for what it gives to installed machines.
///
/// # Errors
/// As [`build`], or when it cannot be put there.
pub(crate) fn publish(repository: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let program = build(repository)?;
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    // Renamed into place: a server that runs gives the old one or the new one, whole.
    let (target, fresh) = (out.join(PUBLISHED), out.join(format!(".{PUBLISHED}.new")));
    fs::copy(&program, &fresh).with_context(|| format!("{} cannot be written", fresh.display()))?;
    fs::rename(&fresh, &target).with_context(|| format!("{} cannot be written", target.display()))?;
    Ok(program)
}

/// Cargo's target folder: where the environment says, or `target` in the repository.
pub(crate) fn target_folder(repository: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), |folder| repository.join(folder))
}

/// True when the ELF file has a program header of type `PT_INTERP`.
fn has_interpreter(elf: &[u8]) -> bool {
    const PT_INTERP: [u8; 4] = [3, 0, 0, 0];
    let half = |at: usize| {
        elf.get(at..at + 2)
            .map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))
    };
    let (Some(start), Some(size), Some(count)) = (elf.get(32..40), half(54), half(56)) else {
        return false;
    };
    let start = start
        .iter()
        .rev()
        .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    (0..count).any(|place| {
        let at = start.saturating_add(place * size);
        elf.get(at..at.saturating_add(4)) == Some(&PT_INTERP)
    })
}

#[cfg(test)]
mod tests {
    use super::has_interpreter;

    #[test]
    fn this_test_is_dynamic_and_nonsense_is_not() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(has_interpreter(&own));
        assert!(!has_interpreter(b"\x7fELF"));
        assert!(!has_interpreter(&[0xff; 100]));
    }
}
