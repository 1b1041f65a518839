//! `muster rule`: what hosts are given because of their facts.
//!
//! Like the other commands of what is wanted they work on the ledger itself, with or without a server.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Failure,
    hosts::open,
    table::{counted, table},
};
use crate::{
    app,
    config::Settings,
    desired::rules::{NAMES, Rule, Sighted},
    provision::{
        Catalog, CatalogFault,
        rules::{Rules, Trial, TrialAsked, TrialHost},
    },
    store::Store,
};

/// Who the audit table names.
const ACTOR: &str = "cli";

/// The name of a rule that is tried before it is entered.
const UNNAMED: &str = "trial";

/// What a rule says; an empty text takes a part away.
#[derive(Debug, Args)]
pub(super) struct Parts {
    /// The expression, e.g. 'vendor is like("Dell*") and cores >= 16'.
    #[arg(long)]
    when: Option<String>,
    /// Rules are asked by order, lower ones first; 100 when not said.
    #[arg(long)]
    order: Option<u32>,
    /// The profile it gives.
    #[arg(long)]
    profile: Option<String>,
    /// The name it gives, e.g. 'web-{{ serial | lower }}'.
    #[arg(long)]
    hostname: Option<String>,
    /// Where it says that hosts stand, e.g. 'bj1/{{ lldp.switch }}'.
    #[arg(long)]
    place: Option<String>,
    /// The tags it gives, with blanks between; facts as in the name, e.g. 'web {{ vendor | lower }}'.
    #[arg(long)]
    tags: Option<String>,
    /// Start the installation of hosts that never had one: true or false.
    #[arg(long, value_name = "BOOL")]
    install: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RuleCommand {
    /// Enter a rule.
    Add {
        /// Its name.
        name: String,
        #[command(flatten)]
        parts: Parts,
    },
    /// Change a rule.
    Edit {
        /// Its name.
        name: String,
        #[command(flatten)]
        parts: Parts,
    },
    /// Show all, in the order they are asked in.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one.
    Report {
        /// Its name.
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Enter one like another.
    Copy {
        /// The one there is.
        name: String,
        /// The new one.
        to: String,
    },
    /// Give one another name; what it gave to hosts goes by the new one.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Remove one; what it gave stays with the hosts.
    Remove {
        /// Its name.
        name: String,
    },
    /// List the hosts that rules match, and what they would be given. Nothing is changed.
    DryRun {
        /// Only this rule; with parts of a rule it is tried as it would be with them.
        name: Option<String>,
        #[command(flatten)]
        parts: Parts,
        /// Only this host: its name, MAC or id.
        #[arg(long)]
        host: Option<String>,
        /// List hosts that are not matched too, and why.
        #[arg(long)]
        misses: bool,
        /// Hosts to list at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have all rules applied to all hosts that are not installed yet: by the running server, or when it starts.
    Apply,
    /// List the names that expressions may use.
    Names {
        /// With their values for this host: its name, MAC or id.
        #[arg(long)]
        host: Option<String>,
    },
}

pub(super) async fn rule(settings: &Settings, command: RuleCommand) -> Result<String, Failure> {
    let store = open(settings).await?;
    let done = run(&store, command).await;
    store.close().await?;
    Ok(done?)
}

async fn run(store: &Store, command: RuleCommand) -> Result<String, CatalogFault> {
    let rules = Rules::new(store.clone());
    let now = app::now();
    match command {
        RuleCommand::Add { name, parts } => {
            rules.add(parts.over(Rule::empty(&name)), ACTOR, now).await?;
            Ok(format!("made rule {name}\n"))
        }
        RuleCommand::Edit { name, parts } => {
            let known = rules.book().await?.rule(&name)?.clone();
            let wanted = parts.over(known.clone());
            if wanted == known {
                return Ok(format!("nothing has changed: rule {name} is as wanted already\n"));
            }
            rules.edit(wanted, ACTOR, now).await?;
            Ok(format!("changed rule {name}\n"))
        }
        RuleCommand::List { json } => {
            let book = rules.book().await?;
            if json {
                let all: Vec<Value> = book.rules().map(as_json).collect();
                return Ok(format!("{:#}\n", Value::from(all)));
            }
            let rows: Vec<Vec<String>> = book
                .rules()
                .map(|rule| {
                    vec![
                        rule.order.to_string(),
                        rule.name.clone(),
                        rule.when.clone(),
                        gives(rule),
                    ]
                })
                .collect();
            Ok(table(&["ORDER", "NAME", "WHEN", "GIVES"], &rows))
        }
        RuleCommand::Report { name, json } => {
            let book = rules.book().await?;
            let rule = book.rule(&name)?;
            if json {
                return Ok(format!("{:#}\n", as_json(rule)));
            }
            let mut rows = vec![
                vec!["name".to_owned(), rule.name.clone()],
                vec!["order".to_owned(), rule.order.to_string()],
                vec!["when".to_owned(), rule.when.clone()],
            ];
            for (field, value) in parts_of(rule) {
                rows.push(vec![field.to_owned(), value]);
            }
            Ok(table(&["FIELD", "VALUE"], &rows))
        }
        RuleCommand::Copy { name, to } => {
            rules.copy(&name, &to, ACTOR, now).await?;
            Ok(format!("copied rule {name} to {to}\n"))
        }
        RuleCommand::Rename { name, to } => {
            rules.rename(&name, &to, ACTOR, now).await?;
            Ok(format!("renamed rule {name} to {to}\n"))
        }
        RuleCommand::Remove { name } => {
            rules.remove(&name, ACTOR, now).await?;
            Ok(format!("removed rule {name}; what it gave stays with the hosts\n"))
        }
        RuleCommand::DryRun {
            name,
            parts,
            host,
            misses,
            limit,
            json,
        } => {
            let host = match host {
                Some(word) => Some(Catalog::new(store.clone(), &[]).host_called(&word).await?.id),
                None => None,
            };
            let candidate = match (parts.is_empty(), &name) {
                (true, _) => None,
                (false, Some(name)) => {
                    let known = rules.book().await?.rule(name).ok().cloned();
                    Some(parts.over(known.unwrap_or_else(|| Rule::empty(name))))
                }
                (false, None) => Some(parts.over(Rule::empty(UNNAMED))),
            };
            let asked = TrialAsked {
                only: name.or_else(|| candidate.as_ref().map(|rule| rule.name.clone())),
                candidate,
                host,
                misses,
                limit,
            };
            let trial = rules.trial(&asked).await?;
            Ok(if json {
                trial_as_json(&trial)
            } else {
                trial_as_text(&trial)
            })
        }
        RuleCommand::Apply => {
            rules.ask_to_apply(ACTOR, now).await?;
            Ok(
                "asked for: a running server applies all rules within seconds, another one when it starts; \
                `muster rule dry-run` shows what they give\n"
                    .to_owned(),
            )
        }
        RuleCommand::Names { host } => names(store, host).await,
    }
}

impl Parts {
    const fn is_empty(&self) -> bool {
        self.when.is_none()
            && self.order.is_none()
            && self.profile.is_none()
            && self.hostname.is_none()
            && self.place.is_none()
            && self.tags.is_none()
            && self.install.is_none()
    }

    fn over(self, mut rule: Rule) -> Rule {
        fn put(slot: &mut Option<String>, text: Option<String>) {
            if let Some(text) = text {
                *slot = Some(text).filter(|text| !text.is_empty());
            }
        }
        put(&mut rule.profile, self.profile);
        put(&mut rule.hostname, self.hostname);
        put(&mut rule.place, self.place);
        rule.when = self.when.unwrap_or(rule.when);
        rule.order = self.order.unwrap_or(rule.order);
        rule.tags = self.tags.map_or(rule.tags, |text| Rule::read_tags(&text));
        rule.install = self.install.unwrap_or(rule.install);
        rule
    }
}

fn parts_of(rule: &Rule) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    for (field, value) in [
        ("profile", &rule.profile),
        ("hostname", &rule.hostname),
        ("place", &rule.place),
    ] {
        out.extend(value.clone().map(|value| (field, value)));
    }
    if !rule.tags.is_empty() {
        out.push(("tags", rule.tags.join(" ")));
    }
    if rule.install {
        out.push(("install", "true".to_owned()));
    }
    out
}

fn gives(rule: &Rule) -> String {
    let parts: Vec<String> = parts_of(rule)
        .into_iter()
        .map(|(field, value)| format!("{field} {value}"))
        .collect();
    parts.join(", ")
}

fn as_json(rule: &Rule) -> Value {
    json!({"name": rule.name, "order": rule.order, "when": rule.when, "profile": rule.profile,
        "hostname": rule.hostname, "place": rule.place, "tags": rule.tags, "install": rule.install})
}

fn trial_as_text(trial: &Trial) -> String {
    let rows: Vec<Vec<String>> = trial.hosts.iter().flat_map(rows_of).collect();
    let mut text = table(&["HOST", "STATE", "GETS", "VALUE", "BY"], &rows);
    let matched = if trial.matched == 1 { "is" } else { "are" };
    text.push_str(&format!(
        "{} of {} {matched} matched; nothing was changed\n",
        trial.matched,
        counted(trial.looked_at as u64, "host")
    ));
    if trial.without_facts > 0 {
        let (have, were) = if trial.without_facts == 1 {
            ("has", "was")
        } else {
            ("have", "were")
        };
        text.push_str(&format!(
            "{} {have} not reported yet and {were} not tried: there are no facts for rules to look at\n",
            counted(trial.without_facts as u64, "host")
        ));
    }
    if trial.hosts.len() < trial.matched {
        text.push_str(&format!("{} are listed; --limit lists more\n", trial.hosts.len()));
    }
    text
}

fn rows_of(host: &TrialHost) -> Vec<Vec<String>> {
    let row = |gets: &str, value: String, by: String| {
        vec![
            host.label.clone(),
            host.state.as_str().to_owned(),
            gets.to_owned(),
            value,
            by,
        ]
    };
    let mut rows: Vec<Vec<String>> = host
        .gives
        .iter()
        .map(|given| row(given.field, given.value.clone(), format!("rule {}", given.rule)))
        .collect();
    if host.install {
        rows.push(row(
            "install",
            "started, unless it had one before".to_owned(),
            String::new(),
        ));
    }
    rows.extend(host.notes.iter().map(|note| row("-", note.clone(), String::new())));
    rows.extend(
        host.misses
            .iter()
            .map(|missed| row("-", missed.why.clone(), format!("rule {}", missed.rule))),
    );
    rows
}

fn trial_as_json(trial: &Trial) -> String {
    let hosts: Vec<Value> = trial
        .hosts
        .iter()
        .map(|host| {
            let gives: Vec<Value> = host
                .gives
                .iter()
                .map(|given| json!({"field": given.field, "value": given.value, "rule": given.rule}))
                .collect();
            let misses: Vec<Value> = host
                .misses
                .iter()
                .map(|missed| json!({"rule": missed.rule, "why": missed.why}))
                .collect();
            json!({"id": host.host, "label": host.label, "state": host.state, "gives": gives,
                "install": host.install, "notes": host.notes, "misses": misses})
        })
        .collect();
    let document = json!({"looked_at": trial.looked_at, "without_facts": trial.without_facts, "matched": trial.matched, "hosts": hosts});
    format!("{document:#}\n")
}

async fn names(store: &Store, host: Option<String>) -> Result<String, CatalogFault> {
    let sighted = match host {
        None => None,
        Some(word) => {
            let host = Catalog::new(store.clone(), &[]).host_called(&word).await?;
            let newest = store.facts(host.id).await?.into_iter().max_by_key(|set| set.at);
            Some(Sighted::new(&newest.map(|set| set.facts).unwrap_or_default()))
        }
    };
    let rows: Vec<Vec<String>> = NAMES
        .iter()
        .map(|name| {
            let mut row = vec![name.path.to_owned(), name.meaning.to_owned()];
            row.extend(sighted.as_ref().map(|facts| facts.shown(name.path).unwrap_or_default()));
            row
        })
        .collect();
    let head: &[&str] = if sighted.is_some() {
        &["NAME", "MEANING", "VALUE"]
    } else {
        &["NAME", "MEANING"]
    };
    let mut text = table(head, &rows);
    text.push_str(
        "\nvendor is like(\"Dell*\") and memory_gib >= 64 and bios.mode == 'uefi'\n\
         disks | selectattr('kind', 'eq', 'ssd') | list | length >= 2\n\
         address is in_network('10.1.0.0/16') or lldp.switch is startingwith 'bj1-'\n",
    );
    Ok(text)
}
