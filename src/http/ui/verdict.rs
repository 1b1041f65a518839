//! How a verdict of a boot looks: its tone and icon. Its words are in the catalogue.

use serde::Serialize;

use crate::boot::{Level, VerdictCode};

/// A verdict as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    /// Part of the catalogue keys `verdict.CODE` and `verdict_advice.CODE`.
    pub(super) code: String,
    /// Part of the style `tone-TONE`.
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
}

/// A code that this server does not know (a newer one wrote it) shows as not told.
pub(super) fn shown(code: &str) -> Shown {
    let known = VerdictCode::ALL.iter().copied().find(|known| known.as_str() == code);
    let (tone, icon) = match known {
        Some(VerdictCode::Reported) => ("good", "check"),
        Some(VerdictCode::LocalBoot) => ("calm", "check"),
        Some(VerdictCode::InProgress) => ("busy", "busy"),
        Some(VerdictCode::ObservedOnly) => ("calm", "eye"),
        Some(code) => match code.level() {
            Level::Fail => ("bad", "bad"),
            Level::Warn => ("warn", "warn"),
            Level::Info => ("calm", "check"),
        },
        None => ("calm", "clock"),
    };
    Shown {
        code: known.map_or("unknown", VerdictCode::as_str).to_owned(),
        tone,
        icon,
    }
}
