//! The transcript of one boot in plain words.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{format, words::Locale, words::say};
use crate::boot::{Event, EventKind, Level};

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
        actor: actor(event.kind),
        words: words(event, locale),
        rule: event
            .rule
            .as_deref()
            .map(|rule| filled(&format!("rule.{rule}"), &event.params, locale).unwrap_or_else(|| rule.to_owned())),
    }
}

/// An event in words.
pub(super) fn words(event: &Event, locale: Locale) -> String {
    let key = format!("event.{}", event.kind.as_str());
    filled(&key, &event.params, locale).unwrap_or(key)
}

/// A text with the parameters of an event or verdict; sizes are written as sizes.
pub(super) fn filled(key: &str, params: &BTreeMap<String, String>, locale: Locale) -> Option<String> {
    say(locale, key, &|name| {
        if let ("seconds", None, Some(millis)) = (name, params.get(name), params.get("ms")) {
            let millis: u64 = millis.parse().ok()?;
            return Some(format!("{}.{}", millis / 1000, millis % 1000 / 100));
        }
        let value = params.get(name)?;
        match (name, value.parse::<u64>()) {
            ("bytes", Ok(bytes)) => Some(format::memory(bytes)),
            _ => {
                let known = format!("word.{name}.{value}");
                Some(say(locale, &known, &|_| None).unwrap_or_else(|| value.clone()))
            }
        }
    })
}

const fn tone(event: &Event) -> &'static str {
    match (event.level, event.kind) {
        (Level::Fail, _) => "bad",
        (Level::Warn, _) => "warn",
        (Level::Info, EventKind::FactsAccepted | EventKind::HostCreated | EventKind::HostRecognised) => "good",
        (Level::Info, kind) => match actor(kind).as_bytes() {
            b"muster" => "busy",
            _ => "calm",
        },
    }
}

const fn actor(kind: EventKind) -> &'static str {
    match kind {
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
        | EventKind::HostCreated
        | EventKind::HostRecognised
        | EventKind::HostAmbiguous => "muster",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
