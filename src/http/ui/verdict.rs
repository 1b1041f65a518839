//! How a verdict of a boot looks: its tone and icon. Its words are in the catalogue.

use serde::Serialize;

/// Every verdict code that `boot` gives.
pub(super) const CODES: &[&str] = &[
    "reported",
    "in_progress",
    "observed_only",
    "no_subnet",
    "other_server_first",
    "wrong_loader",
    "proxy_ignored",
    "no_loader",
    "no_image",
    "pool_exhausted",
    "token_expired",
    "http_unreachable",
    "refused_by_policy",
    "loader_loop",
    "not_known",
    "address_conflict",
    "facts_refused",
    "stalled",
    "local_boot",
    "image_trouble",
];

/// A verdict as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    /// Part of the catalogue keys `verdict.CODE` and `verdict_advice.CODE`.
    pub(super) code: String,
    /// Part of the style `tone-TONE`.
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
}

/// A code of a newer server shows as not told.
pub(super) fn shown(code: &str) -> Shown {
    let (tone, icon) = match code {
        "reported" => ("good", "check"),
        "local_boot" => ("calm", "check"),
        "in_progress" => ("busy", "busy"),
        "observed_only" => ("calm", "eye"),
        "stalled" | "not_known" | "image_trouble" | "proxy_ignored" => ("warn", "warn"),
        code if CODES.contains(&code) => ("bad", "bad"),
        _ => ("calm", "clock"),
    };
    let code = if CODES.contains(&code) { code } else { "unknown" };
    Shown {
        code: code.to_owned(),
        tone,
        icon,
    }
}
