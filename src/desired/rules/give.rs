//! What rules offer a host, and what of it the host is given.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Rule;
use crate::{
    desired::{Fault, HostPlan, Values},
    inventory::{State, UnknownWord},
};

/// Something with the rule that gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By<T> {
    /// What.
    pub value: T,
    /// Name of the rule.
    pub rule: String,
}

impl<T> By<T> {
    pub(super) fn new(rule: &Rule, value: T) -> Self {
        Self {
            value,
            rule: rule.name.clone(),
        }
    }
}

/// What all rules together offer a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// A profile.
    pub profile: Option<By<String>>,
    /// The rule of the profile wants it installed.
    pub install: bool,
    /// A name.
    pub hostname: Option<By<String>>,
    /// Where it stands.
    pub place: Option<By<String>>,
    /// Words to find it by.
    pub tags: Vec<By<String>>,
    /// What cannot be given, and why.
    pub refused: Vec<By<Fault>>,
}

impl Offer {
    /// True when no rule matches, or matches with anything to give.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.profile.is_none() && self.hostname.is_none() && self.place.is_none() && self.tags.is_empty()
    }

    /// Takes the name back, because another host has it.
    pub fn refuse_hostname(&mut self, owner: &str) {
        if let Some(By { value, rule }) = self.hostname.take() {
            let fault = Fault::new(
                "hostname",
                &value,
                format!("{owner} has this name"),
                "let the name hold a fact that differs, such as the serial number",
            );
            self.refused.push(By { value: fault, rule });
        }
    }
}

/// One rule's values in a host's plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenLayer {
    /// Name of the rule.
    pub rule: String,
    /// What it gave: `hostname`, `place` and `tags`.
    pub values: Values,
}

/// Who gave a host its profile, or took it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Giver {
    /// A person: rules leave it as it is.
    Person,
    /// The rule of this name.
    Rule(String),
}

impl fmt::Display for Giver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("person"),
            Self::Rule(name) => write!(f, "rule:{name}"),
        }
    }
}

impl FromStr for Giver {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.strip_prefix("rule:") {
            Some(name) => Ok(Self::Rule(name.to_owned())),
            None if text == "person" => Ok(Self::Person),
            None => Err(UnknownWord {
                what: "giver of a profile",
                word: text.to_owned(),
            }),
        }
    }
}

/// A host as rules find it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'a> {
    /// Where it is in its life.
    pub state: State,
    /// Its name in the ledger.
    pub name: Option<&'a str>,
    /// It may be another host as well.
    pub doubtful: bool,
    /// What is wanted of it.
    pub plan: &'a HostPlan,
}

/// What a host is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// The profile, when it has not been given yet.
    pub profile: Option<By<String>>,
    /// The rule wants an installation, should the host never have had one.
    pub install: bool,
    /// The name, when the host has another or none.
    pub name: Option<By<String>>,
    /// The layers of rules, as they are from now on.
    pub layers: Vec<GivenLayer>,
    /// What stays because a person said it: the field and why.
    pub kept: Vec<(&'static str, String)>,
    /// False when all is as it was.
    pub changes: bool,
}

impl Decision {
    /// What is wanted of a host when it was given this.
    #[must_use]
    pub fn planned(&self, before: &HostPlan) -> HostPlan {
        let profile = self.profile.as_ref().map(|profile| profile.value.clone());
        HostPlan {
            profile: profile.or_else(|| before.profile.clone()),
            given: self.layers.clone(),
            ..before.clone()
        }
    }
}

/// What a host is given of an offer. A person's values stay; profile and name stay as they are when no rule gives one
/// any more, while place and tags go with the rule that gave them.
///
/// # Errors
/// Why rules give such a host nothing.
pub fn decide(offer: &Offer, host: &Standing<'_>) -> Result<Decision, String> {
    if !matches!(host.state, State::Inventoried | State::Assigned) {
        return Err(format!(
            "the host is {}: rules give to hosts that have reported and are not installed yet",
            host.state.as_str()
        ));
    }
    if host.doubtful {
        return Err("it may be one of several hosts: say first which".to_owned());
    }
    let mut decision = Decision::default();
    let mut layers = Layers::default();
    give_profile(offer, host, &mut decision);
    give_name(offer, host, &mut decision, &mut layers);
    if let Some(place) = &offer.place {
        layers.put("place", place, Value::from(place.value.as_str()));
    }
    for tag in &offer.tags {
        layers.tag(tag);
    }
    decision.layers = layers.0;
    decision.changes = decision.profile.is_some() || decision.name.is_some() || decision.layers != host.plan.given;
    Ok(decision)
}

