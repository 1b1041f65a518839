//! The stand-in for Anaconda (`netboot/stand-in`): its trees, what a person would enter to install by one, and the check
//! of the kickstart that the machine was given.
//!
//! Anaconda's own images cannot be had everywhere this lab runs. What is shown with the stand-in is Muster's half: the
//! boot script, the answer to Anaconda's request, the kickstart as pykickstart judges it, the stages up to the restart, and
//! that the machine is sent to its own disk afterwards. That a system is installed by it is not shown.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Firmware, LabError, Machine, MachineSpec,
    hardware::NicModel,
    install::{CommandLine, InstallSeen, PROFILE},
    ledger::Ledger,
    site::Site,
    stop,
    system::DiskSystem,
};

/// A release that the stand-in is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Name of its tree and its distro.
    pub name: &'static str,
    /// What its `.treeinfo` and `.buildstamp` call it.
    pub product: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The name of its kickstart's syntax in pykickstart.
    pub syntax: &'static str,
}

/// Those that trees are built for; the first is the one that is tried in every test.
pub const RELEASES: [Release; 4] = [
    Release {
        name: "rocky-9",
        product: "Rocky Linux",
        version: "9.6",
        syntax: "RHEL9",
    },
    Release {
        name: "rhel-8",
        product: "Red Hat Enterprise Linux",
        version: "8.10",
        syntax: "RHEL8",
    },
    Release {
        name: "rocky-10",
        product: "Rocky Linux",
        version: "10.0",
        syntax: "RHEL10",
    },
    Release {
        name: "fedora-42",
        product: "Fedora",
        version: "42",
        syntax: "F42",
    },
];

/// Every stage that an installation by Anaconda can show before the installed system speaks, in order. Anaconda's
/// initramfs fetches the kickstart before it says anything else, so that its start is known by that alone.
pub const STAGES: [&str; 9] = [
    "requested",
    "waiting_boot",
    "loader",
    "installer",
    "answer",
    "disks",
    "packages",
    "post",
    "rebooting",
];

/// Headers of the request for the kickstart, as they begin a line of it. The lab asks for the address and the serial
/// number by the profile's kernel options.
pub const HEADERS: [&str; 4] = [
    "x-anaconda-architecture: x86_64",
    "x-anaconda-system-release: ",
    "x-rhn-provisioning-mac-0: eth0 52:54:00:",
    "x-system-serial-number: ",
];

/// Kernel options: a serial console, an emulated machine's timers, the serial number in the request, and a copy of the
/// kickstart for the lab.
const OPTIONS: &str = "console=ttyS0,115200 mitigations=off no_timer_check inst.ks.sendsn stand-in.copy=ttyS1";

/// A machine for it: its first disk holds a system that only says that it was started.
pub fn machine(site: &Site, ipxe: PathBuf) -> MachineSpec {
    MachineSpec {
        system: Some(DiskSystem {
            loader: "EFI/rocky/grubx64.efi".to_owned(),
            ipxe,
        }),
        second_port: true,
        ..MachineSpec::new("a1", Firmware::Bios, site.next_hardware(NicModel::Virtio))
    }
}

/// Imports a release's tree from `trees` and makes a profile of it, as a person would by the command line. Gives what the
/// import said.
///
/// # Errors
/// When the server's command line refuses something.
pub fn enter(command_line: &CommandLine, trees: &Path, release: &Release) -> Result<String, LabError> {
    let tree = trees.join(release.name).display().to_string();
    let said = command_line.run(&["distro", "import", &tree, "--name", release.name])?;
    command_line.run(&[
        "profile",
        "add",
        PROFILE,
        "--distro",
        release.name,
        "--disk",
        "rule=smallest",
        "--root-password-hash",
        "*",
        "--domain",
        "lab.test",
        "--kernel-options",
        OPTIONS,
    ])?;
    Ok(said)
}

/// The kickstart as the machine fetched it.
///
/// # Errors
/// When it has not come out of the machine within `limit`.
pub fn kickstart(machine: &Machine, limit: Duration) -> Result<String, LabError> {
    machine.console().wait_for("kickstart copied to", limit)?;
    let file = machine.second_port();
    let bytes = fs::read(&file).map_err(LabError::io(format!("reading {}", file.display())))?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

/// What pykickstart's `ksvalidator` says of a kickstart of this release; nothing, when it finds no fault.
///
/// # Errors
/// When it cannot be run.
pub fn validate(ksvalidator: &Path, release: &Release, kickstart: &str, folder: &Path) -> Result<String, LabError> {
    let file = folder.join(format!("{}.ks", release.name));
    fs::write(&file, kickstart).map_err(LabError::io(format!("writing {}", file.display())))?;
    let output = Command::new(ksvalidator)
        .args(["--version", release.syntax])
        .arg(&file)
        .output()
        .map_err(LabError::io(format!("running {}", ksvalidator.display())))?;
    if output.status.success() {
        return Ok(String::new());
    }
    Ok(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Waits until the stand-in has ended its part: the machine restarts, and the server knows it.
///
/// # Errors
/// When it has not within `limit`, or the installation has ended otherwise.
pub fn wait_for_restart(
    ledger: &Ledger<'_>,
    id: &str,
    machine: &Machine,
    limit: Duration,
) -> Result<InstallSeen, LabError> {
    crate::install::wait_for_stage(ledger, id, "rebooting", machine, limit)
}

/// Waits until the machine has started what is on its disk, after the restart.
///
/// # Errors
/// When it has not within `limit`.
pub fn wait_for_disk(machine: &Machine, limit: Duration) -> Result<(), LabError> {
    machine.console().wait_for(crate::system::STARTED, limit).map(drop)
}

/// Those of [`HEADERS`] that were not seen in a capture of the network.
///
/// # Errors
/// When the capture cannot be read.
pub fn headers_missing(capture: &Path) -> Result<Vec<&'static str>, LabError> {
    let bytes = fs::read(capture).map_err(LabError::io(format!("reading {}", capture.display())))?;
    // Names of headers have no case.
    let bytes = bytes.to_ascii_lowercase();
    let seen = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    Ok(HEADERS.into_iter().filter(|header| !seen(header)).collect())
}

/// Waits until the installation's log holds lines of these beginnings; they come by syslog, after what the machine does.
///
/// # Errors
/// When they have not come within `limit`.
pub fn wait_for_log(ledger: &Ledger<'_>, id: &str, wanted: &[&str], limit: Duration) -> Result<(), LabError> {
    let path = format!("/api/v1/installs/{id}/log?limit=1000");
    let log = || ledger.client().get_json(&path).map(|value| value.to_string());
    stop::wait_for(
        "the installer's log",
        limit,
        || {
            let log = log()?;
            Ok(wanted.iter().all(|text| log.contains(text)).then_some(()))
        },
        || log().unwrap_or_default(),
    )
}
