//! The limit of open files: raised as far as the process may, before anything is opened.

use nix::sys::resource::{Resource, setrlimit};

use crate::check::{FileLimits, file_limits};

/// What POSIX promises, for a system that does not tell.
const LEAST: u64 = 20;

/// Raises the soft limit to the hard one, says so when that is fewer than `needed`, and gives the limit that holds now.
pub(super) fn raise(needed: u64) -> u64 {
    let now = match file_limits() {
        Ok(FileLimits { soft, hard }) if soft < hard => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(error) => {
                tracing::warn!(%error, soft, hard, "the limit of open files could not be raised");
                soft
            }
        },
        Ok(FileLimits { soft, .. }) => soft,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files is not known");
            LEAST
        }
    };
    if now < needed {
        tracing::warn!(
            limit = now,
            needed,
            "fewer files may be open than are needed when all is busy: fewer connections are taken at once; raise the \
             hard limit (LimitNOFILE)"
        );
    }
    now
}
