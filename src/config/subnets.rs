//! `[[dhcp.subnets]]`: one table a network. A later layer that names the same network changes that subnet's keys; one
//! that names another network adds a subnet.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use muster_facts::MacAddr;

use super::{
    Key, Origin, Reader, Row, Sourced, SubnetKeys,
    layers::SUBNETS,
    node::{Entry, Node, Wrong, quoted},
    setting::Setting,
};
use crate::ipam::{Mode, Reservation, Subnet};

/// One subnet with where each value comes from.
#[derive(Debug, Clone)]
pub struct SubnetSettings {
    /// Network and prefix length: the subnet's name.
    pub network: Sourced<Ipv4Net>,
    /// The keys that have a default.
    pub keys: SubnetKeys,
    /// Addresses kept for machines.
    pub reservations: Sourced<Reservations>,
}

/// Addresses kept for machines of one subnet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reservations(pub Vec<Reservation>);

const RESERVATION_KEYS: &[&str] = &["mac", "address", "hostname"];

impl SubnetSettings {
    /// The subnet as the rooms below know it. Ranges are left out where the mode gives no addresses, so that a mode
    /// can be changed without losing them from the file.
    #[must_use]
    pub fn plain(&self) -> Subnet {
        let mode = self.keys.mode.value;
        Subnet {
            network: self.network.value,
            mode,
            ranges: if mode == Mode::Pool {
                self.keys.ranges.value.clone()
            } else {
                Vec::new()
            },
            reservations: self.reservations.value.0.clone(),
            router: self.keys.router.value,
            dns: self.keys.dns.value.clone(),
            domain: self.keys.domain.value.clone(),
            ntp: self.keys.ntp.value.clone(),
            lease_time: self.keys.lease_time.value,
        }
    }

    /// The keys of a subnet, with what a person has to know of each.
    #[must_use]
    pub fn keys() -> Vec<Key> {
        let own = |name, kind, doc: &str, default: &str, example| Key {
            section: SUBNETS,
            name,
            kind,
            doc: doc.to_owned(),
            default: default.to_owned(),
            example: Some(example),
        };
        let mut keys = vec![own(
            "network",
            Ipv4Net::KIND,
            "Network and prefix length. Every subnet has one of its own.",
            "(required)",
            "\"10.77.0.0/24\"",
        )];
        keys.extend(SubnetKeys::keys());
        keys.push(own(
            "reservations",
            Reservations::KIND,
            "Addresses kept for machines, by MAC; hostname is optional.",
            "[]",
            "[{ mac = \"52:54:00:77:00:01\", address = \"10.77.0.50\", hostname = \"node1\" }]",
        ));
        keys
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let section = format!("{SUBNETS}[{}]", self.network.value);
        let mut rows = vec![Row {
            key: format!("{section}.network"),
            value: self.network.value.show(),
            origin: self.network.origin.clone(),
        }];
        rows.extend(self.keys.rows(&section));
        rows.push(Row {
            key: format!("{section}.reservations"),
            value: self.reservations.value.show(),
            origin: self.reservations.origin.clone(),
        });
        rows
    }
}

impl Setting for Reservations {
    const KIND: &'static str = "list of { mac, address, hostname }";

    fn read(node: &Node) -> Result<Self, Wrong> {
        node.list()?.iter().map(reservation).collect::<Result<_, _>>().map(Self)
    }

    fn show(&self) -> String {
        let items: Vec<String> = self
            .0
            .iter()
            .map(|reservation| {
                let hostname = reservation
                    .hostname
                    .as_deref()
                    .map(|name| format!(", hostname = {}", quoted(name)))
                    .unwrap_or_default();
                format!(
                    "{{ mac = \"{}\", address = \"{}\"{hostname} }}",
                    reservation.mac, reservation.address
                )
            })
            .collect();
        format!("[{}]", items.join(", "))
    }
}

fn reservation(node: &Node) -> Result<Reservation, Wrong> {
    let (mut mac, mut address, mut hostname) = (None, None, None);
    for Entry { name, origin, value } in node.table()? {
        match name.as_str() {
            "mac" => mac = Some(MacAddr::read(&value)?),
            "address" => address = Some(Ipv4Addr::read(&value)?),
            "hostname" => hostname = Some(String::read(&value)?),
            _ => {
                let hint = super::problem::nearest(&name, RESERVATION_KEYS.iter().copied())
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                return Err(Wrong {
                    origin,
                    ..node.wrong(format!("unknown key `{name}`{hint}"))
                });
            }
        }
    }
    match (mac, address) {
        (Some(mac), Some(address)) => Ok(Reservation { mac, address, hostname }),
        (None, _) => Err(node.wrong("this reservation has no `mac`")),
        (_, None) => Err(node.wrong("this reservation has no `address`")),
    }
}

/// What all layers say of one network.
#[derive(Default)]
struct Gathered {
    first: Option<Origin>,
    values: BTreeMap<String, Vec<Node>>,
}

