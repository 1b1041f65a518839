//! What counts as an installer's silence, and what is an end.

use chrono::TimeDelta;
use muster::{
    boot::EventKind,
    install::{FailedBy, LogLine, Outcome, Stage},
};

use super::{OWN, Rig};

impl Rig {
    async fn logs(&self, program: &str, message: &str) {
        let line = LogLine { program, message };
        assert!(self.installs.log_line(OWN.parse().unwrap(), &line).await.unwrap());
    }
}

#[tokio::test]
async fn silence_is_told_once_and_given_up_later() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    rig.installing().await;
    rig.minutes(16).await;
    rig.installs.look().await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 1);
    rig.minutes(120).await;
    let failed = rig.install(&install).await;
    assert_eq!(failed.failed_by, Some(FailedBy::Silence));
    let reason = failed.reason.unwrap();
    assert!(reason.starts_with("stuck in answer since 2027-"), "{reason}");
    assert!(
        reason.contains("last evidence: the answer file was given to 10.77.0.100"),
        "{reason}"
    );
}

#[tokio::test]
async fn lines_of_the_log_are_not_forgotten_when_something_else_is_written() {
    let mut rig = Rig::new().await;
    let install = rig.start().await;
    let (stage, _) = rig.installing().await;
    rig.minutes(14).await;
    rig.logs("kernel", "sda: sda1 sda2").await;
    rig.minutes(10).await;
    // Its row is written, with a word that comes late.
    rig.told(&stage, "pre").await;
    rig.minutes(4).await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 0, "it spoke 14 minutes ago");
    // Nor by a server that starts again.
    rig.restart().await;
    let heard = rig.install(&install).await.progress.heard_at;
    rig.minutes(2).await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 1);
    assert_eq!(rig.installs.now() - heard, TimeDelta::minutes(16));
    // One silence is told once, whatever is written meanwhile.
    rig.told(&stage, "pre").await;
    rig.minutes(1).await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 1);
    // It speaks, and is silent once more.
    rig.logs("kernel", "random: crng init done").await;
    rig.minutes(16).await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 2);
}

#[tokio::test]
async fn time_in_which_the_server_was_away_is_nobody_s_silence() {
    let mut rig = Rig::new().await;
    let install = rig.start().await;
    rig.installing().await;
    rig.minutes(10).await;
    // A night without the server.
    rig.pass(TimeDelta::hours(9));
    rig.restart().await;
    rig.installs.look().await;
    rig.minutes(4).await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 0);
    // It was stopped, and goes on.
    rig.pass(TimeDelta::hours(9));
    rig.installs.look().await;
    assert_eq!(rig.install(&install).await.outcome, Outcome::Open);
    rig.minutes(2).await;
    assert_eq!(
        rig.count(EventKind::InstallStuck).await,
        1,
        "16 minutes it could have spoken"
    );
    rig.minutes(110).await;
    assert_eq!(rig.install(&install).await.failed_by, Some(FailedBy::Silence));
}

#[tokio::test]
async fn while_another_server_of_the_ledger_listened_somebody_did() {
    let mut rig = Rig::new().await;
    let install = rig.start().await;
    rig.installing().await;
    let other = rig.beside().await;
    // That one is stopped for a while, and goes on.
    rig.minutes(14).await;
    other.look().await;
    // What it has kept does not give an installer more time that the first one listened to all along.
    rig.restart().await;
    rig.minutes(2).await;
    assert_eq!(rig.count(EventKind::InstallStuck).await, 1);
    assert_eq!(rig.install(&install).await.outcome, Outcome::Open);
}

#[tokio::test]
async fn an_error_that_the_installer_overcomes_is_no_end() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    rig.installing().await;
    rig.logs("anaconda", "Traceback (most recent call last):").await;
    let troubled = rig.install(&install).await;
    assert_eq!(
        (troubled.outcome, troubled.progress.stage),
        (Outcome::Open, Stage::Answer)
    );
    assert!(
        troubled.progress.evidence.contains("Traceback"),
        "it is what was heard last"
    );
    rig.logs("packaging", "Installed: bash (12/340)").await;
    let on = rig.install(&install).await.progress;
    assert_eq!(on.stage, Stage::Packages);
    assert!(!on.evidence.contains("Traceback"));
    rig.logs("anaconda", "running handleException").await;
    assert_eq!(rig.install(&install).await.failed_by, Some(FailedBy::Installer));
}

#[tokio::test]
async fn what_is_logged_after_the_installer_s_end_fails_nothing() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let (stage, _) = rig.installing().await;
    rig.told(&stage, "rebooting").await;
    rig.logs("debootstrap", "E: Couldn't download packages: base-files")
        .await;
    assert_eq!(rig.install(&install).await.outcome, Outcome::Open);
}
