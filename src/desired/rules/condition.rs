//! The expression of a rule.

use minijinja::Expression;

use super::{
    engine::{ENGINE, why},
    names::{NAMES, Sighted, is_known},
    scan, too_long,
};
use crate::desired::{Fault, nearest};

/// The field that people write it in.
const FIELD: &str = "when";

/// An expression over facts, ready to be asked.
#[derive(Debug)]
pub(super) struct Condition {
    text: String,
    expression: Expression<'static, 'static>,
}

impl Condition {
    /// Reads an expression; every name in it must be known.
    pub(super) fn compile(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        too_long(FIELD, text)?;
        if text.is_empty() {
            return Err(Fault::new(
                FIELD,
                text,
                "there is no expression",
                "write one such as vendor is like(\"Dell*\") and memory_gib >= 64, or true for every host",
            ));
        }
        let expression = expression(FIELD, text)?;
        if text != "true" && expression.undeclared_variables(false).is_empty() {
            return Err(Fault::new(
                FIELD,
                text,
                "it names no fact, so it says the same of every host",
                "write true for every host",
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            expression,
        })
    }

    /// Whether it holds for a host.
    pub(super) fn holds(&self, facts: &Sighted) -> Result<bool, Fault> {
        self.expression
            .eval(facts.seen())
            .map(|value| value.is_true())
            .map_err(|error| failed(FIELD, &self.text, &error))
    }

    /// Which part of it does not hold, with the values it speaks of.
    pub(super) fn misses(&self, facts: &Sighted) -> String {
        let parts = scan::conjuncts(&self.text);
        let missing = parts.into_iter().find_map(|part| {
            let expression = ENGINE.compile_expression_owned(part.to_owned()).ok()?;
            let value = expression.eval(facts.seen()).ok()?;
            (!value.is_true()).then_some((part, expression.undeclared_variables(true)))
        });
        let Some((part, names)) = missing else {
            return format!("`{}` does not hold", self.text);
        };
        let mut names: Vec<String> = names
            .into_iter()
            .filter_map(|name| Some(format!("{name} is {}", facts.shown(&name)?)))
            .collect();
        names.sort_unstable();
        if names.is_empty() {
            return format!("`{part}` does not hold");
        }
        format!("`{part}` does not hold: {}", names.join(", "))
    }
}

/// Compiles an expression of `field` and checks every word in it.
pub(super) fn expression(field: &str, text: &str) -> Result<Expression<'static, 'static>, Fault> {
    let expression = ENGINE.compile_expression_owned(text.to_owned()).map_err(|error| {
        Fault::new(
            field,
            text,
            format!("it cannot be read: {}", why(&error)),
            "compare with `muster rule names`, which has examples",
        )
    })?;
    let mut used: Vec<String> = expression.undeclared_variables(true).into_iter().collect();
    used.sort_unstable();
    for path in used {
        if !is_known(&path) {
            return Err(unknown(field, &path));
        }
    }
    scan::check(field, text)?;
    Ok(expression)
}

fn unknown(field: &str, path: &str) -> Fault {
    let advice = nearest(path, NAMES.iter().map(|name| name.path)).map_or_else(
        || "`muster rule names` shows all".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Fault::new(field, path, "there is no such fact", advice)
}

/// What a host's facts, or the sample, made of an expression.
pub(super) fn failed(field: &str, text: &str, error: &minijinja::Error) -> Fault {
    Fault::new(
        field,
        text,
        format!("it cannot be evaluated: {}", why(error)),
        "look at the kinds of its values: `muster rule names` shows them",
    )
}
