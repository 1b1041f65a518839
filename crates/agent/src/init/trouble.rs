//! What can go wrong while a machine reports itself, and what the person before it can do.

use std::fmt;

/// One trouble as it is shown on the machine's own screen: what is wrong, then what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No driver of the image found an interface.
    NoInterface,
    /// The interface the firmware booted from is not among those found.
    BootInterfaceMissing {
        /// Its address, from `BOOTIF`.
        mac: String,
    },
    /// No interface has a link.
    NoLink {
        /// `eth0 (52:54:…)`, each one tried.
        interfaces: Vec<String>,
    },
    /// There is a link, but nobody answers.
    NoDhcpAnswer {
        /// `eth0 (52:54:…)`, each one tried.
        interfaces: Vec<String>,
    },
    /// The kernel command line does not say where to report.
    NoServer {
        /// What was given but not understood.
        given: Option<String>,
    },
    /// The kernel command line holds no token.
    NoToken,
    /// The server cannot be reached or answers with a fault of its own.
    ServerUnreachable {
        /// Its base URL.
        server: String,
        /// Why, in the words of the system or the server.
        why: String,
    },
    /// The server no longer (or never) knows this boot's token.
    TokenRefused {
        /// What the server says.
        detail: String,
        /// Minutes until the machine restarts by itself.
        restart_in_minutes: u64,
    },
    /// The server does not take the facts.
    FactsRefused {
        /// What the server says.
        detail: String,
    },
    /// The program itself failed.
    Fatal {
        /// Why.
        reason: String,
        /// Minutes until the machine restarts by itself.
        restart_in_minutes: u64,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface => f.write_str(
                "no network interface found: this image has no driver for the card, or the driver needs firmware \
                 that the image does not hold. Add it to the image (netboot/README.md), or use another port.",
            ),
            Self::BootInterfaceMissing { mac } => write!(
                f,
                "the interface the machine booted from ({mac}) was not found: its driver is not in this image or \
                 needs firmware. Trying the other interfaces."
            ),
            Self::NoLink { interfaces } => write!(
                f,
                "no link on {}: check the cable and the switch port (enabled? speed? spanning tree still blocking?).",
                listed(interfaces)
            ),
            Self::NoDhcpAnswer { interfaces } => write!(
                f,
                "no DHCP answer on {}: check that the port is in the boot network, that the DHCP server or relay is \
                 running, and that it has free addresses. Still asking.",
                listed(interfaces)
            ),
            Self::NoServer { given: Some(given) } => {
                write!(f, "{given}. Start this machine from the network by the Muster server.")
            }
            Self::NoServer { given: None } => f.write_str(
                "muster.server= is missing on the kernel command line, so there is nowhere to report to. Start this \
                 machine from the network by the Muster server.",
            ),
            Self::NoToken => f.write_str(
                "muster.token= is missing on the kernel command line, so the server would refuse the report. Start \
                 this machine from the network by the Muster server.",
            ),
            Self::ServerUnreachable { server, why } => write!(
                f,
                "server {server} not reachable: {why}. Check that it is running and that no firewall is between. \
                 Still trying."
            ),
            Self::TokenRefused {
                detail,
                restart_in_minutes,
            } => write!(
                f,
                "this boot's token has expired: restart this machine (server: {detail}). It restarts by itself in \
                 {restart_in_minutes} min."
            ),
            Self::FactsRefused { detail } => write!(
                f,
                "the server did not take this machine's facts: {detail}. Server and image may be of different \
                 versions: build the image anew, then restart this machine. Still trying."
            ),
            Self::Fatal {
                reason,
                restart_in_minutes,
            } => write!(
                f,
                "the collection failed: {reason}. The machine restarts in {restart_in_minutes} min; please report \
                 this text."
            ),
        }
    }
}

fn listed(interfaces: &[String]) -> String {
    match interfaces {
        [] => "any interface".to_owned(),
        some => some.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each trouble names what failed and tells the person what to do.
    #[test]
    fn each_trouble_says_what_and_what_to_do() {
        let eth0 = || vec!["eth0 (52:54:00:77:00:01)".to_owned()];
        for (trouble, what, action) in [
            (Trouble::NoInterface, "no network interface", "Add it to the image"),
            (
                Trouble::BootInterfaceMissing {
                    mac: "52:54:00:77:00:01".to_owned(),
                },
                "52:54:00:77:00:01",
                "Trying the other",
            ),
            (
                Trouble::NoLink { interfaces: eth0() },
                "no link on eth0 (52:54",
                "check the cable",
            ),
            (
                Trouble::NoLink { interfaces: Vec::new() },
                "no link on any interface",
                "check the cable",
            ),
            (
                Trouble::NoDhcpAnswer { interfaces: eth0() },
                "no DHCP answer on eth0 (52:54",
                "DHCP server or relay",
            ),
            (
                Trouble::NoServer { given: None },
                "muster.server=",
                "Start this machine from the network",
            ),
            (
                Trouble::NoServer {
                    given: Some("muster.server `x` is wrong".to_owned()),
                },
                "`x`",
                "Start this machine",
            ),
            (Trouble::NoToken, "muster.token=", "Start this machine from the network"),
            (
                Trouble::ServerUnreachable {
                    server: "http://10.0.0.1:8081".to_owned(),
                    why: "connection refused".to_owned(),
                },
                "server http://10.0.0.1:8081 not reachable: connection refused",
                "Check that it is running",
            ),
            (
                Trouble::TokenRefused {
                    detail: "expired".to_owned(),
                    restart_in_minutes: 10,
                },
                "this boot's token has expired: restart this machine",
                "in 10 min",
            ),
            (
                Trouble::FactsRefused {
                    detail: "nics[0].mac".to_owned(),
                },
                "nics[0].mac",
                "build the image anew",
            ),
            (
                Trouble::Fatal {
                    reason: "out of memory".to_owned(),
                    restart_in_minutes: 5,
                },
                "out of memory",
                "in 5 min",
            ),
        ] {
            let text = trouble.to_string();
            assert!(text.contains(what) && text.contains(action), "{text}");
            assert!(text.is_ascii(), "{text}");
        }
    }
}
