use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Fault, FieldKind,
    field::{FIELDS, field, same},
    nearest,
};

/// The word that says "as the layer above".
pub const INHERIT: &str = "<<inherit>>";

/// The word that says "nothing, whatever the layers above say".
pub const NONE: &str = "<<none>>";

/// How large a document may be, bytes of JSON.
const LARGEST: usize = 256 * 1024;

/// What is shown in place of a secret.
pub const SET: &str = "(set)";

/// One layer's desired values. Every document that exists has been checked, or was read from the ledger.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(Map<String, Value>);

impl Values {
    /// Checks a document; the first fault is told.
    ///
    /// # Errors
    /// [`Fault`] with the field, its value, why and what to do.
    pub fn check(document: Map<String, Value>) -> Result<Self, Fault> {
        let values = Self(document);
        if serde_json::to_string(&values.0).map_or(usize::MAX, |text| text.len()) > LARGEST {
            return Err(Fault::unshown(
                "values",
                format!("the document is larger than {LARGEST} bytes"),
                "keep files elsewhere and name them here",
            ));
        }
        for (key, value) in &values.0 {
            check_field(key, value)?;
        }
        Ok(values)
    }

    /// What the ledger holds.
    #[must_use]
    pub const fn stored(document: Map<String, Value>) -> Self {
        Self(document)
    }

    /// The document.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether another layer says the same, in the same order where that means something.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let mut keys = self.0.keys().chain(other.0.keys());
        keys.all(|key| same(key, self.0.get(key), other.0.get(key)))
    }

    /// A document that a person was shown and gives back: where it says of a secret what was shown of it, that secret
    /// stays.
    #[must_use]
    pub fn with_kept_secrets(&self, mut document: Map<String, Value>) -> Map<String, Value> {
        keep_secrets(&mut document, &self.0, &self.shown());
        document
    }

    /// The document with secrets replaced by "(set)".
    #[must_use]
    pub fn shown(&self) -> Map<String, Value> {
        shown(&self.0)
    }

    /// These values with `changes` put over them: `null` and `<<inherit>>` take a field away; with `in_place` maps and
    /// lists are changed key by key and item by item instead of replaced, and `~word` takes this layer's own word back.
    ///
    /// # Errors
    /// As [`Values::check`]; and for `~word` without `in_place`.
    pub fn changed(&self, changes: Map<String, Value>, in_place: bool) -> Result<Self, Fault> {
        let mut document = self.0.clone();
        for (key, mut value) in changes {
            if in_place {
                take_back(document.get_mut(&key), &mut value);
                undo(document.get_mut(&key), &value);
            } else if let Some(word) = words(&value).into_iter().find(|word| taken_back(word).is_some()) {
                return Err(Fault::new(
                    &key,
                    word,
                    "`~` takes a word back from what is there, and here all is replaced",
                    "add --in-place, or write the words that shall be there",
                ));
            }
            match (document.get_mut(&key), value) {
                (_, Value::Null) => {
                    document.shift_remove(&key);
                }
                (_, Value::String(text)) if text == INHERIT => {
                    document.shift_remove(&key);
                }
                (Some(Value::Object(kept)), Value::Object(new)) if in_place => {
                    let depth = field(&key).map_or(1, |field| match field.kind {
                        FieldKind::Map(depth) => depth,
                        FieldKind::Scalar | FieldKind::List => 1,
                    });
                    merge(kept, new, depth);
                }
                (Some(Value::Array(kept)), Value::Array(new)) if in_place => {
                    for item in new {
                        if let Some(own) = item.as_str().and_then(|word| word.strip_prefix('!')) {
                            kept.retain(|kept| kept.as_str() != Some(own));
                        }
                        if !kept.contains(&item) {
                            kept.push(item);
                        }
                    }
                }
                (_, value) => {
                    document.insert(key, value);
                }
            }
        }
        Self::check(document)
    }
}

