//! Blobs: content too large for a record, kept under its hash and named by hash in events.
//!
//! Knows nothing of what it holds. Nothing refers to a blob but events: a blob that no event names
//! is harmless.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::{RecordError, StoreError};
use crate::store::EventStore;

/// The largest blob in bytes.
pub const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why content was not kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// Larger than [`BLOB_BYTES_MAX`].
    #[error(transparent)]
    Invalid(#[from] RecordError),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EventStore {
    /// Stores content under its SHA-256; idempotent. Durable when it returns, so that an event that
    /// names it can never be there without it.
    pub async fn put_blob(&self, content: &[u8]) -> Result<[u8; 32], BlobError> {
        if content.len() > BLOB_BYTES_MAX {
            let (bytes, max) = (content.len(), BLOB_BYTES_MAX);
            return Err(RecordError::TooLarge { bytes, max }.into());
        }
        let hash: [u8; 32] = Sha256::digest(content).into();
        sqlx::query!(
            "insert into blobs (hash, content) values ($1, $2) on conflict (hash) do nothing",
            &hash[..],
            content
        )
        .execute(self.pool())
        .await
        .map_err(StoreError::from)?;
        Ok(hash)
    }

    /// The content with this SHA-256, when it is kept.
    pub async fn blob(&self, hash: &[u8; 32]) -> Result<Option<Bytes>, StoreError> {
        let content = sqlx::query_scalar!("select content from blobs where hash = $1", &hash[..])
            .fetch_optional(self.pool())
            .await?;
        Ok(content.map(Bytes::from))
    }

    /// The contents with these SHA-256, as far as they are kept, in no particular order.
    pub async fn blobs(&self, hashes: &[[u8; 32]]) -> Result<Vec<([u8; 32], Bytes)>, StoreError> {
        let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let rows = sqlx::query!(
            "select hash, content from blobs where hash = any ($1)",
            &hashes as &[&[u8]],
        )
        .fetch_all(self.pool())
        .await?;
        let found = rows
            .into_iter()
            .filter_map(|row| Some((row.hash.try_into().ok()?, Bytes::from(row.content))));
        Ok(found.collect())
    }
}
