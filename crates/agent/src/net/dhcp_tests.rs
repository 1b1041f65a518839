use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

fn mac() -> MacAddr {
    "52:54:00:77:00:01".parse().unwrap()
}

fn reply(to: &Message, kind: MessageType) -> Message {
    let mut message = Message::reply_to(to, kind);
    message.yiaddr = ADDRESS;
    message.server_id = Some(SERVER);
    message.subnet_mask = Some(Ipv4Addr::new(255, 255, 255, 0));
    message.routers = vec![SERVER];
    message.lease_time = Some(3600);
    message
}

fn sent(client: &mut Client, now: Instant) -> Transmit {
    client.poll(now).0.expect("a message is due")
}

/// A client with a lease of an hour from `now`.
fn bound(now: Instant) -> Client {
    let mut client = Client::new(mac(), 7, now);
    let discover = sent(&mut client, now).message;
    assert_eq!(client.receive(&reply(&discover, MessageType::Offer), now), None);
    let request = sent(&mut client, now).message;
    let change = client.receive(&reply(&request, MessageType::Ack), now);
    assert!(matches!(change, Some(Change::Bound(_))), "{change:?}");
    client
}

#[test]
fn four_messages_give_an_address() {
    let now = Instant::now();
    let mut client = Client::new(mac(), 7, now);
    let discover = sent(&mut client, now);
    assert_eq!(discover.to, None);
    assert_eq!(discover.message.message_type, Some(MessageType::Discover));
    assert!(discover.message.broadcast);
    assert_eq!(discover.message.vendor_class.as_deref(), Some(VENDOR_CLASS));
    assert_eq!(
        discover.message.client_id.as_deref(),
        Some(&[1, 0x52, 0x54, 0, 0x77, 0, 1][..])
    );
    assert_eq!(
        (&discover.message.hostname, &discover.message.machine_id_raw),
        (&None, &None)
    );

    client.receive(&reply(&discover.message, MessageType::Offer), now);
    let request = sent(&mut client, now);
    assert_eq!(request.message.requested_ip, Some(ADDRESS));
    assert_eq!(request.message.server_id, Some(SERVER));

    let change = client.receive(&reply(&request.message, MessageType::Ack), now);
    let lease = Lease {
        address: ADDRESS,
        prefix: 24,
        router: Some(SERVER),
        server: SERVER,
        duration: Some(Duration::from_secs(3600)),
    };
    assert_eq!(change, Some(Change::Bound(lease.clone())));
    assert_eq!(client.lease(), Some(&lease));
    assert_eq!(client.wake_at(), Some(now + Duration::from_secs(1800)));
}

#[test]
fn silence_is_asked_again_with_growing_pauses_that_stay_bounded() {
    let start = Instant::now();
    let mut now = start;
    let mut client = Client::new(mac(), 7, now);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(sent(&mut client, now).message.message_type, Some(MessageType::Discover));
        assert_eq!(client.poll(now), (None, None));
        let next = client.wake_at().unwrap();
        pauses.push((next - now).as_secs_f64());
        now = next;
    }
    assert!((1.5..2.5).contains(&pauses[0]), "{pauses:?}");
    assert!(
        pauses[3..].iter().all(|pause| (13.9..18.1).contains(pause)),
        "{pauses:?}"
    );
    assert_eq!(u64::from(sent(&mut client, now).message.secs), (now - start).as_secs());
}

#[test]
fn an_offer_whose_server_falls_silent_is_forgotten() {
    let mut now = Instant::now();
    let mut client = Client::new(mac(), 7, now);
    let discover = sent(&mut client, now).message;
    client.receive(&reply(&discover, MessageType::Offer), now);
    for _ in 0..REQUEST_ATTEMPTS {
        assert_eq!(sent(&mut client, now).message.message_type, Some(MessageType::Request));
        now = client.wake_at().unwrap();
    }
    let again = sent(&mut client, now).message;
    assert_eq!(again.message_type, Some(MessageType::Discover));
    assert_ne!(again.xid, discover.xid);
}

#[test]
fn what_is_not_for_this_client_is_passed_over() {
    let now = Instant::now();
    let mut client = Client::new(mac(), 7, now);
    let discover = sent(&mut client, now).message;
    let good = reply(&discover, MessageType::Offer);
    let mut other_xid = good.clone();
    other_xid.xid ^= 1;
    let mut other_mac = good.clone();
    other_mac.chaddr[5] ^= 1;
    let mut proxy = good.clone();
    proxy.yiaddr = Ipv4Addr::UNSPECIFIED;
    let mut nobody = good.clone();
    nobody.server_id = None;
    for message in [
        other_xid,
        other_mac,
        proxy,
        nobody,
        reply(&discover, MessageType::Ack),
        discover.clone(),
    ] {
        assert_eq!(client.receive(&message, now), None);
        assert_eq!(client.poll(now), (None, None), "{message:?}");
    }
    client.receive(&good, now);
    let request = sent(&mut client, now).message;
    let mut other_server = reply(&request, MessageType::Ack);
    other_server.server_id = Some(Ipv4Addr::new(10, 77, 0, 2));
    assert_eq!(client.receive(&other_server, now), None);
}

