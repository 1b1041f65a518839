//! `/proc/cpuinfo`: one paragraph a logical CPU, with keys that differ by architecture.

use muster_facts::trim_text;

use super::arm;

/// What `/proc/cpuinfo` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CpuInfo {
    /// `uname -m` as far as the keys betray it.
    pub(super) architecture: Option<&'static str>,
    /// The logical CPUs that are switched on, in the kernel's order.
    pub(super) processors: Vec<Processor>,
    /// The kind of every CPU, where the file names none of them (SPARC).
    pub(super) common: Kind,
    /// Flags of the first CPU.
    pub(super) flags: Vec<String>,
}

/// One logical CPU.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Processor {
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// Package and core within it, where the paragraph tells them (x86).
    pub(super) package: Option<u32>,
    pub(super) core: Option<u32>,
}

/// What makes two CPUs the same kind of core.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) vendor: Option<String>,
    pub(super) model: Option<String>,
}

/// Reads the whole file. Keys before the first `processor` line and after the last paragraph hold
/// for every CPU (32-bit ARM, POWER, s390).
pub(super) fn parse(text: &str) -> CpuInfo {
    let mut common = Paragraph::default();
    let mut numbered: Vec<(u32, Paragraph)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            open = open && !line.trim().is_empty();
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        if let Some(number) = processor_number(key, value) {
            numbered.push((number, Paragraph::default()));
            open = true;
        }
        match numbered.last_mut() {
            Some((_, paragraph)) if open => paragraph.take(key, value),
            _ => common.take(key, value),
        }
    }

    let architecture = numbered
        .first()
        .map_or(&common, |(_, first)| first)
        .architecture(&common);
    let flags = numbered
        .first()
        .and_then(|(_, first)| first.flags.clone())
        .or_else(|| common.flags.clone());
    CpuInfo {
        architecture,
        common: common.processor(0, &Paragraph::default()).kind,
        flags: flags.unwrap_or_default(),
        processors: numbered
            .iter()
            .map(|(number, paragraph)| paragraph.processor(*number, &common))
            .collect(),
    }
}

/// `processor : 3`, or on s390 `processor 3: version = …`.
fn processor_number(key: &str, value: &str) -> Option<u32> {
    if key == "processor" {
        return value.parse().ok();
    }
    key.strip_prefix("processor ")?.trim().parse().ok()
}

/// The keys that matter of one paragraph.
#[derive(Debug, Default)]
struct Paragraph {
    vendor: Option<String>,
    model_name: Option<String>,
    implementer: Option<u32>,
    part: Option<u32>,
    arm_version: Option<String>,
    isa: Option<String>,
    package: Option<u32>,
    core: Option<u32>,
    flags: Option<Vec<String>>,
}

impl Paragraph {
    fn take(&mut self, key: &str, value: &str) {
        match key {
            "vendor_id" | "mvendorid" => self.vendor = trim_text(value),
            // `cpu` is POWER's and SPARC's, `uarch` RISC-V's, `Processor` that of 32-bit ARM.
            "model name" | "Model Name" | "cpu" | "uarch" | "cpu model" | "Processor" => {
                self.model_name = trim_text(value);
            }
            "CPU implementer" => self.implementer = hex(value),
            "CPU part" => self.part = hex(value),
            "CPU architecture" => self.arm_version = trim_text(value),
            "isa" => self.isa = trim_text(value),
            "physical id" => self.package = value.parse().ok(),
            "core id" => self.core = value.parse().ok(),
            "flags" | "Features" | "features" => {
                self.flags = Some(value.split_whitespace().map(str::to_owned).collect());
            }
            _ => {}
        }
    }

