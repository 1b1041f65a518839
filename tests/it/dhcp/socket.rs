//! Over real sockets on loopback, as relays: many clients share one interface.

use std::{net::Ipv4Addr, time::Duration};

use muster::{
    discovery::ArrivalPort,
    ipam::Mode,
    net::dhcp::{DhcpListener, DhcpPorts, run_dhcp},
};
use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType, decode, encode};
use tokio::{net::UdpSocket, time::timeout};
use tokio_util::sync::CancellationToken;

use super::rig::{Rig, ipxe, subnet};

const PATIENCE: Duration = Duration::from_secs(20);

async fn exchange(socket: &UdpSocket, packet: &Message) -> Message {
    socket.send(&encode(packet)).await.unwrap();
    let mut buffer = [0; 1500];
    let len = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
    decode(&buffer[..len]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_relays_get_addresses_through_noise() {
    let at = |third, last| Ipv4Addr::new(127, 77, third, last);
    let rig = Rig::new(vec![subnet("127.77.0.0/16", Mode::Pool, at(1, 0), at(9, 255))]).await;
    let listener = DhcpListener::bind(0).unwrap();
    let server = listener.port();
    let ports = DhcpPorts {
        server,
        client: 6868,
        proxy: 4011,
    };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(run_dhcp(
        listener,
        ArrivalPort::Dhcp,
        ports,
        Vec::new(),
        rig.discovery.clone(),
        stop.clone(),
    ));
    let clients = (1..=40_u8).map(|number| async move {
        let relay = at(200, number);
        let socket = UdpSocket::bind((relay, 0)).await.unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
        socket.send(b"noise").await.unwrap();
        let mac = MacAddr([0x52, 0x54, 0, 0x77, 1, number]);
        let mut discover = ipxe(Message::request(MessageType::Discover, u32::from(number), mac));
        discover.giaddr = relay;
        let offer = exchange(&socket, &discover).await;
        assert_eq!(offer.message_type, Some(MessageType::Offer));
        let mut request = ipxe(Message::request(MessageType::Request, u32::from(number), mac));
        request.giaddr = relay;
        request.server_id = offer.server_id;
        request.requested_ip = Some(offer.yiaddr);
        let ack = exchange(&socket, &request).await;
        assert_eq!((ack.message_type, ack.yiaddr), (Some(MessageType::Ack), offer.yiaddr));
        assert!(
            ack.boot_file_name()
                .unwrap()
                .starts_with("http://127.0.0.1:8081/boot/ipxe")
        );
        ack.yiaddr
    });
    let given = futures_util::future::join_all(clients).await;
    let different: std::collections::BTreeSet<_> = given.iter().collect();
    assert_eq!(different.len(), given.len());
    assert_eq!(rig.discovery.malformed_counts().dhcp, 40);
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_clients_port_is_shared_with_this_machines_own_client() {
    let first = DhcpListener::overhear(0).unwrap();
    DhcpListener::overhear(first.port()).unwrap();
}
