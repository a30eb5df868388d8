//! One projection at work: read a segment, apply it, save the checkpoint, for ever.
//!
//! Does not know what the projection does with events. Catch-up and live are one path: at the head
//! it waits for the head to move. Whatever it does in memory, correctness rests on the locked
//! checkpoint.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use event_store::StoreError;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    begin::begin,
    checkpoint::{self, Id},
    event::{Chunk, Event, Segment},
    projection::{ApplyError, Projection},
    reader::Reader,
    runner::ProjectionsOptions,
    status::Pulse,
};

/// A projection with everything it needs to move.
pub(crate) struct Worker {
    pub projection: Arc<dyn Projection>,
    pub pool: PgPool,
    pub reader: Arc<Reader>,
    pub pulse: Arc<Pulse>,
    pub options: ProjectionsOptions,
}

/// Why a step did not move the projection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("the read model was built from log {built_from}, and the log is now {log}: rebuild it")]
    OtherLog { built_from: Uuid, log: Uuid },
}

impl From<sqlx::Error> for WorkError {
    fn from(error: sqlx::Error) -> WorkError {
        WorkError::Apply(ApplyError::Database(error))
    }
}

impl WorkError {
    /// Whether only a person can help.
    fn stops(&self) -> bool {
        match self {
            WorkError::OtherLog { .. } | WorkError::Log(StoreError::Incarnation { .. }) => true,
            WorkError::Log(_) | WorkError::Apply(_) => false,
        }
    }
}

/// What a step did.
enum Step {
    /// The checkpoint moved, and more is stored already or not.
    Moved { to: u64, more_follows: bool },
    /// There is nothing to apply.
    AtHead,
    /// Another process or a rebuild moved the checkpoint meanwhile: nothing was written.
    Overtaken,
}

/// How one attempt at a segment ended.
enum Attempt {
    /// Committed.
    Applied,
    /// The checkpoint was elsewhere.
    Overtaken,
    /// An event was refused: everything was rolled back.
    Refused,
}

/// Keys that are parked in the transaction under way: the first waiting position, and for keys that
/// were parked just now the reason.
#[derive(Default)]
pub(crate) struct ParkedKeys {
    before: HashMap<String, u64>,
    now: BTreeMap<String, (u64, String)>,
}

impl ParkedKeys {
    fn holds(&self, key: &str) -> bool {
        self.before.contains_key(key) || self.now.contains_key(key)
    }

    fn park(&mut self, event: &Event, error: String) {
        self.now.insert(event.key().to_owned(), (event.position, error));
    }

    /// What was parked just now.
    pub fn now(&self) -> &BTreeMap<String, (u64, String)> {
        &self.now
    }
}

impl Worker {
    /// Runs until cancelled. A step under way may finish within the grace period.
    pub async fn run(self, cancelled: CancellationToken) {
        let grace = async {
            cancelled.cancelled().await;
            sleep(Duration::from_millis(self.options.shutdown_ms_max)).await;
        };
        select! {
            () = self.work(&cancelled) => {}
            () = grace => {}
        }
    }

    async fn work(&self, cancelled: &CancellationToken) {
        let mut head = self.reader.store().watch_head();
        let mut position = None;
        let mut failures = 0_u32;
        while !cancelled.is_cancelled() {
            let seen = *head.borrow_and_update();
            let pause = match self.step(&mut position).await {
                Ok(Step::Moved { to, more_follows }) => {
                    failures = 0;
                    // A segment that another read first may end before what woke us.
                    let more_follows = more_follows || to < seen;
                    self.pulse.moved(to, more_follows);
                    if more_follows {
                        continue;
                    }
                    self.options.poll_ms
                }
                Ok(Step::AtHead) => {
                    failures = 0;
                    self.pulse.at_head();
                    self.options.poll_ms
                }
                Ok(Step::Overtaken) => {
                    position = None;
                    continue;
                }
                Err(error) => {
                    position = None;
                    failures = failures.saturating_add(1);
                    self.failed(&error).await;
                    self.options.backoff_ms(failures)
                }
            };
            let wake = async {
                // A failure is not cured by new events.
                if failures > 0 || head.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                select! {
                    () = sleep(Duration::from_millis(self.options.gather_ms)) => {}
                    () = self.pulse.hurried() => {}
                }
            };
            select! {
                () = cancelled.cancelled() => {}
                () = wake => {}
                // Somebody may have moved the checkpoint back: what is remembered of it is
                // forgotten.
                () = self.pulse.woken() => position = None,
                () = sleep(Duration::from_millis(pause)) => position = None,
            }
        }
    }

