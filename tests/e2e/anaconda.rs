//! An installation of RHEL's kin as far as it can be seen without Anaconda: its stand-in asks, logs and reports as it does,
//! and installs nothing (`netboot/stand-in`).

use std::{path::Path, time::Duration};

use muster_lab::{
    install::{self, CommandLine},
    stand_in::{self, RELEASES, STAGES},
};

use crate::trial;

/// From the request to the restart, and from there to the disk, emulated and beside other work.
const LIMIT: Duration = Duration::from_secs(180);
/// How long lines that were sent may take to be in the ledger.
const SETTLE: Duration = Duration::from_secs(10);
/// Name the folder of the stand-in's trees and pykickstart's `ksvalidator`; `cargo xtask test` has built both.
const TREES: &str = "LAB_STAND_IN";
const KSVALIDATOR: &str = "LAB_KSVALIDATOR";

#[test]
fn a_kickstart_is_asked_for_as_anaconda_does() {
    let named =
        |name: &str| std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"));
    let (trees, ksvalidator) = (named(TREES), named(KSVALIDATOR));
    let release = &RELEASES[0];
    let site = trial::site("anaconda");
    let capture = site.capture("tcp").unwrap();
    let _server = trial::serve_with(&site, "", install::SETTINGS);
    let ledger = trial::sign_in(&site);
    let programs = trial::programs();
    let command_line = CommandLine::new(&programs, &site);
    let said = stand_in::enter(&command_line, Path::new(&trees), release).unwrap();
    assert!(
        said.contains("made distro rocky-9: rocky 9.6 for x86_64, family redhat"),
        "{said}"
    );
    let spec = stand_in::machine(&site, programs.loaders.join("ipxe.efi"));
    let machine = site.power_on_as(spec).unwrap();
    let host = install::wait_for_report(&ledger, &machine).unwrap();
    install::assign(&command_line, &machine.spec().hardware, "web1").unwrap();
    let id = install::start(&ledger, &host).unwrap();

    let kickstart = stand_in::kickstart(&machine, LIMIT).unwrap();
    let faults = stand_in::validate(Path::new(&ksvalidator), release, &kickstart, &trial::folder("anaconda")).unwrap();
    assert_eq!(faults, "", "in:\n{kickstart}");
    assert!(kickstart.contains("network --hostname=web1.lab.test"), "{kickstart}");

    let seen = stand_in::wait_for_restart(&ledger, &id, &machine, LIMIT).unwrap();
    let stages: Vec<&str> = seen.stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(stages, STAGES);
    stand_in::wait_for_disk(&machine, LIMIT).unwrap();
    // Nothing was installed: that nobody reports from the disk leaves the installation open, as with a real one.
    assert_eq!(install::look(&ledger, &id).unwrap().outcome, "open");
    stand_in::wait_for_log(&ledger, &id, &["executing action", "Installed: @core"], SETTLE).unwrap();
    let missing = stand_in::headers_missing(&capture.finish().unwrap()).unwrap();
    assert!(missing.is_empty(), "not seen on the wire: {missing:?}");
}
