//! Beside a DHCP server that was there before.

use muster_lab::{Firmware, hardware::NicModel};

use crate::trial;

#[test]
fn boots_in_proxy_mode_beside_dnsmasq() {
    let site = trial::site("proxy");
    let peer = site.start_peer(None).unwrap();
    let _server = trial::serve(&site, "proxy");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Bios, NicModel::Virtio).unwrap();
    trial::assert_reports(&ledger, &machine);
    let mac = &machine.spec().hardware.nics[0].mac;
    let given = "DHCPACK(eth0) 10.77.0.1";
    assert!(
        peer.console().find(given).is_some(),
        "dnsmasq gave no address: {}",
        peer.console().last(40)
    );
    let story = ledger.story(mac).unwrap();
    assert!(story.iter().any(|event| event.kind == "proxy_offer"), "{story:#?}");
    assert!(
        story.iter().all(|event| event.kind != "dhcp_offer"),
        "a proxy offers no address: {story:#?}"
    );
    assert!(story.iter().any(|event| event.kind == "facts_accepted"), "{story:#?}");
}
