//! What a well-formed value is, field by field.

use std::net::IpAddr;

use ipnet::IpNet;
use muster_facts::MacAddr;
use serde_json::{Map, Value};

use super::{Fault, nearest};

type Checked = Result<(), Fault>;

fn wrong(path: &str, value: &Value, why: &str, advice: &str) -> Fault {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Fault::new(path, &shown, why, advice)
}

fn is(path: &str, value: &Value, fits: bool, why: &str, advice: &str) -> Checked {
    if fits {
        Ok(())
    } else {
        Err(wrong(path, value, why, advice))
    }
}

fn text_that(path: &str, value: &Value, fits: impl Fn(&str) -> bool, why: &str, advice: &str) -> Checked {
    let fits = value
        .as_str()
        .is_some_and(|text| text.len() <= 4096 && !text.chars().any(char::is_control) && fits(text));
    is(path, value, fits, why, advice)
}

pub(super) fn text(path: &str, value: &Value) -> Checked {
    text_that(
        path,
        value,
        |_| true,
        "it is no text of one line",
        "write a text of at most 4096 letters",
    )
}

pub(super) fn word(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    text_that(path, value, fits, "it is no single word", "write a word without blanks")
}

pub(super) fn flag(path: &str, value: &Value) -> Checked {
    is(
        path,
        value,
        value.is_boolean(),
        "it is neither true nor false",
        "write true or false",
    )
}

pub(super) fn template(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| {
        !text.starts_with('/')
            && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "._-/+".contains(letter))
    };
    text_that(
        path,
        value,
        fits,
        "it is no name of a template",
        "write one such as redhat/default.ks",
    )
}

pub(super) fn timezone(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| {
        text.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_+-/".contains(letter))
    };
    text_that(
        path,
        value,
        fits,
        "it is no time zone",
        "write one such as Europe/Berlin or UTC",
    )
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

pub(super) fn hostname(path: &str, value: &Value) -> Checked {
    text_that(
        path,
        value,
        is_domain,
        "it is no host name",
        "write letters, digits and `-`, at most 63 between dots",
    )
}

pub(super) fn domain(path: &str, value: &Value) -> Checked {
    text_that(
        path,
        value,
        is_domain,
        "it is no DNS domain",
        "write one such as example.org",
    )
}

pub(super) fn address(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.parse::<IpAddr>().is_ok();
    text_that(
        path,
        value,
        fits,
        "it is no address",
        "write one such as 10.0.0.1 or 2001:db8::1",
    )
}

pub(super) fn server(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.parse::<IpAddr>().is_ok() || is_domain(text);
    text_that(
        path,
        value,
        fits,
        "it is neither a name nor an address",
        "write one such as ntp.example.org",
    )
}

pub(super) fn url(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| {
        text.split_once("://").is_some_and(|(scheme, rest)| {
            ["http", "https", "ftp", "nfs", "file"].contains(&scheme)
                && !rest.is_empty()
                && !rest.contains(char::is_whitespace)
        })
    };
    text_that(
        path,
        value,
        fits,
        "it is no URL",
        "write one such as http://mirror.example.org/rocky/9",
    )
}

pub(super) fn selinux(path: &str, value: &Value) -> Checked {
    one_of(path, value, &["enforcing", "permissive", "disabled"])
}

pub(super) fn firewall(path: &str, value: &Value) -> Checked {
    one_of(path, value, &["enabled", "disabled"])
}

/// The words of `boot::LoaderKind`, which is above this room.
pub(super) const LOADERS: [&str; 3] = ["ipxe", "grub", "shim"];

pub(super) fn loader(path: &str, value: &Value) -> Checked {
    one_of(path, value, &LOADERS)
}

fn one_of(path: &str, value: &Value, words: &[&str]) -> Checked {
    let advice = format!("write {}", words.join(", "));
    text_that(
        path,
        value,
        |text| words.contains(&text),
        "the word is not known",
        &advice,
    )
}

/// A hash as crypt(3) makes it, or a locked account. What was written is never shown: it may be the password itself.
pub(super) fn password_hash(path: &str, value: &Value) -> Checked {
    let fits = value.as_str().is_some_and(|text| {
        let hashed = text.len() <= 512
            && text.starts_with('$')
            && text.matches('$').count() >= 3
            && text.chars().all(|letter| letter.is_ascii_graphic() && letter != ':');
        hashed || ["!", "*", "!!"].contains(&text)
    });
    if fits {
        Ok(())
    } else {
        Err(Fault::unshown(
            path,
            "it is no hash of a password",
            "write what `openssl passwd -6` prints, or `!` for no password",
        ))
    }
}

pub(super) fn ssh_key(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| {
        let mut parts = text.split_whitespace();
        let kind = parts.next().unwrap_or_default();
        (kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-")) && parts.next().is_some()
    };
    text_that(
        path,
        value,
        fits,
        "it is no public key",
        "write a line such as `ssh-ed25519 AAAA… anna`",
    )
}

pub(super) fn options(path: &str, value: &Value) -> Checked {
    let single = |value: &Value| match value {
        Value::Null | Value::Number(_) | Value::Bool(_) => true,
        Value::String(text) => !text.chars().any(|letter| letter.is_control() || letter == '\''),
        _ => false,
    };
    for (key, value) in entries(value) {
        let below = format!("{path}.{key}");
        let named = !key.is_empty() && !key.contains(|letter: char| letter.is_whitespace() || "='\"".contains(letter));
        is(
            &below,
            value,
            named,
            "it is no name of an option",
            "write a word without blanks, quotes and `=`",
        )?;
        let fits = single(value) || value.as_array().is_some_and(|several| several.iter().all(single));
        is(
            &below,
            value,
            fits,
            "it is no option's value",
            "write a text without quotes, a list of them, or null",
        )?;
    }
    Ok(())
}

pub(super) fn vars(path: &str, value: &Value) -> Checked {
    for (key, value) in entries(value) {
        let name = key.strip_prefix('!').unwrap_or(key);
        let fits = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
        is(
            &format!("{path}.{key}"),
            value,
            fits,
            "it is no name of a variable",
            "write letters, digits and `_`",
        )?;
    }
    Ok(())
}

type Part = (&'static str, fn(&str, &Value) -> Checked);

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Checks an object of known names.
fn parts(path: &str, value: &Value, known: &[Part]) -> Checked {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, value, "it is no map", "write {\"name\": value}"));
    };
    known_parts(path, object, known)
}

