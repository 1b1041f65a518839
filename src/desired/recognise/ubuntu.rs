//! Ubuntu's live images: `.disk/info` and `casper/`.

use super::{Found, Look, Recognised, debian::DiskInfo};
use crate::{desired::Family, install::INSTALLER_IMAGE};

pub(super) fn look(look: &mut Look<'_>) -> Found {
    let Some((file, text)) = look.text(&[".disk/info"]) else {
        return Ok(None);
    };
    let Some(info) = DiskInfo::read(&text).filter(|info| info.system.starts_with("Ubuntu")) else {
        return Ok(None);
    };
    look.saw(&file, format!("`{}`", info.line));
    let Some(arch) = info.arch else {
        return Err(look.refuse(
            &format!("{file} names no processor that Muster installs (amd64, arm64)"),
            "enter the system with `muster distro add`",
        ));
    };
    let arch = look.arch(&file, arch.as_str())?;
    let at = |kernel: &str, initrd: &str| (format!("casper/{kernel}"), format!("casper/{initrd}"));
    let (kernel, initrd) = look.pair(&[
        at("vmlinuz", "initrd"),
        at("vmlinuz", "initrd.gz"),
        at("vmlinuz", "initrd.lz"),
        at("hwe-vmlinuz", "hwe-initrd"),
    ])?;
    if look.view.has("casper/install-sources.yaml") {
        look.saw(
            "casper/install-sources.yaml",
            "subiquity's sources: it takes an autoinstall",
        );
    } else {
        look.caution("casper/install-sources.yaml is not there: this may be an image without subiquity, which takes no autoinstall");
    }
    if look.view.has(INSTALLER_IMAGE) {
        look.saw(INSTALLER_IMAGE, "the image that the installer fetches");
    } else {
        look.caution(format!(
            "the installer fetches a whole image, not files of a folder: put the .iso into the tree as {INSTALLER_IMAGE}, or \
             import the .iso itself"
        ));
    }
    // 24.04.1 calls itself 24.04 when it is installed.
    let version: Vec<&str> = info.version.split('.').take(2).collect();
    look.check_claimed("ubuntu", version.first().copied().unwrap_or_default(), 22, 26);
    Ok(Some(Recognised {
        family: Family::Ubuntu,
        id: "ubuntu".to_owned(),
        version: version.join("."),
        codename: info.codename,
        arch,
        kernel,
        initrd,
        reasons: std::mem::take(&mut look.reasons),
        cautions: std::mem::take(&mut look.cautions),
        on_mirror: None,
    }))
}
