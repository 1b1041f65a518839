//! What is kept of an answer file or a log line: all but its secrets.

use std::{borrow::Cow, ops::Range};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What stands in place of a secret.
pub const HIDDEN: &str = "***";

/// Shorter runs hold no script.
const LEAST_BASE64: usize = 32;

/// How many times a script within a script is looked into.
const BASE64_DEPTH: u8 = 3;

/// What a token comes after: addresses, the kernel's command line, the agent's settings, and a credential's own prefix.
const TOKEN_MARKERS: [&str; 6] = [
    "/boot/answer/",
    "/boot/stage/",
    "/boot/enrol/",
    "muster.token=",
    SETTING,
    "muster_agent_",
];

/// How the agent's settings say its token.
const SETTING: &str = "MUSTER_TOKEN=";

/// Tokens are 43 characters: where one is somewhere in a line, words of at least this many are hidden.
const LONG_WORD: usize = 32;

/// Prefixes of crypt(3) hashes.
const HASHES: [&str; 9] = ["$6$", "$5$", "$y$", "$gy$", "$7$", "$2b$", "$2a$", "$2y$", "$1$"];

/// A text without the given secrets, crypt hashes, tokens in addresses and passwords in URLs. Shorter secrets than four
/// characters are left: they would tear words apart and are none.
#[must_use]
pub fn redact<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = Cow::Borrowed(text);
    let mut known: Vec<&str> = secrets.into_iter().filter(|secret| secret.len() >= 4).collect();
    // A secret that holds another one goes first.
    known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in &known {
        if text.contains(secret) {
            text = Cow::Owned(text.replace(*secret, HIDDEN));
        }
    }
    hide_in_lines(&redact_base64(&text, &known, BASE64_DEPTH))
}

/// Every line without what looks like a secret.
fn hide_in_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        out.push_str(&hide_in_line(line));
    }
    out
}

/// The runs of base64's letters (RFC 4648 §4) that are long enough to hold a script, each with its padding. What is decoded
/// for people is found by this too, so that nothing is decoded that was not looked into for secrets.
pub fn long_runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let of = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let letters = rest.iter().take_while(|byte| of(byte)).count();
            let padding = rest
                .iter()
                .skip(letters)
                .take(2)
                .take_while(|byte| **byte == b'=')
                .count();
            let start = at;
            at += (letters + padding).max(1);
            if letters > 0 && letters + padding >= LEAST_BASE64 {
                return Some(start..at);
            }
        }
        None
    })
}

/// A line of a log without what looks like a secret. Installers log the commands they run, with scripts in base64 that may
/// be cut short anywhere: nothing is left of what decodes to text.
#[must_use]
pub fn redact_log(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut kept = 0;
    for place in long_runs(line) {
        let whole = line[place.clone()].trim_end_matches('=');
        let whole = &whole[..whole.len() / 4 * 4];
        let is_text = STANDARD
            .decode(whole)
            .is_ok_and(|bytes| match std::str::from_utf8(&bytes) {
                Ok(_) => true,
                // A letter that is cut in two.
                Err(error) => error.error_len().is_none(),
            });
        if is_text {
            out.push_str(&line[kept..place.start]);
            out.push_str(HIDDEN);
            kept = place.end;
        }
    }
    out.push_str(&line[kept..]);
    redact_line(&out)
}

