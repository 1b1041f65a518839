use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use super::{State, UnknownWord};

/// Between two signs of life of an agent.
const HEARTBEAT: TimeDelta = TimeDelta::seconds(60);
/// Signs of life that may be missing before a host is late: one is lost by chance, three are not.
const LATE_AFTER: i32 = 3;
/// Signs of life that are missing of a lost host: a restart takes less.
const LOST_AFTER: i32 = 15;

/// Whether an installed machine gives signs of life. Computed when asked for, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It does.
    Ok,
    /// Some are missing.
    Late,
    /// So many are missing that somebody should look.
    Lost,
}

impl Health {
    /// Every health, best first.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Late, Self::Lost];

    /// The health of a host whose agent was last heard at `heard`; none of a host without an agent, and of one that is
    /// being installed or is retired, from which none is expected.
    #[must_use]
    pub fn of(state: State, heard: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Self> {
        if Self::UNASKED.contains(&state) {
            return None;
        }
        let heard = heard?;
        Self::ALL.into_iter().find(|health| {
            let (after, until) = health.heard(now);
            after.is_none_or(|after| heard > after) && until.is_none_or(|until| heard <= until)
        })
    }

    /// States whose hosts have no health.
    pub const UNASKED: [State; 2] = [State::Installing, State::Retired];

    /// When a host of this health was last heard: after the one and not after the other. For whoever looks hosts up by an
    /// indexed column.
    #[must_use]
    pub fn heard(self, now: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let (late, lost) = (now - HEARTBEAT * LATE_AFTER, now - HEARTBEAT * LOST_AFTER);
        match self {
            Self::Ok => (Some(late), None),
            Self::Late => (Some(lost), Some(late)),
            Self::Lost => (None, Some(lost)),
        }
    }

    /// The word used in API and catalogue keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Lost => "lost",
        }
    }
}

impl FromStr for Health {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|health| health.as_str() == text)
            .ok_or_else(|| UnknownWord {
                what: "health",
                word: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_makes_a_host_late_and_then_lost() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let after = |seconds| Health::of(State::Active, Some(now - TimeDelta::seconds(seconds)), now);
        for (seconds, health) in [
            (-5, Health::Ok),
            (0, Health::Ok),
            (179, Health::Ok),
            (180, Health::Late),
            (899, Health::Late),
            (900, Health::Lost),
            (1_000_000, Health::Lost),
        ] {
            assert_eq!(after(seconds), Some(health), "{seconds}");
        }
        assert_eq!(Health::of(State::Active, None, now), None);
        assert_eq!(Health::of(State::Installing, Some(now), now), None);
        assert_eq!("lost".parse(), Ok(Health::Lost));
    }
}
