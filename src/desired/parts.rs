//! What lies below a field: users, disks, interfaces and so on, part by part. The tables say what is well-formed, how it is
//! typed, and what help tells of it.

use serde_json::{Map, Value};

use super::{
    Fault, nearest,
    shape::{self, Checked, each, number, one_of, wrong},
    standing::{check_mounts, check_standing},
};

/// How a part is typed.
#[derive(Debug, Clone, Copy)]
pub enum PartKind {
    /// A text.
    Text,
    /// true or false; the bare name is true.
    Flag,
    /// A whole number.
    Number,
    /// Words with commas between, or the part several times.
    List,
    /// Texts that may hold commas: the part several times.
    Lines,
    /// Parts of its own: `vlan.id=100`.
    Parts(&'static [Part]),
    /// JSON only.
    Json,
}

/// One part of a value.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name.
    pub key: &'static str,
    /// How it is typed.
    pub kind: PartKind,
    /// What it is, for help texts.
    pub meaning: &'static str,
    check: fn(&str, &Value) -> Checked,
}

const fn part(key: &'static str, kind: PartKind, meaning: &'static str, check: fn(&str, &Value) -> Checked) -> Part {
    Part {
        key,
        kind,
        meaning,
        check,
    }
}

use PartKind::{Flag, Json, Lines, List, Number, Parts, Text};

pub(super) const USERS: &[Part] = &[
    part(
        "password_hash",
        Text,
        "what `openssl passwd -6` prints, or ! for none",
        shape::password_hash,
    ),
    part("ssh_keys", Lines, "public keys that log in", |path, value| {
        each(path, value, shape::ssh_key)
    }),
    part("groups", List, "groups beside the user's own", words),
    part("sudo", Flag, "true, or the rule for sudoers", |path, value| {
        if value.is_boolean() {
            Ok(())
        } else {
            shape::text(path, value)
        }
    }),
    part("shell", Text, "e.g. /bin/zsh", shape::word),
    part("uid", Number, "the user's number, usually 1000 or more", uid),
    part("comment", Text, "the user's full name", shape::text),
];

pub(super) const DISK: &[Part] = &[
    part(
        "rule",
        Text,
        "smallest_ssd, smallest, largest or first",
        |path, value| one_of(path, value, &["smallest_ssd", "smallest", "largest", "first"]),
    ),
    part("serial", Text, "the disk of this serial", shape::word),
    part("wwn", Text, "the disk of this world-wide name", shape::word),
    part("path", Text, "this device, e.g. /dev/vda", shape::device),
];

const EXTRA: &[Part] = &[
    part("mount", Text, "a path, or swap", shape::mount),
    part("size_mib", Number, "its size, MiB", size),
    part("filesystem", Text, "e.g. xfs", shape::word),
];

pub(super) const PARTITIONING: &[Part] = &[
    part("scheme", Text, "plain, lvm or raid", |path, value| {
        one_of(path, value, &["plain", "lvm", "raid"])
    }),
    part("filesystem", Text, "ext4, xfs, btrfs, ext3 or ext2", |path, value| {
        one_of(path, value, &["ext4", "xfs", "btrfs", "ext3", "ext2"])
    }),
    part("swap_mib", Text, "size of swap, MiB; 0 for none", size),
    part("boot_mib", Text, "size of /boot, MiB", size),
    part("root_mib", Text, "size of /, MiB; the rest when not given", size),
    part("volume_group", Text, "its name, for lvm", shape::word),
    part(
        "extra",
        Json,
        "further partitions: [{\"mount\": \"/var\", \"size_mib\": 20480, \"filesystem\": \"xfs\"}]",
        |path, value| {
            each(path, value, |path, value| parts(path, value, EXTRA))?;
            check_mounts(path, value)
        },
    ),
];

const ROUTE: &[Part] = &[
    part("to", Text, "a network, or default", shape::destination),
    part("via", Text, "a router", shape::address),
];

const VLAN: &[Part] = &[
    part("id", Number, "1 to 4094", shape::vlan_id),
    part("parent", Text, "the interface below", shape::word),
];

