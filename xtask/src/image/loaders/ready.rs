//! Programs that are handed out as Debian has them: what is signed for Secure Boot, and the memory test.

use std::{fs, path::Path};

use super::{NEWER, Shelf};
use crate::apt::AptRoot;

/// One program and where it comes from.
struct Ready {
    /// The name under which Muster hands it out.
    name: &'static str,
    package: &'static str,
    /// Debian's word for the processor.
    processor: &'static str,
    /// Its place in the package.
    file: &'static str,
    /// What machines miss without it.
    without: &'static str,
}

/// Shim asks for `grubx64.efi` beside itself: that name is its own.
const READY: &[Ready] = &[
    Ready {
        name: "shimx64.efi",
        package: "shim-signed",
        processor: "amd64",
        file: "usr/lib/shim/shimx64.efi.signed",
        without: NO_SECURE_BOOT,
    },
    Ready {
        name: "grubx64.efi",
        package: "grub-efi-amd64-signed",
        processor: "amd64",
        file: "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
        without: NO_SECURE_BOOT,
    },
    Ready {
        name: "shimaa64.efi",
        package: "shim-signed",
        processor: "arm64",
        file: "usr/lib/shim/shimaa64.efi.signed",
        without: NO_SECURE_BOOT,
    },
    Ready {
        name: "grubaa64.efi",
        package: "grub-efi-arm64-signed",
        processor: "arm64",
        file: "usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed",
        without: NO_SECURE_BOOT,
    },
    Ready {
        name: "memtest-x64.bin",
        package: "memtest86+",
        processor: "amd64",
        file: "boot/memtest86+x64.bin",
        without: NO_MEMORY_TEST,
    },
    Ready {
        name: "memtest-x64.efi",
        package: "memtest86+",
        processor: "amd64",
        file: "boot/memtest86+x64.efi",
        without: NO_MEMORY_TEST,
    },
];

const NO_SECURE_BOOT: &str = "its machines with Secure Boot cannot be booted";
const NO_MEMORY_TEST: &str = "the console's menu has no memory test";

/// Fetches each, from the newer release if it can be had, else from this machine's.
pub(super) fn collect(work: &Path, release: &str, shelf: &mut Shelf<'_>) -> anyhow::Result<()> {
    for ready in READY {
        let from = |suite: &str| {
            let apt = AptRoot::open_processor(work, suite, ready.processor)?;
            let (package, version) = apt.unpack(ready.package)?;
            anyhow::Ok((fs::read(package.join(ready.file))?, version))
        };
        match from(NEWER).or_else(|_| from(release)) {
            Ok((content, version)) => shelf.put(ready.name, &content, ready.package, &version)?,
            Err(error) => println!("  {} cannot be had ({error:#}): {}", ready.name, ready.without),
        }
    }
    Ok(())
}
