//! Replays: whole read models as they were at a point, each replay in a database beside ours, asked
//! through the same surface.
//!
//! Does not fold: projections do. Any server builds what any server was asked for ([`build`]), and
//! all of them answer from it ([`surface`]).

pub mod build;
pub mod surface;

use chrono::{DateTime, Utc};
use domain::values::Moment;
use projections::decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgPool, Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    graphql::Component,
    past::AsOf,
    problem::{Fault, Kind, Problem},
    server::Surface,
};

/// How many replays there are at the same time.
pub const REPLAYS_MAX: i64 = 8;
/// How long one is kept when it is not said, in seconds.
pub const KEPT_S: u32 = 3_600;
/// How long one may be kept, in seconds.
pub const KEPT_S_MAX: u32 = 7 * 86_400;

/// What a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayState {
    /// Its read models are being folded.
    Building,
    /// It can be asked.
    Ready,
    /// It is on its way out.
    Cancelled,
}

/// Read models as they were at a position.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replay {
    /// Names it in `replay=`.
    #[schema(value_type = String, format = "uuid", example = "019236c1-5b9e-7cc3-98c4-dc0c0c07398f")]
    pub id: Uuid,
    /// The last position that it knows.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub until: u64,
    /// The read models that it has.
    pub projections: Vec<String>,
    /// What it is.
    pub state: ReplayState,
    /// What all of its read models reflect by now.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "21")]
    pub position: u64,
    /// How many events a second they scan.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "120000")]
    pub events_per_second: u64,
    /// In how many seconds it will be ready at this rate; null when it does not move, or is.
    pub eta_seconds: Option<u32>,
    /// How many keys of its read models are parked: what happened to them later is not in it.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "0")]
    pub parked: u64,
    /// Why it does not go on; null while it does.
    pub error: Option<String>,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: Moment,
    /// When it was ready.
    pub finished_at: Option<Moment>,
    /// When it goes by itself.
    pub expires_at: Moment,
}

impl Component for Replay {
    const SCHEMA: &'static str = "Replay";
}

/// What is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// The last position that it knows, or a moment (RFC 3339); the end of the log when absent.
    #[schema(example = "42")]
    pub until: Option<String>,
    /// The read models that it has; all of them when absent.
    #[schema(example = json!(["validators"]))]
    pub projections: Option<Vec<String>>,
    /// For how many seconds from now it is kept: 1 to 604800; 3600 when absent.
    #[schema(minimum = 1, maximum = 604800, example = 3600)]
    pub keep_s: Option<u32>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    until: i64,
    projections: Vec<String>,
    state: String,
    position: i64,
    events_per_s: i64,
    parked: i64,
    error: Option<String>,
    requested_by: String,
    requested_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
}

const SELECT: &str = "select id, until, projections, state, position, events_per_s, parked, error, \
    requested_by, requested_at, finished_at, expires_at from replays \
    where expires_at > clock_timestamp()";

impl From<Row> for Replay {
    fn from(row: Row) -> Replay {
        let (until, position) = (row.until.unsigned_abs(), row.position.unsigned_abs());
        let state = match row.state.as_str() {
            "building" => ReplayState::Building,
            "ready" => ReplayState::Ready,
            _ => ReplayState::Cancelled,
        };
        let left = until.saturating_sub(position).checked_div(row.events_per_s.unsigned_abs());
        let eta = left.filter(|_| state == ReplayState::Building);
        Replay {
            id: row.id,
            until,
            projections: row.projections,
            state,
            position,
            events_per_second: row.events_per_s.unsigned_abs(),
            eta_seconds: eta.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
            parked: row.parked.unsigned_abs(),
            error: row.error,
            requested_by: row.requested_by,
            requested_at: row.requested_at.into(),
            finished_at: row.finished_at.map(Into::into),
            expires_at: row.expires_at.into(),
        }
    }
}

