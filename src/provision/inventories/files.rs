//! Lines for `/etc/hosts`.

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr};

use super::listed::Listed;

/// Address, full name and short name of each host, by address; what is no name of a host is left out and told.
pub(super) fn hosts_file(hosts: &[Listed]) -> String {
    let mut lines: BTreeMap<IpAddr, String> = BTreeMap::new();
    let mut left_out = Vec::new();
    for host in hosts {
        let Some(full) = host.full_name() else {
            left_out.push(host.name.as_str());
            continue;
        };
        let short = full.split('.').next().unwrap_or_default();
        let names = if short == full {
            full.clone()
        } else {
            format!("{full} {short}")
        };
        for address in &host.addresses {
            let line = lines.entry(*address).or_default();
            line.push(' ');
            line.push_str(&names);
        }
    }
    let mut text = String::new();
    for (address, names) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{address}{names}");
    }
    for name in left_out {
        let _ = writeln!(text, "# {name} is left out: it is no name of a host in a network");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::inventories::listed::samples::listed;

    #[test]
    fn lines_are_by_address_and_odd_names_are_told() {
        let hosts = [
            listed("web1", "10.0.0.10"),
            listed("db1", "10.0.0.9"),
            listed("a_b", "10.0.0.8"),
        ];
        assert_eq!(
            hosts_file(&hosts),
            "10.0.0.9 db1.example.org db1\n10.0.0.10 web1.example.org web1\n\
             # a_b is left out: it is no name of a host in a network\n"
        );
    }
}
