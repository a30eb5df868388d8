//! What the surface needs to answer: the rooms below, the limits, and whether it is draining.
//!
//! Does not know where it listens, nor how its parts were opened.

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use commands::Commands;
use domain::{
    aggregate,
    transaction::{self, Transaction},
};
use event_store::EventStore;
use projections::{Past, Projections};
use sqlx::PgPool;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{
    access_records::Recorder,
    bulkheads::{self, Bulkheads},
    graphql,
    identity::Identities,
    in_force::InForce,
    live,
    monitor::answered::Answered,
    problem::Problem,
    rates::Rates,
    read_replica::ReadReplica,
    replays::surface::{Replayed, Replays, of_the_present},
    resilience::Breaker,
    rest::reply,
    router,
    seal::Published,
    telemetry::Telemetry,
};

/// Bytes of one request body.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Requests under way at once; more are answered 503.
pub const REQUESTS_IN_FLIGHT_MAX: u32 = 4_096;
/// Queries under way at once; more are answered 503.
pub const QUERIES_IN_FLIGHT_MAX: u32 = 1_024;
/// Sign-ins under way at once; more are answered 503.
pub const SIGN_INS_IN_FLIGHT_MAX: u32 = 256;
/// Milliseconds one request may take before it is answered 503.
pub const REQUEST_MS_MAX: u64 = 30_000;
/// Milliseconds a request may wait for a read model.
pub const WAIT_MS_MAX: u64 = 10_000;
/// Milliseconds a query with `Min-Position` waits when it does not say for how long.
pub const WAIT_MS_DEFAULT: u64 = 2_000;

/// Failures in a row after which the database is left alone.
const DATABASE_FAILURES_MAX: u32 = 4;
/// For how many milliseconds; then one asks for all.
const LEFT_ALONE_MS: u64 = 500;

/// The limits of the surface.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one request body.
    pub body_bytes_max: usize,
    /// Requests under way at once.
    pub bulkheads: bulkheads::Limits,
    /// The proxies that are believed from where a request comes.
    pub trusted_proxies: Vec<IpAddr>,
    /// How long one request may take.
    pub request_ms_max: u64,
    /// How long a request may wait for a read model at most.
    pub wait_ms_max: u64,
    /// How long a query waits for a read model when it does not say.
    pub wait_ms_default: u64,
    /// The limits of GraphQL requests.
    pub graphql: graphql::Limits,
    /// The limits of live streams.
    pub live: live::Limits,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes_max: BODY_BYTES_MAX,
            bulkheads: bulkheads::Limits {
                requests: REQUESTS_IN_FLIGHT_MAX,
                queries: QUERIES_IN_FLIGHT_MAX,
                sign_ins: SIGN_INS_IN_FLIGHT_MAX,
            },
            trusted_proxies: Vec::new(),
            request_ms_max: REQUEST_MS_MAX,
            wait_ms_max: WAIT_MS_MAX,
            wait_ms_default: WAIT_MS_DEFAULT,
            graphql: graphql::Limits::default(),
            live: live::Limits::default(),
        }
    }
}

/// What the program hands to the surface.
#[derive(Clone)]
pub struct AppState {
    /// The write wing.
    pub commands: Commands,
    /// The log.
    pub store: EventStore,
    /// The read wing.
    pub projections: Projections,
    /// The pool that queries use: the replica's when there is one.
    pub pool: PgPool,
    /// The pool of what is no query, in the database itself.
    pub tables: PgPool,
    /// The replica that queries are asked of; None to ask the database itself.
    pub replica: Option<Arc<ReadReplica>>,
    /// The connections of what must pass while queries wait for theirs: signs of life, and what is
    /// counted of callers.
    pub vital: PgPool,
    /// Who is who.
    pub identities: Identities,
    /// Who came in, and who was refused.
    pub recorder: Arc<Recorder>,
    /// How often each caller may ask.
    pub rates: Arc<Rates>,
    /// The limits.
    pub limits: Limits,
    /// The folder of our own database; None where it is somebody else's.
    pub data_folder: Option<PathBuf>,
    /// The published log; None where nothing is sealed.
    pub published: Option<Published>,
    /// Counters and durations.
    pub telemetry: Telemetry,
    /// Cancelled when the server shuts down: from then on new requests are answered 503.
    pub draining: CancellationToken,
}

/// The state as handlers see it.
pub type App = Arc<Surface>;

/// The program's parts, and what the surface itself keeps.
pub struct Surface {
    /// What the program handed over.
    pub state: AppState,
    /// How many requests were answered, and how.
    pub answered: Answered,
    /// What settings make of this process.
    pub in_force: InForce,
    /// Requests under way.
    pub(crate) bulkheads: Arc<Bulkheads>,
    /// Whether the database is asked at all.
    pub(crate) database: Breaker,
    /// Whether what queries are asked of is asked at all.
    pub(crate) read_database: Breaker,
    /// The places for live streams.
    pub(crate) places: live::Places,
    /// What they send.
    pub(crate) frames: live::Frames,
    /// Whose turn it is to submit while our own chain is behind.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// The documents that GraphQL clients name by their hash.
    pub(crate) documents: graphql::Documents,
    /// The replay that this is the surface of; None for the present.
    pub(crate) replayed: Option<Replayed>,
    /// What was replayed.
    pub(crate) replays: Replays,
    /// Where questions about the past are answered, once one was asked.
    pub(crate) past: OnceCell<Past>,
    /// The GraphQL schema, built once.
    pub(crate) schema: graphql::Schema,
}

impl std::ops::Deref for Surface {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.state
    }
}