fn known_parts(path: &str, object: &Map<String, Value>, known: &[Part]) -> Checked {
    for (key, value) in object {
        let below = format!("{path}.{key}");
        if let Some((_, check)) = known.iter().find(|(name, _)| name == key) {
            if !value.is_null() {
                check(&below, value)?;
            }
            continue;
        }
        let name = key.strip_prefix('!').unwrap_or(key);
        if name != key && known.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let advice = match nearest(name, known.iter().map(|(name, _)| *name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "known are {}",
                known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            ),
        };
        return Err(Fault::unshown(&below, "there is no such part", advice));
    }
    Ok(())
}

/// Checks a map of own names; what begins with `!` is a removal.
fn named(path: &str, value: &Value, fits: fn(&str) -> bool, known: &[Part]) -> Checked {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, value, "it is no map", "write {\"name\": {…}}"));
    };
    for (key, value) in object {
        let below = format!("{path}.{key}");
        if key.len() > 1 && key.starts_with('!') {
            continue;
        }
        if !fits(key) {
            return Err(Fault::unshown(
                &below,
                "the name cannot be used",
                "write letters, digits, `-`, `_` and `.`",
            ));
        }
        parts(&below, value, known)?;
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

fn is_interface(text: &str) -> bool {
    is_name(text) && text.len() <= 15
}

fn each(path: &str, value: &Value, check: fn(&str, &Value) -> Checked) -> Checked {
    let Some(items) = value.as_array() else {
        return Err(wrong(path, value, "it is no list", "write [\"one\", \"two\"]"));
    };
    items
        .iter()
        .enumerate()
        .try_for_each(|(place, item)| check(&format!("{path}.{place}"), item))
}

fn words(path: &str, value: &Value) -> Checked {
    each(path, value, word)
}

fn number(path: &str, value: &Value) -> Checked {
    is(
        path,
        value,
        value.as_u64().is_some_and(|number| number <= 1 << 40),
        "it is no whole number",
        "write one from 0 on",
    )
}

/// Numbers typed as words are taken too: `partitioning swap_mib=2048`.
fn size(path: &str, value: &Value) -> Checked {
    match value.as_str() {
        Some(text) => is(
            path,
            value,
            text.parse::<u32>().is_ok(),
            "it is no whole number",
            "write a number of MiB",
        ),
        None => number(path, value),
    }
}

pub(super) fn users(path: &str, value: &Value) -> Checked {
    named(
        path,
        value,
        |name| {
            is_name(name)
                && name.len() <= 32
                && !name.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-')
        },
        &[
            ("password_hash", password_hash),
            ("ssh_keys", |path, value| each(path, value, ssh_key)),
            ("groups", words),
            (
                "sudo",
                |path, value| if value.is_boolean() { Ok(()) } else { text(path, value) },
            ),
            ("shell", word),
            ("uid", number),
            ("comment", text),
        ],
    )
}

pub(super) fn disk(path: &str, value: &Value) -> Checked {
    parts(
        path,
        value,
        &[
            ("rule", |path, value| {
                one_of(path, value, &["smallest_ssd", "smallest", "largest", "first"])
            }),
            ("serial", word),
            ("wwn", word),
            ("path", |path, value| {
                text_that(
                    path,
                    value,
                    |text| text.starts_with("/dev/"),
                    "it is no device",
                    "write a path under /dev",
                )
            }),
        ],
    )
}

fn mount(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text == "swap" || (text.starts_with('/') && !text.contains(char::is_whitespace));
    text_that(path, value, fits, "it is no mount point", "write a path such as /var")
}

pub(super) fn partitioning(path: &str, value: &Value) -> Checked {
    parts(
        path,
        value,
        &[
            ("scheme", |path, value| one_of(path, value, &["plain", "lvm", "raid"])),
            ("filesystem", |path, value| {
                one_of(path, value, &["ext4", "xfs", "btrfs", "ext3", "ext2"])
            }),
            ("swap_mib", size),
            ("boot_mib", size),
            ("root_mib", size),
            ("volume_group", word),
            ("extra", |path, value| {
                each(path, value, |path, value| {
                    parts(
                        path,
                        value,
                        &[("mount", mount), ("size_mib", size), ("filesystem", word)],
                    )
                })
            }),
        ],
    )
}

fn mac(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.parse::<MacAddr>().is_ok();
    text_that(
        path,
        value,
        fits,
        "it is no MAC address",
        "write six hex pairs such as 52:54:00:77:00:01",
    )
}

fn with_prefix(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.contains('/') && text.parse::<IpNet>().is_ok();
    text_that(
        path,
        value,
        fits,
        "it is no address with its prefix",
        "write one such as 10.0.0.5/24",
    )
}

fn destination(path: &str, value: &Value) -> Checked {
    if value == "default" {
        Ok(())
    } else {
        with_prefix(path, value)
    }
}

const INTERFACE: &[Part] = &[
    ("mac", mac),
    ("dhcp", flag),
    ("addresses", |path, value| each(path, value, with_prefix)),
    ("gateway", |path, value| {
        let fits = |text: &str| text.parse::<std::net::Ipv4Addr>().is_ok();
        text_that(path, value, fits, "it is no IPv4 address", "write one such as 10.0.0.1")
    }),
    ("gateway6", |path, value| {
        let fits = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
        text_that(path, value, fits, "it is no IPv6 address", "write one such as fe80::1")
    }),
    ("mtu", |path, value| {
        let fits = value.as_u64().is_some_and(|mtu| (68..=65_535).contains(&mtu));
        is(path, value, fits, "it is no MTU", "write a number from 68 to 65535")
    }),
    ("routes", |path, value| {
        each(path, value, |path, value| {
            parts(path, value, &[("to", destination), ("via", address)])
        })
    }),
    ("vlan", |path, value| {
        parts(
            path,
            value,
            &[
                ("id", |path, value| {
                    let fits = value.as_u64().is_some_and(|id| (1..=4094).contains(&id));
                    is(path, value, fits, "it is no VLAN id", "write a number from 1 to 4094")
                }),
                ("parent", word),
            ],
        )
    }),
    ("bond", |path, value| {
        parts(
            path,
            value,
            &[
                ("mode", |path, value| {
                    if value.as_u64().is_some_and(|mode| mode <= 6) {
                        return Ok(());
                    }
                    one_of(
                        path,
                        value,
                        &[
                            "balance-rr",
                            "active-backup",
                            "balance-xor",
                            "broadcast",
                            "802.3ad",
                            "balance-tlb",
                            "balance-alb",
                        ],
                    )
                }),
                ("members", words),
                ("miimon", number),
            ],
        )
    }),
];

pub(super) fn network(path: &str, value: &Value) -> Checked {
    parts(
        path,
        value,
        &[("interfaces", |path, value| named(path, value, is_interface, INTERFACE))],
    )
}

pub(super) fn repos(path: &str, value: &Value) -> Checked {
    named(
        path,
        value,
        is_name,
        &[
            ("url", url),
            ("key_url", url),
            ("priority", number),
            ("components", |path, value| {
                if value.is_array() {
                    words(path, value)
                } else {
                    text(path, value)
                }
            }),
            ("suite", word),
        ],
    )
}

pub(super) fn scripts(path: &str, value: &Value) -> Checked {
    let snippets: fn(&str, &Value) -> Checked = |path, value| each(path, value, template);
    parts(
        path,
        value,
        &[("pre", snippets), ("post", snippets), ("first_boot", snippets)],
    )
}
