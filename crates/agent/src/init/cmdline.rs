//! What the kernel command line tells the collection image.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use muster_facts::MacAddr;

/// The boot token: proof towards the server that this boot was answered by it. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct BootToken(String);

impl BootToken {
    /// The token as it goes into the `Authorization` header.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BootToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootToken(hidden)")
    }
}

/// The options of this boot. An option that is absent or unreadable is `None`; why it was not
/// understood is in [`BootOptions::complaints`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootOptions {
    /// `muster.server=`: base URL without a final slash, such as `http://10.0.0.1:8081`.
    pub server: Option<String>,
    /// `muster.token=`: the token of this boot.
    pub token: Option<BootToken>,
    /// `BOOTIF=`: the interface the firmware booted from.
    pub boot_interface: Option<MacAddr>,
    /// Options that were given but could not be understood, in plain words.
    pub complaints: Vec<String>,
}

impl BootOptions {
    /// Reads `/proc/cmdline`. Of an option given twice the last one counts, as in the kernel.
    #[must_use]
    pub fn parse(cmdline: &str) -> Self {
        let mut options = Self::default();
        for word in words(cmdline) {
            let Some((key, value)) = word.split_once('=') else {
                continue;
            };
            match key {
                "muster.server" => match server(value) {
                    Ok(url) => options.server = Some(url),
                    Err(why) => options.complaints.push(why),
                },
                "muster.token" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic()) => {
                    options.token = Some(BootToken(value.to_owned()));
                }
                "muster.token" => options
                    .complaints
                    .push("muster.token is empty or holds characters no token has".to_owned()),
                "BOOTIF" => match boot_interface(value) {
                    Some(mac) => options.boot_interface = Some(mac),
                    None => options.complaints.push(format!(
                        "BOOTIF `{}` is no interface address; expected such as 01-52-54-00-77-00-01",
                        ascii(value)
                    )),
                },
                _ => {}
            }
        }
        options
    }
}

/// Splits at white space outside double quotes and takes the quotes off, as the kernel does.
fn words(cmdline: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in cmdline.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The base URL, without final slashes. The image resolves no names.
fn server(value: &str) -> Result<String, String> {
    let url = value.trim_end_matches('/');
    let place = url.strip_prefix("http://").unwrap_or_default();
    if place.parse::<SocketAddr>().is_ok() || place.parse::<IpAddr>().is_ok() {
        return Ok(url.to_owned());
    }
    Err(format!(
        "muster.server `{}` is not http:// with an IP address; expected such as http://10.0.0.1:8081",
        ascii(value)
    ))
}

/// pxelinux's form: hardware type, then the address; the type may be absent.
fn boot_interface(value: &str) -> Option<MacAddr> {
    let address = match value.split_once(['-', ':']) {
        Some((kind, rest)) if kind.len() == 2 && rest.len() == 17 => rest,
        _ => value,
    };
    address.parse::<MacAddr>().ok().filter(|mac| !mac.is_unusable())
}

fn ascii(value: &str) -> String {
    value.chars().take(60).filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac() -> MacAddr {
        "52:54:00:77:00:01".parse().unwrap()
    }

    #[test]
    fn reads_what_the_boot_script_writes() {
        let options = BootOptions::parse(
            "console=tty0 muster.server=http://10.77.0.1:8081/ muster.token=abc-_DEF= BOOTIF=01-52-54-00-77-00-01 console=ttyS0\n",
        );
        assert_eq!(options.server.as_deref(), Some("http://10.77.0.1:8081"));
        assert_eq!(options.token.as_ref().map(BootToken::reveal), Some("abc-_DEF="));
        assert_eq!(options.boot_interface, Some(mac()));
        assert!(options.complaints.is_empty());
    }

    #[test]
    fn bootif_is_read_in_every_usual_form() {
        for form in [
            "01-52-54-00-77-00-01",
            "01:52:54:00:77:00:01",
            "52-54-00-77-00-01",
            "52:54:00:77:00:01",
        ] {
            assert_eq!(
                BootOptions::parse(&format!("BOOTIF={form}")).boot_interface,
                Some(mac()),
                "{form}"
            );
        }
        assert_eq!(BootOptions::parse("BOOTIF=01-00-00-00-00-00-00").boot_interface, None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let options = BootOptions::parse("muster.server=https://10.0.0.1 BOOTIF=eth0 muster.token=");
        assert_eq!(options.server, None);
        assert_eq!(options.complaints.len(), 3);
        assert!(options.complaints[0].contains("https://10.0.0.1"));
        assert!(options.complaints[1].contains("eth0"));
    }

    #[test]
    fn quotes_hold_words_together_and_the_last_value_counts() {
        let options =
            BootOptions::parse(r#"dyndbg="file a +p" muster.server=http://10.0.0.1 muster.server="http://10.0.0.2""#);
        assert_eq!(options.server.as_deref(), Some("http://10.0.0.2"));
    }

    #[test]
    fn the_token_is_not_in_debug_output() {
        let shown = format!("{:?}", BootOptions::parse("muster.token=secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn nothing_given_is_nothing() {
        assert_eq!(BootOptions::parse(""), BootOptions::default());
    }
}
