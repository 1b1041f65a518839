//! Who answers DHCP? By asking, as a client would: one DISCOVER an interface, and two seconds of listening.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use muster_facts::MacAddr;
use muster_wire::dhcp::{self, Message, MessageType, Opcode};
use socket2::{Domain, Socket, Type};
use tokio::{net::UdpSocket, task::JoinSet, time};

use super::{DhcpPlan, Finding, LocalInterface, Protocol, Weight, holder, subnets::heard};
use crate::ipam::Mode;

const ABOUT: &str = "other_server";

/// Servers answer at once or after pings of some seconds: dnsmasq was seen to take three.
const WAIT: Duration = Duration::from_secs(5);

/// A flood of answers cannot keep us.
const MOST_ANSWERS: usize = 64;

pub(super) async fn look(dhcp: &DhcpPlan, local: &[LocalInterface]) -> Vec<Finding> {
    let ours: BTreeSet<Ipv4Addr> = local
        .iter()
        .flat_map(|interface| interface.addresses.iter().map(ipnet::Ipv4Net::addr))
        .collect();
    let mut asking = JoinSet::new();
    for interface in heard(dhcp, local) {
        let Some(mode) = dhcp
            .subnets
            .iter()
            .filter(|subnet| subnet.mode != Mode::Observe)
            .find(|subnet| {
                interface
                    .addresses
                    .iter()
                    .any(|address| subnet.network.contains(&address.addr()))
            })
            .map(|subnet| subnet.mode)
        else {
            continue;
        };
        let (interface, ours) = (interface.clone(), ours.clone());
        let (port, client_port) = (dhcp.port, dhcp.client_port);
        asking.spawn(async move {
            let answer = ask(&interface, port, client_port).await;
            judge(&interface.name, mode, client_port, answer, &ours)
        });
    }
    let mut findings = asking.join_all().await;
    findings.sort_by(|a, b| a.what.cmp(&b.what));
    findings
}

/// The servers that offered something.
async fn ask(interface: &LocalInterface, port: u16, client_port: u16) -> io::Result<BTreeSet<Ipv4Addr>> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // A DHCP client of this machine may have the port: broadcasts reach both.
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(interface.name.as_bytes()))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, client_port).into())?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket.into())?;

    let xid = rand::random();
    let mac = interface.mac.unwrap_or(MacAddr([2, 0, 0, 0, 0, 1]));
    let mut discover = Message::request(MessageType::Discover, xid, mac);
    discover.broadcast = true;
    discover.parameters = vec![1, 3, 6, 51, 54];
    socket
        .send_to(&dhcp::encode(&discover), (Ipv4Addr::BROADCAST, port))
        .await?;

    let mut servers = BTreeSet::new();
    let until = time::Instant::now() + WAIT;
    let mut buffer = [0; dhcp::MAX_DATAGRAM];
    for _ in 0..MOST_ANSWERS {
        let Ok(received) = time::timeout_at(until, socket.recv_from(&mut buffer)).await else {
            break;
        };
        let (length, from) = received?;
        let Ok(answer) = dhcp::decode(buffer.get(..length).unwrap_or_default()) else {
            continue;
        };
        if answer.op == Opcode::BootReply && answer.xid == xid && answer.message_type == Some(MessageType::Offer) {
            let sender = match from {
                SocketAddr::V4(from) => *from.ip(),
                SocketAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
            };
            servers.insert(answer.server_id.unwrap_or(sender));
        }
    }
    Ok(servers)
}

fn judge(
    name: &str,
    mode: Mode,
    client_port: u16,
    answer: io::Result<BTreeSet<Ipv4Addr>>,
    ours: &BTreeSet<Ipv4Addr>,
) -> Finding {
    let servers = match answer {
        Ok(servers) => servers,
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "it needs CAP_NET_BIND_SERVICE and CAP_NET_RAW: run the check as root".to_owned()
                }
                io::ErrorKind::AddrInUse => {
                    let address = (Ipv4Addr::UNSPECIFIED, client_port).into();
                    holder(Protocol::Udp, address).map_or_else(
                        || format!("port {client_port} is taken"),
                        |holder| format!("port {client_port} is taken by {} (pid {})", holder.name, holder.pid),
                    )
                }
                _ => error.to_string(),
            };
            return Finding::new(
                Weight::Warn,
                ABOUT,
                format!("{name}: could not ask who answers DHCP: {why}"),
                "another server may answer first, and this check cannot see it",
                "mend that, or pass --no-probe to leave it out",
            );
        }
    };
    let others: Vec<String> = servers.difference(ours).map(ToString::to_string).collect();
    match (mode, others.as_slice()) {
        (Mode::Proxy, []) => Finding::new(
            Weight::Warn,
            ABOUT,
            format!("{name}: no DHCP server answers, and the subnet's mode is proxy"),
            "machines get boot information from Muster and an address from nobody",
            "start the DHCP server, or choose mode pool or reserved",
        ),
        (Mode::Proxy, others) => Finding::ok(ABOUT, format!("{name}: {} gives the addresses", others.join(", "))),
        (_, []) => Finding::ok(ABOUT, format!("{name}: no other DHCP server answers")),
        (_, others) => Finding::new(
            Weight::Fail,
            ABOUT,
            format!("{name}: another DHCP server answers: {}", others.join(", ")),
            "machines take the first answer: some would never boot from Muster, and addresses could be given twice",
            "stop that server, or choose mode proxy for this subnet",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_answers_are_not_another_server() {
        let us = Ipv4Addr::new(10, 77, 0, 1);
        let other = Ipv4Addr::new(10, 77, 0, 9);
        let ours = BTreeSet::from([us]);
        let weight =
            |mode, servers: &[Ipv4Addr]| judge("eth1", mode, 68, Ok(servers.iter().copied().collect()), &ours).weight;
        assert_eq!(weight(Mode::Pool, &[us]), Weight::Ok);
        assert_eq!(weight(Mode::Pool, &[us, other]), Weight::Fail);
        assert_eq!(weight(Mode::Proxy, &[us]), Weight::Warn);
        assert_eq!(weight(Mode::Proxy, &[other]), Weight::Ok);
    }

    #[test]
    fn says_why_it_could_not_ask() {
        let denied = Err(io::ErrorKind::PermissionDenied.into());
        let finding = judge("eth1", Mode::Pool, 68, denied, &BTreeSet::new());
        assert_eq!(finding.weight, Weight::Warn);
        assert!(finding.what.contains("CAP_NET_RAW"), "{}", finding.what);
    }
}
