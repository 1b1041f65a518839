//! A machine that installs Debian by itself through the server under trial: what a person would enter, and what is seen of
//! the installation.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    Firmware, LabError, Machine, MachineSpec,
    hardware::{Hardware, NicModel},
    installer::Installer,
    ledger::Ledger,
    server::Server,
    site::{Programs, Site},
    stop,
};

/// Name of the distro in the lab's ledger.
const DISTRO: &str = "debian-13";
/// The profile that hosts are given.
pub(crate) const PROFILE: &str = "lab";
/// Memory of a machine that runs Debian's installer, MiB: its parts live in a RAM disk.
const MEMORY: u32 = 2048;
/// Kernel options of the installer: its console is the serial line, as text, and emulation is not slowed down by
/// mitigations.
const INSTALLER_OPTIONS: &str = "console=ttyS0,115200 DEBIAN_FRONTEND=text BOOT_DEBUG=1 mitigations=off no_timer_check";
/// The kernel of the installed system: the one for virtual machines, which is smaller.
const KERNEL: &str = "debian_kernel=linux-image-cloud-amd64";
/// Kernel options of the installed system.
const SYSTEM_OPTIONS: &str = "console=ttyS0,115200 mitigations=off no_timer_check";
/// How long the machine may take to wait in the collection image.
const REPORT_LIMIT: Duration = Duration::from_secs(360);

/// Which answer file installs the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Debian's own: a preseed file.
    Preseed,
    /// A kickstart, which Debian's installer reads by kickseed.
    Kickstart,
}

impl Road {
    fn template(self) -> &'static str {
        match self {
            Self::Preseed => "debian/default.preseed",
            Self::Kickstart => "debian/kickseed.ks",
        }
    }

    /// Its word in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preseed => "preseed",
            Self::Kickstart => "kickstart",
        }
    }
}

/// Settings a site's server needs for installations, as TOML beside those it has. There are no templates of a site.
pub const SETTINGS: &str = "[syslog]\nenabled = true\n\n[templates]\ndir = \"/nonexistent\"\n";

/// One stage of an installation with the seconds from its start.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSeen {
    /// The stage's word.
    pub stage: String,
    /// Seconds since the installation was requested.
    pub seconds: f64,
}

/// What an installation has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct InstallSeen {
    /// Its id.
    pub id: String,
    /// `open`, `done`, `failed`, `cancelled`.
    pub outcome: String,
    /// Why it ended.
    pub reason: String,
    /// Times its installer was started.
    pub starts: u64,
    /// The stages it reached, in order.
    pub stages: Vec<StageSeen>,
    /// The last evidence.
    pub evidence: String,
    /// What was found otherwise than planned: field, planned, found.
    pub differences: Vec<String>,
}