#[test]
fn a_refusal_starts_over_after_a_pause() {
    let now = Instant::now();
    let mut client = Client::new(mac(), 7, now);
    let discover = sent(&mut client, now).message;
    client.receive(&reply(&discover, MessageType::Offer), now);
    let request = sent(&mut client, now).message;
    let mut nak = reply(&request, MessageType::Nak);
    nak.yiaddr = Ipv4Addr::UNSPECIFIED;
    assert_eq!(client.receive(&nak, now), None);
    assert_eq!(client.poll(now), (None, None));
    let later = client.wake_at().unwrap();
    assert_eq!(
        sent(&mut client, later).message.message_type,
        Some(MessageType::Discover)
    );
}

#[test]
fn the_lease_is_renewed_at_half_its_time() {
    let now = Instant::now();
    let mut client = bound(now);
    let t1 = now + Duration::from_secs(1800);
    assert_eq!(client.poll(t1 - Duration::from_secs(1)), (None, None));
    let renewal = sent(&mut client, t1);
    assert_eq!(renewal.to, Some(SERVER));
    assert_eq!(renewal.message.ciaddr, ADDRESS);
    assert_eq!((renewal.message.requested_ip, renewal.message.server_id), (None, None));
    let change = client.receive(&reply(&renewal.message, MessageType::Ack), t1);
    assert!(matches!(change, Some(Change::Bound(_))));
    assert_eq!(client.wake_at(), Some(t1 + Duration::from_secs(1800)));
}

#[test]
fn a_silent_server_is_asked_until_the_lease_ends_then_everyone_then_it_is_lost() {
    let start = Instant::now();
    let mut client = bound(start);
    let (mut unicast, mut broadcast) = (0, 0);
    loop {
        let now = client.wake_at().unwrap();
        let (message, change) = client.poll(now);
        if change == Some(Change::Lost) {
            assert_eq!(now, start + Duration::from_secs(3600));
            assert_eq!(message.unwrap().message.message_type, Some(MessageType::Discover));
            break;
        }
        match message.unwrap().to {
            Some(_) => {
                unicast += 1;
                assert!(now < start + Duration::from_secs(3150));
            }
            None => {
                broadcast += 1;
                assert!(now >= start + Duration::from_secs(3150));
            }
        }
    }
    assert!((2..40).contains(&unicast), "{unicast}");
    assert!((1..20).contains(&broadcast), "{broadcast}");
    assert_eq!(client.lease(), None);
}

#[test]
fn an_address_taken_back_at_renewal_is_lost() {
    let now = Instant::now();
    let mut client = bound(now);
    let t1 = client.wake_at().unwrap();
    let renewal = sent(&mut client, t1).message;
    assert_eq!(
        client.receive(&reply(&renewal, MessageType::Nak), t1),
        Some(Change::Lost)
    );
    assert_eq!(sent(&mut client, t1).message.message_type, Some(MessageType::Discover));
}

#[test]
fn leases_for_ever_and_absurd_ones() {
    let now = Instant::now();
    for (seconds, wake) in [
        (None, None),
        (Some(u32::MAX), None),
        (Some(0), Some(15)),
        (Some(1), Some(15)),
    ] {
        let mut client = Client::new(mac(), 7, now);
        let discover = sent(&mut client, now).message;
        client.receive(&reply(&discover, MessageType::Offer), now);
        let request = sent(&mut client, now).message;
        let mut ack = reply(&request, MessageType::Ack);
        ack.lease_time = seconds;
        ack.renewal_time = Some(0);
        ack.rebinding_time = Some(0);
        ack.subnet_mask = None;
        let Some(Change::Bound(lease)) = client.receive(&ack, now) else {
            panic!("no lease")
        };
        assert_eq!(lease.prefix, 8);
        assert_eq!(
            client.wake_at(),
            wake.map(|s| now + Duration::from_secs(s)),
            "{seconds:?}"
        );
    }
}

#[test]
fn machines_with_other_addresses_ask_at_other_times() {
    let now = Instant::now();
    let mut a = Client::new(mac(), 7, now);
    let mut b = Client::new(MacAddr([0x52, 0x54, 0, 0x77, 0, 2]), 7, now);
    assert_ne!(sent(&mut a, now).message.xid, sent(&mut b, now).message.xid);
    assert_ne!(a.wake_at(), b.wake_at());
}
