//! Text with facts in it, for names and places: `web-{{ serial | lower }}`.

use minijinja::{ErrorKind, Expression};

use super::{
    condition::{expression, failed},
    give,
    names::Sighted,
    too_long,
};
use crate::desired::Fault;

/// Facts in one text at most.
const MOST: usize = 8;

/// Longest text that comes out, bytes; names of hosts are no longer.
const LONGEST: usize = 253;

#[derive(Debug)]
enum Piece {
    Text(String),
    Fact(String, Expression<'static, 'static>),
}

/// A text with facts in it, ready to be filled.
#[derive(Debug)]
pub(super) struct Pattern {
    field: &'static str,
    pieces: Vec<Piece>,
}

impl Pattern {
    /// Reads a text; every name in it must be known.
    pub(super) fn compile(field: &'static str, text: &str) -> Result<Self, Fault> {
        too_long(field, text)?;
        let unclosed = || {
            Fault::new(
                field,
                text,
                "`{{` and `}}` do not pair",
                "write one such as web-{{ serial | lower }}",
            )
        };
        let mut pieces = Vec::new();
        let mut rest = text.trim();
        while let Some((before, after)) = rest.split_once("{{") {
            let (inner, after) = after.split_once("}}").ok_or_else(unclosed)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let inner = inner.trim();
            pieces.push(Piece::Fact(inner.to_owned(), expression(field, inner)?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let stray = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains("{%") || text.contains("}}"));
        if pieces.iter().any(stray) {
            return Err(unclosed());
        }
        if pieces.len() > 2 * MOST {
            return Err(Fault::new(
                field,
                text,
                "it has too many facts",
                format!("use {MOST} at most"),
            ));
        }
        Ok(Self { field, pieces })
    }

    /// The text for a host. What the host does not tell is a fault: half a name is none.
    pub(super) fn fill(&self, facts: &Sighted) -> Result<String, Fault> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Fact(text, expression) => {
                    let untold = || {
                        Fault::new(
                            self.field,
                            text,
                            "the host does not tell it",
                            "use another fact, or let the rule ask for it",
                        )
                    };
                    let value = expression.eval(facts.told()).map_err(|error| match error.kind() {
                        ErrorKind::UndefinedError => untold(),
                        _ => failed(self.field, text, &error),
                    })?;
                    // Half a name is none.
                    if value.is_undefined() || value.is_none() {
                        return Err(untold());
                    }
                    let value = value.to_string();
                    if out.len() + value.len() > LONGEST {
                        return Err(Fault::new(
                            self.field,
                            &value,
                            format!("the text is longer than {LONGEST} letters"),
                            "use a shorter fact",
                        ));
                    }
                    out.push_str(value.trim());
                }
            }
        }
        let value = if self.field == "tags" {
            give::list(std::slice::from_ref(&out))
        } else {
            out.as_str().into()
        };
        give::values(self.field, &value)?;
        Ok(out)
    }
}