/// Scripts within answer files are written in base64 (RFC 4648 §4): what is hidden in the open is hidden there too.
fn redact_base64<'a>(text: &'a str, known: &[&str], depth: u8) -> Cow<'a, str> {
    let mut out = String::new();
    let mut kept = 0;
    for place in long_runs(text) {
        let inner = (depth > 0)
            .then(|| STANDARD.decode(&text[place.clone()]).ok())
            .flatten()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(inner) = inner else { continue };
        let mut hidden = inner.clone();
        for secret in known {
            hidden = hidden.replace(secret, HIDDEN);
        }
        let hidden = hide_in_lines(&redact_base64(&hidden, known, depth - 1));
        if hidden != inner {
            out.push_str(&text[kept..place.start]);
            out.push_str(&STANDARD.encode(hidden));
            kept = place.end;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// One line without what looks like a secret.
#[must_use]
pub fn redact_line(line: &str) -> String {
    hide_in_line(line).into_owned()
}

/// Nearly all lines hold nothing of this kind, and a render of all hosts looks at hundreds of thousands.
fn hide_in_line(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    if line.contains(['/', '=', '_']) {
        for marker in TOKEN_MARKERS {
            if line.contains(marker) {
                line = Cow::Owned(hide_after(&line, marker, is_of_token, 8));
            }
        }
        // A shell that tells its commands writes `printf 'MUSTER_TOKEN=%s\n' TOKEN`.
        if let Some((before, after)) = line.split_once(SETTING) {
            line = Cow::Owned(format!("{before}{SETTING}{}", hide_long_words(after)));
        }
    }
    if line.contains('$') {
        for prefix in HASHES {
            if line.contains(prefix) {
                line = Cow::Owned(hide_hash(&line, prefix));
            }
        }
    }
    if line.contains("://") && line.contains('@') {
        line = Cow::Owned(hide_url_passwords(&line));
    }
    line
}

/// Whether a token may hold it.
const fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Hides every word that is as long as a token.
fn hide_long_words(text: &str) -> String {
    text.split_inclusive(|c| !is_of_token(c))
        .map(|piece| {
            let word = piece.trim_end_matches(|c| !is_of_token(c));
            let end = &piece[word.len()..];
            let word = if word.len() >= LONG_WORD { HIDDEN } else { word };
            format!("{word}{end}")
        })
        .collect()
}

/// Hides the run of `of` characters after each `marker`, when it is long enough to be a token.
fn hide_after(line: &str, marker: &str, of: impl Fn(char) -> bool, least: usize) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(marker) {
        out.push_str(before);
        out.push_str(marker);
        let end = after.find(|c| !of(c)).unwrap_or(after.len());
        let (run, tail) = after.split_at(end);
        out.push_str(if run.len() >= least { HIDDEN } else { run });
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn hide_hash(line: &str, prefix: &str) -> String {
    let of = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '$' | '=' | ',' | '-');
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(prefix) {
        out.push_str(before);
        let end = after.find(|c| !of(c)).unwrap_or(after.len());
        let (run, tail) = after.split_at(end);
        if run.len() >= 8 {
            out.push_str(HIDDEN);
        } else {
            out.push_str(prefix);
            out.push_str(run);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// `scheme://user:password@host` keeps all but the password.
fn hide_url_passwords(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>'))
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                let name = user.split(':').next().unwrap_or_default();
                let hidden = if user.contains(':') { ":***" } else { "" };
                out.push_str(name);
                out.push_str(hidden);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let text = "rootpw --iscrypted $6$salt$hashhashhash.\nurl --url=http://bob:pw@mirror/x # s3cret-key\n\
                    cost is $1 and $6$\ncurl http://m/boot/stage/abcdefghijklmnop?stage=post\nplain http://m/x\n";
        assert_eq!(
            redact(text, ["s3cret-key", "", "x"]),
            "rootpw --iscrypted ***\nurl --url=http://bob:***@mirror/x # ***\n\
             cost is $1 and $6$\ncurl http://m/boot/stage/***?stage=post\nplain http://m/x\n"
        );
    }

    #[test]
    fn a_kernel_s_own_command_line_shows_no_token() {
        let line = redact_line(
            "Command line: inst.ks=http://10.0.0.1/boot/answer/AAAABBBBCCCC_-DD quiet muster.token=AAAABBBBCC",
        );
        assert_eq!(
            line,
            "Command line: inst.ks=http://10.0.0.1/boot/answer/*** quiet muster.token=***"
        );
    }

    #[test]
    fn the_agent_s_token_and_its_credential_are_shown_by_no_log() {
        let token = "AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIII_-JJKKK";
        for (line, hidden) in [
            // What `set -x` writes of the snippet that sets the agent up.
            (
                format!(
                    "+ printf 'MUSTER_SERVER=%s\\nMUSTER_TOKEN=%s\\n' http://10.0.0.1:8080 {token} > /etc/muster/agent.env"
                ),
                "+ printf 'MUSTER_SERVER=%s\\nMUSTER_TOKEN=%s\\n' http://10.0.0.1:8080 *** > /etc/muster/agent.env",
            ),
            (format!("MUSTER_TOKEN={token}"), "MUSTER_TOKEN=***"),
            (format!("MUSTER_TOKEN='{token}' serve"), "MUSTER_TOKEN='***' serve"),
            (format!("known by muster_agent_{token}."), "known by muster_agent_***."),
            (
                format!(r#"{{"host":"5f0c","credential":"muster_agent_{token}"}}"#),
                r#"{"host":"5f0c","credential":"muster_agent_***"}"#,
            ),
        ] {
            assert_eq!(redact_log(&line), hidden);
            assert_eq!(redact(&line, []), hidden);
        }
    }

    #[test]
    fn secrets_within_encoded_scripts_go_too() {
        let first = STANDARD.encode("#!/bin/sh\nreport http://m/boot/stage/abcdefghijklmnop\n");
        let script = format!("echo one-time-secret\necho {first} | base64 -d\nusermod -p '$6$salt$hashhashhash' ops\n");
        let hidden = redact(&format!("echo {} | sh", STANDARD.encode(&script)), ["one-time-secret"]);
        let inner = STANDARD.decode(hidden.split(' ').nth(1).unwrap()).unwrap();
        let inner = String::from_utf8(inner).unwrap();
        assert!(
            inner.starts_with("echo ***\necho ") && inner.ends_with("usermod -p '***' ops\n"),
            "{inner}"
        );
        let nested = STANDARD.decode(inner.split(' ').nth(2).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(nested).unwrap(),
            "#!/bin/sh\nreport http://m/boot/stage/***\n"
        );
    }

    #[test]
    fn a_log_shows_nothing_of_a_script_in_base64() {
        let script = STANDARD.encode("report() {\n    address=http://m/boot/stage/abcdefghijklmnop\n}\n");
        let line = format!(
            "running preseed command preseed/late_command: echo {} | chroot",
            &script[..59]
        );
        assert_eq!(
            redact_log(&line),
            "running preseed command preseed/late_command: echo *** | chroot"
        );
        for plain in [
            "unpacking /usr/share/doc/packages/something/that/is/long/enough/to/look/at",
            "key=0123456789",
            "Setting up libcrypt1:amd64 (1:4.4.38-1) ...",
        ] {
            assert_eq!(redact_log(plain), plain);
        }
        let script = STANDARD.encode("a script with hunter22 in it, for all to see");
        let hidden = redact(&format!("key={script} end"), ["hunter22"]);
        assert!(!hidden.contains(&script), "{hidden}");
    }

    #[test]
    fn of_two_secrets_the_longer_goes_first() {
        assert_eq!(redact("aaaa-bbbb aaaa", ["aaaa", "aaaa-bbbb"]), "*** ***");
    }
}
