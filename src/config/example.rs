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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Origin, Sources, load};

    /// `INSTA_UPDATE=always` writes the file anew.
    #[test]
    fn the_packaged_example_is_in_step_with_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/muster.toml");
        if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            std::fs::write(&path, example()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            example(),
            "`muster config example > packaging/muster.toml` mends this"
        );
    }

    #[test]
    fn the_example_without_its_marks_is_valid_and_says_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("muster.toml");
        let text: String = example()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        std::fs::write(&path, text.replace("\"observe\"", "\"reserved\"")).unwrap();
        let given = load(&Sources {
            file: Some(path),
            ..Sources::default()
        })
        .unwrap();
        let plain = load(&Sources {
            file: Some(dir.path().join("empty.toml")),
            ..Sources::default()
        });
        assert!(plain.is_err(), "a named file has to exist");
        for row in given.rows() {
            assert_ne!(row.origin, Origin::Default, "{} is not in the example", row.key);
        }
    }

    #[test]
    fn every_key_has_a_meaning() {
        for key in Settings::keys().iter().chain(&SubnetSettings::keys()) {
            assert!(key.doc.ends_with('.'), "{}", key.path());
        }
    }
}
