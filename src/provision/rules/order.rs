//! The order rules are asked in, changed one step at a time.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{Rules, entry};
use crate::{
    desired::{Fault, rules::Rule},
    provision::CatalogFault,
    store::ObjectWrite,
};

/// Between two rules whose numbers are given anew.
const STEP: u32 = 10;

/// Which way a rule is moved by one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is asked before the one that was before it.
    Earlier,
    /// It is asked after the one that was after it.
    Later,
}

impl FromStr for Way {
    type Err = Fault;

    fn from_str(word: &str) -> Result<Self, Fault> {
        match word {
            "earlier" => Ok(Self::Earlier),
            "later" => Ok(Self::Later),
            _ => Err(Fault::new(
                "way",
                word,
                "a rule is not moved that way",
                "write earlier or later",
            )),
        }
    }
}

impl Rules {
    /// Moves a rule past its neighbour; the first one stays first and the last one last. All numbers that this takes are
    /// changed together.
    ///
    /// # Errors
    /// [`Fault`] when there is none of the name; or the ledger fails.
    pub async fn move_by_one(&self, name: &str, way: Way, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, book) = self.current().await?;
        book.rule(name)?;
        let orders = moved(&book.rules().collect::<Vec<_>>(), name, way);
        if orders.is_empty() {
            return Ok(());
        }
        let mut entry = entry(actor, "rule.move", Some(format!("rule:{name}")), now);
        entry.detail = orders
            .iter()
            .find(|(moved, _)| moved == name)
            .map(|(_, order)| format!("order {order}"));
        Ok(self
            .store
            .write_desired(revision, &ObjectWrite::RuleOrders(orders), &entry)
            .await?)
    }
}

/// The numbers that change when a rule is moved, by name; `rules` are in order.
fn moved(rules: &[&Rule], name: &str, way: Way) -> Vec<(String, u32)> {
    let place = rules.iter().position(|rule| rule.name == name);
    let other = place.and_then(|place| match way {
        Way::Earlier => place.checked_sub(1),
        Way::Later => Some(place + 1).filter(|other| *other < rules.len()),
    });
    let (Some(place), Some(other)) = (place, other) else {
        return Vec::new();
    };
    let mut wanted = rules.to_vec();
    wanted.swap(place, other);
    // The two change their numbers when that is enough: where some are equal, names decide, and it may not be.
    let mut numbers: Vec<u32> = rules.iter().map(|rule| rule.order).collect();
    let keys: Vec<(u32, &str)> = numbers
        .iter()
        .copied()
        .zip(wanted.iter().map(|rule| &*rule.name))
        .collect();
    if !keys.is_sorted() {
        numbers = (1..).take(wanted.len()).map(|place| place * STEP).collect();
    }
    wanted
        .iter()
        .zip(numbers)
        .filter(|(rule, number)| rule.order != *number)
        .map(|(rule, number)| (rule.name.clone(), number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in the order they are asked in after a move.
    fn after(rules: &[(&str, u32)], name: &str, way: Way) -> (String, usize) {
        let mut rules: Vec<Rule> = rules
            .iter()
            .map(|(name, order)| Rule {
                order: *order,
                ..Rule::empty(name)
            })
            .collect();
        let changes = moved(&rules.iter().collect::<Vec<_>>(), name, way);
        for (name, order) in &changes {
            rules.iter_mut().find(|rule| rule.name == *name).unwrap().order = *order;
        }
        rules.sort_by(|left, right| (left.order, &left.name).cmp(&(right.order, &right.name)));
        let names: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
        (names.join(" "), changes.len())
    }

    #[test]
    fn two_neighbours_change_places_and_the_rest_stays() {
        let rules = [("a", 10), ("b", 20), ("c", 30)];
        assert_eq!(after(&rules, "c", Way::Earlier), ("a c b".into(), 2));
        assert_eq!(after(&rules, "a", Way::Later), ("b a c".into(), 2));
        assert_eq!(after(&rules, "a", Way::Earlier), ("a b c".into(), 0));
        assert_eq!(after(&rules, "c", Way::Later), ("a b c".into(), 0));
    }

    #[test]
    fn equal_numbers_are_given_anew() {
        let rules = [("a", 100), ("b", 100), ("c", 100)];
        assert_eq!(after(&rules, "b", Way::Earlier), ("b a c".into(), 3));
        // The number alone would leave `z` behind `m`.
        let rules = [("z", 10), ("b", 20), ("m", 20)];
        assert_eq!(after(&rules, "z", Way::Later), ("b z m".into(), 3));
    }
}