/// Puts `new` into `kept` key by key, as deep as layers meet: what is not named stays.
fn merge(kept: &mut Map<String, Value>, new: Map<String, Value>, depth: u8) {
    for (name, mut value) in new {
        // The removal of what this layer itself says.
        if let Some(own) = name.strip_prefix('!') {
            kept.shift_remove(own);
        }
        if depth > 1 && value.is_object() {
            take_back(kept.get_mut(&name), &mut value);
            undo(kept.get_mut(&name), &value);
        }
        match (kept.get_mut(&name), value) {
            (Some(Value::Object(kept)), Value::Object(new)) if depth > 1 => merge(kept, new, depth - 1),
            (_, value) => {
                kept.insert(name, value);
            }
        }
    }
}

/// Takes out of `kept` the removals of what `new` adds: with both in one layer the removal would win, and what somebody has
/// added would never come. A removal that `new` says itself wins as it does in a layer that is written at once.
fn undo(kept: Option<&mut Value>, new: &Value) {
    let Some(kept) = kept else { return };
    let words = words(new);
    for word in &words {
        let removal = format!("!{word}");
        if !words.contains(&&*removal) {
            take(kept, &removal);
        }
    }
}

/// What a word that begins with `~` takes back.
fn taken_back(word: &str) -> Option<&str> {
    word.strip_prefix('~').filter(|own| !own.is_empty())
}

/// The names of a map, or the items of a list.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(map) => map.keys().map(String::as_str).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Takes what `new` writes as `~word` out of both.
fn take_back(mut kept: Option<&mut Value>, new: &mut Value) {
    let gone: Vec<String> = words(new).into_iter().map(str::to_owned).collect();
    for word in gone {
        let Some(own) = taken_back(&word) else { continue };
        take(new, &word);
        if let Some(kept) = &mut kept {
            take(kept, own);
        }
    }
}

fn take(from: &mut Value, word: &str) {
    match from {
        Value::Object(map) => {
            map.shift_remove(word);
        }
        Value::Array(items) => items.retain(|item| item.as_str() != Some(word)),
        _ => {}
    }
}

/// Puts back what was hidden.
fn keep_secrets(given: &mut Map<String, Value>, had: &Map<String, Value>, shown: &Map<String, Value>) {
    for (key, given) in given {
        match (had.get(key), shown.get(key)) {
            (Some(had), Some(shown)) if given == shown => *given = had.clone(),
            (Some(Value::Object(had)), Some(Value::Object(shown))) => {
                if let Value::Object(given) = given {
                    keep_secrets(given, had, shown);
                }
            }
            _ => {}
        }
    }
}

/// Whether a value of this name is for nobody's eyes, whoever chose the name.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "secret", "token"]
        .iter()
        .any(|word| name.contains(word))
}

/// Secrets replaced by "(set)", passwords in URLs too.
pub(super) fn shown(document: &Map<String, Value>) -> Map<String, Value> {
    let mut out = document.clone();
    for (key, value) in &mut out {
        hide(key, value);
    }
    out
}

fn hide(key: &str, value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) => {}
        // What is called a secret is one as a whole, whatever lies below it.
        _ if is_secret(key) => *value = SET.into(),
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| hide(key, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(key, item)),
        Value::String(text) => {
            if let Some(hidden) = without_password(text) {
                *text = hidden;
            }
        }
        Value::Number(_) => {}
    }
}

/// `scheme://user:(set)@host…`, when there is a password.
fn without_password(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', ' ', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    Some(format!("{scheme}://{name}:{SET}@{host}{path}"))
}

