use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_facts::Facts;
use serde_json::Value;

use super::parts::disk_key;
use crate::inventory::{Change, HostId, Source, new_id};

/// Of whom, by whom and when a change is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose facts.
    pub host: HostId,
    /// Who told us.
    pub source: Source,
    /// The person or machine that acted, when it was one.
    pub actor: Option<String>,
    /// When we learned of it.
    pub at: DateTime<Utc>,
}

/// What a document says, field by field: dotted path to shown value. A list member is one entry of its own (its
/// label) beside its fields, so that one added disk is one change.
#[derive(Debug, Default)]
struct Flat {
    fields: BTreeMap<String, String>,
    members: BTreeMap<String, String>,
}

/// Every field that differs between two reports of one source, ordered by field.
///
/// List members are matched by their own name (serial, MAC, slot, address), so a disk that moved from `sda` to `sdb` is
/// no change. What varies without meaning is left out: the collection itself, usable memory, kernel names, link state,
/// the order of addresses and flags, the kernel command line, what could not be read. A first report changes nothing.
#[must_use]
pub fn diff(before: Option<&Facts>, after: &Facts, told: &Told) -> Vec<Change> {
    let Some(before) = before else {
        return Vec::new();
    };
    let (before, after) = (flatten(before), flatten(after));
    let mut changed: BTreeMap<&str, (Option<&String>, Option<&String>)> = BTreeMap::new();
    for path in before.members.keys().chain(after.members.keys()) {
        match (before.members.get(path), after.members.get(path)) {
            (Some(_), Some(_)) => {}
            pair => {
                changed.insert(path, pair);
            }
        }
    }
    let whole: BTreeSet<&str> = changed.keys().copied().collect();
    for path in before.fields.keys().chain(after.fields.keys()) {
        let pair = (before.fields.get(path), after.fields.get(path));
        let of_whole = member_of(path).is_some_and(|member| whole.contains(member));
        if pair.0 != pair.1 && !of_whole {
            changed.insert(path, pair);
        }
    }
    changed
        .into_iter()
        .map(|(field, (old, new))| Change {
            id: new_id(told.at),
            host: told.host,
            at: told.at,
            source: told.source,
            actor: told.actor.clone(),
            field: field.to_owned(),
            before: old.cloned(),
            after: new.cloned(),
        })
        .collect()
}

/// `disks[S3X]` of `disks[S3X].firmware`.
fn member_of(path: &str) -> Option<&str> {
    path.rfind("].").and_then(|end| path.get(..=end))
}

/// Parts of the document that vary without meaning.
const LEFT_OUT: &[&str] = &[
    "version",
    "collection",
    "unread",
    "memory.usable_bytes",
    "kernel.cmdline",
];

fn flatten(facts: &Facts) -> Flat {
    let mut steady = facts.clone();
    for disk in &mut steady.disks {
        disk.name = String::new();
    }
    for nic in &mut steady.nics {
        nic.link = None;
        nic.speed_mbps = None;
        nic.addresses.sort();
    }
    for link in &mut steady.links {
        link.addresses.sort();
    }
    steady.cpu.flags.sort();
    let names = Names::of(facts);
    let mut flat = Flat::default();
    // Facts are plain data: turning them into JSON does not fail.
    let document = serde_json::to_value(&steady).unwrap_or_default();
    walk(&document, String::new(), &names, &mut flat);
    flat
}

/// Stable names of list members, by list.
struct Names(BTreeMap<&'static str, Vec<String>>);

impl Names {
    fn of(facts: &Facts) -> Self {
        let named = |names: Vec<String>| {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            names
                .into_iter()
                .map(|name| {
                    let name = if name.is_empty() { "?".to_owned() } else { name };
                    let times = seen.entry(name.clone()).or_default();
                    *times += 1;
                    if *times > 1 { format!("{name}#{times}") } else { name }
                })
                .collect::<Vec<_>>()
        };
        let nic = |nic: &muster_facts::Nic| {
            nic.mac
                .map(|mac| mac.to_string())
                .or_else(|| nic.bus_address.clone())
                .unwrap_or_else(|| nic.name.clone())
        };
        Self(BTreeMap::from([
            ("disks", named(facts.disks.iter().map(disk_key).collect())),
            ("nics", named(facts.nics.iter().map(nic).collect())),
            (
                "links",
                named(facts.links.iter().map(|link| link.name.clone()).collect()),
            ),
            (
                "memory.dimms",
                named(facts.memory.dimms.iter().map(|dimm| dimm.slot.clone()).collect()),
            ),
            (
                "cpu.packages",
                named(facts.cpu.packages.iter().map(|cpu| cpu.socket.clone()).collect()),
            ),
            (
                "gpus",
                named(facts.gpus.iter().map(|card| card.address.clone()).collect()),
            ),
            (
                "pci",
                named(facts.pci.iter().map(|card| card.address.clone()).collect()),
            ),
        ]))
    }
}

fn walk(value: &Value, path: String, names: &Names, flat: &mut Flat) {
    if LEFT_OUT.contains(&path.as_str()) {
        return;
    }
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                walk(field, path, names, flat);
            }
        }
        Value::Array(members) => match names.0.get(path.as_str()) {
            Some(names_here) => {
                for (member, name) in members.iter().zip(names_here) {
                    let path = format!("{path}[{name}]");
                    flat.members.insert(path.clone(), label(member));
                    walk(member, path, names, flat);
                }
            }
            None => put(flat, path, members.iter().map(shown).collect::<Vec<_>>().join(", ")),
        },
        scalar => put(flat, path, shown(scalar)),
    }
}

fn put(flat: &mut Flat, path: String, value: String) {
    // Kernel names of interfaces change with the kernel that asks.
    let kernel_name = path.starts_with("nics[") && path.ends_with("].name");
    if !value.is_empty() && !kernel_name {
        flat.fields.insert(path, value);
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a person calls a member: maker, model and size, or its numbers where it has no words.
fn label(member: &Value) -> String {
    let text = |name: &str| member.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut words: Vec<String> = ["vendor", "model", "part", "driver"]
        .into_iter()
        .filter_map(text)
        .collect();
    if words.is_empty() {
        words.extend(text("version").or_else(|| text("name")));
    }
    if let (Some(vendor), Some(device)) = (text("vendor_id"), text("device_id")) {
        words.insert(0, format!("{vendor}:{device}"));
    }
    if let Some(bytes) = member
        .get("size_bytes")
        .and_then(Value::as_u64)
        .filter(|bytes| *bytes > 0)
    {
        words.push(format!("{bytes} bytes"));
    }
    words.retain(|word| !word.is_empty());
    if words.is_empty() {
        "present".to_owned()
    } else {
        words.join(" ")
    }
}
