//! Distros, profiles, plans, and the way from one to the other.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Effective, Fault, LayerName, Values, blend,
    blend::blend_below,
    nearest,
    recognise::Arch,
    rules::{GivenLayer, Giver},
};
use crate::inventory::{HostId, UnknownWord};

/// Profiles above each other at most.
pub const MAX_NESTING: usize = 16;

/// Checks the name of a distro, profile or rule: what Cobbler's users may write, at most 128 letters. Names are also
/// names of folders, so none begins with a dot.
///
/// # Errors
/// [`Fault`] on `name`.
pub fn check_name(name: &str) -> Result<(), Fault> {
    let fits = (1..=128).contains(&name.len())
        && !name.starts_with('.')
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-.:".contains(letter));
    if fits {
        Ok(())
    } else {
        Err(Fault::new(
            "name",
            name,
            "the name cannot be used",
            "write 1 to 128 letters, digits, `_`, `-`, `.` and `:`, and no `.` first",
        ))
    }
}

/// Whose installer a distro has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Anaconda, kickstart.
    Redhat,
    /// debian-installer, preseed.
    Debian,
    /// Subiquity, autoinstall.
    Ubuntu,
    /// `YaST`, `AutoYaST`.
    Suse,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Redhat, Self::Debian, Self::Ubuntu, Self::Suse];

    /// The word used in tables and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redhat => "redhat",
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
            Self::Suse => "suse",
        }
    }

    /// The answer file template when nobody names one.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            Self::Redhat => "redhat/default.ks",
            Self::Debian => "debian/default.preseed",
            Self::Ubuntu => "ubuntu/user-data",
            Self::Suse => "suse/default.xml",
        }
    }
}

impl FromStr for Family {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|family| family.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "family",
                word: text.to_owned(),
            })
    }
}

/// Where the installer's tree is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// A folder of this server, which serves it.
    Path(String),
    /// An address that serves it.
    Url(String),
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(text) | Self::Url(text) => f.write_str(text),
        }
    }
}

/// One system that can be installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distro {
    /// Its name, unique among distros.
    pub name: String,
    /// Whose installer it has.
    pub family: Family,
    /// `rocky`, `debian`, …
    pub id: String,
    /// `9.4`.
    pub version: String,
    /// `bookworm`, where it has one.
    pub codename: Option<String>,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// The tree.
    pub tree: Tree,
    /// Below the tree.
    pub kernel: String,
    /// Below the tree.
    pub initrd: String,
    /// Its layer of values.
    pub values: Values,
}

impl Distro {
    /// The version before the first dot.
    #[must_use]
    pub fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }

    /// Checks what people write beside the values.
    ///
    /// # Errors
    /// [`Fault`] naming the field.
    pub fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        for (field, path) in [("kernel", &self.kernel), ("initrd", &self.initrd)] {
            let below = !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..");
            if !below || path.contains(char::is_whitespace) {
                return Err(Fault::new(
                    field,
                    path,
                    "it is no path below the tree",
                    "write one such as images/pxeboot/vmlinuz",
                ));
            }
        }
        if Arch::ALL.iter().all(|arch| arch.as_str() != self.arch) {
            let advice = match self.arch.parse::<Arch>() {
                Ok(arch) => format!("write {arch}"),
                Err(_) => "write x86_64 or aarch64".to_owned(),
            };
            return Err(Fault::new(
                "arch",
                &self.arch,
                "Muster installs no such processor",
                advice,
            ));
        }
        let fits = match &self.tree {
            Tree::Path(path) => path.starts_with('/'),
            Tree::Url(url) => url.contains("://") && !url.contains(char::is_whitespace),
        };
        if !fits {
            return Err(Fault::new(
                "tree",
                &self.tree.to_string(),
                "it is neither an absolute path nor a URL",
                "write one such as /srv/rocky9 or http://mirror/rocky9",
            ));
        }
        Ok(())
    }
}

