//! What iPXE cannot do: shim and GRUB, another loader for one host, the way to the disk on UEFI, and the console's menu.

use std::net::IpAddr;

use chrono::TimeDelta;
use muster::{
    boot::{EventKind, Level, Policy},
    desired::{HostPlan, Values},
    discovery::ScriptRequest,
    inventory::HostId,
    ipam::Mode,
    provision::{Catalog, Loaders},
    render::ScriptLanguage,
};
use muster_facts::MacAddr;
use muster_wire::tftp::{End, Report};

use crate::dhcp::rig::{MAC, Rig, SERVER, discover, lab, select, time, uefi};

const OTHER: MacAddr = MacAddr([0x52, 0x54, 0, 0x77, 0, 10]);

/// A rig that has these loaders as well.
async fn rig(policy: Policy, loaders: &[&str]) -> Rig {
    let rig = Rig::with(lab(Mode::Pool), policy).await;
    for name in loaders {
        std::fs::write(rig.folder.path().join(name), b"loader").unwrap();
    }
    rig.discovery.files().look();
    rig
}

/// Fetches a file by TFTP to its end; its text, or how much its absence matters.
async fn fetch(rig: &Rig, client: IpAddr, file: &str) -> Result<String, Level> {
    match rig.discovery.tftp_requested(client, None, SERVER, file) {
        Ok((content, ticket)) => {
            let report = Report {
                bytes: content.bytes.len() as u64,
                duration_ms: 1,
                retransmits: 0,
                end: End::Completed,
            };
            rig.discovery.tftp_ended(&ticket, &report);
            Ok(String::from_utf8_lossy(&content.bytes).into_owned())
        }
        Err(_) => {
            let told = rig.transcript(MAC).await;
            Err(told.last().unwrap().level)
        }
    }
}

fn asks(language: ScriptLanguage, choice: &str) -> ScriptRequest {
    ScriptRequest {
        language,
        choice: choice.to_owned(),
        mac: MAC.to_string(),
        asked_host: "10.77.0.1:8081".to_owned(),
        ..ScriptRequest::default()
    }
}

