//! What Cobbler blends beside what is in force in Muster.

use std::collections::BTreeMap;

use muster::desired::{Effective, kernel_line};
use serde_json::{Map, Value, json};

use super::world::{FIELDS, Form, Kind};

const BARE: &str = "a bare option beside the same with a value";
const TILDE: &str = "a bare option after a change in place";
const TWICE: &str = "an item twice in one text";
const DEFAULTS: &str = "default owners, default name servers";

/// Counts, and what is not the same.
#[derive(Debug, Default)]
pub(super) struct Tally {
    objects: usize,
    keys: usize,
    meant: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

/// A value of Cobbler's by Muster's name; what is empty is absent.
pub(super) fn of_cobbler(blended: &Map<String, Value>, key: &str) -> Option<Value> {
    let cobbler = FIELDS
        .iter()
        .find(|(name, _, _)| *name == key)
        .map_or(key, |(_, cobbler, _)| cobbler);
    blended.get(cobbler).cloned()
}

/// A value in force.
pub(super) fn of_muster(effective: &Effective, key: &str) -> Option<Value> {
    let options = || effective.values.get("kernel_options").and_then(Value::as_object);
    match key {
        "kernel_line" => Some(options().map(kernel_line).unwrap_or_default().into()),
        key => effective.values.get(key).cloned(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn without_doubles(items: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut out = Vec::new();
    for item in items {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

/// Whether there was one.
fn tildes_to_nothing(value: &mut Value) -> bool {
    match value {
        Value::String(text) if text == "~" => {
            *value = Value::Null;
            true
        }
        Value::Array(items) => items.iter_mut().map(tildes_to_nothing).filter(|any| *any).count() > 0,
        Value::Object(map) => map.values_mut().map(tildes_to_nothing).filter(|any| *any).count() > 0,
        _ => false,
    }
}

fn items(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

impl Tally {
    pub(super) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Compares every key of an object.
    pub(super) fn object(
        &mut self,
        what: &str,
        kind: Kind,
        blended: &Map<String, Value>,
        effective: &Effective,
        defaults: &Value,
    ) {
        self.objects += 1;
        for (key, _, form) in FIELDS {
            let theirs = of_cobbler(blended, key).filter(|value| !is_empty(value));
            let ours = of_muster(effective, key).filter(|value| !is_empty(value));
            // What Cobbler has not on this kind of object: only the site's defaults can be in force here.
            let unknown = match *key {
                "name_servers" | "search_domains" | "proxy" => kind == Kind::Distro,
                _ => false,
            };
            if unknown {
                continue;
            }
            match form {
                _ if *key == "repos" => self.repos(what, blended, ours.as_ref()),
                Form::Map => self.map(&format!("{what}: {key}"), theirs.as_ref(), ours.as_ref()),
                Form::List => self.list(
                    &format!("{what}: {key}"),
                    theirs.as_ref(),
                    ours.as_ref(),
                    defaults.get(*key),
                ),
                Form::Scalar => self.same(&format!("{what}: {key}"), theirs.as_ref(), ours.as_ref()),
            }
        }
        let line = |value: Option<Value>| value.and_then(|value| value.as_str().map(words)).unwrap_or_default();
        let mut theirs = line(of_cobbler(blended, "kernel_line"));
        for word in &mut theirs {
            if let Some(bare) = word.strip_suffix("=None").or_else(|| word.strip_suffix('=')) {
                *word = bare.to_owned();
                *self.meant.entry(BARE).or_default() += 1;
            } else if let Some(bare) = word.strip_suffix("=~") {
                *word = bare.to_owned();
                *self.meant.entry(TILDE).or_default() += 1;
            }
        }
        let mut ours = line(of_muster(effective, "kernel_line"));
        theirs.sort();
        ours.sort();
        self.same(
            &format!("{what}: kernel line"),
            Some(&json!(theirs)),
            Some(&json!(ours)),
        );
    }

    fn same(&mut self, what: &str, theirs: Option<&Value>, ours: Option<&Value>) {
        self.keys += 1;
        if theirs != ours {
            let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            self.wrong
                .push(format!("{what}: Cobbler {}, Muster {}", shown(theirs), shown(ours)));
        }
    }

    fn map(&mut self, what: &str, theirs: Option<&Value>, ours: Option<&Value>) {
        let empty = Map::new();
        let map = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
        let (theirs, ours) = (map(theirs), map(ours));
        let mut names: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let mut value = theirs.get(name).cloned();
            if value.as_mut().is_some_and(tildes_to_nothing) {
                *self.meant.entry(TILDE).or_default() += 1;
            }
            self.same(&format!("{what}.{name}"), value.as_ref(), ours.get(name));
        }
    }

    fn list(&mut self, what: &str, theirs: Option<&Value>, ours: Option<&Value>, default: Option<&Value>) {
        let theirs = items(theirs);
        let single = without_doubles(theirs.clone());
        if single != theirs {
            *self.meant.entry(TWICE).or_default() += 1;
        }
        let layered = without_doubles(items(default).into_iter().chain(single.clone()));
        if layered != single {
            *self.meant.entry(DEFAULTS).or_default() += 1;
        }
        self.same(what, Some(&layered.into()), Some(&items(ours).into()));
    }

    /// Names of repositories there, entries here.
    fn repos(&mut self, what: &str, blended: &Map<String, Value>, ours: Option<&Value>) {
        let empty = Map::new();
        let ours = ours.and_then(Value::as_object).unwrap_or(&empty);
        let all = items(blended.get("repo_data"));
        let theirs = without_doubles(all.clone());
        if all != theirs {
            *self.meant.entry(TWICE).or_default() += 1;
        }
        for repo in &theirs {
            let name = repo.get("name").and_then(Value::as_str).unwrap_or_default();
            let entry = json!({"url": repo.get("mirror"), "priority": repo.get("priority")});
            self.same(&format!("{what}: repos.{name}"), Some(&entry), ours.get(name));
        }
        let names: Vec<&Value> = theirs.iter().filter_map(|repo| repo.get("name")).collect();
        let named = |names: &mut dyn Iterator<Item = &str>| {
            let mut names: Vec<&str> = names.collect();
            names.sort_unstable();
            json!(names)
        };
        let theirs = named(&mut names.iter().filter_map(|name| name.as_str()));
        let ours = named(&mut ours.keys().map(String::as_str));
        self.same(&format!("{what}: names of repos"), Some(&theirs), Some(&ours));
    }

    /// Prints the counts, and fails when something is not the same.
    pub(super) fn done(&self) {
        let meant: usize = self.meant.values().sum();
        println!(
            "{} objects, {} keys compared, {meant} meant differences",
            self.objects, self.keys
        );
        for (what, times) in &self.meant {
            println!("  {times} times: {what}");
        }
        let shown: Vec<&str> = self.wrong.iter().take(20).map(String::as_str).collect();
        let many = self.wrong.len();
        assert!(
            many == 0,
            "{many} differences that are not meant; the first:\n{}",
            shown.join("\n")
        );
        assert!(self.objects >= 200, "too few objects to say anything: {}", self.objects);
    }
}

/// Words of a kernel line; blanks within single quotes do not part.
fn words(line: &str) -> Vec<String> {
    let mut quoted = false;
    line.split(|letter: char| {
        quoted ^= letter == '\'';
        letter == ' ' && !quoted
    })
    .filter(|word| !word.is_empty())
    .map(str::to_owned)
    .collect()
}
