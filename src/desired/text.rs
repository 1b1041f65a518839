//! Values as people type them: `--kernel-options "a=1 b !c"`.

use serde_json::{Map, Value, json};

use super::{Fault, Field, FieldKind, INHERIT, NONE, parts};

/// Splits like a shell: blanks part words, quotes and backslashes join.
///
/// # Errors
/// When a quote is not closed.
pub fn split_words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_ascii_whitespace() => words.extend(word.take()),
            '\'' => {
                let into = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(letter) => into.push(letter),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') => match letters.next() {
                            Some(letter @ ('"' | '\\')) => into.push(letter),
                            Some(letter) => into.extend(['\\', letter]),
                            None => return Err("a quote is not closed"),
                        },
                        Some(letter) => into.push(letter),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '\\' => match letters.next() {
                Some(letter) => word.get_or_insert_default().push(letter),
                None => return Err("nothing follows the last backslash"),
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Splits like [`split_words`]; a word that goes on as JSON, as in `extra=[{"mount": "/var"}]`, ends where the JSON does and
/// is kept as it is written.
fn split_parts(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some((before, json)) = before_json(rest) {
        let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
        // What only looks like JSON is a word like others; within quotes of a shell it is as the shell has it.
        if before.contains(['\'', '"', '\\']) || !matches!(values.next(), Some(Ok(_))) {
            break;
        }
        let (json, after) = json.split_at(values.byte_offset());
        let mut new = split_words(before)?;
        if let Some(word) = new.last_mut() {
            word.push('=');
            word.push_str(json);
        }
        words.append(&mut new);
        rest = after;
    }
    words.extend(split_words(rest)?);
    Ok(words)
}

/// What stands before the first `=` that JSON may follow, and what follows it.
fn before_json(text: &str) -> Option<(&str, &str)> {
    let begins = |at: &usize| {
        let json = text.get(at + 1..);
        json.is_some_and(|json| json.starts_with(['[', '{']))
    };
    let at = text.match_indices('=').map(|(at, _)| at).find(begins)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// `network` with its interfaces where they belong: also what is given as the map of them alone, or as a list of them with
/// their names.
fn with_interfaces(key: &str, value: Value) -> Result<Value, Fault> {
    const SHAPE: &str = r#"write {"interfaces": {"eth0": {"mac": "52:54:00:77:00:01", "dhcp": true}}}"#;
    let refused = |value: &Value, why: &str| Err(Fault::new(key, &value.to_string(), why, SHAPE));
    match value {
        Value::Object(map) if map.is_empty() || map.contains_key("interfaces") => Ok(map.into()),
        Value::Object(map) => {
            let one = |(name, interface): (&String, &Value)| interface.is_object() || name.starts_with('!');
            if map.iter().all(one) {
                Ok(json!({ "interfaces": map }))
            } else {
                refused(&map.into(), "it is no map of interfaces by their names")
            }
        }
        Value::Array(list) => {
            let mut map = Map::new();
            for mut interface in list {
                let name = interface.as_object_mut().and_then(|parts| parts.shift_remove("name"));
                let Some(name) = name.as_ref().and_then(Value::as_str) else {
                    return refused(&interface, "an interface of the list has no name");
                };
                if map.insert(name.to_owned(), interface).is_some() {
                    return refused(&name.into(), "two interfaces of the list have this name");
                }
            }
            Ok(json!({ "interfaces": map }))
        }
        other => refused(&other, "it is no map"),
    }
}

/// Reads `a=1 b !c`: `k=v`, a bare `k` as null, a repeated key as a list.
///
/// # Errors
/// As [`split_words`].
pub fn options(text: &str) -> Result<Map<String, Value>, &'static str> {
    let mut map = Map::new();
    for word in split_words(text)? {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), Value::from(value)),
            None => (word, Value::Null),
        };
        match map.get_mut(&key) {
            None => {
                map.insert(key, value);
            }
            Some(Value::Array(several)) => several.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    Ok(map)
}

/// Kernel options as a line: bare when empty, repeated for a list, in single quotes with a blank.
#[must_use]
pub fn kernel_line(options: &Map<String, Value>) -> String {
    let mut words = Vec::new();
    for (key, value) in options {
        match value {
            Value::Array(several) => words.extend(several.iter().map(|value| word(key, value))),
            value => words.push(word(key, value)),
        }
    }
    words.join(" ")
}

fn word(key: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if text.is_empty() {
        key.to_owned()
    } else if text.contains(char::is_whitespace) {
        format!("{key}='{text}'")
    } else {
        format!("{key}={text}")
    }
}

