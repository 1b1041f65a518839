//! The transcript of one boot in plain words.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{format, words::Locale, words::say};
use crate::boot::{Event, EventKind, Level, Rule};

/// One line of a transcript.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// Since the first line of this boot: `+3.2 s`.
    offset: String,
    at: DateTime<Utc>,
    tone: &'static str,
    /// Part of the catalogue key `actor.ACTOR`.
    actor: &'static str,
    words: String,
    /// What decided, in words.
    rule: Option<String>,
}

/// The lines of a boot, in the order of time; `events` come newest first as the ledger gives them.
pub(super) fn lines(events: &[Event], locale: Locale) -> Vec<Line> {
    let Some(began) = events.last().map(|event| event.at) else {
        return Vec::new();
    };
    events.iter().rev().map(|event| line(event, began, locale)).collect()
}

fn line(event: &Event, began: DateTime<Utc>, locale: Locale) -> Line {
    Line {
        offset: format::offset(began, event.at),
        at: event.at,
        tone: tone(event),
        actor: actor(event),
        words: words(event, locale),
        rule: event
            .rule
            .as_deref()
            .map(|rule| filled(&format!("rule.{rule}"), &event.params, locale).unwrap_or_else(|| rule.to_owned())),
    }
}

/// An event in words.
pub(super) fn words(event: &Event, locale: Locale) -> String {
    let key = format!("event.{}", said_as(event));
    filled(&key, &event.params, locale).unwrap_or(key)
}

/// Part of the catalogue key `event.WORD`: the kind, or a word of its own where the kind alone would mislead.
fn said_as(event: &Event) -> &'static str {
    let has = |name: &str| event.params.contains_key(name);
    let why = event.params.get("why").map(String::as_str);
    match event.kind {
        EventKind::DhcpRequest if has("port") => "boot_request",
        // To a client that has its address already.
        EventKind::DhcpAck if has("mode") && !has("address") => "settings_given",
        EventKind::TftpFailed if event.level == Level::Info && why == Some("missing") => "tftp_optional",
        EventKind::TftpFailed if event.level == Level::Info && why == Some("size_only") => "tftp_size",
        kind => kind.as_str(),
    }
}

/// A text with the parameters of an event or verdict: sizes are written as sizes, words that have a text as that text.
pub(super) fn filled(key: &str, params: &BTreeMap<String, String>, locale: Locale) -> Option<String> {
    say(locale, key, &|name| match name {
        "bytes" => {
            let bytes = params.get(name)?;
            Some(bytes.parse().map_or_else(|_| bytes.clone(), format::memory))
        }
        // Transfers are measured in milliseconds.
        "seconds" if !params.contains_key(name) => {
            let ms: u64 = params.get("ms")?.parse().ok()?;
            Some(format!("{}.{}", ms / 1000, ms % 1000 / 100))
        }
        "arch" | "file_arch" => params.get(name).map(|arch| firmware(arch, locale)),
        _ => params.get(name).map(|value| {
            let known = format!("word.{name}.{value}");
            say(locale, &known, &|_| None).unwrap_or_else(|| value.clone())
        }),
    })
}

/// A kind of firmware in words.
fn firmware(arch: &str, locale: Locale) -> String {
    let known = match arch.strip_prefix("other-") {
        Some(number) => say(locale, "word.arch.other", &|_| Some(number.to_owned())),
        None => say(locale, &format!("word.arch.{arch}"), &|_| None),
    };
    known.unwrap_or_else(|| arch.to_owned())
}

fn tone(event: &Event) -> &'static str {
    match (event.level, event.kind) {
        (Level::Fail, _) => "bad",
        (Level::Warn, _) => "warn",
        (Level::Info, EventKind::FactsAccepted | EventKind::HostCreated | EventKind::HostRecognised) => "good",
        (Level::Info, _) => match actor(event) {
            "muster" => "busy",
            _ => "calm",
        },
    }
}

