//! `cargo xtask fuzz`: every fuzz target for some seconds.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

/// Where instrumented builds can run; also keeps the flags away from build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Coverage counters for libFuzzer, on stable Rust.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Builds the fuzz package and runs the targets `only`, or each there is, for this many seconds, one after another.
///
/// # Errors
/// When there is no such target, the build fails, or a target finds an input that fails; its path is printed above.
pub(crate) fn run(seconds: u64, only: &[String]) -> anyhow::Result<()> {
    let folder = crate::repository().join("fuzz");
    let mut chosen = targets(&folder)?;
    for name in only {
        ensure!(
            chosen.contains(name),
            "there is no fuzz target `{name}`; there are {}",
            chosen.join(", ")
        );
    }
    chosen.retain(|name| only.is_empty() || only.contains(name));
    let builds = env::var_os("MUSTER_FUZZ_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    let status = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--target-dir"])
        .arg(&builds)
        .current_dir(&folder)
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .context("start cargo")?;
    ensure!(status.success(), "the fuzz targets do not build");
    let mut failed = Vec::new();
    for name in chosen {
        let program = builds.join(TARGET).join("release").join(&name);
        if !run_target(&folder, &program, &name, seconds)? {
            failed.push(name);
        }
    }
    ensure!(
        failed.is_empty(),
        "inputs that fail are in fuzz/artifacts: {}",
        failed.join(", ")
    );
    Ok(())
}

/// Names of the targets: one file each.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("targets")).context("read fuzz/targets")? {
        if let Some(name) = entry?.path().file_stem().and_then(|stem| stem.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs one target; false when it found an input that fails.
fn run_target(folder: &Path, program: &Path, name: &str, seconds: u64) -> anyhow::Result<bool> {
    println!("fuzz {name}: {seconds} s");
    let corpus = folder.join("corpus").join(name);
    let artifacts = folder.join("artifacts").join(name);
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).with_context(|| format!("make {}", made.display()))?;
    }
    let status = Command::new(program)
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-max_len=4096",
            "-timeout=5",
            "-rss_limit_mb=1024",
            "-verbosity=0",
            "-print_final_stats=1",
        ])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&corpus)
        .arg(folder.join("seeds").join(name))
        .status()
        .with_context(|| format!("start {}", program.display()))?;
    Ok(status.success())
}