/// All that are there, the newest first.
pub async fn all(tables: &PgPool) -> Result<Vec<Replay>, Problem> {
    let mut sql = QueryBuilder::<Postgres>::new(SELECT);
    sql.push(" and state <> 'cancelled' order by id desc");
    let rows: Vec<Row> = sql.build_query_as().fetch_all(tables).await?;
    Ok(rows.into_iter().map(Replay::from).collect())
}

/// One of them.
pub async fn find(tables: &PgPool, id: Uuid) -> Result<Option<Replay>, Problem> {
    let mut sql = QueryBuilder::<Postgres>::new(SELECT);
    sql.push(" and id = ").push_bind(id);
    let row: Option<Row> = sql.build_query_as().fetch_optional(tables).await?;
    Ok(row.map(Replay::from))
}

/// Who asks for a replay gets one when there is room for it; it is built from now on.
pub async fn request(
    app: &Surface,
    asked: ReplayRequest,
    requested_by: &str,
) -> Result<Replay, Problem> {
    let mut faults = Vec::new();
    let known: Vec<&str> = app.projections.names().collect();
    let mut wanted =
        asked.projections.unwrap_or_else(|| known.iter().map(ToString::to_string).collect());
    for (nth, name) in wanted.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let detail = format!("{name:?} is none of {}", known.join(", "));
            faults.push(Fault::at(format!("/projections/{nth}"), detail));
        }
    }
    if wanted.is_empty() {
        faults.push(Fault::at("/projections", "must name one at least"));
    }
    let kept_s = asked.keep_s.unwrap_or(KEPT_S);
    if !(1..=KEPT_S_MAX).contains(&kept_s) {
        faults.push(Fault::at("/keep_s", format!("must be 1 to {KEPT_S_MAX}")));
    }
    let until = asked.until.as_deref().map(str::parse::<AsOf>).transpose();
    let until = until.unwrap_or_else(|fault| {
        faults.push(Fault::at("/until", fault.to_string()));
        None
    });
    if !faults.is_empty() {
        return Err(Problem::invalid_body(faults));
    }
    let until = match until {
        None => app.store.head().await?.position,
        Some(point) => app.position_of(point).await?,
    };
    wanted.sort_unstable();
    wanted.dedup();
    let id = Uuid::now_v7();
    // The lock keeps two requests from both finding the last place free.
    let mut tx = app.tables.begin().await?;
    sqlx::query("lock table replays in share row exclusive mode").execute(&mut *tx).await?;
    let made = sqlx::query(
        "insert into replays (id, until, projections, requested_by, expires_at)
         select $1, $2, $3, $4, clock_timestamp() + $5 * interval '1 second'
          where (select count(*) from replays) < $6",
    )
    .bind(id)
    .bind(i64::try_from(until).map_err(Problem::internal)?)
    .bind(&wanted)
    .bind(requested_by)
    .bind(f64::from(kept_s))
    .bind(REPLAYS_MAX)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    if made.rows_affected() == 0 {
        let detail = format!("there are {REPLAYS_MAX} replays already: cancel one");
        let refusal = json!({"code": "too-many-replays", "at_most": REPLAYS_MAX});
        return Err(Problem::new(Kind::Refused, detail).with("refusal", refusal));
    }
    app.replays.look();
    find(&app.tables, id).await?.ok_or_else(|| Problem::internal("the replay is not there"))
}

/// Gives one up, whatever it is; false when there is none.
pub async fn cancel(app: &Surface, id: Uuid) -> Result<bool, Problem> {
    let done = sqlx::query("update replays set state = 'cancelled' where id = $1")
        .bind(id)
        .execute(&app.tables)
        .await?;
    app.replays.look();
    Ok(done.rows_affected() > 0)
}

/// What a replay's database is called beside ours: as much of its id as is random.
fn beside_of(id: Uuid) -> String {
    format!("replay_{:016x}", id.as_u64_pair().1)
}
