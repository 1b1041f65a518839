//! Enrolments whose answer is lost, that come twice, and that come from elsewhere.

use axum::http::StatusCode;
use muster::{
    boot::EventKind,
    install::{Outcome, Stage},
    inventory::State,
};
use serde_json::json;

use super::{Answer, OTHER, OWN, Rig};

fn own(digit: char) -> String {
    format!("muster_agent_{}", digit.to_string().repeat(64))
}

impl Rig {
    /// An installed system's agent asks with a credential of its own.
    async fn offers(&self, from: &str, token: &str, credential: &str) -> Answer {
        let body = json!({ "credential": credential }).to_string();
        self.post_from(from, "/boot/enrol", token, body.into_bytes()).await
    }

    /// An installation that has come to the restart: its enrolment token.
    async fn rebooted(&self) -> String {
        let (stage, token) = self.installing().await;
        self.told(&stage, "rebooting").await;
        token
    }

    async fn is_known(&self, credential: &str) -> bool {
        self.post("/agent/v1/heartbeat", credential, Vec::new()).await.0 == StatusCode::OK
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_to_the_same_agent_and_to_no_other() {
    let mut rig = Rig::new().await;
    rig.start().await;
    let token = rig.rebooted().await;
    let (status, text) = rig.offers(OWN, &token, &own('a')).await;
    assert_eq!(
        (status, text.contains("muster_agent_")),
        (StatusCode::OK, false),
        "{text}"
    );
    // The answer was lost; meanwhile the server was started again.
    for restart in [false, true] {
        if restart {
            rig.restart().await;
        }
        let (status, again) = rig.offers(OWN, &token, &own('a')).await;
        assert_eq!((status, &again), (StatusCode::OK, &text));
        // Whoever has the token alone, from the answer file on the disk, gets nothing.
        for (from, credential, code) in [
            (OWN, own('b'), "install_token_used"),
            (OTHER, own('a'), "install_other_address"),
            (OTHER, own('b'), "install_other_address"),
        ] {
            let (status, text) = rig.offers(from, &token, &credential).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
            assert!(text.contains(code) && !text.contains("muster_agent_"), "{text}");
        }
        let (status, text) = rig.post("/boot/enrol", &token, Vec::new()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    }
    assert!(rig.is_known(&own('a')).await);
    assert!(!rig.is_known(&own('b')).await);
    assert_eq!(rig.count(EventKind::AgentEnrolled).await, 1);
}

#[tokio::test]
async fn of_two_agents_at_once_one_is_enrolled() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let token = rig.rebooted().await;
    let (a, b) = (own('a'), own('b'));
    let (one, other) = tokio::join!(rig.offers(OWN, &token, &a), rig.offers(OWN, &token, &b));
    let good = [&one, &other]
        .iter()
        .filter(|answer| answer.0 == StatusCode::OK)
        .count();
    assert_eq!(good, 1, "{one:?} {other:?}");
    assert!(rig.is_known(&a).await != rig.is_known(&b).await);
    assert_eq!(rig.install(&install).await.progress.stage, Stage::AgentEnrolled);
    // The same one twice at once is one enrolment.
    let kept = if one.0 == StatusCode::OK { &a } else { &b };
    let (one, other) = tokio::join!(rig.offers(OWN, &token, kept), rig.offers(OWN, &token, kept));
    assert_eq!((one.0, other.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(rig.store.agent_credentials(Some(rig.host), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_credential_spends_no_token() {
    let rig = Rig::new().await;
    rig.start().await;
    let token = rig.rebooted().await;
    for body in [
        "{",
        "{}",
        r#"{"credential":"short"}"#,
        r#"{"credential":"muster_agent_x"}"#,
    ] {
        let (status, text) = rig.post("/boot/enrol", &token, body.into()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
    }
    let (status, _) = rig.post("/boot/enrol", &token, vec![b' '; 4096]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(rig.offers(OWN, &token, &own('a')).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_credential_of_an_earlier_installation_is_not_taken_again() {
    let rig = Rig::new().await;
    rig.start().await;
    let token = rig.rebooted().await;
    assert_eq!(rig.offers(OWN, &token, &own('a')).await.0, StatusCode::OK);
    let install = rig.store.open_installs().await.unwrap().remove(0);
    rig.installs.cancel(install.id, "user:anna").await.unwrap();
    let name = Some(rig.host.to_string());
    rig.installs.retry(install.id, name, "user:anna").await.unwrap();
    let token = rig.rebooted().await;
    let (status, text) = rig.offers(OWN, &token, &own('a')).await;
    assert_eq!(status, StatusCode::CONFLICT, "{text}");
    assert!(text.contains("agent_credential_known"), "{text}");
    assert_eq!(rig.offers(OWN, &token, &own('b')).await.0, StatusCode::OK);
    assert!(!rig.is_known(&own('a')).await, "the one before ends with it");
}

#[tokio::test]
async fn a_report_of_the_system_before_does_not_end_the_installation() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let token = rig.rebooted().await;
    assert_eq!(rig.offers(OWN, &token, &own('a')).await.0, StatusCode::OK);
    let stale = muster::auth::Secret::chosen(own('c')).hash();
    let facts = super::facts();
    assert_eq!(rig.installs.reported(rig.host, &facts, &stale).await.unwrap(), None);
    assert_eq!(rig.install(&install).await.ended_at, None);
}

#[tokio::test]
async fn a_restart_between_the_credential_and_the_first_report_loses_neither() {
    let mut rig = Rig::new().await;
    let install = rig.start().await;
    let token = rig.rebooted().await;
    assert_eq!(rig.offers(OWN, &token, &own('a')).await.0, StatusCode::OK);
    rig.restart().await;
    // The machine too is without power, and starts from its own disk.
    assert!(rig.boot().await.contains("from the local disk"));
    let facts = serde_json::to_vec(&super::facts()).unwrap();
    for _ in 0..2 {
        let (status, text) = rig.post("/agent/v1/facts", &own('a'), facts.clone()).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        rig.restart().await;
    }
    let done = rig.install(&install).await;
    assert_eq!((done.outcome, rig.state()), (Outcome::Done, State::Active));
    assert_eq!(rig.count(EventKind::InstallEnded).await, 1);
    assert!(rig.boot().await.contains("from the local disk"));
}
