//! Distros, nested profiles and hosts as people type them, made from a seed.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// What kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Distro,
    Profile,
    Host,
}

impl Kind {
    /// Cobbler's word.
    pub(super) const fn cobbler(self) -> &'static str {
        match self {
            Self::Distro => "distro",
            Self::Profile => "profile",
            Self::Host => "system",
        }
    }
}

/// What a new object stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum On {
    Distro(String),
    Profile(String),
}

/// How a value is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// As on the command line.
    Text(String),
    /// As a document: XML-RPC there, JSON here.
    Document(Value),
    /// There is to be none: an empty text there, `<<none>>` here.
    Nothing,
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Of a new object.
    pub(super) on: Option<On>,
    pub(super) in_place: bool,
    /// By Muster's names.
    pub(super) fields: Vec<(&'static str, Given)>,
}

impl Step {
    /// A new object.
    pub(super) fn add(kind: Kind, name: &str, on: Option<On>, fields: &[(&'static str, &str)]) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            on,
            in_place: false,
            fields: fields.iter().map(|(key, text)| (*key, Given::from(*text))).collect(),
        }
    }

    /// A change of one that is there.
    pub(super) fn edit(kind: Kind, name: &str, in_place: bool, fields: &[(&'static str, &str)]) -> Self {
        Self {
            in_place,
            ..Self::add(kind, name, None, fields)
        }
    }
}

/// The fields that both know, by Muster's and Cobbler's names, with what they are for which kinds of object.
pub(super) const FIELDS: &[(&str, &str, Form)] = &[
    ("kernel_options", "kernel_options", Form::Map),
    ("kernel_options_post", "kernel_options_post", Form::Map),
    ("vars", "autoinstall_meta", Form::Map),
    ("owners", "owners", Form::List),
    ("tags", "mgmt_classes", Form::List),
    ("name_servers", "name_servers", Form::List),
    ("search_domains", "name_servers_search", Form::List),
    ("repos", "repos", Form::List),
    ("template", "autoinstall", Form::Scalar),
    ("proxy", "proxy", Form::Scalar),
    ("hostname", "hostname", Form::Scalar),
    ("comment", "comment", Form::Scalar),
];

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Map,
    List,
    Scalar,
}

/// The repositories that profiles name: name, address, priority.
pub(super) const REPOS: &[(&str, &str, u64)] = &[
    ("base", "http://mirror.example.org/base", 10),
    ("extras", "http://mirror.example.org/extras", 20),
    ("site", "http://mirror.example.org/site", 90),
    ("debug", "http://mirror.example.org/debug", 30),
];

/// Templates that are there.
pub(super) const TEMPLATES: &[&str] = &["kit/site.ks", "kit/web.ks", "kit/db.ks"];

/// Objects of one site, with the site's defaults.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) defaults: Value,
    pub(super) steps: Vec<Step>,
}

const DISTROS: usize = 6;
const PROFILES: usize = 30;
const HOSTS: usize = 90;
const NESTING: usize = 5;

/// The world of a seed: always the same one.
pub(super) fn world(seed: u64, defaults: Value) -> World {
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let mut steps = Vec::new();
    for n in 0..DISTROS {
        steps.push(dice.object(Kind::Distro, format!("distro-{n}"), None));
    }
    let mut depths: Vec<usize> = Vec::new();
    for n in 0..PROFILES {
        let above = dice.0.random_range(0..=depths.len());
        let (on, depth) = match depths.get(above) {
            Some(depth) if *depth < NESTING => (On::Profile(format!("profile-{above}")), depth + 1),
            _ => (On::Distro(format!("distro-{}", dice.0.random_range(0..DISTROS))), 1),
        };
        depths.push(depth);
        steps.push(dice.object(Kind::Profile, format!("profile-{n}"), Some(on)));
    }
    for n in 0..HOSTS {
        let on = On::Profile(format!("profile-{}", dice.0.random_range(0..PROFILES)));
        steps.push(dice.object(Kind::Host, format!("host-{n}"), Some(on)));
    }
    let first = steps.clone();
    for made in first.iter().filter(|_| dice.0.random_bool(0.3)).collect::<Vec<_>>() {
        steps.push(dice.change(made));
    }
    World { defaults, steps }
}

/// A change in place that also takes back the removals of what it adds: in Muster that goes without saying.
fn with_undone(before: &Given, change: Given) -> Given {
    let own: Vec<String> = match before {
        Given::Text(text) => names(text),
        Given::Document(Value::Object(own)) => own.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let Given::Text(mut text) = change else { return change };
    let said = names(&text);
    for name in &said {
        let removal = format!("!{name}");
        if own.contains(&removal) && !said.contains(&removal) {
            text.push_str(&format!(" ~{removal}"));
        }
    }
    Given::Text(text)
}

/// What is written before the `=` of each word, once.
fn names(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let name = word.trim_start_matches('"').split('=').next().unwrap_or_default();
        if !out.iter().any(|known| known == name) {
            out.push(name.to_owned());
        }
    }
    out
}

struct Dice(StdRng);

impl Dice {
    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of.choose(&mut self.0).expect("something to choose from")
    }

