//! The states of a client (RFC 2131), relays, and what is on disk when.

use std::net::{Ipv4Addr, SocketAddrV4};

use muster::{
    boot::{EventKind, Policy},
    discovery::ArrivalPort,
    ipam::{LeaseState, Mode},
    store::LeaseQuery,
};
use muster_facts::MacAddr;
use muster_wire::dhcp::{Message, MessageType, RelayInfo};

use super::rig::{MAC, Rig, SERVER, arrival, discover, ip, ipxe, lab, select, subnet, uefi};

const OTHER: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 10]);

fn request(mac: MacAddr, change: impl FnOnce(&mut Message)) -> Message {
    let mut packet = Message::request(MessageType::Request, 8, mac);
    change(&mut packet);
    packet
}

fn kind(answer: Option<&Message>) -> Option<MessageType> {
    answer.and_then(|answer| answer.message_type)
}

#[tokio::test]
async fn init_reboot_is_acknowledged_refused_or_left_alone() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    let mine = rig.lease(MAC).await;
    let reboot = |mac, address| request(mac, |packet| packet.requested_ip = Some(address));
    let ask = async |packet: Message| kind(rig.ask(&packet).await.as_ref());
    assert_eq!(ask(reboot(MAC, mine)).await, Some(MessageType::Ack));
    assert_eq!(
        ask(reboot(MAC, ip(200))).await,
        Some(MessageType::Nak),
        "its lease is another one"
    );
    assert_eq!(
        ask(reboot(OTHER, ip(200))).await,
        None,
        "no record: another server may have one"
    );
    assert_eq!(
        ask(reboot(OTHER, mine)).await,
        Some(MessageType::Nak),
        "somebody else's"
    );
    let elsewhere = Ipv4Addr::new(192, 168, 1, 5);
    assert_eq!(
        ask(reboot(OTHER, elsewhere)).await,
        Some(MessageType::Nak),
        "another network"
    );
    // None of that is said where we are no authority.
    for mode in [Mode::Observe, Mode::Proxy] {
        let rig = Rig::new(lab(mode)).await;
        assert_eq!(rig.ask(&reboot(OTHER, elsewhere)).await, None);
    }
}

#[tokio::test]
async fn renewing_and_rebinding_extend_the_lease() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    let mine = rig.lease(MAC).await;
    rig.pass(1800);
    let renew = request(MAC, |packet| packet.ciaddr = mine);
    let mut by = arrival(ArrivalPort::Dhcp);
    by.from = SocketAddrV4::new(mine, 68);
    for from in [by, arrival(ArrivalPort::Dhcp)] {
        let ack = rig.ask_by(&renew, &from).await.unwrap();
        assert_eq!((ack.message_type, ack.yiaddr), (Some(MessageType::Ack), mine));
    }
    rig.pass(3000);
    assert_ne!(rig.lease(OTHER).await, mine, "the renewed lease still runs");
    let stolen = request(OTHER, |packet| packet.ciaddr = mine);
    assert_eq!(kind(rig.ask(&stolen).await.as_ref()), Some(MessageType::Nak));
}

#[tokio::test]
async fn a_lease_is_on_disk_before_its_ack_and_after_a_restart() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    let mine = rig.lease(MAC).await;
    let query = LeaseQuery {
        limit: 10,
        ..LeaseQuery::default()
    };
    let page = rig.store.leases(&query).await.unwrap();
    assert_eq!((page.leases[0].address, page.leases[0].mac), (mine, MAC));
    let again = Rig::on(rig.store.clone(), lab(Mode::Pool), Policy::default()).await;
    assert_ne!(again.lease(OTHER).await, mine);
    assert_eq!(again.lease(MAC).await, mine);
}

#[tokio::test]
async fn an_address_that_another_server_gave_meanwhile_is_refused() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    let beside = Rig::on(rig.store.clone(), lab(Mode::Pool), Policy::default()).await;
    let offer = rig.ask(&discover(MAC)).await.unwrap();
    let taken = beside.lease(OTHER).await;
    assert_eq!(offer.yiaddr, taken, "both saw it free");
    let answer = rig.ask(&select(MAC, taken)).await.unwrap();
    assert_eq!(answer.message_type, Some(MessageType::Nak));
    assert_ne!(rig.lease(MAC).await, taken, "the next offer is another address");
}

#[tokio::test]
async fn decline_release_and_inform() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    let mine = rig.lease(MAC).await;
    let mut decline = Message::request(MessageType::Decline, 9, MAC);
    decline.requested_ip = Some(mine);
    decline.server_id = Some(SERVER);
    assert_eq!(rig.ask(&decline).await, None);
    let second = rig.lease(MAC).await;
    assert_ne!(second, mine, "a declined address rests");
    assert!(
        rig.transcript(MAC)
            .await
            .iter()
            .any(|event| event.kind == EventKind::DhcpDecline)
    );

    let mut release = Message::request(MessageType::Release, 9, MAC);
    release.ciaddr = second;
    release.server_id = Some(SERVER);
    assert_eq!(rig.ask(&release).await, None);
    rig.store.drain().await.unwrap();
    let query = LeaseQuery {
        mac: Some(MAC),
        limit: 10,
        ..LeaseQuery::default()
    };
    let states: Vec<_> = rig
        .store
        .leases(&query)
        .await
        .unwrap()
        .leases
        .iter()
        .map(|lease| lease.state)
        .collect();
    assert_eq!(states, [LeaseState::Declined, LeaseState::Released]);

    let mut inform = Message::request(MessageType::Inform, 9, OTHER);
    inform.ciaddr = ip(20);
    let ack = rig.ask(&inform).await.unwrap();
    assert_eq!((ack.message_type, ack.lease_time), (Some(MessageType::Ack), None));
    assert!(ack.yiaddr.is_unspecified());
    assert_eq!(ack.dns, [SERVER]);
}

