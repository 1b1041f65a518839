//! Made-up machines of every kind that the shipped templates claim, for `muster template check` and for tests.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{AnswerInput, SearchNames};
use crate::desired::Family;

/// A made-up machine and the template that is rendered for it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// For example `rocky-9 lvm uefi`.
    pub name: String,
    /// The template.
    pub template: &'static str,
    /// The machine.
    pub input: AnswerInput,
}

/// Distributions: id, version, codename, family.
const DISTROS: &[(&str, &str, &str, Family)] = &[
    ("rhel", "7.9", "", Family::Redhat),
    ("rhel", "8.10", "", Family::Redhat),
    ("rhel", "9.6", "", Family::Redhat),
    ("rhel", "10.0", "", Family::Redhat),
    ("rocky", "9.6", "", Family::Redhat),
    ("alma", "8.10", "", Family::Redhat),
    ("centos-stream", "10", "", Family::Redhat),
    ("openeuler", "22.03", "", Family::Redhat),
    ("openeuler", "24.03", "", Family::Redhat),
    ("anolis", "8.9", "", Family::Redhat),
    ("anolis", "23.1", "", Family::Redhat),
    ("fedora", "40", "", Family::Redhat),
    ("fedora", "42", "", Family::Redhat),
    ("fedora", "44", "", Family::Redhat),
    ("debian", "11", "bullseye", Family::Debian),
    ("debian", "12", "bookworm", Family::Debian),
    ("debian", "13", "trixie", Family::Debian),
    ("ubuntu", "22.04", "jammy", Family::Ubuntu),
    ("ubuntu", "24.04", "noble", Family::Ubuntu),
    ("ubuntu", "26.04", "resolute", Family::Ubuntu),
    ("sles", "15.6", "", Family::Suse),
    ("opensuse-leap", "15.6", "", Family::Suse),
];

/// Shapes of the network: the name and the resolved interfaces.
fn networks() -> Vec<(&'static str, Value)> {
    let mac = |last: u8| format!("52:54:00:77:00:{last:02x}");
    let v4 = json!({"address": "192.0.2.10", "prefix": 24, "netmask": "255.255.255.0", "family": 4});
    let v6 = json!({"address": "2001:db8::10", "prefix": 64, "netmask": null, "family": 6});
    vec![
        ("dhcp", json!([{"name": "eth0", "mac": mac(1), "dhcp": true}])),
        (
            "static",
            json!([{"name": "eth0", "mac": mac(1), "addresses": [v4, v6], "gateway": "192.0.2.1",
                    "gateway6": "2001:db8::1", "mtu": 9000,
                    "routes": [{"to": "198.51.100.0/24", "via": "192.0.2.254"}]}]),
        ),
        (
            "bond",
            json!([{"name": "eth0", "mac": mac(1)}, {"name": "eth1", "mac": mac(2)},
                   {"name": "bond0", "bond": {"mode": "802.3ad", "members": ["eth0", "eth1"], "miimon": 100},
                    "addresses": [v4], "gateway": "192.0.2.1"}]),
        ),
        (
            "vlan",
            json!([{"name": "eth0", "mac": mac(1)},
                   {"name": "eth0.100", "vlan": {"id": 100, "parent": "eth0"}, "addresses": [v4],
                    "gateway": "192.0.2.1"}]),
        ),
    ]
}

/// Every distribution with every scheme, firmware and network: some hundred machines.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let mut all = Vec::new();
    for (id, version, codename, family) in DISTROS {
        for scheme in ["plain", "lvm", "raid"] {
            for boot_mode in ["bios", "uefi"] {
                for (network, interfaces) in networks() {
                    all.push(Sample {
                        name: format!("{id}-{version} {scheme} {boot_mode} {network}"),
                        template: family.template(),
                        input: input(id, version, codename, *family, scheme, boot_mode, &interfaces),
                    });
                }
            }
        }
        let (_, dhcp) = networks().swap_remove(0);
        let more: &[&'static str] = match family {
            Family::Debian => &["debian/kickseed.ks"],
            Family::Ubuntu => &["ubuntu/meta-data"],
            Family::Redhat | Family::Suse => &[],
        };
        for template in more {
            all.push(Sample {
                name: format!("{id}-{version} {template}"),
                template,
                input: input(id, version, codename, *family, "plain", "bios", &dhcp),
            });
        }
    }
    all
}

