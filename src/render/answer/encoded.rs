//! Scripts that an answer file carries in base64, for people who read it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::install::long_runs;

/// One piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    /// As it stands.
    Plain(&'t str),
    /// A run of base64 (RFC 4648 §4) that holds a text.
    Script {
        /// As it stands.
        encoded: &'t str,
        /// What it holds. Its lines may have such runs again.
        text: String,
    },
}

/// A line in its pieces; together they are the line.
#[must_use]
pub fn parts(line: &str) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    let mut plain = 0;
    for run in long_runs(line) {
        let encoded = &line[run.clone()];
        if let Some(text) = script(encoded) {
            out.extend(Some(Part::Plain(&line[plain..run.start])).filter(|_| plain < run.start));
            out.push(Part::Script { encoded, text });
            plain = run.end;
        }
    }
    out.extend(Some(Part::Plain(&line[plain..])).filter(|_| plain < line.len()));
    out
}

/// The text that a run holds; nothing for a word or a path that only looks like base64.
fn script(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let is_text = !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'));
    (is_text && text.contains([' ', '\n'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_found_between_what_stands_around_it() {
        let text = "#!/bin/sh\necho one two three four\n".to_owned();
        let encoded = STANDARD.encode(&text);
        let line = format!(" echo {encoded} | base64 -d > /root/x; \\");
        let script = Part::Script {
            encoded: &encoded,
            text,
        };
        let around = (Part::Plain(" echo "), Part::Plain(" | base64 -d > /root/x; \\"));
        assert_eq!(parts(&line), [around.0, script.clone(), around.1]);
        assert_eq!(parts(&encoded), [script]);
    }

    #[test]
    fn words_paths_hashes_and_keys_are_left_as_they_are() {
        for line in [
            "",
            "d-i preseed/late_command string true",
            "/usr/lib/python3/dist/packages/something/long/enough/for/four/words",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl anna",
            "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "密码 AAAA",
        ] {
            let whole: String = parts(line)
                .iter()
                .map(|part| match part {
                    Part::Plain(text) => *text,
                    Part::Script { .. } => panic!("{line}"),
                })
                .collect();
            assert_eq!(whole, line);
        }
    }
}
