//! Who is refused again and again does not fill the ledger.

use axum::http::StatusCode;
use muster::{boot::EventKind, store::EventQuery};

use super::{OTHER, OWN, Rig};

impl Rig {
    async fn times(&self, kind: EventKind) -> Vec<Option<String>> {
        self.store.drain().await.unwrap();
        let query = EventQuery {
            host: Some(self.host),
            limit: 500,
            ..EventQuery::default()
        };
        let events = self.store.events(&query).await.unwrap();
        let of_kind = events.into_iter().filter(|event| event.kind == kind);
        of_kind.map(|mut event| event.params.remove("times")).collect()
    }
}

#[tokio::test]
async fn refusals_of_one_host_are_told_once_a_minute_with_their_number() {
    let rig = Rig::new().await;
    rig.start().await;
    let path = rig.answer_path().await;
    for _ in 0..40 {
        assert_eq!(rig.ask(OTHER, &path).await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(rig.times(EventKind::AnswerRefused).await, [None]);
    // Another reason is told at once.
    let old = path;
    rig.answer_path().await;
    assert_eq!(rig.ask(OWN, &old).await.0, StatusCode::FORBIDDEN);
    assert_eq!(rig.times(EventKind::AnswerRefused).await.len(), 2);
    // What was only counted is told when its minute is over.
    rig.minutes(2).await;
    let mut told = rig.times(EventKind::AnswerRefused).await;
    told.sort();
    assert_eq!(told, [None, None, Some("39".to_owned())]);
    rig.minutes(2).await;
    assert_eq!(rig.times(EventKind::AnswerRefused).await.len(), 3);
}
