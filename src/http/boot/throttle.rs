use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong tokens a client may send within [`WINDOW`].
const MOST: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// Clients remembered; beyond it the oldest windows are forgotten first.
const MAX_CLIENTS: usize = 10_000;

/// Slows down guessing of tokens: counts refusals per client address.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Throttle {
    /// True when the client has been refused too often to be listened to now.
    pub(super) fn is_closed(&self, client: IpAddr, now: Instant) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .get(&client)
            .is_some_and(|(began, count)| *count >= MOST && now.duration_since(*began) < WINDOW)
    }

    /// Counts one refusal.
    pub(super) fn refused(&self, client: IpAddr, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_CLIENTS {
            counts.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
        }
        if counts.len() >= MAX_CLIENTS {
            counts.clear();
        }
        let entry = counts.entry(client).or_insert((now, 0));
        if now.duration_since(entry.0) >= WINDOW {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_after_many_refusals_and_opens_again() {
        let throttle = Throttle::default();
        let client = IpAddr::from([127, 0, 0, 1]);
        let start = Instant::now();
        for _ in 0..MOST {
            assert!(!throttle.is_closed(client, start));
            throttle.refused(client, start);
        }
        assert!(throttle.is_closed(client, start));
        assert!(!throttle.is_closed(IpAddr::from([127, 0, 0, 2]), start));
        assert!(!throttle.is_closed(client, start + WINDOW));
    }
}
