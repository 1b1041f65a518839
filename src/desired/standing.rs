//! Interfaces that stand on each other: a VLAN on a card or a bond, a bond on cards. What is wrong with that is told where
//! it is entered, and again before a machine is installed with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Fault,
    shape::{Checked, wrong},
};

/// What each interface of `network` stands on: the part that says so, and the interfaces below.
struct Below<'a> {
    part: &'static str,
    names: Vec<&'a str>,
}

fn interfaces(network: &Value) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    let all = network.get("interfaces").and_then(Value::as_object);
    // What is removed here says nothing of itself.
    let own = all.into_iter().flatten().filter(|(name, _)| !name.starts_with('!'));
    own.filter_map(|(name, interface)| Some((name, interface.as_object()?)))
}

fn below(interface: &Map<String, Value>) -> Vec<Below<'_>> {
    let mut all = Vec::new();
    if let Some(parent) = interface.get("vlan").and_then(|vlan| vlan.get("parent")?.as_str()) {
        all.push(Below {
            part: "vlan.parent",
            names: vec![parent],
        });
    }
    if let Some(members) = interface.get("bond").and_then(|bond| bond.get("members")?.as_array()) {
        all.push(Below {
            part: "bond.members",
            names: members.iter().filter_map(Value::as_str).collect(),
        });
    }
    all
}

fn fault(name: &str, part: &str, value: &str, why: impl Into<String>, advice: &str) -> Fault {
    Fault::new(&format!("network.interfaces.{name}.{part}"), value, why, advice)
}

/// Checks what no other layer can mend: an interface that stands on itself, alone or by way of others, a bond or a VLAN that
/// stands on nothing, and a card in two bonds.
///
/// # Errors
/// [`Fault`] on the part of the interface.
pub fn check_standing(network: &Value) -> Result<(), Fault> {
    let mut bonded: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, interface) in interfaces(network) {
        whole(name, interface)?;
        for below in below(interface) {
            if below.names.contains(&name.as_str()) {
                let why = "the interface would stand on itself";
                return Err(fault(name, below.part, name, why, "name another interface"));
            }
            for member in below.names.iter().filter(|_| below.part == "bond.members") {
                if let Some(other) = bonded.insert(member, name) {
                    let why = if other == name {
                        "it is written twice".to_owned()
                    } else {
                        format!("it is in bond {other} already, and a card is in one bond only")
                    };
                    return Err(fault(name, below.part, member, why, "take it out of one of them"));
                }
            }
        }
    }
    for (name, interface) in interfaces(network) {
        if let Some((part, next)) = circle(network, name, interface) {
            let why = format!("{next} stands on {name} by way of others: neither could come up first");
            return Err(fault(
                name,
                part,
                next,
                why,
                "name an interface that does not stand on this one",
            ));
        }
    }
    Ok(())
}

/// Checks a whole network: [`check_standing`], and that what is stood on is there.
///
/// # Errors
/// [`Fault`] on the part of the interface.
pub fn check_network(network: &Value) -> Result<(), Fault> {
    check_standing(network)?;
    let there = |wanted: &str| interfaces(network).any(|(name, _)| name == wanted);
    for (name, interface) in interfaces(network) {
        for below in below(interface) {
            if let Some(gone) = below.names.iter().find(|other| !there(other)) {
                let why = "there is no such interface in network.interfaces";
                return Err(fault(name, below.part, gone, why, "add it there, with its MAC"));
            }
        }
    }
    Ok(())
}

/// A bond has members, and a VLAN its number and what it is on: they are written together, in one layer.
fn whole(name: &str, interface: &Map<String, Value>) -> Checked {
    let lacks = |part: &str, why: &str, advice: String| {
        let path = format!("network.interfaces.{name}.{part}");
        Err(Fault::unshown(&path, why, advice))
    };
    if let Some(bond) = interface.get("bond").filter(|bond| bond.is_object()) {
        let members = bond.get("members").and_then(Value::as_array);
        if members.is_none_or(Vec::is_empty) {
            let advice = format!("name the cards: {name}.bond.members=eth0,eth1");
            return lacks("bond.members", "the bond has no members", advice);
        }
    }
    if let Some(vlan) = interface.get("vlan").filter(|vlan| vlan.is_object()) {
        for (part, why, example) in [
            ("id", "the VLAN has no number", "100"),
            ("parent", "the VLAN is on no interface", "eth0"),
        ] {
            if vlan.get(part).is_none_or(Value::is_null) {
                let advice = format!("add it: {name}.vlan.{part}={example}");
                return lacks(&format!("vlan.{part}"), why, advice);
            }
        }
    }
    if interface.get("bond").is_some_and(Value::is_object) && interface.get("vlan").is_some_and(Value::is_object) {
        let advice = "make the bond one interface, and the VLAN on it another".to_owned();
        return lacks("vlan", "an interface is a bond or a VLAN, not both", advice);
    }
    Ok(())
}

