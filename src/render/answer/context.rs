//! The names that a template can use, with a note of which ones it did.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Enumerator, Object, ObjectRepr},
};
use serde_json::{Map, Value as Json};

use super::{AnswerInput, SearchNames, UsedValue, vocabulary};
use crate::desired::{field, is_secret};

/// Under this name a render's snippet search is kept. No template can write it: it has a space.
const SEARCH: &str = "snippet search";

/// What is shown in place of a secret.
const SET: &str = "(set)";
/// Letters of a value that are shown.
const LONGEST_SHOWN: usize = 120;

/// The layer of what Muster knows by itself: the host's record, the distro, this install.
const KNOWN: &str = "known to Muster";
/// The layer of a value that no layer set.
const ASSUMED: &str = "Muster's default";

/// One render's names.
pub(super) struct Context {
    top: Arc<Names>,
    /// The same as plain values, for looking up what a mistyped name might have meant.
    plain: Map<String, Json>,
    origins: BTreeMap<String, String>,
    known: Vec<String>,
    promoted: Vec<String>,
    secrets: Vec<String>,
}

impl Context {
    pub(super) fn new(input: &AnswerInput) -> Self {
        let mut plain = vocabulary::complete(&input.values, &input.context);
        let vars = match input.values.get("vars") {
            Some(Json::Object(vars)) => vars.clone(),
            _ => Map::new(),
        };
        let promoted = vars.keys().cloned().collect();
        let secrets = secrets(&plain);
        for (name, value) in &vars {
            plain.insert(name.clone(), value.clone());
        }
        plain.insert("vars".to_owned(), Json::Object(vars));
        let mut top = Names::of(&plain);
        top.entries.insert(
            SEARCH.to_owned(),
            Entry::new(Value::from_object(Search(input.search.clone()))),
        );
        Self {
            top: Arc::new(top),
            plain,
            origins: input.origins.clone(),
            known: input.context.keys().cloned().collect(),
            promoted,
            secrets,
        }
    }

    /// What the template sees as its names.
    pub(super) fn root(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.top))
    }

    /// The values that were asked for, by name.
    pub(super) fn used(&self) -> Vec<UsedValue> {
        let mut used = Vec::new();
        self.top.collect("", &mut |path| {
            if path != SEARCH {
                used.push(UsedValue {
                    value: self.shown(path),
                    layer: self.layer(path),
                    name: path.to_owned(),
                });
            }
        });
        used.sort();
        used.dedup();
        used
    }

    /// The value at `path` on one line, without secrets.
    fn shown(&self, path: &str) -> String {
        let Some(value) = at(&self.plain, path) else {
            return String::new();
        };
        let name = path.rsplit('.').next().unwrap_or(path);
        if is_secret(name) && !matches!(value, Json::Null | Json::Bool(_)) {
            return SET.to_owned();
        }
        let text = match value {
            Json::Null => "-".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let text = self.without_secrets(&text).replace(['\n', '\r'], " ");
        match text.char_indices().nth(LONGEST_SHOWN) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }

    /// The layer that set the value at `path`.
    fn layer(&self, path: &str) -> String {
        let first = path.split('.').next().unwrap_or(path);
        let of_vars = self
            .promoted
            .iter()
            .any(|name| name == first)
            .then(|| format!("vars.{path}"));
        let path = of_vars.as_deref().unwrap_or(path);
        let mut look = path;
        loop {
            if let Some(layer) = self.origins.get(look) {
                // Its parts have layers of their own, and this one is not among them: no layer said it.
                let parts = format!("{look}.");
                let mut parts = self
                    .origins
                    .range(parts.clone()..)
                    .take_while(|(name, _)| name.starts_with(&parts));
                if look != path && parts.next().is_some() {
                    return ASSUMED.to_owned();
                }
                return layer.clone();
            }
            match look.rsplit_once('.') {
                Some((above, _)) => look = above,
                None => break,
            }
        }
        // A whole map was used, and its parts have different layers.
        let below = format!("{path}.");
        let mut layers: Vec<&str> = self
            .origins
            .range(below.clone()..)
            .take_while(|(name, _)| name.starts_with(&below))
            .map(|(_, layer)| layer.as_str())
            .collect();
        layers.sort_unstable();
        layers.dedup();
        if !layers.is_empty() {
            layers.join(", ")
        } else if self.known.iter().any(|name| name == first) {
            KNOWN.to_owned()
        } else {
            ASSUMED.to_owned()
        }
    }

    /// The names at `path`, for saying what a mistyped one might have meant.
    pub(super) fn names_at(&self, path: &[&str]) -> Vec<&str> {
        let mut here = &self.plain;
        for part in path {
            match here.get(*part) {
                Some(Json::Object(inner)) => here = inner,
                _ => return Vec::new(),
            }
        }
        here.keys().map(String::as_str).collect()
    }

    /// What is for nobody's eyes.
    pub(super) fn into_secrets(self) -> Vec<String> {
        self.secrets
    }

    /// `text` without any secret of this render.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "(secret)");
        }
        text
    }
}

/// The value at a dotted path; names hold dots too.
fn at<'a>(map: &'a Map<String, Json>, path: &str) -> Option<&'a Json> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    map.iter().find_map(|(name, value)| {
        let rest = path.strip_prefix(name.as_str())?.strip_prefix('.')?;
        at(value.as_object()?, rest)
    })
}

