//! Agents of installed systems: one credential for one token, who may report what, and how the right ends.

use axum::http::StatusCode;
use chrono::TimeDelta;
use muster::{
    boot::EventKind,
    install::Outcome,
    inventory::{Host, Source, State, lifecycle::Cause},
    provision::agents::revocation,
    store::{AgentCredential, EventQuery},
};
use muster_facts::{Facts, Os};
use muster_fleet::{Firmware, hardware};
use serde_json::Value;

use super::{OTHER, OWN, Rig, after, answer_file, facts, plan};

const FACTS: &str = "/agent/v1/facts";
const HEARTBEAT: &str = "/agent/v1/heartbeat";

impl Rig {
    /// An installed system whose agent has its credential.
    pub(super) async fn enrolled() -> (Self, String) {
        let rig = Self::new().await;
        rig.start().await;
        let credential = rig.enrol().await;
        (rig, credential)
    }

    /// Goes through an installation to the agent's credential.
    async fn enrol(&self) -> String {
        let (stage, token) = self.installing().await;
        self.told(&stage, "rebooting").await;
        let (status, text) = self.post("/boot/enrol", &token, Vec::new()).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        format!("muster_agent_{}", after(&text, "muster_agent_"))
    }

    pub(super) async fn agent_reports(&self, credential: &str, facts: &Facts) -> (StatusCode, Value) {
        let (status, text) = self.post(FACTS, credential, serde_json::to_vec(facts).unwrap()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn heartbeat(&self, credential: &str) -> (StatusCode, Value) {
        let (status, text) = self.post(HEARTBEAT, credential, Vec::new()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn credentials(&self) -> Vec<AgentCredential> {
        self.store.drain().await.unwrap();
        self.store.agent_credentials(Some(self.host), 10).await.unwrap()
    }

    async fn kept(&self) -> Host {
        self.store.drain().await.unwrap();
        self.store.host(self.host).await.unwrap().unwrap()
    }

    /// The reasons of the events of one kind.
    async fn reasons(&self, kind: EventKind) -> Vec<String> {
        self.store.drain().await.unwrap();
        let query = EventQuery {
            host: Some(self.host),
            limit: 500,
            ..EventQuery::default()
        };
        let events = self.store.events(&query).await.unwrap();
        let of_kind = events.into_iter().filter(|event| event.kind == kind);
        of_kind.filter_map(|mut event| event.params.remove("why")).collect()
    }
}

/// What the installed system says of itself.
pub(super) fn installed() -> Facts {
    let mut facts = facts();
    facts.hostname = Some("web1".into());
    facts.os = Some(Os {
        id: Some("rocky".into()),
        version: Some("9.5".into()),
        name: None,
    });
    facts
}

#[tokio::test]
async fn the_first_report_ends_the_installation_and_later_ones_are_history() {
    let (rig, credential) = Rig::enrolled().await;
    let (status, told) = rig.heartbeat(&credential).await;
    assert_eq!(
        (status, &told["report"]),
        (StatusCode::OK, &Value::Bool(true)),
        "{told}"
    );
    assert_eq!(told["heartbeat_seconds"], 60);
    let (status, told) = rig.agent_reports(&credential, &installed()).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(
        (told["host"].as_str().unwrap(), &told["report"]),
        (rig.host.to_string().as_str(), &Value::Bool(false))
    );
    assert_eq!(rig.state(), State::Active);
    let (installs, _) = rig
        .store
        .installs(&muster::store::InstallQuery {
            limit: 1,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(
        (installs[0].outcome, installs[0].differences.as_deref()),
        (Outcome::Done, Some([].as_slice()))
    );

    rig.pass(TimeDelta::minutes(20));
    let mut changed = installed();
    changed.kernel.release = Some("6.12.1".into());
    let (status, _) = rig.agent_reports(&credential, &changed).await;
    assert_eq!(status, StatusCode::OK);
    let sources: Vec<Source> = rig
        .store
        .facts(rig.host)
        .await
        .unwrap()
        .iter()
        .map(|set| set.source)
        .collect();
    assert!(
        sources.contains(&Source::Agent) && sources.contains(&Source::Netboot),
        "{sources:?}"
    );
    let changes = rig.store.changes(rig.host, None, 50).await.unwrap();
    let release = changes.iter().find(|change| change.field == "kernel.release").unwrap();
    assert_eq!(
        (release.source, release.after.as_deref()),
        (Source::Agent, Some("6.12.1"))
    );
    assert!(rig.credentials().await[0].last_used_at.is_some());
}

#[tokio::test]
async fn a_heartbeat_says_that_the_host_is_there_and_where() {
    let (rig, credential) = Rig::enrolled().await;
    rig.agent_reports(&credential, &installed()).await;
    let before = rig.kept().await.last_seen_at;
    rig.pass(TimeDelta::minutes(3));
    let (status, text) = rig.post_from("10.77.0.200", HEARTBEAT, &credential, Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let host = rig.kept().await;
    assert_eq!(host.last_seen_at, before + TimeDelta::minutes(3));
    assert_eq!(host.address, Some("10.77.0.200".parse().unwrap()));
}

#[tokio::test]
async fn a_token_brings_one_credential_and_only_its_own_machine() {
    let rig = Rig::new().await;
    rig.start().await;
    let (stage, token) = rig.installing().await;
    rig.told(&stage, "rebooting").await;
    let (status, text) = rig.post_from(OTHER, "/boot/enrol", &token, Vec::new()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    assert_eq!(rig.credentials().await, []);
    assert_eq!(rig.post("/boot/enrol", &token, Vec::new()).await.0, StatusCode::OK);
    let (status, text) = rig.post("/boot/enrol", &token, Vec::new()).await;
    assert_eq!(
        (status, text.contains("install_token_used")),
        (StatusCode::FORBIDDEN, true),
        "{text}"
    );
    assert!(!text.contains("muster_agent_"));
    assert_eq!(rig.credentials().await.len(), 1);
    let reasons = rig.reasons(EventKind::AnswerRefused).await;
    assert!(
        reasons.contains(&"token_used".to_owned()) && reasons.contains(&"other_address".to_owned()),
        "{reasons:?}"
    );
    // Neither the token nor one that was made up is a credential.
    for wrong in [token.as_str(), "muster_agent_guess"] {
        let (status, told) = rig.heartbeat(wrong).await;
        assert_eq!(
            (status, told["code"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("agent_unknown"))
        );
    }
}

#[tokio::test]
async fn a_machine_with_a_fixed_address_enrols_from_there() {
    let rig = Rig::new().await;
    let mut fixed = plan(true);
    fixed.planned.addresses = vec!["10.77.0.20/24".into()];
    rig.plans.given.give(rig.host, fixed, answer_file());
    rig.start().await;
    let (stage, token) = rig.installing().await;
    rig.told(&stage, "rebooting").await;
    let path = format!("{stage}?stage=first_boot");
    assert_eq!(rig.ask("10.77.0.20", &path).await.0, StatusCode::NO_CONTENT);
    let (status, text) = rig.post_from("10.77.0.20", "/boot/enrol", &token, Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
}

#[tokio::test]
async fn an_agent_speaks_for_its_own_machine_and_for_no_other() {
    let (rig, credential) = Rig::enrolled().await;
    rig.agent_reports(&credential, &installed()).await;
    let before = rig.store.facts(rig.host).await.unwrap();
    // The disk was copied into a machine that nobody knows; later it is one that the ledger knows.
    let stranger = hardware::facts(1, 1, Firmware::Uefi, 0);
    for known in [false, true] {
        if known {
            let mac = stranger.nics[0].mac.unwrap();
            let script = rig.ask(OTHER, &format!("/boot/ipxe?mac={mac}&platform=efi")).await.1;
            let token = after(&script, "muster.token=");
            let body = serde_json::to_vec(&stranger).unwrap();
            assert_eq!(
                rig.post_from(OTHER, "/boot/facts", &token, body).await.0,
                StatusCode::OK
            );
        }
        let (status, told) = rig.agent_reports(&credential, &stranger).await;
        assert_eq!(
            (status, told["code"].as_str()),
            (StatusCode::CONFLICT, Some("another_machine")),
            "{told}"
        );
    }
    assert_eq!(rig.store.facts(rig.host).await.unwrap(), before);
    let other = rig.discovery.host_by_mac(stranger.nics[0].mac.unwrap()).unwrap();
    assert_ne!(other.id, rig.host);
    assert!(other.ambiguous_with.is_empty());
    // It is told, and not each time.
    assert_eq!(rig.reasons(EventKind::AgentRefused).await, ["another_machine"]);
    rig.pass(TimeDelta::minutes(61));
    rig.agent_reports(&credential, &stranger).await;
    assert_eq!(rig.count(EventKind::AgentRefused).await, 2);
    // A replaced board is the same machine still.
    let mut board = installed();
    board.board.as_mut().unwrap().serial = Some("another board".into());
    assert_eq!(rig.agent_reports(&credential, &board).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_new_enrolment_ends_the_one_before() {
    let (rig, first) = Rig::enrolled().await;
    rig.agent_reports(&first, &installed()).await;
    rig.pass(TimeDelta::days(1));
    let name = rig.host.to_string();
    let again = muster::provision::install::Start {
        host: rig.host,
        typed: Some(name),
        actor: "user:anna".to_owned(),
    };
    rig.installs.start(again).await.unwrap();
    // Until the new system is there the old one may still speak.
    assert_eq!(rig.heartbeat(&first).await.0, StatusCode::OK);
    let second = rig.enrol().await;
    let (status, told) = rig.heartbeat(&first).await;
    assert_eq!(
        (status, told["code"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("agent_revoked"))
    );
    assert_eq!(
        rig.agent_reports(&first, &installed()).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(rig.heartbeat(&second).await.0, StatusCode::OK);
    let kept = rig.credentials().await;
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1].revoked_by.as_deref(), Some("enrolled anew"));
    assert_eq!(kept[0].revoked_at, None);
}

#[tokio::test]
async fn a_person_and_retirement_end_it_at_once() {
    for retire in [false, true] {
        let (rig, credential) = Rig::enrolled().await;
        rig.agent_reports(&credential, &installed()).await;
        if retire {
            let actor = Some("user:anna".to_owned());
            rig.discovery
                .move_host(rig.host, Cause::Retired, actor, |_| Vec::new())
                .await
                .unwrap();
        } else {
            // What the API and the command line write.
            let writes = revocation(rig.host, "user:anna", rig.installs.now());
            rig.store.writer().commit(writes).await.unwrap();
            assert_eq!(rig.count(EventKind::AgentRevoked).await, 1);
        }
        for _ in 0..3 {
            let (status, told) = rig.heartbeat(&credential).await;
            assert_eq!(
                (status, told["code"].as_str()),
                (StatusCode::UNAUTHORIZED, Some("agent_revoked"))
            );
            assert_eq!(
                rig.agent_reports(&credential, &installed()).await.0,
                StatusCode::UNAUTHORIZED
            );
        }
        assert_eq!(rig.reasons(EventKind::AgentRefused).await, ["agent_revoked"]);
        let by = rig.credentials().await[0].revoked_by.clone();
        assert_eq!(by.as_deref(), Some(if retire { "retired" } else { "user:anna" }));
    }
}

#[tokio::test]
async fn what_is_no_report_is_refused_with_its_field_and_guessing_is_slowed_down() {
    let (rig, credential) = Rig::enrolled().await;
    let (status, text) = rig
        .post(FACTS, &credential, br#"{"version":1,"nics":[{"mac":"x"}]}"#.to_vec())
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("nics[0].mac"), "{text}");
    assert_eq!(rig.reasons(EventKind::AgentRefused).await, ["facts_malformed"]);
    let mut last = StatusCode::OK;
    for guess in 0..40 {
        last = rig.heartbeat(&format!("guess{guess}")).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        rig.heartbeat(&credential).await.0,
        StatusCode::OK,
        "the right one is served"
    );
    assert_eq!(rig.ask(OWN, FACTS).await.0, StatusCode::METHOD_NOT_ALLOWED);
}
