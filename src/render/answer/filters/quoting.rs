//! One way of writing for each reader: shell, Anaconda, Debian's two installers' files, YAML and XML.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minijinja::{Error, Value, value::ValueKind};

use super::refusal;

/// One word of a POSIX shell.
///
/// After a line end inside the word the quotes are closed and opened again, so that no line of the answer begins with
/// what a value says: `%end` or `%include` in a value ends or includes nothing.
pub(super) fn sh(text: &str) -> Result<String, Error> {
    refuse_nul(text)?;
    if !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '=' | ',' | '@' | '+'))
        && !text.starts_with('=')
    {
        return Ok(text.to_owned());
    }
    let mut word = String::with_capacity(text.len() + 2);
    word.push('\'');
    for c in text.chars() {
        match c {
            '\'' => word.push_str("'\\''"),
            '\n' => word.push_str("\n''"),
            c => word.push(c),
        }
    }
    word.push('\'');
    Ok(word)
}

/// One argument of a kickstart command. Anaconda reads a line as a POSIX shell would, without expansion.
pub(super) fn ks(text: &str) -> Result<String, Error> {
    refuse_nul(text)?;
    refuse_line_end(text, "a kickstart command ends with its line")?;
    if is_plain_argument(text) {
        return Ok(text.to_owned());
    }
    Ok(double_quoted(text))
}

/// One argument of a kickstart command as Debian's kickseed reads it: by the shell's `eval`, with every dollar sign
/// escaped before. Inside double quotes the dollar sign is right, a backquote or backslash is not.
pub(super) fn kickseed(text: &str) -> Result<String, Error> {
    let argument = ks(text)?;
    if text.contains(['`', '\\', '"', '!']) {
        return Err(refusal(
            "Debian's installer cannot read a kickstart argument with a backquote, backslash, double quote or `!`",
        ));
    }
    Ok(argument)
}

fn is_plain_argument(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '=' | ',' | '@' | '+' | '$' | '%')
        })
        && !text.starts_with('%')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A value of a preseed file: all of it up to the line's end, unquoted.
pub(super) fn preseed(text: &str) -> Result<String, Error> {
    refuse_nul(text)?;
    refuse_line_end(text, "a preseeded value ends with its line")?;
    if text.ends_with('\\') {
        return Err(refusal(
            "a preseeded value cannot end with a backslash: it would go on in the next line",
        ));
    }
    if text.trim() != text {
        return Err(refusal("a preseeded value loses the blank space around it"));
    }
    Ok(text.to_owned())
}

/// A name that stands unquoted: a package, a file system, an address. It cannot hold blank space, nor begin as a
/// comment or a section does.
pub(super) fn word(text: &str) -> Result<String, Error> {
    refuse_nul(text)?;
    if text.is_empty() || text.contains(char::is_whitespace) || text.starts_with(['#', '%']) || text.ends_with('\\') {
        return Err(refusal(format!(
            "a name stands here unquoted: it cannot be empty, hold blank space, begin with `#` or `%`, or end with a \
             backslash ({} characters given)",
            text.chars().count()
        )));
    }
    Ok(text.to_owned())
}

/// Bytes as base64, for text that must pass through a reader that would change it.
pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// Text or an attribute of an XML file.
pub(super) fn xml(text: &str) -> Result<String, Error> {
    refuse_not_xml(text)?;
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // Written out, or an XML reader makes another line end or a space of them.
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            c => escaped.push(c),
        }
    }
    Ok(escaped)
}

/// A whole CDATA section.
pub(super) fn cdata(text: &str) -> Result<String, Error> {
    refuse_not_xml(text)?;
    if text.contains('\r') {
        return Err(refusal("a carriage return does not survive in an XML section of text"));
    }
    Ok(format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>")))
}

/// A YAML value on one line: text always in double quotes, so that `no`, `1e3` and `0755` stay text.
pub(super) fn yaml(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_yaml(&mut out, value)?;
    Ok(out)
}

fn write_yaml(out: &mut String, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::String => write_yaml_text(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (at, item) in value.try_iter()?.enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_yaml(out, &item)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (at, key) in value.try_iter()?.enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_yaml(out, &key)?;
                out.push_str(": ");
                write_yaml(out, &value.get_item(&key)?)?;
            }
            out.push('}');
        }
        ValueKind::Undefined => return Err(Error::from(minijinja::ErrorKind::UndefinedError)),
        _ => return Err(refusal("this cannot be written as YAML")),
    }
    Ok(())
}

fn write_yaml_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            // Unprintable for YAML, or a line break of its own.
            '\0'..='\u{9f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn refuse_nul(text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(refusal("no shell and no configuration file can hold a NUL character"));
    }
    Ok(())
}

fn refuse_line_end(text: &str, why: &str) -> Result<(), Error> {
    // Python's str.splitlines() takes all of these for line ends, and Anaconda reads its file with Python.
    if text.contains([
        '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
    ]) {
        return Err(refusal(format!("this value has a line end, and {why}")));
    }
    Ok(())
}

fn refuse_not_xml(text: &str) -> Result<(), Error> {
    let bad = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(bad) {
        return Err(refusal("this value has a control character that XML cannot hold"));
    }
    Ok(())
}
