//! What browsers load that others wrote: installed from the lock file, and the few files that are served copied beside
//! the pages. The copies are in the repository, so that building Muster needs no node.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

/// Served files: package, file in it, name it is served by.
const FILES: [(&str, &str, &str); 4] = [
    ("@tabler/core", "dist/css/tabler.min.css", "tabler.min.css"),
    ("htmx.org", "dist/htmx.min.js", "htmx.min.js"),
    ("uplot", "dist/uPlot.iife.min.js", "uPlot.iife.min.js"),
    ("uplot", "dist/uPlot.min.css", "uPlot.min.css"),
];

/// Where each copy is from; [`tests`] hold it to the lock file and to the copies.
const ORIGINS: &str = "vendor.toml";

/// Installs from the lock file, copies what is served, and writes down where it is from.
pub(crate) fn run(repository: &Path) -> anyhow::Result<()> {
    let web = repository.join("templates/web");
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&web)
        .status()
        .context("npm cannot be run; install node and npm")?;
    if !status.success() {
        bail!("npm ci failed in {}", web.display());
    }
    for (package, file, name) in FILES {
        let from = web.join("node_modules").join(package).join(file);
        let to = web.join("vendor").join(name);
        fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
    }
    fs::write(web.join(ORIGINS), origins(&web)?)?;
    Ok(())
}

/// The text of [`ORIGINS`] for the lock file and the copies as they are.
fn origins(web: &Path) -> anyhow::Result<String> {
    let lock: serde_json::Value = serde_json::from_slice(&fs::read(web.join("package-lock.json"))?)?;
    let mut out = String::from("# Written by `cargo xtask assets`: where each file in vendor/ is from.\n");
    for (package, file, name) in FILES {
        let entry = &lock["packages"][format!("node_modules/{package}")];
        let (Some(version), Some(integrity)) = (entry["version"].as_str(), entry["integrity"].as_str()) else {
            bail!("package-lock.json does not lock {package}");
        };
        let copy = fs::read(web.join("vendor").join(name)).with_context(|| format!("vendor/{name}"))?;
        let hash = Sha256::digest(&copy).iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        write!(
            out,
            "\n[\"{name}\"]\npackage = \"{package}\"\nversion = \"{version}\"\nintegrity = \"{integrity}\"\nfile = \"{file}\"\nsha256 = \"{hash}\"\n"
        )?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copies_are_those_of_the_lock_file() {
        let web = crate::repository().join("templates/web");
        let kept = fs::read_to_string(web.join(ORIGINS)).unwrap();
        assert_eq!(kept, origins(&web).unwrap(), "run `cargo xtask assets`");
    }
}
