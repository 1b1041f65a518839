//! Log lines of installers: RFC 3164 as it is sent in practice, and RFC 5424. Whatever comes, a line comes of it.

/// Longest line that is read, bytes; the rest is cut.
pub const LONGEST: usize = 8192;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0 (worst) to 7; 6 when the sender gives none.
    pub severity: u8,
    /// The program, without its process number; empty when there is none.
    pub program: String,
    /// What it says, without control characters.
    pub text: String,
}

/// Reads one message; `None` when nothing is in it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Message> {
    let bytes = bytes.get(..bytes.len().min(LONGEST)).unwrap_or_default();
    let line = String::from_utf8_lossy(bytes);
    let line = line.trim_matches(|c: char| c.is_control() || c == '\u{feff}');
    let (severity, rest) = priority(line);
    let (program, text) = match rest.strip_prefix("1 ") {
        Some(rest) if severity.is_some() => modern(rest).unwrap_or_else(|| classic(rest)),
        _ => classic(rest),
    };
    let clean = |text: &str| -> String {
        text.chars()
            .map(|c| if c == '\t' { ' ' } else { c })
            .filter(|c| !c.is_control())
            .collect()
    };
    let text = clean(text.trim());
    (!text.is_empty()).then(|| Message {
        severity: severity.unwrap_or(6),
        program: clean(program).chars().take(64).collect(),
        text,
    })
}

/// `<34>`: facility times eight and severity.
fn priority(line: &str) -> (Option<u8>, &str) {
    let Some((number, rest)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return (None, line);
    };
    match number.parse::<u8>() {
        Ok(number) if number <= 191 => (Some(number % 8), rest),
        _ => (None, line),
    }
}

/// RFC 5424 after its version: time, host, program, process, message id, structured data, text.
fn modern(rest: &str) -> Option<(&str, &str)> {
    let mut parts = rest.splitn(6, ' ');
    let (_time, _host) = (parts.next()?, parts.next()?);
    let program = parts.next()?;
    let (_process, _id) = (parts.next()?, parts.next()?);
    let text = after_structured_data(parts.next()?);
    Some((
        if program == "-" { "" } else { program },
        text.trim_start_matches('\u{feff}'),
    ))
}

fn after_structured_data(rest: &str) -> &str {
    if let Some(text) = rest.strip_prefix('-') {
        return text.trim_start();
    }
    let (mut quoted, mut escaped) = (false, false);
    let mut bytes = rest.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted && bytes.peek().is_none_or(|(_, next)| *next != b'[') => {
                return rest.get(at + 1..).unwrap_or_default().trim_start();
            }
            _ => {}
        }
    }
    rest
}

/// RFC 3164: an optional time and host, then `program[123]: text`.
fn classic(rest: &str) -> (&str, &str) {
    let rest = without_time(rest);
    let tag = |word: &str| -> Option<usize> {
        let end = word.find(['[', ':'])?;
        let name = word.get(..end)?;
        let plain = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
        (plain && word.ends_with(':')).then_some(end)
    };
    // The tag is the first word, or the second after the sender's name.
    let mut from = 0;
    for _ in 0..2 {
        let Some(word) = rest.get(from..).and_then(|rest| rest.split(' ').next()) else {
            break;
        };
        if let Some(end) = tag(word) {
            let program = word.get(..end).unwrap_or_default();
            let text = rest.get(from + word.len()..).unwrap_or_default();
            return (program, text);
        }
        from += word.len() + 1;
    }
    ("", rest)
}

/// `Oct 11 22:14:15 ` in front is left out.
fn without_time(rest: &str) -> &str {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let is_time = rest.get(..3).is_some_and(|month| MONTHS.contains(&month))
        && rest.as_bytes().get(15) == Some(&b' ')
        && rest.as_bytes().get(9) == Some(&b':');
    if is_time { rest.get(16..).unwrap_or(rest) } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_installers_send_them() {
        for (bytes, severity, program, text) in [
            (
                "<30>Nov 24 10:00:00 main-menu[215]: (process:214): started",
                6,
                "main-menu",
                "(process:214): started",
            ),
            (
                "<30>Nov 24 10:00:00 web1 debootstrap: Unpacking",
                6,
                "debootstrap",
                "Unpacking",
            ),
            (
                "<13>anaconda: Installing software",
                5,
                "anaconda",
                "Installing software",
            ),
            (
                "<165>1 2026-11-24T10:00:00Z web1 packaging 8 ID [a@1 k=\"x] y\"][b@2] Installed: bash",
                5,
                "packaging",
                "Installed: bash",
            ),
            ("<165>1 - - - - - - text", 5, "", "text"),
            ("no priority at all", 6, "", "no priority at all"),
            ("<999>x: y", 6, "", "<999>x: y"),
        ] {
            let expected = Message {
                severity,
                program: program.into(),
                text: text.into(),
            };
            assert_eq!(parse(bytes.as_bytes()), Some(expected), "{bytes}");
        }
    }

    #[test]
    fn hostile_messages_are_survived() {
        for bytes in [
            &b""[..],
            b"<",
            b"<30>",
            b"\0\0",
            b"\xff\xfe",
            b"<165>1 ",
            b"<165>1 a b c d e [\"",
            b"\n\n",
        ] {
            if let Some(message) = parse(bytes) {
                assert!(!message.text.is_empty() && !message.text.contains(char::is_control));
            }
        }
        let long = parse(&vec![b'a'; 100_000]).expect("a line");
        assert_eq!(long.text.len(), LONGEST);
    }
}
