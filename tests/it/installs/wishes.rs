//! What commands wish of installations, and what a server makes of it.

use chrono::TimeDelta;
use muster::{
    install::Outcome,
    inventory::State,
    provision::install::{Granted, Wanted, Wish},
};

use super::{MAC, Rig};

impl Rig {
    async fn wish(&self, wanted: Wanted) -> Wish {
        Wish::write(&self.store, wanted, "cli", self.installs.now())
            .await
            .unwrap()
    }

    async fn granted(&self, wanted: Wanted) -> Option<Granted> {
        let wish = self.wish(wanted).await;
        self.installs.grant_wishes().await;
        let answer = wish.answer(&self.store).await.unwrap();
        assert_eq!(wish.answer(&self.store).await.unwrap(), None, "it is read once");
        answer
    }
}

#[tokio::test]
async fn a_wish_is_granted_once_and_guarded_as_on_pages() {
    let rig = Rig::new().await;
    let Some(Granted::Done(first)) = rig.granted(Wanted::Start(rig.host, None)).await else {
        panic!("not started");
    };
    assert_eq!(rig.state(), State::Installing);
    let again = rig.granted(Wanted::Start(rig.host, None)).await;
    assert!(matches!(again, Some(Granted::Refused(_))), "{again:?}");
    rig.installing().await;
    assert_eq!(rig.granted(Wanted::Cancel(first)).await, Some(Granted::Done(first)));
    let ended = rig.store.install(first).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert!(ended.reason.unwrap().contains("cancelled by cli"));
    let again = rig.granted(Wanted::Cancel(first)).await;
    assert!(matches!(again, Some(Granted::Refused(_))), "{again:?}");
    // From the answer file on something has to be typed: of a host without a name what is written on it.
    let serial = rig.discovery.host(rig.host).unwrap().summary.serial.unwrap();
    for typed in [None, Some("web".to_owned())] {
        let refused = rig.granted(Wanted::Retry(first, typed)).await;
        assert_eq!(refused, Some(Granted::Type(serial.clone())));
    }
    let by_mac = rig
        .granted(Wanted::Retry(first, Some(MAC.to_string().replace(':', "-"))))
        .await;
    assert!(matches!(by_mac, Some(Granted::Done(_))), "{by_mac:?}");
    assert_eq!(rig.store.settings_under("wish.").await.unwrap(), []);
}

#[tokio::test]
async fn a_wish_that_is_late_or_taken_back_is_none() {
    let rig = Rig::new().await;
    let wish = rig.wish(Wanted::Start(rig.host, None)).await;
    assert!(wish.take_back(&rig.store).await.unwrap());
    assert!(!wish.take_back(&rig.store).await.unwrap());
    rig.installs.grant_wishes().await;
    let late = rig.wish(Wanted::Start(rig.host, None)).await;
    rig.pass(TimeDelta::minutes(2));
    rig.installs.grant_wishes().await;
    assert_eq!(wish.answer(&rig.store).await.unwrap(), None);
    let Some(Granted::Refused(why)) = late.answer(&rig.store).await.unwrap() else {
        panic!("it is refused");
    };
    assert!(why.contains("set the clocks"), "{why}");
    assert_eq!(rig.store.open_installs().await.unwrap(), []);
    // An answer that nobody reads goes away.
    let unread = rig.wish(Wanted::Start(rig.host, None)).await;
    rig.installs.grant_wishes().await;
    rig.pass(TimeDelta::minutes(11));
    rig.installs.grant_wishes().await;
    assert_eq!(unread.answer(&rig.store).await.unwrap(), None);
    assert_eq!(rig.store.settings_under("wish.").await.unwrap(), []);
}
