//! One language to say which hosts are meant: `vendor:dell mem>=256 role:web state:active`. Pure.
//!
//! Pages, API, command line, inventories and whatever else chooses hosts read it by [`parse`]; `store` turns an
//! [`Expression`] into a query. What is written wrong is told with its place ([`SearchFault`]). The fields are a table
//! ([`SEARCH_FIELDS`]), which help texts show. docs/decisions/0017 says why the language is as it is.

mod expression;
mod fault;
mod field;
mod lexer;
mod parser;
mod pattern;
mod value;

pub use expression::{
    AddressTest, AmountField, Expression, Feature, LabelField, PartField, Relation, Search, Term, TextField, TimeField,
    When,
};
pub use fault::{SearchFault, Wants, Why};
pub use field::{SEARCH_FIELDS, SearchField, Takes, is_field};
pub use parser::parse;
pub use pattern::{Pattern, Piece};

/// Longest text of a search, bytes.
pub const MAX_LENGTH: usize = 2_000;

/// Parentheses and negations within each other at most.
pub const MAX_DEPTH: usize = 32;

/// Terms of one search at most.
pub const MAX_TERMS: usize = 64;
