//! The stand-in for Anaconda: its initramfs and a tree of each release, as `muster distro import` recognises them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use muster_lab::stand_in::{RELEASES, Release};
use muster_wire::cpio::Writer;

use crate::{agent, apt::AptRoot, image, setup};

/// The package in `netboot/stand-in`.
const PACKAGE: &str = "anaconda-stand-in";
/// Runs the kickstart's scripts.
const BUSYBOX: &str = "busybox-static";

/// Builds a tree for each release; gives the folder that holds them.
///
/// The initramfs is the collection image's with another `init` and busybox over it: the kernel unpacks archives one after
/// the other, and the last that has a file counts. So the drivers are those of the image, and it must be built before.
///
/// # Errors
/// When the program cannot be built, or busybox cannot be fetched.
pub(crate) fn prepare(repository: &Path) -> anyhow::Result<PathBuf> {
    let target = agent::target_folder(repository);
    let image = repository.join(image::OUT);
    let release = setup::os_release("VERSION_CODENAME").context("/etc/os-release names no VERSION_CODENAME")?;
    let program = agent::build_static(repository, PACKAGE)?;
    let (busybox, _) = AptRoot::open(&target.join("image"), &release)?.unpack(BUSYBOX)?;
    let mut over = Writer::new();
    over.file("init", 0o755, &fs::read(&program)?)?;
    over.directory("bin", 0o755)?;
    over.directory("tmp", 0o1777)?;
    over.file("bin/busybox", 0o755, &fs::read(busybox.join("bin/busybox"))?)?;
    let base = fs::read(image.join("initrd")).context("there is no collection image: run `cargo xtask image`")?;
    let kernel = image.join("vmlinuz");
    let common = [aligned(base), over.finish()].concat();
    let trees = target.join("stand-in");
    for release in &RELEASES {
        write(&trees.join(release.name), release, &kernel, &common)?;
    }
    println!("stand-in for Anaconda: {}", trees.display());
    Ok(trees)
}

fn write(tree: &Path, release: &Release, kernel: &Path, initramfs: &[u8]) -> anyhow::Result<()> {
    let boot = tree.join("images/pxeboot");
    fs::create_dir_all(&boot).with_context(|| format!("{} cannot be made", boot.display()))?;
    fs::copy(kernel, boot.join("vmlinuz")).with_context(|| kernel.display().to_string())?;
    let mut own = Writer::new();
    let stamp = format!("[Main]\nProduct={}\nVersion={}\n", release.product, release.version);
    own.file(".buildstamp", 0o644, stamp.as_bytes())?;
    fs::write(boot.join("initrd.img"), [initramfs, &own.finish()].concat())?;
    fs::write(tree.join(".treeinfo"), treeinfo(release))?;
    Ok(())
}

/// As the releases' own, without what the stand-in has not: a second stage and packages.
fn treeinfo(release: &Release) -> String {
    let Release { product, version, .. } = release;
    format!(
        "[header]\ntype = productmd.treeinfo\nversion = 1.2\n\n[general]\narch = x86_64\nfamily = {product}\n\
         name = {product} {version}\nversion = {version}\n\n[images-x86_64]\ninitrd = images/pxeboot/initrd.img\n\
         kernel = images/pxeboot/vmlinuz\n\n[release]\nname = {product}\nversion = {version}\n"
    )
}

/// Filled up with zeros: the kernel looks for the next archive at multiples of four.
fn aligned(mut archive: Vec<u8>) -> Vec<u8> {
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive
}