/// What a profile stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parent {
    /// A distro.
    Distro(String),
    /// Another profile.
    Profile(String),
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distro(name) => write!(f, "distro {name}"),
            Self::Profile(name) => write!(f, "profile {name}"),
        }
    }
}

/// A purpose that hosts are installed for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name, unique among profiles.
    pub name: String,
    /// What it stands on.
    pub parent: Parent,
    /// Its layer of values.
    pub values: Values,
}

/// What is wanted of one host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostPlan {
    /// Which.
    pub host: HostId,
    /// What it is installed for.
    pub profile: Option<String>,
    /// Who gave it the profile, or took it away; none when nobody has decided.
    pub profile_by: Option<Giver>,
    /// What rules gave it, a layer for each; below its own.
    pub given: Vec<GivenLayer>,
    /// Its own layer of values.
    pub values: Values,
}

impl HostPlan {
    /// A host of which nothing is wanted yet.
    #[must_use]
    pub fn empty(host: HostId) -> Self {
        Self {
            host,
            profile: None,
            profile_by: None,
            given: Vec::new(),
            values: Values::default(),
        }
    }
}

/// A profile with all it stands on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lineage<'a> {
    /// At the bottom of it all.
    pub distro: &'a Distro,
    profiles: [Option<&'a Profile>; MAX_NESTING],
}

impl<'a> Lineage<'a> {
    /// The profiles, nearest first.
    pub fn nearest_first(&self) -> impl DoubleEndedIterator<Item = &'a Profile> {
        self.profiles.into_iter().flatten()
    }
}

/// What is in force above the hosts of one profile.
#[derive(Debug, Clone, PartialEq)]
pub struct AboveHosts {
    /// The distro; none without a profile.
    pub distro: Option<Distro>,
    /// The profile and those it stands on, nearest first.
    pub profiles: Vec<String>,
    values: Map<String, Value>,
}

impl AboveHosts {
    /// The values in force for a host, as [`Objects::of_host`] has them, without who said them.
    #[must_use]
    pub fn values_of(&self, plan: &HostPlan) -> Map<String, Value> {
        let mut values = self.values.clone();
        for given in &plan.given {
            blend_below(&mut values, &given.values);
        }
        blend_below(&mut values, &plan.values);
        values
    }

    /// What the hosts' own layers meet.
    #[must_use]
    pub const fn values(&self) -> &Map<String, Value> {
        &self.values
    }
}

