//! Finding what is desired by its values: `profile=web*`, `kernel_options.console=ttyS*`, `tags=rack7`.

use std::str::FromStr;

use glob::{MatchOptions, Pattern};
use serde_json::{Map, Value};

use super::{FIELDS, Fault, nearest};

/// Cobbler's users find in any case.
const ANY_CASE: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// One condition: a key and what its value has to look like, with `*`, `?` and `[…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    key: String,
    pattern: Pattern,
}

impl FromStr for Condition {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let fault = |why: &str| {
            Err(Fault::new(
                "condition",
                text,
                why,
                "write one such as profile=web* or tags=rack7",
            ))
        };
        let Some((key, wanted)) = text.split_once('=') else {
            return fault("it has no `=`");
        };
        if key.is_empty() {
            return fault("it names nothing before `=`");
        }
        // Options are written with `-`, fields with `_`; what lies below a field has names of its own.
        let (first, rest) = key
            .split_once('.')
            .map_or((key, None), |(first, rest)| (first, Some(rest)));
        let first = first.replace('-', "_");
        let key = rest.map_or_else(|| first.clone(), |rest| format!("{first}.{rest}"));
        match Pattern::new(wanted) {
            Ok(pattern) => Ok(Self { key, pattern }),
            Err(_) => fault("what comes after `=` is no pattern"),
        }
    }
}

impl Condition {
    /// Whether the key can be met by something: one of `own`, or a field.
    ///
    /// # Errors
    /// [`Fault`] with the nearest name.
    pub fn check(&self, own: &[&str]) -> Result<(), Fault> {
        let first = self.key.split('.').next().unwrap_or_default();
        if own.contains(&self.key.as_str()) || FIELDS.iter().any(|field| field.key == first) {
            return Ok(());
        }
        let known = own.iter().copied().chain(FIELDS.iter().map(|field| field.key));
        let advice = match nearest(first, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}, or a field as `report` shows it", own.join(", ")),
        };
        Err(Fault::new("condition", &self.key, "nothing has such a value", advice))
    }

    /// Whether it is met, by what the object is (`own`, several values for one key are several ways to meet it) or by
    /// the values in force. What is not there is met by an empty pattern.
    #[must_use]
    pub fn met(&self, own: &[(&str, Vec<String>)], effective: &Map<String, Value>) -> bool {
        let mut texts = Vec::new();
        match own.iter().find(|(key, _)| *key == self.key) {
            Some((_, values)) => texts.clone_from(values),
            None => below(effective, &self.key, &mut texts),
        }
        texts.retain(|text| !text.is_empty());
        if texts.is_empty() {
            return self.pattern.matches_with("", ANY_CASE);
        }
        texts.iter().any(|text| self.pattern.matches_with(text, ANY_CASE))
    }
}

/// The texts at a dotted path; names may have dots themselves.
fn below(map: &Map<String, Value>, path: &str, out: &mut Vec<String>) {
    for (name, value) in map {
        let Some(rest) = path.strip_prefix(name.as_str()) else {
            continue;
        };
        if rest.is_empty() {
            flat(value, out);
        } else if let Some(rest) = rest.strip_prefix('.') {
            match value {
                Value::Object(inner) => below(inner, rest, out),
                Value::Array(items) => {
                    for item in items.iter().filter_map(Value::as_object) {
                        below(item, rest, out);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A value as people write it: each item of a list, each `key=value` of a map, and its bare key.
fn flat(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push(text.clone()),
        Value::Bool(_) | Value::Number(_) => out.push(value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| flat(item, out)),
        Value::Object(map) => {
            for (name, value) in map {
                out.push(name.clone());
                let mut inner = Vec::new();
                flat(value, &mut inner);
                out.extend(inner.iter().map(|text| format!("{name}={text}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_met_by_own_words_and_by_values() {
        let values = json!({
            "timezone": "Europe/Berlin", "packages": ["vim", "htop"], "install_agent": true,
            "kernel_options": {"console": ["tty0", "ttyS0,115200"], "quiet": null, "inst.gpt": "1"},
            "network": {"interfaces": {"eth0": {"mac": "52:54:00:77:00:01", "addresses": ["10.0.0.5/24"]}}},
        });
        let values = values.as_object().expect("an object");
        let own = [
            ("name", vec!["web1".to_owned()]),
            ("mac", vec!["52:54:00:77:00:01".to_owned(), "b".to_owned()]),
        ];
        let met = |text: &str| text.parse::<Condition>().expect("a condition").met(&own, values);
        for yes in [
            "name=web*",
            "name=WEB?",
            "mac=*:01",
            "timezone=europe/*",
            "packages=htop",
            "install-agent=true",
            "kernel_options=quiet",
            "kernel_options=console=ttyS0*",
            "kernel_options.console=tty0",
            "kernel_options.inst.gpt=1",
            "network.interfaces.eth0.addresses=10.0.0.*",
            "domain=",
        ] {
            assert!(met(yes), "{yes}");
        }
        for no in [
            "name=web",
            "packages=ht",
            "timezone=",
            "domain=*.org",
            "kernel_options.quiet=1",
        ] {
            assert!(!met(no), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused() {
        for (text, part) in [("web1", "no `=`"), ("=x", "nothing before"), ("name=[", "no pattern")] {
            let fault = text.parse::<Condition>().expect_err("refused").to_string();
            assert!(fault.contains(part), "{fault}");
        }
        let check = |text: &str| {
            text.parse::<Condition>()
                .expect("a condition")
                .check(&["name", "profile"])
        };
        assert!(check("vars.role=db").is_ok() && check("profile=*").is_ok());
        assert!(
            check("profil=*")
                .expect_err("refused")
                .to_string()
                .contains("did you mean `profile`?")
        );
        assert!(
            check("zzzzzz=*")
                .expect_err("refused")
                .to_string()
                .contains("name, profile")
        );
    }
}
