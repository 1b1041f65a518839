//! Which subnet is on which interface, and which is on none.

use super::{DhcpPlan, Finding, LocalInterface, Weight};

const ABOUT: &str = "subnets";

pub(super) fn look(dhcp: &DhcpPlan, local: &[LocalInterface]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &dhcp.interfaces {
        if !local.iter().any(|interface| interface.name == *name) {
            let names: Vec<&str> = local.iter().map(|interface| interface.name.as_str()).collect();
            findings.push(Finding::new(
                Weight::Fail,
                ABOUT,
                format!("dhcp.interfaces names {name}, which does not exist or is down"),
                "nothing is heard there",
                format!("interfaces that are up: {}", names.join(", ")),
            ));
        }
    }
    if dhcp.subnets.is_empty() {
        findings.push(Finding::new(
            Weight::Warn,
            ABOUT,
            "there is no subnet in the settings",
            "Muster records who asks and answers nobody",
            "add a [[dhcp.subnets]] with its network and a mode",
        ));
    }
    for subnet in &dhcp.subnets {
        let here: Vec<String> = local
            .iter()
            .flat_map(|interface| interface.addresses.iter().map(move |address| (interface, address)))
            .filter(|(_, address)| subnet.network.contains(&address.addr()))
            .map(|(interface, address)| format!("{} ({})", interface.name, address.addr()))
            .collect();
        let name = format!("{} ({})", subnet.network, subnet.mode.as_str());
        if here.is_empty() {
            findings.push(Finding::new(
                Weight::Warn,
                ABOUT,
                format!("{name} is on no interface of this machine"),
                "its machines are served only where a router relays their requests to this machine",
                "set a relay (`ip helper-address`) on its router, or give an interface here an address in it",
            ));
        } else {
            findings.push(Finding::ok(ABOUT, format!("{name} is on {}", here.join(", "))));
        }
    }
    for interface in heard(dhcp, local) {
        for address in &interface.addresses {
            if let Some(range) = dhcp
                .subnets
                .iter()
                .flat_map(|subnet| &subnet.ranges)
                .find(|range| range.contains(address.addr()))
            {
                findings.push(Finding::new(
                    Weight::Fail,
                    ABOUT,
                    format!(
                        "this machine's own address {} ({}) is in the range {}-{}",
                        address.addr(),
                        interface.name,
                        range.first,
                        range.last
                    ),
                    "it could be given to another machine, and both would lose the network",
                    "take it out of the range",
                ));
            }
        }
        let has_subnet = |address: &ipnet::Ipv4Net| {
            dhcp.subnets
                .iter()
                .any(|subnet| subnet.network.contains(&address.addr()))
        };
        if !dhcp.subnets.is_empty() && !interface.addresses.is_empty() && !interface.addresses.iter().any(has_subnet) {
            let networks: Vec<String> = interface
                .addresses
                .iter()
                .map(|address| address.trunc().to_string())
                .collect();
            findings.push(Finding::new(
                Weight::Warn,
                ABOUT,
                format!(
                    "{} ({}) has no subnet in the settings",
                    interface.name,
                    networks.join(", ")
                ),
                "machines there are recorded and not answered",
                format!(
                    "when they should boot, add a [[dhcp.subnets]] with network = \"{}\" and a mode",
                    networks.first().map_or("", String::as_str)
                ),
            ));
        }
    }
    findings
}

/// The interfaces that the server listens to.
pub(super) fn heard<'a>(dhcp: &'a DhcpPlan, local: &'a [LocalInterface]) -> impl Iterator<Item = &'a LocalInterface> {
    local
        .iter()
        .filter(|interface| dhcp.interfaces.is_empty() || dhcp.interfaces.contains(&interface.name))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ipam::{AddressRange, Mode, Subnet};

    fn subnet(network: &str, range: Option<(&str, &str)>) -> Subnet {
        Subnet {
            network: network.parse().unwrap(),
            mode: Mode::Pool,
            ranges: range
                .map(|(first, last)| AddressRange {
                    first: first.parse().unwrap(),
                    last: last.parse().unwrap(),
                })
                .into_iter()
                .collect(),
            reservations: Vec::new(),
            router: None,
            dns: Vec::new(),
            domain: None,
            ntp: Vec::new(),
            lease_time: Duration::from_secs(3600),
        }
    }

    fn interface(name: &str, address: &str) -> LocalInterface {
        LocalInterface {
            name: name.to_owned(),
            mac: None,
            addresses: vec![address.parse().unwrap()],
        }
    }

    #[test]
    fn names_every_mismatch() {
        let dhcp = DhcpPlan {
            port: 67,
            client_port: 68,
            interfaces: Vec::new(),
            subnets: vec![
                subnet("10.77.0.0/24", Some(("10.77.0.1", "10.77.0.200"))),
                subnet("10.78.0.0/24", None),
            ],
        };
        let local = [interface("eth0", "192.0.2.7/24"), interface("eth1", "10.77.0.1/24")];
        let found: Vec<_> = look(&dhcp, &local)
            .into_iter()
            .map(|finding| (finding.weight, finding.what))
            .collect();
        assert_eq!(
            found,
            [
                (Weight::Ok, "10.77.0.0/24 (pool) is on eth1 (10.77.0.1)".to_owned()),
                (
                    Weight::Warn,
                    "10.78.0.0/24 (pool) is on no interface of this machine".to_owned()
                ),
                (
                    Weight::Warn,
                    "eth0 (192.0.2.0/24) has no subnet in the settings".to_owned()
                ),
                (
                    Weight::Fail,
                    "this machine's own address 10.77.0.1 (eth1) is in the range 10.77.0.1-10.77.0.200".to_owned()
                ),
            ]
        );
    }
}
