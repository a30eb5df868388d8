//! Notarised documents: that a digest was known at the time of a block, and whose it is.
//!
//! Does not hold documents, nor prove anything: the transaction and the block do.

mod fold;
mod read;

pub use fold::Anchors;
pub use read::{by_digest, get, list};

use domain::values::{Address, Algorithm, Digest, Hash, Height, Label, Moment};
use serde::Serialize;
use utoipa::ToSchema;

use crate::page::{Cursor, Order};

/// The projection's name.
pub const NAME: &str = "anchors";

/// A notarised document.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = AnchorRow)]
pub struct Anchor {
    /// The transaction that anchored it: names the anchor.
    pub transaction: Hash,
    /// The document's digest.
    pub digest: Digest,
    /// By what it was digested.
    pub algorithm: Algorithm,
    /// What its owner calls it.
    pub label: Label,
    /// Who anchored it.
    pub owner: Address,
    /// The height of the block.
    pub height: Height,
    /// The time of the block.
    pub time: Moment,
    /// The height at which its owner revoked it.
    pub revoked: Option<Height>,
}

/// Which anchors are wanted; an absent member lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this document.
    pub digest: Option<Digest>,
    /// Of this account.
    pub owner: Option<Address>,
}

const fn list_name(order: Order) -> &'static str {
    match order {
        Order::Newest => "anchors/newest",
        Order::Oldest => "anchors/oldest",
    }
}

impl Anchor {
    /// Where this row stands in a list of this order: newest is the greatest height first.
    pub fn cursor(&self, order: Order) -> Cursor {
        let key = vec![self.height.to_string(), self.transaction.to_string()];
        Cursor::new(list_name(order), key)
    }
}
