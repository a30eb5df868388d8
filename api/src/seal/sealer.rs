//! Who seals: takes the log up where it was signed last, grows its tiles, and signs.
//!
//! Does not hold up who appends: it reads what is committed, and waits for no disk of its own.
//! Tiles are kept before the checkpoint that needs them is signed, and settle on the disk later;
//! those that had not when the machine went down are made anew out of the log, which had. A
//! checkpoint is recorded under the lease's fence before it is published. Nothing is signed that
//! does not go on from what was signed before: then it is said why, and somebody must look.

use std::time::{Duration, Instant};

use event_store::{EventStore, Filter, StoreError, StoredEvent};
use evidence::{
    CHECKPOINT, Checkpoint, Edge, Failure, Filled, Found, Hash, Keys, Piece, SignerKey, Source,
    SourceError, Storage, StorageError,
    bundle::BundleFault,
    proof::{self, Tiles},
    record_hash,
};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::{
    Known, Now, Options,
    settling::{self, Settling},
    witnesses::{Cosigning, Witnesses},
};

/// For how long the seal is held without a word of its holder, in milliseconds.
const LEASE_MS: u64 = 10_000;
/// How long who seals works on before it says again that it lives.
const HELD_AGAIN: Duration = Duration::from_secs(1);
/// How long the last round of a server that stops may take.
const LAST_ROUND: Duration = Duration::from_secs(2);
/// Events that are read at once: with what they fill they stay in a processor's memory until it is
/// written.
const PAGE_EVENTS: usize = 2_560;
/// Events between two checkpoints, while there are many to catch up with.
const ROUND_EVENTS_MAX: u64 = 100_000;
/// A round of more events leaves it to a later one to remove what nobody needs any more: a file
/// system has enough to do then.
const TIDIED_EVENTS_MAX: u64 = 10_000;
/// So much is left to later rounds, and no more.
const PARTIALS_MAX: usize = 4_096;

/// What seals, while it holds the seal.
pub(super) struct Sealer {
    store: EventStore,
    storage: Storage,
    source: Source,
    keys: Vec<SignerKey>,
    public: Keys,
    witnesses: Witnesses,
    interval: Duration,
    holder: Uuid,
    state: watch::Sender<Known>,
}

/// The seal in our hand.
struct Held {
    fence: u64,
    edge: Edge,
    /// The newest checkpoint that is signed and not published yet.
    unpublished: Option<Signed>,
    /// The pieces that were kept before they were full.
    partials: Vec<Piece>,
    settling: Settling,
}

/// What is kept of what is full.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Nothing,
    /// What is not there, or is something else.
    Missing,
    All,
}

/// What is signed: by Ed25519 the same checkpoint whenever it is signed again.
#[derive(Clone, Copy, PartialEq)]
struct Signed {
    size: u64,
    root: Hash,
}

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
enum SealError {
    /// Somebody must look.
    #[error("{0}")]
    Refused(String),
    #[error("another process holds the seal")]
    Lost,
    /// The tiles are not those of the log.
    #[error(transparent)]
    Differs(Found),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Unread(#[from] SourceError),
    #[error("{0}")]
    Unwitnessed(String),
    #[error("it cannot be signed: {0}")]
    Unsigned(String),
}

impl From<Failure> for SealError {
    fn from(failure: Failure) -> SealError {
        match failure {
            Failure::Found(found) => SealError::Differs(found),
            Failure::Unread(error) => SealError::Unread(error),
        }
    }
}

impl Sealer {
    pub(super) fn new(store: EventStore, options: Options, state: watch::Sender<Known>) -> Sealer {
        Sealer {
            store,
            source: Source::Storage(options.storage.clone()),
            storage: options.storage,
            public: options.keys.iter().map(|key| key.public().clone()).collect(),
            keys: options.keys,
            witnesses: options.witnesses,
            interval: Duration::from_millis(options.interval_ms),
            holder: Uuid::now_v7(),
            state,
        }
    }

