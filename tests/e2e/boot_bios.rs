//! Machines with BIOS.

use std::collections::BTreeSet;

use muster_lab::{Firmware, MachineSpec, Namespace, hardware::NicModel, site::Site};

use crate::trial::{self, FIRMWARE_ADDRESS, IMAGE_ADDRESS, IPXE_ADDRESS, NEW, REPORT, SCRIPT};

#[test]
fn boots_by_the_rom_of_its_card() {
    let site = trial::site("bios_rom");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Bios, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let story = [&NEW[..], &IPXE_ADDRESS, &SCRIPT, &IMAGE_ADDRESS, &REPORT].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}

/// The relay takes away what shows that the ROM is iPXE, so the server sees plain BIOS firmware first.
#[test]
fn chainloads_from_plain_firmware() {
    let [server_side, machine_side] = ["e2e", "e2e"].map(|label| Namespace::unique(label).unwrap());
    let mac = [0x52, 0x54, 0, 0x70, 0, 1];
    let logs = trial::logs("bios_chain");
    let site = Site::open_relayed(server_side, machine_side, BTreeSet::from([mac]), &logs).unwrap();
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let hardware = site.next_hardware(NicModel::E1000);
    assert_eq!(hardware.nics[0].mac, "52:54:00:70:00:01");
    let machine = site
        .power_on_as(MachineSpec::new("m1", Firmware::Bios, hardware))
        .unwrap();
    trial::assert_reports(&ledger, &machine);
    let loader = ["tftp_request undionly.kpxe", "tftp_done undionly.kpxe"];
    let story = [
        &NEW[..],
        &FIRMWARE_ADDRESS,
        &loader,
        &IPXE_ADDRESS,
        &SCRIPT,
        &IMAGE_ADDRESS,
        &REPORT,
    ]
    .concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}
