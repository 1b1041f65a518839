//! What a machine can be called in a network (RFC 1123, 2.1).

use std::net::IpAddr;

use super::Fault;

/// What to write instead of a name that is none.
const ADVICE: &str = "write letters, digits and `-`, with dots between parts, such as web-01 or web-01.example.org";

/// Checks the name of a host: parts of 1 to 63 letters, digits and `-` with dots between, 253 in all, and no address.
///
/// # Errors
/// [`Fault`] on `field`.
pub fn check_host_name(field: &str, name: &str) -> Result<(), Fault> {
    match trouble(name) {
        None => Ok(()),
        Some(why) => Err(Fault::new(field, name, format!("it is no host name: {why}"), ADVICE)),
    }
}

/// Why a name is none.
fn trouble(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > 253 {
        return Some("it is longer than 253 letters".to_owned());
    }
    if name.parse::<IpAddr>().is_ok() {
        return Some("it is an address".to_owned());
    }
    let other = |letter: &char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '.');
    if let Some(letter) = name.chars().find(other) {
        return Some(format!("`{}` cannot stand in one", letter.escape_debug()));
    }
    name.split('.').find_map(|part| {
        let why = match part.len() {
            0 => "there is nothing before, after or between its dots",
            64.. => "a part between dots is longer than 63 letters",
            _ if part.starts_with('-') || part.ends_with('-') => "a part between dots begins or ends with `-`",
            _ => return None,
        };
        Some(why.to_owned())
    })
}

/// Whether a text is a DNS domain or name; one dot may stand at its end.
pub(super) fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_one_of_the_network() {
        let longest = format!("{}.{}", "a".repeat(63), "b".repeat(63));
        for good in ["web1", "web-01.example.org", "3com", "1234", "WEB1", longest.as_str()] {
            assert_eq!(check_host_name("name", good), Ok(()), "{good}");
        }
        let too_long = vec!["a".repeat(63); 4].join(".");
        for (bad, why) in [
            ("", "it is empty"),
            ("web_1", "`_` cannot stand in one"),
            ("web 1", "` ` cannot stand in one"),
            ("wéb", "`é` cannot stand in one"),
            ("a\nb", "`\\n` cannot stand in one"),
            ("web:1", "`:` cannot stand in one"),
            ("-web", "begins or ends with `-`"),
            ("web-.example.org", "begins or ends with `-`"),
            ("web..org", "nothing before, after or between"),
            ("web.", "nothing before, after or between"),
            (".web", "nothing before, after or between"),
            ("10.0.0.5", "it is an address"),
            ("2001:db8::5", "it is an address"),
            (&"a".repeat(64), "longer than 63"),
            (&too_long, "longer than 253"),
        ] {
            let told = check_host_name("name", bad).expect_err("refused").to_string();
            assert!(told.contains(why) && told.contains("web-01"), "{bad:?}: {told}");
        }
    }
}