impl Field {
    /// Reads the text form of a value. Nothing, `delete` and `<<inherit>>` give null, which takes the value away;
    /// `<<none>>` says that there is to be none whatever the layers above say.
    ///
    /// # Errors
    /// [`Fault`] when the text has not the form of the field's kind.
    pub fn read(&self, text: &str) -> Result<Value, Fault> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed == INHERIT || (trimmed == "delete" && self.kind != FieldKind::Scalar) {
            return Ok(Value::Null);
        }
        if trimmed == NONE {
            return Ok(trimmed.into());
        }
        let fault = |why: &str, advice: &str| {
            // A hash may stand in it.
            if self.secret || trimmed.contains("password") {
                Fault::unshown(self.key, why, advice)
            } else {
                Fault::new(self.key, trimmed, why, advice)
            }
        };
        if self.kind != FieldKind::Scalar && trimmed.starts_with(['{', '[']) {
            let value = serde_json::from_str(trimmed).map_err(|error| {
                fault(
                    &format!("it is no JSON ({error})"),
                    "write JSON, or words as in name=value",
                )
            })?;
            return match self.kind {
                FieldKind::Map(depth) if depth > 2 => with_interfaces(self.key, value),
                _ => Ok(value),
            };
        }
        match self.kind {
            FieldKind::Scalar => Ok(match trimmed {
                "true" | "yes" | "1" if matches!(self.key, "install_agent" | "install_once") => true.into(),
                "false" | "no" | "0" if matches!(self.key, "install_agent" | "install_once") => false.into(),
                _ => trimmed.into(),
            }),
            // A public key holds blanks of its own: one a line, or one alone.
            FieldKind::List if self.key == "ssh_keys" => Ok(trimmed.lines().map(str::trim).collect::<Vec<_>>().into()),
            // Not of the trimmed text: a blank at the end may be escaped.
            FieldKind::List => split_words(text)
                .map(Into::into)
                .map_err(|why| fault(why, "close it, or write a JSON list")),
            FieldKind::Map(depth) if !self.parts.is_empty() => {
                let words = split_parts(text).map_err(|why| fault(why, "close it, or write a JSON object"))?;
                // What its entries stand in need not be typed.
                let words: Vec<&str> = words
                    .iter()
                    .map(|word| word.strip_prefix("interfaces.").filter(|_| depth > 2).unwrap_or(word))
                    .collect();
                let map = parts::read(&words, self.entries.is_some(), self.parts);
                Ok(if depth > 2 {
                    json!({ "interfaces": map })
                } else {
                    map.into()
                })
            }
            FieldKind::Map(_) => {
                let map = options(text).map_err(|why| fault(why, "close it, or write a JSON object"))?;
                Ok(map.into())
            }
        }
    }
}

impl Field {
    /// A value as people type it, so that [`Field::read`] gives it back; JSON where words cannot say it.
    #[must_use]
    pub fn write(&self, value: &Value) -> String {
        let words = match (self.kind, value) {
            (_, Value::Null) => return String::new(),
            (FieldKind::Scalar, Value::String(text)) => return text.clone(),
            (FieldKind::Scalar, other) => return other.to_string(),
            (FieldKind::List, Value::Array(items)) if self.key == "ssh_keys" => lines(items),
            (FieldKind::List, Value::Array(items)) => items.iter().map(|item| Some(quoted(item.as_str()?))).collect(),
            (FieldKind::Map(_), Value::Object(map)) => assignments(map),
            _ => None,
        };
        match words {
            Some(words) if self.read(&words.join("\n")).as_ref() == Ok(value) => words.join("\n"),
            _ => format!("{value:#}"),
        }
    }
}

