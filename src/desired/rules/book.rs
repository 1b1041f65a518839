//! All rules, ready to be asked.

use super::{By, Offer, Rule, condition::Condition, names::Sighted, pattern::Pattern};
use crate::desired::{Fault, nearest};

/// What one rule says of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its expression holds.
    Matches,
    /// It does not hold, and which part of it, when that was asked for.
    Misses(Option<String>),
    /// It cannot be said.
    Fails(Fault),
}

/// One rule's answer for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged<'b> {
    /// Which rule.
    pub rule: &'b Rule,
    /// What it says.
    pub answer: Answer,
}

#[derive(Debug)]
struct Compiled {
    when: Condition,
    hostname: Option<Pattern>,
    place: Option<Pattern>,
    tags: Vec<Pattern>,
}

impl Compiled {
    fn new(rule: &Rule) -> Result<Self, Fault> {
        let pattern =
            |field, text: &Option<String>| text.as_deref().map(|text| Pattern::compile(field, text)).transpose();
        Ok(Self {
            when: Condition::compile(&rule.when)?,
            hostname: pattern("hostname", &rule.hostname)?,
            place: pattern("place", &rule.place)?,
            tags: rule
                .tags
                .iter()
                .map(|tag| Pattern::compile("tags", tag))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// All rules in the order they are asked in.
#[derive(Debug, Default)]
pub struct RuleBook {
    rules: Vec<(Rule, Result<Compiled, Fault>)>,
}

impl RuleBook {
    /// Makes rules ready. One that this version cannot read gives nothing and says so.
    #[must_use]
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by(|left, right| (left.order, &left.name).cmp(&(right.order, &right.name)));
        Self {
            rules: rules
                .into_iter()
                .map(|rule| {
                    let compiled = Compiled::new(&rule);
                    (rule, compiled)
                })
                .collect(),
        }
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// The same rules with one more, or with one replaced.
    #[must_use]
    pub fn with(&self, rule: Rule) -> Self {
        let mut rules: Vec<Rule> = self.rules().filter(|known| known.name != rule.name).cloned().collect();
        rules.push(rule);
        Self::new(rules)
    }

    /// The rule of this name.
    ///
    /// # Errors
    /// [`Fault`] on `rule`, with the nearest name.
    pub fn rule(&self, name: &str) -> Result<&Rule, Fault> {
        self.rules().find(|rule| rule.name == name).ok_or_else(|| {
            let advice = nearest(name, self.rules().map(|rule| rule.name.as_str())).map_or_else(
                || "`muster rule list` shows all".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Fault::new("rule", name, "there is no such rule", advice)
        })
    }

    /// What each rule says of a host; with `why` it is worked out which part of an expression does not hold.
    #[must_use]
    pub fn answers(&self, facts: &Sighted, why: bool) -> Vec<Judged<'_>> {
        self.rules
            .iter()
            .map(|(rule, compiled)| {
                let answer = match compiled {
                    Err(fault) => Answer::Fails(fault.clone()),
                    Ok(compiled) => match compiled.when.holds(facts) {
                        Ok(true) => Answer::Matches,
                        Ok(false) => Answer::Misses(why.then(|| compiled.when.misses(facts))),
                        Err(fault) => Answer::Fails(fault),
                    },
                };
                Judged { rule, answer }
            })
            .collect()
    }

    /// What all rules together give a host: the first that gives a field wins it, tags are joined.
    #[must_use]
    pub fn offer(&self, facts: &Sighted) -> Offer {
        let mut offer = Offer::default();
        for (rule, compiled) in &self.rules {
            let compiled = match compiled {
                Ok(compiled) => compiled,
                Err(fault) => {
                    offer.refused.push(By::new(rule, fault.clone()));
                    continue;
                }
            };
            match compiled.when.holds(facts) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(fault) => {
                    offer.refused.push(By::new(rule, fault));
                    continue;
                }
            }
            if let (None, Some(profile)) = (&offer.profile, &rule.profile) {
                offer.profile = Some(By::new(rule, profile.clone()));
                offer.install = rule.install;
            }
            for (slot, pattern) in [
                (&mut offer.hostname, &compiled.hostname),
                (&mut offer.place, &compiled.place),
            ] {
                if let (None, Some(pattern)) = (&slot, pattern) {
                    match pattern.fill(facts) {
                        Ok(text) => *slot = Some(By::new(rule, text)),
                        Err(fault) => offer.refused.push(By::new(rule, fault)),
                    }
                }
            }
            for pattern in &compiled.tags {
                match pattern.fill(facts) {
                    Ok(tag) if offer.tags.iter().any(|known| known.value == tag) => {}
                    Ok(tag) => offer.tags.push(By::new(rule, tag)),
                    Err(fault) => offer.refused.push(By::new(rule, fault)),
                }
            }
        }
        offer
    }
}
