//! Where a snippet is looked for.

use crate::desired::Family;

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
