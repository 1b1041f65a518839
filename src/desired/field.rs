//! The table of fields: what a `Values` document may hold, and how layers meet.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;

use super::{Fault, shape};

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
    /// What it is, for help texts.
    pub meaning: &'static str,
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
        meaning,
        check,
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
    row(
        "kernel_options",
        Map(1),
        "kernel options of the installer",
        shape::options,
    ),
    row(
        "kernel_options_post",
        Map(1),
        "kernel options of the installed system",
        shape::options,
    ),
    row("vars", Map(1), "own variables of templates", shape::vars),
    row("hostname", Scalar, "name of the host", shape::hostname),
    row("domain", Scalar, "DNS domain", shape::domain),
    row("timezone", Scalar, "time zone, e.g. Europe/Berlin", shape::timezone),
    row("locale", Scalar, "locale, e.g. en_US.UTF-8", shape::word),
    row("keyboard", Scalar, "keyboard layout, e.g. us", shape::word),
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
    row("users", Map(2), "users to make", shape::users),
    row("disk", Map(1), "the disk to install on", shape::disk),
    row(
        "keep_disks",
        List,
        "serials or WWNs of disks never touched",
        shape::word,
    ),
    row("partitioning", Map(1), "how the disk is divided", shape::partitioning),
    row("network", Map(3), "interfaces of the installed system", shape::network),
    row("name_servers", List, "addresses of DNS servers", shape::address),
    row("search_domains", List, "DNS search domains", shape::domain),
    row("ntp_servers", List, "time servers", shape::server),
    row("repos", Map(2), "package repositories", shape::repos),
    row("proxy", Scalar, "HTTP proxy of the installer", shape::url),
    row("packages", List, "packages to install", shape::word),
    row("package_groups", List, "package groups to install", shape::text),
    row("services_enabled", List, "services that start", shape::word),
    row("services_disabled", List, "services that do not start", shape::word),
    row("selinux", Scalar, "enforcing, permissive or disabled", shape::selinux),
    row("firewall", Scalar, "enabled or disabled", shape::firewall),
    row(
        "scripts",
        Map(1),
        "snippets to run: pre, post, first_boot",
        shape::scripts,
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

/// The field of this name.
#[must_use]
pub fn field(key: &str) -> Option<&'static Field> {
    static BY_KEY: LazyLock<HashMap<&str, &Field>> =
        LazyLock::new(|| FIELDS.iter().map(|field| (field.key, field)).collect());
    BY_KEY.get(key).copied()
}
