//! Debian: images (`.disk/info`, `install.amd/`), mirrors (`dists/…/installer-amd64/`) and netboot folders.

use super::{Arch, Found, Look, NotRecognised, Recognised, major};
use crate::desired::Family;

/// Releases and their numbers, for what names only one of the two.
const RELEASES: [(&str, &str); 4] = [
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
];

/// Folders below `dists/` that are looked at.
const MOST_SUITES: usize = 64;

/// The line of `.disk/info`: `Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware …`,
/// `Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)`.
pub(super) struct DiskInfo {
    pub(super) line: String,
    pub(super) system: String,
    pub(super) version: String,
    /// In lower case, its first word.
    pub(super) codename: Option<String>,
    pub(super) arch: Option<Arch>,
}

impl DiskInfo {
    pub(super) fn read(text: &str) -> Option<Self> {
        let line: String = text
            .lines()
            .next()?
            .trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        let (named, after) = match line.split_once('"') {
            Some((named, rest)) => (named, rest),
            None => (line.as_str(), ""),
        };
        let version = named
            .split_whitespace()
            .find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()))
            .unwrap_or_default();
        let codename = after
            .split_once('"')
            .and_then(|(name, _)| name.split_whitespace().next())
            .map(str::to_lowercase);
        let arch = line
            .split(|letter: char| letter.is_whitespace() || letter == '/')
            .filter_map(|word| word.parse().ok())
            .next_back();
        Some(Self {
            system: named.trim().to_owned(),
            version: version.to_owned(),
            codename,
            arch,
            line: line.clone(),
        })
    }
}

