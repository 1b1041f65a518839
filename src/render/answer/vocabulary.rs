//! What every template may name without asking whether it is there: each field, empty when no layer set it.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// The values that inherit, as they are when no layer sets them.
fn values() -> Value {
    json!({
        "template": null,
        "kernel_options": {}, "kernel_options_post": {},
        "hostname": null, "domain": null,
        "timezone": "UTC", "locale": "en_US.UTF-8", "keyboard": "us",
        "root_password_hash": null, "ssh_keys": [], "users": {},
        "disk": {}, "keep_disks": [],
        "partitioning": {},
        "network": {},
        "name_servers": [], "search_domains": [], "ntp_servers": [],
        "repos": {}, "proxy": null,
        "packages": [], "package_groups": [],
        "services_enabled": [], "services_disabled": [],
        "selinux": null, "firewall": null,
        "scripts": {},
        "install_agent": true, "install_once": true,
        "loader": null,
        "owners": [], "tags": [], "comment": null,
    })
}

/// What Muster itself gives, as it is when it is not known.
fn context() -> Value {
    json!({
        "host": {"id": null, "name": null, "mac": null, "serial": null, "vendor": null, "product": null, "uuid": null},
        "profile": {"name": null, "path": []},
        "distro": {"name": null, "family": null, "id": null, "version": "", "major": 0, "arch": "x86_64",
                   "codename": null, "tree_url": null, "kernel": null, "initrd": null},
        "server": {"base_url": null},
        "install": {"id": null, "answer_url": null, "stage_url": null, "agent_url": null, "agent_sha256": null,
                    "token": null, "syslog": null},
        "install_disk": null, "raid_disks": [], "interfaces": [],
        "boot_mode": "bios",
        "facts": {"cores": null, "memory_mib": null, "architecture": null, "disks": []},
    })
}

