//! Filters that write a value so that its reader gets it back unchanged, or refuse it where that cannot be.

mod addresses;
mod quoting;

use minijinja::{Environment, Error, ErrorKind, Value, value::ValueKind};

/// Filters of answer files, for saying which one a mistyped name may have meant.
pub(super) const NAMES: &[&str] = &[
    "sh",
    "quote",
    "ks",
    "kickseed",
    "yaml",
    "xml",
    "cdata",
    "preseed",
    "word",
    "base64",
    "yesno",
    "netmask",
    "mib",
    "version_at_least",
    "indent",
    "join",
    "default",
    "lower",
    "upper",
    "replace",
    "trim",
    "items",
    "length",
    "first",
    "last",
    "sort",
    "unique",
    "list",
    "map",
    "select",
    "selectattr",
    "reject",
    "rejectattr",
    "int",
    "string",
    "split",
    "urlencode",
];

/// Adds the filters and the function `refuse`.
pub(super) fn add_to(env: &mut Environment<'static>) {
    for name in ["sh", "quote"] {
        env.add_filter(name, |value: &Value| each_text(value, quoting::sh));
    }
    env.add_filter("ks", |value: &Value| each_text(value, quoting::ks));
    env.add_filter("kickseed", |value: &Value| each_text(value, quoting::kickseed));
    env.add_filter("xml", |value: &Value| each_text(value, quoting::xml));
    env.add_filter("cdata", |value: &Value| each_text(value, quoting::cdata));
    env.add_filter("preseed", |value: &Value| each_text(value, quoting::preseed));
    env.add_filter("word", |value: &Value| each_text(value, quoting::word));
    env.add_filter("base64", |value: &Value| {
        each_text(value, |text| Ok(quoting::base64(text)))
    });
    env.add_filter("yaml", |value: &Value| quoting::yaml(value));
    env.add_filter("netmask", |prefix: u32| addresses::netmask(prefix));
    env.add_filter("yesno", |value: bool, yes: Option<String>, no: Option<String>| {
        if value {
            yes.unwrap_or_else(|| "yes".to_owned())
        } else {
            no.unwrap_or_else(|| "no".to_owned())
        }
    });
    env.add_function("refuse", |why: String| -> Result<Value, Error> { Err(refusal(why)) });
    // JSON is no answer file's way of writing, and what writes Python's way shows everything, secrets too.
    for name in ["tojson", "pprint", "escape", "e", "safe"] {
        env.remove_filter(name);
    }
    env.remove_global("debug");
}

/// Writes a text or number by `write`. A list is refused: joined first, its items would lose their bounds.
fn each_text(value: &Value, write: impl Fn(&str) -> Result<String, Error>) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String => write(value.as_str().unwrap_or_default()),
        ValueKind::Number => write(&value.to_string()),
        ValueKind::None => write(""),
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bool => Err(refusal(
            "this is true or false: say how it is written, for example `| yesno`",
        )),
        ValueKind::Seq | ValueKind::Iterable => Err(refusal(
            "this is a list: write each of its items, or join it first (`| join(\" \")`) if they may run together",
        )),
        _ => Err(refusal("this is neither text nor a number")),
    }
}

fn refusal(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}