/// The part of `name` by which it stands on itself, and the interface that this part names.
fn circle<'a>(network: &'a Value, name: &str, interface: &'a Map<String, Value>) -> Option<(&'static str, &'a str)> {
    let of = |wanted: &str| {
        interfaces(network)
            .find(|(name, _)| *name == wanted)
            .map(|(_, found)| found)
    };
    below(interface).into_iter().find_map(|start| {
        start.names.into_iter().find_map(|first| {
            let mut seen: Vec<&str> = Vec::new();
            let mut next = vec![first];
            while let Some(here) = next.pop() {
                if here == name {
                    return Some((start.part, first));
                }
                if !seen.contains(&here) {
                    seen.push(here);
                    let further = of(here).map(below).unwrap_or_default();
                    next.extend(further.into_iter().flat_map(|below| below.names));
                }
            }
            None
        })
    })
}

/// Checks the further partitions of one layer: none is what Muster makes itself, and none is there twice.
pub(super) fn check_mounts(path: &str, extra: &Value) -> Checked {
    let mut seen: Vec<&str> = Vec::new();
    for (place, part) in extra.as_array().into_iter().flatten().enumerate() {
        let Some(mount) = part.get("mount").and_then(Value::as_str) else {
            continue;
        };
        // `/var/` is `/var`.
        let trimmed = mount.trim_end_matches('/');
        let field = format!("{path}.{place}.mount");
        let shown = Value::from(mount);
        match trimmed {
            "" => {
                let why = "Muster makes this partition itself";
                return Err(wrong(
                    &field,
                    &shown,
                    why,
                    "leave it away, and set root_mib for its size",
                ));
            }
            "/boot/efi" => {
                let why = "Muster makes this partition itself where the machine boots by UEFI";
                return Err(wrong(&field, &shown, why, "leave it away"));
            }
            "swap" => {}
            known if seen.contains(&known) => {
                let why = "another partition has this mount point";
                return Err(wrong(&field, &shown, why, "write each mount point once"));
            }
            new => seen.push(new),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(interfaces: &Value, check: fn(&Value) -> Result<(), Fault>) -> String {
        let fault = check(&json!({ "interfaces": interfaces }));
        fault.map_or_else(|fault| fault.to_string(), |()| String::new())
    }

    #[test]
    fn nothing_stands_on_itself_or_on_nothing() {
        for (interfaces, why) in [
            (
                json!({"v": {"vlan": {"id": 7, "parent": "v"}}}),
                "network.interfaces.v.vlan.parent = `v`: the interface would stand on itself",
            ),
            (
                json!({"a": {"vlan": {"id": 7, "parent": "b"}}, "b": {"vlan": {"id": 8, "parent": "a"}}}),
                "network.interfaces.a.vlan.parent = `b`: b stands on a by way of others",
            ),
            (
                json!({"a": {"vlan": {"id": 7, "parent": "b"}}, "b": {"bond": {"members": ["c", "a"]}}}),
                "b stands on a by way of others",
            ),
            (
                json!({"a": {"bond": {"members": []}}}),
                "network.interfaces.a.bond.members: the bond has no members; name the cards",
            ),
            (json!({"a": {"bond": {"mode": "802.3ad"}}}), "the bond has no members"),
            (
                json!({"a": {"bond": {"members": ["a"]}}}),
                "network.interfaces.a.bond.members = `a`: the interface would stand on itself",
            ),
            (
                json!({"a": {"bond": {"members": ["x", "x"]}}}),
                "bond.members = `x`: it is written twice",
            ),
            (
                json!({"a": {"bond": {"members": ["x"]}}, "b": {"bond": {"members": ["x"]}}}),
                "network.interfaces.b.bond.members = `x`: it is in bond a already",
            ),
            (json!({"a": {"vlan": {"id": 7}}}), "network.interfaces.a.vlan.parent"),
            (json!({"a": {"vlan": {"parent": "x"}}}), "network.interfaces.a.vlan.id"),
            (
                json!({"a": {"vlan": {"id": 7, "parent": "x"}, "bond": {"members": ["x"]}}}),
                "a bond or a VLAN, not both",
            ),
        ] {
            let told = told(&interfaces, check_standing);
            assert!(told.contains(why), "{interfaces}: {told}");
        }
        let good = json!({"bond0": {"bond": {"members": ["eth0", "eth1"]}}, "bond0.7": {"vlan": {"id": 7, "parent": "bond0"}},
            "bond0.8": {"vlan": {"id": 8, "parent": "bond0"}}, "eth0": {}, "!eth2": null});
        assert_eq!(told(&good, check_standing), "");
        // One layer need not have all of it.
        assert_eq!(
            told(&good, check_network),
            "network.interfaces.bond0.bond.members = `eth1`: there is no such interface in network.interfaces; add it \
             there, with its MAC"
        );
    }

    #[test]
    fn each_mount_point_is_there_once() {
        for (extra, why) in [
            (json!([{"mount": "/var"}, {"mount": "/srv"}, {"mount": "swap"}]), ""),
            (
                json!([{"mount": "/var"}, {"mount": "/var/"}]),
                "extra.1.mount = `/var/`: another partition has this mount point",
            ),
            (json!([{"mount": "/"}]), "set root_mib"),
            (json!([{"mount": "/boot/efi"}]), "extra.0.mount = `/boot/efi`"),
        ] {
            let told = check_mounts("partitioning.extra", &extra);
            let told = told.map_or_else(|fault| fault.to_string(), |()| String::new());
            assert!(
                told.contains(why) && told.is_empty() == why.is_empty(),
                "{extra}: {told}"
            );
        }
    }
}
