//! From words to an [`Expression`].

use std::{iter::Peekable, ops::Range, vec::IntoIter};

use super::{
    AddressTest, Expression, Feature, MAX_DEPTH, MAX_LENGTH, MAX_TERMS, Pattern, Piece, Relation, SEARCH_FIELDS,
    SearchFault, SearchField, Takes, Term, Wants, When, Why,
    field::{Names, named},
    lexer::{Placed, Sign, Token, Value, tokens},
    value::{Moment, Units, addresses, moment, size},
};
use crate::{
    desired::nearest,
    inventory::{HostId, State},
};
use muster_facts::MacAddr;

/// Reads a search: terms side by side are all to be met, `or` lets one of two do, `not` or `-` takes back what follows,
/// and parentheses hold together. An empty text is met by every host.
///
/// # Errors
/// [`SearchFault`] with the place of what is wrong.
pub fn parse(text: &str) -> Result<Expression, SearchFault> {
    if text.len() > MAX_LENGTH {
        return Err(SearchFault {
            place: text.len()..text.len(),
            why: Why::TooLong,
        });
    }
    let mut parser = Parser {
        tokens: tokens(text)?.into_iter().peekable(),
        end: text.len(),
        depth: 0,
        terms: 0,
    };
    if parser.tokens.peek().is_none() {
        return Ok(Expression::All(Vec::new()));
    }
    let found = parser.alternatives()?;
    match parser.tokens.next() {
        // Only a parenthesis ends alternatives before the text does.
        Some((_, place)) => Err(SearchFault {
            place,
            why: Why::StrayParenthesis,
        }),
        None => Ok(found),
    }
}

struct Parser {
    tokens: Peekable<IntoIter<Placed>>,
    /// Where the text ends.
    end: usize,
    depth: usize,
    terms: usize,
}

impl Parser {
    fn alternatives(&mut self) -> Result<Expression, SearchFault> {
        let mut parts = vec![self.sequence()?];
        while let Some((_, place)) = self.tokens.next_if(|(token, _)| *token == Token::Or) {
            self.something_after("or", &place)?;
            parts.push(self.sequence()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn sequence(&mut self) -> Result<Expression, SearchFault> {
        let mut parts = Vec::new();
        loop {
            match self.tokens.peek() {
                None | Some((Token::Close, _)) => break,
                Some((token @ (Token::Or | Token::And), place)) => {
                    let word = if *token == Token::Or { "or" } else { "and" };
                    if parts.is_empty() {
                        return Err(SearchFault {
                            place: place.clone(),
                            why: Why::NothingBefore(word.to_owned()),
                        });
                    }
                    if *token == Token::Or {
                        break;
                    }
                    let place = place.clone();
                    self.tokens.next();
                    self.something_after(word, &place)?;
                }
                Some(_) => parts.push(self.factor()?),
            }
        }
        Ok(one_or(parts, Expression::All))
    }

    /// Refuses a word after which nothing is said.
    fn something_after(&mut self, word: &str, place: &Range<usize>) -> Result<(), SearchFault> {
        match self.tokens.peek() {
            None | Some((Token::Close, _)) => Err(SearchFault {
                place: place.clone(),
                why: Why::NothingAfter(word.to_owned()),
            }),
            Some(_) => Ok(()),
        }
    }

    fn factor(&mut self) -> Result<Expression, SearchFault> {
        let Some((token, place)) = self.tokens.next() else {
            return Err(SearchFault {
                place: self.end..self.end,
                why: Why::EmptyParentheses,
            });
        };
        match token {
            Token::Not => {
                let word = if place.len() == 1 { "-" } else { "not" };
                self.something_after(word, &place)?;
                if let Some((Token::Or | Token::And, _)) = self.tokens.peek() {
                    return Err(SearchFault {
                        place,
                        why: Why::NothingAfter(word.to_owned()),
                    });
                }
                self.deeper(&place)?;
                let inner = self.factor()?;
                self.depth -= 1;
                Ok(Expression::Not(Box::new(inner)))
            }
            Token::Open => {
                self.deeper(&place)?;
                if let Some((_, close)) = self.tokens.next_if(|(token, _)| *token == Token::Close) {
                    return Err(SearchFault {
                        place: place.start..close.end,
                        why: Why::EmptyParentheses,
                    });
                }
                let inner = self.alternatives()?;
                self.depth -= 1;
                match self.tokens.next() {
                    Some((Token::Close, _)) => Ok(inner),
                    _ => Err(SearchFault {
                        place,
                        why: Why::OpenParenthesis,
                    }),
                }
            }
            Token::Text(value) => {
                self.count(&place)?;
                Ok(Expression::Term(Term::Anywhere(anywhere(&value))))
            }
            Token::Compared {
                name,
                name_place,
                sign,
                sign_place,
                value,
            } => {
                self.count(&place)?;
                compared(&name, name_place, sign, sign_place, &value)
            }
            // Told where a sequence or an alternative meets them.
            Token::Close | Token::Or | Token::And => Err(SearchFault {
                place,
                why: Why::StrayParenthesis,
            }),
        }
    }

    fn deeper(&mut self, place: &Range<usize>) -> Result<(), SearchFault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SearchFault {
                place: place.clone(),
                why: Why::TooDeep,
            });
        }
        Ok(())
    }

