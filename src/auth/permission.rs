use crate::store::Role;

/// One right that a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Hosts, their hardware, history and boots.
    ReadHosts,
    /// Subnets, leases and other DHCP servers.
    ReadNetwork,
    /// One's own name, password and language.
    OwnAccount,
    /// One's own API tokens.
    OwnTokens,
    /// Start, cancel and retry installations, say by rules which hosts are installed with what, and end what a host's agent
    /// is known by.
    Install,
    /// Distros, profiles, the site's defaults, and what is wanted of a host.
    EditPlans,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 6] = [
        Self::ReadHosts,
        Self::ReadNetwork,
        Self::OwnAccount,
        Self::OwnTokens,
        Self::Install,
        Self::EditPlans,
    ];
}

/// The whole of who may do what.
#[must_use]
pub const fn allows(role: Role, permission: Permission) -> bool {
    match permission {
        Permission::ReadHosts | Permission::ReadNetwork | Permission::OwnAccount => true,
        Permission::OwnTokens | Permission::Install | Permission::EditPlans => {
            matches!(role, Role::Operator | Role::Admin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_role_may_all_that_a_weaker_one_may() {
        for permission in Permission::ALL {
            for pair in Role::ALL.windows(2) {
                assert!(!allows(pair[0], permission) || allows(pair[1], permission));
            }
            assert!(allows(Role::Admin, permission));
        }
    }

    #[test]
    fn a_viewer_gives_no_program_access() {
        assert!(!allows(Role::Viewer, Permission::OwnTokens));
        assert!(!allows(Role::Viewer, Permission::Install));
        assert!(!allows(Role::Viewer, Permission::EditPlans));
        assert!(allows(Role::Viewer, Permission::ReadHosts));
    }
}