const BOND: &[Part] = &[
    part("mode", Text, "e.g. 802.3ad or active-backup", shape::bond_mode),
    part("members", List, "the interfaces below", words),
    part("miimon", Number, "milliseconds between looks at links", number),
];

pub(super) const INTERFACE: &[Part] = &[
    part("mac", Text, "the card, by its MAC", shape::mac),
    part("dhcp", Flag, "true or false", shape::flag),
    part(
        "addresses",
        List,
        "static addresses with prefix, e.g. 10.0.0.5/24",
        |path, value| each(path, value, shape::with_prefix),
    ),
    part(
        "gateway",
        Text,
        "an IPv4 router in the network of an address",
        shape::ipv4,
    ),
    part("gateway6", Text, "an IPv6 router", shape::ipv6),
    part("mtu", Number, "68 to 65535", shape::mtu),
    part(
        "routes",
        Json,
        "[{\"to\": \"10.9.0.0/16\", \"via\": \"10.0.0.254\"}]",
        |path, value| each(path, value, |path, value| parts(path, value, ROUTE)),
    ),
    part("vlan", Parts(VLAN), "", |path, value| parts(path, value, VLAN)),
    part("bond", Parts(BOND), "", |path, value| parts(path, value, BOND)),
];

pub(super) const REPOS: &[Part] = &[
    part("url", Text, "where it is", shape::url),
    part("key_url", Text, "where the key that signs it is", shape::url),
    part("priority", Number, "lower comes first", number),
    part(
        "components",
        List,
        "of Debian's kin, e.g. main,contrib",
        |path, value| {
            if value.is_array() {
                words(path, value)
            } else {
                shape::text(path, value)
            }
        },
    ),
    part("suite", Text, "of Debian's kin, e.g. bookworm", shape::word),
];

pub(super) const SCRIPTS: &[Part] = &[
    part("pre", List, "snippets that run before the disk is touched", snippets),
    part(
        "post",
        List,
        "snippets that run in the new system, before its first boot",
        snippets,
    ),
    part("first_boot", List, "snippets that run when it has booted", snippets),
];

fn snippets(path: &str, value: &Value) -> Checked {
    each(path, value, shape::template)
}

fn words(path: &str, value: &Value) -> Checked {
    each(path, value, shape::word)
}

/// Not root's: it has fields of its own.
fn uid(path: &str, value: &Value) -> Checked {
    number(path, value)?;
    if value.as_u64() == Some(0) {
        return Err(wrong(
            path,
            value,
            "0 is root's number, and the user would be root",
            "write another, or leave it away; what root has is said by root_password_hash and ssh_keys",
        ));
    }
    Ok(())
}

/// Numbers typed as words are taken too: `partitioning swap_mib=2048`.
fn size(path: &str, value: &Value) -> Checked {
    match value.as_str() {
        Some(text) if text.parse::<u32>().is_ok() => Ok(()),
        Some(_) => Err(wrong(path, value, "it is no whole number", "write a number of MiB")),
        None => number(path, value),
    }
}

/// Checks an object of known names.
pub(super) fn parts(path: &str, value: &Value, known: &[Part]) -> Checked {
    let Some(object) = value.as_object() else {
        let (key, example) = known.first().map_or(("key", ""), |part| (part.key, part.meaning));
        return Err(wrong(
            path,
            value,
            "it is no map",
            &format!("write {path}.{key}=… ({example}), or JSON"),
        ));
    };
    for (key, value) in object {
        let below = format!("{path}.{key}");
        if let Some(part) = known.iter().find(|part| part.key == key) {
            if !value.is_null() {
                (part.check)(&below, value)?;
            }
            continue;
        }
        let name = key.strip_prefix('!').unwrap_or(key);
        if name != key && known.iter().any(|part| part.key == name) {
            continue;
        }
        let advice = match nearest(name, known.iter().map(|part| part.key)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "known are {}",
                known.iter().map(|part| part.key).collect::<Vec<_>>().join(", ")
            ),
        };
        return Err(Fault::unshown(&below, "there is no such part", advice));
    }
    Ok(())
}