    /// Seals until it is cancelled; then it lets another take the seal.
    pub(super) async fn run(self, closing: CancellationToken) {
        let mut held = None;
        let mut said = None;
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while closing.run_until_cancelled(ticks.tick()).await.is_some() {
            let Err(error) = self.round(&mut held).await else {
                said = None;
                continue;
            };
            if let SealError::Refused(because) = &error
                && let Some(fence) =
                    self.store.hold_seal(self.holder, LEASE_MS).await.ok().flatten()
                && self.store.refuse_seal(fence, because).await.is_ok()
            {
                self.tell().await.unwrap_or_default();
            }
            // It comes back each time: said once.
            let text = error.to_string();
            if said.as_ref() != Some(&text) {
                if matches!(error, SealError::Refused(_)) {
                    error!(because = %text, "the log is not sealed on");
                } else {
                    warn!(because = %text, "the log is sealed at the next try");
                }
                said = Some(text);
            }
            held = None;
        }
        // Whoever waited for the seal of what was committed until now gets it.
        if held.is_some() && timeout(LAST_ROUND, self.round(&mut held)).await.is_err() {
            warn!("the last events are sealed by whoever takes the seal next");
        }
        if let Ok(Some(fence)) = self.store.hold_seal(self.holder, LEASE_MS).await {
            self.store.release_seal(fence).await.unwrap_or_default();
        }
    }

    async fn round(&self, held: &mut Option<Held>) -> Result<(), SealError> {
        match self.store.hold_seal(self.holder, LEASE_MS).await? {
            None => *held = None,
            Some(fence) => {
                let mut mine = match held.take() {
                    Some(before) if before.fence == fence => before,
                    _ => self.take_up(fence).await?,
                };
                self.go_on(&mut mine).await?;
                *held = Some(mine);
            }
        }
        Ok(self.tell().await?)
    }

    /// Lets everybody here know how far it is.
    async fn tell(&self) -> Result<(), StoreError> {
        let seal = self.store.seal().await?;
        if self.state.borrow().seal == seal {
            return Ok(());
        }
        let now = seal.published.clone().and_then(|checkpoint| {
            match Checkpoint::open(checkpoint.as_bytes(), &self.public) {
                Ok(Checkpoint { size, root, .. }) => Some(Now { size, root, checkpoint }),
                Err(fault) => {
                    warn!(%fault, "another server publishes by other keys");
                    None
                }
            }
        });
        self.state.send_replace(Known { seal, now });
        Ok(())
    }

    /// Goes on from what was signed last, by the database, by what is published and by the
    /// witnesses: the most of it counts, and the log must have all of it.
    async fn take_up(&self, fence: u64) -> Result<Held, SealError> {
        let recorded = self.store.seal().await?.signed;
        let recorded = recorded.map(|signed| Signed { size: signed.size, root: Hash(signed.root) });
        let published = self.published().await?;
        if let (Some(one), Some(other)) = (recorded, published)
            && one.size == other.size
            && one != other
        {
            return Err(SealError::Refused(format!(
                "two roots of {} entries are signed: {} is recorded in the database, {} is \
                 published in {}",
                one.size, one.root, other.root, self.storage
            )));
        }
        let newest = recorded.into_iter().chain(published).max_by_key(|signed| signed.size);
        let edge = match newest {
            None => Edge::default(),
            Some(newest) => self.edge_at(newest).await?,
        };
        self.compare_with_witnesses(&edge).await?;
        let settled = match newest {
            None => 0,
            Some(newest) => self.mend(newest).await?,
        };
        if let Some(newest) = newest {
            self.record(fence, newest).await?;
        }
        info!(entries = edge.size(), "took up the seal");
        let partials = edge.partials().iter().map(|(piece, _)| piece.full()).collect();
        // Published or not, it is said again: the record of it may be missing.
        let settling = Settling::from(settled);
        Ok(Held { fence, edge, unpublished: newest, partials, settling })
    }

    /// What may not have settled before a machine went down is made anew out of the log, where it
    /// is not there; how many entries had settled.
    async fn mend(&self, signed: Signed) -> Result<u64, SealError> {
        let settled = settling::settled(&self.storage, signed.size).await?;
        if settled == signed.size {
            return Ok(settled);
        }
        let whole = settled - settled % Edge::WHOLE;
        let mended = async {
            let from = Edge::load_whole(&self.source, signed.size, whole).await?;
            let (size, root) = (signed.size, signed.root);
            let grown = self.grown_anew(from, signed, Keep::Missing).await?;
            grown.map_err(|_| SealError::Differs(Found::Tiles { size, root }))
        };
        match mended.await {
            Err(SealError::Differs(found)) => {
                warn!(%found, "the tiles are not those of the log: they are made anew");
                self.made_anew(signed).await?;
                Ok(0)
            }
            mended => mended.map(|_| settled),
        }
    }

    /// The checkpoint that is published, which must be ours.
    async fn published(&self) -> Result<Option<Signed>, SealError> {
        let Some(bytes) = self.source.get(CHECKPOINT).await? else { return Ok(None) };
        match Checkpoint::open(&bytes, &self.public) {
            Ok(Checkpoint { size, root, .. }) => Ok(Some(Signed { size, root })),
            Err(fault) => Err(SealError::Refused(format!(
                "the checkpoint in {} is none of ours: {fault}. It belongs to another log, or it \
                 was changed; nothing is written over it",
                self.storage
            ))),
        }
    }

