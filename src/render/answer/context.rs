//! The names that a template can use, with a note of which ones it did.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexMap;
use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Enumerator, Object, ObjectRepr},
};
use serde_json::{Map, Value as Json};

use super::{AnswerInput, SearchNames, UsedValue, search::SnippetIndex, vocabulary};
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

/// Whether it is noted which names were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    /// Each, down to the innermost.
    Kept,
    /// None: nobody asks.
    None,
}

/// In which order a template goes through a map. What stands in it stays the same however it was entered, but where the
/// order itself says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsEntered,
    ByName,
}

/// One render's names.
#[derive(Debug, Clone)]
pub(super) struct Context(Arc<Names>);

/// The names that a template can use. A value is made when it is first asked for: a template uses few of them.
#[derive(Debug)]
struct Names {
    input: AnswerInput,
    search: Value,
    notes: Notes,
    asked: Mutex<BTreeMap<String, Value>>,
}

impl Names {
    fn vars(&self) -> Option<&Map<String, Json>> {
        self.input.values.get("vars").and_then(Json::as_object)
    }

    /// The value of a name: a site's variables are names of their own and go before all else.
    fn named(&self, name: &str) -> Option<Json> {
        match (name, self.vars()) {
            ("vars", vars) => Some(Json::Object(vars.cloned().unwrap_or_default())),
            (name, Some(vars)) if vars.contains_key(name) => vars.get(name).cloned(),
            (name, _) => vocabulary::named(name, &self.input.values, &self.input.context),
        }
    }

    /// Every name with its value.
    fn all(&self) -> Map<String, Json> {
        let mut all = vocabulary::complete(&self.input.values, &self.input.context);
        if let Some(vars) = self.vars() {
            all.extend(vars.clone());
        }
        all.insert(
            "vars".to_owned(),
            Json::Object(self.vars().cloned().unwrap_or_default()),
        );
        all
    }

    /// The values that were asked for.
    fn asked(&self) -> BTreeMap<String, Value> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        if key == SEARCH {
            return Some(self.search.clone());
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = asked.get(key) {
            return Some(value.clone());
        }
        let order = match field(key) {
            Some(field) if field.ordered => Order::AsEntered,
            _ => Order::ByName,
        };
        let value = to_value(&self.named(key)?, order, self.notes);
        asked.insert(key.to_owned(), value.clone());
        Some(value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.all().keys().map(|name| Value::from(name.as_str())).collect())
    }
}

impl Context {
    pub(super) fn new(input: AnswerInput, notes: Notes) -> Self {
        Self(Arc::new(Names {
            search: Value::from_object(Search(input.search.clone())),
            input,
            notes,
            asked: Mutex::default(),
        }))
    }

    /// What it was made from.
    pub(super) fn input(&self) -> &AnswerInput {
        &self.0.input
    }

