use std::net::IpAddr;

use ipnet::IpNet;
use muster_facts::MacAddr;
use serde_json::{Map, Value};

use crate::{
    desired::{SET, is_secret, site_of},
    inventory::Host,
    provision::{FoundHost, catalog::label},
};

/// Takes out what is called a secret, and addresses with a password, at any depth: who receives an inventory would use
/// the words that stand for them.
fn drop_secrets(values: &mut Map<String, Value>) {
    values.retain(|name, value| !is_secret(name) && !hides(value));
    for value in values.values_mut() {
        match value {
            Value::Object(below) => drop_secrets(below),
            Value::Array(items) => {
                items.retain(|item| !hides(item));
                items.iter_mut().filter_map(Value::as_object_mut).for_each(drop_secrets);
            }
            _ => {}
        }
    }
}

/// Whether something was hidden in a text.
fn hides(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains(SET))
}

/// A host as inventories have it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    /// Its name, else its id.
    pub(super) name: String,
    /// The name of the installed system, and its domain.
    pub(super) hostname: Option<String>,
    pub(super) domain: Option<String>,
    /// The static addresses that are wanted, else the address it used last.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) macs: Vec<MacAddr>,
    pub(super) host: Host,
    /// Nearest first.
    pub(super) profiles: Vec<String>,
    pub(super) distro: Option<String>,
    pub(super) place: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) owners: Vec<String>,
    /// Template variables in force, without those for nobody's eyes.
    pub(super) vars: Map<String, Value>,
}

impl Listed {
    pub(super) fn site(&self) -> Option<&str> {
        self.place.as_deref().map(site_of).filter(|site| !site.is_empty())
    }

    /// By the variable, else by a tag, as searches have it.
    pub(super) fn role(&self) -> Option<&str> {
        let tag = || self.tags.iter().find_map(|tag| tag.strip_prefix("role="));
        self.vars.get("role").and_then(Value::as_str).or_else(tag)
    }

    /// The name in the network: small letters, with its domain where it has one; none when it is no name of a host
    /// (RFC 1123, section 2.1).
    pub(super) fn full_name(&self) -> Option<String> {
        let short = self.hostname.as_deref()?;
        let full = match &self.domain {
            Some(domain) if !short.contains('.') => format!("{short}.{domain}"),
            _ => short.to_owned(),
        };
        let full = full.trim_end_matches('.').to_ascii_lowercase();
        is_host_name(&full).then_some(full)
    }

    pub(super) fn is_called(&self, word: &str) -> bool {
        let id = self.host.id.to_string();
        self.name == word
            || id == word
            || self.full_name().is_some_and(|full| full.eq_ignore_ascii_case(word))
            || word.parse().is_ok_and(|mac: MacAddr| self.macs.contains(&mac))
    }
}

/// Whether these are labels of letters, digits and `-` with dots between.
pub(super) fn is_host_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

impl From<FoundHost> for Listed {
    fn from(found: FoundHost) -> Self {
        let desired = found.desired;
        let values = desired.effective.shown();
        let word = |key: &str| values.get(key).and_then(Value::as_str).map(str::to_owned);
        let words = |key: &str| -> Vec<String> {
            let items = values.get(key).and_then(Value::as_array);
            let items = items.into_iter().flatten().filter_map(Value::as_str);
            items.map(str::to_owned).collect()
        };
        let mut vars = values
            .get("vars")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        drop_secrets(&mut vars);
        let mut addresses = planned_addresses(&values);
        if addresses.is_empty() {
            addresses.extend(desired.host.address);
        }
        Self {
            name: label(&desired.host),
            hostname: word("hostname").or_else(|| desired.host.name.clone()),
            domain: word("domain"),
            addresses,
            macs: found.macs,
            profiles: desired.profiles,
            distro: desired.distro.map(|distro| distro.name),
            place: word("place"),
            tags: words("tags"),
            owners: words("owners"),
            vars,
            host: desired.host,
        }
    }
}

