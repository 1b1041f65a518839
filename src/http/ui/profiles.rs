//! A profile on its page and in its form: what it stands on.

use super::{
    layer::Sent,
    layer_page::{Extra, typed},
    object::{Ground, Object},
};
use crate::desired::{Draft, Effective, Fault, LayerName, Objects, Parent, Profile, Values};

impl Object for Profile {
    const KIND: &'static str = "profile";
    const FOLDER: &'static str = "/profiles";
    const EXAMPLE: &'static str = "web";

    fn called(name: String) -> Parent {
        Parent::Profile(name)
    }

    fn find<'a>(objects: &'a Objects, name: &str) -> Result<&'a Self, Fault> {
        objects.profile(name)
    }

    fn values(&self) -> &Values {
        &self.values
    }

    fn ground(&self) -> Ground {
        Ground::Object(self.parent.clone())
    }

    fn ground_sent(sent: &Sent) -> Ground {
        parent_sent(sent).map_or(Ground::Unsaid, Ground::Object)
    }

    fn in_force(objects: &Objects, name: &str) -> (LayerName, Effective) {
        let whole = objects.of_profile(name).unwrap_or_default();
        (LayerName::Profile(name.to_owned()), whole)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The choice of a parent: everything but what stands on the profile itself.
    fn inputs(objects: &Objects, own: Option<(&str, &Self)>, sent: Option<&Sent>, faults: &[Fault]) -> Vec<Extra> {
        let below: Vec<&str> = own.map_or_else(Vec::new, |(name, _)| {
            let standing = objects.standing_on(&Parent::Profile(name.to_owned()));
            standing.iter().map(|profile| profile.name.as_str()).collect()
        });
        let choice = |parent: Parent, name: &String| (word(&parent), name.clone());
        let distros = objects
            .distros
            .keys()
            .map(|name| choice(Parent::Distro(name.clone()), name));
        let profiles = objects
            .profiles
            .keys()
            .filter(|name| !below.contains(&name.as_str()))
            .map(|name| choice(Parent::Profile(name.clone()), name));
        let is = own.map(|(_, profile)| word(&profile.parent)).unwrap_or_default();
        vec![Extra {
            choices: vec![("distro", distros.collect()), ("profile", profiles.collect())],
            ..Extra::line("parent", &is, None, sent, faults)
        }]
    }

    fn read(name: &str, sent: &Sent, values: Values) -> Result<Draft, Vec<Fault>> {
        match parent_sent(sent) {
            Some(parent) => Ok(Draft::Profile(Self {
                name: name.to_owned(),
                parent,
                values,
            })),
            None => Err(vec![Fault::unshown(
                "parent",
                "a profile stands on something",
                "choose a distro or a profile",
            )]),
        }
    }
}

/// How a form says a parent.
fn word(parent: &Parent) -> String {
    match parent {
        Parent::Distro(name) => format!("distro:{name}"),
        Parent::Profile(name) => format!("profile:{name}"),
    }
}

fn parent_sent(sent: &Sent) -> Option<Parent> {
    match typed("parent", Some(sent))?.split_once(':')? {
        ("distro", name) => Some(Parent::Distro(name.to_owned())),
        ("profile", name) => Some(Parent::Profile(name.to_owned())),
        _ => None,
    }
}
