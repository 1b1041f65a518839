//! `GET /events/stream`: tells a browser what changed, not what it is now: the page asks again for what it shows.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use uuid::Uuid;

use super::{
    PageState, Problem,
    crowd::{Full, Seat},
    guard::Known,
};
use crate::{discovery::FeedItem, inventory::HostId};

/// What happens within this time is told together.
const GATHER: Duration = Duration::from_millis(400);
/// More hosts than this are told as "many".
const MOST_HOSTS: usize = 100;
/// A stream ends after this; the browser opens it again and its session is looked at anew.
const LONGEST: Duration = Duration::from_secs(600);
/// Streams of one user at once: a page holds one while it is looked at.
pub(super) const MOST_OF_ONE: usize = 16;
/// Streams at once.
pub(super) const MOST: usize = 1024;
/// When a page that got no stream may ask again, seconds.
const ASK_AGAIN: u64 = 30;

/// What changed since the last message.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Changed {
    hosts: BTreeSet<HostId>,
    /// More hosts than are named.
    many: bool,
    leases: bool,
    /// Hosts of whose installation something is heard.
    installs: BTreeSet<HostId>,
}

impl Changed {
    fn note(&mut self, item: &FeedItem) {
        match item {
            FeedItem::Host(host) => self.host(*host),
            FeedItem::Install(host) => {
                if self.installs.len() < MOST_HOSTS {
                    self.installs.insert(*host);
                } else if !self.installs.contains(host) {
                    self.many = true;
                }
            }
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
        self.hosts.is_empty() && self.installs.is_empty() && !self.leases
    }
}

pub(super) async fn stream(State(state): State<PageState>, Extension(caller): Known) -> Result<Response, Problem> {
    let seat = state.streams().enter(caller.user).map_err(refusal)?;
    let changes = changes(state.feed().listen(), seat);
    let sse = Sse::new(changes).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    // Some proxies gather answers unless told not to.
    Ok(([("X-Accel-Buffering", "no")], sse).into_response())
}

fn refusal(full: Full) -> Problem {
    let detail = match full {
        Full::Own => {
            format!("you have {MOST_OF_ONE} event streams open already; close a page or a program that has one")
        }
        Full::All => format!("{MOST} event streams are open already; try again later"),
    };
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail).retry_after(ASK_AGAIN)
}

/// Ends when the reader fell behind the feed: it is dropped, not waited for, and comes again by itself.
fn changes(mut feed: Receiver<FeedItem>, seat: Seat<Uuid>) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let _seat = seat;
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
