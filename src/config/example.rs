//! The commented example file and the list of keys, made of the table.

use super::{Key, Settings, SubnetSettings};

const HEAD: &str = "\
# Settings of Muster. Every key is shown with its default; remove the # to change one.
# Files of muster.d/ beside this one are read after it, in order of name; then MUSTER_* variables
# (MUSTER_HTTP__LISTEN is http.listen); then flags. `muster config show` tells where each value comes from,
# and `muster check` what would stop a boot.
";

/// The text of `packaging/muster.toml`.
#[must_use]
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in Settings::keys() {
        if key.section != section {
            section = key.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        push(&mut text, &key);
    }
    text.push_str("\n# One such table a subnet.\n#[[dhcp.subnets]]\n");
    for key in SubnetSettings::keys() {
        push(&mut text, &key);
    }
    text
}

fn push(text: &mut String, key: &Key) {
    for line in wrap(&format!("{} ({})", key.doc, key.kind), 110) {
        text.push_str(&format!("# {line}\n"));
    }
    let value = key.example.unwrap_or(&key.default);
    let value = if value == "(not set)" { "\"\"" } else { value };
    text.push_str(&format!("#{} = {value}\n", key.name));
}

/// The list of `muster config keys`: name, type, default, meaning.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for key in Settings::keys().into_iter().chain(SubnetSettings::keys()) {
        let path = key.path().replace("dhcp.subnets.", "dhcp.subnets[].");
        text.push_str(&format!("{path}  ({}; default {})\n", key.kind, key.default));
        for line in wrap(&key.doc, 96) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
