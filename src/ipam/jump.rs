use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Smaller differences are the ordinary work of a time server.
const JUMP: TimeDelta = TimeDelta::seconds(30);

/// Notices when the time of day is set: it is held against a count that only goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JumpWatch {
    last: Option<(DateTime<Utc>, Duration)>,
}

impl JumpWatch {
    /// By how much the clock was set since the last look; `None` when it went on as it should.
    pub fn look(&mut self, wall: DateTime<Utc>, steady: Duration) -> Option<TimeDelta> {
        let before = self.last.replace((wall, steady));
        let (last_wall, last_steady) = before?;
        let passed = TimeDelta::from_std(steady.checked_sub(last_steady)?).ok()?;
        let by = (wall - last_wall) - passed;
        if by.abs() < JUMP {
            // Slow drift adds up over many looks unless the first one is kept to compare with.
            self.last = before;
            return None;
        }
        Some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_seen_once_and_in_both_directions() {
        let start = DateTime::UNIX_EPOCH;
        let at = |wall: i64, steady: u64| (start + TimeDelta::seconds(wall), Duration::from_secs(steady));
        let mut watch = JumpWatch::default();
        let mut look = |(wall, steady): (DateTime<Utc>, Duration)| watch.look(wall, steady);
        assert_eq!(look(at(0, 0)), None);
        assert_eq!(look(at(100, 100)), None);
        assert_eq!(look(at(3800, 200)), Some(TimeDelta::seconds(3600)));
        assert_eq!(look(at(3900, 300)), None);
        assert_eq!(look(at(400, 400)), Some(TimeDelta::seconds(-3600)));
        assert_eq!(look(at(510, 500)), None);
    }
}
