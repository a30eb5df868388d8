//! The past of one thing: its streams folded up to a position, by the projections that fold them
//! as they come, into tables of a database beside the live one.
//!
//! Nothing that is folded here stays: each fold is a transaction that is rolled back. What has more
//! history than one question may fold is asked of a replay.

use std::{
    fmt, iter,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    aggregate::Aggregate,
    block::Block,
    chain::{Chain, ChainStream},
    transaction,
    values::{Address, ChainId, Hash},
};
use event_store::{EventStore, Filter, StoreError, StoredEvent, StreamName};
use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{
    attachment,
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
    read::ReadError,
    state_history::{self, Thing},
    transactions::Transaction,
    worker::{ParkedKeys, followed},
};

/// How many events of a thing's history one question folds at most.
pub const PAST_EVENTS_MAX: usize = 20_000;
/// How many questions about the past are answered at the same time by one process.
const DESKS: usize = 4;
/// Events that are read and folded at once.
const PAGE_EVENTS: usize = 4_096;
/// How many blocks that changed a thing one question folds at most.
pub const PAST_BLOCKS_MAX: usize = 1_000;
/// Blocks that are read and folded at once: each may have changed much.
const PAGE_BLOCKS: usize = 16;

/// Why the past is not known.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum PastError {
    #[error("its history has more than {PAST_EVENTS_MAX} events up to there")]
    TooLong,
    #[error("more than {PAST_BLOCKS_MAX} blocks say what it was there")]
    TooManyBlocks,
    #[error("it cannot be folded: {0}")]
    Refused(String),
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<ApplyError> for PastError {
    fn from(error: ApplyError) -> PastError {
        match error {
            ApplyError::Refused(because) => PastError::Refused(because),
            ApplyError::Database(error) => PastError::Database(error),
        }
    }
}

/// What must be folded to know one thing.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The names of streams.
    streams: Vec<String>,
    chains: Vec<ChainId>,
    /// What the state of our own chain has a history of.
    things: Vec<Thing>,
    /// Events that are known to say it.
    positions: Vec<u64>,
    /// Where it was accepted, of a transaction that was neither evicted nor replaced: once it is
    /// executed, that and its block say all.
    accepted: Option<u64>,
}

impl Subject {
    /// A thing whose stream says all about it.
    pub fn of<A: Aggregate>(id: &A::Id) -> Subject {
        Subject::of_stream(A::CATEGORY, id)
    }

    /// The same, by the category of its stream and its id.
    pub fn of_stream(category: &str, id: impl fmt::Display) -> Subject {
        Subject::unknown().with(category, id)
    }

    /// A thing that nothing is known of.
    pub fn unknown() -> Subject {
        Subject::default()
    }

    /// A thing that is known from all streams of a chain.
    pub fn of_chain(chain: ChainId) -> Subject {
        Subject::unknown().and_chain(chain)
    }

    /// Our own chain.
    pub fn of_own_chain(chain: ChainId) -> Subject {
        Subject { things: vec![Thing::Chain(chain)], ..Subject::unknown() }
    }

    /// An account of our own chain.
    pub fn of_account(address: Address) -> Subject {
        Subject { things: vec![Thing::AccountWithStakes(address)], ..Subject::unknown() }
    }

    /// A notarised document, by the transaction that anchored it.
    pub fn of_anchor(transaction: Hash) -> Subject {
        Subject { things: vec![Thing::Anchor(transaction)], ..Subject::unknown() }
    }

    /// A block of our own chain.
    pub fn of_block(hash: Hash) -> Subject {
        Subject { things: vec![Thing::Block(hash)], ..Subject::of::<Block>(&hash) }
    }

    /// A transaction, by what it is now: what its sender sent, which of it was executed, and the
    /// block that holds it.
    pub fn of_transaction(now: &Transaction) -> Subject {
        let block = now.block_hash.map(Thing::Block);
        let things = iter::once(Thing::Account(now.sender)).chain(block).collect();
        let as_it_was = now.evicted_because.is_none() && now.replaced_by.is_none();
        let accepted = as_it_was.then_some(now.position);
        Subject { things, accepted, ..Subject::of::<transaction::Account>(&now.sender) }
    }

    /// The same, known from all streams of one more chain.
    #[must_use]
    pub fn and_chain(mut self, chain: ChainId) -> Subject {
        self.chains.push(chain);
        self
    }

    fn with(mut self, category: &str, id: impl fmt::Display) -> Subject {
        self.streams.push(format!("{category}-{id}"));
        self
    }

    /// Whether it must be looked up in the state's history before it is folded.
    pub fn is_of_the_state(&self) -> bool {
        !self.things.is_empty()
    }

    /// The same, known from what says what it was at a position, by the state's history.
    pub async fn looked_up(mut self, pool: &PgPool, until: u64) -> Result<Subject, ReadError> {
        for thing in &self.things {
            let found = state_history::positions(pool, thing, until).await?;
            if let (Thing::Block(_), Some(accepted), false) =
                (thing, self.accepted, found.is_empty())
            {
                self.streams.clear();
                self.positions.push(accepted);
            }
            self.positions.extend(found);
        }
        Ok(self)
    }

    /// The same, known from the events at these positions too.
    #[must_use]
    pub fn found_at(mut self, positions: Vec<u64>) -> Subject {
        self.positions.extend(positions);
        self
    }

    /// Of what its blocks changed, only what is its own: they changed much else.
    fn narrow(&self, events: &mut [Event]) {
        if self.things.is_empty() {
            return;
        }
        let attached =
            events.iter_mut().filter_map(|event| event.attachment.as_mut()?.as_mut().ok());
        for attachment in attached.filter_map(Arc::get_mut) {
            attachment.retain(|entry| self.things.iter().any(|thing| thing.has(entry)));
        }
    }