    fn processor(&self, number: u32, common: &Self) -> Processor {
        let implementer = self.implementer.or(common.implementer);
        let part = self.part.or(common.part);
        let told_vendor = || self.vendor.clone().or_else(|| common.vendor.clone());
        let told_model = || self.model_name.clone().or_else(|| common.model_name.clone());
        let kind = match implementer {
            None => Kind {
                vendor: told_vendor(),
                model: told_model(),
            },
            Some(id) => Kind {
                vendor: arm::implementer(id)
                    .map(str::to_owned)
                    .or_else(|| Some(format!("{id:#04x}"))),
                model: part
                    .and_then(|part| arm::part(id, part))
                    .map(str::to_owned)
                    .or_else(told_model)
                    .or_else(|| part.map(|part| format!("{part:#05x}"))),
            },
        };
        Processor {
            number,
            kind,
            package: self.package,
            core: self.core,
        }
    }

    fn architecture(&self, common: &Self) -> Option<&'static str> {
        if self.implementer.or(common.implementer).is_some() {
            let version = self.arm_version.as_deref().or(common.arm_version.as_deref());
            return match version {
                Some("8" | "AArch64") => Some("aarch64"),
                Some(version) if version.starts_with('7') => Some("armv7l"),
                Some(version) if version.starts_with(['5', '6']) => Some("armv6l"),
                _ => None,
            };
        }
        let isa = self.isa.as_deref().or(common.isa.as_deref()).unwrap_or_default();
        if isa.starts_with("rv64") {
            return Some("riscv64");
        }
        if common.vendor.as_deref() == Some("IBM/S390") {
            return Some("s390x");
        }
        if self
            .model_name
            .as_deref()
            .is_some_and(|model| model.starts_with("POWER"))
        {
            return Some("ppc64");
        }
        match (&self.vendor, &self.flags) {
            (Some(_), Some(flags)) if flags.iter().any(|flag| flag == "lm") => Some("x86_64"),
            (Some(_), Some(flags)) if flags.iter().any(|flag| flag == "fpu") => Some("i686"),
            _ => None,
        }
    }
}

fn hex(value: &str) -> Option<u32> {
    u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bit_arm_tells_its_part_after_the_processors() {
        let info = parse(
            "Processor\t: ARMv7 Processor rev 10 (v7l)\nprocessor\t: 0\nBogoMIPS\t: 1.0\n\nprocessor\t: 1\n\n\
             Features\t: swp half neon\nCPU implementer\t: 0x41\nCPU architecture: 7\nCPU part\t: 0xc09\n",
        );
        assert_eq!(info.architecture, Some("armv7l"));
        assert_eq!(info.processors.len(), 2);
        assert_eq!(info.processors[1].kind.model.as_deref(), Some("Cortex-A9"));
        assert_eq!(info.flags, ["swp", "half", "neon"]);
    }

    #[test]
    fn an_unknown_part_keeps_its_number() {
        let info = parse("processor : 0\nCPU implementer : 0x41\nCPU architecture: 8\nCPU part : 0xfff\n");
        assert_eq!(info.processors[0].kind.model.as_deref(), Some("0xfff"));
        assert_eq!(info.processors[0].kind.vendor.as_deref(), Some("ARM"));
    }

    #[test]
    fn power_names_its_model_cpu() {
        let info = parse("processor\t: 8\ncpu\t\t: POWER7 (architected), altivec supported\nclock\t\t: 3000MHz\n");
        assert_eq!(info.processors[0].number, 8);
        assert_eq!(
            info.processors[0].kind.model.as_deref(),
            Some("POWER7 (architected), altivec supported")
        );
        assert_eq!(info.architecture, Some("ppc64"));
    }

    #[test]
    fn sparc_names_no_processors() {
        let info =
            parse("cpu\t\t: UltraSparc T1 (Niagara)\nfpu\t\t: UltraSparc T1 integrated FPU\nncpus active\t: 24\n");
        assert_eq!(info.processors, []);
        assert_eq!(info.common.model.as_deref(), Some("UltraSparc T1 (Niagara)"));
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(parse(""), CpuInfo::default());
        assert_eq!(parse(":\n::\nprocessor: x\n").processors, []);
    }
}