fn check_field(key: &str, value: &Value) -> Result<(), Fault> {
    let Some(field) = field(key) else {
        let advice = match nearest(key, FIELDS.iter().map(|field| field.key)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "your own variables go into `vars`".to_owned(),
        };
        return Err(Fault::unshown(key, "there is no such field", advice));
    };
    if value.as_str().is_some_and(|word| word == INHERIT || word == NONE) {
        return Ok(());
    }
    match (field.kind, value) {
        (FieldKind::List, Value::Array(items)) => items.iter().try_for_each(|item| match item.as_str() {
            // What is removed need not be well-formed.
            Some(text) if text.len() > 1 && text.starts_with('!') => Ok(()),
            Some(_) => (field.check)(key, item),
            None => Err(Fault::new(
                key,
                &item.to_string(),
                "an item is no text",
                "write a list of texts",
            )),
        }),
        (FieldKind::List, _) => Err(Fault::new(
            key,
            &value.to_string(),
            "it is no list",
            "write [\"one\", \"two\"]",
        )),
        (FieldKind::Map(_), Value::Object(_)) | (FieldKind::Scalar, _) => (field.check)(key, value),
        (FieldKind::Map(_), _) => Err(Fault::new(
            key,
            &value.to_string(),
            "it is no map",
            "write {\"name\": value} or name=value",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value) -> Result<Values, String> {
        Values::check(value.as_object().cloned().unwrap_or_default()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn faults_name_field_value_why_and_what_to_do() {
        for (document, told) in [
            (json!({"kernel_opts": {}}), "did you mean `kernel_options`?"),
            (json!({"zzz": 1}), "`vars`"),
            (
                json!({"network": {"interfaces": {"eth0": {"mac": "zz"}}}}),
                "network.interfaces.eth0.mac = `zz`",
            ),
            (
                json!({"network": {"interfaces": {"eth0": {"addresses": ["10.0.0.1"]}}}}),
                "10.0.0.5/24",
            ),
            (json!({"name_servers": ["dns1"]}), "name_servers = `dns1`"),
            (json!({"packages": "vim"}), "it is no list"),
            (json!({"install_agent": "yes"}), "true or false"),
            (json!({"selinux": "on"}), "enforcing"),
            (json!({"disk": {"rul": "first"}}), "did you mean `rule`?"),
            (json!({"users": {"Anna B": {}}}), "users.Anna B"),
            (json!({"template": "../x"}), "template = `../x`"),
        ] {
            let fault = check(&document).expect_err("refused");
            assert!(fault.contains(told), "{fault}");
        }
    }

    #[test]
    fn a_clear_password_is_refused_and_not_shown() {
        for document in [
            json!({"root_password_hash": "hunter2"}),
            json!({"users": {"anna": {"password_hash": "hunter2"}}}),
        ] {
            let fault = check(&document).expect_err("refused");
            assert!(fault.contains("hash") && !fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn secrets_are_shown_as_set() {
        let hash = "$6$abcdefgh$0123456789";
        let values =
            check(&json!({"root_password_hash": hash, "users": {"anna": {"password_hash": hash}}})).expect("well");
        assert_eq!(
            Value::Object(values.shown()),
            json!({"root_password_hash": "(set)", "users": {"anna": {"password_hash": "(set)"}}})
        );
    }

    #[test]
    fn a_secret_that_was_not_shown_stays() {
        let hash = "$6$abcdefgh$0123456789";
        let values =
            check(&json!({"root_password_hash": hash, "users": {"anna": {"password_hash": hash}}})).expect("well");
        assert_eq!(values.with_kept_secrets(values.shown()), *values.as_map());
        // Where nothing was kept, the word stays and is refused.
        let kept = Values::default().with_kept_secrets(values.shown());
        assert!(check(&Value::Object(kept)).is_err());
    }

    #[test]
    fn secrets_by_name_and_in_urls_are_hidden_and_kept() {
        let values = check(&json!({
            "vars": {"db_password": "hunter2", "app": {"secrets": {"db": "hunter2"}}, "Api_Token": {"a": ["x1y2"]}, "role": "db"},
            "proxy": "http://bob:pw@proxy:3128/", "repos": {"own": {"url": "https://bob:pw@mirror/x"}},
        }))
        .expect("well");
        let shown = Value::Object(values.shown());
        assert_eq!(shown["vars"]["db_password"], "(set)");
        assert_eq!(shown["vars"]["role"], "db");
        assert_eq!(shown["proxy"], "http://bob:(set)@proxy:3128/");
        assert!(
            !shown.to_string().contains("pw@") && !shown.to_string().contains("hunter2"),
            "{shown}"
        );
        let mut back = values.shown();
        back.insert("hostname".into(), "web1".into());
        let kept = values.with_kept_secrets(back);
        assert_eq!(kept["vars"], values.as_map()["vars"]);
        assert_eq!(kept["proxy"], values.as_map()["proxy"]);
        assert_eq!(kept["hostname"], "web1");
    }

    #[test]
    fn changes_replace_take_away_or_work_in_place() {
        let values = check(&json!({"hostname": "a", "kernel_options": {"quiet": null, "x": "1"}})).expect("well");
        let changes = json!({"hostname": INHERIT, "kernel_options": {"!x": null, "y": "2"}});
        let changes = changes.as_object().cloned().unwrap_or_default();
        let replaced = values.changed(changes.clone(), false).expect("well");
        assert_eq!(json!(replaced), json!({"kernel_options": {"!x": null, "y": "2"}}));
        let changed = values.changed(changes, true).expect("well");
        assert_eq!(
            json!(changed),
            json!({"kernel_options": {"quiet": null, "!x": null, "y": "2"}})
        );
        let back = json!({"kernel_options": {"x": "3"}});
        let back = changed
            .changed(back.as_object().cloned().unwrap_or_default(), true)
            .expect("well");
        assert_eq!(
            json!(back),
            json!({"kernel_options": {"quiet": null, "y": "2", "x": "3"}})
        );
    }

    #[test]
    fn lists_change_in_place_item_by_item() {
        let values = check(&json!({"packages": ["vim", "git", "!nano"]})).expect("well");
        let change = |items: Value, in_place| {
            let changed = values.changed(Map::from_iter([("packages".to_owned(), items)]), in_place);
            changed
                .map(|values| json!(values)["packages"].clone())
                .map_err(|fault| fault.to_string())
        };
        for (items, after) in [
            (json!(["curl", "vim"]), json!(["vim", "git", "!nano", "curl"])),
            (json!(["~git", "~!nano", "~gone"]), json!(["vim"])),
            (json!(["!git"]), json!(["vim", "!nano", "!git"])),
            (json!(["nano"]), json!(["vim", "git", "nano"])),
            (json!(["!nano", "nano"]), json!(["vim", "git", "!nano", "nano"])),
        ] {
            assert_eq!(change(items, true), Ok(after));
        }
        assert_eq!(change(json!(["curl"]), false), Ok(json!(["curl"])));
        let fault = change(json!(["~git"]), false).expect_err("refused");
        assert!(
            fault.contains("packages = `~git`") && fault.contains("--in-place"),
            "{fault}"
        );
    }

    #[test]
    fn what_is_not_named_stays_however_deep() {
        let values = check(&json!({
            "network": {"interfaces": {
                "eth0": {"mac": "52:54:00:00:00:01", "addresses": ["10.0.0.5/24"]},
                "eth1": {"mac": "52:54:00:00:00:02", "dhcp": true},
                "eth2": {"mac": "52:54:00:00:00:03", "dhcp": true},
            }},
            "users": {"anna": {"sudo": true, "groups": ["wheel"]}, "bob": {}},
        }))
        .expect("well");
        let changes = json!({
            "network": {"interfaces": {"eth1": {"mtu": 1400, "~dhcp": null}, "~eth2": null}},
            "users": {"anna": {"uid": 1002}},
        });
        let changed = values.changed(changes.as_object().cloned().unwrap_or_default(), true);
        assert_eq!(
            json!(changed.expect("well")),
            json!({
                "network": {"interfaces": {
                    "eth0": {"mac": "52:54:00:00:00:01", "addresses": ["10.0.0.5/24"]},
                    "eth1": {"mac": "52:54:00:00:00:02", "mtu": 1400},
                }},
                "users": {"anna": {"sudo": true, "groups": ["wheel"], "uid": 1002}, "bob": {}},
            })
        );
    }

    #[test]
    fn a_tilde_takes_this_layer_s_own_word_back() {
        let values = check(&json!({"kernel_options": {"quiet": null, "x": "1"}})).expect("well");
        for (changes, after) in [
            (
                json!({"~x": null, "~gone": null, "y": "2"}),
                json!({"quiet": null, "y": "2"}),
            ),
            (json!({"~": null}), json!({"quiet": null, "x": "1", "~": null})),
        ] {
            let changes = Map::from_iter([("kernel_options".to_owned(), changes)]);
            let changed = values.changed(changes, true).expect("well");
            assert_eq!(json!(changed), json!({"kernel_options": after}));
        }
        let first = Values::default()
            .changed(
                Map::from_iter([("vars".to_owned(), json!({"~x": null, "y": "2"}))]),
                true,
            )
            .expect("well");
        assert_eq!(json!(first), json!({"vars": {"y": "2"}}));
    }
}
