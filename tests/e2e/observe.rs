//! Only looking on: the mode a server starts with on a network that is not its own.

use std::{path::Path, process::Command, time::Duration};

use muster_lab::{
    Firmware,
    hardware::NicModel,
    site::{SERVER, SERVER_MAC},
    stop,
};

use crate::trial;

/// How long the machine may take to show up in the ledger.
const LIMIT: Duration = Duration::from_secs(120);

/// A real machine and another server talk to each other, and to everybody; Muster hears both and sends nothing at all.
#[test]
fn sends_nothing_and_names_the_client_and_the_other_server() {
    let site = trial::site("observe");
    let everything = site.capture("").unwrap();
    let peer = site.start_peer(Some("pxelinux.0")).unwrap();
    let _server = trial::serve(&site, "observe");
    let ledger = trial::sign_in(&site);
    let machine = site.power_on(Firmware::Bios, NicModel::Virtio).unwrap();
    let mac = machine.spec().hardware.nics[0].mac.as_str().to_owned();
    // The firmware has its address and has asked dnsmasq, which has no TFTP, for the file: it has done all it can.
    stop::wait_for(
        "the machine to choose the other server",
        LIMIT,
        || {
            let story = ledger.story(&mac)?;
            let chosen = story.iter().any(|event| event.kind == "dhcp_other_server");
            let given = peer.console().find("DHCPACK(eth0)").is_some();
            Ok((chosen && given).then_some(()))
        },
        || format!("{}\n{}", machine.console().last(20), peer.console().last(20)),
    )
    .unwrap();
    machine.console().wait_for("pxelinux.0", LIMIT).unwrap();
    let hosts = ledger.client().get_json(&format!("/api/v1/hosts?q={mac}")).unwrap();
    assert_eq!(hosts["total"], 1, "{hosts}");
    let story = ledger.story(&mac).unwrap();
    for event in &story {
        let silent = [
            "host_created",
            "dhcp_discover",
            "dhcp_request",
            "dhcp_silence",
            "dhcp_other_server",
        ];
        assert!(
            silent.contains(&event.kind.as_str()),
            "an answer while observing: {story:#?}"
        );
    }
    let silences = story.iter().filter(|event| event.kind == "dhcp_silence");
    assert!(
        silences.clone().count() > 0 && silences.clone().all(|event| event.rule.as_deref() == Some("observe")),
        "{story:#?}"
    );
    let servers = ledger.client().get_json("/api/v1/dhcp-servers").unwrap();
    let addresses: Vec<_> = servers
        .as_array()
        .unwrap()
        .iter()
        .map(|server| server["address"].as_str().unwrap())
        .collect();
    assert_eq!(addresses, ["10.77.0.2"], "{servers}");
    for (page, named) in [("/dhcp", "10.77.0.2"), ("/hosts", mac.as_str())] {
        let answer = ledger.client().send("GET", page, "", &[]).unwrap();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            answer.status == 200 && body.contains(named),
            "{page} does not name {named}: {body}"
        );
    }

    machine.cut_power().unwrap();
    let file = everything.finish().unwrap();
    // The capture has heard the talk, so its silence about us is one.
    for talk in [
        format!("ether src {mac} and udp dst port 67"),
        "src host 10.77.0.2 and udp src port 67".to_owned(),
    ] {
        assert!(!packets(&file, &talk).is_empty(), "nothing captured of: {talk}");
    }
    // Router advertisements are the lab's own, and the kernel says what groups it is in (IPv6, hop by hop); everything
    // else from this interface would be Muster's doing.
    let ours = packets(
        &file,
        &format!("ether src {SERVER_MAC} and not icmp6 and not ip6 proto 0"),
    );
    assert!(ours.is_empty(), "sent while observing:\n{ours}");
    let ours = packets(&file, &format!("src host {SERVER} or arp src host {SERVER}"));
    assert!(ours.is_empty(), "sent while observing:\n{ours}");
}

/// The packets of a capture that match tcpdump's `filter`, as text.
fn packets(file: &Path, filter: &str) -> String {
    let output = Command::new("tcpdump")
        .args(["-n", "-e", "-r"])
        .arg(file)
        .arg(filter)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
