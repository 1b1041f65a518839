//! Prometheus: targets of its HTTP discovery.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use serde::Serialize;
use serde_json::Value;

use super::listed::Listed;

/// One host's target with its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetGroup {
    /// `address:port`.
    pub targets: Vec<String>,
    /// `__meta_muster_…`, for relabelling.
    pub labels: BTreeMap<String, String>,
}

/// A target of each host that has an address.
pub(super) fn targets(hosts: &[Listed], port: u16) -> Vec<TargetGroup> {
    let with_address = hosts.iter().filter_map(|host| Some((host, *host.addresses.first()?)));
    with_address
        .map(|(host, address)| target(host, address, port))
        .collect()
}

fn target(host: &Listed, address: IpAddr, port: u16) -> TargetGroup {
    let summary = &host.host.summary;
    let id = host.host.id.to_string();
    // With commas around, as Prometheus' own discoveries have it: a relabelling matches `.*,canary,.*`.
    let list = |words: &[String]| (!words.is_empty()).then(|| format!(",{},", words.join(",")));
    let (tags, owners, full) = (list(&host.tags), list(&host.owners), host.full_name());
    let mut labels = BTreeMap::new();
    for (name, value) in [
        ("id", Some(id.as_str())),
        ("name", Some(host.name.as_str())),
        ("fqdn", full.as_deref()),
        ("state", Some(host.host.state.as_str())),
        ("profile", host.profiles.first().map(String::as_str)),
        ("distro", host.distro.as_deref()),
        ("place", host.place.as_deref()),
        ("site", host.site()),
        ("role", host.role()),
        ("tags", tags.as_deref()),
        ("owners", owners.as_deref()),
        ("vendor", summary.vendor.as_deref()),
        ("product", summary.product.as_deref()),
        ("serial", summary.serial.as_deref()),
        ("architecture", summary.architecture.as_deref()),
        ("os", summary.os.as_deref()),
        ("os_version", summary.os_version.as_deref()),
    ] {
        labels.extend(value.map(|value| (format!("__meta_muster_{name}"), value.to_owned())));
    }
    for (name, value) in &host.vars {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        let name: String = name
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
            .collect();
        labels.insert(format!("__meta_muster_var_{name}"), value);
    }
    TargetGroup {
        targets: vec![SocketAddr::new(address, port).to_string()],
        labels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::inventories::listed::samples::listed;

    #[test]
    fn hosts_with_an_address_are_targets() {
        let mut nowhere = listed("db1", "");
        nowhere.addresses.clear();
        let made = targets(&[nowhere, listed("web1", "2001:db8::1")], 9100);
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].targets, ["[2001:db8::1]:9100"]);
        for (name, value) in [
            ("tags", ",canary,role=cache,"),
            ("role", "cache"),
            ("var_tier", "gold"),
            ("site", "bj1"),
        ] {
            assert_eq!(made[0].labels[&format!("__meta_muster_{name}")], value, "{name}");
        }
    }
}
