//! A machine installs Debian by itself: from an empty disk to a system that reports and is as it was planned.

use std::{path::Path, time::Duration};

use muster_lab::{
    Firmware,
    install::{self, CommandLine, Road},
    installer::Installer,
};

use crate::trial;

/// Emulated on two processors beside another test, an installation takes a third of it.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Every stage, in its order.
const STAGES: [&str; 12] = [
    "requested",
    "waiting_boot",
    "loader",
    "installer",
    "answer",
    "disks",
    "packages",
    "post",
    "rebooting",
    "first_boot",
    "agent_enrolled",
    "verified",
];

/// Names the folder that `cargo xtask mirror` has built. No variable of the server's own, which would take it for a setting.
const INSTALLER: &str = "LAB_INSTALLER";

#[test]
fn debian_installs_by_preseed() {
    let folder = std::env::var_os(INSTALLER).unwrap_or_else(|| panic!("{INSTALLER} names the installer's mirror"));
    let installer = Installer::open(Path::new(&folder)).unwrap();
    let site = trial::site("install_preseed");
    install::link_tree(&site.trees(), &installer).unwrap();
    let server = trial::serve_with(&site, "", install::SETTINGS);
    let ledger = trial::sign_in(&site);
    let command_line = CommandLine::new(&trial::programs(), &site);
    install::enter(&command_line, &installer, Road::Preseed).unwrap();
    let machine = site.power_on_as(install::machine(&site, Firmware::Bios)).unwrap();
    let host = install::wait_for_report(&ledger, &machine).unwrap();
    install::assign(&command_line, &machine.spec().hardware, "db1").unwrap();
    let id = install::start(&ledger, &host).unwrap();
    let seen = install::follow(&ledger, &id, &machine, &server, LIMIT, |_| {}).unwrap();
    assert_eq!(
        (seen.outcome.as_str(), seen.reason.as_str()),
        ("done", "installed as planned")
    );
    assert!(seen.differences.is_empty(), "{:?}", seen.differences);
    let stages: Vec<&str> = seen.stages.iter().map(|seen| seen.stage.as_str()).collect();
    assert_eq!(stages, STAGES);
    let host = ledger.client().get_json(&format!("/api/v1/hosts/{host}")).unwrap();
    assert_eq!(host["state"], "active");
}
