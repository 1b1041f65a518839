//! The table of fields.

use super::expression::{AmountField, LabelField, PartField, TextField, TimeField};

/// What a field is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A text, as a whole.
    Word,
    /// A text that `:` finds anywhere in it, and `=` as a whole.
    Phrase,
    /// A size in bytes with units.
    Size,
    /// A number.
    Count,
    /// A date, or an age such as `10m`.
    Time,
    /// A state of a host.
    State,
    /// A host's id.
    Id,
    /// An address or a network.
    Address,
    /// A MAC address.
    Mac,
    /// A word of a list.
    Feature,
}

/// What of a host a field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Text(TextField),
    Amount(AmountField),
    Time(TimeField),
    State,
    Id,
    Address,
    Mac,
    Profile,
    Distro,
    Tag,
    Owner,
    Place,
    Site,
    Role,
    /// Followed by the variable's own name.
    Var,
    Part(PartField),
    Has,
}

impl Names {
    /// The label that is named; `name` is that of a variable.
    pub(super) fn label(self, name: &str) -> Option<LabelField> {
        Some(match self {
            Self::Profile => LabelField::Profile,
            Self::Distro => LabelField::Distro,
            Self::Tag => LabelField::Tag,
            Self::Owner => LabelField::Owner,
            Self::Place => LabelField::Place,
            Self::Site => LabelField::Site,
            Self::Role => LabelField::Role,
            Self::Var => LabelField::Var(name.to_owned()),
            _ => return None,
        })
    }
}

/// One field of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchField {
    /// Its name; one that ends with a dot is followed by a name of the user's own.
    pub name: &'static str,
    /// Other names of it.
    pub also: &'static [&'static str],
    /// What it is compared with.
    pub takes: Takes,
    /// What it is, for help texts.
    pub meaning: &'static str,
    /// How it is written.
    pub example: &'static str,
    pub(super) names: Names,
}

const fn row(
    name: &'static str,
    also: &'static [&'static str],
    takes: Takes,
    names: Names,
    meaning: &'static str,
    example: &'static str,
) -> SearchField {
    SearchField {
        name,
        also,
        takes,
        meaning,
        example,
        names,
    }
}

use Names as N;
use Takes::{Address, Count, Feature, Id, Mac, Phrase, Size, State, Time, Word};

