use std::time::{Duration, Instant};

/// Between two lines of the log about the same trouble.
const EVERY: Duration = Duration::from_secs(60);

/// Counts what happens too often to be told each time.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    told: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// Counts once more; gives the count since it was told last when it is time to tell.
    pub(super) fn note(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_at_once_and_then_each_minute_how_often() {
        let (mut seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.note(start), Some(1));
        assert_eq!(seldom.note(start), None);
        assert_eq!(seldom.note(start), None);
        assert_eq!(seldom.note(start + EVERY), Some(3));
    }
}
