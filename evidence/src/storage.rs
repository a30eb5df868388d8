//! Where a log's pieces are kept: a folder, or a bucket of a store that speaks S3.
//!
//! Does not know what they hold. What is put is whole or not there, and stays through a loss of
//! power.

use std::{fmt, io, path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, parse_url_opts,
    path::Path,
};
use reqwest::Url;

use crate::source::PIECE_BYTES_MAX;

/// How an address of a bucket begins.
const BUCKET: &str = "s3://";

/// A place to keep a log. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    name: Arc<str>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({})", self.name)
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Why something cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum StorageError {
    #[error("{name} is no place to keep a log: {error}")]
    NoPlace { name: String, error: Error },
    #[error("{name} is no address of a bucket such as s3://bucket/folder")]
    NoBucket { name: String },
    #[error("cannot make the folder {name}: {error}")]
    NoFolder { name: String, error: io::Error },
    #[error("{path} in {place} has more than {PIECE_BYTES_MAX} bytes")]
    TooLarge { place: String, path: String },
    #[error("{place} does not answer for {path}: {error}")]
    Away { place: String, path: String, error: Error },
}

impl Storage {
    /// Whether it is to be a bucket.
    pub fn is_bucket(text: &str) -> bool {
        text.starts_with(BUCKET)
    }

    /// A folder, which is made when it is not there; or a bucket, `s3://bucket/folder`, whose
    /// region, endpoint and credentials the environment has (`AWS_REGION`, `AWS_ENDPOINT`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`).
    pub fn open(text: &str) -> Result<Storage, StorageError> {
        let name: Arc<str> = text.into();
        let no_place = |error| StorageError::NoPlace { name: text.to_owned(), error };
        if !Storage::is_bucket(text) {
            let no_folder = |error| StorageError::NoFolder { name: text.to_owned(), error };
            std::fs::create_dir_all(FilePath::new(text)).map_err(no_folder)?;
            let store = LocalFileSystem::new_with_prefix(text).map_err(no_place)?;
            let store = store.with_fsync(true).with_automatic_cleanup(true);
            return Ok(Storage { store: Arc::new(store), prefix: Path::default(), name });
        }
        let no_bucket = || StorageError::NoBucket { name: text.to_owned() };
        let url = Url::parse(text).ok().filter(Url::has_host).ok_or_else(no_bucket)?;
        let settings = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
        let (store, prefix) = parse_url_opts(&url, settings).map_err(no_place)?;
        Ok(Storage { store: store.into(), prefix, name })
    }

    fn at(&self, path: &str) -> Path {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.fold(self.prefix.clone(), Path::join)
    }

    fn away(&self, path: &str) -> impl FnOnce(Error) -> StorageError {
        let (place, path) = (self.name.to_string(), path.to_owned());
        |error| StorageError::Away { place, path, error }
    }

    /// What is at a path; none when nothing is. What is larger than any piece is not read.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, StorageError> {
        let found = match self.store.get(&self.at(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(self.away(path))?,
        };
        if found.meta.size > PIECE_BYTES_MAX as u64 {
            let (place, path) = (self.name.to_string(), path.to_owned());
            return Err(StorageError::TooLarge { place, path });
        }
        found.bytes().await.map(Some).map_err(self.away(path))
    }

    /// Keeps it at a path, in place of what may be there.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), StorageError> {
        let put = self.store.put(&self.at(path), PutPayload::from_bytes(bytes)).await;
        put.map(drop).map_err(self.away(path))
    }

    /// Removes all that is below a path.
    pub async fn remove_below(&self, path: &str) -> Result<(), StorageError> {
        let below = self.at(path);
        let all: Vec<Path> = self
            .store
            .list(Some(&below))
            .map_ok(|found| found.location)
            .try_collect()
            .await
            .map_err(self.away(path))?;
        for one in all {
            match self.store.delete(&one).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(self.away(path)(error)),
            }
        }
        Ok(())
    }
}
