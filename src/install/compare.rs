//! Installed as planned: what a person wanted beside what the installed system says of itself.

use std::net::IpAddr;

use muster_facts::Facts;
use serde::{Deserialize, Serialize};

/// What an installation was meant to come to; what is not given is not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Planned {
    /// The host's name, without domain.
    pub hostname: Option<String>,
    /// Word of the distribution: `rocky`, `debian`.
    pub os: Option<String>,
    /// Its version; what is found may be more exact.
    pub os_version: Option<String>,
    /// Fixed addresses, without prefix.
    pub addresses: Vec<String>,
    /// Serial or WWN of the disk it was to be installed on.
    pub disk: Option<String>,
    /// Options of the installed system's kernel, as they are on its command line.
    pub kernel_options: Vec<String>,
}

impl Planned {
    /// The planned addresses, as far as they are addresses; a prefix length does not matter.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.iter().filter_map(|text| address(text)).collect()
    }
}

/// An address, with or without prefix length.
fn address(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.trim().parse().ok()
}

/// One value that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which: `hostname`, `os`, `os_version`, `address`, `disk`, `kernel_option`.
    pub field: String,
    /// What was planned.
    pub planned: String,
    /// What was found; none when nothing was.
    pub found: Option<String>,
}

/// What is not as planned. A field the facts say nothing of is a difference too: nobody has seen that it is right.
#[must_use]
pub fn compare(planned: &Planned, facts: &Facts) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |field: &str, planned: &str, is: Option<&str>| {
        found.push(Difference {
            field: field.to_owned(),
            planned: planned.to_owned(),
            found: is.map(str::to_owned),
        });
    };
    let os = facts.os.as_ref();
    if let Some(name) = &planned.hostname {
        let is = facts.hostname.as_deref();
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
        if is.map(short) != Some(short(name)) {
            differ("hostname", name, is);
        }
    }
    if let Some(id) = &planned.os {
        let is = os.and_then(|os| os.id.as_deref());
        if !is.is_some_and(|is| same_os(id, is)) {
            differ("os", id, is);
        }
    }
    if let Some(version) = &planned.os_version {
        let is = os.and_then(|os| os.version.as_deref());
        let id = os.and_then(|os| os.id.as_deref()).unwrap_or_default();
        if !is.is_some_and(|is| same_version(id, version, is)) {
            differ("os_version", version, is);
        }
    }
    let of_nics = facts.nics.iter().flat_map(|nic| &nic.addresses);
    let of_links = facts.links.iter().flat_map(|link| &link.addresses);
    let there: Vec<IpAddr> = of_nics.chain(of_links).filter_map(|text| address(text)).collect();
    for wanted in &planned.addresses {
        if !address(wanted).is_some_and(|wanted| there.contains(&wanted)) {
            differ("address", wanted, None);
        }
    }
    if let Some(disk) = &planned.disk {
        let there = facts.disks.iter().any(|is| {
            [&is.serial, &is.wwn]
                .into_iter()
                .flatten()
                .any(|word| bare(word).eq_ignore_ascii_case(bare(disk)))
        });
        if !there {
            differ("disk", disk, None);
        }
    }
    let line = facts.kernel.cmdline.as_deref().unwrap_or_default();
    for option in &planned.kernel_options {
        if !line.split_whitespace().any(|word| word == option) {
            differ("kernel_option", option, None);
        }
    }
    found
}

/// A world-wide name as it is written in several ways: `naa.5000…`, `0x5000…`, `wwn-0x5000…`.
fn bare(name: &str) -> &str {
    let mut name = name.trim();
    for prefix in ["wwn-", "0x", "naa.", "eui.", "nvme."] {
        name = name.strip_prefix(prefix).unwrap_or(name);
    }
    name
}

/// Distributions that people call otherwise than their systems call themselves (os-release(5), `ID=`): the system's word,
/// and people's.
const CALLED: &[(&str, &[&str])] = &[
    ("rhel", &["redhat", "red-hat"]),
    ("almalinux", &["alma"]),
    ("centos", &["centos-stream", "centos-linux", "stream"]),
    ("ol", &["oracle", "oraclelinux"]),
    ("rocky", &["rockylinux", "rocky-linux"]),
    ("opensuse-leap", &["opensuse", "leap", "suse"]),
    ("opensuse-tumbleweed", &["opensuse", "tumbleweed"]),
    ("sles", &["sle", "suse"]),
    ("anolis", &["anolisos"]),
];

fn same_os(planned: &str, is: &str) -> bool {
    let (planned, is) = (planned.to_lowercase().replace(['_', ' '], "-"), is.to_lowercase());
    planned == is
        || CALLED
            .iter()
            .any(|(system, people)| *system == is && people.contains(&planned.as_str()))
}

/// How many parts of its version a system names in `VERSION_ID`, where that is fewer than its release has: Debian 13.1
/// says `13`, CentOS 7.9 says `7`, Ubuntu 24.04.1 says `24.04`, openEuler 22.03 LTS SP3 says `22.03`.
fn told_parts(os: &str) -> usize {
    match os.to_lowercase().as_str() {
        "debian" | "centos" | "fedora" => 1,
        "ubuntu" | "openeuler" => 2,
        _ => usize::MAX,
    }
}