    fn count(&mut self, place: &Range<usize>) -> Result<(), SearchFault> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(SearchFault {
                place: place.clone(),
                why: Why::TooMany,
            });
        }
        Ok(())
    }
}

/// The part alone, or several together.
fn one_or(mut parts: Vec<Expression>, together: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 {
        parts.pop().unwrap_or(Expression::All(Vec::new()))
    } else {
        together(parts)
    }
}

/// A word without a field; a MAC is found however it is written.
fn anywhere(value: &Value) -> Vec<Piece> {
    match value.text.parse::<MacAddr>() {
        Ok(mac) => vec![Piece::Text(mac.to_string())],
        Err(_) => value.pieces.clone(),
    }
}

fn compared(
    name: &str,
    name_place: Range<usize>,
    sign: Sign,
    sign_place: Range<usize>,
    value: &Value,
) -> Result<Expression, SearchFault> {
    // Options are written with `-`, fields with `_`; the name of a variable is its own.
    let plain = name.replace('-', "_");
    let known = named(name).or_else(|| named(&plain));
    let Some((field, own)) = known else {
        let names = SEARCH_FIELDS
            .iter()
            .flat_map(|field| std::iter::once(&field.name).chain(field.also));
        let near = nearest(&name.to_ascii_lowercase(), names.copied());
        return Err(SearchFault {
            place: name_place,
            why: Why::UnknownField { name: cut(name), near },
        });
    };
    let condition = Condition {
        field,
        own,
        name: name.to_owned(),
        value,
    };
    let ordered = matches!(field.takes, Takes::Size | Takes::Count | Takes::Time);
    if sign.is_order() && !ordered {
        return Err(SearchFault {
            place: sign_place,
            why: Why::Sign {
                field: condition.name,
                sign: sign.as_str(),
            },
        });
    }
    let absent = value.text.is_empty() && matches!(sign, Sign::Is | Sign::IsNot);
    if value.text.is_empty() && (!absent || ordered || !has_absence(field.takes)) {
        return Err(SearchFault {
            place: name_place.start..sign_place.end,
            why: Why::NoValue { field: condition.name },
        });
    }
    let term = Expression::Term(condition.term(if sign == Sign::IsNot { Sign::Is } else { sign })?);
    Ok(if sign == Sign::IsNot {
        Expression::Not(Box::new(term))
    } else {
        term
    })
}

/// Whether `field=` asks for hosts without it.
const fn has_absence(takes: Takes) -> bool {
    matches!(takes, Takes::Word | Takes::Phrase | Takes::Address | Takes::Mac)
}

/// A field with what it is compared with.
struct Condition<'a> {
    field: &'static SearchField,
    /// The name of a variable.
    own: &'a str,
    /// The field as it was written.
    name: String,
    value: &'a Value,
}

