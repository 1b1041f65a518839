//! How often a secret may be tried, so that guessing takes for ever and nobody can lock somebody else out.
//!
//! A wrong password costs most where it came from: the same name from the same address. Many names from one address
//! (one password tried on all), and one name from many addresses (a botnet), have bounds of their own, looser ones. The
//! wait for a name is short, and does not hold at addresses where this name has signed in before: who knows the password
//! gets in, whatever others try elsewhere (OWASP Authentication Cheat Sheet, account lockout).

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AuthError, ClientAddress, LONGEST_NAME, Pace, Throttle};

/// One secret, tried at one place.
const PLACE: Pace = Pace {
    free: 5,
    forgive: Duration::from_secs(12 * 60),
    first_wait: Duration::from_secs(2),
    longest_wait: Duration::from_secs(15 * 60),
};
/// All names from one address, which may be a whole office.
const ADDRESS: Pace = Pace {
    free: 50,
    forgive: Duration::from_secs(60),
    first_wait: Duration::from_secs(2),
    longest_wait: Duration::from_secs(5 * 60),
};
/// One name from all addresses where it has not signed in before.
const NAME: Pace = Pace {
    free: 100,
    forgive: Duration::from_secs(30),
    first_wait: Duration::from_secs(1),
    longest_wait: Duration::from_secs(30),
};
/// Places remembered where a name has signed in; the oldest go first.
const MOST_KNOWN: usize = 10_000;

/// What is tried, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Try {
    /// A name's password.
    SignIn(String, ClientAddress),
    /// The set-up token.
    SetUp(ClientAddress),
    /// The present password of somebody who is signed in.
    Password(Uuid),
}

impl Try {
    pub(super) fn sign_in(name: &str, client: ClientAddress) -> Self {
        Self::SignIn(name.chars().take(LONGEST_NAME).collect(), client)
    }
}

/// Counts tries and says who has to wait.
#[derive(Debug)]
pub(super) struct Gate(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    places: Throttle<Try>,
    addresses: Throttle<ClientAddress>,
    names: Throttle<String>,
    known: HashSet<Try>,
    /// The same, oldest first.
    known_since: VecDeque<Try>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Mutex::new(Counts {
            places: Throttle::new(PLACE),
            addresses: Throttle::new(ADDRESS),
            names: Throttle::new(NAME),
            known: HashSet::new(),
            known_since: VecDeque::new(),
        }))
    }
}

impl Gate {
    /// Lets a try through and counts it, as if it failed: those that come at the same time see it.
    ///
    /// # Errors
    /// [`AuthError::Wait`] while there is something to wait for; that is not counted.
    pub(super) fn enter(&self, attempt: &Try, now: DateTime<Utc>) -> Result<(), AuthError> {
        let mut counts = self.counts();
        if let Some(wait) = counts.wait(attempt, now) {
            return Err(AuthError::Wait(wait));
        }
        counts.places.tried(attempt, now);
        if let Try::SignIn(name, client) = attempt {
            counts.addresses.tried(client, now);
            counts.names.tried(name, now);
        }
        Ok(())
    }

    /// The secret was the right one.
    pub(super) fn right(&self, attempt: &Try) {
        let mut counts = self.counts();
        counts.places.clear(attempt);
        if let Try::SignIn(name, client) = attempt {
            // What others failed at stays counted: a guesser with an account of its own gains nothing by using it.
            counts.addresses.take_back(client);
            counts.names.take_back(name);
            counts.remember(attempt);
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // A panic leaves at worst one try uncounted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn wait(&self, attempt: &Try, now: DateTime<Utc>) -> Option<Duration> {
        let place = self.places.wait(attempt, now);
        let Try::SignIn(name, client) = attempt else {
            return place;
        };
        let name = if self.known.contains(attempt) {
            None
        } else {
            self.names.wait(name, now)
        };
        place.max(self.addresses.wait(client, now)).max(name)
    }

    fn remember(&mut self, place: &Try) {
        if self.known.insert(place.clone()) {
            self.known_since.push_back(place.clone());
        }
        if self.known_since.len() > MOST_KNOWN
            && let Some(oldest) = self.known_since.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn address(number: u32) -> ClientAddress {
        ClientAddress::of(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
    }

    fn wait(gate: &Gate, attempt: &Try) -> Option<Duration> {
        match gate.enter(attempt, now()) {
            Err(AuthError::Wait(wait)) => Some(wait),
            _ => None,
        }
    }

    #[test]
    fn guesses_from_one_address_do_not_lock_the_name_out_elsewhere() {
        let gate = Gate::default();
        let guess = Try::sign_in("anna", address(1));
        let tried = (0..1000).filter(|_| wait(&gate, &guess).is_none()).count();
        assert_eq!(tried, 5, "the rest waits");
        assert_eq!(wait(&gate, &Try::sign_in("anna", address(2))), None);
    }

    #[test]
    fn one_address_cannot_try_one_password_on_all_names() {
        let gate = Gate::default();
        let tried = (0..1000).filter(|name| wait(&gate, &Try::sign_in(&format!("user{name}"), address(1))).is_none());
        assert_eq!(tried.count(), 50);
        assert_eq!(wait(&gate, &Try::sign_in("user1", address(2))), None);
    }

    #[test]
    fn many_addresses_make_a_name_wait_a_little_but_not_where_it_has_signed_in() {
        let gate = Gate::default();
        let home = Try::sign_in("anna", address(0));
        assert_eq!(wait(&gate, &home), None);
        gate.right(&home);
        let guesses = |range: std::ops::Range<u32>| {
            range
                .filter(|number| wait(&gate, &Try::sign_in("anna", address(*number))).is_none())
                .count()
        };
        assert_eq!(guesses(1..1000), 100);
        let elsewhere = wait(&gate, &Try::sign_in("anna", address(2000))).unwrap();
        assert!(elsewhere <= NAME.longest_wait);
        assert_eq!(wait(&gate, &home), None);
    }

    #[test]
    fn an_account_of_ones_own_does_not_wash_guesses_away() {
        let gate = Gate::default();
        let own = Try::sign_in("mallory", address(1));
        for name in 0..50 {
            assert_eq!(wait(&gate, &own), None, "{name}");
            gate.right(&own);
            assert_eq!(wait(&gate, &Try::sign_in(&format!("user{name}"), address(1))), None);
        }
        assert!(wait(&gate, &own).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let gate = Gate::default();
        for number in 0..30_000 {
            gate.right(&Try::sign_in("anna", address(number)));
        }
        let counts = gate.counts();
        assert_eq!((counts.known.len(), counts.known_since.len()), (MOST_KNOWN, MOST_KNOWN));
    }
}
