//! One trial: a site, a server in it, and machines whose stories are compared with what should have happened.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use muster_lab::{
    Machine, Namespace, compare,
    hardware::Hardware,
    ledger::{Event, HostReport, Ledger},
    server::Server,
    site::{Programs, Site},
    stop,
};

/// How long a machine may take from power-on to its report, emulated and beside other work.
const REPORT_LIMIT: Duration = Duration::from_secs(360);
/// How long the last events may take to be in the ledger after the report.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
const TOKEN: &str = "e2e-set-up-token";
const PASSWORD: &str = "correct horse battery";

/// The server's binary, and the image and loaders that `cargo xtask image` has built.
pub(crate) fn programs() -> Programs {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("netboot/out");
    assert!(
        built.join("vmlinuz").is_file(),
        "no collection image in {}: run `cargo xtask image`",
        built.display()
    );
    Programs {
        server: env!("CARGO_BIN_EXE_muster").into(),
        loaders: built.join("loaders"),
        image: built,
    }
}

/// Where a test's logs stay, to be read when it fails.
pub(crate) fn logs(test: &str) -> PathBuf {
    let folder = folder(test);
    // Logs of an earlier run would be taken for this one's.
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// The folder of a test's logs.
pub(crate) fn folder(test: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e").join(test)
}

/// A site on one network, where the server and the machines are.
pub(crate) fn site(test: &str) -> Site {
    Site::open(Namespace::unique("e2e").unwrap(), &logs(test)).unwrap()
}

/// Starts the server in `mode`.
pub(crate) fn serve(site: &Site, mode: &'static str) -> Server {
    serve_with(site, mode, "")
}

/// The same with more settings, as TOML.
pub(crate) fn serve_with(site: &Site, mode: &'static str, more: &str) -> Server {
    site.start_server(&programs(), mode, TOKEN, more).unwrap()
}

/// Signs in to a server that was just started.
pub(crate) fn sign_in(site: &Site) -> Ledger<'_> {
    Ledger::set_up(site, TOKEN, "tester", PASSWORD).unwrap()
}

/// Waits for a machine's report, and checks that it says what the machine was given.
pub(crate) fn assert_reports(ledger: &Ledger<'_>, machine: &Machine) -> HostReport {
    let name = format!("the report of {}", machine.spec().name);
    let report = stop::wait_for(
        &name,
        REPORT_LIMIT,
        || ledger.report_of(&machine.spec().hardware),
        || {
            format!(
                "{}\n{}",
                machine.console().last(30),
                told(ledger, &machine.spec().hardware)
            )
        },
    )
    .unwrap();
    let wrong: Vec<_> = compare::rows(machine.spec(), &report.facts)
        .into_iter()
        .filter(|row| !row.agrees())
        .collect();
    assert!(wrong.is_empty(), "reported otherwise than given: {wrong:#?}");
    report
}

/// Compares a machine's whole story with `expected`, one line for each event: its kind, and the values that matter.
pub(crate) fn assert_story(ledger: &Ledger<'_>, hardware: &Hardware, expected: &[&str]) {
    let seen = || ledger.story(&hardware.nics[0].mac).map(|story| lines(&story));
    let settled = stop::wait_for(
        "the story to be complete",
        SETTLE_LIMIT,
        || Ok((seen()? == expected).then_some(())),
        || told(ledger, hardware),
    );
    if settled.is_err() {
        // The comparison shows both sides.
        assert_eq!(seen().unwrap(), expected, "whole story:\n{}", told(ledger, hardware));
    }
}

/// The story in the form it is compared in: kinds, files, and rules where something was decided.
///
/// The collection image's own steps are one line: how many there are depends on how long the link takes. A question
/// that was asked again, because the answer was late or lost, is one line with its answer as well. What another server
/// was heard to answer is left out: it may be read before or after the question that both servers heard.
fn lines(story: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in story {
        let value = match event.kind.as_str() {
            "tftp_request" | "tftp_done" | "http_file" | "http_refused" => event.param("file").to_owned(),
            "tftp_failed" => format!("{} {}", event.param("file"), event.param("why")),
            _ => event.rule.clone().unwrap_or_default(),
        };
        let line = [event.kind.as_str(), &value].join(" ").trim_end().to_owned();
        let again = line == "image_progress" && lines.last() == Some(&line);
        if again || line == "dhcp_other_server other_server_heard" {
            continue;
        }
        lines.push(line);
        if let [.., question, answer, again, same] = &lines[..]
            && question.starts_with("dhcp_")
            && (question, answer) == (again, same)
        {
            lines.truncate(lines.len() - 2);
        }
    }
    lines
}

fn told(ledger: &Ledger<'_>, hardware: &Hardware) -> String {
    match ledger.story(&hardware.nics[0].mac) {
        Ok(story) => story.iter().map(|event| format!("{event}\n")).collect(),
        Err(error) => format!("no story: {error}"),
    }
}

/// The ledger hears of the machine for the first time, by its first packet.
pub(crate) const NEW: [&str; 1] = ["host_created"];
/// Firmware asks for an address and gets it, with the loader for it.
pub(crate) const FIRMWARE_ADDRESS: [&str; 4] = [
    "dhcp_discover",
    "dhcp_offer loader_for_architecture",
    "dhcp_request",
    "dhcp_ack loader_for_architecture",
];
/// iPXE asks for an address and gets it, with its script.
pub(crate) const IPXE_ADDRESS: [&str; 4] = [
    "dhcp_discover",
    "dhcp_offer ipxe_script",
    "dhcp_request",
    "dhcp_ack ipxe_script",
];
/// iPXE fetches its script and what it names; the image starts.
pub(crate) const SCRIPT: [&str; 3] = ["boot_script unknown_collect", "http_file vmlinuz", "http_file initrd"];
/// The image asks for an address of its own and gets it.
pub(crate) const IMAGE_ADDRESS: [&str; 4] = [
    "dhcp_discover",
    "dhcp_offer image_address",
    "dhcp_request",
    "dhcp_ack image_address",
];
/// The image tells what it does and reports; the machine waits.
pub(crate) const REPORT: [&str; 3] = ["image_progress", "facts_accepted", "next_told"];
