//! Searches of the command line, and the table of their fields.

use super::{Failure, table::table};
use crate::search::{Expression, SEARCH_FIELDS, parse};

/// Reads arguments as one search; what is wrong is shown with its place.
pub(super) fn expression(words: &[String]) -> Result<Expression, Failure> {
    let text = words.join(" ");
    parse(&text).map_err(|fault| Failure::Search(fault.report(&text)))
}

/// What can be searched for, and how.
pub(super) fn fields() -> String {
    let rows: Vec<Vec<String>> = SEARCH_FIELDS
        .iter()
        .map(|field| {
            let names: Vec<&str> = std::iter::once(&field.name).chain(field.also).copied().collect();
            vec![names.join(", "), field.example.to_owned(), field.meaning.to_owned()]
        })
        .collect();
    format!(
        "{}\n{}",
        table(&["FIELD", "EXAMPLE", "WHAT IT IS"], &rows),
        "Terms side by side are all met; `or`, `not` or `-`, parentheses and \"quoted text\" as usual. A word alone is found\n\
         in any text of a host. `:` and `=` compare in any case, `*` and `?` stand for letters; of vendor, product, cpu, gpu\n\
         and switch `:` finds a part, of all others the whole. `field=` finds what has none. Numbers, sizes and times are\n\
         compared by > >= < <= too; != takes back =. Dates are in UTC; an age such as 10m is how long ago.\n\
         host find takes KEY=PATTERN for any other value in force too: `muster host report` shows them.\n"
    )
}
