//! What is planned is changed while it is carried out: what was rendered for the installation is what counts.

use axum::http::StatusCode;
use muster::{
    auth::Secret,
    install::{FailedBy, Outcome, Planned, Stage},
    inventory::State,
    provision::install::InstallPlan,
};
use muster_facts::Os;

use super::{OWN, Rig, after, answer_file, facts, plan};

/// The plan with another name.
fn called(name: &str) -> InstallPlan {
    let plan = plan(true);
    InstallPlan {
        hostname: Some(name.to_owned()),
        planned: Planned {
            hostname: Some(name.to_owned()),
            ..plan.planned.clone()
        },
        ..plan
    }
}

impl Rig {
    fn edit(&self, plan: InstallPlan) {
        self.plans.given.give(self.host, plan, answer_file());
    }
}

#[tokio::test]
async fn what_is_compared_is_what_the_answer_file_was_made_from() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let path = rig.answer_path().await;
    // After the installer was started, and before it asks.
    let mut moved = called("web2");
    moved.planned.addresses = vec!["10.77.0.20/24".into()];
    rig.edit(moved);
    let (status, text) = rig.ask(OWN, &path).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(rig.install(&install).await.planned.hostname.as_deref(), Some("web2"));
    // What is changed from now on is for another installation.
    rig.edit(called("web3"));
    let (stage, token) = (
        format!("/boot/stage/{}", after(&text, "/boot/stage/")),
        after(&text, "token="),
    );
    rig.told(&stage, "rebooting").await;
    // The address that is in the file is the machine's own.
    let fixed = "10.77.0.20";
    let told = rig.ask(fixed, &format!("{stage}?stage=first_boot")).await;
    assert_eq!(told.0, StatusCode::NO_CONTENT, "{}", told.1);
    let (status, text) = rig.post_from(fixed, "/boot/enrol", &token, Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let credential = Secret::chosen(format!("muster_agent_{}", after(&text, "muster_agent_"))).hash();
    let mut installed = facts();
    installed.hostname = Some("web2".into());
    installed.os = Some(Os {
        id: Some("rocky".into()),
        version: Some("9.5".into()),
        name: None,
    });
    installed.nics[0].addresses = vec!["10.77.0.20/24".into()];
    rig.installs
        .reported(rig.host, &installed, &credential)
        .await
        .unwrap()
        .unwrap();
    let done = rig.install(&install).await;
    assert_eq!((done.outcome, rig.state()), (Outcome::Done, State::Active));
    assert_eq!(done.differences, Some(Vec::new()), "{:?}", done.planned);
}

#[tokio::test]
async fn a_file_that_is_asked_for_again_is_the_one_that_counts() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let path = rig.answer_path().await;
    for name in ["web1", "web2"] {
        rig.edit(called(name));
        assert_eq!(rig.ask(OWN, &path).await.0, StatusCode::OK);
        let kept = rig.install(&install).await;
        assert_eq!(kept.planned.hostname.as_deref(), Some(name));
        assert_eq!(kept.progress.stage, Stage::Answer);
    }
}

#[tokio::test]
async fn an_installer_is_started_as_it_is_planned_when_the_machine_boots() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let mut newer = called("web2");
    newer.distro = "rocky-10".into();
    newer.agent = false;
    rig.edit(newer);
    rig.answer_path().await;
    let kept = rig.install(&install).await;
    assert_eq!((kept.distro.as_str(), kept.agent), ("rocky-10", false));
    assert_eq!(kept.planned.hostname.as_deref(), Some("web2"));
}

#[tokio::test]
async fn the_installer_of_one_distro_is_not_given_the_answer_file_of_another() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let path = rig.answer_path().await;
    let mut other = plan(true);
    other.distro = "debian-13".into();
    rig.edit(other);
    let (status, text) = rig.ask(OWN, &path).await;
    assert_ne!(status, StatusCode::OK);
    assert!(!text.contains("rootpw"), "{text}");
    let failed = rig.install(&install).await;
    assert_eq!(failed.failed_by, Some(FailedBy::Answer));
    let why = failed.reason.unwrap();
    assert!(
        why.contains("the installer of rocky-9 as web was started") && why.contains("debian-13 as web"),
        "{why}"
    );
    assert_eq!(failed.snapshot, None, "nothing can have been written");
}