/// Every distro and profile, with the site's defaults: small enough to be held as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objects {
    /// The site's defaults, layer `settings`.
    pub settings: Values,
    /// By name.
    pub distros: BTreeMap<String, Distro>,
    /// By name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Objects {
    /// The distro of this name.
    ///
    /// # Errors
    /// [`Fault`] on `distro`, with the nearest name.
    pub fn distro(&self, name: &str) -> Result<&Distro, Fault> {
        self.distros
            .get(name)
            .ok_or_else(|| missing("distro", name, self.distros.keys()))
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// [`Fault`] on `profile`, with the nearest name.
    pub fn profile(&self, name: &str) -> Result<&Profile, Fault> {
        self.profiles
            .get(name)
            .ok_or_else(|| missing("profile", name, self.profiles.keys()))
    }

    /// A profile with all it stands on.
    ///
    /// # Errors
    /// [`Fault`] when something is missing, stands on itself, or is nested deeper than [`MAX_NESTING`].
    pub fn lineage(&self, profile: &str) -> Result<Lineage<'_>, Fault> {
        let mut profiles = [None; MAX_NESTING];
        let mut next = profile;
        for place in 0..MAX_NESTING {
            let here = self.profile(next)?;
            if profiles.iter().flatten().any(|seen: &&Profile| seen.name == here.name) {
                return Err(Fault::new(
                    "parent",
                    &here.parent.to_string(),
                    format!("profile {profile} would stand on itself"),
                    "choose a parent that does not stand on this profile",
                ));
            }
            if let Some(slot) = profiles.get_mut(place) {
                *slot = Some(here);
            }
            match &here.parent {
                Parent::Distro(name) => {
                    return Ok(Lineage {
                        distro: self.distro(name)?,
                        profiles,
                    });
                }
                Parent::Profile(name) => next = name,
            }
        }
        Err(Fault::new(
            "parent",
            next,
            format!("more than {MAX_NESTING} profiles stand on each other"),
            "put the values of some of them together",
        ))
    }

    /// What is in force for a distro.
    ///
    /// # Errors
    /// When there is no such distro.
    pub fn of_distro(&self, name: &str) -> Result<Effective, Fault> {
        let distro = self.distro(name)?;
        Ok(self.meet(Some(distro), Vec::new()))
    }

    /// What is in force for a profile.
    ///
    /// # Errors
    /// As [`Objects::lineage`].
    pub fn of_profile(&self, name: &str) -> Result<Effective, Fault> {
        let lineage = self.lineage(name)?;
        Ok(self.meet(Some(lineage.distro), profile_layers(&lineage)))
    }

    /// What is in force for a host; `label` names it among the layers.
    ///
    /// # Errors
    /// As [`Objects::lineage`].
    pub fn of_host(&self, plan: &HostPlan, label: &str) -> Result<Effective, Fault> {
        let lineage = plan.profile.as_deref().map(|name| self.lineage(name)).transpose()?;
        let mut layers = lineage.as_ref().map(profile_layers).unwrap_or_default();
        let given = plan.given.iter();
        layers.extend(given.map(|layer| (LayerName::Rule(layer.rule.clone()), &layer.values)));
        layers.push((LayerName::Host(label.to_owned()), &plan.values));
        Ok(self.meet(lineage.map(|lineage| lineage.distro), layers))
    }

    /// What is in force for hosts of `profile`, before rules and hosts say anything: to be asked once for many hosts.
    ///
    /// # Errors
    /// As [`Objects::lineage`].
    pub fn above_hosts(&self, profile: Option<&str>) -> Result<AboveHosts, Fault> {
        let lineage = profile.map(|name| self.lineage(name)).transpose()?;
        let distro = lineage.map(|lineage| lineage.distro);
        let layers = lineage.as_ref().map(profile_layers).unwrap_or_default();
        Ok(AboveHosts {
            values: self.meet(distro, layers).values,
            distro: distro.cloned(),
            profiles: lineage.map_or_else(Vec::new, |lineage| {
                lineage.nearest_first().map(|profile| profile.name.clone()).collect()
            }),
        })
    }

    /// Profiles that stand on a distro or profile, directly or through others; with the profile itself.
    #[must_use]
    pub fn standing_on(&self, parent: &Parent) -> Vec<&Profile> {
        self.profiles
            .values()
            .filter(|profile| {
                self.lineage(&profile.name).is_ok_and(|lineage| match parent {
                    Parent::Distro(name) => lineage.distro.name == *name,
                    Parent::Profile(name) => lineage.nearest_first().any(|above| above.name == *name),
                })
            })
            .collect()
    }

    fn meet<'a>(&'a self, distro: Option<&'a Distro>, below: Vec<(LayerName, &'a Values)>) -> Effective {
        let built_in = built_in(distro);
        let mut layers = vec![(LayerName::BuiltIn, &built_in), (LayerName::Settings, &self.settings)];
        layers.extend(distro.map(|distro| (LayerName::Distro(distro.name.clone()), &distro.values)));
        layers.extend(below);
        blend(layers)
    }
}

fn profile_layers<'a>(lineage: &Lineage<'a>) -> Vec<(LayerName, &'a Values)> {
    lineage
        .nearest_first()
        .rev()
        .map(|profile| (LayerName::Profile(profile.name.clone()), &profile.values))
        .collect()
}

