//! The surface of a replay: the same paths and the same GraphQL schema, over read models as they
//! were.
//!
//! Does not know what is asked. Whoever asks came in by the door before, and may ask the same of
//! the present.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use domain::values::Moment;
use projections::{Projections, ProjectionsOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Replay, ReplayState, beside_of, build::Builder, find};
use crate::{
    beside, door,
    graphql::socket_is_asked_for,
    params,
    problem::{Kind, Problem},
    server::{App, Surface},
};

/// The parameter that names a replay.
pub const PARAMETER: &str = "replay";
/// Connections by which one replay is asked.
const CONNECTIONS_MAX: u32 = 4;
/// How many builders a server has: a long one does not hold up what is short.
const BUILDERS: usize = 2;

/// The replays that this server has open.
#[derive(Default)]
pub struct Replays {
    /// Their paths, and until when they are there.
    open: Mutex<HashMap<Uuid, (Moment, Router)>>,
    look: Arc<Notify>,
}

/// Of which replay a surface is.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The last position that it knows.
    pub until: u64,
    models: Vec<String>,
}

impl Replayed {
    /// What its read models reflect; none that it does not have.
    pub fn reach(&self, models: &[&str], minimum: Option<u64>) -> Result<u64, Problem> {
        if models.is_empty() {
            return Err(of_the_present());
        }
        let missing = models.iter().find(|model| self.models.iter().all(|has| has != *model));
        if let Some(missing) = missing {
            let detail = format!("it has no {missing}, but {}", self.models.join(", "));
            return Err(Problem::invalid_parameter(PARAMETER, detail));
        }
        match minimum.filter(|minimum| *minimum > self.until) {
            None => Ok(self.until),
            Some(_) => {
                let detail = format!("the replay ends at {}", self.until);
                Err(Problem::invalid_parameter("Min-Position", detail))
            }
        }
    }
}

/// What is not asked of a replay.
pub fn of_the_present() -> Problem {
    let detail = "this is not read from read models, and there is nothing of it but the present";
    Problem::invalid_parameter(PARAMETER, detail)
}

impl Replays {
    /// Lets somebody look for something to do.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Builds, and takes away, until it is cancelled.
    pub fn start(&self, app: &Surface, closing: &CancellationToken) {
        for _ in 0..BUILDERS {
            let builder = Builder::new(app.store.clone(), app.tables.clone(), self.look.clone());
            tokio::spawn(builder.run(closing.clone()));
        }
    }

    /// The paths of a replay, over what it has.
    async fn of(&self, app: &App, id: Uuid) -> Result<Router, Problem> {
        let found = find(&app.tables, id).await?;
        let Some(replay) = found.filter(|replay| replay.state != ReplayState::Cancelled) else {
            self.open().remove(&id);
            return Err(Problem::not_found("replay", id));
        };
        if replay.state == ReplayState::Building {
            return Err(being_built(&replay));
        }
        if let Some((_, paths)) = self.open().get(&id) {
            return Ok(paths.clone());
        }
        let beside = beside::existing(&app.tables, &beside_of(id))?;
        let pool = beside::pool(beside, CONNECTIONS_MAX);
        let these = projections::named(&replay.projections);
        let options = ProjectionsOptions { run: false, ..ProjectionsOptions::default() };
        let models = Projections::start_these(these, app.store.clone(), pool.clone(), options);
        let replayed = Replayed { until: replay.until, models: replay.projections };
        let paths = app.replayed(replayed, pool, models);
        let (now, mut open) = (Moment::from(Utc::now()), self.open());
        open.retain(|_, (expires_at, _)| *expires_at > now);
        // Another request may have opened it meanwhile: then that one is used.
        Ok(open.entry(id).or_insert((replay.expires_at, paths)).1.clone())
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Moment, Router)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn being_built(replay: &Replay) -> Problem {
    let Replay { until, position, .. } = replay;
    let detail = format!("the replay is being built: it is at {position} of {until}");
    Problem::new(Kind::ReadModelBehind, detail)
        .with("lag", until.saturating_sub(*position))
        .with("position", *position)
}

/// Answers whoever names a replay from that.
pub async fn answer(State(app): State<App>, request: Request, next: Next) -> Response {
    // Most name none.
    if !request.uri().query().is_some_and(|query| query.contains(PARAMETER)) {
        return next.run(request).await;
    }
    let named = params::decode(request.uri().query().unwrap_or_default());
    let mut named = named.iter().filter(|(name, _)| name == PARAMETER).map(|(_, id)| id);
    let (Some(id), other) = (named.next(), named.next()) else { return next.run(request).await };
    let answered = async {
        if other.is_some() {
            return Err(Problem::invalid_parameter(PARAMETER, "is given more than once"));
        }
        let id: Uuid = id
            .parse()
            .map_err(|_| Problem::invalid_parameter(PARAMETER, "must be a replay's id: a UUID"))?;
        let path = request.extensions().get::<MatchedPath>();
        let operation = door::find(path, request.method())?.operation;
        if !operation.reads_models() || socket_is_asked_for(request.headers()) {
            return Err(of_the_present());
        }
        let router = app.replays.of(&app, id).await?;
        // A router always answers.
        Ok(router.oneshot(request).await.unwrap_or_else(|never| match never {}))
    };
    answered.await.unwrap_or_else(Problem::into_response)
}
