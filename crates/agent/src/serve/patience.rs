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
/// Longest pause that a server may ask for.
const LONGEST_TOLD: Duration = Duration::from_secs(3600);
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
            } => return self.told_when(server, error, *told),
            ReportError::Refused { status, .. } if (400..500).contains(status) && ![408, 425, 429].contains(status) => {
                SLOW
            }
            ReportError::Unwritable(_) => SLOW,
            ReportError::Unreachable(_) | ReportError::Refused { .. } | ReportError::Malformed(_) => {
                FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST)
            }
        };
        self.after(server, error, scattered(pause))
    }

    /// Never before the server says, and spread over a while after it.
    fn told_when(&mut self, server: &str, error: &ReportError, told: Duration) -> Setback {
        let told = told.clamp(Duration::from_secs(1), LONGEST_TOLD);
        let spread = scattered(told).saturating_sub(told.mul_f64(0.75));
        self.after(server, error, told + spread)
    }

    fn after(&mut self, server: &str, error: &ReportError, pause: Duration) -> Setback {
        self.failures = self.failures.saturating_add(1);
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
        for _ in 0..100 {
            let pause = patience.failure("http://a", &refused(503, Some(8))).pause;
            assert!((8..=12).contains(&pause.as_secs()), "{pause:?}");
            let pause = patience.failure("http://a", &refused(429, Some(86_400))).pause;
            assert!((3600..=5400).contains(&pause.as_secs()), "{pause:?}");
        }
    }
}
