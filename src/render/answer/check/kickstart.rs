//! Kickstarts: by pykickstart's ksvalidator where it is installed, and by rules of our own.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{
    super::{Answer, Platform},
    Finding, program,
};
use crate::desired::Family;

/// pykickstart's validator.
#[derive(Debug, Clone)]
pub struct Ksvalidator {
    program: PathBuf,
}

impl Ksvalidator {
    /// The one of `KSVALIDATOR`, or on the search path.
    #[must_use]
    pub fn find() -> Option<Self> {
        if let Some(program) = env::var_os("KSVALIDATOR") {
            return Self::at(Path::new(&program));
        }
        env::split_paths(&env::var_os("PATH")?).find_map(|folder| Self::at(&folder.join("ksvalidator")))
    }

    /// The one at this path, when it is there.
    #[must_use]
    pub fn at(program: &Path) -> Option<Self> {
        program.is_file().then(|| Self {
            program: program.to_path_buf(),
        })
    }
}

/// The name that pykickstart has for the syntax of a platform: `RHEL9`, `F41`.
#[must_use]
pub fn version_name(platform: &Platform) -> Option<String> {
    if platform.family != Family::Redhat || platform.major == 0 {
        return None;
    }
    match platform.id.as_str() {
        "fedora" => Some(format!("F{}", platform.major.min(46))),
        // Their releases are counted by year; the installers are those of RHEL 8 and 9.
        "openeuler" => Some(if platform.major >= 24 { "RHEL9" } else { "RHEL8" }.to_owned()),
        "anolis" if platform.major >= 23 => Some("RHEL9".to_owned()),
        _ => Some(format!("RHEL{}", platform.major.min(11))),
    }
}

/// By our own rules.
pub(super) fn check(answer: &Answer) -> Vec<Finding> {
    // Debian's reading of a kickstart has no `%end`, and neither of these rules.
    if answer.platform.family != Family::Redhat {
        return Vec::new();
    }
    let mut findings = sections(&answer.text);
    findings.extend(commands(answer));
    findings
}

/// By ksvalidator, where it knows the platform.
pub(super) fn by_program(answer: &Answer, ksvalidator: &Ksvalidator) -> Vec<Finding> {
    version_name(&answer.platform).map_or_else(Vec::new, |version| validate(ksvalidator, &version, &answer.text))
}

/// Every command that a kickstart of RHEL 7 to 10 or Fedora 40 and later may have (pykickstart). Whatever else stands where
/// commands do was written for another place, such as a script.
const COMMANDS: &[&str] = &[
    "auth",
    "authconfig",
    "authselect",
    "autopart",
    "autostep",
    "bootc",
    "bootloader",
    "btrfs",
    "cdrom",
    "clearpart",
    "cmdline",
    "device",
    "deviceprobe",
    "dmraid",
    "driverdisk",
    "eula",
    "fcoe",
    "firewall",
    "firstboot",
    "graphical",
    "group",
    "halt",
    "harddrive",
    "hmc",
    "ignoredisk",
    "install",
    "interactive",
    "iscsi",
    "iscsiname",
    "keyboard",
    "lang",
    "langsupport",
    "liveimg",
    "logging",
    "logvol",
    "mediacheck",
    "method",
    "module",
    "monitor",
    "mount",
    "multipath",
    "network",
    "nfs",
    "nvdimm",
    "ostreecontainer",
    "ostreesetup",
    "part",
    "partition",
    "poweroff",
    "raid",
    "rdp",
    "realm",
    "reboot",
    "repo",
    "reqpart",
    "rescue",
    "rhsm",
    "rootpw",
    "selinux",
    "services",
    "shutdown",
    "skipx",
    "snapshot",
    "sshkey",
    "sshpw",
    "stratis",
    "syspurpose",
    "text",
    "timesource",
    "timezone",
    "unsupported_hardware",
    "updates",
    "upgrade",
    "url",
    "user",
    "vnc",
    "volgroup",
    "xconfig",
    "zerombr",
    "zfcp",
    "zipl",
];