pub(super) fn read(reader: &mut Reader) -> Vec<SubnetSettings> {
    let mut by_network: BTreeMap<Ipv4Net, Gathered> = BTreeMap::new();
    for layer in reader.values.remove(SUBNETS).unwrap_or_default() {
        let tables = match layer.list() {
            Ok(tables) => tables,
            Err(mut wrong) => {
                wrong.why = format!("expected tables: write [[{SUBNETS}]] and the subnet's keys below");
                reader.wrong(SUBNETS, wrong);
                continue;
            }
        };
        let mut in_layer = BTreeSet::new();
        for table in tables {
            if let Err(wrong) = gather(reader, &table, &mut by_network, &mut in_layer) {
                reader.wrong(SUBNETS, wrong);
            }
        }
    }
    let mut subnets: Vec<SubnetSettings> = Vec::new();
    for (network, gathered) in by_network {
        let subnet = build(reader, network, gathered);
        consistent(reader, &subnet);
        // The map is in order of network, so an overlapping one that came earlier contains this one.
        if let Some(other) = subnets.iter().find(|other| other.network.value.contains(&network)) {
            let what = format!(
                "`{SUBNETS}` {network} overlaps {} ({}); an address can be in one subnet only",
                other.network.value, other.network.origin
            );
            reader.problem(subnet.network.origin.clone(), what);
        }
        subnets.push(subnet);
    }
    subnets
}

fn gather(
    reader: &mut Reader,
    table: &Node,
    by_network: &mut BTreeMap<Ipv4Net, Gathered>,
    in_layer: &mut BTreeSet<Ipv4Net>,
) -> Result<(), Wrong> {
    let known: Vec<Key> = SubnetSettings::keys();
    let entries = table.table()?;
    for entry in &entries {
        if !known.iter().any(|key| key.name == entry.name) {
            let hint = super::problem::nearest(&entry.name, known.iter().map(|key| key.name))
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            let what = format!("unknown key `{}` in a subnet{hint}", entry.name);
            reader.problem(entry.origin.clone(), what);
        }
    }
    let Some(named) = entries.iter().find(|entry| entry.name == "network") else {
        let what = "this subnet has no `network`; write one such as network = \"10.77.0.0/24\"";
        reader.problem(table.origin.clone(), what.to_owned());
        return Ok(());
    };
    let network = match Ipv4Net::read(&named.value) {
        Ok(network) => network,
        Err(wrong) => {
            reader.wrong(&format!("{SUBNETS}.network"), wrong);
            return Ok(());
        }
    };
    if !in_layer.insert(network) {
        let what = format!("the subnet {network} is written twice here; keep one");
        reader.problem(named.value.origin.clone(), what);
    }
    let gathered = by_network.entry(network).or_default();
    gathered.first.get_or_insert_with(|| named.value.origin.clone());
    for entry in entries {
        if entry.name != "network" {
            gathered.values.entry(entry.name).or_default().push(entry.value);
        }
    }
    Ok(())
}

/// Reads the keys of one network, each from the highest layer that has it.
fn build(reader: &mut Reader, network: Ipv4Net, gathered: Gathered) -> SubnetSettings {
    let section = format!("{SUBNETS}[{network}]");
    for (name, nodes) in gathered.values {
        reader.values.insert(format!("{section}.{name}"), nodes);
    }
    reader.section(&section, |reader| SubnetSettings {
        network: Sourced {
            value: network,
            origin: gathered.first.unwrap_or(Origin::Default),
        },
        keys: SubnetKeys::read(reader),
        reservations: reader.take("reservations", Reservations::default),
    })
}

/// Notes what contradicts itself in one subnet.
fn consistent(reader: &mut Reader, subnet: &SubnetSettings) {
    let network = subnet.network.value;
    let name = format!("{SUBNETS}[{network}]");
    let keys = &subnet.keys;
    let usable = |address: Ipv4Addr| {
        network.contains(&address) && address != network.network() && address != network.broadcast()
    };
    let mut told = Vec::new();
    for range in &keys.ranges.value {
        if !usable(range.first) || !usable(range.last) {
            told.push((
                &keys.ranges.origin,
                format!(
                    "`{name}.ranges`: {}-{} is not inside the network; its addresses are {} to {}",
                    range.first,
                    range.last,
                    Ipv4Addr::from(u32::from(network.network()) + 1),
                    Ipv4Addr::from(u32::from(network.broadcast()) - 1),
                ),
            ));
        }
    }
    for (index, range) in keys.ranges.value.iter().enumerate() {
        if let Some(other) = keys
            .ranges
            .value
            .iter()
            .skip(index + 1)
            .find(|other| range.first <= other.last && other.first <= range.last)
        {
            told.push((
                &keys.ranges.origin,
                format!(
                    "`{name}.ranges`: {}-{} and {}-{} overlap",
                    range.first, range.last, other.first, other.last
                ),
            ));
        }
    }
    if keys.mode.value == Mode::Pool && keys.ranges.value.is_empty() {
        told.push((
            &keys.mode.origin,
            format!("`{name}.mode` is \"pool\" and there are no `ranges` to give addresses from; add ranges, or choose \"reserved\""),
        ));
    }
    if let Some(router) = keys.router.value
        && !usable(router)
    {
        told.push((
            &keys.router.origin,
            format!("`{name}.router` is {router}: a router has an address inside its network"),
        ));
    }
    let mut macs = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for Reservation { mac, address, .. } in &subnet.reservations.value.0 {
        let origin = &subnet.reservations.origin;
        if !usable(*address) {
            told.push((
                origin,
                format!("`{name}.reservations`: {address} of {mac} is not inside the network"),
            ));
        }
        if keys.router.value == Some(*address) {
            told.push((
                origin,
                format!("`{name}.reservations`: {address} of {mac} is the router's"),
            ));
        }
        if !macs.insert(*mac) {
            told.push((origin, format!("`{name}.reservations`: {mac} has two reservations")));
        }
        if !addresses.insert(*address) {
            told.push((origin, format!("`{name}.reservations`: {address} is reserved twice")));
        }
    }
    let told: Vec<_> = told.into_iter().map(|(origin, what)| (origin.clone(), what)).collect();
    for (origin, what) in told {
        reader.problem(origin, what);
    }
}
