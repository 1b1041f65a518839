//! The form of one rule: its fields as people type them, with the faults beside them.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    layer::{FaultShown, Sent},
    layer_page::typed,
};
use crate::desired::{
    Fault, Objects,
    rules::{NAMES, Rule},
};

/// The fields, in their order, with how each is typed and an example.
const FIELDS: [(&str, &str, &str); 8] = [
    ("name", "line", "dell-web"),
    ("order", "number", "100"),
    ("when", "area", "vendor is like(\"Dell*\") and memory_gib >= 64"),
    ("profile", "choice", ""),
    ("hostname", "line", "web-{{ serial | lower }}"),
    ("place", "line", "bj1/{{ lldp.switch }}"),
    ("tags", "line", "web rack12"),
    ("install", "switch", ""),
];

/// One field.
#[derive(Debug, Serialize)]
struct Input {
    key: &'static str,
    /// `line`, `number`, `area`, `choice` or `switch`.
    form: &'static str,
    example: &'static str,
    text: String,
    choices: Vec<String>,
    fault: Option<FaultShown>,
}

/// The form, ready to be shown.
#[derive(Debug, Serialize)]
pub(super) struct RuleForm {
    inputs: Vec<Input>,
    /// Faults of no field that the form has.
    faults: Vec<FaultShown>,
    /// Names that expressions may use.
    names: Vec<&'static str>,
}

impl RuleForm {
    /// The form of a rule as it is kept; one without a name is to be made.
    pub(super) fn of(rule: &Rule, objects: &Objects) -> Self {
        let text = |key: &str| match key {
            "name" => rule.name.clone(),
            "order" => rule.order.to_string(),
            "when" => rule.when.clone(),
            "profile" => rule.profile.clone().unwrap_or_default(),
            "hostname" => rule.hostname.clone().unwrap_or_default(),
            "place" => rule.place.clone().unwrap_or_default(),
            "tags" => rule.tags.join(" "),
            _ => if rule.install { "true" } else { "false" }.to_owned(),
        };
        Self::with(text, objects, &[])
    }

    /// The form as it was sent, with what is wrong in it.
    pub(super) fn sent(sent: &Sent, objects: &Objects, faults: &[Fault]) -> Self {
        Self::with(
            |key| typed(key, Some(sent)).unwrap_or_default().to_owned(),
            objects,
            faults,
        )
    }

    fn with(text: impl Fn(&str) -> String, objects: &Objects, faults: &[Fault]) -> Self {
        let of = |fault: &&Fault, key: &str| fault.field.split('.').next() == Some(key);
        let input = |(key, form, example)| Input {
            key,
            form,
            example,
            text: text(key),
            choices: if key == "profile" {
                objects.profiles.keys().cloned().collect()
            } else {
                Vec::new()
            },
            fault: faults.iter().find(|fault| of(fault, key)).map(FaultShown::of),
        };
        Self {
            inputs: FIELDS.into_iter().map(input).collect(),
            faults: faults
                .iter()
                .filter(|fault| !FIELDS.iter().any(|(key, ..)| of(fault, key)))
                .map(FaultShown::of)
                .collect(),
            names: NAMES.iter().map(|name| name.path).collect(),
        }
    }

    /// True when something in it cannot be.
    pub(super) fn is_wrong(&self) -> bool {
        !self.faults.is_empty() || self.inputs.iter().any(|input| input.fault.is_some())
    }
}

/// Reads a form; `name` is that of a rule that is changed.
pub(super) fn read(name: Option<&str>, sent: &Sent) -> Result<Rule, Vec<Fault>> {
    let given = |key: &str| typed(key, Some(sent)).unwrap_or_default().trim().to_owned();
    let some = |key: &str| Some(given(key)).filter(|text| !text.is_empty());
    let order = given("order");
    let Ok(order) = order.parse() else {
        let advice = "write a whole number such as 100; lower ones are asked first";
        return Err(vec![Fault::new("order", &order, "it is no whole number", advice)]);
    };
    Ok(Rule {
        name: name.map_or_else(|| given("name"), str::to_owned),
        order,
        when: given("when").replace("\r\n", "\n"),
        profile: some("profile"),
        hostname: some("hostname"),
        place: some("place"),
        tags: Rule::read_tags(&given("tags")),
        install: given("install") == "true",
    })
}

/// Says that a rule was looked at as it is now: a changed one is looked at again.
pub(super) fn seen(rule: &Rule) -> String {
    hex::encode(Sha256::digest(format!("{rule:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_sent_back_unchanged_changes_nothing() {
        let rule = Rule {
            when: "cores >= 16 and\nvendor is like(\"Dell*\")".into(),
            order: 7,
            place: Some("bj1/{{ lldp.switch }}".into()),
            tags: vec!["web".into(), "big".into()],
            install: true,
            ..Rule::empty("big")
        };
        let form = RuleForm::of(&rule, &Objects::default());
        let sent: Sent = form
            .inputs
            .iter()
            .map(|input| (input.key.to_owned(), input.text.replace('\n', "\r\n")))
            .collect();
        assert_eq!(read(None, &sent), Ok(rule));
    }

    #[test]
    fn a_fault_stands_at_its_field() {
        let sent = Sent::from([("order".into(), "first".into()), ("when".into(), "true".into())]);
        let faults = read(Some("a"), &sent).unwrap_err();
        let form = RuleForm::sent(&sent, &Objects::default(), &faults);
        let at: Vec<&str> = form
            .inputs
            .iter()
            .filter_map(|input| input.fault.is_some().then_some(input.key))
            .collect();
        assert_eq!(at, ["order"]);
        assert!(form.faults.is_empty() && form.is_wrong());
    }
}