    async fn step(&self, known: &mut Option<u64>) -> Result<Step, WorkError> {
        let position = match *known {
            Some(position) => position,
            None => self.open().await?,
        };
        *known = Some(position);
        let Some(segment) = self.reader.after(position).await? else { return Ok(Step::AtHead) };
        // Careful work needs more statements: it is kept for segments with an event that is
        // refused.
        let mut attempt = self.attempt(position, &segment, false).await?;
        if matches!(attempt, Attempt::Refused) {
            attempt = self.attempt(position, &segment, true).await?;
        }
        match attempt {
            Attempt::Applied => {
                let (to, more_follows) = (segment.scanned_to, segment.more_follows);
                *known = Some(to);
                Ok(Step::Moved { to, more_follows })
            }
            Attempt::Overtaken | Attempt::Refused => Ok(Step::Overtaken),
        }
    }

    /// Finds the checkpoint, or makes it.
    async fn open(&self) -> Result<u64, WorkError> {
        let log = self.reader.store().head().await?.incarnation;
        let (position, built_from) = checkpoint::open(&self.pool, self.id(), log).await?;
        if built_from != log {
            return Err(WorkError::OtherLog { built_from, log });
        }
        self.pulse.set(position);
        Ok(position)
    }

    /// Effect and checkpoint in one transaction.
    async fn attempt(
        &self,
        position: u64,
        segment: &Segment,
        careful: bool,
    ) -> Result<Attempt, WorkError> {
        let mut tx = begin(&self.pool).await?;
        let Some(found) = checkpoint::lock(&mut tx, self.id()).await? else {
            return Ok(Attempt::Overtaken);
        };
        if found.incarnation != segment.incarnation {
            let (built_from, log) = (found.incarnation, segment.incarnation);
            return Err(WorkError::OtherLog { built_from, log });
        }
        if found.position != position {
            return Ok(Attempt::Overtaken);
        }
        let mut parked = ParkedKeys::default();
        if found.parked > 0 {
            parked.before = checkpoint::parked_keys(&mut tx, self.id()).await?;
        }
        let events = followed(&*self.projection, &segment.events, &mut parked);
        let applied = if careful {
            apply_carefully(&*self.projection, &events, &mut tx, &mut parked).await
        } else if events.is_empty() {
            Ok(())
        } else {
            self.projection.apply(&Chunk::new(&events), &mut tx).await
        };
        match applied {
            Err(error) if error.is_refusal() && !careful => return Ok(Attempt::Refused),
            other => other?,
        }
        for (key, (first, error)) in parked.now() {
            checkpoint::park(&mut tx, self.id(), key, *first, error).await?;
        }
        let rate = self.pulse.rate();
        checkpoint::save(&mut tx, self.id(), segment.scanned_to, rate).await?;
        tx.commit().await?;
        for (key, (first, error)) in parked.now() {
            let name = self.projection.name();
            tracing::error!(projection = name, key, position = first, error, "parked a key");
            self.pulse.noted(error);
        }
        Ok(Attempt::Applied)
    }

    async fn failed(&self, error: &WorkError) {
        let text = error.to_string();
        let name = self.projection.name();
        if self.pulse.stalled(&text, error.stops()) {
            tracing::warn!(projection = name, error = text, "the projection does not move");
        }
        // The database may be what is missing: then memory knows, and that is enough.
        if let Err(unsaved) = checkpoint::note(&self.pool, self.id(), &text, Some(&text)).await {
            tracing::debug!(projection = name, error = %unsaved, "could not write the error down");
        }
    }

    fn id(&self) -> Id {
        Id { name: self.projection.name(), version: self.projection.version() }
    }
}

/// The events a projection follows, without those of parked keys. An event that cannot be read
/// parks its key.
pub(crate) fn followed<'e>(
    projection: &dyn Projection,
    events: &'e [Event],
    parked: &mut ParkedKeys,
) -> Vec<&'e Event> {
    let categories = projection.follows();
    let mut followed = Vec::with_capacity(events.len());
    let none_parked = parked.before.is_empty();
    for event in events {
        if !categories.contains(&event.stream.category()) {
            continue;
        }
        if (!none_parked || !parked.now.is_empty()) && parked.holds(event.key()) {
            continue;
        }
        match &event.fact {
            Ok(_) => followed.push(event),
            Err(error) => parked.park(event, error.clone()),
        }
    }
    followed
}

/// Applies what can be applied: halves a refused piece until the event at fault stands alone, parks
/// its key and goes on without it.
pub(crate) async fn apply_carefully(
    projection: &dyn Projection,
    events: &[&Event],
    tx: &mut PgConnection,
    parked: &mut ParkedKeys,
) -> Result<(), ApplyError> {
    let mut pieces = vec![events];
    while let Some(piece) = pieces.pop() {
        let left: Vec<&Event> =
            piece.iter().copied().filter(|event| !parked.now.contains_key(event.key())).collect();
        let Some(first) = left.first() else { continue };
        let mut savepoint = tx.begin().await?;
        match projection.apply(&Chunk::new(&left), &mut savepoint).await {
            Ok(()) => savepoint.commit().await?,
            Err(error) if error.is_refusal() => {
                savepoint.rollback().await?;
                if left.len() == 1 {
                    parked.park(first, error.to_string());
                    continue;
                }
                let (earlier, later) = piece.split_at(piece.len() / 2);
                pieces.push(later);
                pieces.push(earlier);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
