//! A cable that is moved while the collection image waits.

use std::{path::Path, time::Duration};

use muster_lab::{Firmware, Process, hardware::NicModel, site::BRIDGE};

use crate::trial;

/// How long the machine may take to notice, get an address by the other port and ask again, emulated and beside other
/// work. Alone it takes 5 s to notice, and asks each 10 s.
const LIMIT: Duration = Duration::from_secs(120);

/// The machine goes on by the port that has the cable now: what it asks the server comes from there.
#[test]
fn the_machine_goes_on_by_the_port_that_has_it_now() {
    let site = trial::site("cable_moved");
    let _server = trial::serve(&site, "pool");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Bios, NicModel::Virtio).unwrap();
    machine.plug(1, false).unwrap();
    machine.plug(2, false).unwrap();
    trial::assert_reports(&ledger, &machine);

    let other = machine.spec().hardware.nics[1].mac.clone();
    let before = ledger.story(&other).unwrap();
    assert!(
        !before.iter().any(|event| event.kind.starts_with("dhcp_")),
        "asked by a port without a cable: {before:#?}"
    );
    let filter = format!("ether src {other} and tcp dst port 8081");
    let arguments = ["-l", "-n", "-A", "-i", BRIDGE, &filter].map(str::to_owned);
    let said = Process::start(
        "what is asked by the other port",
        site.machine_side(),
        Path::new("tcpdump"),
        &arguments,
        &[],
        &trial::folder("cable_moved").join("other-port.log"),
    )
    .unwrap();
    said.console().wait_for("listening on", LIMIT).unwrap();
    machine.plug(0, false).unwrap();
    machine.plug(1, true).unwrap();
    if let Err(error) = said.console().wait_for("GET /boot/next", LIMIT) {
        panic!("{error}\n{}", machine.console().last(30));
    }
    let story = ledger.story(&other).unwrap();
    let given = story
        .iter()
        .any(|event| event.kind == "dhcp_ack" && event.rule.as_deref() == Some("image_address"));
    assert!(given, "no address by the other port: {story:#?}");
}
