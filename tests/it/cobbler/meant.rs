//! Where Muster means to differ from Cobbler 3.3.10. Each line is tried on both; docs/decisions/0008 has them in words.

use super::world::{Kind, On, Step};

/// What becomes of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// What is in force, as JSON.
    Is(&'static str),
    /// Nothing is.
    Absent,
    /// It is not taken, and this is in the answer.
    Refused(&'static str),
}

/// One difference.
#[derive(Debug)]
pub(super) struct Meant {
    /// In a few words.
    pub(super) what: &'static str,
    /// Why Muster does otherwise.
    pub(super) why: &'static str,
    /// The fields of a distro, of a profile on it, and of a host with that profile.
    distro: Fields,
    profile: Fields,
    host: Fields,
    /// A change of the object to look at, key by key.
    in_place: Fields,
    /// The object and the field to look at.
    pub(super) on: Kind,
    pub(super) key: &'static str,
    pub(super) cobbler: Outcome,
    pub(super) muster: Outcome,
}

type Fields = &'static [(&'static str, &'static str)];

const NOTHING: Meant = Meant {
    what: "",
    why: "",
    distro: &[],
    profile: &[],
    host: &[],
    in_place: &[],
    on: Kind::Host,
    key: "",
    cobbler: Absent,
    muster: Absent,
};

/// The site's defaults while these are tried.
pub(super) const DEFAULTS: &str = r#"{"owners": ["admin"], "name_servers": ["10.0.0.1"], "template": "kit/site.ks"}"#;

use Outcome::{Absent, Is, Refused};

/// All that are meant.
pub(super) const MEANT: &[Meant] = &[
    Meant {
        what: "default owners",
        why: "defaults are a layer like any other; Cobbler's hold only where the distro names nobody",
        distro: &[("owners", "anna")],
        key: "owners",
        cobbler: Is(r#"["anna"]"#),
        muster: Is(r#"["admin", "anna"]"#),
        ..NOTHING
    },
    Meant {
        what: "default name servers",
        why: "as default owners; Cobbler copies them into a profile when it is made",
        profile: &[("name_servers", "10.9.9.9")],
        key: "name_servers",
        cobbler: Is(r#"["10.9.9.9"]"#),
        muster: Is(r#"["10.0.0.1", "10.9.9.9"]"#),
        ..NOTHING
    },
    Meant {
        what: "an item twice in one text",
        why: "no list holds doubles; Cobbler drops them only where two layers meet",
        profile: &[("search_domains", "example.org example.org")],
        on: Kind::Profile,
        key: "search_domains",
        cobbler: Is(r#"["example.org", "example.org"]"#),
        muster: Is(r#"["example.org"]"#),
        ..NOTHING
    },
    Meant {
        what: "!item in a list",
        why: "it takes an item away as !key does in a map; in Cobbler nothing does",
        profile: &[("tags", "web db")],
        host: &[("tags", "!web")],
        key: "tags",
        cobbler: Is(r#"["web", "db", "!web"]"#),
        muster: Is(r#"["db"]"#),
        ..NOTHING
    },
    Meant {
        what: "an empty text for a scalar",
        why: "nothing takes this object's word back, in every field alike; <<none>> says that there is to be none",
        profile: &[("proxy", "http://proxy.example.org:3128")],
        host: &[("proxy", "")],
        key: "proxy",
        cobbler: Is(r#""""#),
        muster: Is(r#""http://proxy.example.org:3128""#),
        ..NOTHING
    },
    Meant {
        what: "<<none>>",
        why: "see the line above; to Cobbler it is a word like any other",
        profile: &[("proxy", "http://proxy.example.org:3128")],
        host: &[("proxy", "<<none>>")],
        key: "proxy",
        cobbler: Is(r#""<<none>>""#),
        muster: Absent,
        ..NOTHING
    },
    Meant {
        what: "delete for addresses",
        why: "delete is understood by every list and map",
        host: &[("name_servers", "delete")],
        key: "name_servers",
        cobbler: Refused("delete"),
        muster: Is(r#"["10.0.0.1"]"#),
        ..NOTHING
    },
    Meant {
        what: "a change in place where the object said nothing yet",
        why: "it is the first word; Cobbler fails on its own <<inherit>>",
        in_place: &[("kernel_options", "quiet")],
        key: "kernel_options",
        cobbler: Refused("TypeError"),
        muster: Is(r#"{"quiet": null}"#),
        ..NOTHING
    },
    Meant {
        what: "an empty text in place",
        why: "as everywhere it takes this object's word back; Cobbler changes nothing",
        profile: &[("kernel_options", "quiet")],
        host: &[("kernel_options", "console=tty0")],
        in_place: &[("kernel_options", "")],
        key: "kernel_options",
        cobbler: Is(r#"{"quiet": null, "console": "tty0"}"#),
        muster: Is(r#"{"quiet": null}"#),
        ..NOTHING
    },
    Meant {
        what: "repositories in place",
        why: "they are entries of the profile, changed key by key; in Cobbler a list of names",
        profile: &[("repos", "base site")],
        in_place: &[("repos", "site")],
        on: Kind::Profile,
        key: "repos",
        cobbler: Is(r#"["site"]"#),
        muster: Is(r#"{"base": {"url": "http://mirror.example.org/base", "priority": 10},
            "site": {"url": "http://mirror.example.org/site", "priority": 90}}"#),
        ..NOTHING
    },
    Meant {
        what: "~key of what is not there",
        why: "what is not there is gone already",
        host: &[("kernel_options", "quiet")],
        in_place: &[("kernel_options", "~splash")],
        key: "kernel_options",
        cobbler: Refused("KeyError"),
        muster: Is(r#"{"quiet": null}"#),
        ..NOTHING
    },
    Meant {
        what: "a host name on a profile",
        why: "every object takes every field, and it inherits; Cobbler drops the word without telling",
        profile: &[("hostname", "node.example.org")],
        key: "hostname",
        cobbler: Is(r#""""#),
        muster: Is(r#""node.example.org""#),
        ..NOTHING
    },
    Meant {
        what: "a document as text",
        why: "a text that begins with a brace is JSON; Cobbler parts it at its blanks",
        host: &[("vars", "{\"rack\": 7}")],
        key: "vars",
        cobbler: Is(r#"{"{rack:": null, "7}": null}"#),
        muster: Is(r#"{"rack": 7}"#),
        ..NOTHING
    },
    Meant {
        what: "an option without a name",
        why: "a slip of the hand is told; Cobbler drops it without telling",
        host: &[("kernel_options", "=1")],
        key: "kernel_options",
        cobbler: Is("{}"),
        muster: Refused("it is no name of an option"),
        ..NOTHING
    },
    Meant {
        what: "a quote in a kernel option",
        why: "no quoting brings it through a kernel line; Cobbler writes a line that ends elsewhere",
        host: &[("kernel_options", "motd=\"it's\"")],
        key: "kernel_options",
        cobbler: Is(r#"{"motd": "it's"}"#),
        muster: Refused("it is no option's value"),
        ..NOTHING
    },
    Meant {
        what: "a variable that no template can name",
        why: "it is told where it is entered",
        host: &[("vars", "a/b=1")],
        key: "vars",
        cobbler: Is(r#"{"a/b": "1"}"#),
        muster: Refused("it is no name of a variable"),
        ..NOTHING
    },
    Meant {
        what: "an owner of two words",
        why: "owners are names that people type as one word",
        host: &[("owners", "'Anna B'")],
        key: "owners",
        cobbler: Is(r#"["admin", "Anna B"]"#),
        muster: Refused("it is no single word"),
        ..NOTHING
    },
    Meant {
        what: "a host name that is none",
        why: "it is told where it is entered, not by the installer",
        host: &[("hostname", "web 1")],
        key: "hostname",
        cobbler: Is(r#""web 1""#),
        muster: Refused("it is no host name"),
        ..NOTHING
    },
    Meant {
        what: "a proxy that is no address",
        why: "as above",
        host: &[("proxy", "proxy")],
        key: "proxy",
        cobbler: Is(r#""proxy""#),
        muster: Refused("it is no URL"),
        ..NOTHING
    },
    Meant {
        what: "a bare option beside the same with a value",
        why: "the kernel line has the bare word; Cobbler writes Python's None",
        host: &[("kernel_options", "console console=tty0")],
        key: "kernel_line",
        cobbler: Is(r#""console=None console=tty0""#),
        muster: Is(r#""console console=tty0""#),
        ..NOTHING
    },
    Meant {
        what: "a bare option after a change in place",
        why: "what is not changed stays as it is; Cobbler writes what its XML-RPC shows for nothing",
        host: &[("kernel_options", "nomodeset console console=tty0")],
        in_place: &[("kernel_options", "quiet")],
        key: "kernel_options",
        cobbler: Is(r#"{"nomodeset": "~", "console": ["~", "tty0"], "quiet": null}"#),
        muster: Is(r#"{"nomodeset": null, "console": [null, "tty0"], "quiet": null}"#),
        ..NOTHING
    },
    Meant {
        what: "a list in place",
        why: "items are added and taken back one by one, as options are; Cobbler replaces the list",
        host: &[("tags", "anna ops")],
        in_place: &[("tags", "~ops dba")],
        key: "tags",
        cobbler: Is(r#"["~ops", "dba"]"#),
        muster: Is(r#"["anna", "dba"]"#),
        ..NOTHING
    },
    Meant {
        what: "a word in place where the object removes it",
        why: "what somebody adds is there; in Cobbler both stay, and the removal wins",
        host: &[("kernel_options", "!quiet a=1")],
        in_place: &[("kernel_options", "quiet=2")],
        key: "kernel_options",
        cobbler: Is(r#"{"a": "1"}"#),
        muster: Is(r#"{"a": "1", "quiet": "2"}"#),
        ..NOTHING
    },
];

impl Meant {
    /// What is entered, and the name of the object to look at.
    pub(super) fn steps(&self, place: usize) -> (Vec<Step>, String) {
        let name = |kind: Kind| format!("{}-{place}", kind.cobbler());
        let (distro, profile, host) = (name(Kind::Distro), name(Kind::Profile), name(Kind::Host));
        let mut steps = vec![
            Step::add(Kind::Distro, &distro, None, self.distro),
            Step::add(Kind::Profile, &profile, Some(On::Distro(distro.clone())), self.profile),
            Step::add(Kind::Host, &host, Some(On::Profile(profile.clone())), &[]),
        ];
        if !self.host.is_empty() {
            steps.push(Step::edit(Kind::Host, &host, false, self.host));
        }
        if !self.in_place.is_empty() {
            steps.push(Step::edit(self.on, &name(self.on), true, self.in_place));
        }
        (steps, name(self.on))
    }
}
