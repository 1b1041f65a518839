//! The table of fields: what a `Values` document may hold, and how layers meet.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;

use super::{
    Fault, Part,
    parts::{self, DISK, INTERFACE, PARTITIONING, REPOS, SCRIPTS, USERS},
    shape,
};

/// How two layers of a field meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// The lower layer overrides.
    Scalar,
    /// Interleaved key by key, this many levels deep.
    Map(u8),
    /// Extended, the upper layer first, without doubles.
    List,
}

/// One field of a `Values` document.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// How layers meet.
    pub kind: FieldKind,
    /// True when its whole value is never shown.
    pub secret: bool,
    /// False when it says something of its own layer only.
    pub inherited: bool,
    /// True when the order of a map's entries means something: it is kept from the command line to the machine.
    pub ordered: bool,
    /// What it is, for help texts.
    pub meaning: &'static str,
    /// The parts that it, or each entry of it, is made of; none where anything may stand.
    pub parts: &'static [Part],
    /// What names its entries, where these have names of their own: `anna.shell=/bin/zsh`.
    pub entries: Option<&'static str>,
    /// How it is typed.
    pub example: Option<&'static str>,
    pub(super) check: fn(&str, &Value) -> Result<(), Fault>,
}

const fn row(
    key: &'static str,
    kind: FieldKind,
    meaning: &'static str,
    check: fn(&str, &Value) -> Result<(), Fault>,
) -> Field {
    Field {
        key,
        kind,
        secret: false,
        inherited: true,
        ordered: false,
        meaning,
        parts: &[],
        entries: None,
        example: None,
        check,
    }
}

/// A map whose parts are known; `entries` names what has names of its own.
const fn parted(field: Field, entries: Option<&'static str>, parts: &'static [Part], example: &'static str) -> Field {
    Field {
        parts,
        entries,
        example: Some(example),
        ..field
    }
}

use FieldKind::{List, Map, Scalar};

/// Every field, in the order people read them.
pub const FIELDS: &[Field] = &[
    row(
        "template",
        Scalar,
        "answer file template, e.g. redhat/default.ks",
        shape::template,
    ),
    Field {
        ordered: true,
        ..row(
            "kernel_options",
            Map(1),
            "kernel options of the installer",
            shape::installer_options,
        )
    },
    Field {
        ordered: true,
        ..row(
            "kernel_options_post",
            Map(1),
            "kernel options of the installed system",
            shape::options,
        )
    },
    row("vars", Map(1), "own variables of templates", shape::vars),
    row("hostname", Scalar, "name of the host", shape::hostname),
    row("domain", Scalar, "DNS domain", shape::domain),
    row("timezone", Scalar, "time zone, e.g. Europe/Berlin", shape::timezone),
    row("locale", Scalar, "locale, e.g. en_US.UTF-8", shape::locale),
    row("keyboard", Scalar, "keyboard layout, e.g. us", shape::keyboard),
    Field {
        secret: true,
        ..row(
            "root_password_hash",
            Scalar,
            "crypt(3) hash of root's password",
            shape::password_hash,
        )
    },
    row("ssh_keys", List, "public keys that log in as root", shape::ssh_key),
    parted(
        row("users", Map(2), "users to make", parts::users),
        Some("USER"),
        USERS,
        "anna.groups=wheel,adm anna.sudo anna.shell=/bin/zsh",
    ),
    parted(
        row("disk", Map(1), "the disk to install on", parts::disk),
        None,
        DISK,
        "rule=smallest_ssd",
    ),
    row(
        "keep_disks",
        List,
        "serials or WWNs of disks never touched",
        shape::word,
    ),
    parted(
        row("partitioning", Map(1), "how the disk is divided", parts::partitioning),
        None,
        PARTITIONING,
        r#"scheme=lvm filesystem=xfs swap_mib=4096 extra=[{"mount": "/var", "size_mib": 20480}]"#,
    ),
    parted(
        row("network", Map(3), "interfaces of the installed system", parts::network),
        Some("INTERFACE"),
        INTERFACE,
        r#"eth0.mac=52:54:00:77:00:01 eth0.addresses=10.0.0.5/24 eth0.gateway=10.0.0.1 eth0.routes=[{"to": "10.9.0.0/16", "via": "10.0.0.254"}]"#,
    ),
    row("name_servers", List, "addresses of DNS servers", shape::address),
    row("search_domains", List, "DNS search domains", shape::domain),
    row("ntp_servers", List, "time servers", shape::server),
    parted(
        row("repos", Map(2), "package repositories", parts::repos),
        Some("REPO"),
        REPOS,
        "epel.url=http://mirror.example.org/epel/9 epel.priority=50",
    ),
    row("proxy", Scalar, "HTTP proxy of the installer", shape::url),
    row("packages", List, "packages to install", shape::package),
    row("package_groups", List, "package groups to install", shape::text),
    row("services_enabled", List, "services that start", shape::word),
    row("services_disabled", List, "services that do not start", shape::word),
    row("selinux", Scalar, "enforcing, permissive or disabled", shape::selinux),
    row("firewall", Scalar, "enabled or disabled", shape::firewall),
    parted(
        row(
            "scripts",
            Map(1),
            "snippets to run: pre, post, first_boot",
            parts::scripts,
        ),
        None,
        SCRIPTS,
        "post=motd,monitoring",
    ),
    row("install_agent", Scalar, "install muster-agent", shape::flag),
    row(
        "install_once",
        Scalar,
        "boot from disk after an installation",
        shape::flag,
    ),
    row(
        "place",
        Scalar,
        "where it stands: site/rack/unit, e.g. bj1/r07/u12",
        shape::word,
    ),
    row(
        "loader",
        Scalar,
        "what its firmware is given: ipxe, grub or shim",
        shape::loader,
    ),
    row("owners", List, "who answers for it", shape::word),
    row("tags", List, "words to find it by", shape::word),
    Field {
        inherited: false,
        ..row("comment", Scalar, "a remark", shape::text)
    },
];

/// Whether two values of a field mean the same.
#[must_use]
pub fn same(key: &str, one: Option<&Value>, other: Option<&Value>) -> bool {
    let in_order = || {
        let names = |value: Option<&'_ Value>| -> Vec<String> {
            let map = value.and_then(Value::as_object);
            map.into_iter().flat_map(|map| map.keys().cloned()).collect()
        };
        names(one) == names(other)
    };
    one == other && (!field(key).is_some_and(|field| field.ordered) || in_order())
}

/// The field of this name.
#[must_use]
pub fn field(key: &str) -> Option<&'static Field> {
    static BY_KEY: LazyLock<HashMap<&str, &Field>> =
        LazyLock::new(|| FIELDS.iter().map(|field| (field.key, field)).collect());
    BY_KEY.get(key).copied()
}
