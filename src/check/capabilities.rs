//! What the process may do, by `/proc/self/status`.

use std::fs;

use super::{Finding, Needed, Weight};

const ABOUT: &str = "capabilities";

/// Bits of `linux/capability.h`.
const NET_BIND_SERVICE: u32 = 10;
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;

pub(super) fn look(sockets: &[Needed], dhcp: bool) -> Vec<Finding> {
    let Some(held) = fs::read_to_string("/proc/self/status")
        .ok()
        .as_deref()
        .and_then(effective)
    else {
        return vec![Finding::new(
            Weight::Warn,
            ABOUT,
            "what this process may do cannot be read from /proc/self/status",
            "whether low ports can be had is not known",
            "run the check where /proc is mounted",
        )];
    };
    // The sysctl is absent before Linux 4.11, where 1024 was fixed.
    let first_free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024);
    judge(held, first_free, sockets, dhcp)
}

fn effective(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

fn judge(held: u64, first_free: u16, sockets: &[Needed], dhcp: bool) -> Vec<Finding> {
    let has = |bit: u32| held & (1 << bit) != 0;
    let low: Vec<String> = sockets
        .iter()
        .filter(|needed| needed.address.port() < first_free)
        .map(|needed| format!("{} ({})", needed.address.port(), needed.setting))
        .collect();
    let mut findings = Vec::new();
    if !low.is_empty() && !has(NET_BIND_SERVICE) {
        findings.push(Finding::new(
            Weight::Fail,
            ABOUT,
            "CAP_NET_BIND_SERVICE is missing",
            format!("ports below {first_free} may not be used: {}", low.join(", ")),
            "run as root, or give the process this capability as packaging/muster.service does",
        ));
    }
    if dhcp {
        let missing: Vec<&str> = [("CAP_NET_RAW", NET_RAW), ("CAP_NET_ADMIN", NET_ADMIN)]
            .into_iter()
            .filter(|(_, bit)| !has(*bit))
            .map(|(name, _)| name)
            .collect();
        if !missing.is_empty() {
            findings.push(Finding::new(
                Weight::Warn,
                ABOUT,
                format!(
                    "{} {} missing",
                    missing.join(" and "),
                    if missing.len() == 1 { "is" } else { "are" }
                ),
                "a machine without an address cannot be answered by unicast, which some firmware asks for",
                "give the process these capabilities as packaging/muster.service does",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(ABOUT, "this process may do all that serving needs"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Protocol;

    fn needed(port: u16) -> Needed {
        Needed {
            setting: "dhcp.port",
            protocol: Protocol::Udp,
            address: ([0, 0, 0, 0], port).into(),
        }
    }

    #[test]
    fn low_ports_need_a_capability_and_high_ones_do_not() {
        assert_eq!(judge(0, 1024, &[needed(67)], false)[0].weight, Weight::Fail);
        assert_eq!(judge(0, 67, &[needed(67)], false)[0].weight, Weight::Ok);
        assert_eq!(
            judge(1 << NET_BIND_SERVICE, 1024, &[needed(67)], false)[0].weight,
            Weight::Ok
        );
        assert_eq!(
            judge(1 << NET_RAW, 1024, &[needed(6767)], true)[0].what,
            "CAP_NET_ADMIN is missing"
        );
    }

    #[test]
    fn status_is_read() {
        assert_eq!(effective("Name:\tx\nCapEff:\t00000000a80425fb\n"), Some(0xa804_25fb));
        assert_eq!(effective("Name:\tx\n"), None);
    }
}
