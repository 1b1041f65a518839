//! The boot loaders: iPXE as Debian builds it, and GRUB for what iPXE cannot do.

mod disk;
mod ready;

use std::{fs, path::Path};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::{apt::AptRoot, digest};

/// The release with iPXE of 2025: HTTPS, and loaders for arm64.
const NEWER: &str = "trixie";

/// A loader that Muster hands out, and the files of the package that will do, best first.
struct Loader {
    name: &'static str,
    files: &'static [&'static str],
    /// What machines miss without it; `None`: nothing boots, so it must be there.
    without: Option<&'static str>,
}

const LOADERS: &[Loader] = &[
    Loader {
        name: "undionly.kpxe",
        files: &["undionly.kpxe"],
        without: None,
    },
    Loader {
        name: "snponly.efi",
        files: &["snponly.efi"],
        without: None,
    },
    Loader {
        name: "ipxe.efi",
        files: &["ipxe-amd64.efi", "ipxe.efi"],
        without: None,
    },
    Loader {
        name: "ipxe-arm64.efi",
        files: &["ipxe-arm64.efi"],
        without: Some("arm64 machines cannot be booted"),
    },
    // Debian builds no loader for arm64 with the firmware's driver alone; the one with all drivers has it as well.
    Loader {
        name: "snponly-arm64.efi",
        files: &["snponly-arm64.efi", "ipxe-arm64.efi"],
        without: Some("arm64 machines cannot be booted"),
    },
];

/// Puts the loaders into `out`; gives what each is made of.
///
/// # Errors
/// When one that machines cannot do without cannot be had.
pub(super) fn collect(repository: &Path, work: &Path, release: &str, out: &Path) -> anyhow::Result<Value> {
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let mut shelf = Shelf {
        out,
        manifest: serde_json::Map::new(),
    };
    ipxe(work, release, &mut shelf)?;
    disk::make(repository, work, release, &mut shelf)?;
    ready::collect(work, release, &mut shelf)?;
    Ok(Value::Object(shelf.manifest))
}

/// The folder of loaders that is being filled.
struct Shelf<'a> {
    out: &'a Path,
    manifest: serde_json::Map<String, Value>,
}

impl Shelf<'_> {
    fn put(&mut self, name: &str, content: &[u8], package: &str, version: &str) -> anyhow::Result<()> {
        fs::write(self.out.join(name), content)
            .with_context(|| format!("{} cannot be written", self.out.join(name).display()))?;
        println!("  {name:<18} {:>5} kB", content.len() / 1000);
        let entry =
            json!({ "package": package, "version": version, "bytes": content.len(), "sha256": digest(content) });
        self.manifest.insert(name.to_owned(), entry);
        Ok(())
    }
}

/// iPXE, from the newer release if it can be had, else from this machine's.
fn ipxe(work: &Path, release: &str, shelf: &mut Shelf<'_>) -> anyhow::Result<()> {
    let newer = AptRoot::open(work, NEWER).and_then(|apt| apt.unpack("ipxe"));
    let (package, version) = match newer {
        Ok(found) => found,
        Err(error) if release != NEWER => {
            println!("loaders: {NEWER}'s iPXE cannot be had ({error:#}); taking {release}'s, which has no HTTPS");
            AptRoot::open(work, release)?.unpack("ipxe")?
        }
        Err(error) => return Err(error),
    };
    println!("loaders: ipxe {version}");
    for loader in LOADERS {
        let source = loader
            .files
            .iter()
            .map(|file| package.join("usr/lib/ipxe").join(file))
            .find(|path| path.is_file());
        let Some(source) = source else {
            match loader.without {
                Some(without) => println!("  {} is not in this package: {without}", loader.name),
                None => bail!("Debian's ipxe {version} holds no {}", loader.name),
            }
            continue;
        };
        shelf.put(loader.name, &fs::read(&source)?, "ipxe", &version)?;
    }
    Ok(())
}
