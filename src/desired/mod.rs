//! What people want of hosts: distros, profiles, plans, and the values that inherit through them. Pure.
//!
//! Values flow settings → distro → profile(s) → rules → host. How two layers meet is said by the kind of a field
//! ([`FieldKind`]); [`blend`] keeps the layer of every value beside it.

mod blend;
mod draft;
mod fault;
mod field;
mod find;
mod host_name;
mod labels;
mod objects;
mod parts;
pub mod recognise;
pub mod rules;
mod shape;
mod standing;
mod text;
mod values;

pub use blend::{Effective, LayerName, blend};
pub use draft::Draft;
pub use fault::Fault;
pub use field::{FIELDS, Field, FieldKind, field, same};
pub use find::Condition;
pub use host_name::check_host_name;
pub use labels::{Label, LabelKind, labels_of, own_labels, site_of};
pub use objects::{
    AboveHosts, Distro, Family, HostPlan, Lineage, MAX_NESTING, Objects, Parent, Profile, Tree, check_name,
};
pub use parts::{Part, PartKind};
pub use shape::GIVEN_NAMES;
pub use standing::{check_network, check_standing};
pub use text::{kernel_line, options, split_words};
pub use values::{INHERIT, NONE, SET, Values, is_secret};

/// The known word nearest to `word`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(word, name), name))
        .filter(|(far, name)| *far <= name.chars().count().max(3) / 3)
        .min()
        .map(|(_, name)| name)
}

fn distance(left: &str, right: &str) -> usize {
    strsim::damerau_levenshtein(&left.replace('-', "_"), &right.replace('-', "_"))
}