/// Every section is closed before the next one begins.
fn sections(text: &str) -> Vec<Finding> {
    const OPENING: &[&str] = &[
        "%pre",
        "%pre-install",
        "%post",
        "%packages",
        "%onerror",
        "%traceback",
        "%addon",
    ];
    let mut findings = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (at, line) in text.lines().enumerate() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word == "%end" && open.take().is_none() {
            findings.push(Finding::error(at + 1, "`%end` without a section"));
        } else if OPENING.contains(&word) {
            if let Some((_, name)) = open {
                findings.push(Finding::error(
                    at + 1,
                    format!("`{word}` begins before `{name}` has its `%end`"),
                ));
            }
            open = Some((at + 1, word));
        }
    }
    if let Some((line, name)) = open {
        findings.push(Finding::error(line, format!("`{name}` has no `%end`")));
    }
    findings
}

/// Commands that an unattended installation cannot do without, and disks that would be lost.
fn commands(answer: &Answer) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut named: Vec<(usize, &str, &str)> = Vec::new();
    for (at, line) in answer.text.lines().enumerate() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word == "%end" {
            inside = false;
        } else if word.starts_with('%') && word != "%include" {
            inside = true;
        } else if !inside && !word.is_empty() && !word.starts_with('#') {
            named.push((at + 1, word, line));
        }
    }
    for (line, word, _) in &named {
        // `%include` is in its place too.
        if !word.starts_with('%') && !COMMANDS.contains(word) {
            let word: String = word.chars().take(40).collect();
            findings.push(Finding::error(
                *line,
                format!("`{word}` is no command of a kickstart: does it belong into a script (%pre, %post)?"),
            ));
        }
    }
    findings.extend(twice(&named));
    let has = |word: &str| named.iter().any(|(_, name, _)| *name == word);
    for (word, why) in [
        ("rootpw", "the installer would ask for root's password"),
        ("bootloader", "the installer would not know where the boot loader goes"),
    ] {
        if !has(word) {
            findings.push(Finding::error(0, format!("there is no `{word}`: {why}")));
        }
    }
    if ![
        "url",
        "nfs",
        "cdrom",
        "hmc",
        "harddrive",
        "ostreesetup",
        "liveimg",
        "ostreecontainer",
    ]
    .iter()
    .any(|word| has(word))
    {
        findings.push(Finding::warning(
            0,
            "no installation source is named: the kernel line must have `inst.repo`",
        ));
    }
    for (line, word, text) in &named {
        if *word == "clearpart" && !text.contains("--drives") && !has("ignoredisk") {
            findings.push(Finding::error(
                *line,
                "this clears every disk: name the disk by `ignoredisk --only-use`",
            ));
        }
    }
    findings
}

/// Two file systems for one place: the installer stops.
fn twice(named: &[(usize, &str, &str)]) -> Vec<Finding> {
    let mut places: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for (line, word, text) in named {
        if !matches!(*word, "part" | "partition" | "logvol" | "raid" | "btrfs") {
            continue;
        }
        let place = text.split_whitespace().nth(1).map(|place| place.trim_matches('"'));
        let Some(place) = place.filter(|place| place.starts_with('/')) else {
            continue;
        };
        if places.contains(&place) {
            findings.push(Finding::error(
                *line,
                format!("`{place}` is made twice: take it out of partitioning.extra"),
            ));
        } else {
            places.push(place);
        }
    }
    findings
}

fn validate(ksvalidator: &Ksvalidator, version: &str, text: &str) -> Vec<Finding> {
    let finding = |line, message: String| Finding {
        checker: "ksvalidator",
        ..Finding::error(line, message)
    };
    let program = ksvalidator.program.to_string_lossy();
    let output = match program::run(&program, &["-v", version, "/dev/stdin"], text) {
        Ok(output) => output,
        Err(error) => return vec![Finding::warning(0, format!("ksvalidator could not be run: {error}"))],
    };
    if output.status.success() {
        return Vec::new();
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let words: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = said
        .split("line ")
        .nth(1)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .unwrap_or(0);
    vec![finding(line, format!("{version}: {}", words.join(" ")))]
}
