//! Work that takes a processor for long: off the threads that answer machines, and only so much of it at a time.

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// Questions of this kind that are worked on at once; the others wait, and end when nobody waits for them any more.
const AT_ONCE: usize = 2;

/// Runs long work in pieces. Cheap to clone; all clones share their places.
#[derive(Debug, Clone)]
pub(super) struct LongWork(Arc<Semaphore>);

/// A place for one question. Between its pieces it may be dropped, with the question.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<OwnedSemaphorePermit>>);

/// The piece did not come to its end; the server's log says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was stopped by a fault of the server; its log says which")]
pub(super) struct Stopped;

impl Default for LongWork {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl LongWork {
    /// Waits for a place.
    pub(super) async fn place(&self) -> Place {
        // It is closed by nobody.
        Place(Arc::clone(&self.0).acquire_owned().await.ok().map(Arc::new))
    }
}

impl Place {
    /// Does one piece, which is short enough to be finished when nobody wants it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        piece: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let place = self.0.clone();
        let piece = move || {
            let done = piece();
            // When nobody waits any more, the place is free after the piece and not before.
            drop(place);
            done
        };
        spawn_blocking(piece).await.map_err(|error| {
            tracing::error!(%error, "a piece of long work was stopped");
            Stopped
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_so_many_are_worked_on_at_once() {
        let work = LongWork::default();
        let places = [work.place().await, work.place().await];
        assert_eq!(places[0].run(|| 7).await, Ok(7));
        assert!(work.0.try_acquire().is_err(), "the next one waits");
        drop(places);
        assert!(work.0.try_acquire().is_ok());
    }

    #[tokio::test]
    async fn a_piece_that_panics_is_an_error() {
        let place = LongWork::default().place().await;
        assert_eq!(place.run(|| panic!("a fault")).await, Err::<(), _>(Stopped));
    }
}
