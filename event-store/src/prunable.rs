//! Prunable blobs: content under its hash, named in events, that may be dropped again because it
//! can be made anew from the log.
//!
//! Knows nothing of what it holds, and never touches what is kept for ever ([`crate::blob`]): that
//! is in another table.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::blob::BlobError;
use crate::error::{RecordError, StoreError};
use crate::store::EventStore;

/// The largest prunable content, and the largest aside, in bytes.
pub const PRUNABLE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Content that may be dropped again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// Whose it is.
    pub owner: String,
    /// What the hash names.
    pub content: Bytes,
    /// What whoever made it needs to go on from there; the hash says nothing of it.
    pub aside: Bytes,
}

impl EventStore {
    /// Stores content under its SHA-256; what is there already stays as it is. Durable when it
    /// returns.
    pub async fn put_prunable(&self, prunable: &Prunable) -> Result<[u8; 32], BlobError> {
        let Prunable { owner, content, aside } = prunable;
        for bytes in [content.len(), aside.len()] {
            if bytes > PRUNABLE_BYTES_MAX {
                return Err(RecordError::TooLarge { bytes, max: PRUNABLE_BYTES_MAX }.into());
            }
        }
        let hash: [u8; 32] = Sha256::digest(content).into();
        let aside_hash: [u8; 32] = Sha256::digest(aside).into();
        sqlx::query!(
            "insert into prunable_blobs (hash, content, owner, aside, aside_hash)
             values ($1, $2, $3, $4, $5) on conflict (hash) do nothing",
            &hash[..],
            &content[..],
            owner,
            &aside[..],
            &aside_hash[..],
        )
        .execute(self.pool())
        .await
        .map_err(StoreError::from)?;
        Ok(hash)
    }

    /// The content with this SHA-256, when it is there. What is not what its hash says is not
    /// there.
    pub async fn prunable(&self, hash: &[u8; 32]) -> Result<Option<Prunable>, StoreError> {
        let found = sqlx::query!(
            "select content, owner, aside, aside_hash from prunable_blobs where hash = $1",
            &hash[..],
        )
        .fetch_optional(self.pool())
        .await?;
        let sound = found.filter(|row| {
            Sha256::digest(&row.content)[..] == hash[..]
                && Sha256::digest(&row.aside)[..] == row.aside_hash[..]
        });
        Ok(sound.map(|row| Prunable {
            owner: row.owner,
            content: row.content.into(),
            aside: row.aside.into(),
        }))
    }

    /// Whose content there is, in the order of their names.
    pub async fn prunable_owners(&self) -> Result<Vec<String>, StoreError> {
        let owners =
            sqlx::query_scalar!("select distinct owner from prunable_blobs order by owner")
                .fetch_all(self.pool())
                .await?;
        Ok(owners)
    }

    /// Drops what has these hashes; how many were there.
    pub async fn drop_prunable(&self, hashes: &[[u8; 32]]) -> Result<u64, StoreError> {
        let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash[..]).collect();
        let dropped = sqlx::query!(
            "delete from prunable_blobs where hash = any($1::bytea[])",
            &hashes as &[&[u8]],
        )
        .execute(self.pool())
        .await?;
        Ok(dropped.rows_affected())
    }
}
