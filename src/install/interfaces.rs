//! The network of an installed system: the interfaces that are wanted, each with the card it means.

use std::net::IpAddr;

use ipnet::IpNet;
use muster_facts::{MacAddr, Nic};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desired::{Fault, check_network};

/// One interface of the value `network`, by its name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct InterfaceWish {
    mac: Option<MacAddr>,
    dhcp: bool,
    addresses: Vec<IpNet>,
    gateway: Option<String>,
    gateway6: Option<String>,
    mtu: Option<u32>,
    routes: Vec<Route>,
    vlan: Option<Vlan>,
    bond: Option<Bond>,
}

/// A route by way of a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Route {
    /// Network, or `default`.
    pub to: String,
    /// The neighbour.
    pub via: String,
}

/// A VLAN on another interface (IEEE 802.1Q).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Vlan {
    /// 1 to 4094.
    pub id: u16,
    /// The interface below.
    pub parent: String,
}

/// Interfaces that act as one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Bond {
    /// A word of the kernel's, or its number.
    pub mode: Option<Value>,
    /// The interfaces below.
    pub members: Vec<String>,
    /// How often links are looked at, milliseconds.
    pub miimon: Option<u32>,
}

/// An address as templates need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// Without prefix.
    pub address: IpAddr,
    /// Bits of the network.
    pub prefix: u8,
    /// The same as a mask, for IPv4.
    pub netmask: Option<IpAddr>,
    /// 4 or 6.
    pub family: u8,
}

/// An interface of the installed system, as templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstallInterface {
    /// Its name.
    pub name: String,
    /// The card's address; none for bonds and VLANs.
    pub mac: Option<MacAddr>,
    /// It asks for its address.
    pub dhcp: bool,
    /// Fixed addresses.
    pub addresses: Vec<Address>,
    /// IPv4 default route.
    pub gateway: Option<String>,
    /// IPv6 default route.
    pub gateway6: Option<String>,
    /// Largest packet, bytes.
    pub mtu: Option<u32>,
    /// Further routes.
    pub routes: Vec<Route>,
    /// When it is a VLAN.
    pub vlan: Option<Vlan>,
    /// When it is a bond.
    pub bond: Option<Bond>,
}

/// Resolves the value `network`: cards are found by MAC, and where none is written by the name the collection image gave
/// them. Interfaces come in an order in which what is stood on comes first.
///
/// # Errors
/// [`Fault`] when a card is not the host's, or a bond or VLAN stands on itself or on what is not there.
pub fn resolve_interfaces(network: &Value, nics: &[Nic]) -> Result<Vec<InstallInterface>, Fault> {
    let empty = Map::new();
    let wanted = network.get("interfaces").and_then(Value::as_object).unwrap_or(&empty);
    check_network(network)?;
    let mut resolved = Vec::with_capacity(wanted.len());
    for (name, value) in wanted {
        let wish = InterfaceWish::deserialize(value).map_err(|error| {
            Fault::unshown(
                &format!("network.interfaces.{name}"),
                format!("it cannot be read: {error}"),
                "write it as `muster profile add --help` shows",
            )
        })?;
        resolved.push(resolve(name, wish, nics)?);
    }
    // Cards, bonds, VLANs: none of them stands on a later one (a bond of VLANs is nothing that installers know).
    resolved.sort_by_key(|interface| (interface.vlan.is_some(), interface.bond.is_some()));
    Ok(resolved)
}

fn resolve(name: &str, wish: InterfaceWish, nics: &[Nic]) -> Result<InstallInterface, Fault> {
    let is_card = wish.vlan.is_none() && wish.bond.is_none();
    let mac = match wish.mac {
        Some(mac) => {
            if !nics.is_empty() && !nics.iter().any(|nic| nic.mac == Some(mac)) {
                return Err(Fault::new(
                    &format!("network.interfaces.{name}.mac"),
                    &mac.to_string(),
                    format!("the host has no such card; it has {}", told(nics)),
                    "write the MAC of one of its cards, or let the host report again",
                ));
            }
            Some(mac)
        }
        None if is_card => nics.iter().find(|nic| nic.name == name).and_then(|nic| nic.mac),
        None => None,
    };
    Ok(InstallInterface {
        name: name.to_owned(),
        mac,
        dhcp: wish.dhcp,
        addresses: wish.addresses.into_iter().map(address).collect(),
        gateway: wish.gateway,
        gateway6: wish.gateway6,
        mtu: wish.mtu,
        routes: wish.routes,
        vlan: wish.vlan,
        bond: wish.bond,
    })
}

fn address(net: IpNet) -> Address {
    Address {
        address: net.addr(),
        prefix: net.prefix_len(),
        netmask: matches!(net, IpNet::V4(_)).then(|| net.netmask()),
        family: if matches!(net, IpNet::V4(_)) { 4 } else { 6 },
    }
}

fn told(nics: &[Nic]) -> String {
    nics.iter()
        .filter_map(|nic| Some(format!("{} ({})", nic.name, nic.mac?)))
        .take(8)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nics() -> Vec<Nic> {
        (1..=2)
            .map(|last| Nic {
                name: format!("eth{}", last - 1),
                mac: Some(MacAddr([0x52, 0x54, 0, 0x77, 0, last])),
                ..Nic::default()
            })
            .collect()
    }

    #[test]
    fn cards_come_first_and_have_their_macs() {
        let network = json!({"interfaces": {
            "bond0": {"bond": {"mode": "802.3ad", "members": ["eth0", "lan1"]}},
            "bond0.7": {"vlan": {"id": 7, "parent": "bond0"}, "addresses": ["10.0.0.5/24", "2001:db8::5/64"]},
            "eth0": {}, "lan1": {"mac": "52:54:00:77:00:02"},
        }});
        let interfaces = resolve_interfaces(&network, &nics()).unwrap();
        let shown: Vec<_> = interfaces
            .iter()
            .map(|interface| (interface.name.as_str(), interface.mac.map(|mac| mac.0[5])))
            .collect();
        assert_eq!(
            shown,
            [("eth0", Some(1)), ("lan1", Some(2)), ("bond0", None), ("bond0.7", None)]
        );
        let json = serde_json::to_value(&interfaces[3].addresses).unwrap();
        assert_eq!(
            json[0],
            json!({"address": "10.0.0.5", "prefix": 24, "netmask": "255.255.255.0", "family": 4})
        );
        assert_eq!(json[1]["netmask"], Value::Null);
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (interfaces, told) in [
            (
                json!({"eth0": {"mac": "52:54:00:77:00:09"}}),
                "eth1 (52:54:00:77:00:02)",
            ),
            (
                json!({"v": {"vlan": {"id": 7, "parent": "bond0"}}}),
                "network.interfaces.v.vlan.parent = `bond0`",
            ),
            (json!({"b": {"bond": {"members": ["b"]}}}), "bond.members = `b`"),
        ] {
            let fault = resolve_interfaces(&json!({ "interfaces": interfaces }), &nics()).unwrap_err();
            assert!(fault.to_string().contains(told), "{fault}");
        }
    }
}
