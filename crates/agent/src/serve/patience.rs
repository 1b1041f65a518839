//! What to do after something failed, and when.

use std::time::Duration;

use super::scattered;
use crate::report::ReportError;

/// Pause after an answer that will not change soon.
const SLOW: Duration = Duration::from_secs(600);
/// Pause after a failure of this machine's own.
const SOON: Duration = Duration::from_secs(60);
/// First pause after a server that cannot be reached; doubled each time.
const FIRST: Duration = Duration::from_secs(2);
/// Longest pause for a server that may be there again.
const LONGEST: Duration = Duration::from_secs(300);

/// A failure, and when to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setback {
    /// For the journal.
    pub(super) words: String,
    /// When to try again.
    pub(super) pause: Duration,
}

impl Setback {
    /// One of this machine's own, such as a full disk.
    pub(super) fn soon(words: String) -> Self {
        Self {
            words,
            pause: scattered(SOON),
        }
    }

    /// One that somebody has to mend.
    pub(super) fn slow(words: String) -> Self {
        Self {
            words,
            pause: scattered(SLOW),
        }
    }
}

/// Counts what lies behind.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    /// It worked; gives whether it did not before.
    pub(super) fn success(&mut self) -> bool {
        std::mem::take(&mut self.failures) > 0
    }

    /// What may pass by itself is tried again after 2, 4, 8, … 300 s, or when the server says; what a person has to
    /// mend, each ten minutes.
    pub(super) fn failure(&mut self, server: &str, error: &ReportError) -> Setback {
        let pause = match error {
            ReportError::Refused {
                status: 429 | 503,
                retry_after: Some(told),
                ..
            } => (*told).clamp(Duration::from_secs(1), LONGEST),
            ReportError::Refused { status, .. } if (400..500).contains(status) && ![408, 425, 429].contains(status) => {
                SLOW
            }
            ReportError::Unwritable(_) => SLOW,
            ReportError::Unreachable(_) | ReportError::Refused { .. } | ReportError::Malformed(_) => {
                FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST)
            }
        };
        self.failures = self.failures.saturating_add(1);
        let pause = scattered(pause);
        Setback {
            words: format!("{server}: {error}; tried again in {} s", pause.as_secs()),
            pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> ReportError {
        ReportError::Refused {
            status,
            code: String::new(),
            detail: "why".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    /// Whether a pause is the one meant, give or take what scatters it.
    fn about(pause: Duration, seconds: u64) -> bool {
        let meant = Duration::from_secs(seconds);
        pause >= meant.mul_f64(0.74) && pause <= meant.mul_f64(1.26)
    }

    #[test]
    fn a_server_that_is_away_is_asked_more_and_more_seldom() {
        let mut patience = Patience::default();
        let away = ReportError::Unreachable("connection refused".to_owned());
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let setback = patience.failure("http://a", &away);
            assert!(about(setback.pause, seconds), "{seconds}: {setback:?}");
            assert!(setback.words.contains("connection refused"));
        }
        assert!(patience.success() && !patience.success());
        assert!(about(patience.failure("http://a", &away).pause, 2));
    }

    #[test]
    fn what_a_person_has_to_mend_is_tried_seldom_and_a_full_server_says_when() {
        let mut patience = Patience::default();
        assert!(about(patience.failure("http://a", &refused(422, None)).pause, 600));
        assert!(about(patience.failure("http://a", &refused(403, None)).pause, 600));
        assert!(about(patience.failure("http://a", &refused(503, Some(7))).pause, 7));
        assert!(about(
            patience.failure("http://a", &refused(503, Some(86_400))).pause,
            300
        ));
    }
}
