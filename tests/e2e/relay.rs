//! Machines on a network of their own, behind a DHCP relay.

use std::collections::BTreeSet;

use muster_lab::{Firmware, Namespace, hardware::NicModel, site::Site};

use crate::trial::{self, IMAGE_ADDRESS, IPXE_ADDRESS, NEW, REPORT, SCRIPT};

#[test]
fn boots_through_a_relay() {
    let [server_side, machine_side] = ["e2e", "e2e"].map(|label| Namespace::unique(label).unwrap());
    let site = Site::open_relayed(server_side, machine_side, BTreeSet::new(), &trial::logs("relay")).unwrap();
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Bios, NicModel::Virtio).unwrap();
    let report = trial::assert_reports(&ledger, &machine);
    let story = [&NEW[..], &IPXE_ADDRESS, &SCRIPT, &IMAGE_ADDRESS, &REPORT].concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
    let addresses: Vec<&String> = report.facts.nics.iter().flat_map(|nic| &nic.addresses).collect();
    assert!(
        addresses.iter().any(|address| address.starts_with("10.78.0.1")),
        "{addresses:?}"
    );
}