fn actor(event: &Event) -> &'static str {
    match event.kind {
        EventKind::DhcpOtherServer if event.rule.as_deref() == Some(Rule::OtherServerHeard.as_str()) => "other",
        EventKind::DhcpDiscover
        | EventKind::DhcpRequest
        | EventKind::DhcpDecline
        | EventKind::DhcpRelease
        | EventKind::DhcpInform
        | EventKind::DhcpOtherServer
        | EventKind::TftpRequest
        | EventKind::TftpDone
        | EventKind::TftpFailed
        | EventKind::HttpFile
        | EventKind::ImageProgress => "machine",
        EventKind::DhcpOffer
        | EventKind::ProxyOffer
        | EventKind::DhcpAck
        | EventKind::DhcpNak
        | EventKind::DhcpSilence
        | EventKind::BootScript
        | EventKind::HttpRefused
        | EventKind::FactsAccepted
        | EventKind::FactsRefused
        | EventKind::NextTold
        | EventKind::InstallStarted
        | EventKind::AnswerServed
        | EventKind::AnswerRefused
        | EventKind::InstallStage
        | EventKind::InstallHeld
        | EventKind::InstallStuck
        | EventKind::InstallEnded
        | EventKind::AgentEnrolled
        | EventKind::AgentRefused
        | EventKind::AgentRevoked
        | EventKind::MetricsRefused
        | EventKind::MetricsGap
        | EventKind::AgentClock
        | EventKind::RuleGave
        | EventKind::RuleRefused
        | EventKind::HostCreated
        | EventKind::HostRecognised
        | EventKind::HostAmbiguous => "muster",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::VerdictCode;
    use uuid::Uuid;

    fn event(seconds: i64, kind: EventKind, params: &[(&str, &str)]) -> Event {
        Event {
            id: Uuid::nil(),
            at: DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap(),
            mac: None,
            host: None,
            boot: None,
            kind,
            level: Level::Info,
            rule: None,
            params: params
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_story_is_told_from_its_beginning() {
        let events = [
            event(3, EventKind::TftpDone, &[("file", "undionly.kpxe"), ("bytes", "65536")]),
            event(0, EventKind::DhcpDiscover, &[]),
        ];
        let lines = lines(&events, Locale::En);
        assert_eq!(lines[0].words, "Looks for a DHCP server");
        assert_eq!((lines[1].offset.as_str(), lines[1].actor), ("+3.0 s", "machine"));
        assert_eq!(lines[1].words, "Has loaded undionly.kpxe by TFTP (64 KiB)");
    }

    #[test]
    fn lines_say_what_was_meant() {
        let said = |kind, params: &[(&str, &str)], locale| words(&event(0, kind, params), locale);
        for (kind, params, english, chinese) in [
            (
                EventKind::DhcpDiscover,
                &[("arch", "other-27")][..],
                "Looks for a DHCP server (firmware of type 27)",
                "寻找 DHCP 服务器（27 号固件）",
            ),
            (
                EventKind::DhcpRequest,
                &[("port", "4011"), ("mode", "proxy")],
                "Asks for boot information (port 4011)",
                "询问启动信息（端口 4011）",
            ),
            (
                EventKind::DhcpAck,
                &[("file", "snponly.efi"), ("mode", "proxy")],
                "Settings given, with boot file snponly.efi",
                "给出设置，启动文件 snponly.efi",
            ),
            (
                EventKind::TftpDone,
                &[("file", "a.efi"), ("ms", "1250"), ("why", "completed")],
                "Has loaded a.efi by TFTP in 1.2 s",
                "已通过 TFTP 加载 a.efi，用时 1.2 秒",
            ),
            (
                EventKind::TftpFailed,
                &[("file", "autoexec.ipxe"), ("why", "missing")],
                "Asked for autoexec.ipxe by TFTP, which need not be there",
                "通过 TFTP 请求 autoexec.ipxe，没有也无妨",
            ),
            (
                EventKind::HostRecognised,
                &[("key", "product_serial"), ("value", "X1")],
                "Recognised as a host that is known by its serial",
                "认出是已知主机（凭序列号）",
            ),
        ] {
            assert_eq!(said(kind, params, Locale::En), english);
            assert_eq!(said(kind, params, Locale::ZhCn), chinese);
        }
    }

    /// What events and verdicts carry, one of each.
    const TYPICAL: &[(&str, &str)] = &[
        ("address", "10.77.0.100"),
        ("arch", "arm64-http"),
        ("action", "collect"),
        ("bytes", "1048576"),
        ("changes", "3"),
        ("client", "firmware"),
        ("code", "facts_malformed"),
        ("file", "snponly.efi"),
        ("file_arch", "x86-bios"),
        ("hosts", "0190 0191"),
        ("interface", "br0"),
        ("key", "mac"),
        ("message", "eth0 has a link"),
        ("mode", "pool"),
        ("ms", "2000"),
        ("next", "wait"),
        ("pattern", "52:54:*"),
        ("phase", "loader"),
        ("relay", "10.78.0.1"),
        ("server", "10.77.0.9"),
        ("stage", "link"),
        ("subnet", "10.77.0.0/24"),
        ("times", "3"),
        ("url", "http://10.77.0.1/boot/ipxe"),
        ("value", "X1"),
        ("why", "timed_out"),
    ];

    #[test]
    fn every_event_rule_and_verdict_reads_well_with_and_without_its_values() {
        let kinds = EventKind::ALL.iter().map(|kind| format!("event.{}", kind.as_str()));
        let rules = Rule::ALL.iter().map(|rule| format!("rule.{}", rule.as_str()));
        let verdicts = VerdictCode::ALL
            .iter()
            .flat_map(|code| [format!("verdict.{code}"), format!("verdict_advice.{code}")]);
        let own = ["boot_request", "settings_given", "tftp_optional", "tftp_size"].map(|word| format!("event.{word}"));
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let mut sets = vec![map(&[]), map(TYPICAL)];
        sets.extend(TYPICAL.iter().map(|one| map(&[*one])));
        for key in kinds.chain(rules).chain(verdicts).chain(own) {
            for (locale, params) in Locale::ALL
                .into_iter()
                .flat_map(|locale| sets.iter().map(move |set| (locale, set)))
            {
                let text = filled(&key, params, locale).unwrap_or_else(|| panic!("no text for {key}"));
                let bare = text.replace("[[dhcp.subnets]]", "A").replace("[boot.loaders]", "A");
                assert!(!bare.contains(['{', '}', '[', ']', '–']), "{key}: {text}");
                let ends_open = bare.ends_with([':', '：', ' ']);
                assert!(
                    !bare.contains("  ") && (bare.trim() == bare || ends_open),
                    "{key}: {text:?}"
                );
                for raw in ["arm64-http", "facts_malformed", "timed_out", "1048576", "x86-bios"] {
                    assert!(!text.contains(raw), "{key}: {text}");
                }
            }
        }
    }

    #[test]
    fn every_kind_reads_well_without_values() {
        for locale in Locale::ALL {
            for kind in EventKind::ALL {
                let words = words(&event(0, *kind, &[]), locale);
                assert!(!words.contains(['{', '[', '–']), "{words}");
                assert!(!words.contains("event."), "{words}");
            }
        }
    }
}
