//! Static addresses, checked where they are entered.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;
use muster_facts::MacAddr;
use serde_json::{Map, Value};

use super::{Catalog, CatalogFault, label};
use crate::desired::{Fault, HostPlan, Objects, check_network, check_standing};

impl Catalog {
    /// Static addresses lie in the configured subnet of their network, are nobody else's, and are written once.
    pub(super) async fn check_addresses(&self, plan: &HostPlan, macs: &[MacAddr]) -> Result<(), CatalogFault> {
        let mut used: HashMap<IpAddr, String> = HashMap::new();
        let own = addresses(plan.values.as_map());
        if own.is_empty() {
            return Ok(());
        }
        for (host, other) in self.store.plans().await? {
            if other.host != plan.host {
                for (_, net) in addresses(other.values.as_map()) {
                    used.insert(net.addr(), format!("host {}", label(&host)));
                }
            }
        }
        for subnet in self.subnets.iter() {
            if let Some(router) = subnet.router {
                used.insert(router.into(), format!("the router of subnet {}", subnet.network));
            }
            for kept in subnet.reservations.iter().filter(|kept| !macs.contains(&kept.mac)) {
                used.insert(kept.address.into(), format!("the reservation of {}", kept.mac));
            }
        }
        for (path, net) in own {
            let fault = |why: String, advice: &str| Err(Fault::new(&path, &net.to_string(), why, advice).into());
            if let Some(owner) = used.insert(net.addr(), "another interface of this host".to_owned()) {
                return fault(format!("the address is used by {owner}"), "write another address");
            }
            if let IpNet::V4(net4) = net
                && let Some(subnet) = self.subnets.iter().find(|subnet| subnet.network.contains(&net4.addr()))
            {
                let outside = net4.addr() == subnet.network.network() || net4.addr() == subnet.network.broadcast();
                if subnet.network.prefix_len() != net4.prefix_len() || outside {
                    return fault(
                        format!("it does not fit the configured subnet {}", subnet.network),
                        "write an address of that subnet with its prefix",
                    );
                }
            } else if net.addr().is_ipv4() && !self.subnets.is_empty() {
                return fault(
                    "it lies in no configured subnet".to_owned(),
                    "write an address of a subnet of `muster config show`, or add the subnet",
                );
            }
        }
        Ok(())
    }
}

impl Catalog {
    /// An interface that a plan describes is not another host's.
    pub(super) async fn check_planned_macs(&self, plan: &HostPlan) -> Result<(), CatalogFault> {
        for mac in planned_macs(plan) {
            if let Some(known) = self.store.known_host(mac).await?
                && known.host.id != plan.host
            {
                return Err(Fault::new(
                    "network.interfaces",
                    &mac.to_string(),
                    format!("it is an interface of host {}", label(&known.host)),
                    "write the MAC of an interface of this host",
                )
                .into());
            }
        }
        Ok(())
    }
}

/// A gateway lies in the network of an address of its interface, and is none of the interface's own. What was so before is
/// told when the network is touched.
pub(super) fn check_gateways(objects: &Objects, plan: &HostPlan, had: &HostPlan) -> Result<(), Fault> {
    let network = |plan: &HostPlan| objects.of_host(plan, "").unwrap_or_default().values;
    let (wanted, had) = (network(plan), network(had));
    if wanted.get("network") == had.get("network") {
        return Ok(());
    }
    let addresses = addresses(&wanted);
    for (name, interface) in interfaces(&wanted) {
        let prefix = format!("network.interfaces.{name}.addresses.");
        let own: Vec<IpNet> = addresses
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, net)| *net)
            .collect();
        for part in ["gateway", "gateway6"] {
            let Some(gateway) = interface
                .get(part)
                .and_then(|text| text.as_str()?.parse::<IpAddr>().ok())
            else {
                continue;
            };
            let of_family: Vec<&IpNet> = own
                .iter()
                .filter(|net| net.addr().is_ipv4() == gateway.is_ipv4())
                .collect();
            let link_local = matches!(gateway, IpAddr::V6(address) if address.is_unicast_link_local());
            if of_family.is_empty() || link_local {
                continue;
            }
            let path = format!("network.interfaces.{name}.{part}");
            let fault = |why: String| {
                Err(Fault::new(
                    &path,
                    &gateway.to_string(),
                    why,
                    "write the router's address in that network",
                ))
            };
            if of_family.iter().any(|net| net.addr() == gateway) {
                return fault("it is the interface's own address".to_owned());
            }
            let usable = |net: &&&IpNet| {
                let whole = net.prefix_len() + 1 >= net.max_prefix_len();
                let edge = gateway == net.network() || (gateway.is_ipv4() && gateway == net.broadcast());
                net.contains(&gateway) && (whole || !edge)
            };
            if !of_family.iter().any(|net| usable(&net)) {
                let nets: Vec<String> = of_family.iter().map(|net| net.trunc().to_string()).collect();
                return fault(format!("it is no address of a router in {}", nets.join(" or ")));
            }
        }
    }
    Ok(())
}

/// Bonds and VLANs of a host stand on interfaces that are there. What its profiles lack is told when its own network is
/// written: it may be given its profile before its cards.
pub(super) fn check_interfaces(objects: &Objects, plan: &HostPlan, had: &HostPlan) -> Result<(), Fault> {
    let in_force = objects.of_host(plan, "").unwrap_or_default().values;
    let Some(network) = in_force.get("network") else {
        return Ok(());
    };
    let own = |plan: &HostPlan| plan.values.as_map().get("network").cloned();
    if own(plan) != own(had) {
        check_network(network)
    } else if plan.profile != had.profile {
        check_standing(network)
    } else {
        Ok(())
    }
}

/// No interface of a profile stands on itself once all layers have met, nor is one in two bonds. What was so before is told
/// when the network is touched.
pub(super) fn check_profile_interfaces(before: &Objects, after: &Objects, profile: &str) -> Result<(), Fault> {
    let network = |objects: &Objects| objects.of_profile(profile).unwrap_or_default().values.remove("network");
    match network(after) {
        Some(network_after) if network(before).as_ref() != Some(&network_after) => check_standing(&network_after),
        _ => Ok(()),
    }
}

fn interfaces(values: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let interfaces = values.get("network").and_then(|network| network.get("interfaces"));
    interfaces.and_then(Value::as_object).into_iter().flatten()
}

/// Static addresses of a document, with the path of each.
fn addresses(values: &Map<String, Value>) -> Vec<(String, IpNet)> {
    let mut out = Vec::new();
    for (name, interface) in interfaces(values) {
        let list = interface.get("addresses").and_then(Value::as_array);
        for (place, text) in list.into_iter().flatten().enumerate() {
            if let Some(net) = text.as_str().and_then(|text| text.parse().ok()) {
                out.push((format!("network.interfaces.{name}.addresses.{place}"), net));
            }
        }
    }
    out
}

/// What interfaces of a document are called by, where it says so.
pub(super) fn planned_macs(plan: &HostPlan) -> Vec<MacAddr> {
    interfaces(plan.values.as_map())
        .filter_map(|(_, interface)| interface.get("mac")?.as_str()?.parse().ok())
        .collect()
}
