//! Labels: what of the values wanted of a host it can be found by.
//!
//! What stands above hosts is small and held in memory; what a host's own layers say is kept beside its plan
//! ([`own_labels`]), so that a change of a profile changes no host's rows. A host has a label by its own layers, or from
//! above when its own layers say nothing of it. docs/decisions/0017 says why.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{HostPlan, INHERIT, NONE, Values, is_secret, values::shown};

/// Longest text that can be searched for, bytes; longer ones are for templates.
const LONGEST: usize = 255;

/// Values of one list variable that can be searched for.
const MOST_VALUES: usize = 64;

/// What a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelKind {
    /// One of `tags`.
    Tag,
    /// One of `owners`.
    Owner,
    /// `place`.
    Place,
    /// The first part of `place`.
    Site,
    /// One of `vars`.
    Var,
}

impl LabelKind {
    /// The word used in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Owner => "owner",
            Self::Place => "place",
            Self::Site => "site",
            Self::Var => "var",
        }
    }
}

/// A label, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What it is.
    pub kind: LabelKind,
    /// The tag, the owner, the variable's name; empty for place and site, and for "none from above" of the others.
    pub name: String,
    /// Its values, lower case; several for a variable that is a list, none when it is taken away or for nobody's eyes.
    pub values: Vec<String>,
}

/// The first part of a place: `bj1` of `bj1/r07/u12`.
#[must_use]
pub fn site_of(place: &str) -> &str {
    place.split('/').next().unwrap_or_default()
}

/// What the values in force say.
#[must_use]
pub fn labels_of(values: &Map<String, Value>) -> Vec<Label> {
    let mut said = Said::default();
    said.layer(values);
    said.into_labels()
}

/// What a host's own layers say, also what they take away from those above.
#[must_use]
pub fn own_labels(plan: &HostPlan) -> Vec<Label> {
    let mut said = Said::default();
    let layers = plan.given.iter().map(|layer| &layer.values);
    for layer in layers.chain(std::iter::once(&plan.values)) {
        said.layer(Values::as_map(layer));
    }
    said.into_labels()
}

/// What layers have said so far: an empty list of values takes away.
#[derive(Debug, Default)]
struct Said(BTreeMap<(LabelKind, String), Vec<String>>);

impl Said {
    fn into_labels(self) -> Vec<Label> {
        self.0
            .into_iter()
            .map(|((kind, name), values)| Label { kind, name, values })
            .collect()
    }

    /// One more layer, as [`super::blend()`] has it.
    fn layer(&mut self, values: &Map<String, Value>) {
        let values = shown(values);
        for (key, kinds) in [
            ("tags", &[LabelKind::Tag][..]),
            ("owners", &[LabelKind::Owner]),
            ("place", &[LabelKind::Place, LabelKind::Site]),
            ("vars", &[LabelKind::Var]),
        ] {
            let Some(value) = values.get(key).filter(|value| value.as_str() != Some(INHERIT)) else {
                continue;
            };
            for kind in kinds {
                self.field(*kind, value);
            }
        }
    }

    fn field(&mut self, kind: LabelKind, value: &Value) {
        if value.as_str() == Some(NONE) {
            self.0.retain(|(known, _), _| *known != kind);
            self.say(kind, "", Vec::new());
            return;
        }
        match (kind, value) {
            (LabelKind::Place, place) => self.say(kind, "", texts(place)),
            (LabelKind::Site, place) => self.say(kind, "", place.as_str().map(site_of).map(fold).into_iter().collect()),
            (LabelKind::Tag | LabelKind::Owner, Value::Array(items)) => {
                let words = || items.iter().filter_map(Value::as_str);
                for word in words().filter(|word| removed(word).is_none()) {
                    self.say(kind, word, texts(&word.into()));
                }
                for word in words().filter_map(removed) {
                    self.say(kind, word, Vec::new());
                }
            }
            (LabelKind::Var, Value::Object(vars)) => {
                for (name, value) in vars.iter().filter(|(name, _)| removed(name).is_none()) {
                    let values = if is_secret(name) { Vec::new() } else { texts(value) };
                    self.say(kind, name, values);
                }
                for name in vars.keys().filter_map(|name| removed(name)) {
                    self.say(kind, name, Vec::new());
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, kind: LabelKind, name: &str, values: Vec<String>) {
        self.0.insert((kind, name.to_owned()), values);
    }
}

fn removed(word: &str) -> Option<&str> {
    word.strip_prefix('!').filter(|word| !word.is_empty())
}

fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// A value as it is searched for: itself, or each item of a list.
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(fold(text)),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let mut found: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(one).take(MOST_VALUES).collect(),
        value => one(value).into_iter().collect(),
    };
    found.retain(|text| !text.is_empty() && text.len() <= LONGEST);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        desired::rules::GivenLayer,
        inventory::{HostId, new_id},
    };

    fn values(document: &Value) -> Values {
        Values::stored(document.as_object().cloned().unwrap())
    }

    fn said(labels: &[Label]) -> Vec<String> {
        labels
            .iter()
            .map(|label| format!("{} {}: {}", label.kind.as_str(), label.name, label.values.join(",")))
            .collect()
    }

    #[test]
    fn the_nearer_layer_wins_and_takes_away() {
        let mut plan = HostPlan::empty(HostId(new_id(chrono::DateTime::UNIX_EPOCH)));
        plan.given = vec![GivenLayer {
            rule: "r".into(),
            values: values(&json!({"tags": ["GPU", "old", "!spare"], "place": "bj1/r07/u12"})),
        }];
        plan.values = values(&json!({
            "tags": ["spare", "!old"], "owners": "<<none>>",
            "vars": {"Role": "Web", "ports": [80, 443], "db_password": "x", "!tier": null, "deep": {"a": 1}},
        }));
        assert_eq!(
            said(&own_labels(&plan)),
            [
                "tag GPU: gpu",
                "tag old: ",
                "tag spare: spare",
                "owner : ",
                "place : bj1/r07/u12",
                "site : bj1",
                "var Role: web",
                "var db_password: ",
                "var deep: ",
                "var ports: 80,443",
                "var tier: ",
            ]
        );
    }
}
