//! A search cut into words, signs and parentheses, each with its place.

use std::{net::IpAddr, ops::Range};

use super::{Piece, SearchFault, Why};

/// One thing that stands in a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    Or,
    And,
    /// `not`, or `-` before what it takes back.
    Not,
    /// A text without a field.
    Text(Value),
    /// A field with its sign and what it is compared with.
    Compared {
        name: String,
        name_place: Range<usize>,
        sign: Sign,
        sign_place: Range<usize>,
        value: Value,
    },
}

/// What stands between a field and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Has,
    Is,
    IsNot,
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Sign {
    /// Longer ones first.
    const ALL: [Self; 7] = [
        Self::IsNot,
        Self::AtLeast,
        Self::AtMost,
        Self::Has,
        Self::Is,
        Self::Above,
        Self::Below,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Has => ":",
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }

    pub(super) const fn is_order(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast | Self::Below | Self::AtMost)
    }

    fn at_start(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sign| text.starts_with(sign.as_str()))
    }
}

/// A text as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// In lower case, cut at `*` and `?` outside of quotation marks.
    pub(super) pieces: Vec<Piece>,
    /// Without quotation marks.
    pub(super) text: String,
    pub(super) place: Range<usize>,
    pub(super) quoted: bool,
}

/// A token with its place.
pub(super) type Placed = (Token, Range<usize>);

/// Cuts a search; what is no whole word is a fault.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, SearchFault> {
    let mut lexer = Lexer { text, at: 0 };
    let mut out = Vec::new();
    while let Some(token) = lexer.next()? {
        out.push(token);
    }
    Ok(out)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn next(&mut self) -> Result<Option<Placed>, SearchFault> {
        self.skip_blanks();
        let (start, rest) = (self.at, self.rest());
        let mut letters = rest.chars();
        let Some(first) = letters.next() else {
            return Ok(None);
        };
        let follows = letters.next().filter(|letter| !letter.is_whitespace());
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '-' if follows.is_some() => Some(Token::Not),
            _ => None,
        };
        if let Some(token) = single {
            self.at += 1;
            return Ok(Some((token, start..self.at)));
        }
        let token = if reads_as_address(rest) {
            Token::Text(self.value()?)
        } else if let Some((name, sign)) = self.field() {
            self.compared(name, sign)?
        } else if let Some(sign) = Sign::at_start(rest) {
            return Err(SearchFault {
                place: start..start + sign.as_str().len(),
                why: Why::NoField(sign.as_str().to_owned()),
            });
        } else {
            let value = self.value()?;
            match value.text.to_ascii_lowercase().as_str() {
                "or" if !value.quoted => Token::Or,
                "and" if !value.quoted => Token::And,
                "not" if !value.quoted => Token::Not,
                _ => Token::Text(value),
            }
        };
        Ok(Some((token, start..self.at)))
    }

    /// A name with the sign after it; a sign of order may stand apart.
    fn field(&self) -> Option<(&'a str, (Sign, usize))> {
        let rest = self.rest();
        if !rest.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return None;
        }
        let end = rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || "_.-".contains(letter)))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if let Some(sign) = Sign::at_start(after) {
            return Some((name, (sign, end)));
        }
        let apart = after.trim_start();
        let sign = Sign::at_start(apart).filter(|sign| sign.is_order() || *sign == Sign::IsNot)?;
        Some((name, (sign, rest.len() - apart.len())))
    }

    fn compared(&mut self, name: &str, (sign, at): (Sign, usize)) -> Result<Token, SearchFault> {
        let name_place = self.at..self.at + name.len();
        let sign_place = self.at + at..self.at + at + sign.as_str().len();
        self.at = sign_place.end;
        if sign.is_order() {
            self.skip_blanks();
        }
        Ok(Token::Compared {
            name: name.to_owned(),
            name_place,
            sign,
            sign_place,
            value: self.value()?,
        })
    }

    /// A text up to a blank or a parenthesis that is not its own; empty when there is none.
    fn value(&mut self) -> Result<Value, SearchFault> {
        let start = self.at;
        let mut value = Value {
            pieces: Vec::new(),
            text: String::new(),
            place: start..start,
            quoted: false,
        };
        let mut own = 0_usize;
        let mut letters = self.rest().char_indices();
        let mut end = self.text.len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    value.quoted = true;
                    quoted(&mut letters, &mut value).ok_or(SearchFault {
                        place: start + at..start + at + 1,
                        why: Why::OpenQuote,
                    })?;
                    continue;
                }
                '(' => own += 1,
                ')' if own > 0 => own -= 1,
                letter if letter == ')' || letter.is_whitespace() => {
                    end = start + at;
                    break;
                }
                _ => {}
            }
            value.text.push(letter);
            match letter {
                '*' => value.pieces.push(Piece::Any),
                '?' => value.pieces.push(Piece::One),
                letter => push(&mut value.pieces, letter),
            }
        }
        self.at = end;
        value.place = start..end;
        Ok(value)
    }
}

/// Takes what is in quotation marks; none when they are not closed.
fn quoted(letters: &mut std::str::CharIndices<'_>, value: &mut Value) -> Option<()> {
    loop {
        let letter = match letters.next()?.1 {
            '"' => return Some(()),
            '\\' => letters.next()?.1,
            letter => letter,
        };
        value.text.push(letter);
        push(&mut value.pieces, letter);
    }
}

fn push(pieces: &mut Vec<Piece>, letter: char) {
    if let Some(Piece::Text(text)) = pieces.last_mut() {
        text.extend(letter.to_lowercase());
    } else {
        pieces.push(Piece::Text(letter.to_lowercase().collect()));
    }
}

/// Whether a text begins with what only looks like a field: an IPv6 address, or hex pairs of a MAC.
fn reads_as_address(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default().trim_end_matches(')');
    let pairs = word.split(':').filter(|pair| !pair.is_empty());
    let mac = word.contains(':')
        && pairs.clone().count() >= 2
        && pairs
            .clone()
            .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
    mac || word.parse::<IpAddr>().is_ok()
}
