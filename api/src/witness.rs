//! A witness: sees logs grow, and says so (`tlog-witness`, `tlog-cosignature`).
//!
//! Does not know what is in a log. It remembers the newest checkpoint of each that it has cosigned,
//! durably before it says so, and cosigns none that does not go on from it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use evidence::{
    Checkpoint, Hash, Keys, SignerKey, Submission, Tree, VerifierKey, note_text, proof,
};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

/// The largest request, in bytes: 63 hashes, and a checkpoint with some signatures.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// The media type of a size (`tlog-witness`).
const SIZE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");

/// A witness at work.
pub struct Witness {
    key: SignerKey,
    logs: Vec<VerifierKey>,
    folder: PathBuf,
    /// Comparing and remembering is one step.
    turn: Mutex<()>,
    /// Nobody else remembers here while it is open.
    _lock: fs::File,
}

/// Why a witness does not begin.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum WitnessError {
    #[error("cannot use the folder {path}: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("another witness is at work in {path}")]
    InUse { path: PathBuf },
}

/// Why a checkpoint is not cosigned.
enum Refusal {
    Malformed(String),
    UnknownLog(String),
    Unsigned(String),
    /// What was cosigned last has this size.
    Knows(u64),
    Inconsistent,
    /// The witness's own fault.
    Failed(String),
}

impl Refusal {
    fn reply(self) -> Response {
        let said = |status: StatusCode, text: String| (status, format!("{text}\n")).into_response();
        match self {
            Refusal::Malformed(what) => said(StatusCode::BAD_REQUEST, what),
            Refusal::UnknownLog(origin) => {
                said(StatusCode::NOT_FOUND, format!("the log {origin:?} is not witnessed here"))
            }
            Refusal::Unsigned(fault) => said(StatusCode::FORBIDDEN, fault),
            Refusal::Knows(size) => {
                let headers = [(header::CONTENT_TYPE, SIZE)];
                (StatusCode::CONFLICT, headers, format!("{size}\n")).into_response()
            }
            Refusal::Inconsistent => said(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the proof does not show that it goes on from what was cosigned".to_owned(),
            ),
            Refusal::Failed(fault) => said(StatusCode::SERVICE_UNAVAILABLE, fault),
        }
    }
}

impl Witness {
    /// One with this key, for these logs, that remembers in a folder.
    pub fn open(
        key: SignerKey,
        logs: Vec<VerifierKey>,
        folder: &Path,
    ) -> Result<Witness, WitnessError> {
        let path = || folder.to_owned();
        let fault = |source| WitnessError::Folder { path: path(), source };
        fs::create_dir_all(folder).map_err(fault)?;
        let lock = fs::File::create(folder.join("lock")).map_err(fault)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| WitnessError::InUse { path: path() })?;
        Ok(Witness { key, logs, folder: path(), turn: Mutex::new(()), _lock: lock })
    }

    /// What it answers.
    pub fn router(self) -> Router {
        Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/key", get(key))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::new(self))
    }

    async fn cosign(&self, body: &[u8]) -> Result<String, Refusal> {
        let asked =
            Submission::parse(body).map_err(|fault| Refusal::Malformed(fault.to_string()))?;
        let checkpoint = asked.checkpoint.as_bytes();
        let origin = asked.checkpoint.split('\n').next().unwrap_or_default();
        let keys: Keys = self.logs.iter().filter(|key| key.name() == origin).cloned().collect();
        if keys.iter().next().is_none() {
            return Err(Refusal::UnknownLog(origin.to_owned()));
        }
        let said = Checkpoint::open(checkpoint, &keys);
        let said = said.map_err(|fault| Refusal::Unsigned(fault.to_string()))?;
        if asked.old > said.size {
            let fault = "the old size is larger than the checkpoint's";
            return Err(Refusal::Malformed(fault.to_owned()));
        }
        let _turn = self.turn.lock().await;
        let known = self.known(origin, &keys)?;
        let (known_size, known_root) = known.unwrap_or((0, Tree::default().root()));
        if asked.old != known_size || (asked.old == said.size && said.root != known_root) {
            return Err(Refusal::Knows(known_size));
        }
        let (old, new) = ((known_size, known_root), (said.size, said.root));
        // From nothing, and from the same, there is nothing to prove.
        let needs_none = known_size == 0 || known_size == said.size;
        let is_shown = match needs_none {
            true => asked.hashes.is_empty(),
            false => proof::is_consistent(&asked.hashes, new, old),
        };
        if !is_shown {
            return Err(Refusal::Inconsistent);
        }
        let failed = |what: &dyn std::fmt::Display| Refusal::Failed(what.to_string());
        let kept = agent::replace(&self.folder.join(file(origin)), checkpoint);
        kept.map_err(|error| failed(&error))?;
        let text = note_text(checkpoint).ok_or(Refusal::Malformed("it is no note".to_owned()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| failed(&error))?;
        let line = self.key.sign(&text, now.as_secs()).map_err(|error| failed(&error))?;
        Ok(String::from_utf8_lossy(&line.to_bytes()).into_owned())
    }

    /// What was cosigned last of a log.
    fn known(&self, origin: &str, keys: &Keys) -> Result<Option<(u64, Hash)>, Refusal> {
        let file = self.folder.join(file(origin));
        let failed = |what: &dyn std::fmt::Display| {
            Refusal::Failed(format!("what was cosigned is in {}: {what}", file.display()))
        };
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let known = Checkpoint::open(&bytes, keys).map_err(|fault| failed(&fault))?;
        Ok(Some((known.size, known.root)))
    }
}

/// Where it is kept what was cosigned last of a log.
fn file(origin: &str) -> String {
    format!("{}.checkpoint", hex::encode(Sha256::digest(origin)))
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    match witness.cosign(&body).await {
        Ok(line) => line.into_response(),
        Err(refusal) => refusal.reply(),
    }
}

async fn key(State(witness): State<Arc<Witness>>) -> String {
    format!("{}\n", witness.key.public())
}