impl InstallSeen {
    fn read(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let time = |value: &Value| {
            value
                .as_str()
                .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
        };
        let started = time(&value["created_at"]);
        let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
        Self {
            id: text("id"),
            outcome: text("outcome"),
            reason: text("reason"),
            evidence: text("evidence"),
            starts: value["starts"].as_u64().unwrap_or(0),
            stages: list("stages")
                .iter()
                .map(|stage| StageSeen {
                    stage: stage["stage"].as_str().unwrap_or_default().to_owned(),
                    seconds: match (time(&stage["at"]), started) {
                        (Some(at), Some(started)) => (at - started).as_seconds_f64(),
                        _ => 0.0,
                    },
                })
                .collect(),
            differences: list("differences").iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether it has ended, and how.
    pub fn has_ended(&self) -> bool {
        self.outcome != "open"
    }
}

/// A machine with a disk that Debian can be installed on.
pub fn machine(site: &Site, firmware: Firmware) -> MachineSpec {
    let hardware = site.next_hardware(NicModel::Virtio);
    let name = format!("i{}", &hardware.identity.serial[hardware.identity.serial.len() - 2..]).to_lowercase();
    MachineSpec {
        mebibytes: MEMORY,
        ..MachineSpec::new(&name, firmware, hardware)
    }
}

/// The command line of the server under trial.
#[derive(Debug)]
pub struct CommandLine {
    program: PathBuf,
    config: PathBuf,
}

impl CommandLine {
    /// `muster` with the settings of a site's server.
    pub fn new(programs: &Programs, site: &Site) -> Self {
        Self {
            program: programs.server.clone(),
            config: site.config(),
        }
    }

    /// Runs `muster ARGUMENTS`; gives what it printed.
    ///
    /// # Errors
    /// When it fails; the error holds what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String, LabError> {
        let action = format!("muster {}", arguments.join(" "));
        let output = Command::new(&self.program)
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            .output()
            .map_err(LabError::io(format!("starting {action}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(LabError::io(action)(std::io::Error::other(said)))
    }
}

/// Enters the distro and a profile, as a person would by the command line.
///
/// # Errors
/// When the server's command line refuses something.
pub fn enter(command_line: &CommandLine, installer: &Installer, road: Road) -> Result<(), LabError> {
    let tree = installer.mirror();
    command_line.run(&[
        "distro",
        "add",
        DISTRO,
        "--family",
        "debian",
        "--os",
        "debian",
        "--os-version",
        "13",
        "--codename",
        "trixie",
        "--arch",
        "x86_64",
        "--tree",
        &tree.display().to_string(),
        "--kernel",
        "boot/linux",
        "--initrd",
        "boot/initrd.gz",
    ])?;
    command_line.run(&[
        "profile",
        "add",
        PROFILE,
        "--distro",
        DISTRO,
        "--template",
        road.template(),
        "--disk",
        "rule=smallest",
        "--partitioning",
        "swap_mib=0",
        "--root-password-hash",
        "*",
        "--domain",
        "lab.test",
        "--locale",
        "C.UTF-8",
        "--vars",
        KERNEL,
        "--kernel-options",
        INSTALLER_OPTIONS,
        "--kernel-options-post",
        SYSTEM_OPTIONS,
    ])?;
    Ok(())
}

/// Gives a host the lab's profile and a name.
///
/// # Errors
/// When the server's command line refuses it.
pub fn assign(command_line: &CommandLine, hardware: &Hardware, name: &str) -> Result<(), LabError> {
    let mac = hardware.nics.first().map_or("", |nic| nic.mac.as_str());
    command_line
        .run(&["host", "edit", mac, "--profile", PROFILE, "--hostname", name])
        .map(drop)
}

/// Waits until the machine waits in the collection image; gives the id of its host.
///
/// # Errors
/// When it does not report in time.
pub fn wait_for_report(ledger: &Ledger<'_>, machine: &Machine) -> Result<String, LabError> {
    stop::wait_for(
        "the machine's report",
        REPORT_LIMIT,
        || ledger.report_of(&machine.spec().hardware),
        || machine.console().last(20),
    )
    .map(|report| report.id)
}

/// Starts the installation of a host; gives its id.
///
/// # Errors
/// When the server refuses it.
pub fn start(ledger: &Ledger<'_>, host: &str) -> Result<String, LabError> {
    ask(ledger, &format!("/api/v1/hosts/{host}/install"))
}

/// Starts an installation once more, after one that failed; gives the new one's id. The host's name is typed, as what is on
/// its disks may be overwritten.
///
/// # Errors
/// When the server refuses it.
pub fn retry(ledger: &Ledger<'_>, id: &str) -> Result<String, LabError> {
    let install = ledger.client().get_json(&format!("/api/v1/installs/{id}"))?;
    let host = install["host"].as_str().unwrap_or_default();
    let known = ledger.client().get_json(&format!("/api/v1/hosts/{host}"))?;
    let name = known["name"].as_str().unwrap_or(host);
    let typed = serde_json::json!({ "name": name }).to_string();
    ask_with(ledger, &format!("/api/v1/installs/{id}/retry"), &typed)
}

fn ask(ledger: &Ledger<'_>, path: &str) -> Result<String, LabError> {
    ask_with(ledger, path, "{}")
}

fn ask_with(ledger: &Ledger<'_>, path: &str, body: &str) -> Result<String, LabError> {
    let answer = ledger
        .client()
        .send("POST", path, "application/json", body.as_bytes())?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body["id"].as_str() {
        Some(id) if (200..300).contains(&answer.status) => Ok(id.to_owned()),
        _ => Err(answer.unexpected(&format!("POST {path}"))),
    }
}

/// An installation as the API shows it now.
///
/// # Errors
/// When the API does not answer as expected.
pub fn look(ledger: &Ledger<'_>, id: &str) -> Result<InstallSeen, LabError> {
    ledger
        .client()
        .get_json(&format!("/api/v1/installs/{id}"))
        .map(|value| InstallSeen::read(&value))
}

/// Waits until an installation has come to `stage`, or further.
///
/// # Errors
/// When it has not within `limit`, or has ended before.
pub fn wait_for_stage(
    ledger: &Ledger<'_>,
    id: &str,
    stage: &str,
    machine: &Machine,
    limit: Duration,
) -> Result<InstallSeen, LabError> {
    stop::wait_for(
        &format!("stage {stage}"),
        limit,
        || {
            let install = look(ledger, id)?;
            let there = install.stages.iter().any(|seen| seen.stage == stage);
            Ok((there || install.has_ended()).then_some(install))
        },
        || machine.console().last(40),
    )
}

/// Waits until an installation has ended; `told` is called with each further stage.
///
/// # Errors
/// When it has not ended within `limit`; the error holds the last lines of the machine's console and of the server's log.
pub fn follow(
    ledger: &Ledger<'_>,
    id: &str,
    machine: &Machine,
    server: &Server,
    limit: Duration,
    mut told: impl FnMut(&StageSeen),
) -> Result<InstallSeen, LabError> {
    let mut seen = 0;
    stop::wait_for(
        "the installation to end",
        limit,
        || {
            let install = look(ledger, id)?;
            for stage in install.stages.iter().skip(seen) {
                told(stage);
            }
            seen = install.stages.len();
            Ok(install.has_ended().then_some(install))
        },
        || {
            format!(
                "{}\n-- server\n{}",
                machine.console().last(40),
                server.console().last(10)
            )
        },
    )
}

/// Makes the folder of installation trees in which the server finds the mirror by its distro's name.
///
/// # Errors
/// When it cannot be made.
pub fn link_tree(trees: &Path, installer: &Installer) -> Result<(), LabError> {
    let action = || format!("making {}", trees.display());
    fs::create_dir_all(trees).map_err(LabError::io(action()))?;
    std::os::unix::fs::symlink(installer.mirror(), trees.join(DISTRO)).map_err(LabError::io(action()))
}