    /// Which rows it has, by name, whatever was looked up: those of a sender's transactions are of
    /// one sender.
    fn rows(&self) -> String {
        match self.things.first() {
            Some(thing) => format!("{thing:?}"),
            None => format!("{:?} {:?} {:?}", self.streams, self.chains, self.positions),
        }
    }

    async fn streams(&self, store: &EventStore) -> Result<Vec<StreamName>, StoreError> {
        // What no stream can be called, none is.
        let named = self.streams.iter().filter_map(|name| StreamName::new(name.as_str()).ok());
        let mut streams: Vec<StreamName> = named.collect();
        if !self.chains.is_empty() {
            let all = store.streams_of(Chain::CATEGORY).await?;
            streams.extend(all.into_iter().filter(|stream| {
                let of = stream.id().parse::<ChainStream>();
                of.is_ok_and(|of| self.chains.contains(&of.chain))
            }));
        }
        Ok(streams)
    }
}

/// Answers questions about the past. Cheap to clone.
#[derive(Clone)]
pub struct Past {
    store: EventStore,
    beside: PgConnectOptions,
    places: Arc<Semaphore>,
    /// Those nobody sits at: connections to fold on, each as a pool, for that is what read models
    /// are read from.
    desks: Arc<Mutex<Vec<PgPool>>>,
}

impl Past {
    /// On a database that has the tables of read models, all of them empty for ever.
    pub fn new(store: EventStore, beside: PgConnectOptions) -> Past {
        Past { store, beside, places: Arc::new(Semaphore::new(DESKS)), desks: Arc::default() }
    }

    /// Folds what is to be known of a thing as of a position, for these read models.
    pub async fn fold(
        &self,
        models: &[&str],
        subject: &Subject,
        until: u64,
    ) -> Result<Folded, PastError> {
        let filter = Filter { streams: subject.streams(&self.store).await?, ..Filter::default() };
        let folded = self.begun().await?;
        let mut connection = folded.pool().acquire().await?;
        // Two folds of the same rows would come to wait for each other half-way.
        sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("{models:?} {}", subject.rows()))
            .execute(&mut *connection)
            .await?;
        let projections = crate::named(models);
        let (mut after, mut count) = (0, 0);
        while after < until && !filter.streams.is_empty() {
            let page = self.store.read_all(after, &filter, PAGE_EVENTS).await?;
            if page.scanned_to == after {
                break;
            }
            after = page.scanned_to;
            let mut events = page.events;
            events.retain(|event| event.position <= until);
            count += events.len();
            if count > PAST_EVENTS_MAX {
                return Err(PastError::TooLong);
            }
            self.follow(subject, events, &projections, &mut connection).await?;
        }
        // Projections do not depend on the order of events of different streams.
        let mut positions = subject.positions.clone();
        positions.retain(|position| *position <= until);
        positions.sort_unstable();
        positions.dedup();
        if positions.len() > PAST_BLOCKS_MAX {
            return Err(PastError::TooManyBlocks);
        }
        for some in positions.chunks(PAGE_BLOCKS) {
            let events = self.store.read_at(some).await?;
            self.follow(subject, events, &projections, &mut connection).await?;
        }
        drop(connection);
        Ok(folded)
    }

    async fn follow(
        &self,
        subject: &Subject,
        events: Vec<StoredEvent>,
        projections: &[Arc<dyn Projection>],
        connection: &mut PgConnection,
    ) -> Result<(), PastError> {
        let (mut events, _) = attachment::decode(&self.store, events).await?;
        subject.narrow(&mut events);
        for projection in projections {
            apply(&**projection, &events, connection).await?;
        }
        Ok(())
    }

    /// A desk with nothing on it.
    async fn begun(&self) -> Result<Folded, PastError> {
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        let free = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let desk = free.unwrap_or_else(|| {
            let one = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
            one.connect_lazy_with(self.beside.clone())
        });
        let folded = Folded { desk, desks: self.desks.clone(), place: Some(place) };
        sqlx::raw_sql("begin; set local synchronous_commit to off").execute(folded.pool()).await?;
        Ok(folded)
    }
}

async fn apply(
    projection: &dyn Projection,
    events: &[Event],
    connection: &mut PgConnection,
) -> Result<(), PastError> {
    let mut parked = ParkedKeys::default();
    let followed = followed(projection, events, &mut parked);
    if let Some((position, error)) = parked.now().values().next() {
        return Err(PastError::Refused(format!("position {position}: {error}")));
    }
    if followed.is_empty() {
        return Ok(());
    }
    Ok(projection.apply(&Chunk::new(&followed), connection).await?)
}

/// What was folded: to be read, then dropped.
pub struct Folded {
    desk: PgPool,
    desks: Arc<Mutex<Vec<PgPool>>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Folded {
    /// Where it is read, and nothing else is. One read at a time.
    pub fn pool(&self) -> &PgPool {
        &self.desk
    }
}

impl Drop for Folded {
    /// Takes it away, whoever asked and went. A desk that cannot be cleared is left, and its
    /// connection with it.
    fn drop(&mut self) {
        let (desk, desks, place) = (self.desk.clone(), self.desks.clone(), self.place.take());
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            match sqlx::raw_sql("rollback").execute(&desk).await {
                Ok(_) => desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk),
                Err(_) => desk.close().await,
            }
            drop(place);
        });
    }
}
