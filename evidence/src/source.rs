//! Where a log is read: where it is kept, or the address at which it is served.
//!
//! Does not trust what it reads.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Client, StatusCode, Url};

use crate::{Filled, Piece, Storage, StorageError, WIDTH, bundle::ENTRY_BYTES_MAX};

/// The largest thing that a log serves, in bytes: a bundle of the longest entries.
pub(crate) const PIECE_BYTES_MAX: usize = WIDTH as usize * (2 + ENTRY_BYTES_MAX);
/// How long one request may take, in seconds.
const REQUEST_S_MAX: u64 = 30;
/// How often something is asked for before the server counts as away.
const TRIES_MAX: u32 = 3;
/// How long is waited between, in milliseconds.
const RETRY_MS: u64 = 500;

/// A log that can be read. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Source {
    /// What is kept, by its paths.
    Storage(Storage),
    /// What a server has below an address, and the token that it is asked with.
    Address(Client, Url, Option<Arc<str>>),
}

/// Why something cannot be read. (That it is not there is an answer.)
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum SourceError {
    #[error("{0} is neither a folder nor an address that begins with https://, http:// or s3://")]
    Unknown(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("cannot ask for {url}: {error}")]
    Request { url: Url, error: reqwest::Error },
    #[error("{url} was answered with {status}")]
    Status { url: Url, status: StatusCode },
    #[error("{name} has more than {PIECE_BYTES_MAX} bytes")]
    TooLarge { name: String },
}

impl Source {
    /// A folder that is there, a bucket (`s3://`), or an address, which may ask for a token.
    pub fn of(text: &str, token: Option<&str>) -> Result<Source, SourceError> {
        if let Ok(mut url) = Url::parse(text)
            && matches!(url.scheme(), "http" | "https")
        {
            // Else the last part of the path would be replaced.
            if !url.path().ends_with('/') {
                let path = format!("{}/", url.path());
                url.set_path(&path);
            }
            let client = Client::builder().timeout(Duration::from_secs(REQUEST_S_MAX)).build();
            let error = |error| SourceError::Request { url: url.clone(), error };
            let client = client.map_err(error)?;
            return Ok(Source::Address(client, url, token.map(Arc::from)));
        }
        if Storage::is_bucket(text) || Path::new(text).is_dir() {
            return Ok(Source::Storage(Storage::open(text)?));
        }
        Err(SourceError::Unknown(text.to_owned()))
    }

    /// A piece with what it holds, or the full one that has taken the place of a partial one; none
    /// when neither is there.
    pub async fn piece(&self, piece: Piece) -> Result<Option<Filled>, SourceError> {
        for one in piece.or_full() {
            if let Some(bytes) = self.get(&one.to_string()).await? {
                return Ok(Some((one, bytes)));
            }
        }
        Ok(None)
    }

    /// What is at a path; none when nothing is.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, SourceError> {
        match self {
            Source::Storage(storage) => Ok(storage.get(path).await?),
            Source::Address(client, url, token) => {
                let url = url.join(path).map_err(|_| SourceError::Unknown(path.to_owned()))?;
                let mut tries = 1;
                loop {
                    match ask(client, &url, token.as_deref()).await {
                        Err(error) if tries < TRIES_MAX && passes(&error) => {
                            tries += 1;
                            tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
                        }
                        answer => return answer,
                    }
                }
            }
        }
    }
}

async fn ask(
    client: &Client,
    url: &Url,
    token: Option<&str>,
) -> Result<Option<Bytes>, SourceError> {
    let error = |error| SourceError::Request { url: url.clone(), error };
    let request = client.get(url.clone());
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    let mut response = request.send().await.map_err(error)?;
    match response.status() {
        StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
        status if status.is_success() => {}
        status => return Err(SourceError::Status { url: url.clone(), status }),
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(error)? {
        if bytes.len() + chunk.len() > PIECE_BYTES_MAX {
            return Err(SourceError::TooLarge { name: url.to_string() });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.freeze()))
}

/// Whether it may be better in a moment.
fn passes(error: &SourceError) -> bool {
    match error {
        SourceError::Request { .. } => true,
        SourceError::Status { status, .. } => {
            status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
        }
        SourceError::Unknown(_) | SourceError::Storage(_) | SourceError::TooLarge { .. } => false,
    }
}
