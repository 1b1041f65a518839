//! Machines with UEFI.

use muster_lab::{Firmware, hardware::NicModel};

use crate::trial::{self, ADDRESS, IMAGE};

/// The firmware asks for the size first and ends that transfer on purpose, then fetches the file.
const SNPONLY_BY_TFTP: [&str; 4] = [
    "tftp_request snponly.efi",
    "tftp_done snponly.efi",
    "tftp_request snponly.efi",
    "tftp_done snponly.efi",
];
/// What the newer iPXE looks for before anything else, and does not find.
const AUTOEXEC: [&str; 1] = ["tftp_request autoexec.ipxe"];

#[test]
fn boots_by_the_firmwares_own_pxe() {
    let site = trial::site("uefi_pxe");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Uefi, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let story = [&ADDRESS[..], &SNPONLY_BY_TFTP, &AUTOEXEC, &ADDRESS, &IMAGE].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}

#[test]
fn boots_by_the_rom_of_its_card() {
    let site = trial::site("uefi_rom");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiIpxe, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    trial::assert_story(&ledger, &machine.spec().hardware, &[&ADDRESS[..], &IMAGE].concat());
}

#[test]
fn boots_by_http() {
    let site = trial::site("uefi_http");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::UefiHttp, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let story = [&ADDRESS[..], &["http_file snponly.efi"], &ADDRESS, &IMAGE].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}