impl Condition<'_> {
    fn term(&self, sign: Sign) -> Result<Term, SearchFault> {
        let text = self.value.text.as_str();
        Ok(match self.field.names {
            Names::Text(field) => Term::Text(field, self.pattern(sign)),
            Names::Part(field) => Term::Part(field, self.pattern(sign)),
            Names::Amount(field) => {
                let amount = match self.field.takes {
                    Takes::Size if self.field.name == "mem" => size(text, Units::Memory),
                    Takes::Size => size(text, Units::Disk),
                    _ => text.parse().ok(),
                };
                let wants = if self.field.takes == Takes::Size {
                    Wants::Size
                } else {
                    Wants::Count
                };
                Term::Amount(field, relation(sign), amount.ok_or_else(|| self.fault(wants, None))?)
            }
            Names::Time(field) => Term::Time(field, self.when(sign)?),
            Names::State => Term::State(self.states()?),
            Names::Id => Term::Id(text.parse::<HostId>().map_err(|_| self.fault(Wants::Id, None))?),
            Names::Address => Term::Address(self.address()?),
            Names::Mac => Term::Mac(self.mac()?),
            Names::Has => Term::Has(self.feature()?),
            names => match names.label(self.own) {
                Some(label) => Term::Label(label, self.pattern(sign)),
                None => Term::Anywhere(self.value.pieces.clone()),
            },
        })
    }

    fn fault(&self, wants: Wants, near: Option<&'static str>) -> SearchFault {
        SearchFault {
            place: self.value.place.clone(),
            why: Why::Value {
                field: self.name.clone(),
                value: cut(&self.value.text),
                wants,
                near,
            },
        }
    }

    fn pattern(&self, sign: Sign) -> Pattern {
        if self.value.text.is_empty() {
            return Pattern::Absent;
        }
        let whole = sign == Sign::Is || self.field.takes != Takes::Phrase;
        match self.value.pieces.as_slice() {
            [Piece::Text(text)] if !whole => Pattern::Contains(text.clone()),
            pieces => Pattern::Whole(pieces.to_vec()),
        }
    }

    fn when(&self, sign: Sign) -> Result<When, SearchFault> {
        let moment = moment(&self.value.text).ok_or_else(|| self.fault(Wants::Time, None))?;
        Ok(match (moment, sign) {
            (Moment::Ago(age), Sign::Above | Sign::AtLeast) => When::LongerAgo(age),
            (Moment::Ago(age), Sign::Below | Sign::AtMost) => When::Within(age),
            (Moment::Ago(_), _) => return Err(self.fault(Wants::Age, None)),
            (Moment::Span(start, _), Sign::Below) => When::Before(start),
            (Moment::Span(_, end), Sign::AtMost) => When::Before(end),
            (Moment::Span(_, end), Sign::Above) => When::From(end),
            (Moment::Span(start, _), Sign::AtLeast) => When::From(start),
            (Moment::Span(start, end), _) => When::Between(start, end),
        })
    }

    fn states(&self) -> Result<Vec<State>, SearchFault> {
        let pattern = Pattern::Whole(self.value.pieces.clone());
        let states: Vec<State> = State::ALL
            .into_iter()
            .filter(|state| pattern.matches(state.as_str()))
            .collect();
        if states.is_empty() {
            let near = nearest(&self.value.text.to_lowercase(), State::ALL.map(State::as_str));
            return Err(self.fault(Wants::State, near));
        }
        Ok(states)
    }

    fn feature(&self) -> Result<Feature, SearchFault> {
        let word = self.value.text.to_lowercase();
        Feature::ALL
            .into_iter()
            .find(|feature| feature.as_str() == word)
            .ok_or_else(|| self.fault(Wants::Feature, nearest(&word, Feature::ALL.map(Feature::as_str))))
    }

    fn address(&self) -> Result<AddressTest, SearchFault> {
        let text = self.value.text.as_str();
        if text.is_empty() {
            return Ok(AddressTest::Written(Pattern::Absent));
        }
        if let Some((first, last)) = addresses(text) {
            return Ok(AddressTest::Between(first, last));
        }
        if self
            .value
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Any | Piece::One))
        {
            return Ok(AddressTest::Written(Pattern::Whole(self.value.pieces.clone())));
        }
        Err(self.fault(Wants::Address, None))
    }

    fn mac(&self) -> Result<Pattern, SearchFault> {
        let text = self.value.text.as_str();
        if text.is_empty() {
            return Ok(Pattern::Absent);
        }
        if let Ok(mac) = text.parse::<MacAddr>() {
            return Ok(Pattern::Whole(vec![Piece::Text(mac.to_string())]));
        }
        if self
            .value
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Any | Piece::One))
        {
            return Ok(Pattern::Whole(self.value.pieces.clone()));
        }
        Err(self.fault(Wants::Mac, None))
    }
}

const fn relation(sign: Sign) -> Relation {
    match sign {
        Sign::Above => Relation::Above,
        Sign::AtLeast => Relation::AtLeast,
        Sign::Below => Relation::Below,
        Sign::AtMost => Relation::AtMost,
        Sign::Has | Sign::Is | Sign::IsNot => Relation::Is,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
