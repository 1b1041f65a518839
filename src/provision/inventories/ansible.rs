//! Ansible: groups and variables of hosts, as an inventory script prints them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::listed::Listed;

/// What Ansible reads `{{ … }}` in.
const MARKS: [&str; 3] = ["{{", "{%", "{#"];

/// What `--list` prints.
pub(super) fn inventory(hosts: &[Listed]) -> Value {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut variables_of = Map::new();
    for host in hosts {
        for group in groups_of(host) {
            let members = groups.entry(group).or_default();
            if members.last() != Some(&host.name.as_str()) {
                members.push(&host.name);
            }
        }
        variables_of.insert(host.name.clone(), variables(host));
    }
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    let mut document = Map::new();
    document.insert("_meta".to_owned(), json!({"hostvars": variables_of}));
    document.insert("all".to_owned(), json!({"children": ["muster"]}));
    let children: Vec<&String> = groups.keys().collect();
    document.insert("muster".to_owned(), json!({"hosts": names, "children": children}));
    for (group, members) in &groups {
        document.insert(group.clone(), json!({"hosts": members}));
    }
    document.into()
}

fn groups_of(host: &Listed) -> Vec<String> {
    let mut groups = vec![group("state", host.host.state.as_str())];
    groups.extend(host.profiles.iter().map(|name| group("profile", name)));
    groups.extend(host.tags.iter().map(|name| group("tag", name)));
    for (kind, name) in [
        ("distro", host.distro.as_deref()),
        ("site", host.site()),
        ("role", host.role()),
        ("os", host.host.summary.os.as_deref()),
        ("vendor", host.host.summary.vendor.as_deref()),
    ] {
        groups.extend(name.map(|name| group(kind, name)));
    }
    groups
}

/// A name that Ansible takes for a group: letters of any language, digits and `_`. Nothing is left out but full stops at
/// the end, so that `c` and `c++` stay two.
fn group(kind: &str, name: &str) -> String {
    let plain = name.trim_end_matches('.').to_lowercase();
    let plain = plain
        .chars()
        .map(|letter| if letter.is_alphanumeric() { letter } else { '_' });
    format!("{kind}_{}", plain.collect::<String>())
}

/// What `--host` prints: where it is reached, template variables by their own names, and all else below `muster`.
///
/// Variables whose names begin with `ansible_` say how the controller works and are its owner's business.
pub(super) fn variables(host: &Listed) -> Value {
    let mut variables = Map::new();
    for (name, value) in &host.vars {
        let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits && !name.starts_with("ansible_") && name != "muster" {
            variables.insert(name.clone(), data(value.clone()));
        }
    }
    if let Some(address) = host.addresses.first() {
        variables.insert("ansible_host".to_owned(), address.to_string().into());
    }
    variables.insert("muster".to_owned(), data(facts(host)));
    variables.into()
}

/// What is known and wanted of a host, for programs.
pub(super) fn facts(host: &Listed) -> Value {
    let summary = &host.host.summary;
    json!({
        "id": host.host.id,
        "name": host.name,
        "fqdn": host.full_name(),
        "state": host.host.state.as_str(),
        "profile": host.profiles.first(),
        "profiles": host.profiles,
        "distro": host.distro,
        "place": host.place,
        "site": host.site(),
        "role": host.role(),
        "tags": host.tags,
        "owners": host.owners,
        "addresses": host.addresses,
        "macs": host.macs,
        "vendor": summary.vendor,
        "product": summary.product,
        "serial": summary.serial,
        "uuid": summary.uuid,
        "architecture": summary.architecture,
        "cpu": summary.cpu_model,
        "cores": summary.cores,
        "memory_bytes": summary.memory_bytes,
        "disk_bytes": summary.disk_bytes,
        "disks": summary.disks,
        "os": summary.os,
        "os_version": summary.os_version,
    })
}

/// Marks texts that Ansible would read as templates: a serial number must not run on the controller.
fn data(value: Value) -> Value {
    match value {
        Value::String(text) if MARKS.iter().any(|mark| text.contains(mark)) => json!({"__ansible_unsafe": text}),
        Value::Array(items) => items.into_iter().map(data).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, data(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::inventories::listed::samples::listed;

    #[test]
    fn different_names_are_different_groups() {
        let names = ["北京", "上海", "c", "c++", "Dell Inc."].map(|name| group("site", name));
        assert_eq!(names, ["site_北京", "site_上海", "site_c", "site_c__", "site_dell_inc"]);
    }

    #[test]
    fn hosts_are_in_the_groups_of_what_they_are() {
        let mut second = listed("db1", "2001:db8::1");
        second.profiles = vec!["base".to_owned()];
        let made = inventory(&[second, listed("web1", "10.0.0.1")]);
        assert_eq!(made["profile_base"]["hosts"], json!(["db1", "web1"]));
        assert_eq!(made["profile_web"]["hosts"], json!(["web1"]));
        for group in [
            "site_bj1",
            "tag_canary",
            "tag_role_cache",
            "role_cache",
            "os_debian",
            "vendor_dell_inc",
            "state_active",
            "distro_debian13",
        ] {
            assert_eq!(made[group]["hosts"], json!(["db1", "web1"]), "{group}");
        }
        let variables = &made["_meta"]["hostvars"]["web1"];
        assert_eq!(
            (&variables["ansible_host"], &variables["tier"]),
            (&json!("10.0.0.1"), &json!("gold"))
        );
        assert_eq!(variables["muster"]["fqdn"], "web1.example.org");
    }

    #[test]
    fn what_is_written_of_a_host_is_no_template_and_no_setting() {
        let mut host = listed("web1", "10.0.0.1");
        let evil = "{{ lookup('pipe', 'id') }}";
        host.host.summary.serial = Some(evil.to_owned());
        host.vars.insert("motd".into(), json!({"lines": [evil, "plain"]}));
        host.vars.insert("ansible_connection".into(), "local".into());
        host.vars.insert("muster".into(), "taken".into());
        let made = variables(&host);
        assert_eq!(made["muster"]["serial"], json!({"__ansible_unsafe": evil}));
        assert_eq!(made["motd"]["lines"], json!([{"__ansible_unsafe": evil}, "plain"]));
        assert_eq!(made.get("ansible_connection"), None);
    }
}