/// The parts of one entry of a map or list, by the field's path (`*` for any key or place).
const PARTS: &[(&str, &str)] = &[
    ("disk", r#"{"rule": null, "serial": null, "wwn": null, "path": null}"#),
    (
        "partitioning",
        r#"{"scheme": "plain", "filesystem": null, "swap_mib": null, "boot_mib": null, "root_mib": null,
            "volume_group": null, "extra": []}"#,
    ),
    (
        "partitioning.extra.*",
        r#"{"mount": null, "size_mib": null, "filesystem": null}"#,
    ),
    ("network", r#"{"interfaces": {}}"#),
    ("scripts", r#"{"pre": [], "post": [], "first_boot": []}"#),
    (
        "users.*",
        r#"{"password_hash": null, "ssh_keys": [], "groups": [], "sudo": false, "shell": null, "uid": null,
            "comment": null}"#,
    ),
    (
        "repos.*",
        r#"{"url": null, "key_url": null, "priority": null, "components": [], "suite": null}"#,
    ),
    (
        "install_disk",
        r#"{"path": null, "serial": null, "wwn": null, "size_bytes": null, "kind": null}"#,
    ),
    (
        "raid_disks.*",
        r#"{"path": null, "serial": null, "wwn": null, "size_bytes": null, "kind": null}"#,
    ),
    (
        "interfaces.*",
        r#"{"name": null, "mac": null, "dhcp": false, "addresses": [], "gateway": null, "gateway6": null, "mtu": null,
            "routes": [], "vlan": null, "bond": null}"#,
    ),
    ("interfaces.*.bond", r#"{"mode": null, "members": [], "miimon": null}"#),
    ("install.syslog", r#"{"host": null, "port": 514}"#),
];

/// The tables above, read once.
struct Assumed {
    values: Value,
    context: Value,
    parts: Vec<(&'static str, Value)>,
}

static ASSUMED: LazyLock<Assumed> = LazyLock::new(|| Assumed {
    values: values(),
    context: context(),
    parts: PARTS
        .iter()
        .filter_map(|(path, parts)| Some((*path, serde_json::from_str(parts).ok()?)))
        .collect(),
});

/// Every name that a template may use.
pub(super) fn complete(values: &Map<String, Value>, context: &Map<String, Value>) -> Map<String, Value> {
    let assumed = [&ASSUMED.values, &ASSUMED.context]
        .into_iter()
        .filter_map(Value::as_object);
    let names = assumed.chain([values, context]).flat_map(Map::keys);
    names
        .filter_map(|name| Some((name.clone(), named(name, values, context)?)))
        .collect()
}

/// What a template that uses `name` is given: what is assumed, with what is given over it. What Muster knows by itself
/// goes before values of the same name.
pub(super) fn named(name: &str, values: &Map<String, Value>, context: &Map<String, Value>) -> Option<Value> {
    let (assumed, given) = match (ASSUMED.context.get(name), context.get(name)) {
        (None, None) => (ASSUMED.values.get(name), values.get(name)),
        known => known,
    };
    let mut value = match (assumed, given) {
        (None, None) => return None,
        (Some(assumed), None) => assumed.clone(),
        (None, Some(given)) => given.clone(),
        (Some(assumed), Some(given)) => over(assumed.clone(), given.clone()),
    };
    for (path, parts) in &ASSUMED.parts {
        if let Some((first, rest)) = split(path)
            && first == name
        {
            fill(&mut value, rest, parts);
        }
    }
    Some(value)
}

/// `given` where it says something, `assumed` elsewhere: parts of a map, and a null that hides a known map.
fn over(assumed: Value, given: Value) -> Value {
    match (assumed, given) {
        (Value::Object(mut assumed), Value::Object(given)) => {
            assumed.extend(given);
            Value::Object(assumed)
        }
        (assumed @ (Value::Object(_) | Value::Array(_)), Value::Null) => assumed,
        (assumed @ Value::String(_), Value::Null) => assumed,
        (_, given) => given,
    }
}

fn split(path: &str) -> Option<(&str, &str)> {
    match path.split_once('.') {
        Some((first, rest)) => Some((first, rest)),
        None if path.is_empty() => None,
        None => Some((path, "")),
    }
}

fn fill(value: &mut Value, path: &str, parts: &Value) {
    match split(path) {
        None => {
            if let (Value::Object(value), Value::Object(parts)) = (value, parts) {
                for (key, part) in parts {
                    if !value.contains_key(key) || (!part.is_null() && value.get(key).is_some_and(Value::is_null)) {
                        value.insert(key.clone(), part.clone());
                    }
                }
            }
        }
        Some(("*", rest)) => match value {
            Value::Object(entries) => entries.values_mut().for_each(|entry| fill(entry, rest, parts)),
            Value::Array(entries) => entries.iter_mut().for_each(|entry| fill(entry, rest, parts)),
            _ => {}
        },
        Some((key, rest)) => {
            if let Some(inner) = value.get_mut(key) {
                fill(inner, rest, parts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_readable() {
        assert_eq!(ASSUMED.parts.len(), PARTS.len());
    }

    #[test]
    fn no_variable_takes_the_name_of_what_is_given() {
        let given = ASSUMED
            .context
            .as_object()
            .map(|context| context.keys().cloned().collect::<Vec<_>>());
        let mut given = given.unwrap_or_default();
        given.sort();
        let mut names = crate::desired::GIVEN_NAMES.map(str::to_owned);
        names.sort();
        assert_eq!(given, names);
    }

    #[test]
    fn every_field_is_there_and_what_was_given_stays() {
        let values = json!({"partitioning": {"scheme": "lvm"}, "users": {"ops": {"sudo": true}}, "timezone": null});
        let context = json!({"interfaces": [{"name": "eth0", "bond": {"mode": "802.3ad"}}]});
        let (Value::Object(values), Value::Object(context)) = (values, context) else {
            panic!("objects");
        };
        let all = complete(&values, &context);
        assert_eq!(all["partitioning"]["scheme"], "lvm");
        assert_eq!(all["partitioning"]["extra"], json!([]));
        assert_eq!(all["users"]["ops"]["sudo"], true);
        assert_eq!(all["users"]["ops"]["groups"], json!([]));
        assert_eq!(all["interfaces"][0]["dhcp"], false);
        assert_eq!(all["interfaces"][0]["bond"]["members"], json!([]));
        assert_eq!(all["timezone"], "UTC");
        assert_eq!(all["install"]["syslog"], Value::Null);
        assert_eq!(all["install_disk"], Value::Null);
    }
}
