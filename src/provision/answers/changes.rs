//! Before a profile, a distro or a setting is saved: whose answer files would change, and how.

use similar::TextDiff;

use super::{Answers, AnswersFault, plain};
use crate::{
    desired::Objects,
    install::redact,
    inventory::HostId,
    provision::{HostDesired, install::AnswerContext},
};

/// Hosts whose files are compared for one question; the others are counted.
const MOST_HOSTS: usize = 500;

/// A host whose answer file would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub host: HostId,
    /// What people call it.
    pub label: String,
    /// The difference in the unified format, without secrets; or why there would be no file any more.
    pub difference: Result<String, String>,
}

/// What a change would do to answer files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Hosts whose file would change, of those looked at.
    pub hosts: Vec<Change>,
    /// Hosts whose values would change and whose files were not looked at, for their number.
    pub not_looked_at: usize,
}

impl Answers {
    /// Whose answer files would differ if `after` were in force instead of what is.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn changes(&self, after: &Objects, base_url: &str) -> Result<Changes, AnswersFault> {
        let affected = self.catalog.affected(after).await?.hosts;
        let context = AnswerContext::of_preview(base_url);
        let mut changes = Changes {
            not_looked_at: affected.len().saturating_sub(MOST_HOSTS),
            ..Changes::default()
        };
        for (host, label) in affected.into_iter().take(MOST_HOSTS) {
            let (now, facts) = match self.host(host).await {
                Ok(found) => found,
                Err(AnswersFault::Ledger(error)) => return Err(error.into()),
                Err(_) => continue,
            };
            let file = |desired: &HostDesired| {
                plain(&self.library, desired, facts.as_ref(), &context)
                    .map(|answer| redact(&answer.text, answer.secrets.iter().map(String::as_str)))
                    .map_err(|fault| fault.to_string())
            };
            let before = file(&now);
            let then = match HostDesired::with(now.host.clone(), now.plan.clone(), after) {
                Ok(then) => file(&then),
                Err(fault) => Err(fault.to_string()),
            };
            if before == then {
                continue;
            }
            let difference = then.map(|then| {
                let before = before.unwrap_or_default();
                TextDiff::from_lines(&before, &then)
                    .unified_diff()
                    .context_radius(2)
                    .header("now", "then")
                    .to_string()
            });
            changes.hosts.push(Change {
                host,
                label,
                difference,
            });
        }
        Ok(changes)
    }
}
