use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;
use uuid::Uuid;

use super::*;
use crate::boot::{EventKind as K, Level};

/// Seconds since the boot began, kind, rule, parameters as `name=value` words.
type Line = (i64, K, &'static str, &'static str);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn boot(lines: &[Line]) -> Vec<Event> {
    lines
        .iter()
        .map(|(seconds, kind, rule, params)| Event {
            id: Uuid::nil(),
            at: at(*seconds),
            mac: Some(MacAddr([0x52, 0x54, 0, 0x77, 0, 1])),
            host: None,
            boot: None,
            kind: *kind,
            level: Level::Info,
            rule: (!rule.is_empty()).then(|| (*rule).to_owned()),
            params: params
                .split_whitespace()
                .filter_map(|word| word.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>(),
        })
        .collect()
}

fn verdict(lines: &[Line], now: i64) -> Verdict {
    diagnose(&boot(lines), &Surroundings { image: true }, at(now))
}

fn code(lines: &[Line], now: i64) -> &'static str {
    verdict(lines, now).code.as_str()
}

const DISCOVER: Line = (0, K::DhcpDiscover, "", "client=firmware arch=x64-uefi mode=pool");
const OFFER: Line = (
    0,
    K::DhcpOffer,
    "loader_for_architecture",
    "client=firmware file=snponly.efi mode=pool",
);
const REQUEST: Line = (4, K::DhcpRequest, "", "client=firmware arch=x64-uefi mode=pool");
const ACK: Line = (
    4,
    K::DhcpAck,
    "loader_for_architecture",
    "client=firmware file=snponly.efi mode=pool",
);
const LOADED: Line = (5, K::TftpDone, "", "file=snponly.efi");
const IPXE: Line = (8, K::DhcpDiscover, "", "client=ipxe arch=x64-uefi mode=pool");
const IPXE_ACK: Line = (
    8,
    K::DhcpAck,
    "ipxe_script",
    "client=ipxe url=http://10.77.0.1:8081/boot/ipxe mode=pool",
);
const SCRIPT: Line = (9, K::BootScript, "unknown_collect", "");

#[test]
fn a_good_boot_is_in_progress_then_reported() {
    let mut lines = vec![DISCOVER];
    assert_eq!(code(&lines, 1), "in_progress");
    lines.extend([OFFER, REQUEST, ACK, (4, K::TftpRequest, "", "file=snponly.efi")]);
    assert_eq!(code(&lines, 5), "in_progress");
    lines.push((4, K::TftpFailed, "", "file=snponly.efi why=aborted"));
    lines.extend([
        LOADED,
        (6, K::TftpFailed, "", "file=autoexec.ipxe why=missing"),
        IPXE,
        IPXE_ACK,
    ]);
    assert_eq!(code(&lines, 20), "in_progress");
    lines.extend([
        SCRIPT,
        (10, K::HttpFile, "", "file=vmlinuz"),
        (11, K::HttpFile, "", "file=initrd"),
    ]);
    assert_eq!(verdict(&lines, 60).params["phase"], "image");
    assert_eq!(code(&lines, 400), "stalled");
    lines.extend([
        (15, K::DhcpDiscover, "", "client=image mode=pool"),
        (15, K::DhcpAck, "image_address", "client=image mode=pool"),
        (16, K::ImageProgress, "", "stage=gather"),
        (17, K::FactsAccepted, "", ""),
    ]);
    let reported = verdict(&lines, 4000);
    assert_eq!(reported.code, VerdictCode::Reported);
    assert_eq!(reported.params["seconds"], "17");
}

#[test]
fn no_subnet_for_the_interface() {
    let lines = [
        (0, K::DhcpDiscover, "", "client=firmware arch=x64-uefi interface=br9"),
        (0, K::DhcpSilence, "no_subnet", "interface=br9"),
    ];
    let found = verdict(&lines, 1);
    assert_eq!((found.code.as_str(), found.level), ("no_subnet", Level::Fail));
    assert_eq!(found.params["interface"], "br9");
}