/// What holds when nobody says otherwise.
fn built_in(distro: Option<&Distro>) -> Values {
    let mut map = Map::new();
    map.insert("install_agent".to_owned(), true.into());
    map.insert("install_once".to_owned(), true.into());
    if let Some(distro) = distro {
        map.insert("template".to_owned(), distro.family.template().into());
    }
    Values::stored(map)
}

fn missing<'a>(field: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Fault {
    let advice = match nearest(name, known.map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`muster {field} list` shows all"),
    };
    Fault::new(field, name, format!("there is no such {field}"), advice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(document: &Value) -> Values {
        Values::check(document.as_object().cloned().unwrap_or_default()).expect("well-formed")
    }

    fn objects() -> Objects {
        let distro = Distro {
            name: "rocky9".into(),
            family: Family::Redhat,
            id: "rocky".into(),
            version: "9.4".into(),
            codename: None,
            arch: "x86_64".into(),
            tree: Tree::Path("/srv/rocky9".into()),
            kernel: "images/pxeboot/vmlinuz".into(),
            initrd: "images/pxeboot/initrd.img".into(),
            values: values(&json!({"timezone": "UTC"})),
        };
        let profile = |name: &str, parent| Profile {
            name: name.into(),
            parent,
            values: values(&json!({"packages": [name]})),
        };
        Objects {
            settings: values(&json!({"timezone": "Asia/Shanghai", "packages": ["vim"]})),
            distros: [(distro.name.clone(), distro)].into(),
            profiles: [
                profile("base", Parent::Distro("rocky9".into())),
                profile("web", Parent::Profile("base".into())),
            ]
            .map(|profile| (profile.name.clone(), profile))
            .into(),
        }
    }

    #[test]
    fn layers_go_from_settings_to_host() {
        let plan = HostPlan {
            profile: Some("web".into()),
            values: values(&json!({"packages": ["!vim", "own"]})),
            ..HostPlan::empty(HostId(uuid::Uuid::nil()))
        };
        let met = objects().of_host(&plan, "db1").expect("resolves");
        assert_eq!(met.values["packages"], json!(["base", "web", "own"]));
        let above = objects().above_hosts(Some("web")).expect("resolves");
        assert_eq!(above.values_of(&plan), met.values);
        assert_eq!(above.profiles, ["web", "base"]);
        assert_eq!(met.origins["packages.2"].to_string(), "host db1");
        assert_eq!(met.origins["timezone"].to_string(), "distro rocky9");
        assert_eq!(met.values["template"], "redhat/default.ks");
        assert_eq!(met.origins["install_once"].to_string(), "built-in");
    }

    #[test]
    fn loops_depth_and_missing_parents_are_refused() {
        let mut objects = objects();
        let fault = |objects: &Objects, name: &str| objects.lineage(name).expect_err("refused").to_string();
        assert!(fault(&objects, "wed").contains("did you mean `web`?"));
        if let Some(base) = objects.profiles.get_mut("base") {
            base.parent = Parent::Profile("web".into());
        }
        assert!(fault(&objects, "web").contains("stand on itself"));
        for place in 0..MAX_NESTING {
            let parent = match place {
                0 => Parent::Distro("rocky9".into()),
                _ => Parent::Profile(format!("p{}", place - 1)),
            };
            let name = format!("p{place}");
            objects.profiles.insert(
                name.clone(),
                Profile {
                    name,
                    parent,
                    values: Values::default(),
                },
            );
        }
        assert_eq!(
            objects
                .lineage("p15")
                .expect("as deep as may be")
                .nearest_first()
                .count(),
            MAX_NESTING
        );
        let parent = Parent::Profile("p15".into());
        objects.profiles.insert(
            "p16".into(),
            Profile {
                name: "p16".into(),
                parent,
                values: Values::default(),
            },
        );
        assert!(fault(&objects, "p16").contains("more than 16"));
    }
}
