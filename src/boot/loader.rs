//! The programs that firmware is handed first, and those that follow on them.

use std::{fmt, str::FromStr};

use super::{Architecture, LoaderTable};
use crate::inventory::UnknownWord;

/// Programs that start the system on a disk of a UEFI machine, as files of the loader folder, by the processor as iPXE
/// names it (`${buildarch}`). UEFI itself offers no way to say "the next disk": iPXE's `exit` goes through every other
/// network entry first, a minute and more.
pub const DISK_LOADERS: [(&str, &str); 2] = [("x86_64", "local-x64.efi"), ("arm64", "local-arm64.efi")];

/// Which loader a host is given by its firmware: a desired value of the host or of its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoaderKind {
    /// iPXE, as the loader table has it. Not signed: Secure Boot has to be off.
    Ipxe,
    /// GRUB, signed by Debian, without shim: for firmware that starts GRUB and on which iPXE does not work.
    Grub,
    /// Debian's signed shim, which starts the signed GRUB: for machines with Secure Boot.
    Shim,
}

impl LoaderKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ipxe, Self::Grub, Self::Shim];

    /// The word of desired values.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipxe => "ipxe",
            Self::Grub => "grub",
            Self::Shim => "shim",
        }
    }

    /// The kind a file of the loader folder is of, by its name.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        if name.contains("shim") {
            Self::Shim
        } else if name.contains("grub") {
            Self::Grub
        } else {
            Self::Ipxe
        }
    }

    /// The file that firmware of this architecture is given; `None` when there is none of this kind for it. iPXE is the
    /// one of the site's `table`, unless the site has something else there.
    #[must_use]
    pub fn file(self, arch: Architecture, table: &LoaderTable) -> Option<String> {
        let arm = matches!(arch, Architecture::Arm64Uefi | Architecture::Arm64Http);
        let x64 = matches!(arch, Architecture::X64Uefi | Architecture::X64Http);
        let named = |x64_name: &str, arm_name: &str| match (x64, arm) {
            (true, _) => Some(x64_name.to_owned()),
            (_, true) => Some(arm_name.to_owned()),
            _ => None,
        };
        match self {
            Self::Shim => named("shimx64.efi", "shimaa64.efi"),
            Self::Grub => named("grubx64.efi", "grubaa64.efi"),
            Self::Ipxe => {
                let sites = table.get(arch).filter(|name| Self::of_file(name) == Self::Ipxe);
                sites
                    .map(str::to_owned)
                    .or_else(|| LoaderTable::default().get(arch).map(str::to_owned))
            }
        }
    }
}

impl fmt::Display for LoaderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LoaderKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "loader",
                word: text.to_owned(),
            })
    }
}

/// True for what loaders look for on their own account and go on without: iPXE's script beside itself, shim's lists of
/// revocations and further certificates, and the modules, fonts and pictures of a GRUB that has all it needs built in.
#[must_use]
pub fn is_optional_file(name: &str) -> bool {
    let name = name.trim_start_matches('/');
    let last = name.rsplit('/').next().unwrap_or(name);
    let configuration = last.starts_with("grub.cfg");
    last == "autoexec.ipxe"
        || (last.starts_with("revocations") || last.starts_with("shim_certificate")) && last.ends_with(".efi")
        || name.starts_with("grub/") && !configuration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for kind in LoaderKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("pxelinux".parse::<LoaderKind>().is_err());
    }

    #[test]
    fn each_kind_has_its_file_where_there_is_one() {
        let mut table = LoaderTable::default();
        let file = |kind: LoaderKind, arch, table: &LoaderTable| kind.file(arch, table).unwrap_or_default();
        assert_eq!(file(LoaderKind::Shim, Architecture::X64Http, &table), "shimx64.efi");
        assert_eq!(file(LoaderKind::Grub, Architecture::Arm64Uefi, &table), "grubaa64.efi");
        assert_eq!(file(LoaderKind::Shim, Architecture::X86Bios, &table), "");
        table.set(Architecture::X64Uefi, "ipxe.efi");
        assert_eq!(file(LoaderKind::Ipxe, Architecture::X64Uefi, &table), "ipxe.efi");
        // A site that gives everybody shim has hosts that are to have iPXE all the same.
        table.set(Architecture::X64Uefi, "shimx64.efi");
        assert_eq!(file(LoaderKind::Ipxe, Architecture::X64Uefi, &table), "snponly.efi");
    }

    #[test]
    fn what_loaders_go_on_without_is_no_trouble() {
        for name in [
            "autoexec.ipxe",
            "revocations_sku.efi",
            "revocations_sbat.efi",
            "shim_certificate_0.efi",
            "/grub/x86_64-efi/command.lst",
            "grub/fonts/unicode.pf2",
        ] {
            assert!(is_optional_file(name), "{name}");
        }
        for name in [
            "grubx64.efi",
            "shimx64.efi",
            "grub/grub.cfg",
            "grub/grub.cfg-01-52-54-00-77-00-01",
        ] {
            assert!(!is_optional_file(name), "{name}");
        }
    }
}
