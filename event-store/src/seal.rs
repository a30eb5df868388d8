//! Seal: how far the log is signed, and which process may sign it on.
//!
//! Knows nothing of trees and keys: roots are bytes here, checkpoints text. One process at a time
//! holds the seal, by a lease on the database's clock; whatever it records names its fence, so that
//! one that was away for too long changes nothing any more.
//!
//! That a lease goes on, and what is published, does not wait for the disk, which those who append
//! need: a database that goes down may forget the last of it, and then it is said again. Who takes
//! the seal, and what is signed, does.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::StoreError;
use crate::read::{as_bigint, from_bigint};
use crate::store::EventStore;

/// The bytes of a root.
pub const ROOT_BYTES: usize = 32;

/// What was signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// So many entries.
    pub size: u64,
    /// Their root.
    pub root: [u8; ROOT_BYTES],
    /// The checkpoint.
    pub checkpoint: String,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// The seal as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    /// What the holder names with all that it records.
    pub fence: u64,
    /// What was signed last; none when nothing was.
    pub signed: Option<Signed>,
    /// How many entries the published checkpoint has.
    pub published_size: u64,
    /// The published checkpoint, with the cosignatures that it needs; none when nothing is.
    pub published: Option<String>,
    /// Why nothing is signed any more; none while all is well.
    pub refused: Option<String>,
}

impl EventStore {
    /// The seal, whoever holds it.
    pub async fn seal(&self) -> Result<Seal, StoreError> {
        let row = sqlx::query!(
            "select fence, size, root, signed, signed_at, published_size, published, refused
               from seal"
        )
        .fetch_one(self.pool())
        .await?;
        let root = row.root.and_then(|root| <[u8; ROOT_BYTES]>::try_from(root).ok());
        let signed = match (root, row.signed, row.signed_at) {
            (Some(root), Some(checkpoint), Some(at)) => {
                Some(Signed { size: from_bigint(row.size), root, checkpoint, at })
            }
            _ => None,
        };
        Ok(Seal {
            fence: from_bigint(row.fence),
            signed,
            published_size: from_bigint(row.published_size),
            published: row.published,
            refused: row.refused,
        })
    }

    /// Takes the seal, or keeps it for so long from now on; its fence, or none while another holds
    /// it. Nobody seals a log of another incarnation than the one that was opened.
    pub async fn hold_seal(&self, holder: Uuid, lease_ms: u64) -> Result<Option<u64>, StoreError> {
        let fence: Option<i64> = sqlx::query_scalar(
            "update seal
                set holder = $1, leased_until = clock_timestamp() + $2 * interval '1 millisecond',
                    fence = fence + case when holder is not distinct from $1 then 0 else 1 end
               from (select count(set_config('synchronous_commit', 'off', true)) from seal
                      where holder = $1) kept
              where (holder is not distinct from $1 or leased_until is null
                     or leased_until < clock_timestamp())
                and exists (select from head where incarnation = $3)
          returning fence",
        )
        .bind(holder)
        .bind(f64::from(u32::try_from(lease_ms).unwrap_or(u32::MAX)))
        .bind(self.incarnation())
        .fetch_optional(self.pool())
        .await?;
        Ok(fence.map(from_bigint))
    }

    /// Lets another process take the seal at once.
    pub async fn release_seal(&self, fence: u64) -> Result<(), StoreError> {
        sqlx::query!(
            "update seal set holder = null, leased_until = null where fence = $1",
            as_bigint(fence),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// So many entries are signed, with this root. False when the seal is another's by now, or when
    /// something else was signed: more entries, or another root of as many.
    pub async fn record_signed(
        &self,
        fence: u64,
        size: u64,
        root: &[u8; ROOT_BYTES],
        checkpoint: &str,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update seal
                set size = $2, root = $3, signed = $4, signed_at = clock_timestamp(), refused = null
              where fence = $1 and leased_until > clock_timestamp()
                and (size < $2 or (size = $2 and root = $3))",
            as_bigint(fence),
            as_bigint(size),
            &root[..],
            checkpoint,
        )
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A checkpoint of so many entries is published. False when the seal is another's by now.
    pub async fn record_published(
        &self,
        fence: u64,
        size: u64,
        checkpoint: &str,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "update seal set published_size = $2, published = $3
               from (select set_config('synchronous_commit', 'off', true)) soon
              where fence = $1 and leased_until > clock_timestamp() and published_size <= $2",
        )
        .bind(as_bigint(fence))
        .bind(as_bigint(size))
        .bind(checkpoint)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Nothing is signed any more, for this reason. Nothing is said when the seal is another's.
    pub async fn refuse_seal(&self, fence: u64, because: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update seal set refused = $2
              where fence = $1 and leased_until > clock_timestamp() and refused is distinct from $2",
            as_bigint(fence),
            because,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}