#[tokio::test]
async fn a_host_s_own_loader_is_given_and_taken_back() {
    let rig = rig(Policy::default(), &["shimx64.efi"]).await;
    for mac in [MAC, OTHER] {
        rig.ask(&uefi(discover(mac))).await.unwrap();
    }
    let host = rig.transcript(MAC).await.last().and_then(|event| event.host).unwrap();
    let catalog = Catalog::new(rig.store.clone(), &[]);
    let mut loaders = Loaders::new(catalog.clone(), rig.discovery.clone());
    catalog
        .set_plan(plan(host, r#"{"loader": "shim"}"#), "anna", time(0))
        .await
        .unwrap();
    loaders.look().await.unwrap();
    let given = async |mac| {
        let offer = rig.ask(&uefi(discover(mac))).await.unwrap();
        offer.boot_file_name().map(str::to_owned)
    };
    assert_eq!(given(MAC).await.as_deref(), Some("shimx64.efi"));
    assert_eq!(given(OTHER).await.as_deref(), Some("snponly.efi"));
    let told = rig.transcript(MAC).await;
    assert_eq!(told.last().unwrap().rule.as_deref(), Some("loader_for_host"));

    catalog.remove_plan(host, "anna", time(1)).await.unwrap();
    loaders.look().await.unwrap();
    assert_eq!(given(MAC).await.as_deref(), Some("snponly.efi"));
}

fn plan(host: HostId, values: &str) -> HostPlan {
    let values: serde_json::Value = serde_json::from_str(values).unwrap();
    HostPlan {
        values: Values::check(values.as_object().unwrap().clone()).unwrap(),
        ..HostPlan::empty(host)
    }
}

#[test]
fn a_loader_nobody_knows_is_refused_where_it_is_written() {
    let values = serde_json::json!({"loader": "pxelinux"});
    let fault = Values::check(values.as_object().unwrap().clone())
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("loader") && fault.contains("ipxe, grub, shim"),
        "{fault}"
    );
}

/// As in the capture of shim and GRUB: what they look for on their own account is no trouble, and no loop.
#[tokio::test]
async fn shim_and_grub_come_to_their_script() {
    let mut policy = Policy::default();
    policy.loaders.set(muster::boot::Architecture::X64Uefi, "shimx64.efi");
    let rig = rig(policy, &["shimx64.efi", "grubx64.efi"]).await;
    let offer = rig.ask(&uefi(discover(MAC))).await.unwrap();
    let ack = rig.ask(&uefi(select(MAC, offer.yiaddr))).await.unwrap();
    assert_eq!(ack.boot_file_name(), Some("shimx64.efi"));
    let client = IpAddr::V4(ack.yiaddr);
    assert!(fetch(&rig, client, "shimx64.efi").await.is_ok());
    for optional in ["revocations_sku.efi", "revocations_sbat.efi", "shim_certificate_0.efi"] {
        assert_eq!(fetch(&rig, client, optional).await, Err(Level::Info), "{optional}");
    }
    assert_eq!(rig.verdict(MAC).await, "in_progress");
    assert!(fetch(&rig, client, "grubx64.efi").await.is_ok());
    for part in ["command.lst", "fs.lst", "crypto.lst", "terminal.lst"] {
        let file = format!("/grub/x86_64-efi/{part}");
        assert_eq!(fetch(&rig, client, &file).await, Err(Level::Info), "{file}");
    }
    let by_mac = format!("/grub/grub.cfg-01-{}", MAC.to_string().replace(':', "-"));
    for name in [by_mac.as_str(), "/grub/grub.cfg-0A4D0064", "/grub/grub.cfg"] {
        let text = fetch(&rig, client, name).await.unwrap();
        let script = format!("'(http,10.77.0.1:8081)/boot/grub/script?mac={MAC}&arch='\"$grub_cpu\"");
        assert!(text.contains(&script), "{text}");
    }
    assert_eq!(rig.verdict(MAC).await, "in_progress");
    let by_grub = ScriptRequest {
        // As GRUB writes it: without the port.
        asked_host: "10.77.0.1".to_owned(),
        ..asks(ScriptLanguage::Grub, "")
    };
    let script = rig.discovery.boot_script(&by_grub).await;
    assert!(
        script.contains("linux '(http,10.77.0.1:8081)/boot/image/vmlinuz' 'muster.server=http://10.77.0.1:8081'"),
        "{script}"
    );
    // Nobody can be told who asks, so nothing is given away.
    let stranger = IpAddr::V4("10.99.0.9".parse().unwrap());
    assert!(
        rig.discovery
            .tftp_requested(stranger, None, SERVER, "/grub/grub.cfg")
            .is_err()
    );
}

#[tokio::test]
async fn a_uefi_machine_is_sent_to_its_disk_by_a_loader_that_is_there() {
    let policy = Policy {
        unknown: muster::boot::UnknownBoots::Local,
        ..Policy::default()
    };
    let rig = rig(policy, &["local-x64.efi"]).await;
    let script = rig.discovery.boot_script(&asks(ScriptLanguage::Ipxe, "")).await;
    let chain = "iseq ${buildarch} x86_64 && chain --autofree http://10.77.0.1:8081/boot/loader/local-x64.efi ||";
    assert!(script.contains(chain) && script.contains("sanboot"), "{script}");
    assert!(!script.contains("arm64"), "a loader that is not there: {script}");
    // The loader it fetches for that does not undo what the boot came to.
    let client = rig.lease(MAC).await;
    rig.discovery.boot_script(&asks(ScriptLanguage::Ipxe, "")).await;
    rig.discovery.http_file_served(client.into(), "local-x64.efi", 1);
    assert_eq!(rig.verdict(MAC).await, "local_boot");
}

#[tokio::test]
async fn a_person_at_the_console_chooses_among_what_the_rules_leave() {
    let policy = Policy {
        menu: Some(TimeDelta::seconds(10)),
        refuse: vec![OTHER.to_string().parse().unwrap()],
        ..Policy::default()
    };
    let rig = rig(policy, &["memtest-x64.bin", "memtest-x64.efi"]).await;
    let script = async |choice| rig.discovery.boot_script(&asks(ScriptLanguage::Ipxe, choice)).await;
    let menu = script("").await;
    assert!(menu.contains("choose --timeout 10000 --default default"), "{menu}");
    for item in ["item --key l local", "item --key m memtest"] {
        assert!(menu.contains(item), "{item} in {menu}");
    }
    assert!(
        !menu.contains("--key f collect"),
        "what was decided is there twice: {menu}"
    );
    assert!(!menu.contains("muster.token="), "a menu gives no right to report");
    assert!(script("local").await.contains("sanboot"));
    assert!(script("memtest").await.contains("/boot/loader/memtest-x64.efi"));
    assert_eq!(rig.verdict(MAC).await, "memory_test");
    for choice in ["default", "install", "../x"] {
        assert!(script(choice).await.contains("muster.token="), "{choice}");
    }
    let menu = rig.discovery.boot_script(&asks(ScriptLanguage::Grub, "")).await;
    assert!(
        menu.contains("menuentry 'Go on: collect") && menu.contains("&choice=local'"),
        "{menu}"
    );
    let told = rig.transcript(MAC).await;
    let actions: Vec<&str> = told
        .iter()
        .filter(|event| event.kind == EventKind::BootScript)
        .map(|event| event.params["action"].as_str())
        .collect();
    assert_eq!(
        actions,
        ["menu", "local", "memtest", "collect", "collect", "collect", "menu"]
    );

    let refused = ScriptRequest {
        mac: OTHER.to_string(),
        ..asks(ScriptLanguage::Ipxe, "collect")
    };
    let script = rig.discovery.boot_script(&refused).await;
    assert!(
        script.contains("refused by policy") && !script.contains("muster.token="),
        "{script}"
    );
}
