//! Layers meet: what is in force, and which layer said it.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{FieldKind, INHERIT, NONE, Values, field::field, values::shown};

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerName {
    /// Muster, when nobody says otherwise.
    BuiltIn,
    /// The site's defaults.
    Settings,
    /// A distro.
    Distro(String),
    /// A profile.
    Profile(String),
    /// A rule on the host's facts.
    Rule(String),
    /// The host itself.
    Host(String),
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Settings => f.write_str("settings"),
            Self::Distro(name) => write!(f, "distro {name}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Host(name) => write!(f, "host {name}"),
        }
    }
}

impl Serialize for LayerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The values in force with the layer of each.
///
/// `origins` is keyed by dotted path: `timezone`, `kernel_options.console`, `network.interfaces.eth0.mac`, and list
/// items by place, `packages.0`. A map or list as a whole names the layer that changed it last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effective {
    /// What is in force, secrets too.
    pub values: Map<String, Value>,
    /// Dotted path to layer.
    pub origins: BTreeMap<String, LayerName>,
}

impl Effective {
    /// What is in force, with secrets replaced by "(set)".
    #[must_use]
    pub fn shown(&self) -> Map<String, Value> {
        shown(&self.values)
    }
}

/// Lets layers meet, highest first.
#[must_use]
pub fn blend<'a>(layers: impl IntoIterator<Item = (LayerName, &'a Values)>) -> Effective {
    let mut values = Map::new();
    let mut said = Some(Said::default());
    for (layer, below) in layers {
        if let Some(said) = &mut said {
            said.layer = layer;
        }
        meet(&mut values, below, &mut said);
    }
    Effective {
        values,
        origins: said.map(Said::into_origins).unwrap_or_default(),
    }
}

/// Lets one more layer meet what is in force above it; who says what is not kept.
pub(super) fn blend_below(values: &mut Map<String, Value>, below: &Values) {
    meet(values, below, &mut None);
}

/// Who said what, while layers meet.
struct Said {
    /// The layer that speaks.
    layer: LayerName,
    origins: BTreeMap<String, LayerName>,
    /// The layers of a list's items.
    lists: BTreeMap<&'static str, Vec<LayerName>>,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            layer: LayerName::BuiltIn,
            origins: BTreeMap::new(),
            lists: BTreeMap::new(),
        }
    }
}

impl Said {
    fn by_this_layer(&mut self, path: String) {
        self.origins.insert(path, self.layer.clone());
    }

    /// Takes the layers of a value that is gone away, and of all in it: by what was there, since names hold dots too.
    fn forget(&mut self, path: &str, before: Option<&Value>) {
        self.origins.remove(path);
        for (key, inner) in before.and_then(Value::as_object).into_iter().flatten() {
            self.forget(&format!("{path}.{key}"), Some(inner));
        }
    }

    fn into_origins(mut self) -> BTreeMap<String, LayerName> {
        for (key, layers) in self.lists {
            for (place, layer) in layers.into_iter().enumerate() {
                self.origins.insert(format!("{key}.{place}"), layer);
            }
        }
        self.origins
    }
}

fn meet(out: &mut Map<String, Value>, below: &Values, said: &mut Option<Said>) {
    // What is not inherited says something of its own layer only.
    let inherited = |key: &str| field(key).is_none_or(|field| field.inherited);
    out.retain(|key, _| inherited(key));
    if let Some(said) = said {
        said.origins.retain(|key, _| inherited(key));
        said.lists.retain(|key, _| inherited(key));
    }
    for (key, value) in below.as_map() {
        let Some(field) = field(key) else { continue };
        if value.as_str() == Some(INHERIT) {
            continue;
        }
        if value.as_str() == Some(NONE) {
            let before = out.shift_remove(key);
            if let Some(said) = said {
                said.forget(key, before.as_ref());
                said.lists.remove(field.key);
            }
            continue;
        }
        match (field.kind, value) {
            (FieldKind::Map(depth), Value::Object(new)) => {
                let slot = out.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(kept) = slot {
                    interleave(kept, new, depth, key, said);
                }
            }
            (FieldKind::List, Value::Array(new)) => {
                let slot = out.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(kept) = slot {
                    extend(kept, new, field.key, said);
                }
            }
            (_, value) => {
                out.insert(key.clone(), value.clone());
            }
        }
        if let Some(said) = said {
            said.by_this_layer(key.clone());
        }
    }
}

/// What a word that begins with `!` takes away.
fn removal(word: &str) -> Option<&str> {
    word.strip_prefix('!').filter(|word| !word.is_empty())
}

fn interleave(kept: &mut Map<String, Value>, new: &Map<String, Value>, depth: u8, path: &str, said: &mut Option<Said>) {
    let below = |said: &Option<Said>, key: &str| said.as_ref().map_or_else(String::new, |_| format!("{path}.{key}"));
    for (key, value) in new.iter().filter(|(key, _)| removal(key).is_none()) {
        let below = below(said, key);
        match value {
            Value::Object(inner) if depth > 1 => {
                let slot = kept.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Map::new().into();
                }
                if let Value::Object(slot) = slot {
                    interleave(slot, inner, depth - 1, &below, said);
                }
            }
            value => {
                let before = kept.insert(key.clone(), value.clone());
                if let Some(said) = said {
                    said.forget(&below, before.as_ref());
                }
            }
        }
        if let Some(said) = said {
            said.by_this_layer(below);
        }
    }
    for gone in new.keys().filter_map(|key| removal(key)) {
        let before = kept.shift_remove(gone);
        if let Some(said) = said {
            said.forget(&format!("{path}.{gone}"), before.as_ref());
        }
    }
}