/// Checks a map of own names; what begins with `!` is a removal.
fn named(path: &str, value: &Value, fits: fn(&str) -> bool, known: &[Part]) -> Checked {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, value, "it is no map", "write name.key=value, or JSON"));
    };
    for (key, value) in object {
        let below = format!("{path}.{key}");
        if key.len() > 1 && key.starts_with('!') {
            continue;
        }
        if !fits(key) {
            return Err(Fault::unshown(
                &below,
                "the name cannot be used",
                "write letters, digits, `-`, `_` and `.`",
            ));
        }
        parts(&below, value, known)?;
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

pub(super) fn users(path: &str, value: &Value) -> Checked {
    let fits = |name: &str| {
        is_name(name) && name.len() <= 32 && !name.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-')
    };
    named(path, value, fits, USERS)
}

pub(super) fn disk(path: &str, value: &Value) -> Checked {
    parts(path, value, DISK)
}

pub(super) fn partitioning(path: &str, value: &Value) -> Checked {
    parts(path, value, PARTITIONING)
}

pub(super) fn network(path: &str, value: &Value) -> Checked {
    let interfaces = part("interfaces", Json, "", |path, value| {
        named(path, value, |name| is_name(name) && name.len() <= 15, INTERFACE)
    });
    parts(path, value, &[interfaces])?;
    check_standing(value)
}

pub(super) fn repos(path: &str, value: &Value) -> Checked {
    named(path, value, is_name, REPOS)
}

pub(super) fn scripts(path: &str, value: &Value) -> Checked {
    parts(path, value, SCRIPTS)
}

/// Reads words such as `anna.groups=wheel,adm` or, without own names, `scheme=lvm`. What is not understood is kept as it
/// was written, so that the check tells of it.
pub(super) fn read(words: &[&str], own_names: bool, known: &[Part]) -> Map<String, Value> {
    let mut out = Map::new();
    for word in words {
        let (path, text) = match word.split_once('=') {
            Some((path, text)) => (path, Some(text)),
            None => (*word, None),
        };
        if !own_names {
            put(&mut out, path, text, known);
            continue;
        }
        let Some((name, rest)) = split(path, known) else {
            // The removal of a whole entry, or nothing of ours.
            out.insert(path.to_owned(), text.map_or(Value::Null, Value::from));
            continue;
        };
        let slot = out.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if !slot.is_object() {
            *slot = Map::new().into();
        }
        if let Value::Object(entry) = slot {
            put(entry, rest, text, known);
        }
    }
    out
}

/// Parts an own name, which may have dots, from the path of a part; at the first dot when no part is known.
fn split<'a>(path: &'a str, known: &[Part]) -> Option<(&'a str, &'a str)> {
    let is_known = |rest: &str| {
        let (first, below) = rest
            .split_once('.')
            .map_or((rest, None), |(first, below)| (first, Some(below)));
        let first = first.strip_prefix('!').unwrap_or(first);
        let part = known.iter().find(|part| part.key == first);
        part.is_some_and(|part| match (part.kind, below) {
            (_, None) => true,
            (Parts(known), Some(below)) => known.iter().any(|part| part.key == below.trim_start_matches('!')),
            _ => false,
        })
    };
    let dots = path.match_indices('.').map(|(at, _)| at);
    let at = dots
        .rev()
        .find(|at| path.get(at + 1..).is_some_and(is_known))
        .or_else(|| path.find('.'))?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}

