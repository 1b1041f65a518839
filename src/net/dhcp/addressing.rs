use std::net::{Ipv4Addr, SocketAddrV4};

use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType};

use super::DhcpPorts;
use crate::discovery::{Arrival, ArrivalPort};

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// By ordinary routing.
    Routed(SocketAddrV4),
    /// To everybody on the interface the question came in by.
    Broadcast(u16),
    /// To a client that has this address in a moment and cannot answer ARP yet.
    Unconfigured(SocketAddrV4, MacAddr),
}

/// RFC 2131 §4.1, with the PXE specification's unicast answers of port 4011.
pub(super) fn destination(request: &Message, answer: &Message, arrival: &Arrival, ports: DhcpPorts) -> Destination {
    let is_nak = answer.message_type == Some(MessageType::Nak);
    if request.giaddr != Ipv4Addr::UNSPECIFIED {
        // Only a relay on the standard port is answered there by the RFC; one on another port (a simulated fleet
        // on loopback) is answered where it sent from.
        let port = if ports.server == DhcpPorts::STANDARD.server {
            ports.server
        } else {
            arrival.from.port()
        };
        return Destination::Routed(SocketAddrV4::new(request.giaddr, port));
    }
    let client = request.ciaddr;
    if arrival.kind == ArrivalPort::Proxy && *arrival.from.ip() != Ipv4Addr::UNSPECIFIED {
        return Destination::Routed(arrival.from);
    }
    if client != Ipv4Addr::UNSPECIFIED && !is_nak {
        return Destination::Routed(SocketAddrV4::new(client, ports.client));
    }
    let given = answer.yiaddr;
    match request.mac() {
        Some(mac) if !is_nak && !request.broadcast && given != Ipv4Addr::UNSPECIFIED => {
            Destination::Unconfigured(SocketAddrV4::new(given, ports.client), mac)
        }
        _ => Destination::Broadcast(ports.client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);
    const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

    fn arrival(kind: ArrivalPort, from: &str) -> Arrival {
        Arrival {
            interface: "br0".to_owned(),
            index: 2,
            server: Ipv4Addr::new(10, 77, 0, 1),
            kind,
            from: from.parse().unwrap(),
        }
    }

    fn ask(change: impl FnOnce(&mut Message)) -> Message {
        let mut request = Message::request(MessageType::Request, 1, MAC);
        change(&mut request);
        request
    }

    fn answer(request: &Message, kind: MessageType) -> Message {
        let mut answer = Message::reply_to(request, kind);
        if kind != MessageType::Nak {
            answer.yiaddr = GIVEN;
        }
        answer
    }

    #[test]
    fn follows_the_rfc() {
        let plain = arrival(ArrivalPort::Dhcp, "0.0.0.0:68");
        let standard = DhcpPorts::STANDARD;
        let of = |request: &Message, kind| destination(request, &answer(request, kind), &plain, standard);
        let client = SocketAddrV4::new(GIVEN, 68);

        let request = ask(|_| {});
        assert_eq!(of(&request, MessageType::Ack), Destination::Unconfigured(client, MAC));
        assert_eq!(of(&request, MessageType::Nak), Destination::Broadcast(68));
        let request = ask(|m| m.broadcast = true);
        assert_eq!(of(&request, MessageType::Offer), Destination::Broadcast(68));
        let request = ask(|m| m.ciaddr = GIVEN);
        assert_eq!(of(&request, MessageType::Ack), Destination::Routed(client));
        assert_eq!(of(&request, MessageType::Nak), Destination::Broadcast(68));
        let relay = Ipv4Addr::new(10, 88, 0, 1);
        let request = ask(|m| m.giaddr = relay);
        let to_relay = Destination::Routed(SocketAddrV4::new(relay, 67));
        assert_eq!(of(&request, MessageType::Ack), to_relay);
        assert_eq!(of(&request, MessageType::Nak), to_relay);
    }

    #[test]
    fn a_proxy_offer_without_an_address_is_broadcast() {
        let request = ask(|_| {});
        let mut offer = Message::reply_to(&request, MessageType::Offer);
        offer.yiaddr = Ipv4Addr::UNSPECIFIED;
        let plain = arrival(ArrivalPort::Dhcp, "0.0.0.0:68");
        assert_eq!(
            destination(&request, &offer, &plain, DhcpPorts::STANDARD),
            Destination::Broadcast(68)
        );
    }

    #[test]
    fn port_4011_answers_where_it_was_asked_from() {
        let asked = arrival(ArrivalPort::Proxy, "10.77.0.50:4011");
        let request = ask(|m| m.ciaddr = Ipv4Addr::new(10, 77, 0, 50));
        let reply = Message::reply_to(&request, MessageType::Ack);
        assert_eq!(
            destination(&request, &reply, &asked, DhcpPorts::STANDARD),
            Destination::Routed("10.77.0.50:4011".parse().unwrap())
        );
    }

    #[test]
    fn a_relay_on_a_port_of_its_own_is_answered_there_when_ours_is_not_standard() {
        let asked = arrival(ArrivalPort::Dhcp, "127.77.0.1:40000");
        let ports = DhcpPorts {
            server: 6767,
            client: 6868,
            proxy: 4011,
        };
        let request = ask(|m| m.giaddr = Ipv4Addr::new(127, 77, 0, 1));
        assert_eq!(
            destination(&request, &answer(&request, MessageType::Offer), &asked, ports),
            Destination::Routed("127.77.0.1:40000".parse().unwrap())
        );
    }
}
