//! How many at once: of one kind (an address, a user) and in all.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Which bound a newcomer ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// This one has as many as one may have.
    Own,
    /// All together have as many as there may be.
    All,
}

/// Counts who is present, within two bounds. Remembers nobody who has left, so its memory is bounded by the seats.
#[derive(Debug, Clone)]
pub(super) struct Crowd<K: Eq + Hash> {
    most_each: usize,
    most: usize,
    present: Arc<Mutex<Present<K>>>,
}

#[derive(Debug)]
struct Present<K> {
    each: HashMap<K, usize>,
    all: usize,
}

impl<K: Eq + Hash + Clone> Crowd<K> {
    pub(super) fn new(most_each: usize, most: usize) -> Self {
        let present = Present {
            each: HashMap::new(),
            all: 0,
        };
        Self {
            most_each,
            most,
            present: Arc::new(Mutex::new(present)),
        }
    }

    /// A seat, kept until it is dropped.
    pub(super) fn enter(&self, who: K) -> Result<Seat<K>, Full> {
        let mut present = lock(&self.present);
        if present.all >= self.most {
            return Err(Full::All);
        }
        let own = present.each.get(&who).copied().unwrap_or_default();
        if own >= self.most_each {
            return Err(Full::Own);
        }
        present.all += 1;
        present.each.insert(who.clone(), own + 1);
        Ok(Seat {
            who,
            present: Arc::clone(&self.present),
        })
    }
}

/// One that is present; leaves by being dropped.
#[derive(Debug)]
pub(super) struct Seat<K: Eq + Hash> {
    who: K,
    present: Arc<Mutex<Present<K>>>,
}

impl<K: Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut present = lock(&self.present);
        present.all = present.all.saturating_sub(1);
        if let Some(own) = present.each.get_mut(&self.who) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                present.each.remove(&self.who);
            }
        }
    }
}

fn lock<K>(present: &Mutex<Present<K>>) -> MutexGuard<'_, Present<K>> {
    // Nothing panics between the two counts.
    present.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fills_its_own_seats_and_many_fill_all() {
        let crowd = Crowd::new(2, 3);
        let first = crowd.enter("anna").unwrap();
        let _second = crowd.enter("anna").unwrap();
        assert_eq!(crowd.enter("anna").unwrap_err(), Full::Own);
        let _third = crowd.enter("bert").unwrap();
        assert_eq!(crowd.enter("carl").unwrap_err(), Full::All);
        drop(first);
        assert!(crowd.enter("anna").is_ok());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let crowd = Crowd::new(1, 10);
        for who in 0..100 {
            drop(crowd.enter(who).unwrap());
        }
        let present = lock(&crowd.present);
        assert_eq!((present.all, present.each.len()), (0, 0));
    }
}
