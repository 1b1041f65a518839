//! What runs a machine's instructions: the processor's own virtualisation where it works, else emulation.

use std::{
    fmt,
    fs::{self, OpenOptions},
    path::Path,
};

/// The device by which virtualisation is had.
const DEVICE: &str = "/dev/kvm";

/// What runs a machine's instructions, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor's own virtualisation; QEMU falls back on emulation where it is refused.
    Kvm,
    /// QEMU's emulation.
    Tcg {
        /// Why not the processor's own.
        reason: String,
    },
}

impl Accelerator {
    /// Finds what this machine can do.
    ///
    /// The device alone proves nothing: some hosts offer one that emulates instructions itself, more slowly than QEMU
    /// and without the real mode that a BIOS boot loader needs. The processor must say `vmx` or `svm` as well.
    pub fn find() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let device = OpenOptions::new().read(true).write(true).open(Path::new(DEVICE));
        Self::judge(&processor, device.err().map(|error| error.to_string()))
    }

    fn judge(processor: &str, refusal: Option<String>) -> Self {
        if let Some(refusal) = refusal {
            return Self::Tcg {
                reason: format!("{DEVICE}: {refusal}"),
            };
        }
        let flags = processor
            .lines()
            .find(|line| line.starts_with("flags"))
            .unwrap_or_default();
        if flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm") {
            return Self::Kvm;
        }
        Self::Tcg {
            reason: format!("{DEVICE} is there, but the processor has neither vmx nor svm"),
        }
    }

    /// QEMU's arguments.
    pub(crate) fn arguments(&self) -> &'static [&'static str] {
        match self {
            Self::Kvm => &["-accel", "kvm", "-accel", "tcg,thread=multi"],
            Self::Tcg { .. } => &["-accel", "tcg,thread=multi"],
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kvm => write!(formatter, "kvm"),
            Self::Tcg { reason } => write!(formatter, "tcg, emulated ({reason})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_and_the_processor_must_both_agree() {
        assert_eq!(
            Accelerator::judge("model name : x\nflags\t\t: fpu vmx sse\n", None),
            Accelerator::Kvm
        );
        assert!(matches!(
            Accelerator::judge("flags\t\t: fpu sse\n", None),
            Accelerator::Tcg { .. }
        ));
        let refused = Accelerator::judge("flags\t\t: svm\n", Some("permission denied".into()));
        assert_eq!(refused.to_string(), "tcg, emulated (/dev/kvm: permission denied)");
    }
}