fn lines(items: &[Value]) -> Option<Vec<String>> {
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn assignments(map: &Map<String, Value>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for (key, value) in map {
        match value {
            Value::Array(several) => {
                for value in several {
                    words.push(format!("{key}={}", quoted(value.as_str()?)));
                }
            }
            Value::Null => words.push(key.clone()),
            value => words.push(format!("{key}={}", quoted(value.as_str()?))),
        }
    }
    Some(words)
}

/// One word for [`split_words`].
fn quoted(text: &str) -> String {
    let plain = |letter: char| !letter.is_ascii_whitespace() && !matches!(letter, '\'' | '"' | '\\');
    if text.chars().all(plain) {
        text.to_owned()
    } else if text.contains('\'') {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{text}'")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{super::field, *};

    #[test]
    fn options_read_as_cobbler_s_users_type_them() {
        for (text, map) in [
            ("a=1 b !c", json!({"a": "1", "b": null, "!c": null})),
            (
                "console=tty0 console=ttyS0,115200",
                json!({"console": ["tty0", "ttyS0,115200"]}),
            ),
            ("x='a b' y=\"c \\\"d\"", json!({"x": "a b", "y": "c \"d"})),
            ("a= b==c", json!({"a": "", "b": "=c"})),
            ("", json!({})),
        ] {
            assert_eq!(options(text).map(Value::Object), Ok(map), "{text}");
        }
        assert!(options("a='b").is_err());
    }

    #[test]
    fn a_blank_at_the_end_may_be_escaped() {
        let field = field("kernel_options").expect("there");
        assert_eq!(field.read(" a=1\\  "), Ok(json!({"a": "1 "})));
        assert_eq!(field.read(" <<none>> "), Ok(NONE.into()));
    }

    #[test]
    fn a_value_is_written_as_people_type_it() {
        for (key, value, text) in [
            ("hostname", json!("web1"), "web1"),
            ("install_agent", json!(false), "false"),
            (
                "packages",
                json!(["vim", "!nano", "two words"]),
                "vim\n!nano\n'two words'",
            ),
            (
                "kernel_options",
                json!({"console": ["tty0", "ttyS0"], "quiet": null, "x": "it's"}),
                "console=tty0\nconsole=ttyS0\nquiet\nx=\"it's\"",
            ),
            ("vars", json!({"count": 3}), "{\n  \"count\": 3\n}"),
            ("packages", json!([]), "[]"),
        ] {
            let field = field(key).expect("a field");
            assert_eq!(field.write(&value), text);
            assert_eq!(field.read(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn interfaces_are_read_as_people_write_them() {
        let field = field("network").expect("there");
        let whole = json!({"interfaces": {"eth0": {"dhcp": true}, "eth1": {}}});
        for text in [
            r#"{"interfaces": {"eth0": {"dhcp": true}, "eth1": {}}}"#,
            r#"{"eth0": {"dhcp": true}, "eth1": {}}"#,
            r#"[{"name": "eth0", "dhcp": true}, {"name": "eth1"}]"#,
        ] {
            assert_eq!(field.read(text), Ok(whole.clone()), "{text}");
        }
        for text in [
            r#"{"mac": "52:54:00:77:00:01"}"#,
            r#"[{"mac": "52:54:00:77:00:01"}]"#,
            r#"["eth0"]"#,
            r#"[{"name": "a"}, {"name": "a"}]"#,
        ] {
            let told = field.read(text).expect_err("no interfaces").to_string();
            assert!(told.contains(r#"write {"interfaces": {"eth0":"#), "{told}");
        }
    }

    #[test]
    fn json_stands_in_a_word_as_it_is() {
        let read = |key: &str, text: &str| field(key).expect("there").read(text);
        assert_eq!(
            read(
                "partitioning",
                r#"scheme=lvm extra=[{"mount": "/var", "size_mib": 20480}] swap_mib=0"#
            ),
            Ok(json!({"scheme": "lvm", "extra": [{"mount": "/var", "size_mib": 20480}], "swap_mib": "0"}))
        );
        assert_eq!(
            read(
                "network",
                r#"eth0.routes=[{"to": "10.9.0.0/16", "via": "10.0.0.254"}] eth0.dhcp"#
            ),
            Ok(json!({"interfaces": {"eth0": {"routes": [{"to": "10.9.0.0/16", "via": "10.0.0.254"}], "dhcp": true}}}))
        );
        // Quoted once more, as a shell's users may.
        assert_eq!(
            read("partitioning", r#"'extra=[{"mount": "/var"}]'"#),
            Ok(json!({"extra": [{"mount": "/var"}]}))
        );
    }

    proptest! {
        #[test]
        fn a_written_value_reads_back(
            map in prop::collection::btree_map("\\PC{1,6}", prop::option::of("\\PC{0,8}"), 1..4),
            items in prop::collection::vec("\\PC{0,8}", 0..4),
        ) {
            for (key, value) in [("vars", json!(map)), ("packages", json!(items)), ("ssh_keys", json!(items))] {
                let field = field(key).expect("a field");
                prop_assert_eq!(field.read(&field.write(&value)), Ok(value));
            }
        }

        #[test]
        fn a_line_reads_back(options_in in prop::collection::btree_map(
            "[a-z_.]{1,8}", prop::collection::vec("[a-zA-Z0-9,:/= .-]{0,8}[a-z0-9]", 0..3), 0..6)) {
            let map: Map<String, Value> = options_in.into_iter().map(|(key, values)| {
                let mut values: Vec<Value> = values.into_iter().map(|value| value.trim().into()).collect();
                let value = match values.len() {
                    0 => Value::Null,
                    1 => values.remove(0),
                    _ => values.into(),
                };
                (key, value)
            }).collect();
            prop_assert_eq!(options(&kernel_line(&map)), Ok(map));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,40}") {
            let _ = options(&text);
        }
    }
}
