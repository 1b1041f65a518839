use std::sync::Mutex;

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// Counts within one millisecond, so that ids made one after the other sort one after the other.
static WITHIN: Mutex<Option<ContextV7>> = Mutex::new(None);

/// A new time-ordered id (UUID version 7, RFC 9562) for something that happened at `at`.
///
/// Two ids made in this process for the same millisecond sort in the order they were made: a transcript read by id
/// shows the offer after the discover. When `at` goes backwards, the order made still wins over the order of time.
#[must_use]
pub fn new_id(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
    let mut within = WITHIN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let context = within.get_or_insert_with(ContextV7::new);
    Uuid::new_v7(Timestamp::from_unix(&*context, seconds, at.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_as_they_were_made() {
        let at = DateTime::from_timestamp(1_800_000_000, 5_000_000).expect("a time");
        let ids: Vec<Uuid> = (0..10_000).map(|_| new_id(at)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
