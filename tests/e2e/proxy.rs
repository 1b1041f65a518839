//! Beside a DHCP server that was there before.

use muster_lab::{Firmware, hardware::NicModel};

use crate::trial::{self, NEW, REPORT, SCRIPT};

/// The machine takes the address that the server beside us offers.
const TAKES_THE_PEERS: [&str; 2] = ["dhcp_request", "dhcp_other_server other_server_chosen"];

#[test]
fn boots_in_proxy_mode_beside_dnsmasq() {
    let site = trial::site("proxy");
    let peer = site.start_peer(None).unwrap();
    let _server = trial::serve(&site, "proxy");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Bios, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let given = "DHCPACK(eth0) 10.77.0.1";
    assert!(
        peer.console().find(given).is_some(),
        "dnsmasq gave no address: {}",
        peer.console().last(40)
    );
    let story = [
        &NEW[..],
        &["dhcp_discover", "proxy_offer ipxe_script"],
        &TAKES_THE_PEERS,
        &SCRIPT,
        &["dhcp_discover", "dhcp_silence not_a_boot_client"],
        &TAKES_THE_PEERS,
        &REPORT,
    ]
    .concat();
    trial::assert_story(&ledger, &machine.spec().hardware, &story);
}