    /// What the template sees as its names.
    pub(super) fn root(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.0))
    }

    /// The values that were asked for, by name.
    pub(super) fn used(&self) -> Vec<UsedValue> {
        let all = self.0.all();
        let mut used = BTreeSet::new();
        for (name, value) in self.0.asked() {
            innermost(&value, &name, &mut |path| {
                used.insert(UsedValue {
                    value: self.shown(&all, path),
                    layer: self.layer(path),
                    name: path.to_owned(),
                });
            });
        }
        used.into_iter().collect()
    }

    /// The value at `path` on one line, without secrets.
    fn shown(&self, all: &Map<String, Json>, path: &str) -> String {
        let Some(value) = at(all, path) else {
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
        let origins = &self.input().origins;
        let of_vars = self
            .0
            .vars()
            .is_some_and(|vars| vars.contains_key(first))
            .then(|| format!("vars.{path}"));
        let path = of_vars.as_deref().unwrap_or(path);
        let mut look = path;
        loop {
            if let Some(layer) = origins.get(look) {
                // Its parts have layers of their own, and this one is not among them: no layer said it.
                let parts = format!("{look}.");
                let mut parts = origins
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
        let mut layers: Vec<&str> = origins
            .range(below.clone()..)
            .take_while(|(name, _)| name.starts_with(&below))
            .map(|(_, layer)| layer.as_str())
            .collect();
        layers.sort_unstable();
        layers.dedup();
        if !layers.is_empty() {
            layers.join(", ")
        } else if self.input().context.contains_key(first) {
            KNOWN.to_owned()
        } else {
            ASSUMED.to_owned()
        }
    }

    /// The names at `path`, for saying what a mistyped one might have meant.
    pub(super) fn names_at(&self, path: &[&str]) -> Vec<String> {
        let mut here = self.0.all();
        for part in path {
            match here.shift_remove(*part) {
                Some(Json::Object(inner)) => here = inner,
                _ => return Vec::new(),
            }
        }
        here.into_iter().map(|(name, _)| name).collect()
    }

    /// What is for nobody's eyes.
    pub(super) fn secrets(&self) -> Vec<String> {
        secrets([&self.input().values, &self.input().context])
    }

    /// `text` without any secret of this render.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets() {
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
fn secrets(documents: [&Map<String, Json>; 2]) -> Vec<String> {
    fn collect(key: &str, value: &Json, found: &mut Vec<String>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(key, value)| collect(key, value, found)),
            Json::Array(list) => list.iter().for_each(|value| collect(key, value, found)),
            Json::String(text) if text.len() >= 4 && is_secret(key) => forms(text, found),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (key, value) in documents.into_iter().flatten() {
        collect(key, value, &mut found);
    }
    found
}

/// A map that notes which of its keys were asked for.
#[derive(Debug)]
struct Noted(IndexMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    value: Value,
    asked: AtomicBool,
}

impl Noted {
    fn any_asked(&self) -> bool {
        self.0.values().any(|entry| entry.asked.load(Ordering::Relaxed))
    }
}

/// Calls `note` with the path of each value that was asked for, the innermost only.
fn innermost(value: &Value, path: &str, note: &mut dyn FnMut(&str)) {
    match value.downcast_object_ref::<Noted>() {
        Some(map) if map.any_asked() => {
            for (key, entry) in &map.0 {
                if entry.asked.load(Ordering::Relaxed) {
                    innermost(&entry.value, &format!("{path}.{key}"), note);
                }
            }
        }
        _ => note(path),
    }
}

impl Object for Noted {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let entry = self.0.get(key)?;
        entry.asked.store(true, Ordering::Relaxed);
        Some(entry.value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Value::from(name.as_str())).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}

fn to_value(json: &Json, order: Order, notes: Notes) -> Value {
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
        Json::Array(list) => list.iter().map(|item| to_value(item, Order::ByName, notes)).collect(),
        Json::Object(map) => {
            let mut entries: Vec<(&String, &Json)> = map.iter().collect();
            if order == Order::ByName {
                entries.sort_unstable_by_key(|(key, _)| *key);
            }
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key, to_value(value, Order::ByName, notes)));
            match notes {
                Notes::Kept => Value::from_object(Noted(
                    entries
                        .map(|(key, value)| {
                            let asked = AtomicBool::new(false);
                            (key.clone(), Entry { value, asked })
                        })
                        .collect(),
                )),
                Notes::None => Value::from_pairs(entries.map(|(key, value)| (key.as_str(), value))),
            }
        }
    }
}

/// The search names of one render, as a value that templates cannot name.
#[derive(Debug)]
struct Search(SearchNames);

impl Object for Search {}

/// `snippet("name")`, to be included, and `has_snippet("name")`.
pub(super) fn add_snippet_functions(env: &mut Environment<'static>, index: SnippetIndex) {
    let index = Arc::new(index);
    let known = Arc::clone(&index);
    env.add_function("snippet", move |state: &mut State<'_, '_>, name: &str| {
        let search = search(state)?;
        let names = names_of(&search)?;
        known.find(name, names).map(str::to_owned).ok_or_else(|| {
            let looked = names.places(name).join(", ");
            Error::new(
                ErrorKind::TemplateNotFound,
                format!("there is no snippet `{name}`: looked for {looked}, each in the site's folder and built in"),
            )
        })
    });
    env.add_function("has_snippet", move |state: &mut State<'_, '_>, name: &str| {
        let search = search(state)?;
        Ok::<_, Error>(index.find(name, names_of(&search)?).is_some())
    });
}

fn search(state: &mut State<'_, '_>) -> Result<Value, Error> {
    state.lookup(SEARCH).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            "a macro sees no names of the host, so it cannot look for snippets: include them outside of it",
        )
    })
}

fn names_of(search: &Value) -> Result<&SearchNames, Error> {
    let search = search.downcast_object_ref::<Search>();
    search
        .map(|search| &search.0)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the snippet search is not there"))
}