fn give_profile(offer: &Offer, host: &Standing<'_>, decision: &mut Decision) {
    let plan = host.plan;
    let by_rule = match (&plan.profile_by, &plan.profile) {
        (Some(Giver::Rule(rule)), _) => Some(rule),
        (None, None) => None,
        (Some(Giver::Person), Some(profile)) | (None, Some(profile)) => {
            if offer.profile.is_some() {
                decision.kept.push(("profile", format!("a person gave it {profile}")));
            }
            return;
        }
        (Some(Giver::Person), None) => {
            if offer.profile.is_some() {
                decision
                    .kept
                    .push(("profile", "a person took its profile away".to_owned()));
            }
            return;
        }
    };
    match (&offer.profile, by_rule, &plan.profile) {
        (Some(wanted), rule, had) => {
            let settled =
                host.state == State::Assigned && had.as_ref() == Some(&wanted.value) && rule == Some(&wanted.rule);
            decision.profile = (!settled).then(|| wanted.clone());
            decision.install = offer.install;
        }
        // Given, and the host was not moved: the server stopped in between.
        (None, Some(rule), Some(had)) if host.state == State::Inventoried => {
            decision.profile = Some(By {
                value: had.clone(),
                rule: rule.clone(),
            });
        }
        _ => {}
    }
}

fn give_name(offer: &Offer, host: &Standing<'_>, decision: &mut Decision, layers: &mut Layers) {
    let plan = host.plan;
    let before = plan.given.iter().find_map(|layer| {
        let name = layer.values.as_map().get("hostname")?.as_str()?;
        Some(By {
            value: name.to_owned(),
            rule: layer.rule.clone(),
        })
    });
    let persons = plan
        .values
        .as_map()
        .get("hostname")
        .and_then(Value::as_str)
        .or(host.name)
        .filter(|name| before.as_ref().is_none_or(|before| before.value != *name));
    if let Some(name) = persons {
        if offer.hostname.is_some() {
            decision.kept.push(("hostname", format!("a person named it {name}")));
        }
        return;
    }
    let Some(name) = offer.hostname.clone().or(before) else {
        return;
    };
    layers.put("hostname", &name, Value::from(name.value.as_str()));
    if host.name != Some(name.value.as_str()) {
        decision.name = Some(name);
    }
}

/// Layers in the order in which rules give.
#[derive(Default)]
struct Layers(Vec<GivenLayer>);

impl Layers {
    fn put<T>(&mut self, field: &str, by: &By<T>, value: Value) {
        let mut layer = self.take(&by.rule);
        layer.insert(field.to_owned(), value);
        self.keep(&by.rule, layer);
    }

    fn tag(&mut self, tag: &By<String>) {
        let mut layer = self.take(&tag.rule);
        let tags = layer.entry("tags").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(tags) = tags {
            tags.push(Value::from(tag.value.as_str()));
        }
        self.keep(&tag.rule, layer);
    }

    fn take(&self, rule: &str) -> Map<String, Value> {
        let known = self.0.iter().find(|layer| layer.rule == rule);
        known.map(|layer| layer.values.as_map().clone()).unwrap_or_default()
    }

    fn keep(&mut self, rule: &str, values: Map<String, Value>) {
        // Checked one by one when the rules were read and filled.
        let values = Values::stored(values);
        match self.0.iter_mut().find(|layer| layer.rule == rule) {
            Some(layer) => layer.values = values,
            None => self.0.push(GivenLayer {
                rule: rule.to_owned(),
                values,
            }),
        }
    }
}

pub(super) fn list(items: &[String]) -> Value {
    items.iter().map(String::as_str).collect()
}

/// Checks a value of a field as a person's is checked.
pub(super) fn values(field: &str, value: &Value) -> Result<(), Fault> {
    let mut document = Map::new();
    document.insert(field.to_owned(), value.clone());
    Values::check(document).map(drop)
}
