//! Network interfaces from `/sys/class/net`, and from the drivers on the running machine.

use std::net::Ipv6Addr;

use muster_facts::{Link, MacAddr, Nic};

use super::pci;
use super::tree::Tree;
use crate::sys;

pub(crate) const FOLDER: &str = "sys/class/net";
/// `ARPHRD_ETHER`: the only kind of link whose addresses are six bytes.
const ETHERNET: &str = "1";

/// The names of all interfaces, in their order.
pub(super) fn names(tree: &Tree) -> Vec<String> {
    tree.names("nics", FOLDER).unwrap_or_else(|| {
        if !tree.exists(FOLDER) {
            tree.note_missing("nics", FOLDER);
        }
        Vec::new()
    })
}

/// One interface. It is hardware, or a hypervisor's, when it has a device; bridges, bonds, tunnels,
/// VLANs and `lo` have none and are left out.
pub(super) fn gather(tree: &Tree, name: String, addresses: &[(String, String)]) -> Option<Nic> {
    let folder = format!("{FOLDER}/{name}");
    let device = format!("{folder}/device");
    let path = tree.link_path(&folder);
    let is_hardware = match &path {
        Some(path) => !path.contains("/virtual/"),
        None => tree.exists(&device) || tree.link_path(&device).is_some(),
    };
    if !is_hardware {
        return None;
    }
    // The device is the folder above `net/NAME`; a tree that was copied without links tells it by
    // the link in the interface's folder only.
    let device_path = path
        .as_deref()
        .and_then(|path| path.rsplit_once("/net/"))
        .map(|(device, _)| device.to_owned())
        .or_else(|| tree.link_path(&device));
    let what = format!("nics.{name}");
    let value = |attribute: &str| tree.value(&what, &format!("{folder}/{attribute}"));
    let link = match value("carrier").as_deref() {
        Some("1") => Some(true),
        Some("0") => Some(false),
        _ => None,
    };
    let speed = value("speed")
        .and_then(|speed| speed.parse::<i64>().ok())
        .and_then(|speed| u32::try_from(speed).ok());
    let function = device_path.as_deref().and_then(pci::address_in);
    Some(Nic {
        mac: mac(tree, &name, &folder),
        driver: tree.link_name(&format!("{device}/driver")),
        firmware: firmware(tree, &name),
        speed_mbps: speed.filter(|speed| *speed > 0 && *speed != u32::MAX && link != Some(false)),
        link,
        bus_address: device_path.as_deref().and_then(|path| bus_address(tree, &device, path)),
        pci_id: function.and_then(|address| pci::id_of(tree, address)),
        addresses: addresses
            .iter()
            .filter(|(owner, _)| *owner == name)
            .map(|(_, address)| address.clone())
            .collect(),
        lldp: None,
        name,
    })
}

/// Interfaces made by software, and their addresses, that are listed at most: a machine that runs containers or balances
/// load may have thousands.
const MOST_LINKS: usize = 64;
const MOST_ADDRESSES: usize = 32;

/// The interfaces made by software that have an address.
pub(super) fn links(tree: &Tree, names: &[String], hardware: &[Nic], addresses: &[(String, String)]) -> Vec<Link> {
    let of = |name: &str| {
        let found = addresses.iter().filter(|(owner, _)| owner == name);
        found
            .map(|(_, address)| address.clone())
            .take(MOST_ADDRESSES)
            .collect::<Vec<_>>()
    };
    names
        .iter()
        .filter(|name| *name != "lo" && !hardware.iter().any(|nic| nic.name == **name))
        .map(|name| Link {
            name: name.clone(),
            mac: tree
                .value("links", &format!("{FOLDER}/{name}/address"))
                .and_then(|mac| mac.parse().ok())
                .filter(|mac: &MacAddr| !mac.is_unusable()),
            addresses: of(name),
        })
        .filter(|link| !link.addresses.is_empty())
        .take(MOST_LINKS)
        .collect()
}

