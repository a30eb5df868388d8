//! Where a log's pieces are kept: a folder, or a bucket of a store that speaks S3.
//!
//! Does not know what they hold. What is put is whole or not there, and stays through a loss of
//! power: at once, or once it has settled.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::Path as FilePath,
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, parse_url_opts,
    path::Path,
};
use reqwest::Url;

use crate::{Filled, Piece, source::PIECE_BYTES_MAX};

/// Things that are put into a bucket at the same time.
const PARALLEL: usize = 16;
/// How an address of a bucket begins.
const BUCKET: &str = "s3://";

/// A place to keep a log. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// Where it is, if it is a folder.
    folder: Option<Arc<FilePath>>,
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
    #[error("cannot read {path} in {name}: {error}")]
    Unread { name: String, path: String, error: io::Error },
    #[error("cannot write into {name}: {error}")]
    Unwritten { name: String, error: io::Error },
    #[error("what is in {name} is not on its disk: {error}")]
    Unsettled { name: String, error: io::Error },
    #[error("{path} in {place} has more than {bytes_max} bytes")]
    TooLarge { place: String, path: String, bytes_max: u64 },
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
            let store = Arc::new(store.with_fsync(true).with_automatic_cleanup(true));
            let folder = Some(Arc::from(FilePath::new(text)));
            return Ok(Storage { store, folder, prefix: Path::default(), name });
        }
        let no_bucket = || StorageError::NoBucket { name: text.to_owned() };
        let url = Url::parse(text).ok().filter(Url::has_host).ok_or_else(no_bucket)?;
        let settings = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
        let (store, prefix) = parse_url_opts(&url, settings).map_err(no_place)?;
        Ok(Storage { store: store.into(), folder: None, prefix, name })
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
        self.get_within(path, PIECE_BYTES_MAX as u64).await
    }

    /// Whether it is a folder of this machine.
    pub(crate) fn is_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// The same as [`crate::Source::piece`], in this thread; nothing when it is no folder.
    pub(crate) fn piece_now(&self, piece: Piece) -> Result<Option<Filled>, StorageError> {
        for one in piece.or_full() {
            if let Some(bytes) = self.get_now(&one.to_string())? {
                return Ok(Some((one, bytes)));
            }
        }
        Ok(None)
    }

    /// The same as [`Storage::get`], in this thread; nothing when it is no folder.
    fn get_now(&self, path: &str) -> Result<Option<Bytes>, StorageError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let name = || self.name.to_string();
        let unread = |error| StorageError::Unread { name: name(), path: path.to_owned(), error };
        let mut file = match File::open(folder.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unread)?,
        };
        let (size, most) = (file.metadata().map_err(unread)?.len(), PIECE_BYTES_MAX as u64);
        if size > most {
            let (place, path) = (name(), path.to_owned());
            return Err(StorageError::TooLarge { place, path, bytes_max: most });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(unread)?;
        Ok(Some(bytes.into()))
    }

    /// The same of what may have so many bytes.
    pub async fn get_within(
        &self,
        path: &str,
        bytes_max: u64,
    ) -> Result<Option<Bytes>, StorageError> {
        let found = match self.store.get(&self.at(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(self.away(path))?,
        };
        if found.meta.size > bytes_max {
            let (place, path) = (self.name.to_string(), path.to_owned());
            return Err(StorageError::TooLarge { place, path, bytes_max });
        }
        found.bytes().await.map(Some).map_err(self.away(path))
    }

    /// Some of the bytes at a path; none when nothing is there.
    pub async fn get_range(
        &self,
        path: &str,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, StorageError> {
        match self.store.get_range(&self.at(path), range).await {
            Err(Error::NotFound { .. }) => Ok(None),
            found => found.map(Some).map_err(self.away(path)),
        }
    }

    /// Whether there is anything at a path.
    pub async fn has(&self, path: &str) -> Result<bool, StorageError> {
        match self.store.head(&self.at(path)).await {
            Err(Error::NotFound { .. }) => Ok(false),
            found => found.map(|_| true).map_err(self.away(path)),
        }
    }

    /// The paths of all that is below a path, in order.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, StorageError> {
        let below = self.at(path);
        let paths = self.store.list(Some(&below)).map_ok(|found| {
            let parts = found.location.prefix_match(&self.prefix);
            let parts: Vec<String> =
                parts.into_iter().flatten().map(|part| part.as_ref().to_owned()).collect();
            parts.join("/")
        });
        let mut paths: Vec<String> = paths.try_collect().await.map_err(self.away(path))?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Keeps it at a path, in place of what may be there.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), StorageError> {
        let put = self.store.put(&self.at(path), PutPayload::from_bytes(bytes)).await;
        put.map(drop).map_err(self.away(path))
    }

    /// Keeps many things, each at its path. In a folder they are whole when this returns, but stay
    /// through a loss of power only once they have settled: nobody waits for the disk for each.
    pub async fn put_soon(&self, all: Vec<(String, Bytes)>) -> Result<(), StorageError> {
        let Some(folder) = self.folder.clone() else {
            let put =
                stream::iter(all).map(|(path, bytes)| async move { self.put(&path, bytes).await });
            return put.buffer_unordered(PARALLEL).try_collect().await;
        };
        let name = self.name.to_string();
        let written = aside(move || {
            all.into_iter().try_for_each(|(path, bytes)| written(&folder.join(path), &bytes))
        });
        written.await.map_err(|error| StorageError::Unwritten { name, error })
    }

    /// Whether what is put soon stays through a loss of power only once it has settled.
    pub fn settles(&self) -> bool {
        self.folder.is_some()
    }

    /// Returns when all that was put before stays through a loss of power.
    pub async fn settle(&self) -> Result<(), StorageError> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let name = self.name.to_string();
        let synced = aside(move || Ok(rustix::fs::syncfs(File::open(&*folder)?)?));
        synced.await.map_err(|error| StorageError::Unsettled { name, error })
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

/// Does what waits for files, beside everything else.
async fn aside(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// Writes a file, and the folders it is in when they are not there.
fn written(path: &FilePath, bytes: &[u8]) -> io::Result<()> {
    match std::fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().unwrap_or(path))?;
            std::fs::write(path, bytes)
        }
        done => done,
    }
}