#[tokio::test]
async fn relays_choose_the_subnet_and_get_their_option_back() {
    let far = |last| Ipv4Addr::new(10, 88, 0, last);
    let link = |last| Ipv4Addr::new(10, 99, 0, last);
    let rig = Rig::new(vec![
        lab(Mode::Pool).remove(0),
        subnet("10.88.0.0/24", Mode::Pool, far(100), far(110)),
        subnet("10.99.0.0/24", Mode::Pool, link(100), link(110)),
    ])
    .await;
    let mut by = arrival(ArrivalPort::Dhcp);
    by.from = SocketAddrV4::new(far(1), 67);
    let mut packet = uefi(discover(MAC));
    packet.giaddr = far(1);
    packet.hops = 1;
    packet.relay = Some(RelayInfo {
        raw: vec![1, 4, b'e', b't', b'h', b'7'],
    });
    let offer = rig.ask_by(&packet, &by).await.unwrap();
    assert_eq!((offer.yiaddr, offer.giaddr), (far(100), far(1)));
    assert_eq!(offer.relay, packet.relay);
    assert_eq!(offer.siaddr, SERVER, "files come from us, not from the relay");

    // RFC 3527 and RFC 5107: the client's link, and the name it must call us by.
    let named = far(1).octets();
    let chosen = link(0).octets();
    packet.relay = Some(RelayInfo {
        raw: [[5, 4].as_slice(), &chosen, &[11, 4], &named].concat(),
    });
    let offer = rig.ask_by(&packet, &by).await.unwrap();
    assert_eq!(offer.yiaddr, link(100));
    assert_eq!(offer.server_id, Some(far(1)));
    let mut request = select(MAC, link(100));
    request.server_id = Some(far(1));
    request.giaddr = far(1);
    request.relay.clone_from(&packet.relay);
    let ack = rig.ask_by(&request, &by).await.unwrap();
    assert_eq!((ack.message_type, ack.yiaddr), (Some(MessageType::Ack), link(100)));

    let mut unknown = discover(OTHER);
    unknown.giaddr = Ipv4Addr::new(172, 16, 0, 1);
    assert_eq!(rig.ask_by(&unknown, &by).await, None);
}

#[tokio::test]
async fn another_server_is_named() {
    for mode in [Mode::Observe, Mode::Pool] {
        let rig = Rig::new(lab(mode)).await;
        rig.ask(&uefi(discover(MAC))).await;
        let mut chosen = uefi(select(MAC, ip(60)));
        chosen.server_id = Some(ip(9));
        assert_eq!(rig.ask(&chosen).await, None);
        // What it broadcasts is heard on the clients' port.
        let mut offer = Message::reply_to(&discover(MAC), MessageType::Offer);
        offer.server_id = Some(ip(9));
        offer.yiaddr = ip(60);
        offer.file = "pxelinux.0".to_owned();
        assert_eq!(rig.ask_by(&offer, &arrival(ArrivalPort::Client)).await, None);
        rig.store.drain().await.unwrap();
        let servers = rig.store.dhcp_servers().await.unwrap();
        assert_eq!((servers.len(), servers[0].address), (1, ip(9)));
        assert!(servers[0].answers_pxe_since.is_some());
        // Our own broadcasts are nobody else's.
        offer.server_id = Some(SERVER);
        rig.ask_by(&offer, &arrival(ArrivalPort::Client)).await;
        rig.store.drain().await.unwrap();
        assert_eq!(rig.store.dhcp_servers().await.unwrap().len(), 1);
        // Its client's address is known: TFTP and HTTP requests from there are this machine's.
        assert_eq!(rig.discovery.mac_of_address(ip(60).into()), Some(MAC));
    }
}

#[tokio::test]
async fn ordinary_clients_are_counted_and_not_told() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    rig.lease(MAC).await;
    assert!(rig.transcript(MAC).await.is_empty());
    assert!(rig.discovery.host_by_mac(MAC).is_none());
    let counts = rig.discovery.dhcp_counts();
    assert_eq!(
        (counts.discovers, counts.requests, counts.offers, counts.acks),
        (1, 1, 1, 1)
    );
}

#[tokio::test]
async fn the_collection_image_belongs_to_the_boot_that_started_it() {
    let rig = Rig::new(lab(Mode::Pool)).await;
    rig.ask(&ipxe(discover(MAC))).await.unwrap();
    let boot = rig.discovery.boot_session(MAC);
    rig.pass(900);
    let mut image = discover(MAC);
    image.vendor_class = Some(b"muster-agent".to_vec());
    let offer = rig.ask(&image).await.unwrap();
    assert_eq!((offer.boot_file_name(), offer.vendor_class.clone()), (None, None));
    assert_eq!(rig.discovery.boot_session(MAC), boot);
    // The machine starts anew: another boot.
    rig.ask(&uefi(discover(MAC))).await.unwrap();
    assert_ne!(rig.discovery.boot_session(MAC), boot);
}