/// Static addresses of the installed system, in the order of its interfaces.
fn planned_addresses(values: &Map<String, Value>) -> Vec<IpAddr> {
    let interfaces = values
        .get("network")
        .and_then(|network| network.get("interfaces"))
        .and_then(Value::as_object);
    let of_interface = |interface: &Value| -> Vec<IpAddr> {
        let written = interface.get("addresses").and_then(Value::as_array);
        let written = written.into_iter().flatten().filter_map(Value::as_str);
        let read = written.filter_map(|text| {
            text.parse::<IpNet>()
                .map(|net| net.addr())
                .or_else(|_| text.parse())
                .ok()
        });
        read.collect()
    };
    interfaces
        .into_iter()
        .flat_map(|interfaces| interfaces.values().flat_map(of_interface))
        .collect()
}

#[cfg(test)]
pub(super) mod samples {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::inventory::{HostId, State};

    /// A host of this name and address.
    pub(in crate::provision::inventories) fn listed(name: &str, address: &str) -> Listed {
        let at = DateTime::UNIX_EPOCH;
        let mut host = Host::discovered(HostId(uuid::Uuid::nil()), at);
        host.name = Some(name.to_owned());
        host.state = State::Active;
        host.summary.vendor = Some("Dell Inc.".to_owned());
        host.summary.memory_bytes = Some(64 << 30);
        host.summary.os = Some("debian".to_owned());
        Listed {
            name: name.to_owned(),
            hostname: Some(name.to_owned()),
            domain: Some("example.org".to_owned()),
            addresses: address.parse().into_iter().collect(),
            macs: vec![MacAddr([0x52, 0x54, 0, 0x77, 0, 1])],
            host,
            profiles: vec!["web".to_owned(), "base".to_owned()],
            distro: Some("debian13".to_owned()),
            place: Some("bj1/r07/u12".to_owned()),
            tags: vec!["canary".to_owned(), "role=cache".to_owned()],
            owners: vec!["anna".to_owned()],
            vars: json!({"tier": "gold", "ports": [80, 443]})
                .as_object()
                .cloned()
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_in_the_network_are_names_of_hosts() {
        for (hostname, domain, full) in [
            ("Web1", Some("Example.org"), Some("web1.example.org")),
            ("web1.lab.", Some("example.org"), Some("web1.lab")),
            ("web_1", Some("example.org"), None),
            ("web1", None, Some("web1")),
            ("a b", None, None),
            ("-web", None, None),
        ] {
            let mut host = samples::listed(hostname, "10.0.0.1");
            host.domain = domain.map(str::to_owned);
            assert_eq!(host.full_name().as_deref(), full, "{hostname}");
        }
    }

    #[test]
    fn static_addresses_come_before_those_that_were_seen() {
        let values = json!({"network": {"interfaces": {
            "eth1": {"addresses": ["10.0.0.5/24", "2001:db8::5/64"]}, "eth0": {"addresses": ["10.9.0.5/16"]}, "eth2": {"dhcp": true},
        }}});
        let found: Vec<String> = planned_addresses(values.as_object().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["10.0.0.5", "2001:db8::5", "10.9.0.5"]);
    }

    #[test]
    fn secrets_are_left_out_at_any_depth() {
        let mut vars = json!({
            "db": {"user": "app", "password": "(set)", "hosts": [{"token": "(set)", "name": "a"}]},
            "urls": ["http://a/", "http://app:(set)@b/"], "api_token": "(set)", "plain": "text",
        });
        drop_secrets(vars.as_object_mut().unwrap());
        let left = json!({
            "db": {"user": "app", "hosts": [{"name": "a"}]}, "urls": ["http://a/"], "plain": "text",
        });
        assert_eq!(vars, left);
    }

    #[test]
    fn the_variable_says_the_role_and_else_a_tag() {
        let mut host = samples::listed("web1", "10.0.0.1");
        assert_eq!(host.role(), Some("cache"));
        host.vars.insert("role".into(), "web".into());
        assert_eq!(host.role(), Some("web"));
    }
}