/// The permanent address by the driver's word, by that of the bond an interface belongs to, or the
/// current one.
fn mac(tree: &Tree, name: &str, folder: &str) -> Option<MacAddr> {
    let what = format!("nics.{name}.mac");
    let value = |attribute: &str| tree.value(&what, &format!("{folder}/{attribute}"));
    if value("type").is_some_and(|kind| kind != ETHERNET) {
        return None;
    }
    let permanent = tree.is_live().then(|| sys::permanent_address(name).ok()).flatten();
    permanent
        .and_then(|bytes| Some(MacAddr(bytes.try_into().ok()?)))
        .filter(|mac| !mac.is_unusable())
        .or_else(|| value("bonding_slave/perm_hwaddr")?.parse().ok())
        .or_else(|| value("address")?.parse().ok())
        .filter(|mac: &MacAddr| !mac.is_unusable())
}

fn firmware(tree: &Tree, name: &str) -> Option<String> {
    if !tree.is_live() {
        return None;
    }
    let version = muster_facts::trim_text(&sys::firmware_version(name).ok()?)?;
    (version != "N/A").then_some(version)
}

/// The address on the bus the device is on: bare for PCI, `virtio0`, `usb 1-1`, else the device's name.
fn bus_address(tree: &Tree, device: &str, device_path: &str) -> Option<String> {
    let name = device_path.rsplit('/').next().filter(|name| !name.is_empty())?;
    match tree.link_name(&format!("{device}/subsystem")).as_deref() {
        Some("usb") => Some(format!("usb {}", name.split(':').next().unwrap_or(name))),
        _ => Some(name.to_owned()),
    }
}

/// `IFA_F_TEMPORARY`: an address of RFC 8981, which the kernel replaces by another one each day.
const TEMPORARY: u32 = 1;

/// The IPv6 addresses in the text of `/proc/net/if_inet6` that are made to be replaced: address, index, prefix length,
/// scope and flags in hexadecimal, then the name.
fn temporary(text: &str) -> Vec<Ipv6Addr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = u128::from_str_radix(words.next()?, 16).ok()?;
            let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
            (flags & TEMPORARY != 0).then(|| Ipv6Addr::from(address))
        })
        .collect()
}

/// Every interface with each of its addresses and prefix lengths; those IPv6 ones that an interface makes for itself,
/// link-local and temporary, are left out. Only the running machine has any.
pub(super) fn addresses(tree: &Tree) -> Vec<(String, String)> {
    if !tree.is_live() {
        return Vec::new();
    }
    let passing = tree
        .text("nics.addresses", "proc/net/if_inet6")
        .map_or_else(Vec::new, |text| temporary(&text));
    let interfaces = match nix::ifaddrs::getifaddrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tree.note("nics.addresses", format!("getifaddrs: {}", error.desc().to_lowercase()));
            return Vec::new();
        }
    };
    let mut found: Vec<(String, String)> = interfaces
        .filter_map(|interface| {
            let (address, mask) = (interface.address?, interface.netmask?);
            let text = if let (Some(ip), Some(mask)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
                format!("{}/{}", ip.ip(), u32::from(mask.ip()).count_ones())
            } else {
                let (ip, mask) = (address.as_sockaddr_in6()?.ip(), mask.as_sockaddr_in6()?.ip());
                if ip.is_unicast_link_local() || passing.contains(&ip) {
                    return None;
                }
                format!("{ip}/{}", u128::from(mask).count_ones())
            };
            Some((interface.interface_name, text))
        })
        .collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_made_to_be_replaced_are_known() {
        let text = "\
fd000000000000000000000000000020 02 40 00 80     eth0
fd00000000000000a1b2c3d4e5f60718 02 40 00 01     eth0
00000000000000000000000000000001 01 80 10 80       lo
nonsense
";
        assert_eq!(
            temporary(text),
            ["fd00::a1b2:c3d4:e5f6:718".parse::<Ipv6Addr>().unwrap()]
        );
    }

    #[test]
    fn what_has_an_address_and_is_no_hardware_is_a_link() {
        let root = tempfile::tempdir().unwrap();
        let tree = Tree::new(root.path());
        let hardware = [Nic {
            name: "eth0".to_owned(),
            ..Nic::default()
        }];
        let names = ["bond0", "docker0", "eth0", "lo"].map(str::to_owned);
        let address = |name: &str, address: &str| (name.to_owned(), address.to_owned());
        let addresses = [
            address("bond0", "10.77.0.20/24"),
            address("eth0", "10.77.0.21/24"),
            address("lo", "127.0.0.1/8"),
            address("bond0", "fd00::20/64"),
        ];
        let found = links(&tree, &names, &hardware, &addresses);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].addresses.len()), ("bond0", 2));
    }
}