#[test]
fn a_second_server_answers_first() {
    let lines = [
        DISCOVER,
        OFFER,
        (
            1,
            K::DhcpOtherServer,
            "other_server_chosen",
            "server=10.77.0.9 mode=pool subnet=10.77.0.0/24",
        ),
    ];
    let found = verdict(&lines, 2);
    assert_eq!(found.code.as_str(), "other_server_first");
    assert_eq!(found.params["server"], "10.77.0.9");
    // The next round is won.
    let won = [lines.as_slice(), &[REQUEST, ACK]].concat();
    assert_eq!(code(&won, 5), "in_progress");
    // Hearing another server's offer is not losing to it.
    let heard = [
        DISCOVER,
        OFFER,
        (
            1,
            K::DhcpOtherServer,
            "other_server_heard",
            "server=10.77.0.9 mode=pool",
        ),
    ];
    assert_eq!(code(&heard, 2), "in_progress");
}

#[test]
fn a_loader_for_another_architecture() {
    let lines = [
        DISCOVER,
        OFFER,
        (
            4,
            K::DhcpAck,
            "loader_for_architecture",
            "client=firmware arch=x64-uefi file=undionly.kpxe mode=pool",
        ),
        (5, K::TftpDone, "", "file=undionly.kpxe"),
    ];
    assert_eq!(code(&lines, 10), "in_progress");
    let found = verdict(&lines, 40);
    assert_eq!(found.code.as_str(), "wrong_loader");
    assert_eq!(found.params["arch"], "x64-uefi");
    assert_eq!(found.params["file_arch"], "x86-bios");
    // Firmware that tries again and again is not looping through a good loader.
    assert_eq!(code(&lines.repeat(3), 10), "wrong_loader");
    // When iPXE shows up after all, the loader was not wrong.
    assert_eq!(code(&[lines.as_slice(), &[IPXE]].concat(), 60), "in_progress");
}

#[test]
fn firmware_that_ignores_proxydhcp() {
    let offer = (
        0,
        K::ProxyOffer,
        "loader_for_architecture",
        "client=firmware file=snponly.efi mode=proxy",
    );
    let took = (
        4,
        K::DhcpOtherServer,
        "other_server_chosen",
        "server=10.77.0.9 mode=proxy",
    );
    assert_eq!(code(&[DISCOVER, offer, took], 20), "in_progress");
    let found = verdict(&[DISCOVER, offer, took], 40);
    assert_eq!(found.code.as_str(), "proxy_ignored");
    assert_eq!(found.params["server"], "10.77.0.9");
    let asked = (5, K::TftpRequest, "", "file=snponly.efi");
    assert_eq!(code(&[DISCOVER, offer, took, asked], 40), "in_progress");
    let asked = (
        5,
        K::DhcpAck,
        "boot_server_asked",
        "client=firmware file=snponly.efi mode=proxy",
    );
    assert_eq!(code(&[DISCOVER, offer, took, asked], 40), "in_progress");
}

#[test]
fn no_collection_image() {
    let lines = [IPXE, IPXE_ACK, (9, K::BootScript, "no_image", "")];
    assert_eq!(code(&lines, 10), "no_image");
    let lines = [
        IPXE,
        IPXE_ACK,
        SCRIPT,
        (9, K::HttpRefused, "", "file=vmlinuz code=not_found"),
    ];
    assert_eq!(code(&lines, 10), "no_image");
}

#[test]
fn an_exhausted_pool() {
    let lines = [DISCOVER, (0, K::DhcpSilence, "pool_exhausted", "subnet=10.77.0.0/24")];
    let found = verdict(&lines, 1);
    assert_eq!(found.code.as_str(), "pool_exhausted");
    assert_eq!(found.params["subnet"], "10.77.0.0/24");
    assert_eq!(code(&[lines.as_slice(), &[OFFER]].concat(), 2), "in_progress");
}

#[test]
fn an_expired_token() {
    let lines = [
        SCRIPT,
        (10, K::HttpFile, "", "file=vmlinuz"),
        (2000, K::HttpRefused, "", "code=boot_token_expired"),
    ];
    assert_eq!(code(&lines, 2001), "token_expired");
    // The image goes on telling what it does: that does not mend the token.
    let lines = [lines.as_slice(), &[(2002, K::ImageProgress, "", "stage=report")]].concat();
    assert_eq!(code(&lines, 2003), "token_expired");
    // A machine that has reported and asks on with a token that has ended in the meantime has reported.
    let lines = [
        SCRIPT,
        (17, K::FactsAccepted, "", ""),
        (9000, K::FactsRefused, "", "code=boot_token_expired"),
    ];
    assert_eq!(code(&lines, 9001), "reported");
}

