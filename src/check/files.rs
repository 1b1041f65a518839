//! Boot loaders, the collection image and the agent: are they there, and can they be read?

use std::{fs::File, io, io::Read, path::Path};

use super::{Finding, Plan, Weight};

const LOADERS: &str = "loaders";
const IMAGE: &str = "image";
const AGENT: &str = "agent";

/// Firmware that is on nearly every server: without its loader nothing boots.
const USUAL: &[&str] = &["x86-bios", "x64-uefi"];

pub(super) fn look(plan: &Plan) -> Vec<Finding> {
    let mut findings = loaders(plan);
    findings.extend(image(plan));
    findings.push(agent(plan));
    findings
}

/// The agent's program, which installed systems are given.
fn agent(plan: &Plan) -> Finding {
    let path = plan.image_dir.join("muster-agent-x86_64");
    match readable(&path) {
        Ok(bytes) => Finding::ok(AGENT, format!("{} ({bytes} bytes)", path.display())),
        Err(why) => Finding::new(
            Weight::Warn,
            AGENT,
            format!("{} {why}", path.display()),
            "installed systems get no agent, so nobody sees whether they are as planned",
            "put it beside the image (`cargo xtask image` does), in boot.image_dir",
        ),
    }
}

fn loaders(plan: &Plan) -> Vec<Finding> {
    if !plan.loader_dir.is_dir() {
        return vec![Finding::new(
            Weight::Fail,
            LOADERS,
            format!(
                "the folder {} does not exist (boot.loader_dir)",
                plan.loader_dir.display()
            ),
            "firmware gets no boot loader, so no machine boots",
            "install the loaders there (`cargo xtask image` makes them), or set boot.loader_dir",
        )];
    }
    plan.loaders
        .iter()
        .map(|(architecture, name)| {
            let path = plan.loader_dir.join(name);
            match readable(&path) {
                Ok(bytes) => Finding::ok(LOADERS, format!("{architecture}: {} ({bytes} bytes)", path.display())),
                Err(why) => Finding::new(
                    if USUAL.contains(&architecture.as_str()) {
                        Weight::Fail
                    } else {
                        Weight::Warn
                    },
                    LOADERS,
                    format!("{architecture}: {} {why}", path.display()),
                    format!("machines with {architecture} firmware get no boot loader"),
                    format!("put the file there, or set boot.loaders.{architecture} to one that is there"),
                ),
            }
        })
        .collect()
}

fn image(plan: &Plan) -> Vec<Finding> {
    let weight = if plan.collects { Weight::Fail } else { Weight::Warn };
    ["vmlinuz", "initrd"]
        .iter()
        .map(|name| {
            let path = plan.image_dir.join(name);
            match readable(&path) {
                Ok(bytes) => Finding::ok(IMAGE, format!("{} ({bytes} bytes)", path.display())),
                Err(why) => Finding::new(
                    weight,
                    IMAGE,
                    format!("{} {why}", path.display()),
                    "machines cannot boot the collection image, so they are not inventoried",
                    "make the image (`cargo xtask image`) or install it, and set boot.image_dir to its folder",
                ),
            }
        })
        .collect()
}

/// The size of a file that can be read and is not empty, or why it cannot: the end of a sentence about it.
fn readable(path: &Path) -> Result<u64, String> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be opened: {error}"),
    })?;
    let meta = file
        .metadata()
        .map_err(|error| format!("cannot be looked at: {error}"))?;
    if !meta.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut first = [0];
    match file.read(&mut first) {
        Ok(0) => Err("is empty".to_owned()),
        Ok(_) => Ok(meta.len()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("initrd");
        assert_eq!(readable(&path), Err("does not exist".to_owned()));
        std::fs::write(&path, b"").unwrap();
        assert_eq!(readable(&path), Err("is empty".to_owned()));
        std::fs::write(&path, b"x").unwrap();
        assert_eq!(readable(&path), Ok(1));
        assert_eq!(readable(dir.path()), Err("is not a file".to_owned()));
    }
}
