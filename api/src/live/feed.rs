//! The log from a position on: what is stored, then what comes, until a reason to end.
//!
//! Does not know who listens. Every end is a problem that the listener can act on.

use std::{pin::Pin, sync::Arc};

use event_store::{Filter, Page, StoreError, StoredEvent};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use uuid::Uuid;

use crate::{
    problem::{Kind, Problem},
    server::App,
};

/// Pages of the log, as they are asked for: nothing is read ahead of who takes them.
pub struct Feed {
    pages: BoxStream<'static, Result<Arc<Page>, StoreError>>,
    draining: CancellationToken,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    after: u64,
    head: u64,
}

impl Feed {
    /// Begins after a position, or at the end of the log when none is named. Refuses a position
    /// that this log does not have: whoever has seen it has seen another log.
    pub async fn open(app: &App, after: Option<u64>, filter: Filter) -> Result<Feed, Problem> {
        let head = app.store.head().await.map_err(end)?.position;
        let after = after.unwrap_or(head);
        if after > head {
            return Err(beyond(head, after));
        }
        let draining = app.draining.clone();
        Ok(Feed {
            pages: app.store.follow(after, filter).boxed(),
            drained: Box::pin(draining.clone().cancelled_owned()),
            draining,
            after,
            head,
        })
    }

    /// Where it is: everything up to here has been looked at.
    pub fn position(&self) -> u64 {
        self.after
    }

    /// Where the log ended when it began.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Why it must end at once; none while it may go on.
    pub fn is_over(&self) -> Option<Problem> {
        self.draining.is_cancelled().then(draining)
    }

    /// What follows, once there is something; it may hold no event when the filter let none
    /// through. Nothing is lost when the waiting is given up. An error is the end.
    pub async fn next(&mut self) -> Result<Arc<Page>, Problem> {
        let page = tokio::select! {
            biased;
            () = &mut self.drained => return Err(draining()),
            page = self.pages.next() => page,
        };
        let page = page.unwrap_or(Err(StoreError::Closed)).map_err(end)?;
        self.after = page.scanned_to;
        Ok(page)
    }

    /// One event after the other; the last item is the reason for the end.
    pub fn events(self) -> impl Stream<Item = Result<StoredEvent, Problem>> + Send {
        let pages = stream::unfold(Some(self), async |feed| {
            let mut feed = feed?;
            let page = feed.next().await;
            let feed = page.is_ok().then_some(feed);
            Some((page, feed))
        });
        pages.flat_map(|page| match page {
            Ok(page) => stream::iter(page.events.clone()).map(Ok).left_stream(),
            Err(problem) => stream::iter([Err(problem)]).right_stream(),
        })
    }
}

/// Refuses positions of another log than the one that is open.
pub fn expect_incarnation(app: &App, incarnation: Option<Uuid>) -> Result<(), Problem> {
    let open = app.store.incarnation();
    match incarnation {
        Some(other) if other != open => {
            let detail = format!("this is the log {open}, not {other}");
            Err(Problem::new(Kind::LogRestored, detail).with("incarnation", open.to_string()))
        }
        Some(_) | None => Ok(()),
    }
}

/// The log ends before a position.
pub fn beyond(head: u64, position: u64) -> Problem {
    let detail = format!("the log ends at position {head}, before {position}");
    Problem::new(Kind::LogRestored, detail).with("position", head)
}

/// Why everything that is live ends when the server stops.
pub fn draining() -> Problem {
    Problem::new(Kind::Draining, "the server is shutting down")
}

fn end(error: StoreError) -> Problem {
    match error {
        StoreError::Incarnation { expected, actual } => {
            let detail = format!("the log was restored: it is {actual} now, not {expected}");
            Problem::new(Kind::LogRestored, detail).with("incarnation", actual.to_string())
        }
        StoreError::Settings(_)
        | StoreError::Unreachable(_)
        | StoreError::Database { .. }
        | StoreError::Timeout { .. }
        | StoreError::Archive { .. }
        | StoreError::Closed
        | StoreError::Unreadable { .. } => Problem::from(error),
    }
}
