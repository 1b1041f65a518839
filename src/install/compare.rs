//! Installed as planned: what a person wanted beside what the installed system says of itself.

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
        if !is.is_some_and(|is| is.eq_ignore_ascii_case(id)) {
            differ("os", id, is);
        }
    }
    if let Some(version) = &planned.os_version {
        let is = os.and_then(|os| os.version.as_deref());
        if !is.is_some_and(|is| same_version(version, is)) {
            differ("os_version", version, is);
        }
    }
    let addresses: Vec<&str> = facts
        .nics
        .iter()
        .flat_map(|nic| &nic.addresses)
        .map(|address| address.split('/').next().unwrap_or_default())
        .collect();
    for address in &planned.addresses {
        if !addresses.contains(&address.as_str()) {
            differ("address", address, None);
        }
    }
    if let Some(disk) = &planned.disk {
        let there = facts.disks.iter().any(|is| {
            [&is.serial, &is.wwn]
                .into_iter()
                .flatten()
                .any(|word| word.eq_ignore_ascii_case(disk))
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

/// `9` is met by `9.5`, `9.5` not by `9.50` nor by `9`.
fn same_version(planned: &str, is: &str) -> bool {
    is == planned
        || is
            .strip_prefix(planned)
            .is_some_and(|rest| rest.starts_with(['.', '-', ' ']))
}

#[cfg(test)]
mod tests {
    use muster_facts::{Disk, Nic, Os};

    use super::*;

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
