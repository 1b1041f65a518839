//! What is on a machine's disks is overwritten only when somebody has typed its name; and what is refused meanwhile.

use muster::{
    desired::Parent,
    install::Outcome,
    inventory::State,
    provision::{
        Catalog,
        install::{Start, StartRefused},
    },
};

use super::Rig;

impl Rig {
    /// What the host goes by: it has no name, so its serial number.
    fn goes_by(&self) -> String {
        self.discovery.host(self.host).unwrap().summary.serial.unwrap()
    }
}

#[tokio::test]
async fn a_running_system_is_overwritten_only_when_its_name_is_typed() {
    let rig = Rig::with_agent(false).await;
    let install = rig.start().await;
    let (stage, _) = rig.installing().await;
    rig.told(&stage, "rebooting").await;
    rig.boot().await;
    assert_eq!(rig.install(&install).await.outcome, Outcome::Done);
    assert_eq!(rig.state(), State::Active);
    let mut start = Start {
        host: rig.host,
        typed: None,
        actor: "user:anna".to_owned(),
    };
    let refused = rig.installs.start(start.clone()).await.unwrap_err();
    let StartRefused::TypeName(name) = refused else {
        panic!("{refused}");
    };
    start.typed = Some(name);
    rig.installs.start(start).await.unwrap();
    assert_eq!(rig.state(), State::Installing);
}

#[tokio::test]
async fn a_reinstallation_that_was_cancelled_asks_for_the_name_again() {
    let rig = Rig::with_agent(false).await;
    let first = rig.start().await;
    let (stage, _) = rig.installing().await;
    rig.told(&stage, "rebooting").await;
    rig.boot().await;
    assert_eq!(rig.install(&first).await.outcome, Outcome::Done);
    let name = rig.goes_by();
    let again = Start {
        host: rig.host,
        typed: Some(name.clone()),
        actor: "user:anna".to_owned(),
    };
    let second = rig.installs.start(again).await.unwrap();
    rig.installs.cancel(second.id, "user:anna").await.unwrap();
    assert_eq!(rig.state(), State::Failed);
    // The installed system is whole: nothing has booted since.
    for typed in [None, Some(String::new()), Some("web".to_owned())] {
        let refused = rig.installs.retry(second.id, typed, "user:bert").await.unwrap_err();
        assert!(
            matches!(&refused, StartRefused::TypeName(asked) if *asked == name),
            "{refused}"
        );
    }
    assert_eq!(rig.store.open_installs().await.unwrap(), []);
    rig.installs.retry(second.id, Some(name), "user:bert").await.unwrap();
}

#[tokio::test]
async fn a_name_is_typed_from_the_answer_file_on() {
    let rig = Rig::new().await;
    let first = rig.start().await;
    rig.answer_path().await;
    rig.installs.cancel(first.id, "user:anna").await.unwrap();
    // Its installer knew nothing of disks yet.
    let second = rig.installs.retry(first.id, None, "user:anna").await.unwrap();
    rig.installing().await;
    rig.installs.cancel(second.id, "user:anna").await.unwrap();
    let refused = rig.installs.retry(second.id, None, "user:anna").await.unwrap_err();
    assert!(matches!(refused, StartRefused::TypeName(_)), "{refused}");
    let refused = rig.installs.retry(first.id, None, "user:anna").await.unwrap_err();
    assert!(
        matches!(refused, StartRefused::TypeName(_)),
        "nor by an older one: {refused}"
    );
    let name = Some(rig.goes_by());
    rig.installs.retry(second.id, name, "user:anna").await.unwrap();
}

#[tokio::test]
async fn what_is_wanted_of_a_host_is_not_taken_back_while_it_is_installed() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let catalog = Catalog::new(rig.store.clone(), &[]);
    let host = rig.store.host(rig.host).await.unwrap().unwrap();
    let refused = catalog.remove_host(&host, "cli", rig.installs.now()).await.unwrap_err();
    let words = refused.to_string();
    assert!(words.contains(&format!("installation {} runs", install.id)), "{words}");
    assert!(
        words.contains(&format!("/api/v1/installs/{}/cancel", install.id)),
        "{words}"
    );
    let refused = catalog
        .remove_plan(rig.host, "cli", rig.installs.now())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains(&install.id.to_string()), "{refused}");
    for named in [
        Parent::Distro(install.distro.clone()),
        Parent::Profile(install.profile.clone()),
    ] {
        let refused = catalog.rename(&named, "other", "cli", rig.installs.now()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(&install.id.to_string()), "{refused}");
    }
    rig.installs.cancel(install.id, "user:anna").await.unwrap();
    catalog.remove_plan(rig.host, "cli", rig.installs.now()).await.unwrap();
}

#[tokio::test]
async fn who_hangs_up_leaves_nothing_half_done() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    {
        let cancel = std::pin::pin!(rig.installs.cancel(install.id, "user:anna"));
        let _ = futures_util::poll!(cancel);
    }
    let ended = async { while !rig.store.open_installs().await.unwrap().is_empty() {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended)
        .await
        .expect("what was begun ends");
    let script = rig.boot().await;
    assert!(
        !script.contains("/boot/answer/"),
        "no installer of what is cancelled: {script}"
    );
}
