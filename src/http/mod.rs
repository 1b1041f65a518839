//! HTTP edges: machines that boot (`boot`), installed ones (`agent`), programs (`api`) and people (`ui`). Thin: they read, ask one use case, and show.

pub mod agent;
pub mod api;
pub mod boot;
pub mod ui;

mod assets;
mod client;
mod crowd;
mod deadline;
mod guard;
mod live;
mod metrics;
mod problem;
mod reports;
mod router;
mod serve;
mod state;

pub use guard::{Access, Audience, Route};
pub use problem::Problem;
pub use router::{Pages, page_router, pages};
pub use serve::{HttpBounds, serve_http};
pub use state::{PageSetup, PageState};

use axum::http::StatusCode;

use crate::{
    auth::AuthError,
    provision::{CatalogFault, answers::AnswersFault},
    store::StoreError,
};

/// The answer to what `auth` refused.
fn auth_problem(error: &AuthError) -> Problem {
    let detail = error.to_string();
    match error {
        AuthError::Wrong => Problem::new(StatusCode::FORBIDDEN, "wrong_password", detail),
        AuthError::Wait(wait) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait.as_secs().max(1))
        }
        AuthError::SetupRefused => Problem::new(StatusCode::FORBIDDEN, "setup_refused", detail),
        AuthError::Name => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "name_unusable", detail),
        AuthError::NameTaken => Problem::new(StatusCode::CONFLICT, "name_taken", detail),
        AuthError::Password(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "password_unusable", detail),
        AuthError::RoleTooStrong { .. } => Problem::new(StatusCode::FORBIDDEN, "role_too_strong", detail),
        AuthError::Store(source) => Problem::internal(source),
        AuthError::Fault(source) => Problem::internal(source),
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        auth_problem(&error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overtaken => Self::new(StatusCode::CONFLICT, "overtaken", error.to_string()),
            error => Self::internal(&error),
        }
    }
}

impl From<AnswersFault> for Problem {
    fn from(fault: AnswersFault) -> Self {
        match fault {
            AnswersFault::Unknown => Self::new(StatusCode::NOT_FOUND, "host_unknown", fault.to_string()),
            AnswersFault::Wanted(fault) => Self::refused(StatusCode::UNPROCESSABLE_ENTITY, "refused", &fault),
            AnswersFault::Template(fault) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "template_fault", fault.to_string())
            }
            AnswersFault::Ledger(error) => error.into(),
        }
    }
}

impl From<CatalogFault> for Problem {
    fn from(fault: CatalogFault) -> Self {
        match fault {
            CatalogFault::Refused(fault) => Self::refused(StatusCode::UNPROCESSABLE_ENTITY, "refused", &fault),
            CatalogFault::Ledger(error) => error.into(),
        }
    }
}
