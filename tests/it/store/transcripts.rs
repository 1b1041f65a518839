use muster::{
    boot::{BootId, BootToken},
    inventory::new_id,
    store::{DhcpServerSeen, EventQuery, Session, Trimmed, Write},
};

use super::{databases::for_each_database, samples::*};

#[tokio::test]
async fn a_transcript_is_read_newest_first_in_pages() {
    for_each_database(|store| async move {
        let host = host(1);
        let (first, second) = (BootId(new_id(at(0))), BootId(new_id(at(0))));
        let events: Vec<_> = (0..6)
            .map(|n| event(Some(host.id), Some(if n < 4 { first } else { second }), n))
            .collect();
        let writes = events.iter().cloned().map(Write::Event);
        store.writer().commit(writes.collect()).await.expect("committed");

        let query = EventQuery {
            host: Some(host.id),
            limit: 4,
            ..EventQuery::default()
        };
        let page = store.events(&query).await.expect("readable");
        assert_eq!(page.iter().rev().cloned().collect::<Vec<_>>(), events[2..]);
        let older = EventQuery {
            before: Some(page[3].id),
            ..query
        };
        assert_eq!(store.events(&older).await.expect("readable").len(), 2);
        let of_boot = EventQuery {
            boot: Some(second),
            limit: 10,
            ..EventQuery::default()
        };
        assert_eq!(store.events(&of_boot).await.expect("readable").len(), 2);
        let of_mac = EventQuery {
            mac: Some(mac(3)),
            limit: 10,
            ..EventQuery::default()
        };
        assert_eq!(store.events(&of_mac).await.expect("readable"), [events[3].clone()]);

        let boots = store.boots(host.id, 10).await.expect("readable");
        assert_eq!(
            boots.iter().map(|boot| (boot.id, boot.events)).collect::<Vec<_>>(),
            [(second, 2), (first, 4)]
        );
        assert_eq!((boots[1].began_at, boots[1].last_at), (at(0), at(3)));
    })
    .await;
}

#[tokio::test]
async fn old_events_and_ended_rights_are_trimmed() {
    for_each_database(|store| async move {
        let writer = store.writer();
        let (busy, quiet) = (host(1), host(2));
        let mut writes: Vec<_> = (0..520).map(|n| Write::Event(event(Some(busy.id), None, n))).collect();
        writes.push(Write::Event(event(Some(quiet.id), None, 1)));
        let token = |n: u8, expires_at| {
            Write::BootToken(BootToken {
                hash: [n; 32],
                mac: mac(1),
                host: busy.id,
                boot: BootId(new_id(at(0))),
                created_at: at(0),
                expires_at,
            })
        };
        writes.extend([token(1, at(10)), token(2, at(2 * 24 * 3600))]);
        writer.commit(writes).await.expect("committed");
        let anna = user("anna");
        store.create_user(&anna).await.expect("made");
        let session = Session {
            hash: [1; 32],
            user: anna.id,
            created_at: at(0),
            expires_at: at(10),
            last_seen_at: at(0),
        };
        store.create_session(&session).await.expect("made");

        // Two days after the first right ended: until then its machine is told that it has expired.
        let trimmed = store.trim(at(10 + 2 * 24 * 3600 + 1)).await.expect("trimmed");
        assert_eq!(
            trimmed,
            Trimmed {
                events: 20,
                boot_tokens: 1,
                sessions: 1
            }
        );
        let left = EventQuery {
            host: Some(busy.id),
            limit: 1000,
            ..EventQuery::default()
        };
        let left = store.events(&left).await.expect("readable");
        assert_eq!((left.len(), left[499].at), (500, at(20)));
        assert_eq!(store.trim(at(1000)).await.expect("trimmed"), Trimmed::default());
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_when_it_is_said_to() {
    for_each_database(|store| async move {
        let token = BootToken {
            hash: [9; 32],
            mac: mac(1),
            host: host(1).id,
            boot: BootId(new_id(at(0))),
            created_at: at(0),
            expires_at: at(1800),
        };
        let writer = store.writer();
        writer
            .commit(vec![Write::BootToken(token.clone())])
            .await
            .expect("committed");
        assert_eq!(
            store.load_view().await.expect("readable").tokens,
            std::slice::from_ref(&token)
        );
        writer
            .commit(vec![Write::TokenEnded(token.hash)])
            .await
            .expect("committed");
        assert!(store.load_view().await.expect("readable").tokens.is_empty());
    })
    .await;
}

#[tokio::test]
async fn other_servers_are_kept_with_their_first_day() {
    for_each_database(|store| async move {
        let server = DhcpServerSeen {
            address: "10.77.0.2".parse().expect("an address"),
            interface: "eth0".to_owned(),
            mac: Some(mac(2)),
            offers_seen: 1,
            first_seen_at: at(0),
            last_seen_at: at(0),
            answers_pxe_since: None,
        };
        let later = DhcpServerSeen {
            offers_seen: 7,
            first_seen_at: at(50),
            last_seen_at: at(60),
            answers_pxe_since: Some(at(55)),
            ..server.clone()
        };
        let writer = store.writer();
        writer.commit(vec![Write::DhcpServer(server)]).await.expect("committed");
        writer
            .commit(vec![Write::DhcpServer(later.clone())])
            .await
            .expect("committed");
        let kept = DhcpServerSeen {
            first_seen_at: at(0),
            ..later
        };
        assert_eq!(store.dhcp_servers().await.expect("readable"), [kept]);
    })
    .await;
}
