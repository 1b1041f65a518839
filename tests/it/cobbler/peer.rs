//! Cobbler itself, run by `peer.py`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::world::{FIELDS, Given, Kind, On, REPOS, Step};

/// What a run of Cobbler is given.
#[derive(Debug, Default, Serialize)]
pub(super) struct Site {
    pub(super) settings: Map<String, Value>,
    pub(super) templates: Map<String, Value>,
    pub(super) snippets: Map<String, Value>,
    pub(super) steps: Vec<(String, String, String, Map<String, Value>)>,
    pub(super) ask: Vec<(String, String)>,
    pub(super) keys: Vec<String>,
    pub(super) render: Vec<String>,
    pub(super) show: Vec<String>,
}

/// What it said.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    pub(super) refused: Vec<(usize, String)>,
    pub(super) blended: Vec<Map<String, Value>>,
    pub(super) texts: Map<String, Value>,
    pub(super) entered_seconds: f64,
    pub(super) rendered_seconds: f64,
    pub(super) processor_seconds: f64,
}

/// The Python that has Cobbler; none where `cargo xtask cobbler` did not make one.
pub(super) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("MUSTER_COBBLER").map(PathBuf::from);
    if python.is_none() {
        println!("left out: MUSTER_COBBLER names no Python with Cobbler; `cargo xtask cobbler` does");
    }
    python
}

impl Site {
    /// A site with the defaults of `defaults`, by Muster's names, and the repositories that profiles name.
    pub(super) fn new(defaults: &Value) -> Self {
        let mut site = Self::default();
        for (key, value) in defaults.as_object().expect("a document") {
            let cobbler = match key.as_str() {
                "owners" => "default_ownership",
                "name_servers" => "default_name_servers",
                "search_domains" => "default_name_servers_search",
                "proxy" => "proxy_url_int",
                "tags" => "mgmt_classes",
                "template" => "autoinstall",
                other => other,
            };
            site.settings.insert(cobbler.to_owned(), value.clone());
        }
        for (key, value) in [("server", json!("10.0.0.1")), ("next_server_v4", json!("10.0.0.1"))] {
            site.settings.insert(key.to_owned(), value);
        }
        site.settings.entry("default_ownership").or_insert(json!([]));
        for (name, url, priority) in REPOS {
            let fields = json!({"mirror": url, "priority": priority, "breed": "yum", "arch": "x86_64"});
            let fields = fields.as_object().cloned().unwrap_or_default();
            site.steps.push(("repo".into(), (*name).into(), "add".into(), fields));
        }
        site.keys = FIELDS.iter().map(|(_, key, _)| (*key).to_owned()).collect();
        site.keys.push("repo_data".to_owned());
        site
    }

    /// Adds a step as Cobbler's command line sends it; gives its place.
    pub(super) fn push(&mut self, step: &Step) -> usize {
        let mut fields = Map::new();
        for (key, given) in &step.fields {
            let (_, cobbler, _) = FIELDS.iter().find(|(name, _, _)| name == key).expect("a field of both");
            let value = match given {
                Given::Text(text) => json!(text),
                Given::Document(document) => document.clone(),
                Given::Nothing => json!(""),
            };
            fields.insert((*cobbler).to_owned(), value);
        }
        if step.in_place {
            fields.insert("in_place".to_owned(), json!(true));
        }
        let action = match (step.kind, &step.on) {
            (Kind::Distro, None) if !self.has(step) => {
                for (key, value) in [("breed", "redhat"), ("os_version", "rhel9"), ("arch", "x86_64")] {
                    fields.insert(key.to_owned(), json!(value));
                }
                "add"
            }
            (_, None) => "edit",
            (Kind::Host, Some(On::Profile(name))) => {
                fields.insert("profile".to_owned(), json!(name));
                "add"
            }
            (_, Some(On::Profile(name))) => {
                fields.insert("parent".to_owned(), json!(name));
                "add"
            }
            (_, Some(On::Distro(name))) => {
                fields.insert("distro".to_owned(), json!(name));
                "add"
            }
        };
        let kind = step.kind.cobbler().to_owned();
        self.steps.push((kind, step.name.clone(), action.to_owned(), fields));
        self.steps.len() - 1
    }

    fn has(&self, step: &Step) -> bool {
        let mut before = self.steps.iter();
        before.any(|(kind, name, _, _)| kind == step.kind.cobbler() && *name == step.name)
    }

    /// Runs Cobbler in a mount namespace of its own; nothing of it is left.
    pub(super) fn run(&self, python: &Path) -> Said {
        let folder = tempfile::tempdir().expect("a folder");
        let (world, answer) = (folder.path().join("world.json"), folder.path().join("answer.json"));
        std::fs::write(&world, serde_json::to_vec(self).expect("JSON")).expect("written");
        let mut unshare = Command::new("unshare");
        unshare.arg("--mount");
        if !nix::unistd::geteuid().is_root() {
            unshare.arg("--map-root-user");
        }
        let done = unshare
            .arg(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cobbler/peer.py"))
            .args([&world, &answer])
            .output()
            .expect("unshare of util-linux");
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "Cobbler failed: {told}");
        serde_json::from_slice(&std::fs::read(&answer).expect("an answer")).expect("JSON")
    }
}