/// The whole surface as one router, and its state for who must close its parts in the end.
pub fn build(state: AppState) -> (Router, App) {
    let schema = graphql::schema(&state.limits.graphql);
    let app = Arc::new(Surface::new(state, schema, None));
    (router::router(app.clone()), app)
}

/// The whole surface as one router.
pub fn router(state: AppState) -> Router {
    build(state).0
}

impl Surface {
    fn new(state: AppState, schema: graphql::Schema, replayed: Option<Replayed>) -> Surface {
        let places = live::Places::new(state.limits.live.streams_max);
        let bulkheads = Bulkheads::new(state.limits.bulkheads.clone());
        let breaker = || Breaker::new(DATABASE_FAILURES_MAX, Duration::from_millis(LEFT_ALONE_MS));
        Surface {
            state,
            answered: Answered::default(),
            in_force: InForce::default(),
            bulkheads,
            database: breaker(),
            read_database: breaker(),
            places,
            frames: live::Frames::default(),
            turn: tokio::sync::Mutex::new(()),
            documents: graphql::Documents::default(),
            replayed,
            replays: Replays::default(),
            past: OnceCell::new(),
            schema,
        }
    }

    /// The paths that are asked of a replay, over its read models.
    pub(crate) fn replayed(
        &self,
        replayed: Replayed,
        pool: PgPool,
        projections: Projections,
    ) -> Router {
        let state = AppState { pool, projections, replica: None, ..self.state.clone() };
        let schema = self.schema.clone();
        router::paths().with_state(Arc::new(Surface::new(state, schema, Some(replayed))))
    }

    /// Bytes of one request's body.
    pub fn body_bytes_max(&self) -> usize {
        self.in_force.body_bytes_max(&self.limits)
    }

    /// How long one request may take.
    pub(crate) fn request_time(&self) -> Duration {
        self.in_force.request_time(&self.limits)
    }

    /// The newest position of the log this process has learned of.
    pub fn head(&self) -> u64 {
        *self.store.watch_head().borrow()
    }

    /// What the named read models reflect: the least of them.
    pub fn reflected(&self, models: &[&str]) -> u64 {
        self.projections.position(models)
    }

    /// The log as queries read it: the replica's when there is one.
    pub fn log(&self) -> &EventStore {
        self.replica.as_ref().map_or(&self.store, |replica| replica.log())
    }

    /// Waits until the named read models reflect a position, and says what they reflect then.
    pub async fn reach(&self, models: &[&str], minimum: Option<u64>) -> Result<u64, Problem> {
        if let Some(replayed) = &self.replayed {
            return replayed.reach(models, minimum);
        }
        let reflected = self.reach_here(models, minimum).await?;
        let wanted = minimum.unwrap_or(0);
        match &self.replica {
            Some(replica) => replica.reach(models, wanted, self.limits.wait_ms_default).await,
            None => Ok(reflected),
        }
    }

    /// The same in the database itself.
    async fn reach_here(&self, models: &[&str], minimum: Option<u64>) -> Result<u64, Problem> {
        let Some(wanted) = minimum else { return Ok(self.reflected(models)) };
        let wait_ms = self.limits.wait_ms_default;
        // Another server may know of more than this one does yet.
        if wanted > self.head() {
            self.is_within(wanted).await?;
        }
        self.projections
            .wait_for(models, wanted, wait_ms)
            .await
            .map_err(|late| reply::behind(&late.name, late.reflected, late.wanted))
    }

    /// Waits until the log, as queries read it, reaches a position, and says how far it goes then.
    /// A position beyond its end is none of this log's.
    pub async fn log_reaches(&self, minimum: Option<u64>) -> Result<u64, Problem> {
        if self.replayed.is_some() {
            return Err(of_the_present());
        }
        let wanted = minimum.unwrap_or(0);
        let Some(replica) = &self.replica else { return self.is_within(wanted).await };
        if wanted > self.head() {
            self.is_within(wanted).await?;
        }
        replica.log_reaches(wanted, self.limits.wait_ms_default).await
    }

    /// Says how far the log goes, when that is as far as this position.
    pub(crate) async fn is_within(&self, wanted: u64) -> Result<u64, Problem> {
        let position = self.store.head().await?.position;
        if wanted > position { Err(live::beyond(position, wanted)) } else { Ok(position) }
    }

    /// The transactions whose acceptance the log has at these positions, in the order of the log.
    pub async fn whole_transactions(&self, positions: &[u64]) -> Result<Vec<Transaction>, Problem> {
        let stored = self.store.read_at(positions).await?;
        let whole = stored.iter().filter_map(|stored| {
            let record = stored.parse().ok()?;
            let event = aggregate::read(record.event_type, record.data.get()).ok()?;
            match event {
                transaction::Event::TransactionAccepted(data) => Some(data.transaction),
                transaction::Event::TransactionEvicted(_)
                | transaction::Event::ReservationMade(_)
                | transaction::Event::ReservationReleased(_) => None,
            }
        });
        Ok(whole.collect())
    }

    /// Whether all read models, as queries read them, reflect a position within the time given.
    pub async fn all_reflect(&self, position: u64, wait_ms: u64) -> bool {
        let begun = Instant::now();
        let names: Vec<&str> = self.projections.names().collect();
        let wait_ms = wait_ms.min(self.in_force.wait_ms_max(&self.limits));
        if self.projections.wait_for(&names, position, wait_ms).await.is_err() {
            return false;
        }
        let Some(replica) = &self.replica else { return true };
        let waited_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        replica.reach(&names, position, wait_ms.saturating_sub(waited_ms)).await.is_ok()
    }
}
