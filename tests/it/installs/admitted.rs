//! Which agents are listened to: the ledger is asked each time, whatever is remembered of a credential.

use std::net::IpAddr;

use chrono::TimeDelta;
use muster::{
    install::InstallId,
    inventory::HostId,
    provision::agents::{AgentRefused, Agents, revocation},
    store::Write,
};

use super::{OWN, Rig};

fn own() -> IpAddr {
    OWN.parse().unwrap()
}

#[tokio::test]
async fn a_credential_is_remembered_when_it_was_good_and_is_no_longer_good_when_it_was_revoked() {
    let (rig, credential) = Rig::enrolled().await;
    let agents = Agents::new(rig.installs.clone());
    assert!(!agents.has_seen(&credential), "nobody has asked since the start");
    let agent = agents.admit(&credential, own()).await.unwrap();
    assert_eq!(agent.host, rig.host);
    assert!(agents.has_seen(&credential));

    // Others are not let in by it, and what they try is not remembered.
    for guess in [
        "",
        "muster_agent_",
        &credential.to_uppercase(),
        &format!("{credential}x"),
    ] {
        let refused = agents.admit(guess, own()).await.unwrap_err();
        assert!(matches!(refused, AgentRefused::Unknown), "{guess}: {refused}");
        assert!(!agents.has_seen(guess), "{guess}");
    }

    // A command ends it in the ledger: this server was not told.
    let writes = revocation(rig.host, "cli", rig.installs.now());
    rig.store.writer().commit(writes).await.unwrap();
    assert!(agents.has_seen(&credential));
    let refused = agents.admit(&credential, own()).await.unwrap_err();
    assert!(matches!(refused, AgentRefused::Revoked), "{refused}");
}

#[tokio::test]
async fn a_credential_goes_with_its_host_when_that_turns_out_to_be_another() {
    let (rig, credential) = Rig::enrolled().await;
    let install = rig.store.open_install(rig.host).await.unwrap().unwrap();
    let into = muster::inventory::Host {
        id: HostId(uuid::Uuid::now_v7()),
        ..rig.store.host(rig.host).await.unwrap().unwrap()
    };
    let writes = vec![
        Write::HostCreated(Box::new(into.clone()), Vec::new()),
        Write::HostAbsorbed {
            from: rig.host,
            into: into.id,
        },
    ];
    rig.store.writer().commit(writes).await.unwrap();
    let agents = Agents::new(rig.installs.clone());
    let agent = agents.admit(&credential, own()).await.unwrap();
    assert_eq!(agent.host, into.id);
    let moved: Option<InstallId> = rig.store.open_install(into.id).await.unwrap().map(|install| install.id);
    assert_eq!(moved, Some(install.id), "its installation too");
}

#[tokio::test]
async fn that_a_credential_was_used_is_written_now_and_then() {
    let (rig, credential) = Rig::enrolled().await;
    let agents = Agents::new(rig.installs.clone());
    let mut used = Vec::new();
    for _ in 0..12 {
        let agent = agents.admit(&credential, own()).await.unwrap();
        let _ = agents.heartbeat(&agent, own());
        rig.store.drain().await.unwrap();
        let kept = rig.store.agent_credentials(Some(rig.host), 1).await.unwrap();
        used.extend(kept[0].last_used_at);
        rig.pass(TimeDelta::minutes(1));
    }
    assert_eq!(used.len(), 12);
    used.dedup();
    assert_eq!(used.len(), 2, "at once, and ten minutes later: {used:?}");
}
