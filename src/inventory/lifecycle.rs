//! The only place that moves a host from one state to another; every move has a cause.

use super::State;

/// Why a host's state may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its hardware was reported by the collection image.
    Reported,
    /// A person or a rule gave it a profile.
    ProfileGiven,
    /// Its profile was taken away.
    ProfileTaken {
        /// Its hardware is in the ledger.
        reported: bool,
    },
    /// An installation was opened.
    InstallStarted,
    /// The installation reached its end and the installed system reports.
    InstallFinished,
    /// The installation failed or was given up.
    InstallFailed,
    /// An agent on an installed system reported.
    AgentReported,
    /// A person takes it out of service.
    MaintenanceBegun,
    /// A person puts it back into service; what it was before maintenance or retirement decides where it goes.
    Returned {
        /// Its hardware is in the ledger.
        reported: bool,
        /// It has a profile.
        profile: bool,
        /// Its last installation succeeded.
        installed: bool,
    },
    /// A person says it is gone.
    Retired,
}

/// A move that the life of a host does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a host in state `{}` cannot take {cause:?}: {advice}", state.as_str())]
pub struct Refused {
    /// Where the host is.
    pub state: State,
    /// What was asked.
    pub cause: Cause,
    /// What to do first.
    pub advice: &'static str,
}

/// The state after `cause`; the same state when the cause changes nothing.
///
/// # Errors
/// [`Refused`] when the move makes no sense from here; the advice says what to do first.
pub fn apply(state: State, cause: Cause) -> Result<State, Refused> {
    use State::{Active, Assigned, Discovered, Failed, Installing, Inventoried, Maintenance, Retired};
    let refused = |advice| Err(Refused { state, cause, advice });
    match (state, cause) {
        (Discovered, Cause::Reported) => Ok(Inventoried),
        // Facts say what hardware is there; they never take a host out of what people decided.
        (_, Cause::Reported) => Ok(state),

        (Discovered | Inventoried, Cause::ProfileGiven) => Ok(Assigned),
        (Assigned | Active | Failed, Cause::ProfileGiven) => Ok(state),
        // One that was entered before it was heard of goes back to where it was entered.
        (Assigned, Cause::ProfileTaken { reported: false }) => Ok(Discovered),
        (Assigned, Cause::ProfileTaken { reported: true }) => Ok(Inventoried),
        (Discovered | Inventoried | Active | Failed, Cause::ProfileTaken { .. }) => Ok(state),
        (Installing, Cause::ProfileGiven | Cause::ProfileTaken { .. }) => {
            refused("cancel the running installation first")
        }

        (Assigned | Active | Failed, Cause::InstallStarted) => Ok(Installing),
        (Installing, Cause::InstallStarted) => refused("an installation already runs; cancel it first"),
        (Discovered | Inventoried, Cause::InstallStarted) => refused("give it a profile first"),
        (Installing, Cause::InstallFinished) => Ok(Active),
        (Installing, Cause::InstallFailed) => Ok(Failed),
        (Discovered | Inventoried | Assigned | Active | Failed, Cause::InstallFinished | Cause::InstallFailed) => {
            refused("no installation is open for it")
        }

        // A machine that was installed before Muster knew it joins by its agent.
        (Discovered | Inventoried | Assigned, Cause::AgentReported) => Ok(Active),
        (Installing | Active | Failed | Maintenance | Retired, Cause::AgentReported) => Ok(state),

        (Installing, Cause::MaintenanceBegun | Cause::Retired) => refused("cancel the running installation first"),
        (Retired, Cause::MaintenanceBegun) => refused("put it back into service first"),
        (_, Cause::MaintenanceBegun) => Ok(Maintenance),
        (_, Cause::Retired) => Ok(Retired),
        (
            Maintenance | Retired,
            Cause::Returned {
                reported,
                profile,
                installed,
            },
        ) => Ok(match (installed, profile, reported) {
            (true, _, _) => Active,
            (false, true, _) => Assigned,
            (false, false, true) => Inventoried,
            (false, false, false) => Discovered,
        }),
        (_, Cause::Returned { .. }) => Ok(state),
        (Maintenance | Retired, _) => refused("put it back into service first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK: Cause = Cause::Returned {
        reported: true,
        profile: false,
        installed: false,
    };

    #[test]
    fn a_whole_life() {
        let mut state = State::Discovered;
        for (cause, after) in [
            (Cause::Reported, State::Inventoried),
            (Cause::Reported, State::Inventoried),
            (Cause::ProfileGiven, State::Assigned),
            (Cause::InstallStarted, State::Installing),
            (Cause::Reported, State::Installing),
            (Cause::InstallFailed, State::Failed),
            (Cause::InstallStarted, State::Installing),
            (Cause::InstallFinished, State::Active),
            (Cause::AgentReported, State::Active),
            (Cause::MaintenanceBegun, State::Maintenance),
            (Cause::Reported, State::Maintenance),
            (BACK, State::Inventoried),
            (Cause::Retired, State::Retired),
            (Cause::Reported, State::Retired),
        ] {
            state = apply(state, cause).expect("a move that exists");
            assert_eq!(state, after, "{cause:?}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let refused = apply(State::Inventoried, Cause::InstallStarted).expect_err("no profile");
        assert_eq!(
            refused.to_string(),
            "a host in state `inventoried` cannot take InstallStarted: give it a profile first"
        );
        for (state, cause) in [
            (State::Installing, Cause::Retired),
            (State::Installing, Cause::ProfileTaken { reported: true }),
            (State::Retired, Cause::ProfileGiven),
            (State::Retired, Cause::MaintenanceBegun),
            (State::Maintenance, Cause::InstallStarted),
            (State::Active, Cause::InstallFinished),
        ] {
            assert!(apply(state, cause).is_err(), "{state:?} {cause:?}");
        }
    }

    #[test]
    fn a_profile_that_is_taken_away_leads_back() {
        for (reported, after) in [(true, State::Inventoried), (false, State::Discovered)] {
            assert_eq!(apply(State::Assigned, Cause::ProfileTaken { reported }), Ok(after));
            assert_eq!(
                apply(State::Active, Cause::ProfileTaken { reported }),
                Ok(State::Active)
            );
        }
    }

    #[test]
    fn facts_are_accepted_in_every_state() {
        for state in State::ALL {
            assert!(apply(state, Cause::Reported).is_ok());
            assert!(apply(state, Cause::AgentReported).is_ok());
        }
    }
}
