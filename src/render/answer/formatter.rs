//! How a value becomes text in an answer file.
//!
//! An answer file is neither Python nor JSON: nothing is written as `None`, `True` or `['a', 'b']`. None is empty
//! text, text and numbers are themselves, and for all else the template says how.

use minijinja::{Error, ErrorKind, Output, State, Value, value::ValueKind};

/// Writes `value` into the answer.
pub(super) fn format(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let advice = match value.kind() {
        // An undefined name never comes here: this is what an `if` without `else` gives when it does not hold.
        ValueKind::None | ValueKind::Undefined => return Ok(()),
        ValueKind::String => {
            out.write_str(value.as_str().unwrap_or_default())?;
            return Ok(());
        }
        ValueKind::Number => {
            write!(out, "{value}")?;
            return Ok(());
        }
        ValueKind::Bool => {
            "this is true or false, and every installer writes that in its own way: say how, for example `| yesno` \
             or `\"--enable\" if … else \"--disable\"`"
        }
        ValueKind::Seq | ValueKind::Iterable => {
            "this is a list: join it (`| join(\",\")`) or write each of its items (`{% for item in … %}`)"
        }
        ValueKind::Map => "this is a map: name one of its parts, or write each of them (`{% for name in … %}`)",
        ValueKind::Bytes => "these are bytes, not text",
        _ => "this is no text",
    };
    Err(Error::new(ErrorKind::BadSerialization, advice))
}
