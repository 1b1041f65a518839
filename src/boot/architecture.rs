use std::fmt;

/// The firmware a client boots with: option 93 (RFC 4578), with the numbers of IANA's "Processor Architecture Types".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// BIOS of a PC (0).
    X86Bios,
    /// UEFI of 32 bits (6).
    X86Uefi,
    /// UEFI on x86-64 (7; also 9, which firmware sends by an old mistake in RFC 4578).
    X64Uefi,
    /// UEFI on arm64 (11).
    Arm64Uefi,
    /// UEFI HTTP boot on x86-64 (16).
    X64Http,
    /// UEFI HTTP boot on arm64 (19).
    Arm64Http,
    /// Any other number.
    Other(u16),
}

impl Architecture {
    /// The architectures that have a loader by default, in the order of the settings.
    pub const NAMED: [Self; 6] = [
        Self::X86Bios,
        Self::X86Uefi,
        Self::X64Uefi,
        Self::Arm64Uefi,
        Self::X64Http,
        Self::Arm64Http,
    ];

    /// Reads the number of option 93.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            0 => Self::X86Bios,
            6 => Self::X86Uefi,
            7 | 9 => Self::X64Uefi,
            11 => Self::Arm64Uefi,
            16 => Self::X64Http,
            19 => Self::Arm64Http,
            other => Self::Other(other),
        }
    }

    /// Reads the word of settings and event parameters, e.g. `x64-uefi`, `other-27`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::NAMED
            .into_iter()
            .find(|named| named.word() == Some(word))
            .or_else(|| word.strip_prefix("other-")?.parse().ok().map(Self::from_code))
    }

    /// True when the firmware loads by HTTP: the boot file is then a URL.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::X64Http | Self::Arm64Http)
    }

    /// True when the firmware is UEFI.
    #[must_use]
    pub const fn is_uefi(self) -> bool {
        matches!(
            self,
            Self::X86Uefi | Self::X64Uefi | Self::Arm64Uefi | Self::X64Http | Self::Arm64Http
        )
    }

    /// True when a program for `other` starts here too: HTTP or TFTP makes no difference to it.
    #[must_use]
    pub const fn runs_programs_of(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::X86Bios, Self::X86Bios)
                | (Self::X86Uefi, Self::X86Uefi)
                | (Self::X64Uefi | Self::X64Http, Self::X64Uefi | Self::X64Http)
                | (Self::Arm64Uefi | Self::Arm64Http, Self::Arm64Uefi | Self::Arm64Http)
        )
    }

    /// The architecture a loader's file name speaks of, by the names iPXE, GRUB and shim are built under; `None` when
    /// the name says nothing.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        if [".kpxe", ".pxe", ".kkpxe", ".0", ".lkrn"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            return Some(Self::X86Bios);
        }
        let stem = name.strip_suffix(".efi")?;
        if ["arm64", "aa64", "aarch64"].iter().any(|part| stem.contains(part)) {
            return Some(Self::Arm64Uefi);
        }
        if stem.contains("ia32") || stem.contains("i386") || (stem.contains("x86") && !stem.contains("x86_64")) {
            return Some(Self::X86Uefi);
        }
        let known = ["x64", "x86_64", "ipxe", "snponly", "snp", "shim", "grub"];
        known.iter().any(|part| stem.contains(part)).then_some(Self::X64Uefi)
    }

    const fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::X86Bios => "x86-bios",
            Self::X86Uefi => "x86-uefi",
            Self::X64Uefi => "x64-uefi",
            Self::Arm64Uefi => "arm64-uefi",
            Self::X64Http => "x64-http",
            Self::Arm64Http => "arm64-http",
            Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for Architecture {
    /// The word of settings and event parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.word(), self) {
            (Some(word), _) => f.write_str(word),
            (None, Self::Other(code)) => write!(f, "other-{code}"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_come_back() {
        for code in 0..40 {
            let arch = Architecture::from_code(code);
            assert_eq!(Architecture::from_word(&arch.to_string()), Some(arch), "{code}");
        }
        assert_eq!(Architecture::from_code(9), Architecture::X64Uefi);
        assert_eq!(Architecture::from_word("x64"), None);
    }

    #[test]
    fn file_names_speak() {
        for (name, arch) in [
            ("undionly.kpxe", Some(Architecture::X86Bios)),
            ("pxelinux.0", Some(Architecture::X86Bios)),
            ("snponly.efi", Some(Architecture::X64Uefi)),
            ("snponly-2025.efi", Some(Architecture::X64Uefi)),
            ("snponly-arm64.efi", Some(Architecture::Arm64Uefi)),
            ("snponly-x86.efi", Some(Architecture::X86Uefi)),
            ("bootx86_64.efi", Some(Architecture::X64Uefi)),
            ("debian-installer/amd64/bootnetx64.efi", Some(Architecture::X64Uefi)),
            ("bootaa64.efi", Some(Architecture::Arm64Uefi)),
            ("wds.efi", None),
            ("autoexec.ipxe", None),
        ] {
            assert_eq!(Architecture::of_file_name(name), arch, "{name}");
        }
    }
}
