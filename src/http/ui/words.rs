//! The catalogue: every text that a person sees, in every language.

use std::{collections::HashMap, sync::LazyLock};

use axum::http::{HeaderMap, header};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locale {
    /// English.
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Locale {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::ZhCn];

    /// BCP 47 tag.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    /// The language's name in itself.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::ZhCn => "简体中文",
        }
    }

    /// The language with this tag.
    #[must_use]
    pub fn by_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.code() == code)
    }

    /// The first language of `Accept-Language` that there is; else English.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Self {
        let wanted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        wanted
            .split(',')
            .filter_map(|part| {
                let tag = part.split(';').next()?.trim().to_ascii_lowercase();
                match tag.split('-').next()? {
                    "zh" => Some(Self::ZhCn),
                    "en" => Some(Self::En),
                    _ => None,
                }
            })
            .next()
            .unwrap_or(Self::En)
    }
}

type Texts = HashMap<String, String>;

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../../../templates/web/i18n/en.toml")));
static CHINESE: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../../../templates/web/i18n/zh-CN.toml")));

fn read(text: &str) -> Texts {
    let mut texts = Texts::new();
    match text.parse::<toml::Table>() {
        Ok(table) => flatten("", &table, &mut texts),
        Err(error) => tracing::error!(%error, "a catalogue of this build cannot be read"),
    }
    texts
}

fn flatten(prefix: &str, table: &toml::Table, texts: &mut Texts) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            toml::Value::String(text) => {
                texts.insert(key, text.clone());
            }
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            _ => tracing::error!(key, "a catalogue entry is no text"),
        }
    }
}

fn texts(locale: Locale) -> &'static Texts {
    match locale {
        Locale::En => &ENGLISH,
        Locale::ZhCn => &CHINESE,
    }
}

/// The text of a key with its values filled in; `None` when the catalogue has no such key.
///
/// `{name}` stands for a value; a part in brackets that holds a value, as in `[ by {name}]`, is left out when the
/// value is missing. Other brackets are text.
#[must_use]
pub fn say(locale: Locale, key: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    texts(locale).get(key).map(|text| fill(text, value))
}

/// Every key of a language, for tests.
#[must_use]
pub fn keys(locale: Locale) -> Vec<&'static str> {
    texts(locale).keys().map(String::as_str).collect()
}

fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(['[', '{']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let part = tail
            .strip_prefix('[')
            .and_then(|tail| tail.split_once(']'))
            .filter(|(part, _)| part.contains('{'));
        if let Some((part, after)) = part {
            out.push_str(&fill_part(part, value).unwrap_or_default());
            rest = after;
        } else if let Some((name, after)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
            out.push_str(&value(name).unwrap_or_else(|| "–".to_owned()));
            rest = after;
        } else {
            let mut characters = tail.chars();
            out.extend(characters.next());
            rest = characters.as_str();
        }
    }
    out.push_str(rest);
    out
}

/// A bracketed part; `None` when a value is missing.
fn fill_part(part: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = part;
    while let Some((before, tail)) = rest.split_once('{') {
        let (name, after) = tail.split_once('}')?;
        out.push_str(before);
        out.push_str(&value(name).filter(|value| !value.is_empty())?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        boot::{Architecture, EventKind, Rule, VerdictCode},
        desired::{FIELDS, rules::NAMES},
        install::{FailedBy, Outcome, Stage},
        inventory::{ComponentKind, State},
        search::{SEARCH_FIELDS, Wants, Why},
        store::Role,
    };

    #[test]
    fn values_and_parts_are_filled() {
        let value = |name: &str| (name == "file").then(|| "ipxe.efi".to_owned());
        assert_eq!(
            fill("Loads [{file} ]now[ ({bytes} bytes)] [[x]]", &value),
            "Loads ipxe.efi now [[x]]"
        );
        assert_eq!(fill("{what}", &value), "–");
        assert_eq!(fill("open [ and {", &value), "open [ and {");
    }

    #[test]
    fn a_value_is_not_read_as_a_text() {
        let value = |_: &str| Some("[{file}]".to_owned());
        assert_eq!(fill("a {x} b", &value), "a [{file}] b");
    }

    #[test]
    fn all_languages_have_the_same_keys_and_values() {
        let placeholders = |text: &str| -> BTreeSet<String> {
            text.split('{')
                .skip(1)
                .filter_map(|tail| tail.split_once('}').map(|(name, _)| name.to_owned()))
                .collect()
        };
        let english: BTreeSet<_> = keys(Locale::En).into_iter().collect();
        let chinese: BTreeSet<_> = keys(Locale::ZhCn).into_iter().collect();
        assert_eq!(english, chinese);
        assert!(english.len() > 200);
        for key in english {
            assert_eq!(placeholders(&ENGLISH[key]), placeholders(&CHINESE[key]), "{key}");
            assert!(!ENGLISH[key].is_empty() && !CHINESE[key].is_empty(), "{key}");
        }
    }

    #[test]
    fn every_word_of_the_core_has_a_text() {
        let mut wanted: Vec<String> = Vec::new();
        wanted.extend(EventKind::ALL.iter().map(|kind| format!("event.{}", kind.as_str())));
        for state in State::ALL {
            wanted.push(format!("state.{}", state.as_str()));
            wanted.push(format!("state_advice.{}", state.as_str()));
        }
        for mode in ["observe", "proxy", "reserved", "pool"] {
            wanted.push(format!("mode.{mode}.title"));
            wanted.push(format!("mode.{mode}.advice"));
        }
        wanted.extend(["cpu", "dimm", "disk", "gpu"].map(|kind| format!("component.{kind}")));
        wanted.extend(["bound", "released", "declined"].map(|state| format!("lease.{state}")));
        wanted.extend(Role::ALL.map(|role| format!("role.{}", role.as_str())));
        for code in VerdictCode::ALL.iter().map(|code| code.as_str()) {
            wanted.push(format!("verdict.{code}"));
            wanted.push(format!("verdict_advice.{code}"));
        }
        wanted.extend(Architecture::NAMED.map(|arch| format!("word.arch.{arch}")));
        for field in FIELDS {
            wanted.push(format!("field.{}", field.key));
            wanted.push(format!("field_hint.{}", field.key));
        }
        wanted.extend(NAMES.iter().map(|name| format!("fact.{}", name.path)));
        wanted.extend(SEARCH_FIELDS.iter().map(crate::http::ui::hosts::field_key));
        wanted.extend(Why::CODES.map(|code| format!("search.fault.{code}")));
        wanted.extend(Wants::ALL.map(|wants| format!("search.wants.{}", wants.as_str())));
        wanted.extend(
            Stage::ALL
                .iter()
                .map(|stage| format!("install_stage.{}", stage.as_str())),
        );
        wanted.extend(
            Outcome::ALL
                .iter()
                .map(|one| format!("install_outcome.{}", one.as_str())),
        );
        wanted.extend(
            FailedBy::ALL
                .iter()
                .map(|one| format!("install_failed.{}", one.as_str())),
        );
        wanted.extend(
            ["person", "boot", "answer", "stage", "syslog", "agent", "server"].map(|by| format!("install_source.{by}")),
        );
        wanted.extend(Rule::ALL.iter().map(|rule| format!("rule.{}", rule.as_str())));
        assert_eq!(ComponentKind::Cpu.as_str(), "cpu");
        for key in wanted {
            assert!(ENGLISH.contains_key(&key), "no text for {key}");
        }
    }
}
