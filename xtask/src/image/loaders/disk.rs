//! GRUB as the program that starts the system on a disk of a UEFI machine: iPXE cannot. What it does is
//! `templates/boot/disk.grub`, inside it, so that it asks nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use muster_wire::cpio::Writer;

use super::Shelf;
use crate::{apt::AptRoot, run_command};

/// What it does, below the repository.
const SCRIPT: &str = "templates/boot/disk.grub";

/// Parts of GRUB that the script needs, and those that find it.
const MODULES: &[&str] = &[
    "memdisk",
    "newc",
    "normal",
    "test",
    "regexp",
    "echo",
    "minicmd",
    "part_gpt",
    "part_msdos",
    "fat",
    "chain",
    "boot",
    "search_fs_file",
];

/// GRUB for one kind of machine.
struct Target {
    /// The name under which Muster hands it out.
    name: &'static str,
    package: &'static str,
    /// Debian's word for the processor.
    processor: &'static str,
    /// GRUB's word for processor and firmware.
    format: &'static str,
    /// What machines miss without it.
    without: &'static str,
}

const TARGETS: &[Target] = &[
    Target {
        name: "local-x64.efi",
        package: "grub-efi-amd64-bin",
        processor: "amd64",
        format: "x86_64-efi",
        without: "UEFI machines reach the system on their disk only through all other network entries",
    },
    Target {
        name: "local-arm64.efi",
        package: "grub-efi-arm64-bin",
        processor: "arm64",
        format: "arm64-efi",
        without: "arm64 machines reach the system on their disk only through all other network entries",
    },
];

/// Makes it for every kind of machine whose GRUB can be had, out of this machine's own release: the modules have to be
/// those of its `grub-mkimage`.
pub(super) fn make(repository: &Path, work: &Path, release: &str, shelf: &mut Shelf<'_>) -> anyhow::Result<()> {
    let script = fs::read_to_string(repository.join(SCRIPT)).context(SCRIPT)?;
    // The firmware's console, which is the screen and the serial line; GRUB hangs on a graphical one without a card.
    let script = format!("terminal_output console\n{script}exit 1\n");
    for target in TARGETS {
        let unpacked =
            AptRoot::open_processor(work, release, target.processor).and_then(|apt| apt.unpack(target.package));
        match unpacked {
            Ok((package, version)) => {
                let content = image(&package, target, &script, work)?;
                shelf.put(target.name, &content, target.package, &version)?;
            }
            Err(error) => println!("  {} cannot be made ({error:#}): {}", target.name, target.without),
        }
    }
    Ok(())
}

fn image(package: &Path, target: &Target, script: &str, work: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = tempfile::tempdir_in(work)?;
    let memdisk = folder.path().join("memdisk");
    let mut archive = Writer::new();
    archive.directory("boot", 0o755)?;
    archive.directory("boot/grub", 0o755)?;
    archive.file("boot/grub/grub.cfg", 0o644, script.as_bytes())?;
    fs::write(&memdisk, archive.finish())?;
    let made = folder.path().join("image");
    run_command(
        Command::new("grub-mkimage")
            .arg("-d")
            .arg(package.join("usr/lib/grub").join(target.format))
            .args(["-O", target.format, "-p", "(memdisk)/boot/grub", "-m"])
            .args([&memdisk, &PathBuf::from("-o"), &made])
            .args(MODULES),
    )?;
    fs::read(&made).context("grub-mkimage left no file")
}