/// Every field, in the order people read them.
pub const SEARCH_FIELDS: &[SearchField] = &[
    row("name", &[], Word, N::Text(TextField::Name), "desired name", "name:web*"),
    row("state", &[], State, N::State, "where it is in its life", "state:active"),
    row(
        "vendor",
        &["maker"],
        Phrase,
        N::Text(TextField::Vendor),
        "maker",
        "vendor:dell",
    ),
    row(
        "product",
        &["model"],
        Phrase,
        N::Text(TextField::Product),
        "product",
        "product:r640",
    ),
    row(
        "serial",
        &[],
        Word,
        N::Text(TextField::Serial),
        "serial of the machine",
        "serial:7CX1A2B",
    ),
    row(
        "uuid",
        &[],
        Word,
        N::Text(TextField::Uuid),
        "system UUID",
        "uuid:4c4c4544-*",
    ),
    row("cpu", &[], Phrase, N::Text(TextField::Cpu), "processor", "cpu:epyc"),
    row(
        "cores",
        &[],
        Count,
        N::Amount(AmountField::Cores),
        "physical cores",
        "cores>=32",
    ),
    row(
        "mem",
        &["memory", "ram"],
        Size,
        N::Amount(AmountField::Memory),
        "installed memory, in GiB",
        "mem>=256",
    ),
    row(
        "disk",
        &[],
        Size,
        N::Amount(AmountField::Disk),
        "sum of its disks, in GB",
        "disk>1.9T",
    ),
    row(
        "disks",
        &[],
        Count,
        N::Amount(AmountField::Disks),
        "number of disks",
        "disks:0",
    ),
    row(
        "nics",
        &[],
        Count,
        N::Amount(AmountField::Nics),
        "number of interfaces",
        "nics>2",
    ),
    row(
        "gpu",
        &[],
        Phrase,
        N::Part(PartField::Gpu),
        "PCI id of a graphics or compute card",
        "gpu:10de",
    ),
    row(
        "part",
        &[],
        Word,
        N::Part(PartField::Serial),
        "serial of a disk, module, processor or card",
        "part:S4EV*",
    ),
    row(
        "arch",
        &["architecture"],
        Word,
        N::Text(TextField::Architecture),
        "architecture",
        "arch:aarch64",
    ),
    row(
        "firmware",
        &["boot_mode"],
        Word,
        N::Text(TextField::Firmware),
        "bios or uefi",
        "firmware:uefi",
    ),
    row(
        "os",
        &[],
        Word,
        N::Text(TextField::Os),
        "installed system, as it says itself",
        "os:debian",
    ),
    row(
        "os_version",
        &[],
        Word,
        N::Text(TextField::OsVersion),
        "its version",
        "os_version:12*",
    ),
    row(
        "ip",
        &["address"],
        Address,
        N::Address,
        "the address it used last",
        "ip:10.0.0.0/24",
    ),
    row("mac", &[], Mac, N::Mac, "MAC of an interface", "mac:52:54:00:*"),
    row(
        "switch",
        &[],
        Phrase,
        N::Part(PartField::Switch),
        "switch and port an interface is wired to",
        "switch:leaf-12",
    ),
    row(
        "profile",
        &[],
        Word,
        N::Profile,
        "profile, or one that it stands on",
        "profile:web",
    ),
    row(
        "distro",
        &[],
        Word,
        N::Distro,
        "what its profile installs",
        "distro:debian13",
    ),
    row(
        "role",
        &[],
        Word,
        N::Role,
        "template variable role, or a tag role=…",
        "role:web",
    ),
    row("tag", &["tags"], Word, N::Tag, "one of its tags", "tag:canary"),
    row("owner", &["owners"], Word, N::Owner, "one of its owners", "owner:anna"),
    row("place", &[], Word, N::Place, "where it stands", "place:bj1/r07/*"),
    row("site", &[], Word, N::Site, "the first part of its place", "site:bj1"),
    row(
        "var.",
        &["vars."],
        Word,
        N::Var,
        "a template variable in force",
        "var.tier:gold",
    ),
    row("seen", &[], Time, N::Time(TimeField::Seen), "last heard of", "seen<10m"),
    row(
        "reported",
        &[],
        Time,
        N::Time(TimeField::Reported),
        "last report of its facts",
        "reported>7d",
    ),
    row(
        "booted",
        &[],
        Time,
        N::Time(TimeField::Booted),
        "last boot from the network",
        "booted>=2026-11-01T08:00",
    ),
    row(
        "created",
        &[],
        Time,
        N::Time(TimeField::Created),
        "when it became known",
        "created>2026-11-01",
    ),
    row(
        "boot",
        &[],
        Word,
        N::Text(TextField::Boot),
        "what its last boot came to",
        "boot:reported",
    ),
    row(
        "has",
        &[],
        Feature,
        N::Has,
        "gpu, disk, name, profile, address, report, agent or trouble",
        "has:gpu",
    ),
    row(
        "id",
        &[],
        Id,
        N::Id,
        "its id in the ledger",
        "id:01890a5d-ac96-774b-bcce-b302099a8057",
    ),
];

/// The field that a name names, with what follows it when that is the user's own.
pub(super) fn named(name: &str) -> Option<(&'static SearchField, &str)> {
    SEARCH_FIELDS.iter().find_map(|field| {
        std::iter::once(&field.name)
            .chain(field.also)
            .find_map(|known| match known.strip_suffix('.') {
                Some(_) => name.strip_prefix(known).filter(|rest| !rest.is_empty()),
                None => (known.eq_ignore_ascii_case(name)).then_some(""),
            })
            .map(|rest| (field, rest))
    })
}

/// Whether the language has a field of this name.
#[must_use]
pub fn is_field(name: &str) -> bool {
    named(name).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::search::parse;

    #[test]
    fn every_example_is_well_formed_and_every_name_is_one_fields() {
        let mut names = BTreeSet::new();
        for field in SEARCH_FIELDS {
            parse(field.example).unwrap();
            assert!(field.example.starts_with(field.name), "{}", field.name);
            for name in std::iter::once(&field.name).chain(field.also) {
                assert!(names.insert(*name), "{name}");
            }
        }
    }
}