#[test]
fn a_server_that_is_not_reachable_by_http() {
    assert_eq!(code(&[IPXE, IPXE_ACK], 20), "in_progress");
    let found = verdict(&[IPXE, IPXE_ACK], 30);
    assert_eq!(found.code.as_str(), "http_unreachable");
    assert_eq!(found.params["url"], "http://10.77.0.1:8081/boot/ipxe");
    assert_eq!(code(&[IPXE, IPXE_ACK, SCRIPT], 40), "in_progress");
    // iPXE gives up at once when the connection is refused, and the firmware begins again.
    let round = [DISCOVER, OFFER, REQUEST, ACK, LOADED, IPXE, IPXE_ACK];
    assert_eq!(code(&round, 9), "in_progress");
    for count in 2..5 {
        for cut in 1..round.len() {
            let lines = [round.repeat(count - 1), round[..cut].to_vec()].concat();
            assert_eq!(code(&lines, 9), "http_unreachable", "{count} {cut}");
        }
    }
    let reached = [round.as_slice(), &round, &[SCRIPT]].concat();
    assert_eq!(code(&reached, 10), "in_progress");
}

#[test]
fn a_machine_that_is_refused() {
    let lines = [DISCOVER, (0, K::DhcpSilence, "refused_by_policy", "")];
    assert_eq!(code(&lines, 1), "refused_by_policy");
    assert_eq!(
        code(&[IPXE, (9, K::BootScript, "refused_by_policy", "")], 10),
        "refused_by_policy"
    );
}

#[test]
fn a_machine_that_loops_through_the_loader() {
    let round = [DISCOVER, OFFER, REQUEST, ACK, LOADED];
    assert_eq!(code(&round.repeat(2), 10), "in_progress");
    let lines = round.repeat(3);
    let found = verdict(&lines, 10);
    assert_eq!(found.code.as_str(), "loader_loop");
    assert_eq!(found.params["times"], "3");
    assert_eq!(code(&[lines, round[..4].to_vec()].concat(), 12), "loader_loop");
}

#[test]
fn the_others() {
    let observed = [
        DISCOVER,
        (0, K::DhcpSilence, "observe", "subnet=10.77.0.0/24 mode=observe"),
        (
            1,
            K::DhcpOtherServer,
            "other_server_chosen",
            "server=10.77.0.9 mode=observe",
        ),
    ];
    let found = verdict(&observed, 100);
    assert_eq!((found.code.as_str(), found.level), ("observed_only", Level::Info));
    assert_eq!(found.params["server"], "10.77.0.9");
    assert_eq!(code(&[DISCOVER, (0, K::DhcpSilence, "not_known", "")], 1), "not_known");
    assert_eq!(
        code(&[ACK, (5, K::DhcpDecline, "address_in_use", "address=10.77.0.100")], 6),
        "address_conflict"
    );
    assert_eq!(
        code(&[(0, K::DhcpOffer, "no_loader_for_architecture", "arch=other-27")], 1),
        "no_loader"
    );
    assert_eq!(
        code(&[ACK, (5, K::TftpFailed, "", "file=snponly.efi why=missing")], 6),
        "no_loader"
    );
    assert_eq!(
        code(
            &[SCRIPT, (9, K::FactsRefused, "", "code=facts_malformed why=disks")],
            10
        ),
        "facts_refused"
    );
    assert_eq!(code(&[IPXE, (9, K::BootScript, "unknown_local", "")], 10), "local_boot");
    assert_eq!(
        code(&[SCRIPT, (9, K::ImageProgress, "", "stage=failed message=link")], 10),
        "image_trouble"
    );
    assert_eq!(code(&[DISCOVER, OFFER], 200), "stalled");
    assert_eq!(code(&[], 0), "in_progress");
}
