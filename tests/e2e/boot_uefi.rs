//! Machines with UEFI.

use muster_lab::{Firmware, hardware::NicModel};

use crate::trial::{self, FIRMWARE_ADDRESS, IMAGE_ADDRESS, IPXE_ADDRESS, NEW, REPORT, SCRIPT};

/// The firmware asks for the size first and ends that transfer on purpose, then fetches the file.
const SNPONLY_BY_TFTP: [&str; 4] = [
    "tftp_request snponly.efi",
    "tftp_failed snponly.efi size_only",
    "tftp_request snponly.efi",
    "tftp_done snponly.efi",
];
/// What the newer iPXE looks for before anything else, and does not find.
const AUTOEXEC: [&str; 2] = ["tftp_request autoexec.ipxe", "tftp_failed autoexec.ipxe missing"];

#[test]
fn boots_by_the_firmwares_own_pxe() {
    let site = trial::site("uefi_pxe");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Uefi, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let story = [
        &NEW[..],
        &FIRMWARE_ADDRESS,
        &SNPONLY_BY_TFTP,
        &AUTOEXEC,
        &IPXE_ADDRESS,
        &SCRIPT,
        &IMAGE_ADDRESS,
        &REPORT,
    ]
    .concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}

#[test]
fn boots_by_the_rom_of_its_card() {
    let site = trial::site("uefi_rom");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiIpxe, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let story = [&NEW[..], &IPXE_ADDRESS, &SCRIPT, &IMAGE_ADDRESS, &REPORT].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}

#[test]
fn boots_by_http() {
    let site = trial::site("uefi_http");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiHttp, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let story = [
        &NEW[..],
        &FIRMWARE_ADDRESS,
        &["http_file snponly.efi", "http_refused autoexec.ipxe"],
        &IPXE_ADDRESS,
        &SCRIPT,
        &IMAGE_ADDRESS,
        &REPORT,
    ]
    .concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}
