//! The past of one thing: its streams folded up to a position, by the projections that fold them
//! as they come, into tables of a database beside the live one.
//!
//! Nothing that is folded here stays: each fold is a transaction that is rolled back. What has more
//! history than one question may fold is asked of a replay.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    aggregate::Aggregate,
    block::Block,
    chain::{self, Chain, ChainStream},
    values::{ChainId, Hash},
};
use event_store::{EventStore, Filter, StoreError, StreamName};
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
    event::{Chunk, Event, Fact},
    projection::{ApplyError, Projection},
    worker::{ParkedKeys, followed},
};

/// How many events of a thing's history one question folds at most.
pub const PAST_EVENTS_MAX: usize = 20_000;
/// How many questions about the past are answered at the same time by one process.
const DESKS: usize = 4;
/// Events that are read and folded at once.
const PAGE_EVENTS: usize = 4_096;

/// Why the past is not known.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum PastError {
    #[error("its history has more than {PAST_EVENTS_MAX} events up to there")]
    TooLong,
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
#[derive(Clone, Debug)]
pub struct Subject {
    /// The names of streams.
    streams: Vec<String>,
    chains: Chains,
    /// Of what chains executed, only this block.
    block: Option<Hash>,
}

#[derive(Clone, Debug)]
enum Chains {
    None,
    One(ChainId),
    All,
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
        Subject::of_chains_that(Chains::None)
    }

    /// A thing that is known from all streams of its chain.
    pub fn of_chain(chain: ChainId) -> Subject {
        Subject::of_chains_that(Chains::One(chain))
    }

    /// A thing that is known from what was executed, whichever chain executed it.
    pub fn of_chains() -> Subject {
        Subject::of_chains_that(Chains::All)
    }

    /// A block of a chain.
    pub fn of_block(hash: Hash, chain: ChainId) -> Subject {
        Subject { block: Some(hash), ..Subject::of_chain(chain).and::<Block>(&hash) }
    }

    fn of_chains_that(chains: Chains) -> Subject {
        Subject { streams: Vec::new(), chains, block: None }
    }

    /// The same, known from one more stream.
    #[must_use]
    pub fn and<A: Aggregate>(self, id: &A::Id) -> Subject {
        self.with(A::CATEGORY, id)
    }

    fn with(mut self, category: &str, id: impl fmt::Display) -> Subject {
        self.streams.push(format!("{category}-{id}"));
        self
    }

    /// Whether an event of its streams says anything about it.
    fn concerns(&self, event: &Event) -> bool {
        match (&self.block, &event.fact) {
            (Some(block), Ok(Fact::Chain(_, chain::Event::BlockApplied(data)))) => {
                data.hash == *block
            }
            (Some(_), Ok(Fact::Chain(..))) => false,
            (_, _) => true,
        }
    }

    /// What is folded at a time, by name.
    fn whole(&self) -> String {
        match &self.chains {
            Chains::None => self.streams.concat(),
            Chains::One(chain) => format!("chain {chain}"),
            Chains::All => "chains".to_owned(),
        }
    }

    async fn streams(&self, store: &EventStore) -> Result<Vec<StreamName>, StoreError> {
        // What no stream can be called, none is.
        let named = self.streams.iter().filter_map(|name| StreamName::new(name.as_str()).ok());
        let mut streams: Vec<StreamName> = named.collect();
        if !matches!(self.chains, Chains::None) {
            let all = store.streams_of(Chain::CATEGORY).await?;
            streams.extend(all.into_iter().filter(|stream| self.chains.have(stream)));
        }
        Ok(streams)
    }
}

impl Chains {
    fn have(&self, stream: &StreamName) -> bool {
        match self {
            Chains::None => false,
            Chains::One(chain) => {
                stream.id().parse::<ChainStream>().is_ok_and(|of| of.chain == *chain)
            }
            Chains::All => true,
        }
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
        if filter.streams.is_empty() {
            return Ok(folded);
        }
        let mut connection = folded.pool().acquire().await?;
        // Two folds of the same rows would come to wait for each other half-way.
        sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("{models:?} {}", subject.whole()))
            .execute(&mut *connection)
            .await?;
        let projections = crate::named(models);
        let (mut after, mut count) = (0, 0);
        while after < until {
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
            let (mut events, _) = attachment::decode(&self.store, events).await?;
            events.retain(|event| subject.concerns(event));
            for projection in &projections {
                apply(&**projection, &events, &mut connection).await?;
            }
        }
        drop(connection);
        Ok(folded)
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
