//! A look at an expression's words before it is evaluated: unknown filters, tests and fields of list items are refused
//! when a rule is entered, also where the trial on the sample would not come to them.

use super::{
    engine::{FILTERS, TESTS},
    names::item_fields,
};
use crate::desired::{Fault, nearest};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Sign(char),
}

/// A token and where it begins, in bytes.
pub(super) type Placed<'a> = (usize, Token<'a>);

pub(super) fn tokens(text: &str) -> Vec<Placed<'_>> {
    let mut out = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter.is_whitespace() {
            continue;
        }
        if letter == '"' || letter == '\'' {
            let from = at + letter.len_utf8();
            let mut end = text.len();
            while let Some((place, next)) = letters.next() {
                if next == '\\' {
                    letters.next();
                } else if next == letter {
                    end = place;
                    break;
                }
            }
            out.push((at, Token::Text(text.get(from..end).unwrap_or_default())));
        } else if letter.is_alphanumeric() || letter == '_' {
            let mut end = at + letter.len_utf8();
            while let Some((place, next)) = letters.next_if(|(_, next)| next.is_alphanumeric() || *next == '_') {
                end = place + next.len_utf8();
            }
            out.push((at, Token::Word(text.get(at..end).unwrap_or_default())));
        } else {
            out.push((at, Token::Sign(letter)));
        }
    }
    out
}

/// Checks the filters, the tests and the fields of list items that an expression names.
pub(super) fn check(field: &str, text: &str) -> Result<(), Fault> {
    let tokens = tokens(text);
    for (place, (_, token)) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(place + ahead).map(|(_, token)| token);
        match (token, next(1)) {
            (Token::Sign('|'), Some(Token::Word(filter))) => {
                known(field, "filter", filter, FILTERS.iter().copied())?;
                let arguments = arguments(tokens.get(place + 2..).unwrap_or_default());
                match (*filter, arguments.as_slice()) {
                    ("select" | "reject", [test, ..]) => known(field, "test", test, TESTS.iter().copied())?,
                    ("selectattr" | "rejectattr", [item, rest @ ..]) => {
                        known(field, "field of a list", item, item_fields())?;
                        if let [test, ..] = rest {
                            known(field, "test", test, TESTS.iter().copied())?;
                        }
                    }
                    ("map", [item, ..]) if next(3) == Some(&Token::Word("attribute")) => {
                        known(field, "field of a list", item, item_fields())?;
                    }
                    ("map", [filter, ..]) => known(field, "filter", filter, FILTERS.iter().copied())?,
                    _ => {}
                }
            }
            (Token::Word("is"), Some(Token::Word("not"))) => {
                if let Some(Token::Word(test)) = next(2) {
                    known(field, "test", test, TESTS.iter().copied())?;
                }
            }
            (Token::Word("is"), Some(Token::Word(test))) => known(field, "test", test, TESTS.iter().copied())?,
            _ => {}
        }
    }
    Ok(())
}

/// The texts among the arguments of a call that begins here.
fn arguments<'a>(tokens: &[Placed<'a>]) -> Vec<&'a str> {
    if !matches!(tokens.first(), Some((_, Token::Sign('(')))) {
        return Vec::new();
    }
    tokens
        .iter()
        .take_while(|(_, token)| *token != Token::Sign(')'))
        .filter_map(|(_, token)| match token {
            Token::Text(text) => Some(*text),
            _ => None,
        })
        .collect()
}

fn known(field: &str, what: &str, word: &str, all: impl Iterator<Item = &'static str>) -> Result<(), Fault> {
    let mut all: Vec<&str> = all.collect();
    if all.contains(&word) {
        return Ok(());
    }
    all.sort_unstable();
    all.dedup();
    let advice = nearest(word, all.iter().copied()).map_or_else(
        || format!("there are {}", all.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Fault::new(field, word, format!("there is no such {what}"), advice))
}

/// The parts of an expression that must all hold: split at `and` outside brackets, when no `or` and no `if` stands
/// there.
pub(super) fn conjuncts(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut from = 0;
    let mut parts = Vec::new();
    for (at, token) in tokens(text) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Token::Word("or" | "if") if depth == 0 => return vec![text.trim()],
            Token::Word("and") if depth == 0 => {
                parts.push(text.get(from..at).unwrap_or_default().trim());
                from = at + "and".len();
            }
            _ => {}
        }
    }
    parts.push(text.get(from..).unwrap_or_default().trim());
    parts
}