fn extend(kept: &mut Vec<Value>, new: &[Value], key: &'static str, said: &mut Option<Said>) {
    for item in new {
        if item.as_str().and_then(removal).is_none() && !kept.contains(item) {
            kept.push(item.clone());
            if let Some(said) = said {
                said.lists.entry(key).or_default().push(said.layer.clone());
            }
        }
    }
    for gone in new.iter().filter_map(|item| item.as_str().and_then(removal)) {
        while let Some(place) = kept.iter().position(|item| item.as_str() == Some(gone)) {
            kept.remove(place);
            if let Some(layers) = said.as_mut().and_then(|said| said.lists.get_mut(key)) {
                layers.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values(document: &Value) -> Values {
        Values::check(document.as_object().cloned().unwrap_or_default()).expect("well-formed")
    }

    fn meet(documents: &[Value]) -> Effective {
        let layers: Vec<Values> = documents.iter().map(values).collect();
        blend(
            layers
                .iter()
                .enumerate()
                .map(|(n, values)| (LayerName::Profile(n.to_string()), values)),
        )
    }

    #[test]
    fn scalars_override_maps_interleave_lists_extend() {
        let met = meet(&[
            json!({"timezone": "UTC", "locale": "C", "comment": "above", "packages": ["vim", "curl"],
                "kernel_options": {"quiet": null, "console": "tty0"}}),
            json!({"timezone": "Asia/Shanghai", "locale": INHERIT, "packages": ["curl", "git", "!vim"],
                "kernel_options": {"console": ["ttyS0"], "!quiet": null}}),
        ]);
        assert_eq!(
            Value::Object(met.values.clone()),
            json!({"timezone": "Asia/Shanghai", "locale": "C", "packages": ["curl", "git"],
                "kernel_options": {"console": ["ttyS0"]}})
        );
        let origin = |path: &str| met.origins.get(path).map(ToString::to_string);
        for (path, layer) in [
            ("timezone", "profile 1"),
            ("locale", "profile 0"),
            ("packages.0", "profile 0"),
            ("packages.1", "profile 1"),
            ("kernel_options.console", "profile 1"),
        ] {
            assert_eq!(origin(path).as_deref(), Some(layer), "{path}");
        }
        assert_eq!(origin("kernel_options.quiet"), None);
        assert_eq!(origin("comment"), None);
    }

    #[test]
    fn kernel_options_stay_in_the_order_they_were_entered_in() {
        let met = meet(&[
            json!({"kernel_options": {"quiet": null, "auto": "true", "---": null, "splash": null}}),
            json!({"kernel_options": {"!splash": null, "auto": "false", "console": "ttyS0"}}),
        ]);
        let names: Vec<&String> = met.values["kernel_options"]
            .as_object()
            .expect("a map")
            .keys()
            .collect();
        assert_eq!(names, ["quiet", "auto", "---", "console"]);
    }

    #[test]
    fn none_takes_away_what_the_layers_above_say() {
        let met = meet(&[
            json!({"proxy": "http://proxy:3128", "packages": ["vim"], "kernel_options": {"quiet": null, "x": "1"}}),
            json!({"proxy": NONE, "packages": NONE, "kernel_options": NONE}),
            json!({"packages": ["git"], "kernel_options": {"y": null}}),
        ]);
        assert_eq!(
            Value::Object(met.values),
            json!({"packages": ["git"], "kernel_options": {"y": null}})
        );
        let paths: Vec<&str> = met.origins.keys().map(String::as_str).collect();
        assert_eq!(paths, ["kernel_options", "kernel_options.y", "packages", "packages.0"]);
    }

    #[test]
    fn interfaces_interleave_field_by_field() {
        let met = meet(&[
            json!({"network": {"interfaces": {"eth0": {"mtu": 9000, "dhcp": true}, "eth1": {"dhcp": true}}}}),
            json!({"network": {"interfaces": {"eth0": {"mac": "52:54:00:00:00:01", "!dhcp": null}, "!eth1": null}}}),
        ]);
        assert_eq!(
            Value::Object(met.values),
            json!({"network": {"interfaces": {"eth0": {"mtu": 9000, "mac": "52:54:00:00:00:01"}}}})
        );
        assert_eq!(met.origins["network.interfaces.eth0.mtu"].to_string(), "profile 0");
    }

    proptest! {
        /// Every value in force has a layer, no layer is named for what is not there, and no removal is left.
        #[test]
        fn every_value_has_its_layer(layers in prop::collection::vec(
            (prop::collection::vec("!?[a-c]", 0..4), prop::collection::btree_map("!?[a-c]", "[x-z]", 0..4)), 0..5)) {
            let documents: Vec<Value> = layers.iter()
                .map(|(packages, options)| json!({"packages": packages, "kernel_options": options})).collect();
            let met = meet(&documents);
            let packages = met.values.get("packages").and_then(Value::as_array).cloned().unwrap_or_default();
            let options = met.values.get("kernel_options").and_then(Value::as_object).cloned().unwrap_or_default();
            let mut paths: Vec<String> = (0..packages.len()).map(|n| format!("packages.{n}")).collect();
            paths.extend(options.keys().map(|key| format!("kernel_options.{key}")));
            paths.extend(met.values.keys().cloned());
            paths.sort();
            prop_assert_eq!(met.origins.keys().cloned().collect::<Vec<_>>(), paths);
            prop_assert!(!options.keys().any(|key| key.starts_with('!')));
            prop_assert!(!packages.iter().any(|item| item.as_str().is_some_and(|item| item.starts_with('!'))));
        }
    }
}
