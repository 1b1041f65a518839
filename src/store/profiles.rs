use super::{
    StoreError,
    distros::{column, values},
    entity::profile,
    row::set,
};
use crate::desired::{Parent, Profile};

/// The row of a profile.
pub(super) fn profile_row(profile: &Profile) -> profile::ActiveModel {
    let (distro, parent) = match &profile.parent {
        Parent::Distro(name) => (Some(name.clone()), None),
        Parent::Profile(name) => (None, Some(name.clone())),
    };
    profile::ActiveModel {
        name: set(profile.name.clone()),
        distro: set(distro),
        parent: set(parent),
        values: set(column(&profile.values)),
    }
}

impl TryFrom<profile::Model> for Profile {
    type Error = StoreError;

    fn try_from(row: profile::Model) -> Result<Self, StoreError> {
        let parent = match (row.distro, row.parent) {
            (Some(name), None) => Parent::Distro(name),
            (None, Some(name)) => Parent::Profile(name),
            _ => return Err(StoreError::unreadable("profile", "not one parent")),
        };
        Ok(Self {
            name: row.name,
            parent,
            values: values("profile", row.values)?,
        })
    }
}
