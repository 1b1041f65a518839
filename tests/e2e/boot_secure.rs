//! Machines with Secure Boot, and what GRUB does in place of iPXE.

use std::time::Duration;

use muster_lab::{
    Firmware, MachineSpec,
    hardware::NicModel,
    system::{DiskSystem, STARTED},
};

use crate::trial::{self, IMAGE_ADDRESS, NEW, REPORT};

/// Shim for every machine with UEFI.
const SHIM: &str = "[boot.loaders]\nx64-uefi = \"shimx64.efi\"\nx64-http = \"shimx64.efi\"\n";

/// Signed shim, signed GRUB, Debian's signed kernel: the machine reports that Secure Boot is on.
#[test]
fn collects_with_secure_boot() {
    let site = trial::site("secure_pxe");
    let _server = trial::serve_with(&site, "", SHIM);
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiSecure, NicModel::Virtio).unwrap();
    let report = trial::assert_reports(&ledger, &machine);
    assert_eq!(report.facts.bios.and_then(|bios| bios.secure_boot), Some(true));
    trial::assert_verdict(&ledger, &machine.spec().hardware, "reported");
    let story = ledger.story(&machine.spec().hardware.nics[0].mac).unwrap();
    let told = trial::lines(&story);
    for line in [
        "tftp_done shimx64.efi",
        "tftp_done grubx64.efi",
        "boot_script unknown_collect",
        "http_file vmlinuz",
        "http_file initrd",
    ] {
        assert!(told.contains(&line.to_owned()), "no `{line}` in {told:#?}");
    }
    let troubles: Vec<_> = story.iter().filter(|event| event.level != "info").collect();
    assert!(troubles.is_empty(), "{troubles:#?}");
    assert_eq!(told[..NEW.len()], NEW);
    assert_eq!(
        told[told.len() - IMAGE_ADDRESS.len() - REPORT.len()..][..4],
        IMAGE_ADDRESS
    );
}

/// By UEFI HTTP boot: nothing by TFTP.
#[test]
fn collects_with_secure_boot_by_http() {
    let site = trial::site("secure_http");
    let _server = trial::serve_with(&site, "", SHIM);
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiSecureHttp, NicModel::Virtio).unwrap();
    let report = trial::assert_reports(&ledger, &machine);
    assert_eq!(report.facts.bios.and_then(|bios| bios.secure_boot), Some(true));
    trial::assert_verdict(&ledger, &machine.spec().hardware, "reported");
    let story = ledger.story(&machine.spec().hardware.nics[0].mac).unwrap();
    let told = trial::lines(&story);
    for line in [
        "http_file shimx64.efi",
        "http_file grubx64.efi",
        "boot_script unknown_collect",
        "http_file vmlinuz",
        "http_file initrd",
    ] {
        assert!(told.contains(&line.to_owned()), "no `{line}` in {told:#?}");
    }
    assert!(!told.iter().any(|line| line.starts_with("tftp")), "{told:#?}");
    let troubles: Vec<_> = story.iter().filter(|event| event.level != "info").collect();
    assert!(troubles.is_empty(), "{troubles:#?}");
}

/// With a menu at the console that nobody looks at.
#[test]
fn collects_with_secure_boot_and_a_menu() {
    let site = trial::site("secure_menu");
    let _server = trial::serve_with(&site, "menu = \"2s\"\n", SHIM);
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiSecure, NicModel::Virtio).unwrap();
    let report = trial::assert_reports(&ledger, &machine);
    assert_eq!(report.facts.bios.and_then(|bios| bios.secure_boot), Some(true));
    let story = ledger.story(&machine.spec().hardware.nics[0].mac).unwrap();
    let scripts: Vec<&str> = story
        .iter()
        .filter(|event| event.kind == "boot_script")
        .map(|event| event.param("action"))
        .collect();
    assert_eq!(scripts, ["menu", "collect"]);
    let troubles: Vec<_> = story.iter().filter(|event| event.level != "info").collect();
    assert!(troubles.is_empty(), "{troubles:#?}");
}

/// GRUB alone, on firmware that starts anything: to the disk, by the same search that iPXE's machines use.
#[test]
fn grub_starts_the_system_on_the_disk() {
    let site = trial::site("grub_local");
    let _server = trial::serve_with(
        &site,
        "unknown = \"local\"\n",
        "[boot.loaders]\nx64-uefi = \"grubx64.efi\"\n",
    );
    let ledger = trial::sign_in(&site);
    let mut spec = MachineSpec::new("m1", Firmware::Uefi, site.next_hardware(NicModel::Virtio));
    spec.system = Some(DiskSystem {
        loader: "EFI/rocky/grubx64.efi".to_owned(),
        ipxe: trial::programs().loaders.join("ipxe.efi"),
    });
    let machine = site.power_on_as(spec).unwrap();
    if let Err(error) = machine.console().wait_for(STARTED, Duration::from_secs(120)) {
        panic!("{error}\n{}", machine.console().last(40));
    }
    trial::assert_verdict(&ledger, &machine.spec().hardware, "local_boot");
}
