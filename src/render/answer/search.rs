//! Where a snippet is looked for.

use std::collections::HashMap;

use super::library::{BUILT_IN, SITE};
use crate::desired::Family;

/// Below it are the snippets.
pub(super) const FOLDER: &str = "snippets/";

/// The names by which snippets are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchNames {
    /// The host's name, when it has one.
    pub host: Option<String>,
    /// Its profiles, the nearest first.
    pub profiles: Vec<String>,
    /// The distro.
    pub distro: String,
    /// The installer's family.
    pub family: Family,
}

impl SearchNames {
    /// The places of snippet `name`, in the order they are looked at; each first with the site, then built in.
    pub(super) fn places(&self, name: &str) -> Vec<String> {
        let mut places = Vec::with_capacity(self.profiles.len() + 4);
        places.extend(self.host.iter().map(|host| format!("snippets/per_host/{name}/{host}")));
        places.extend(
            self.profiles
                .iter()
                .map(|profile| format!("snippets/per_profile/{name}/{profile}")),
        );
        if !self.distro.is_empty() {
            places.push(format!("snippets/per_distro/{name}/{}", self.distro));
        }
        places.push(format!("snippets/{}/{name}", self.family.as_str()));
        places.push(format!("snippets/{name}"));
        places
    }
}

/// Which snippets there are, so that a search asks a table instead of trying every place.
#[derive(Debug, Default)]
pub(super) struct SnippetIndex(HashMap<String, Variants>);

/// The full names of one snippet's texts, by whom they are for.
#[derive(Debug, Default)]
struct Variants {
    hosts: HashMap<String, String>,
    profiles: HashMap<String, String>,
    distros: HashMap<String, String>,
    families: HashMap<String, String>,
    shared: Option<String>,
}

impl SnippetIndex {
    /// The index of all templates, by full name.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut index = Self::default();
        for full in names {
            let inner = full.strip_prefix(SITE).or_else(|| full.strip_prefix(BUILT_IN));
            let Some(place) = inner.and_then(|inner| inner.strip_prefix(FOLDER)) else {
                continue;
            };
            let site = full.starts_with(SITE);
            let shared = &mut index.variants(place).shared;
            if site || shared.is_none() {
                *shared = Some(full.to_owned());
            }
            let Some((first, rest)) = place.split_once('/') else {
                continue;
            };
            let (name, whom) = match (first, rest.rsplit_once('/')) {
                ("per_host" | "per_profile" | "per_distro", Some(pair)) => pair,
                _ => (rest, first),
            };
            let variants = index.variants(name);
            let table = match first {
                "per_host" => &mut variants.hosts,
                "per_profile" => &mut variants.profiles,
                "per_distro" => &mut variants.distros,
                _ => &mut variants.families,
            };
            if site || !table.contains_key(whom) {
                table.insert(whom.to_owned(), full.to_owned());
            }
        }
        index
    }

    fn variants(&mut self, name: &str) -> &mut Variants {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The full name of the snippet that is nearest to what `search` is for: the first of [`SearchNames::places`] that is
    /// there.
    pub(super) fn find(&self, name: &str, search: &SearchNames) -> Option<&str> {
        let variants = self.0.get(name)?;
        let host = search.host.as_ref().and_then(|host| variants.hosts.get(host));
        host.or_else(|| search.profiles.iter().find_map(|name| variants.profiles.get(name)))
            .or_else(|| variants.distros.get(&search.distro))
            .or_else(|| variants.families.get(search.family.as_str()))
            .or(variants.shared.as_ref())
            .map(String::as_str)
    }
}

/// Whether `name` can be the name of a template: parts of letters, digits and `._-:+`, none of which begins with a
/// dot. Nothing else is ever looked up, so no name leads out of the library.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 512
        && name.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '+' | '@'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_first() {
        let names = SearchNames {
            host: Some("web1".into()),
            profiles: vec!["web".into(), "base".into()],
            distro: "rocky9".into(),
            family: Family::Redhat,
        };
        assert_eq!(
            names.places("network"),
            [
                "snippets/per_host/network/web1",
                "snippets/per_profile/network/web",
                "snippets/per_profile/network/base",
                "snippets/per_distro/network/rocky9",
                "snippets/redhat/network",
                "snippets/network",
            ]
        );
    }

    #[test]
    fn the_index_finds_the_first_place_that_is_there() {
        let all = [
            "site/snippets/per_host/motd/web1",
            "site/snippets/per_profile/motd/base",
            "built-in/snippets/per_profile/motd/base",
            "site/snippets/per_distro/motd/rocky9",
            "site/snippets/redhat/motd",
            "built-in/snippets/redhat/motd",
            "built-in/snippets/motd",
            "built-in/snippets/deep/motd",
            "site/snippets/per_host/deep/motd/web1",
            "site/redhat/motd",
        ];
        let names = SearchNames {
            host: Some("web1".into()),
            profiles: vec!["web".into(), "base".into()],
            distro: "rocky9".into(),
            family: Family::Redhat,
        };
        let mut left = all.to_vec();
        for name in ["motd", "deep/motd", "redhat/motd", "per_host/motd/web1", "missing"] {
            // Each place that is found is taken away, so that the next one has to be found.
            loop {
                let first = names
                    .places(name)
                    .into_iter()
                    .flat_map(|place| [format!("{SITE}{place}"), format!("{BUILT_IN}{place}")])
                    .find(|full| left.contains(&full.as_str()));
                let index = SnippetIndex::of(left.iter().copied());
                assert_eq!(index.find(name, &names), first.as_deref(), "{name}");
                let Some(first) = first else { break };
                left.retain(|full| *full != first);
            }
        }
        assert_eq!(left, ["site/redhat/motd"]);
    }

    #[test]
    fn names_stay_inside() {
        for good in [
            "a",
            "redhat/default.ks",
            "snippets/per_host/x/web1.example.com",
            "用户/数据",
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            ".hidden",
            "a/",
            "a b",
            "a\0",
            "a\\b",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
