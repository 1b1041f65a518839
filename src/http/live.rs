//! `GET /events/stream`: tells a browser what changed, not what it is now: the page asks again for what it shows.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::PageState;
use crate::{discovery::FeedItem, inventory::HostId};

/// What happens within this time is told together.
const GATHER: Duration = Duration::from_millis(400);
/// More hosts than this are told as "many".
const MOST_HOSTS: usize = 100;
/// A stream ends after this; the browser opens it again and its session is looked at anew.
const LONGEST: Duration = Duration::from_secs(600);

/// What changed since the last message.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Changed {
    hosts: BTreeSet<HostId>,
    /// More hosts than are named.
    many: bool,
    leases: bool,
}

impl Changed {
    fn note(&mut self, item: &FeedItem) {
        match item {
            FeedItem::Host(host) => self.host(*host),
            FeedItem::Event(event) => {
                if let Some(host) = event.host {
                    self.host(host);
                }
            }
            FeedItem::Leases => self.leases = true,
        }
    }

    fn host(&mut self, host: HostId) {
        if self.hosts.len() < MOST_HOSTS {
            self.hosts.insert(host);
        } else if !self.hosts.contains(&host) {
            self.many = true;
        }
    }

    fn is_nothing(&self) -> bool {
        self.hosts.is_empty() && !self.leases
    }
}

pub(super) async fn stream(State(state): State<PageState>) -> impl IntoResponse {
    let sse = Sse::new(changes(state.feed().listen())).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    // Some proxies gather answers unless told not to.
    ([("X-Accel-Buffering", "no")], sse)
}

/// Ends when the reader fell behind the feed: it is dropped, not waited for, and comes again by itself.
fn changes(mut feed: Receiver<FeedItem>) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let end = tokio::time::Instant::now() + LONGEST;
        loop {
            let mut changed = Changed::default();
            match tokio::time::timeout_at(end, feed.recv()).await {
                Ok(Ok(item)) => changed.note(&item),
                Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) | Err(_) => return,
            }
            let until = tokio::time::Instant::now() + GATHER;
            loop {
                match tokio::time::timeout_at(until, feed.recv()).await {
                    Ok(Ok(item)) => changed.note(&item),
                    Ok(Err(RecvError::Lagged(_))) => {
                        changed.many = true;
                        changed.leases = true;
                    }
                    Ok(Err(RecvError::Closed)) => return,
                    Err(_) => break,
                }
            }
            if changed.is_nothing() && !changed.many {
                continue;
            }
            if let Ok(event) = Event::default().event("changed").json_data(&changed) {
                yield Ok(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn many_hosts_are_told_as_many() {
        let mut changed = Changed::default();
        for number in 0..150_u128 {
            changed.note(&FeedItem::Host(HostId(Uuid::from_u128(number))));
        }
        assert_eq!(changed.hosts.len(), MOST_HOSTS);
        assert!(changed.many);
        assert!(!changed.leases);
    }
}
