//! The seal: the log as a published, signed, witnessed log of tiles, in the formats of the C2SP.
//!
//! Does not know what is in an event. Whoever holds the seal grows the tiles and signs
//! ([`sealer`]); every server knows how far that is, reads the tiles, and proves by them.

pub mod keys;
mod sealer;
mod settling;
pub mod witnesses;

use std::{sync::Arc, time::Duration};

use event_store::{EventStore, Seal};
use evidence::{
    Failure, Hash, Receipt, SignerKey, Source, SourceError, Storage, VerifierKey,
    proof::{self, Consistency, Inclusion, Tiles},
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::problem::{Kind, Problem};
use sealer::Sealer;
pub use witnesses::{Witness, Witnesses};

/// How often checkpoints are signed at most, in milliseconds.
pub const SEAL_INTERVAL_MS: u64 = 500;

/// How the log is sealed.
pub struct Options {
    /// Where tiles, entries and the checkpoint are kept.
    pub storage: Storage,
    /// What signs: the log's key first.
    pub keys: Vec<SignerKey>,
    /// Who else must have seen it.
    pub witnesses: Witnesses,
    /// How often checkpoints are signed at most, in milliseconds.
    pub interval_ms: u64,
}

/// The published log, as this server knows it. Cheap to clone.
#[derive(Clone)]
pub struct Published {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    keys: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    quorum: usize,
    known: watch::Receiver<Known>,
}

/// What a server knows of the published log.
#[derive(Clone, Debug, Default)]
struct Known {
    seal: Seal,
    /// What the published checkpoint says; none while nothing of ours is published.
    now: Option<Now>,
}

/// How large the published log is, its root, and the checkpoint that says so.
#[derive(Clone, Debug)]
pub struct Now {
    /// So many entries.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// As it was signed, and cosigned.
    pub checkpoint: String,
}

/// Seals until it is cancelled; what others learn of it, and what to wait for when it ends.
pub fn start(
    store: EventStore,
    options: Options,
    closing: CancellationToken,
) -> (Published, JoinHandle<()>) {
    let (state, known) = watch::channel(Known::default());
    let inner = Inner {
        source: Source::Storage(options.storage.clone()),
        keys: options.keys.iter().map(|key| key.public().clone()).collect(),
        witnesses: options.witnesses.list().to_vec(),
        quorum: options.witnesses.quorum(),
        known,
    };
    let sealer = Sealer::new(store, options, state);
    (Published { inner: Arc::new(inner) }, tokio::spawn(sealer.run(closing)))
}

impl Published {
    /// Its name.
    pub fn origin(&self) -> &str {
        self.inner.keys.first().map_or("", VerifierKey::name)
    }

    /// By what its checkpoints are verified: the key in force first.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.inner.keys
    }

    /// Who cosigns.
    pub fn witnesses(&self) -> &[Witness] {
        &self.inner.witnesses
    }

    /// How many of them must have.
    pub fn quorum(&self) -> usize {
        self.inner.quorum
    }

    /// How far it is.
    pub fn seal(&self) -> Seal {
        self.inner.known.borrow().seal.clone()
    }

    /// Where its pieces are read.
    pub fn source(&self) -> &Source {
        &self.inner.source
    }

    /// What is published now.
    pub fn now(&self) -> Result<Now, Problem> {
        let now = self.inner.known.borrow().now.clone();
        let detail = "nothing is signed yet: ask again in a second";
        now.ok_or_else(|| Problem::new(Kind::NotSealed, detail))
    }

    /// Waits until an event is in the published log.
    pub async fn reaches(&self, position: u64, wait: Duration) -> bool {
        let mut known = self.inner.known.clone();
        let reached = known.wait_for(|known| known.seal.published_size >= position);
        matches!(timeout(wait, reached).await, Ok(Ok(_)))
    }

    /// The tiles of what is published.
    fn tiles(&self, now: &Now) -> Tiles<'_> {
        Tiles { source: &self.inner.source, size: now.size }
    }

    /// That the entry at an index is in the tree that the log has or had.
    pub async fn inclusion(
        &self,
        now: &Now,
        tree: (u64, Hash),
        index: u64,
    ) -> Result<Inclusion, Problem> {
        proof::inclusion(self.tiles(now), tree, index).await.map_err(unproved)
    }

    /// That the tree that the log has or had goes on from its first entries.
    pub async fn consistency(
        &self,
        now: &Now,
        tree: (u64, Hash),
        from: u64,
    ) -> Result<Consistency, Problem> {
        proof::consistency(self.tiles(now), tree, from).await.map_err(unproved)
    }

    /// What shows to anybody that the entry at an index is in what is published.
    pub async fn receipt(&self, now: Now, index: u64) -> Result<Receipt, Problem> {
        let proved = self.inclusion(&now, (now.size, now.root), index).await?;
        Ok(Receipt { index, hashes: proved.hashes, checkpoint: now.checkpoint })
    }
}

/// Why there is no proof.
fn unproved(failure: Failure) -> Problem {
    match failure {
        Failure::Found(found) => {
            tracing::error!(%found, "the published log cannot prove what it should");
            Problem::new(Kind::StorageUnavailable, found.to_string())
        }
        Failure::Unread(error) => away(error),
    }
}

/// The storage does not answer. Where it is, is nobody's affair outside.
pub fn away(error: SourceError) -> Problem {
    let detail = "the place where the log is published does not answer";
    Problem::new(Kind::StorageUnavailable, detail).caused_by(error)
}
