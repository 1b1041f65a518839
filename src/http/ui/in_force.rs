//! Values in force on a page: field by field, with the layer that says each.

use serde::Serialize;
use serde_json::Value;

use crate::desired::{Effective, FIELDS, Field, LayerName};

/// Which layer says a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Tag {
    /// Part of the catalogue key `layer.KIND`.
    kind: &'static str,
    name: Option<String>,
    /// Where that layer is edited.
    address: Option<String>,
}

impl Tag {
    pub(super) fn of(layer: &LayerName) -> Self {
        let (kind, name, address) = match layer {
            LayerName::BuiltIn => ("built_in", None, None),
            LayerName::Settings => ("settings", None, Some("/defaults".to_owned())),
            LayerName::Distro(name) => ("distro", Some(name.clone()), Some(format!("/distros/{name}"))),
            LayerName::Profile(name) => ("profile", Some(name.clone()), Some(format!("/profiles/{name}"))),
            LayerName::Rule(name) => ("rule", Some(name.clone()), Some(format!("/rules/{name}"))),
            LayerName::Host(_) => ("host", None, None),
        };
        Self { kind, name, address }
    }
}

/// One field that has a value.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    key: &'static str,
    lines: Vec<Line>,
}

/// One value of a field: a scalar, an item, an option.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// Below the field, e.g. `console`; empty for the field itself and for items.
    name: String,
    text: String,
    from: Option<Tag>,
    /// Said by the layer that is looked at.
    own: bool,
}

/// Every field in force, in the order people read them. `own` is the layer that is looked at.
pub(super) fn rows(effective: &Effective, own: &LayerName) -> Vec<Row> {
    let shown = effective.shown();
    let row = |field: &Field| {
        let mut lines = Vec::new();
        let walk = Walk { effective, own };
        walk.value(field.key, String::new(), shown.get(field.key)?, None, &mut lines);
        Some(Row { key: field.key, lines })
    };
    FIELDS
        .iter()
        .filter_map(row)
        .filter(|row| !row.lines.is_empty())
        .collect()
}

struct Walk<'a> {
    effective: &'a Effective,
    own: &'a LayerName,
}

impl Walk<'_> {
    fn value(&self, path: &str, name: String, value: &Value, above: Option<&LayerName>, out: &mut Vec<Line>) {
        let from = self.effective.origins.get(path).or(above);
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let below = if name.is_empty() {
                        key.clone()
                    } else {
                        format!("{name}.{key}")
                    };
                    self.value(&format!("{path}.{key}"), below, value, from, out);
                }
            }
            Value::Array(items) if name.is_empty() => {
                for (place, item) in items.iter().enumerate() {
                    let from = self.effective.origins.get(&format!("{path}.{place}")).or(from);
                    out.push(self.line(String::new(), text(item), from));
                }
            }
            value => out.push(self.line(name, text(value), from)),
        }
    }

    fn line(&self, name: String, text: String, from: Option<&LayerName>) -> Line {
        Line {
            name,
            text,
            from: from.map(Tag::of),
            own: from == Some(self.own),
        }
    }
}

/// A value in one line; nothing for an option without a value.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::desired::{Values, blend};

    #[test]
    fn every_value_says_its_layer_and_no_secret_is_shown() {
        let values = |value: Value| Values::check(value.as_object().cloned().unwrap()).unwrap();
        let site =
            values(json!({"packages": ["vim"], "kernel_options": {"quiet": null}, "name_servers": ["10.0.0.1"]}));
        let own = values(json!({
            "packages": ["tmux"], "kernel_options": {"console": ["tty0", "ttyS0"]},
            "root_password_hash": "$6$abcdefgh$0123456789",
            "network": {"interfaces": {"eth0": {"dhcp": true}}},
        }));
        let host = LayerName::Host("db1".into());
        let rows = rows(&blend([(LayerName::Settings, &site), (host.clone(), &own)]), &host);
        let said: Vec<String> = rows
            .iter()
            .flat_map(|row| row.lines.iter().map(move |line| (row.key, line)))
            .map(|(key, line)| {
                format!(
                    "{key} {} = {} ({})",
                    line.name,
                    line.text,
                    if line.own { "own" } else { "above" }
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "kernel_options quiet =  (above)",
                "kernel_options console = tty0, ttyS0 (own)",
                "root_password_hash  = (set) (own)",
                "network interfaces.eth0.dhcp = true (own)",
                "name_servers  = 10.0.0.1 (above)",
                "packages  = vim (above)",
                "packages  = tmux (own)",
            ]
        );
    }
}