fn input(
    id: &str,
    version: &str,
    codename: &str,
    family: Family,
    scheme: &str,
    boot_mode: &str,
    interfaces: &Value,
) -> AnswerInput {
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let disk = |serial: &str| {
        json!({"path": format!("/dev/disk/by-id/ata-DISK_{serial}"), "serial": serial, "wwn": null,
               "size_bytes": 480_103_981_056_u64, "kind": "ssd"})
    };
    let values = json!({
        "hostname": "web1", "domain": "example.com", "timezone": "Europe/Berlin",
        "root_password_hash": "$6$saltsaltsalt$uM0z6zW9p1K4hYvq1x0N7o0m0Gd1w8P2C6mYVbG3t5",
        "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx3 admin's key # 管理员"],
        "users": {"ops": {"groups": ["wheel-ops"], "sudo": true, "comment": "O'Brien; rm -rf \"$HOME\"",
                          "password_hash": "$6$saltsaltsalt$zzz", "ssh_keys": ["ssh-ed25519 AAAAC3NzaC ops"]}},
        "partitioning": {"scheme": scheme,
            "extra": if scheme == "raid" { json!([]) }
                     else { json!([{"mount": "/var", "size_mib": 20480, "filesystem": null}]) }},
        "name_servers": ["192.0.2.53", "192.0.2.54"], "search_domains": ["example.com"],
        "ntp_servers": ["ntp1.example.com", "ntp2.example.com"],
        "packages": ["vim"], "services_enabled": ["chronyd"], "services_disabled": ["postfix"],
        "kernel_options_post": {"console": ["tty0", "ttyS0,115200"], "quiet": null},
        "repos": {"site": {"url": "http://192.0.2.2/repo", "suite": "stable", "components": ["main"]}},
    });
    let context = json!({
        "host": {"id": "5f0a", "name": "web1", "mac": "52:54:00:77:00:01", "serial": "S1"},
        "profile": {"name": "web", "path": ["web", "base"]},
        "distro": {"name": format!("{id}-{version}"), "family": family.as_str(), "id": id, "version": version,
                   "major": major, "arch": "x86_64", "codename": codename,
                   "tree_url": format!("http://192.0.2.2/tree/{id}")},
        "server": {"base_url": "http://192.0.2.2:8080"},
        "install": {"id": "0197", "answer_url": "http://192.0.2.2:8080/boot/answer/x",
                    "stage_url": "http://192.0.2.2:8080/boot/stage/x",
                    "agent_url": "http://192.0.2.2:8080/boot/agent",
                    "agent_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                    "token": "one-time-token", "syslog": {"host": "192.0.2.2", "port": 514}},
        "install_disk": disk("A"), "raid_disks": if scheme == "raid" { json!([disk("A"), disk("B")]) } else { json!([]) },
        "interfaces": interfaces, "boot_mode": boot_mode,
        "facts": {"cores": 16, "memory_mib": 65536, "architecture": "x86_64", "disks": []},
    });
    let origins = [
        ("timezone", "profile base"),
        ("packages", "profile web"),
        ("hostname", "host web1"),
    ]
    .into_iter()
    .map(|(name, layer)| (name.to_owned(), layer.to_owned()))
    .collect::<BTreeMap<_, _>>();
    AnswerInput {
        values: map(values),
        origins,
        context: map(context),
        search: SearchNames {
            host: Some("web1".to_owned()),
            profiles: vec!["web".to_owned(), "base".to_owned()],
            distro: format!("{id}-{version}"),
            family,
        },
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
