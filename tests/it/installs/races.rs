//! Two things at once: what was read before an installation's turn was taken is looked at again.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use muster::{
    discovery::ScriptRequest,
    install::{Outcome, Stage},
    inventory::State,
    provision::install::{Start, StartRefused},
};

use super::{MAC, OWN, Rig};

impl Rig {
    fn request() -> ScriptRequest {
        ScriptRequest {
            mac: MAC.to_string(),
            platform: "efi".into(),
            client: Some(OWN.parse().unwrap()),
            asked_host: "10.77.0.1:8081".into(),
            ..ScriptRequest::default()
        }
    }
}

/// Goes as far as it can without others: to the end of the queue for the installation's turn.
async fn queued(mut work: Pin<&mut impl Future>) {
    let pending = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await;
    assert!(pending, "it did not wait for its turn");
}

#[tokio::test]
async fn a_boot_that_waited_while_a_person_cancelled_starts_no_installer() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    rig.plans.close();
    let asked = Rig::request();
    let mut first = pin!(rig.discovery.boot_script(&asked));
    tokio::select! {
        _ = first.as_mut() => panic!("the gate is closed"),
        () = rig.plans.reached() => {}
    }
    // Both were judged while the installation ran.
    let mut cancel = pin!(rig.installs.cancel(install.id, "user:anna"));
    queued(cancel.as_mut()).await;
    // It runs in a task of its own, which comes to its turn now.
    tokio::task::yield_now().await;
    let mut second = pin!(rig.discovery.boot_script(&asked));
    queued(second.as_mut()).await;
    rig.plans.open();
    let (first, cancelled, second) = tokio::join!(first, cancel, second);
    assert!(first.contains("/boot/answer/"), "{first}");
    assert_eq!(cancelled.unwrap().outcome, Outcome::Cancelled);
    assert!(!second.contains("/boot/answer/"), "{second}");
    assert!(
        second.contains("muster.token="),
        "it waits in the collection image: {second}"
    );
    assert_eq!(rig.state(), State::Failed);
    // What the first boot was given opens nothing.
    let path = format!("/boot/answer/{}", super::after(&first, "/boot/answer/"));
    assert!(rig.ask(OWN, &path).await.1.contains("install_token_old"));
}

#[tokio::test]
async fn a_token_that_ended_while_it_waited_is_not_served() {
    let rig = Rig::new().await;
    rig.start().await;
    let path = rig.answer_path().await;
    let token = path.trim_start_matches("/boot/answer/");
    rig.plans.close();
    let asked = Rig::request();
    let mut boot = pin!(rig.discovery.boot_script(&asked));
    tokio::select! {
        _ = boot.as_mut() => panic!("the gate is closed"),
        () = rig.plans.reached() => {}
    }
    let mut answer = pin!(rig.installs.answer(token, OWN.parse().unwrap(), "10.77.0.1"));
    queued(answer.as_mut()).await;
    rig.plans.open();
    let (script, answer) = tokio::join!(boot, answer);
    assert!(script.contains("/boot/answer/"));
    let refused = answer.unwrap_err();
    assert_eq!(refused.word(), "token_old", "{refused}");
}

#[tokio::test]
async fn a_boot_that_waited_while_the_answer_file_was_given_does_not_start_the_installer_again() {
    let rig = Rig::new().await;
    let install = rig.start().await;
    let path = rig.answer_path().await;
    let token = path.trim_start_matches("/boot/answer/");
    rig.plans.close();
    let mut answer = pin!(rig.installs.answer(token, OWN.parse().unwrap(), "10.77.0.1"));
    tokio::select! {
        _ = answer.as_mut() => panic!("the gate is closed"),
        () = rig.plans.reached() => {}
    }
    let asked = Rig::request();
    let mut boot = pin!(rig.discovery.boot_script(&asked));
    queued(boot.as_mut()).await;
    rig.plans.open();
    let (answer, script) = tokio::join!(answer, boot);
    assert!(answer.unwrap().contains("rootpw"));
    assert!(!script.contains("/boot/answer/"), "{script}");
    let failed = rig.install(&install).await;
    assert_eq!(
        (failed.outcome, failed.progress.stage),
        (Outcome::Failed, Stage::Answer)
    );
    assert_eq!(failed.progress.starts, 1);
}

#[tokio::test]
async fn of_two_starts_at_once_one_is_an_installation() {
    let rig = Rig::new().await;
    let start = || {
        rig.installs.start(Start {
            host: rig.host,
            typed: None,
            actor: "user:anna".to_owned(),
        })
    };
    let (one, other) = tokio::join!(start(), start());
    assert!(one.is_ok() != other.is_ok());
    assert_eq!(rig.store.open_installs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_servers_of_one_ledger_one_starts_an_installation() {
    let rig = Rig::new().await;
    // Neither knows what the other one does.
    let other = rig.beside().await;
    let install = rig.start().await;
    let again = Start {
        host: rig.host,
        typed: None,
        actor: "user:bert".to_owned(),
    };
    let refused = other.start(again).await.unwrap_err();
    assert!(matches!(refused, StartRefused::Running), "{refused:?}");
    let running = rig.store.open_installs().await.unwrap();
    assert_eq!(
        running.iter().map(|running| running.id).collect::<Vec<_>>(),
        [install.id]
    );
    // What it was refused has moved nothing.
    let kept = rig.store.host(rig.host).await.unwrap().unwrap();
    assert_eq!(kept.state, State::Installing);
    let changes = rig.store.changes(rig.host, None, 50).await.unwrap();
    let by_bert = changes
        .iter()
        .filter(|change| change.actor.as_deref() == Some("user:bert"));
    assert_eq!(by_bert.count(), 0);
}
