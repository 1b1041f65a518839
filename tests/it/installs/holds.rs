//! An installer that cannot be given now: the machine waits with the reason on its screen, and goes on when it is mended.

use chrono::TimeDelta;
use muster::{
    boot::EventKind,
    discovery::ScriptRequest,
    install::{Outcome, Stage},
    provision::install::PlanFault,
    render::ScriptLanguage,
    store::Install,
};

use super::{MAC, OWN, Rig, answer_file, plan};

impl Rig {
    /// Boots, and is shown why it waits.
    async fn held(&self, why: &str) {
        let script = self.boot().await;
        assert!(script.contains(why), "{why}: {script}");
        assert!(
            !script.contains("/boot/answer/") && !script.contains("vmlinuz"),
            "{script}"
        );
        assert!(script.contains("/boot/ipxe?"), "it asks again: {script}");
    }

    fn break_plans(&self, instead: Option<Result<(), PlanFault>>) {
        *self.plans.instead.lock().unwrap() = instead;
    }

    async fn told_in_log(&self, install: &Install, words: &str) -> usize {
        self.store.drain().await.unwrap();
        let log = self.store.install_log(install.id, None, 100).await.unwrap();
        log.iter().filter(|line| line.text.contains(words)).count()
    }
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_now_holds_the_installer_back() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let silent = "distro rocky-9: tree = `/mnt/rocky`: the folder does not answer";
    rig.break_plans(Some(Err(PlanFault(silent.to_owned()))));
    for _ in 0..3 {
        rig.held("the folder does not answer").await;
    }
    assert_eq!(rig.count(EventKind::InstallHeld).await, 1, "it asks each few seconds");
    assert_eq!(rig.told_in_log(&install, "held back: distro rocky-9").await, 1);
    rig.pass(TimeDelta::minutes(11));
    rig.held("the folder does not answer").await;
    assert_eq!(rig.count(EventKind::InstallHeld).await, 2);
    let waits = rig.install(&install).await;
    assert_eq!(
        (waits.outcome, waits.progress.stage, waits.progress.starts, waits.hashes),
        (Outcome::Open, Stage::WaitingBoot, 0, None)
    );
    rig.break_plans(None);
    rig.answer_path().await;
    assert_eq!(rig.install(&install).await.progress.starts, 1);
}

#[tokio::test]
async fn a_host_without_profile_or_with_another_one_is_not_installed() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    rig.break_plans(Some(Ok(())));
    rig.held("no profile any more").await;
    rig.break_plans(None);
    // Nobody agreed to have this one installed.
    let mut other = plan(true);
    other.profile = "db".into();
    rig.plans.given.give(rig.host, other, answer_file());
    rig.held("profile db").await;
    assert_eq!(rig.told_in_log(&install, "cancel it and start it again").await, 1);
    rig.plans.given.give(rig.host, plan(true), answer_file());
    rig.answer_path().await;
}

#[tokio::test]
async fn grub_is_not_sent_for_what_it_cannot_load() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let mut secure = plan(true);
    secure.kernel = "https://mirror.example.org/rocky/vmlinuz".into();
    rig.plans.given.give(rig.host, secure, answer_file());
    let asked = ScriptRequest {
        language: ScriptLanguage::Grub,
        mac: MAC.to_string(),
        platform: "efi".into(),
        client: Some(OWN.parse().unwrap()),
        asked_host: "10.77.0.1:8081".into(),
        ..ScriptRequest::default()
    };
    let script = rig.discovery.boot_script(&asked).await;
    assert!(script.contains("it has no HTTPS"), "{script}");
    assert_eq!(rig.install(&install).await.progress.starts, 0);
    // iPXE can.
    assert!(rig.boot().await.contains("https://mirror.example.org/rocky/vmlinuz"));
}
