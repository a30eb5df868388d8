//! When a node was last heard of: telemetry, that no log holds.
//!
//! Does not know where signs of life are kept.

use domain::values::{Moment, PeerId};
use event_store::StoreError;
use futures::future::{BoxFuture, FutureExt as _};

/// Who knows when a node was last heard of.
pub trait Sightings: Send + Sync {
    /// When it was last heard of; none when not lately.
    fn last_seen<'a>(
        &'a self,
        peer: &'a PeerId,
    ) -> BoxFuture<'a, Result<Option<Moment>, StoreError>>;
}

/// Nobody was ever heard of.
pub(crate) struct Unsighted;

impl Sightings for Unsighted {
    fn last_seen<'a>(&'a self, _: &'a PeerId) -> BoxFuture<'a, Result<Option<Moment>, StoreError>> {
        async { Ok(None) }.boxed()
    }
}
