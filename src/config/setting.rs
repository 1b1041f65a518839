//! The types a setting can have: how each is read, and how each is written.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use axum::http::Uri;
use ipnet::Ipv4Net;
use muster_facts::MacAddr;

use super::node::{Node, Wrong, quoted};
use crate::{
    boot::{AfterFacts, MacPattern, UnknownBoots},
    ipam::{AddressRange, Mode},
};

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    /// What to write, in a few words, for the list of keys.
    const KIND: &'static str;

    fn read(node: &Node) -> Result<Self, Wrong>;

    /// The value in TOML's notation, secrets masked.
    fn show(&self) -> String;
}

/// A port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

/// Where the database is; its password is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// A file of SQLite.
    #[must_use]
    pub fn sqlite(path: &std::path::Path) -> Self {
        Self(format!("sqlite://{}", path.display()))
    }

    /// The whole URL, with the password: for the driver only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The URL with `***` in place of the password.
    #[must_use]
    pub fn masked(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return match self.0.split_once('@') {
                // Not a URL, yet perhaps a password.
                Some((_, place)) => format!("***@{place}"),
                None => self.0.clone(),
            };
        };
        let (base, query) = rest
            .split_once('?')
            .map_or((rest, None), |(base, query)| (base, Some(query)));
        let base = match base.rsplit_once('@') {
            Some((who, place)) => match who.split_once(':') {
                Some((user, _)) => format!("{user}:***@{place}"),
                None => base.to_owned(),
            },
            None => base.to_owned(),
        };
        let query = query.map(|query| {
            query
                .split('&')
                .map(|part| match part.split_once('=') {
                    Some((name, _)) if name.to_lowercase().contains("password") => format!("{name}=***"),
                    _ => part.to_owned(),
                })
                .collect::<Vec<_>>()
                .join("&")
        });
        query.map_or_else(
            || format!("{scheme}://{base}"),
            |query| format!("{scheme}://{base}?{query}"),
        )
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

/// `http://HOST[:PORT]`, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(pub String);