    fn some(&mut self, most: usize, of: &[&str]) -> Vec<String> {
        let many = self.0.random_range(0..=most);
        (0..many).map(|_| self.one(of).to_owned()).collect()
    }

    fn object(&mut self, kind: Kind, name: String, on: Option<On>) -> Step {
        let mut fields = Vec::new();
        for (field, _, _) in FIELDS {
            let known = match *field {
                "name_servers" | "search_domains" | "proxy" | "template" => kind != Kind::Distro,
                "repos" => kind == Kind::Profile,
                "hostname" => kind == Kind::Host,
                _ => true,
            };
            if known && self.0.random_bool(0.6) {
                fields.push((*field, self.value(field)));
            }
        }
        Step {
            kind,
            name,
            on,
            in_place: false,
            fields,
        }
    }

    /// Another word on an object: some fields anew, some taken back, some maps changed key by key.
    fn change(&mut self, made: &Step) -> Step {
        let of_maps = ["kernel_options", "kernel_options_post", "vars"];
        let mut fields: Vec<(&'static str, Given)> = Vec::new();
        let in_place = self.0.random_bool(0.5);
        for (field, before) in &made.fields {
            // Repositories are changed key by key here and as a list there; lists are replaced there.
            let replaced = ["repos", "owners", "tags", "name_servers", "search_domains"];
            if self.0.random_bool(0.5) || (in_place && replaced.contains(field)) {
                continue;
            }
            let value = if in_place && of_maps.contains(field) {
                // Cobbler cannot change in place what an object does not say itself.
                match before {
                    Given::Text(text) if text == "<<inherit>>" => continue,
                    Given::Document(Value::Object(own)) if self.0.random_bool(0.5) => match own.keys().next() {
                        Some(key) if !key.starts_with('!') => Given::Text(format!("~{key} added=1")),
                        _ => with_undone(before, self.map(field, 1)),
                    },
                    _ => with_undone(before, self.map(field, 1)),
                }
            } else {
                match self.0.random_range(0..4) {
                    0 if *field == "repos" || of_maps.contains(field) => "delete".into(),
                    1 if !["hostname", "comment", "template", "repos"].contains(field) => "<<inherit>>".into(),
                    _ => self.value(field),
                }
            };
            fields.push((field, value));
        }
        Step {
            kind: made.kind,
            name: made.name.clone(),
            on: None,
            in_place,
            fields,
        }
    }

    fn value(&mut self, field: &str) -> Given {
        match field {
            "kernel_options" | "kernel_options_post" | "vars" => match self.0.random_range(0..12) {
                0 => "<<inherit>>".into(),
                1 => "delete".into(),
                2 => "".into(),
                3 | 4 => self.document(field),
                _ => self.map(field, 0),
            },
            "owners" | "tags" => match self.0.random_range(0..8) {
                0 => "<<inherit>>".into(),
                1 => "delete".into(),
                2 => "".into(),
                _ => self.list(&["anna", "'bob'", "ops", "dba", "\"team-a\"", "we\\b", "web", "运维"]),
            },
            "name_servers" => match self.0.random_range(0..6) {
                0 => "<<inherit>>".into(),
                1 => "".into(),
                _ => self.list(&["10.0.0.53", "10.0.1.53", "2001:db8::53", "192.0.2.1", "'10.0.0.54'"]),
            },
            "search_domains" => match self.0.random_range(0..6) {
                0 => "<<inherit>>".into(),
                1 => "".into(),
                _ => self.list(&["example.org", "lab.example.org", "\"corp.example.com\"", "example.net"]),
            },
            "repos" => match self.0.random_range(0..5) {
                0 => "delete".into(),
                _ => self.list(&["base", "extras", "site", "debug"]),
            },
            "template" => self
                .one(&["kit/site.ks", "kit/web.ks", "kit/db.ks", "<<inherit>>"])
                .into(),
            "proxy" if self.0.random_bool(0.2) => Given::Nothing,
            "proxy" => self
                .one(&["http://proxy.example.org:3128", "http://10.0.0.9:8080/", "<<inherit>>"])
                .into(),
            // No two hosts of one name.
            "hostname" => {
                let number: u32 = self.0.random_range(0..1_000_000_000);
                let name = self.one(&["web", "db-", "node"]);
                Given::Text(format!("{name}{number}.example.org"))
            }
            _ => self.one(&["a remark", "another, with 'quotes'", "备注"]).into(),
        }
    }

    fn list(&mut self, of: &[&str]) -> Given {
        let words = self.some(4, of);
        let blank = self.one(&[" ", "  ", "\t", " \n "]);
        Given::Text(words.join(blank))
    }

    /// Words as on a kernel command line, `least` of them or more.
    fn map(&mut self, field: &str, least: usize) -> Given {
        let keys: &[&str] = if field == "vars" {
            &[
                "rack",
                "role",
                "tree",
                "swap_size",
                "http_server",
                "disk",
                "_own",
                "app.port",
            ]
        } else {
            &[
                "console",
                "quiet",
                "ip",
                "net.ifnames",
                "rd.lvm.vg",
                "crashkernel",
                "inst.vnc",
                "selinux",
                "größe",
            ]
        };
        let blank = self.one(&[" ", "  ", "\t"]);
        let mut words = Vec::new();
        for _ in 0..self.0.random_range(least..7) {
            let key = self.one(keys);
            let word = match self.0.random_range(0..14) {
                0 | 1 => key.to_owned(),
                2 => format!("{key}="),
                3 | 4 => format!("!{key}"),
                5 => format!("!{key}=1"),
                6 => format!("{key}='two words'"),
                7 => format!("{key}=\"say \\\"hi\\\" \\$x\""),
                8 => format!("\"{key}=quoted  whole\""),
                9 => format!("{key}=escaped\\ blank"),
                10 => format!("{key}=a=b,c=d"),
                11 => format!("{key}=''tail\\ "),
                _ => format!(
                    "{key}={}",
                    self.one(&["0", "1", "tty0", "ttyS0,115200n8", "dhcp", "é", "#5", "vg0/root"])
                ),
            };
            words.push(word);
        }
        Given::Text(words.join(blank))
    }

    /// A document, with values that no text can give.
    fn document(&mut self, field: &str) -> Given {
        let mut map = serde_json::Map::new();
        let keys: &[&str] = if field == "vars" {
            &["rack", "role", "disk", "!tree", "swap_size", "!role"]
        } else {
            &["console", "quiet", "!ip", "selinux", "!console", "crashkernel"]
        };
        for _ in 0..self.0.random_range(0..5) {
            let value = match self.0.random_range(0..6) {
                0 => json!(null),
                1 => json!(17),
                2 => json!(["tty0", "ttyS0"]),
                3 if field == "vars" => json!({"size": 3, "parts": ["/", "/var"], "deep": {"x": null}}),
                4 if field == "vars" => json!(true),
                _ => json!("text"),
            };
            map.insert(self.one(keys).to_owned(), value);
        }
        Given::Document(map.into())
    }
}
