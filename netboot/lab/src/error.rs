//! What can go wrong in a lab.

use std::time::Duration;

/// What went wrong in a lab, and where to look.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The operating system refused a step.
    #[error("{action} failed")]
    Io {
        /// What was being done.
        action: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A command that should have ended well did not.
    #[error("`{command}` ended with {status}: {said}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// Its error output.
        said: String,
    },
    /// A process that should stay has ended.
    #[error("{name} ended by itself; its last lines:\n{last}")]
    Ended {
        /// The process.
        name: String,
        /// Its last lines.
        last: String,
    },
    /// A condition did not come true in time.
    #[error("waited {:.0} s in vain for {what}; seen so far:\n{seen}", limit.as_secs_f64())]
    Late {
        /// The condition.
        what: String,
        /// How long was waited.
        limit: Duration,
        /// What was seen instead.
        seen: String,
    },
    /// The server answered a request in a way that was not expected.
    #[error("{request} was answered with {status}: {body}")]
    Answer {
        /// Method and path.
        request: String,
        /// HTTP status, 0 when the answer was not HTTP.
        status: u16,
        /// The start of the body.
        body: String,
    },
    /// SIGINT or SIGTERM arrived.
    #[error("interrupted")]
    Interrupted,
}

impl LabError {
    /// Turns a system error into a [`LabError::Io`] that names the step; for `map_err`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