    /// Whether witnesses have seen no more than there is. (That there is nothing yet is true of
    /// every log at first.)
    async fn compare_with_witnesses(&self, edge: &Edge) -> Result<(), SealError> {
        let size = edge.size();
        let asked = self.sign(Signed { size, root: edge.root() })?;
        match self.witnesses.seen(&asked, size).await {
            Cosigning::Done(_) => Ok(()),
            Cosigning::Missing(because) => Err(SealError::Unwitnessed(because)),
            Cosigning::Contradicted(because) => Err(SealError::Refused(because)),
        }
    }

    /// The edge of the log as it was signed: by its tiles, or, when they are not all there, by the
    /// log itself, which must have that root.
    async fn edge_at(&self, signed: Signed) -> Result<Edge, SealError> {
        let size = signed.size;
        let head = self.store.head().await?.position;
        if head < size {
            return Err(SealError::Refused(format!(
                "the database has {head} events, and {size} were signed: the last {} are lost. \
                 Nothing is signed until the database has them again",
                size - head
            )));
        }
        match self.edge_of_tiles(signed).await {
            Err(SealError::Differs(found)) => {
                warn!(%found, "the tiles are not those of the log: they are made anew");
                self.made_anew(signed).await
            }
            edge => edge,
        }
    }

    async fn edge_of_tiles(&self, Signed { size, root }: Signed) -> Result<Edge, SealError> {
        let partial = Edge::partial(size);
        // The last event at least: its hash stands for all before it, as nothing is ever changed.
        let events = self.events(size.saturating_sub(partial.max(1)), size).await?;
        if let Some(last) = events.last().filter(|_| partial == 0) {
            let (tiles, index) = (Tiles { source: &self.source, size }, size - 1);
            if proof::inclusion(tiles, (size, root), index).await?.leaf != record_hash(&last.record)
            {
                let because = "it is another event than the one that was signed".to_owned();
                return Err(SealError::Differs(Found::Wrong { index, because }));
            }
        }
        // One of a full bundle is none of the edge.
        let entries = events.iter().filter(|_| partial > 0).map(|event| &event.record[..]);
        Ok(Edge::load(&self.source, size, root, entries).await?)
    }

    /// The events after one position up to another.
    async fn events(&self, after: u64, to: u64) -> Result<Vec<StoredEvent>, SealError> {
        let limit = usize::try_from(to - after).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        if limit == 0 {
            return Ok(Vec::new());
        }
        Ok(self.store.read_all(after, &Filter::all(), limit).await?.events)
    }

    /// All tiles up to what was signed, out of the log.
    async fn made_anew(&self, signed: Signed) -> Result<Edge, SealError> {
        let made = self.grown_anew(Edge::default(), signed, Keep::All).await?;
        made.map_err(|root| {
            SealError::Refused(format!(
                "the log in the database is not the one that was signed: its first {} events have \
                 the root {root}, and {} was signed. Events were changed, or were lost and \
                 followed by others",
                signed.size, signed.root
            ))
        })
    }

    /// The tiles from an edge up to what was signed, out of the log; or the root that they come to
    /// instead. Then nothing is written: what is there may be all the evidence there is.
    async fn grown_anew(
        &self,
        from: Edge,
        signed: Signed,
        how: Keep,
    ) -> Result<Result<Edge, Hash>, SealError> {
        let edge = self.grow(from.clone(), signed.size, Keep::Nothing).await?;
        if edge.root() != signed.root {
            return Ok(Err(edge.root()));
        }
        let edge = self.grow(from, signed.size, how).await?;
        self.keep(edge.partials(), how).await?;
        Ok(Ok(edge))
    }

    /// Adds the events up to a position; what is full by them is kept, if it is to be.
    async fn grow(&self, mut edge: Edge, to: u64, how: Keep) -> Result<Edge, SealError> {
        // Each round begins with holding the seal.
        let mut held = Instant::now();
        while edge.size() < to {
            // Its holder lives, however much there is to do.
            if held.elapsed() >= HELD_AGAIN {
                if self.store.hold_seal(self.holder, LEASE_MS).await?.is_none() {
                    return Err(SealError::Lost);
                }
                held = Instant::now();
            }
            let after = edge.size();
            let grown = match self.store.written(after, to.min(after + PAGE_EVENTS as u64)) {
                Some(written) => spawn_blocking(move || grown(edge, written.records())),
                None => {
                    let events = self.events(after, to).await?;
                    spawn_blocking(move || {
                        grown(edge, events.iter().map(|event| &event.record[..]))
                    })
                }
            };
            let grown = grown.await.map_err(|panic| SealError::Unsigned(panic.to_string()))?;
            let (grown, full) = grown.map_err(|fault| SealError::Unsigned(fault.to_string()))?;
            edge = grown;
            self.keep(full, how).await?;
        }
        Ok(edge)
    }

