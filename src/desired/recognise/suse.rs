//! openSUSE Leap and SLES 15: `media.1/media`, `media.1/products`, and `.treeinfo` where they have one.

use super::{Arch, Found, Look, NotRecognised, Recognised, major, treeinfo::TreeInfo};
use crate::desired::Family;

pub(super) fn of_treeinfo(
    look: &mut Look<'_>,
    info: &TreeInfo,
    family: &str,
    version: &str,
    arch: Arch,
) -> Result<Recognised, NotRecognised> {
    let id = if family.to_lowercase().contains("opensuse") {
        "opensuse-leap"
    } else {
        "sles"
    };
    let mut pairs: Vec<(String, String)> = info.images(arch.as_str()).into_iter().collect();
    pairs.extend(usual(arch));
    // A service pack is written as `15-SP5` here and as `15.5` there; the installed system says 15.5.
    let version = version.to_uppercase().replace("-SP", ".").replace(" SP", ".");
    finish(look, id, &version, arch, &pairs)
}

/// What `media.1/media` calls the product: `openSUSE-Leap-15.6-NET-x86_64-Build710.3`, `SLE-15-SP5-Full-x86_64-…`.
pub(super) fn look_at_media(look: &mut Look<'_>) -> Found {
    let Some((file, text)) = look.text(&["media.1/media"]) else {
        return Ok(None);
    };
    let Some(product) = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("openSUSE-") || line.starts_with("SLE"))
        .or_else(|| {
            text.lines()
                .next()
                .and_then(|line| line.split_once(" - "))
                .map(|(_, rest)| rest.trim())
        })
    else {
        return Ok(None);
    };
    look.saw(&file, format!("`{product}`"));
    if let Some((file, text)) = look.text(&["media.1/products"]) {
        let first = text.lines().next().unwrap_or_default().trim_start_matches('/').trim();
        look.saw(&file, format!("`{first}`"));
    }
    let words: Vec<&str> = product.split('-').collect();
    let (id, version) = match words.as_slice() {
        ["openSUSE", "Leap", version, ..] => ("opensuse-leap", (*version).to_owned()),
        ["SLE" | "SLES", version, rest @ ..] => {
            let pack = rest.first().and_then(|word| word.strip_prefix("SP"));
            let version = pack.map_or_else(|| (*version).to_owned(), |pack| format!("{version}.{pack}"));
            ("sles", version)
        }
        _ => {
            return Err(look.refuse(
                &format!("{file} names `{product}`, which Muster does not know"),
                "if it is installed by AutoYaST, enter it with `muster distro add --family suse`",
            ));
        }
    };
    let arch = match words.iter().find(|word| word.parse::<Arch>().is_ok()) {
        Some(word) => look.arch(&file, word)?,
        None => match Arch::ALL.into_iter().find(|arch| {
            usual(*arch)
                .iter()
                .any(|(kernel, initrd)| look.view.has(kernel) || look.view.has(initrd))
        }) {
            Some(arch) => look.arch("boot", arch.as_str())?,
            None => {
                let pairs: Vec<_> = Arch::ALL.into_iter().flat_map(usual).collect();
                return look.pair(&pairs).map(|_| None);
            }
        },
    };
    finish(look, id, &version, arch, &usual(arch)).map(Some)
}

fn usual(arch: Arch) -> [(String, String); 2] {
    let at = |folder: &str| {
        (
            format!("boot/{arch}/{folder}linux"),
            format!("boot/{arch}/{folder}initrd"),
        )
    };
    [at("loader/"), at("")]
}

fn finish(
    look: &mut Look<'_>,
    id: &str,
    version: &str,
    arch: Arch,
    pairs: &[(String, String)],
) -> Result<Recognised, NotRecognised> {
    let (kernel, initrd) = look.pair(pairs)?;
    look.check_claimed(id, major(version), 15, 15);
    Ok(Recognised {
        family: Family::Suse,
        id: id.to_owned(),
        version: version.to_owned(),
        codename: None,
        arch,
        kernel,
        initrd,
        reasons: std::mem::take(&mut look.reasons),
        cautions: std::mem::take(&mut look.cautions),
        on_mirror: None,
    })
}