/// What is logged, in the notation of `tracing`: `info`, `info,muster::net=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(pub String);

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Setting for String {
    const KIND: &'static str = "text";

    fn read(node: &Node) -> Result<Self, Wrong> {
        node.text().map(ToOwned::to_owned)
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Setting for PathBuf {
    const KIND: &'static str = "path";

    fn read(node: &Node) -> Result<Self, Wrong> {
        match node.text()? {
            "" => Err(node.wrong("expected a path")),
            text => Ok(Self::from(text)),
        }
    }

    fn show(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(node: &Node) -> Result<Self, Wrong> {
        node.flag()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for Port {
    const KIND: &'static str = "port";

    fn read(node: &Node) -> Result<Self, Wrong> {
        match u16::try_from(node.integer()?) {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(node.wrong("expected a port from 1 to 65535")),
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Setting for SocketAddr {
    const KIND: &'static str = "address:port";

    fn read(node: &Node) -> Result<Self, Wrong> {
        const EXPECTED: &str = "expected an address and a port in quotes, such as \"0.0.0.0:8080\" or \"[::]:8080\"";
        let text = node.text().map_err(|_| node.wrong(EXPECTED))?;
        text.parse().map_err(|_| node.wrong(EXPECTED))
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for Ipv4Addr {
    const KIND: &'static str = "IPv4 address";

    fn read(node: &Node) -> Result<Self, Wrong> {
        node.text()?
            .parse()
            .map_err(|_| node.wrong("expected an IPv4 address, such as 10.77.0.1"))
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for IpAddr {
    const KIND: &'static str = "IP address";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let address: Self = node
            .text()?
            .parse()
            .map_err(|_| node.wrong("expected an IP address, such as 10.77.0.1 or 2001:db8::1"))?;
        Ok(address.to_canonical())
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for Ipv4Net {
    const KIND: &'static str = "network/prefix";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let network: Self = node
            .text()?
            .parse()
            .map_err(|_| node.wrong("expected a network and its prefix length, such as 10.77.0.0/24"))?;
        if network != network.trunc() {
            return Err(node.wrong(format!("this is an address in a network; write {}", network.trunc())));
        }
        if network.prefix_len() > 30 || network.prefix_len() < 8 {
            return Err(node.wrong("expected a prefix length from 8 to 30"));
        }
        Ok(network)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for AddressRange {
    const KIND: &'static str = "first-last";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let refused = || node.wrong("expected a first and a last address, such as 10.77.0.100-10.77.0.200");
        let (first, last) = node.text()?.split_once('-').ok_or_else(refused)?;
        let range = Self {
            first: first.trim().parse().map_err(|_| refused())?,
            last: last.trim().parse().map_err(|_| refused())?,
        };
        if range.first > range.last {
            return Err(node.wrong("the first address comes after the last"));
        }
        Ok(range)
    }

    fn show(&self) -> String {
        quoted(&format!("{}-{}", self.first, self.last))
    }
}

impl Setting for MacAddr {
    const KIND: &'static str = "MAC address";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let mac: Self = node
            .text()?
            .parse()
            .map_err(|_| node.wrong("expected a MAC address, such as 52:54:00:77:00:01"))?;
        if mac.is_unusable() {
            return Err(node.wrong("this address names no single interface"));
        }
        Ok(mac)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for MacPattern {
    const KIND: &'static str = "MAC address or its beginning and *";

    fn read(node: &Node) -> Result<Self, Wrong> {
        node.text()?
            .parse()
            .map_err(|_| node.wrong("expected a MAC address, or its beginning and `*`, such as 52:54:00:aa:*"))
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for Duration {
    const KIND: &'static str = "duration";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let refused =
            || node.wrong("expected a length of time with its unit, such as \"90s\", \"30m\", \"1h30m\", \"7d\"");
        let text = node.text().map_err(|_| refused())?;
        let mut total: u64 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
            let (number, after) = rest.split_at(digits);
            let unit = after.chars().next().ok_or_else(refused)?;
            let seconds = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return Err(refused()),
            };
            let number: u64 = number.parse().map_err(|_| refused())?;
            total = number
                .checked_mul(seconds)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(refused)?;
            rest = after.get(1..).unwrap_or_default().trim_start();
        }
        if total == 0 || total > u64::from(u32::MAX) {
            return Err(refused());
        }
        Ok(Self::from_secs(total))
    }

    fn show(&self) -> String {
        let mut rest = self.as_secs();
        let mut text = String::new();
        for (unit, seconds) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= seconds {
                text.push_str(&format!("{}{unit}", rest / seconds));
                rest %= seconds;
            }
        }
        quoted(&text)
    }
}

impl Setting for DatabaseUrl {
    const KIND: &'static str = "database URL";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let text = node.text()?;
        let known = ["sqlite:", "postgres://", "postgresql://"];
        if known
            .iter()
            .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        {
            return Ok(Self(text.to_owned()));
        }
        let mut wrong = node.wrong("expected sqlite:///PATH or postgres://USER:PASSWORD@HOST/DATABASE");
        wrong.found = quoted(&Self(text.to_owned()).masked());
        Err(wrong)
    }

    fn show(&self) -> String {
        quoted(&self.masked())
    }
}

/// A text that is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST or http://HOST:PORT, without a path")]
pub struct NoHttpUrl;

impl FromStr for HttpUrl {
    type Err = NoHttpUrl;

    fn from_str(text: &str) -> Result<Self, NoHttpUrl> {
        let uri: Uri = text.parse().map_err(|_| NoHttpUrl)?;
        let (Some(scheme @ ("http" | "https")), Some(authority), "" | "/", None) =
            (uri.scheme_str(), uri.authority(), uri.path(), uri.query())
        else {
            return Err(NoHttpUrl);
        };
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(NoHttpUrl);
        }
        Ok(Self(format!("{scheme}://{authority}")))
    }
}

impl Setting for HttpUrl {
    const KIND: &'static str = "http://HOST:PORT";

    fn read(node: &Node) -> Result<Self, Wrong> {
        node.text()?
            .parse()
            .map_err(|why: NoHttpUrl| node.wrong(why.to_string()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

impl Setting for LogFilter {
    const KIND: &'static str = "log filter";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let text = node.text()?;
        tracing_subscriber::EnvFilter::builder().parse(text).map_err(|_| {
            node.wrong("expected a level (error, warn, info, debug, trace) or `info,muster::net=debug`")
        })?;
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// Absent until it is set; an empty variable or text unsets it.
impl<T: Setting> Setting for Option<T> {
    const KIND: &'static str = T::KIND;

    fn read(node: &Node) -> Result<Self, Wrong> {
        if node.text().is_ok_and(str::is_empty) {
            return Ok(None);
        }
        T::read(node).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), T::show)
    }
}

/// A list setting of one simple type.
macro_rules! lists {
    ($($item:ty = $kind:literal),* $(,)?) => {$(
        impl Setting for Vec<$item> {
            const KIND: &'static str = $kind;

            fn read(node: &Node) -> Result<Self, Wrong> {
                node.list()?.iter().map(Setting::read).collect()
            }

            fn show(&self) -> String {
                format!("[{}]", self.iter().map(Setting::show).collect::<Vec<_>>().join(", "))
            }
        }
    )*};
}

lists! {
    String = "list of texts",
    PathBuf = "list of paths",
    IpAddr = "list of IP addresses",
    Ipv4Addr = "list of IPv4 addresses",
    AddressRange = "list of first-last",
    MacPattern = "list of MAC addresses or their beginnings and *",
}

/// A setting that is one of a few words.
macro_rules! words {
    ($($name:ident: $kind:literal { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl Setting for $name {
            const KIND: &'static str = $kind;

            fn read(node: &Node) -> Result<Self, Wrong> {
                const WORDS: &[&str] = &[$($word),*];
                match node.text()? {
                    $($word => Ok(Self::$variant),)*
                    other => Err(one_of(node, other, WORDS)),
                }
            }

            fn show(&self) -> String {
                quoted(match self { $(Self::$variant => $word),* })
            }
        }
    )*};
}

words! {
    UnknownBoots: "collect or local" { Collect = "collect", Local = "local" }
    AfterFacts: "wait, reboot or poweroff" { Wait = "wait", Reboot = "reboot", PowerOff = "poweroff" }
    LogFormat: "text or json" { Text = "text", Json = "json" }
}

impl Setting for Mode {
    const KIND: &'static str = "observe, proxy, reserved or pool";

    fn read(node: &Node) -> Result<Self, Wrong> {
        let text = node.text()?;
        text.parse()
            .map_err(|_| one_of(node, text, &["observe", "proxy", "reserved", "pool"]))
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

fn one_of(node: &Node, found: &str, words: &[&str]) -> Wrong {
    let hint = super::problem::nearest(found, words.iter().copied())
        .map(|word| format!("; did you mean \"{word}\"?"))
        .unwrap_or_default();
    node.wrong(format!("expected one of \"{}\"{hint}", words.join("\", \"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, node::Content};

    fn read<T: Setting>(text: &str) -> Result<T, String> {
        T::read(&Node {
            origin: Origin::Default,
            content: Content::Plain(text.to_owned()),
        })
        .map_err(|wrong| wrong.why)
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("1h30m", 5400),
            ("1d 2h", 93_600),
            ("1w", 604_800),
        ] {
            assert_eq!(read::<Duration>(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "90", "1x", "h", "-1h", "99999999999999999999s", "1ä"] {
            assert!(read::<Duration>(text).is_err(), "{text}");
        }
        assert_eq!(Duration::from_secs(93_661).show(), "\"1d2h1m1s\"");
    }

    #[test]
    fn passwords_are_masked() {
        for (url, shown) in [
            (
                "postgres://anna:s3cret@db.lab/muster",
                "postgres://anna:***@db.lab/muster",
            ),
            (
                "postgres://anna:a@b:c@db.lab/muster",
                "postgres://anna:***@db.lab/muster",
            ),
            (
                "postgres://db.lab/muster?user=a&password=s3cret",
                "postgres://db.lab/muster?user=a&password=***",
            ),
            ("postgres://anna@db.lab/muster", "postgres://anna@db.lab/muster"),
            (
                "sqlite:///var/lib/muster/muster.db",
                "sqlite:///var/lib/muster/muster.db",
            ),
        ] {
            assert_eq!(DatabaseUrl(url.to_owned()).masked(), shown);
        }
        assert!(!format!("{:?}", DatabaseUrl("postgres://a:s3cret@h/d".to_owned())).contains("s3cret"));
    }

    #[test]
    fn networks_ranges_and_patterns() {
        assert_eq!(
            read::<Ipv4Net>("10.77.0.5/24"),
            Err("this is an address in a network; write 10.77.0.0/24".to_owned())
        );
        assert!(read::<Ipv4Net>("10.77.0.0").is_err());
        assert!(read::<AddressRange>("10.0.0.9-10.0.0.1").is_err());
        assert_eq!(read::<MacPattern>("52-54-00-AA-*").unwrap().show(), "\"52:54:00:aa:*\"");
        assert!(read::<MacPattern>("52:54:00:aa").is_err());
        assert!(read::<MacPattern>("52:54:00:aa:01:02:*").is_err());
        assert!(read::<MacPattern>("*").is_err());
        assert!(read::<MacPattern>("52:54:00:aa:01:02").is_ok());
    }

    #[test]
    fn urls_are_of_a_server() {
        assert_eq!(
            read::<HttpUrl>("http://10.0.0.1:8081/"),
            Ok(HttpUrl("http://10.0.0.1:8081".to_owned()))
        );
        for text in ["10.0.0.1", "ftp://a", "http://a/b", "http://u:p@a", "http://a?b"] {
            assert!(read::<HttpUrl>(text).is_err(), "{text}");
        }
    }
}