fn put(entry: &mut Map<String, Value>, path: &str, text: Option<&str>, known: &[Part]) {
    let (first, below) = path
        .split_once('.')
        .map_or((path, None), |(first, below)| (first, Some(below)));
    let part = known.iter().find(|part| part.key == first);
    if let (Some(Parts(known)), Some(below)) = (part.map(|part| part.kind), below) {
        let slot = entry.entry(first).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(inner) = slot {
            put(inner, below, text, known);
        }
        return;
    }
    let value = match (part.map(|part| part.kind), text) {
        (Some(Flag), None) => true.into(),
        (_, None) => Value::Null,
        (Some(Flag), Some("true" | "yes")) => true.into(),
        (Some(Flag), Some("false" | "no")) => false.into(),
        (Some(Number), Some(text)) => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
        (Some(Json | Parts(_)), Some(text)) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        (Some(kind @ (List | Lines)), Some(text)) => {
            let new = text
                .split(',')
                .filter(|_| matches!(kind, List))
                .map(str::trim)
                .filter(|item| !item.is_empty());
            let mut items: Vec<Value> = new.map(Value::from).collect();
            if matches!(kind, Lines) {
                items.push(text.into());
            }
            if let Some(Value::Array(kept)) = entry.get_mut(path) {
                kept.append(&mut items);
                return;
            }
            items.into()
        }
        (_, Some(text)) => text.into(),
    };
    entry.insert(path.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::field;

    fn read(key: &str, text: &str) -> serde_json::Value {
        field(key).expect("a field").read(text).expect("readable")
    }

    #[test]
    fn parts_are_typed_as_words() {
        for (key, text, value) in [
            (
                "users",
                "anna.groups=wheel,adm anna.sudo anna.uid=1500 'anna.ssh_keys=ssh-ed25519 AAAA anna,b' !bob",
                json!({"anna": {"groups": ["wheel", "adm"], "sudo": true, "uid": 1500,
                    "ssh_keys": ["ssh-ed25519 AAAA anna,b"]}, "!bob": null}),
            ),
            (
                "network",
                "eth0.mac=52:54:00:77:00:01 eth0.addresses=10.0.0.5/24 eth0.addresses=2001:db8::5/64 \
                 eth0.100.vlan.id=100 eth0.100.vlan.parent=eth0 eth0.100.dhcp=yes bond0.bond.members=eth1,eth2",
                json!({"interfaces": {
                    "eth0": {"mac": "52:54:00:77:00:01", "addresses": ["10.0.0.5/24", "2001:db8::5/64"]},
                    "eth0.100": {"vlan": {"id": 100, "parent": "eth0"}, "dhcp": true},
                    "bond0": {"bond": {"members": ["eth1", "eth2"]}}}}),
            ),
            (
                "repos",
                "epel.url=http://mirror/epel epel.priority=10",
                json!({"epel": {"url": "http://mirror/epel", "priority": 10}}),
            ),
            (
                "scripts",
                "post=motd,hello pre=wipe",
                json!({"post": ["motd", "hello"], "pre": ["wipe"]}),
            ),
            (
                "partitioning",
                "scheme=lvm swap_mib=2048",
                json!({"scheme": "lvm", "swap_mib": "2048"}),
            ),
        ] {
            let found = read(key, text);
            assert_eq!(found, value, "{key}: {text}");
            let document = [(key.to_owned(), found)].into_iter().collect();
            assert!(super::super::Values::check(document).is_ok(), "{key}: {text}");
        }
    }

    #[test]
    fn a_mistyped_part_is_told_with_the_nearest() {
        for (key, text, told) in [
            (
                "users",
                "anna.group=wheel",
                "users.anna.group: there is no such part; did you mean `groups`?",
            ),
            (
                "users",
                "anna=wheel",
                "users.anna = `wheel`: it is no map; write users.anna.password_hash=",
            ),
            ("network", "eth0.adress=10.0.0.5/24", "did you mean `addresses`?"),
            ("network", "eth0.vlan.idd=100", "did you mean `id`?"),
            ("repos", "epel.uri=http://mirror", "did you mean `url`?"),
            ("scripts", "psot=motd", "did you mean `post`?"),
        ] {
            let document = [(key.to_owned(), read(key, text))].into_iter().collect();
            let fault = super::super::Values::check(document).expect_err("refused").to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }

    #[test]
    fn what_was_written_in_place_of_a_part_reads_back() {
        let field = field("scripts").expect("a field");
        let value = json!({"post": ["motd", "hello"], "pre": ["wipe"]});
        assert_eq!(field.read(&field.write(&value)), Ok(value));
    }
}