/// What is found may be more exact than what was planned, and may be less exact only where the system never says more:
/// `9` is met by `9.5`, `9.5` not by `9.50` nor by `9`; for Debian `13.1` is met by `13`.
fn same_version(os: &str, planned: &str, is: &str) -> bool {
    if planned == is {
        return true;
    }
    let (planned, is) = (parts(planned), parts(is));
    let asked = planned.get(..told_parts(os).min(planned.len())).unwrap_or(&planned);
    !asked.is_empty() && is.starts_with(asked)
}

/// The numbers of a version: `15-SP6` and `15.6` are the same. Words that are no numbers say nothing here.
fn parts(version: &str) -> Vec<u32> {
    version
        .split(['.', '-', ' ', '_'])
        .filter_map(|part| {
            let number = part.trim_start_matches(['s', 'S']).trim_start_matches(['p', 'P']);
            number.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use muster_facts::{Disk, Nic, Os};

    use super::*;

    #[test]
    fn versions_are_compared_as_far_as_the_system_tells() {
        for (os, planned, is, same) in [
            ("debian", "13", "13", true),
            ("debian", "13.1", "13", true),
            ("debian", "12.9", "13", false),
            ("debian", "1", "13", false),
            ("ubuntu", "24.04.1", "24.04", true),
            ("ubuntu", "24.04", "24.10", false),
            ("ubuntu", "24", "24.04", true),
            ("centos", "7.9", "7", true),
            ("centos", "8", "7", false),
            ("rocky", "9", "9.5", true),
            ("rocky", "9.5", "9.5", true),
            ("rocky", "9.5", "9.50", false),
            ("rocky", "9.5", "9", false),
            ("rhel", "9.4", "9.5", false),
            ("openEuler", "22.03-LTS-SP3", "22.03", true),
            ("openEuler", "24.03", "22.03", false),
            ("sles", "15-SP6", "15.6", true),
            ("sles", "15.5", "15.6", false),
            ("fedora", "42", "42", true),
            ("debian", "trixie", "13", false),
            ("debian", "trixie", "trixie", true),
            ("rocky", "9.5", "", false),
        ] {
            assert_eq!(same_version(os, planned, is), same, "{os} {planned} {is}");
        }
    }

    #[test]
    fn systems_are_known_by_what_people_call_them() {
        for (planned, is, same) in [
            ("debian", "debian", true),
            ("openeuler", "openEuler", true),
            ("alma", "almalinux", true),
            ("centos-stream", "centos", true),
            ("redhat", "rhel", true),
            ("opensuse", "opensuse-leap", true),
            ("rocky", "almalinux", false),
            ("debian", "ubuntu", false),
        ] {
            assert_eq!(same_os(planned, is), same, "{planned} {is}");
        }
    }

    #[test]
    fn addresses_of_bonds_and_names_of_disks_are_found_however_they_are_written() {
        let mut facts = Facts::default();
        facts.links.push(muster_facts::Link {
            name: "bond0".into(),
            addresses: vec!["10.77.0.20/24".into(), "fd00:0:0::20/64".into()],
            ..muster_facts::Link::default()
        });
        facts.disks.push(Disk {
            wwn: Some("naa.5000c500a1b2c3d4".into()),
            ..Disk::default()
        });
        let planned = Planned {
            addresses: vec!["10.77.0.20/24".into(), "fd00::20".into()],
            disk: Some("wwn-0x5000C500A1B2C3D4".into()),
            ..Planned::default()
        };
        assert_eq!(compare(&planned, &facts), []);
        assert_eq!(planned.addresses().len(), 2);
    }

    #[test]
    fn what_is_as_planned_is_no_difference_and_the_rest_is_named() {
        let mut facts = Facts {
            hostname: Some("web1.lab".into()),
            os: Some(Os {
                id: Some("rocky".into()),
                version: Some("9.5".into()),
                name: None,
            }),
            ..Facts::default()
        };
        facts.kernel.cmdline = Some("root=/dev/sda quiet console=ttyS0".into());
        facts.nics.push(Nic {
            addresses: vec!["10.77.0.20/24".into()],
            ..Nic::default()
        });
        facts.disks.push(Disk {
            serial: Some("S1".into()),
            ..Disk::default()
        });
        let mut planned = Planned {
            hostname: Some("web1".into()),
            os: Some("rocky".into()),
            os_version: Some("9".into()),
            addresses: vec!["10.77.0.20".into()],
            disk: Some("s1".into()),
            kernel_options: vec!["console=ttyS0".into()],
        };
        assert_eq!(compare(&planned, &facts), []);
        planned.hostname = Some("web2".into());
        planned.os_version = Some("9.4".into());
        planned.addresses.push("10.77.0.21".into());
        planned.kernel_options.push("nomodeset".into());
        let fields: Vec<_> = compare(&planned, &facts)
            .into_iter()
            .map(|difference| difference.field)
            .collect();
        assert_eq!(fields, ["hostname", "os_version", "address", "kernel_option"]);
    }
}
