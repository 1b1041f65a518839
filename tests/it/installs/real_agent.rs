//! The real server and the agent's own code, from the token to the end of an installation.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chrono::Utc;
use muster::{
    install::{Evidence, InstallId, Outcome, Planned, Progress, Secrets, Stage},
    inventory::{Host, HostId, State, new_id},
    store::{Install, Store, Write},
};
use muster_facts::MacAddr;
use muster_fleet::trial::{Server, Site, SitePlan};

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);
const LONG: Duration = Duration::from_secs(60);

/// The tree of an installed Debian 13, as far as it is compared.
fn machine(root: &Path, server: &str, token: &str) {
    for (path, text) in [
        (
            "etc/os-release",
            "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian GNU/Linux 13\"\n".to_owned(),
        ),
        ("proc/sys/kernel/hostname", "web1\n".to_owned()),
        (
            "proc/cmdline",
            "BOOT_IMAGE=/vmlinuz root=/dev/vda1 console=ttyS0\n".to_owned(),
        ),
        (
            "sys/class/dmi/id/product_uuid",
            "4c4c4544-0042-4b10-8032-b2c04f4e4d31\n".to_owned(),
        ),
        ("sys/class/dmi/id/product_serial", "2BK2NM1\n".to_owned()),
        (
            "etc/muster/agent.env",
            format!("MUSTER_SERVER={server}\nMUSTER_TOKEN={token}\n"),
        ),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let nic = "devices/pci0000:00/0000:00:03.0/net/eth0";
    fs::create_dir_all(root.join("sys").join(nic)).unwrap();
    fs::create_dir_all(root.join("sys/class/net")).unwrap();
    for (name, text) in [("address", MAC.to_string()), ("type", "1".to_owned())] {
        fs::write(root.join("sys").join(nic).join(name), text + "\n").unwrap();
    }
    symlink(Path::new("../..").join(nic), root.join("sys/class/net/eth0")).unwrap();
}

/// An installation that has come to the restart, as the ledger keeps it: the server that starts on it goes on with it.
fn rebooting(host: HostId, secrets: &Secrets) -> Install {
    let now = Utc::now();
    let mut progress = Progress::requested("user:anna", now);
    progress.start_installer("the machine was given its installer", now);
    for stage in [Stage::Answer, Stage::Post, Stage::Rebooting] {
        progress.hear(&Evidence::new(stage, "the machine says so"), now);
    }
    Install {
        id: InstallId(new_id(now)),
        host,
        profile: "web".into(),
        distro: "debian-13".into(),
        started_by: "user:anna".into(),
        created_at: now,
        ended_at: None,
        outcome: Outcome::Open,
        failed_by: None,
        reason: None,
        progress,
        once: true,
        agent: true,
        hashes: Some(secrets.hashes()),
        client: Some("127.0.0.1".parse().unwrap()),
        snapshot: None,
        planned: Planned {
            hostname: Some("web1".into()),
            os: Some("debian".into()),
            os_version: Some("13.1".into()),
            kernel_options: vec!["console=ttyS0".into()],
            ..Planned::default()
        },
        differences: None,
    }
}

fn muster(site: &Site, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(name);
        }
    }
    let output = command
        .arg("--config")
        .arg(site.settings())
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn ended(store: &Store, id: InstallId) -> Install {
    let start = Instant::now();
    loop {
        let install = store.install(id).await.unwrap().unwrap();
        if install.outcome != Outcome::Open {
            return install;
        }
        assert!(start.elapsed() < LONG, "it goes on in {:?}", install.progress);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_machine_enrols_reports_and_is_as_planned() {
    let plan = SitePlan {
        log: "debug".into(),
        ..SitePlan::default()
    };
    let site = Site::create(&plan).unwrap();
    let data = site.settings().parent().unwrap().join("data");
    let url = format!("sqlite://{}", data.join("muster.db").display());
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let secrets = Secrets::of("the token in the answer file's address");
    let host = Host {
        state: State::Installing,
        ..Host::discovered(HostId(new_id(Utc::now())), Utc::now())
    };
    let install = rebooting(host.id, &secrets);
    store
        .writer()
        .commit(vec![
            Write::HostCreated(Box::new(host.clone()), vec![MAC]),
            Write::Install(Box::new(install.clone())),
        ])
        .await
        .unwrap();
    store.close().await.unwrap();

    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_muster")), &site)
        .await
        .unwrap();
    let root = tempfile::tempdir().unwrap();
    let base = format!("http://{}", site.boot());
    machine(root.path(), &base, &secrets.enrol);
    // It serves until the process of this test ends, as the service does.
    let options = muster_agent::serve::Options::below(root.path());
    std::thread::spawn(move || muster_agent::serve::run(&options));

    let store = Store::open(&url).await.unwrap();
    let done = ended(&store, install.id).await;
    assert_eq!(
        (done.outcome, done.differences.as_deref()),
        (Outcome::Done, Some([].as_slice())),
        "{done:?}"
    );
    let reached: Vec<Stage> = done.progress.times.iter().map(|time| time.stage).collect();
    assert!(
        reached.ends_with(&[Stage::AgentEnrolled, Stage::Verified]),
        "{reached:?}"
    );
    assert_eq!(store.host(host.id).await.unwrap().unwrap().state, State::Active);
    let env = fs::read_to_string(root.path().join("etc/muster/agent.env")).unwrap();
    assert_eq!(env, format!("MUSTER_SERVER={base}\n"));
    let credential = fs::read_to_string(root.path().join("etc/muster/agent.credential")).unwrap();
    let credential = credential.trim();

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let alive = async || {
        let asked = http.post(format!("{base}/agent/v1/heartbeat")).bearer_auth(credential);
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(alive().await.0, 200);
    // The command line ends it for the server that runs.
    let id = host.id.to_string();
    let listed = muster(&site, &["agent", "list"]);
    assert!(listed.contains(&id), "{listed}");
    assert!(muster(&site, &["agent", "revoke", &id]).contains("no longer known"));
    let (status, text) = alive().await;
    assert_eq!((status, text.contains("agent_revoked")), (401, true), "{text}");
    assert!(muster(&site, &["agent", "list", "--json"]).contains(r#""revoked_by": "cli""#));

    server.finish().await.unwrap();
    store.close().await.unwrap();
    let mut files: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.push(site.log());
    for file in files.into_iter().filter(|file| file.is_file()) {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [credential, &secrets.enrol] {
            assert!(!text.contains(secret), "{} holds a secret", file.display());
        }
    }
    assert!(!fs::read(site.log()).unwrap().is_empty());
}
