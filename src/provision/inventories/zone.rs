//! DNS zones: A and AAAA of hosts, or their PTR.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::listed::{Listed, is_host_name};

/// How long others may keep a record, seconds.
const TTL: u32 = 300;

/// Which zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneWanted {
    /// The domain of the hosts, such as `lab.example.org`.
    pub domain: String,
    /// The network whose addresses point back to names; none for the zone of the names themselves.
    pub reverse: Option<IpNet>,
    /// The name server of the zone: then the zone is whole, with SOA and NS. Without it there are the hosts' records, to
    /// be included in a zone that the site keeps.
    pub name_server: Option<String>,
}

/// Why a zone cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneFault {
    /// A word that is no name.
    #[error("{field} `{value}` is no name of the DNS; write one such as lab.example.org")]
    Name {
        /// Which.
        field: &'static str,
        /// As it was written, cut short.
        value: String,
    },
    /// A network that is no zone.
    #[error(
        "network {0} is no zone of the DNS; write one that ends between digits, such as 10.0.0.0/24 or 2001:db8::/64"
    )]
    Network(IpNet),
}

impl ZoneWanted {
    /// Whether it can be written.
    ///
    /// # Errors
    /// [`ZoneFault`].
    pub fn check(&self) -> Result<(), ZoneFault> {
        let names = [("zone", Some(&self.domain)), ("name server", self.name_server.as_ref())];
        for (field, name) in names.into_iter().filter_map(|(field, name)| Some((field, name?))) {
            if !is_host_name(plain(name)) {
                let value = name.chars().take(80).collect();
                return Err(ZoneFault::Name { field, value });
            }
        }
        match self.reverse {
            Some(network) if network.prefix_len() == 0 || network.prefix_len() % digit_bits(&network) != 0 => {
                Err(ZoneFault::Network(network))
            }
            _ => Ok(()),
        }
    }
}

const fn digit_bits(network: &IpNet) -> u8 {
    match network {
        IpNet::V4(_) => 8,
        IpNet::V6(_) => 4,
    }
}

fn plain(name: &str) -> &str {
    name.trim_end_matches('.')
}

/// A line of a zone cannot fail to be written into a text.
struct Lines(String);

impl Lines {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
    }
}

pub(super) fn zone(hosts: &[Listed], wanted: &ZoneWanted, now: DateTime<Utc>) -> String {
    let domain = plain(&wanted.domain).to_ascii_lowercase();
    let origin = wanted
        .reverse
        .as_ref()
        .map_or_else(|| format!("{domain}."), reverse_zone);
    let mut lines = Lines(String::new());
    lines.line(format_args!("$ORIGIN {origin}"));
    lines.line(format_args!("$TTL {TTL}"));
    if let Some(server) = &wanted.name_server {
        let server = plain(server).to_ascii_lowercase();
        // Seconds fit 32 bits until 2106, and go on from there as serials do (RFC 1982).
        let serial = now.timestamp().rem_euclid(1 << 32);
        lines.line(format_args!(
            "@ IN SOA {server}. hostmaster.{domain}. {serial} 3600 600 1209600 {TTL}"
        ));
        lines.line(format_args!("@ IN NS {server}."));
    }
    let mut left_out = Vec::new();
    for host in hosts {
        let full = host.full_name().map(|full| {
            if full.contains('.') {
                full
            } else {
                format!("{full}.{domain}")
            }
        });
        let relative = full
            .as_deref()
            .and_then(|full| full.strip_suffix(domain.as_str())?.strip_suffix('.'));
        let (Some(full), Some(relative)) = (&full, relative) else {
            left_out.push(host.name.as_str());
            continue;
        };
        for address in &host.addresses {
            match (&wanted.reverse, address) {
                (None, IpAddr::V4(address)) => lines.line(format_args!("{relative} IN A {address}")),
                (None, IpAddr::V6(address)) => lines.line(format_args!("{relative} IN AAAA {address}")),
                (Some(network), address) if network.contains(address) => {
                    lines.line(format_args!("{} IN PTR {full}.", reverse_name(*address)));
                }
                (Some(_), _) => {}
            }
        }
    }
    for name in left_out {
        lines.line(format_args!(
            "; {name} is left out: it has no name of a host below {domain}"
        ));
    }
    lines.0
}

/// The digits of an address, last first, with dots between.
fn digits(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V4(address) => address.octets().iter().rev().map(ToString::to_string).collect(),
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            let mut nibbles: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            nibbles.reverse();
            nibbles
        }
    }
}

const fn top(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "in-addr.arpa.",
        IpAddr::V6(_) => "ip6.arpa.",
    }
}

fn reverse_name(address: IpAddr) -> String {
    format!("{}.{}", digits(address).join("."), top(address))
}

fn reverse_zone(network: &IpNet) -> String {
    let digits = digits(network.network());
    let kept = usize::from(network.prefix_len() / digit_bits(network));
    let kept = digits.get(digits.len().saturating_sub(kept)..).unwrap_or_default();
    format!("{}.{}", kept.join("."), top(network.network()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::inventories::listed::samples::listed;

    fn wanted(domain: &str, reverse: Option<&str>, name_server: Option<&str>) -> ZoneWanted {
        ZoneWanted {
            domain: domain.to_owned(),
            reverse: reverse.map(|network| network.parse().unwrap()),
            name_server: name_server.map(str::to_owned),
        }
    }

    #[test]
    fn a_zone_has_its_hosts_and_tells_whom_it_leaves_out() {
        let mut elsewhere = listed("mail", "10.0.0.3");
        elsewhere.domain = Some("example.com".to_owned());
        let mut bare = listed("db1", "10.0.0.2");
        bare.domain = None;
        let hosts = [
            listed("web1", "10.0.0.1"),
            listed("web1", "2001:db8::1"),
            bare,
            elsewhere,
        ];
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(
            zone(&hosts, &wanted("Example.org.", None, Some("ns1.example.org")), at),
            "$ORIGIN example.org.\n$TTL 300\n\
             @ IN SOA ns1.example.org. hostmaster.example.org. 1800000000 3600 600 1209600 300\n@ IN NS ns1.example.org.\n\
             web1 IN A 10.0.0.1\nweb1 IN AAAA 2001:db8::1\ndb1 IN A 10.0.0.2\n\
             ; mail is left out: it has no name of a host below example.org\n"
        );
        let back = zone(&hosts, &wanted("example.org", Some("10.0.0.0/16"), None), at);
        assert!(
            back.starts_with("$ORIGIN 0.10.in-addr.arpa.\n$TTL 300\n1.0.0.10.in-addr.arpa. IN PTR web1.example.org.\n")
        );
        let six = zone(&hosts, &wanted("example.org", Some("2001:db8::/32"), None), at);
        assert!(six.contains("$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa."), "{six}");
        assert!(six.contains("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR web1"));
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for (wanted, part) in [
            (wanted("example.org\n@ IN A 1.2.3.4", None, None), "zone `example.org"),
            (wanted("", None, None), "zone ``"),
            (wanted("example.org", None, Some("ns 1")), "name server `ns 1`"),
            (wanted("example.org", Some("10.0.0.0/20"), None), "network 10.0.0.0/20"),
            (wanted("example.org", Some("::/0"), None), "network ::/0"),
        ] {
            assert!(wanted.check().unwrap_err().to_string().contains(part), "{part}");
        }
        assert_eq!(
            wanted("example.org.", Some("10.0.0.0/8"), Some("ns1.example.org.")).check(),
            Ok(())
        );
    }
}