    async fn keep(&self, pieces: Vec<Filled>, how: Keep) -> Result<(), SealError> {
        let mut kept = Vec::with_capacity(pieces.len());
        for (piece, bytes) in pieces {
            let path = piece.to_string();
            let is_wanted = match how {
                Keep::Nothing => false,
                Keep::Missing => self.storage.get(&path).await?.as_ref() != Some(&bytes),
                Keep::All => true,
            };
            if is_wanted {
                kept.push((path, bytes));
            }
        }
        Ok(self.storage.put_soon(kept).await?)
    }

    /// What was committed since: tiles, then the checkpoint.
    async fn go_on(&self, held: &mut Held) -> Result<(), SealError> {
        let head = self.store.head().await?.position;
        let to = head.min(held.edge.size() + ROUND_EVENTS_MAX);
        let count = to.saturating_sub(held.edge.size());
        if count > 0 {
            let edge = self.grow(std::mem::take(&mut held.edge), to, Keep::All).await?;
            let partials = edge.partials();
            let kept: Vec<Piece> = partials.iter().map(|(piece, _)| piece.full()).collect();
            self.keep(partials, Keep::All).await?;
            let signed = Signed { size: edge.size(), root: edge.root() };
            self.record(held.fence, signed).await?;
            held.edge = edge;
            held.unpublished = Some(signed);
            held.partials.retain(|piece| !kept.contains(piece));
            held.partials.extend(kept);
        }
        if let Some(signed) = held.unpublished
            && self.publish(held.fence, signed).await?
        {
            held.unpublished = None;
        }
        held.settling.go_on(&self.storage, held.edge.size()).await?;
        match count <= TIDIED_EVENTS_MAX || held.partials.len() >= PARTIALS_MAX {
            true => self.tidy(held).await,
            false => Ok(()),
        }
    }

    async fn record(&self, fence: u64, signed: Signed) -> Result<(), SealError> {
        let text = self.sign(signed)?;
        let Signed { size, root } = signed;
        match self.store.record_signed(fence, size, &root.0, &text).await? {
            true => Ok(()),
            false => Err(SealError::Lost),
        }
    }

    fn sign(&self, Signed { size, root }: Signed) -> Result<String, SealError> {
        let signed = Checkpoint::sign(size, root, &self.keys);
        let signed = signed.map_err(|fault| SealError::Unsigned(fault.to_string()))?;
        String::from_utf8(signed).map_err(|fault| SealError::Unsigned(fault.to_string()))
    }

    /// Publishes a checkpoint when enough witnesses have cosigned it.
    async fn publish(&self, fence: u64, signed: Signed) -> Result<bool, SealError> {
        let (text, Signed { size, root }) = (self.sign(signed)?, signed);
        let text = match self.witnesses.cosign(&self.source, (size, root), &text).await {
            Cosigning::Done(text) => text,
            Cosigning::Missing(because) => {
                warn!(%because, "not published yet");
                return Ok(false);
            }
            Cosigning::Contradicted(because) => return Err(SealError::Refused(because)),
        };
        self.storage.put(CHECKPOINT, text.clone().into()).await?;
        if self.store.record_published(fence, size, &text).await? {
            Ok(true)
        } else {
            Err(SealError::Lost)
        }
    }

    /// Removes the partial pieces of what is full by now: nobody needs them any more.
    async fn tidy(&self, held: &mut Held) -> Result<(), SealError> {
        let size = held.edge.size();
        for piece in held.partials.extract_if(.., |piece| piece.is_within(size)) {
            self.storage.remove_below(&format!("{piece}.p")).await?;
        }
        Ok(())
    }
}

/// An edge with some records more, and what is full by them.
fn grown<'r>(
    mut edge: Edge,
    records: impl Iterator<Item = &'r [u8]>,
) -> Result<(Edge, Vec<Filled>), BundleFault> {
    let mut full = Vec::new();
    for record in records {
        // A record is never longer than an entry may be.
        edge.push(record, &mut full)?;
    }
    Ok((edge, full))
}