/// A secret as it is, and as filters write it: within a shell's quotes, in XML, in JSON, and line by line.
fn forms(text: &str, found: &mut Vec<String>) {
    let xml = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;");
    let json = Json::from(text).to_string();
    let mut all = vec![
        text.to_owned(),
        text.replace('\'', "'\\''"),
        xml,
        json.trim_matches('"').to_owned(),
    ];
    all.extend(text.lines().filter(|line| line.len() >= 8).map(str::to_owned));
    all.sort_unstable();
    all.dedup();
    found.append(&mut all);
}

/// Password hashes and the install's token, wherever they stand.
fn secrets(values: &Map<String, Json>) -> Vec<String> {
    fn collect(key: &str, value: &Json, found: &mut Vec<String>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(key, value)| collect(key, value, found)),
            Json::Array(list) => list.iter().for_each(|value| collect(key, value, found)),
            Json::String(text) if text.len() >= 4 && is_secret(key) => forms(text, found),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (key, value) in values {
        collect(key, value, &mut found);
    }
    found
}

/// A map that notes which of its names were asked for.
#[derive(Debug)]
struct Names {
    entries: BTreeMap<String, Entry>,
    /// The order in which its names are gone through, where that is not the one of the alphabet.
    order: Option<Vec<String>>,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    asked: AtomicBool,
}

impl Entry {
    fn new(value: Value) -> Self {
        Self {
            value,
            asked: AtomicBool::new(false),
        }
    }
}

impl Names {
    fn of(map: &Map<String, Json>) -> Self {
        Self {
            entries: map
                .iter()
                .map(|(name, value)| {
                    let value = match value {
                        Json::Object(inner) if field(name).is_some_and(|field| field.ordered) => {
                            Value::from_object(Self::in_order(inner))
                        }
                        value => to_value(value),
                    };
                    (name.clone(), Entry::new(value))
                })
                .collect(),
            order: None,
        }
    }

    fn in_order(map: &Map<String, Json>) -> Self {
        Self {
            order: Some(map.keys().cloned().collect()),
            ..Self::of(map)
        }
    }

    /// Calls `note` with the path of each value that was asked for, the innermost only.
    fn collect(&self, prefix: &str, note: &mut dyn FnMut(&str)) {
        for (name, entry) in &self.entries {
            if !entry.asked.load(Ordering::Relaxed) {
                continue;
            }
            let path = format!("{prefix}{name}");
            match entry.value.downcast_object_ref::<Self>() {
                Some(inner) if inner.any_asked() => inner.collect(&format!("{path}."), note),
                _ => note(&path),
            }
        }
    }

    fn any_asked(&self) -> bool {
        self.entries.values().any(|entry| entry.asked.load(Ordering::Relaxed))
    }
}

impl Object for Names {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let entry = self.entries.get(key)?;
        entry.asked.store(true, Ordering::Relaxed);
        Some(entry.value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = |names: &mut dyn Iterator<Item = &String>| names.map(|name| Value::from(name.as_str())).collect();
        Enumerator::Values(match &self.order {
            Some(order) => names(&mut order.iter()),
            None => names(&mut self.entries.keys()),
        })
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.entries.len())
    }
}

fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(number) => {
            if let Some(number) = number.as_i64() {
                Value::from(number)
            } else if let Some(number) = number.as_u64() {
                Value::from(number)
            } else {
                Value::from(number.as_f64().unwrap_or_default())
            }
        }
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => list.iter().map(to_value).collect(),
        Json::Object(map) => Value::from_object(Names::of(map)),
    }
}

/// The search names of one render, as a value that templates cannot name.
#[derive(Debug)]
struct Search(SearchNames);

impl Object for Search {}

type Sources = Arc<BTreeMap<String, Arc<str>>>;
type Resolve = fn(&BTreeMap<String, Arc<str>>, &str) -> Option<String>;

/// `snippet("name")`, to be included, and `has_snippet("name")`.
pub(super) fn add_snippet_functions(env: &mut Environment<'static>, sources: &Sources, resolve: Resolve) {
    let known = Arc::clone(sources);
    env.add_function("snippet", move |state: &mut State<'_, '_>, name: String| {
        let places = places(state, &name)?;
        places.iter().find_map(|place| resolve(&known, place)).ok_or_else(|| {
            let looked = places.join(", ");
            Error::new(
                ErrorKind::TemplateNotFound,
                format!("there is no snippet `{name}`: looked for {looked}, each in the site's folder and built in"),
            )
        })
    });
    let known = Arc::clone(sources);
    env.add_function("has_snippet", move |state: &mut State<'_, '_>, name: String| {
        let places = places(state, &name)?;
        Ok::<_, Error>(places.iter().any(|place| resolve(&known, place).is_some()))
    });
}

fn places(state: &mut State<'_, '_>, name: &str) -> Result<Vec<String>, Error> {
    let Some(search) = state.lookup(SEARCH) else {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a macro sees no names of the host, so it cannot look for snippets: include them outside of it",
        ));
    };
    match search.downcast_object_ref::<Search>() {
        Some(search) => Ok(search.0.places(name)),
        None => Err(Error::new(
            ErrorKind::InvalidOperation,
            "the snippet search is not there",
        )),
    }
}
