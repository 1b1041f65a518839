//! A change of the whole, looked at before it is made.

use super::{Distro, Fault, Objects, Parent, Profile, Values, check_name};

/// A distro, a profile or the site's defaults as they would be.
#[derive(Debug, Clone, PartialEq)]
pub enum Draft {
    /// A distro, new or changed.
    Distro(Distro),
    /// A profile, new or changed.
    Profile(Profile),
    /// The site's defaults.
    Defaults(Values),
}

impl Objects {
    /// Everything as it would be with `draft` in force.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be: a field is wrong, a parent is not there, a profile would stand on itself, or profiles
    /// that stand on it would be nested too deep.
    pub fn with(&self, draft: &Draft) -> Result<Self, Fault> {
        let mut after = self.clone();
        match draft {
            Draft::Distro(distro) => {
                distro.check()?;
                after.distros.insert(distro.name.clone(), distro.clone());
            }
            Draft::Profile(profile) => {
                check_name(&profile.name)?;
                after.profiles.insert(profile.name.clone(), profile.clone());
                after.lineage(&profile.name)?;
                for below in self.standing_on(&Parent::Profile(profile.name.clone())) {
                    after.lineage(&below.name)?;
                }
            }
            Draft::Defaults(values) => after.settings = values.clone(),
        }
        Ok(after)
    }
}