/// A Debian CD, DVD or netinst image.
pub(super) fn look_at_image(look: &mut Look<'_>) -> Found {
    let Some((file, text)) = look.text(&[".disk/info"]) else {
        return Ok(None);
    };
    let Some(info) = DiskInfo::read(&text).filter(|info| info.system.starts_with("Debian")) else {
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
    let codename = info.codename.filter(|name| !name.is_empty());
    let folder = match arch {
        Arch::X86_64 => "install.amd",
        Arch::Aarch64 => "install.a64",
    };
    let mut pairs = Vec::new();
    if let Some(codename) = &codename {
        pairs.push(netboot_of_mirror(codename, arch));
    }
    let of_disc = (format!("{folder}/vmlinuz"), format!("{folder}/initrd.gz"));
    pairs.push(of_disc.clone());
    let pair = look.pair(&pairs)?;
    if pair == of_disc {
        look.caution(
            "this initrd looks for its disc and not for the network: an installation by network needs the kernel and initrd of \
             netboot; import a mirror, or a netboot folder with --url of a mirror",
        );
    }
    let number = major(&info.version).to_owned();
    finish(look, codename, &number, arch, pair).map(Some)
}

/// A mirror, or a tree that `cargo xtask mirror` made.
pub(super) fn look_at_mirror(look: &mut Look<'_>) -> Found {
    let mut suites = look.view.names("dists");
    suites.sort();
    suites.truncate(MOST_SUITES);
    let mut found: Vec<(String, String, String, Arch)> = Vec::new();
    for suite in &suites {
        let file = format!("dists/{suite}/Release");
        let Some(text) = look.view.text(&file) else { continue };
        let field = |name: &str| {
            text.lines()
                .take_while(|line| !line.starts_with(' '))
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        if field("Origin").is_some_and(|origin| origin != "Debian") {
            continue;
        }
        let codename = field("Codename").unwrap_or_else(|| suite.clone());
        let version = field("Version").unwrap_or_default();
        for arch in Arch::ALL {
            let known = found.iter().any(|(_, name, _, of)| *name == codename && *of == arch);
            let (kernel, initrd) = netboot_of_mirror(suite, arch);
            if !known && (look.view.has(&kernel) || look.view.has(&initrd)) {
                found.push((suite.clone(), codename.clone(), version.clone(), arch));
            }
        }
    }
    if let Some(chosen) = &look.choice.codename {
        found.retain(|(suite, codename, ..)| codename == chosen || suite == chosen);
    }
    if let Some(chosen) = look.choice.arch {
        found.retain(|(.., arch)| *arch == chosen);
    }
    match found.as_slice() {
        [] => {
            let release = look.choice.codename.as_deref().unwrap_or("RELEASE").to_owned();
            let arch = look.choice.arch.unwrap_or(Arch::X86_64);
            let (kernel, initrd) = netboot_of_mirror(&release, arch);
            look.missing.extend([kernel, initrd]);
            Ok(None)
        }
        [(suite, codename, version, arch)] => {
            let says = format!("Debian {version} {codename}");
            look.saw(&format!("dists/{suite}/Release"), says);
            let pair = look.pair(&[netboot_of_mirror(suite, *arch)])?;
            finish(look, Some(codename.clone()), major(version), *arch, pair).map(Some)
        }
        several => {
            let all: Vec<String> = several
                .iter()
                .map(|(_, codename, _, arch)| format!("{codename} for {arch}"))
                .collect();
            Err(look.refuse(
                &format!("the tree holds several systems: {}", all.join(", ")),
                "choose one with --codename and --arch",
            ))
        }
    }
}

/// What `netboot.tar.gz` and Debian's packages `debian-installer-*-netboot-*` hold.
pub(super) fn look_at_netboot(look: &mut Look<'_>) -> Found {
    let Some((file, text)) = look.text(&["version.info"]) else {
        return Ok(None);
    };
    // `Debian version:  12 (bookworm)`
    let Some(said) = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Debian version:"))
        .map(str::trim)
    else {
        return Ok(None);
    };
    look.saw(&file, format!("Debian {said}"));
    let mut words = said.split_whitespace();
    let number = words.next().map(major).unwrap_or_default().to_owned();
    let codename = words
        .next()
        .map(|word| word.trim_matches(['(', ')']).to_lowercase())
        .filter(|word| !word.is_empty());
    let at = |arch: Arch| {
        let folder = format!("debian-installer/{}", arch.debian());
        (format!("{folder}/linux"), format!("{folder}/initrd.gz"))
    };
    let there: Vec<Arch> = Arch::ALL
        .into_iter()
        .filter(|arch| look.choice.arch.is_none_or(|chosen| chosen == *arch))
        .filter(|arch| look.view.has(&at(*arch).0) || look.view.has(&at(*arch).1))
        .collect();
    let arch = match there.as_slice() {
        [arch] => *arch,
        [] => {
            let pairs: Vec<_> = Arch::ALL.into_iter().map(at).collect();
            return look.pair(&pairs).map(|_| None);
        }
        _ => {
            return Err(look.refuse("the folder is for several processors", "choose one with --arch"));
        }
    };
    let pair = look.pair(&[at(arch)])?;
    let packages = codename
        .as_ref()
        .is_some_and(|codename| look.view.has(&format!("dists/{codename}/Release")));
    let mut found = finish(look, codename, &number, arch, pair)?;
    if !packages {
        found.on_mirror = found
            .codename
            .as_deref()
            .map(|codename| netboot_of_mirror(codename, arch));
    }
    Ok(Some(found))
}

/// Where a mirror has the installer for the network.
fn netboot_of_mirror(suite: &str, arch: Arch) -> (String, String) {
    let arch = arch.debian();
    let folder = format!("dists/{suite}/main/installer-{arch}/current/images/netboot/debian-installer/{arch}");
    (format!("{folder}/linux"), format!("{folder}/initrd.gz"))
}

fn finish(
    look: &mut Look<'_>,
    codename: Option<String>,
    number: &str,
    arch: Arch,
    (kernel, initrd): (String, String),
) -> Result<Recognised, NotRecognised> {
    let listed = RELEASES
        .into_iter()
        .find(|(name, listed)| codename.as_deref() == Some(*name) || *listed == number);
    let is_number = !number.is_empty() && number.bytes().all(|letter| letter.is_ascii_digit());
    let version = match (is_number, listed) {
        (true, _) => number.to_owned(),
        (false, Some((_, number))) => number.to_owned(),
        (false, None) => {
            return Err(look.refuse(
                "nothing in the tree names a version of Debian that Muster knows",
                "enter it with `muster distro add --family debian --os-version …`",
            ));
        }
    };
    look.check_claimed("debian", &version, 11, 13);
    Ok(Recognised {
        family: Family::Debian,
        id: "debian".to_owned(),
        codename: codename.or_else(|| listed.map(|(name, _)| name.to_owned())),
        version,
        arch,
        kernel,
        initrd,
        reasons: std::mem::take(&mut look.reasons),
        cautions: std::mem::take(&mut look.cautions),
        on_mirror: None,
    })
}
