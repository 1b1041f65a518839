//! Ports that programs listen on, from the tables of sockets in `/proc/net`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use muster_facts::metrics::Listening;

use crate::gather::tree::Tree;

/// Ports that are listed at most, the lowest of them.
const MOST: usize = 256;

/// `TCP_LISTEN`, and `TCP_CLOSE`, which for UDP means that the socket is nobody's peer.
const TCP_LISTENS: &str = "0A";
const UDP_LISTENS: &str = "07";

/// What is listened on in this network namespace, in order of the ports.
pub(super) fn listening(tree: &Tree) -> Vec<Listening> {
    let mut found = BTreeSet::new();
    for (protocol, table) in [("tcp", "proc/net/tcp"), ("tcp", "proc/net/tcp6")] {
        // The kernel lists those that listen before all others, of which there may be a hundred thousand.
        for line in tree.lines(table).skip(1) {
            match socket(&line) {
                Some((address, port, TCP_LISTENS)) => keep(&mut found, (port, protocol, address)),
                Some(_) => break,
                None => {}
            }
        }
    }
    for (protocol, table) in [("udp", "proc/net/udp"), ("udp", "proc/net/udp6")] {
        for line in tree.lines(table).skip(1) {
            if let Some((address, port, UDP_LISTENS)) = socket(&line) {
                keep(&mut found, (port, protocol, address));
            }
        }
    }
    found
        .into_iter()
        .map(|(port, protocol, address)| Listening {
            protocol: protocol.to_owned(),
            address: address.to_string(),
            port,
        })
        .collect()
}

fn keep(found: &mut BTreeSet<(u16, &'static str, IpAddr)>, one: (u16, &'static str, IpAddr)) {
    found.insert(one);
    if found.len() > MOST {
        found.pop_last();
    }
}

/// Local address, port and state of one line.
fn socket(line: &str) -> Option<(IpAddr, u16, &str)> {
    let mut words = line.split_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    let state = words.nth(1)?;
    Some((self::address(address)?, u16::from_str_radix(port, 16).ok()?, state))
}

/// Addresses are printed as numbers of 32 bits in the machine's own order of bytes.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |place: usize| {
        let digits = hex.get(place * 8..place * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for place in 0..4 {
                bytes[place * 4..place * 4 + 4].copy_from_slice(&word(place)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn told(tables: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/net")).unwrap();
        for (name, text) in tables {
            fs::write(
                root.path().join("proc/net").join(name),
                format!("  sl  local_address\n{text}"),
            )
            .unwrap();
        }
        let ports = listening(&Tree::new(root.path()));
        ports
            .into_iter()
            .map(|port| format!("{} {} {}", port.protocol, port.address, port.port))
            .collect()
    }

    #[test]
    fn those_that_listen_are_listed_once_and_connections_are_not() {
        let tcp = "   0: 0100007F:1F90 00000000:0000 0A 0:0\n   1: 00000000:0016 00000000:0000 0A 0:0\n   2: 00000000:0016 00000000:0000 0A 0:0\n\
                   short\n   3: 0100007F:0016 0100007F:D2A0 01 0:0\n   4: 00000000:0050 00000000:0000 0A 0:0\n";
        let tcp6 = "   0: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 0:0\n";
        let udp = "  10: 0100007F:0143 00000000:0000 07 0:0\n  11: 0100007F:E000 0100007F:0035 01 0:0\n";
        assert_eq!(
            told(&[("tcp", tcp), ("tcp6", tcp6), ("udp", udp)]),
            [
                "tcp 0.0.0.0 22",
                "udp 127.0.0.1 323",
                "tcp ::1 631",
                "tcp 127.0.0.1 8080"
            ]
        );
    }

    #[test]
    fn nonsense_is_no_port_and_thousands_of_them_are_bounded() {
        assert!(
            told(&[(
                "tcp",
                "x\n0: zz:zz 0 0A\n0: é0000000:0016 0 0A\n0: 0100007F:10000 0 0A\n"
            )])
            .is_empty()
        );
        let many: String = (1..2000)
            .rev()
            .map(|port| format!("0: 00000000:{port:04X} 0 07\n"))
            .collect();
        let told = told(&[("udp", &many)]);
        assert_eq!(
            (told.len(), told[0].as_str(), told[255].as_str()),
            (256, "udp 0.0.0.0 1", "udp 0.0.0.0 256")
        );
    }
}
