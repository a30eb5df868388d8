//! Validators' signs of life: taken in, kept for a while, and the newest of each.
//!
//! Telemetry: nothing is decided by it, so it is in no log, and may be lost in a crash.

use commands::Sightings;
use domain::{
    consensus::Step,
    values::{Address, Height, Moment, PeerId, Round},
};
use event_store::StoreError;
use futures::future::{BoxFuture, FutureExt as _};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgRow};
use utoipa::ToSchema;

/// For how many seconds a sign of life is kept.
pub const KEPT_S: u32 = 900;
/// Of how many validators the newest is shown at most.
pub const SHOWN_MAX: i64 = 1_000;
/// How long the name of a version may be, in characters.
pub const VERSION_CHARS_MAX: usize = 50;
/// The most bytes a validator may say it has received: 2^53 - 1, what every JSON reader keeps.
pub const RECEIVED_BYTES_MAX: u64 = 9_007_199_254_740_991;

/// Where a validator says that it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The height that comes next for it.
    pub height: Height,
    /// How many milliseconds its last sign of life took to be answered; absent before the first.
    #[serde(default)]
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_u64)]
    pub latency_ms: Option<u32>,
    /// How many transactions wait with it.
    #[schema(value_type = u64, maximum = 4_294_967_295_u64)]
    pub mempool: u32,
    /// How many bytes of bodies it has received from its server since it started.
    #[serde(default)]
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    pub received_bytes: Option<u64>,
    /// The round.
    pub round: Round,
    /// What it waits for in the round.
    pub step: Step,
    /// The version of its program.
    #[schema(example = "0.1.0")]
    pub version: String,
}

/// The newest sign of life of a validator.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValidatorHeartbeat)]
pub struct Beat {
    /// The validator.
    pub validator: Address,
    /// When it came, by the server's clock.
    pub at: Moment,
    /// The height that comes next for it.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// What it waits for in the round.
    pub step: Step,
    /// How many transactions wait with it.
    pub mempool: u32,
    /// How many milliseconds its sign of life before took to be answered, as it says.
    pub latency_ms: Option<u32>,
    /// How many bytes of bodies it has received from its server since it started, as it says.
    pub received_bytes: Option<u64>,
    /// The version of its program.
    #[schema(example = "0.1.0")]
    pub version: String,
}

/// What is read of each.
const COLUMNS: &str =
    "validator, at, height, round, step, mempool, latency_ms, received_bytes, version";

/// Takes one in, and forgets this validator's that are too old. Not flushed: a second's telemetry
/// is not worth a disk's wait.
pub async fn take(pool: &PgPool, validator: Address, of: &Heartbeat) -> Result<Beat, sqlx::Error> {
    let statement = format!(
        "with unhurried as (select set_config('synchronous_commit', 'off', true)), \
         old as (delete from heartbeats where validator = $1 \
                 and at < clock_timestamp() - make_interval(secs => $9)) \
         insert into heartbeats \
             (validator, height, round, step, mempool, version, latency_ms, received_bytes) \
         select $1, $2, $3, $4, $5, $6, $7, $8 from unhurried \
         returning {COLUMNS}"
    );
    let bigint = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(AssertSqlSafe(statement))
        .bind(validator.to_string())
        .bind(bigint(of.height.value()))
        .bind(i64::from(of.round.value()))
        .bind(of.step.to_string())
        .bind(i64::from(of.mempool))
        .bind(&of.version)
        .bind(of.latency_ms.map(i64::from))
        .bind(of.received_bytes.map(bigint))
        .bind(f64::from(KEPT_S))
        .try_map(beat)
        .fetch_one(pool)
        .await
}

/// The newest of each validator that gave one lately, by address. One look into the index for each
/// validator, however many signs of life there are.
pub async fn newest(pool: &PgPool) -> Result<Vec<Beat>, sqlx::Error> {
    let statement = format!(
        "with recursive each as ( \
             (select validator from heartbeats order by validator limit 1) \
             union all \
             select (select next.validator from heartbeats next \
                      where next.validator > each.validator order by next.validator limit 1) \
               from each where each.validator is not null \
         ) \
         select newest.* from each cross join lateral ( \
             select {COLUMNS} from heartbeats \
              where heartbeats.validator = each.validator order by at desc limit 1 \
         ) newest \
         where newest.at >= clock_timestamp() - make_interval(secs => $1) limit $2"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(f64::from(KEPT_S))
        .bind(SHOWN_MAX)
        .try_map(beat)
        .fetch_all(pool)
        .await
}

/// When a validator's node was last heard of; a node is named by its validator's address.
pub struct Seen(pub PgPool);

impl Sightings for Seen {
    fn last_seen<'a>(
        &'a self,
        peer: &'a PeerId,
    ) -> BoxFuture<'a, Result<Option<Moment>, StoreError>> {
        async {
            let statement = "select max(at) from heartbeats where validator = $1";
            let validator = peer.as_str().to_ascii_uppercase();
            let asked = sqlx::query_scalar(statement).bind(validator).fetch_one(&self.0);
            let at: Option<chrono::DateTime<chrono::Utc>> = asked.await?;
            Ok(at.map(Moment::from))
        }
        .boxed()
    }
}

/// Constraints admit nothing else than what these values hold.
fn beat(row: PgRow) -> Result<Beat, sqlx::Error> {
    fn unreadable(why: impl std::fmt::Display) -> sqlx::Error {
        sqlx::Error::Protocol(format!("a heartbeat in the table: {why}"))
    }
    let number = |column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    let small = |number: u64| u32::try_from(number).map_err(unreadable);
    let maybe = |column: &str| {
        let found = row.try_get::<Option<i64>, _>(column);
        found.map(|number| number.map(i64::unsigned_abs))
    };
    let step = serde_json::Value::String(row.try_get("step")?);
    let at: chrono::DateTime<chrono::Utc> = row.try_get("at")?;
    Ok(Beat {
        validator: row.try_get::<&str, _>("validator")?.parse().map_err(unreadable)?,
        at: Moment::from(at),
        height: Height::new(number("height")?).map_err(unreadable)?,
        round: Round::try_from(small(number("round")?)?).map_err(unreadable)?,
        step: serde_json::from_value(step).map_err(unreadable)?,
        mempool: small(number("mempool")?)?,
        latency_ms: maybe("latency_ms")?.map(small).transpose()?,
        received_bytes: maybe("received_bytes")?,
        version: row.try_get("version")?,
    })
}
