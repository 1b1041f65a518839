//! BIND's checker reads the zones.

use std::{fs, process::Command};

use super::{Server, installed, prints};

#[test]
fn named_accepts_the_zones() {
    if !installed(&["named-checkzone"]) {
        return;
    }
    let server = Server::start();
    server.host("ns1", "52:54:00:77:00:01", "10.77.0.1/24", &[]);
    server.host("web1", "52:54:00:77:00:02", "10.77.0.20/24", &[]);
    server.host("web-2", "52:54:00:77:00:03", "10.77.0.21/24", &[]);
    server.host("v6", "52:54:00:77:00:04", "2001:db8:7::20/64", &[]);
    for (zone, more) in [
        ("example.org", &[][..]),
        ("0.77.10.in-addr.arpa", &["--reverse", "10.77.0.0/24"]),
        ("7.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", &["--reverse", "2001:db8:7::/48"]),
    ] {
        let mut arguments = vec!["inventory", "dns", "--zone", "example.org", "--ns", "ns1.example.org"];
        arguments.extend(more);
        let file = server.path("zone");
        fs::write(&file, server.does(&arguments)).unwrap();
        let told = prints(Command::new("named-checkzone").arg(zone).arg(&file));
        assert!(told.contains("OK"), "{told}");
    }
}
