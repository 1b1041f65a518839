//! Machines that are sent to their own disk.

use std::time::Duration;

use muster_lab::{
    Firmware, Machine, MachineSpec,
    hardware::NicModel,
    site::Site,
    system::{DiskSystem, STARTED},
};

use crate::trial::{self, FIRMWARE_ADDRESS, IPXE_ADDRESS, NEW};

/// How long a machine may take from power-on to the system on its disk, emulated and beside other work. UEFI that had to
/// try every other network entry first would take a minute more.
const LIMIT: Duration = Duration::from_secs(120);

/// Powers a machine on that has a system on its disk, and waits until that has started.
fn boots_its_disk(site: &Site, firmware: Firmware, loader: &str) -> Machine {
    let mut spec = MachineSpec::new("m1", firmware, site.next_hardware(NicModel::Virtio));
    spec.system = Some(DiskSystem {
        loader: loader.to_owned(),
        ipxe: trial::programs().loaders.join("ipxe.efi"),
    });
    let machine = site.power_on_as(spec).unwrap();
    if let Err(error) = machine.console().wait_for(STARTED, LIMIT) {
        panic!("{error}\n{}", machine.console().last(40));
    }
    machine
}

#[test]
fn bios_starts_its_first_disk() {
    let site = trial::site("local_bios");
    let _server = trial::serve_with(&site, "unknown = \"local\"\n", "");
    let ledger = trial::sign_in(&site);
    let machine = boots_its_disk(&site, Firmware::Bios, "EFI/debian/grubx64.efi");
    let story = [&NEW[..], &IPXE_ADDRESS, &["boot_script unknown_local"]].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
    trial::assert_verdict(&ledger, &machine.spec().hardware, "local_boot");
}

#[test]
fn uefi_starts_the_system_that_a_distribution_installed() {
    let site = trial::site("local_uefi");
    let _server = trial::serve_with(&site, "unknown = \"local\"\n", "");
    let ledger = trial::sign_in(&site);
    let machine = boots_its_disk(&site, Firmware::UefiIpxe, "EFI/debian/grubx64.efi");
    assert!(machine.console().find("/EFI/debian/grubx64.efi").is_some());
    let local = ["boot_script unknown_local", "http_file local-x64.efi"];
    let story = [&NEW[..], &IPXE_ADDRESS, &local].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
    trial::assert_verdict(&ledger, &machine.spec().hardware, "local_boot");
}

/// The firmware's own PXE, and a disk that has nothing but the path of disks that are carried about.
#[test]
fn uefi_starts_a_disk_without_a_distribution_s_name() {
    let site = trial::site("local_uefi_removable");
    let _server = trial::serve_with(&site, "unknown = \"local\"\n", "");
    let ledger = trial::sign_in(&site);
    let machine = boots_its_disk(&site, Firmware::Uefi, "EFI/BOOT/BOOTX64.EFI");
    let story = ledger.story(&machine.spec().hardware.nics[0].mac).unwrap();
    let told = trial::lines(&story);
    assert!(
        told.starts_with(&[NEW[0].to_owned(), FIRMWARE_ADDRESS[0].to_owned()]),
        "{told:?}"
    );
    assert!(told.ends_with(&["http_file local-x64.efi".to_owned()]), "{told:?}");
}
