//! How projections are: where they stand, how far behind, how fast, what is wrong; and waiting for
//! them.
//!
//! Does not move them. Answers from memory for what this process runs, and from the checkpoint
//! table for the rest.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::Utc;
use domain::values::Moment;
use event_store::Filter;
use serde::Serialize;
use sqlx::PgPool;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use utoipa::ToSchema;

use crate::{
    checkpoint::{self, Parked, Progress},
    columns,
    runner::{Member, Projections},
};

/// Over how long a rate is measured, in milliseconds.
const RATE_WINDOW_MS: u128 = 1_000;
/// A rate that nothing has renewed for so long is over, in milliseconds.
const RATE_VALID_MS: u128 = 5_000;
/// The longest wait, in milliseconds.
pub const WAIT_MS_MAX: u64 = 60_000;
/// The most parked keys that are shown.
const PARKED_SHOWN_MAX: i64 = 1_000;

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionState {
    /// Applying what was stored before.
    CatchingUp,
    /// At the head; applies events as they come.
    Live,
    /// Something is wrong; it tries again by itself.
    Stalled,
    /// Something is wrong that only a rebuild can cure.
    Stopped,
    /// This process does not run it; its checkpoint tells what another does.
    Elsewhere,
}

impl ProjectionState {
    /// Whether something is wrong with it.
    pub fn is_stalled(self) -> bool {
        matches!(self, ProjectionState::Stalled | ProjectionState::Stopped)
    }
}

/// How a projection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// What it is doing.
    pub state: ProjectionState,
    /// It reflects every event up to here.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "4096")]
    pub position: u64,
    /// The newest event of the log.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "4096")]
    pub head: u64,
    /// How many events it does not reflect yet.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "0")]
    pub lag_events: u64,
    /// The age of the oldest event it does not reflect yet, in seconds; 0 when there is none.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "0")]
    pub lag_seconds: u64,
    /// How many events it scans per second.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "120000")]
    pub events_per_second: u64,
    /// In how many seconds it will be at the head at this rate; absent when it does not move.
    pub eta_seconds: Option<u32>,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Moment>,
    /// Why it does not move; absent while it does.
    pub stalled_because: Option<String>,
    /// How many of its keys are parked.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "0")]
    pub parked: u64,
}

/// A projection did not reach a position in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} reflects position {reflected} and is {lag} behind position {wanted}")]
pub struct Behind {
    /// The projection.
    pub name: String,
    /// What it reflects.
    pub reflected: u64,
    /// What was waited for.
    pub wanted: u64,
    /// How many events are missing.
    pub lag: u64,
}

/// What a process knows in memory of a projection.
pub(crate) struct Pulse {
    runs: bool,
    position: watch::Sender<u64>,
    wake: Notify,
    hurry: Notify,
    vital: Mutex<Vital>,
}

struct Vital {
    state: ProjectionState,
    last_error: Option<(String, Moment)>,
    stalled_because: Option<String>,
    window: (Instant, u64),
    rate: u64,
}

impl Pulse {
    pub fn new(runs: bool) -> Pulse {
        let state = if runs { ProjectionState::CatchingUp } else { ProjectionState::Elsewhere };
        let (last_error, stalled_because) = (None, None);
        let window = (Instant::now(), 0);
        Pulse {
            runs,
            position: watch::Sender::new(0),
            wake: Notify::new(),
            hurry: Notify::new(),
            vital: Mutex::new(Vital { state, last_error, stalled_because, window, rate: 0 }),
        }
    }

    fn vital(&self) -> MutexGuard<'_, Vital> {
        // Every change is a whole one: a panic elsewhere leaves nothing half-written.
        self.vital.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checkpoint was found here, with or without our doing.
    pub fn set(&self, position: u64) {
        self.position.send_replace(position);
        self.vital().window = (Instant::now(), position);
    }

    /// The checkpoint was moved to here, and more is stored already or not.
    pub fn moved(&self, position: u64, more_follows: bool) {
        self.position.send_replace(position);
        let mut vital = self.vital();
        vital.stalled_because = None;
        vital.state =
            if more_follows { ProjectionState::CatchingUp } else { ProjectionState::Live };
        let (since, from) = vital.window;
        let elapsed_ms = since.elapsed().as_millis();
        if elapsed_ms >= RATE_WINDOW_MS {
            let per_s = u128::from(position.saturating_sub(from)) * 1_000 / elapsed_ms;
            vital.rate = u64::try_from(per_s).unwrap_or(u64::MAX);
            vital.window = (Instant::now(), position);
        }
    }

    pub fn at_head(&self) {
        let mut vital = self.vital();
        vital.stalled_because = None;
        vital.state = ProjectionState::Live;
    }

    /// True when this is news.
    pub fn stalled(&self, why: &str, stops: bool) -> bool {
        self.noted(why);
        let mut vital = self.vital();
        vital.state = if stops { ProjectionState::Stopped } else { ProjectionState::Stalled };
        let is_news = vital.stalled_because.as_deref() != Some(why);
        vital.stalled_because = Some(why.to_owned());
        is_news
    }

    pub fn noted(&self, error: &str) {
        self.vital().last_error = Some((error.to_owned(), Moment::from(Utc::now())));
    }

    pub fn rate(&self) -> u64 {
        let vital = self.vital();
        if vital.window.0.elapsed().as_millis() > RATE_VALID_MS { 0 } else { vital.rate }
    }

    /// Somebody waits: events need not gather.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    pub async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Makes the worker look again.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Projections {
    /// How every projection is. Without the database it tells what memory knows.
    pub async fn status(&self) -> Vec<ProjectionStatus> {
        let store = self.reader.store();
        let head = match store.head().await {
            Ok(head) => head.position,
            Err(_) => *store.watch_head().borrow(),
        };
        let progress = checkpoint::all(&self.pool).await.unwrap_or_default();
        let mut statuses = Vec::with_capacity(self.members.len());
        for member in self.members.iter() {
            let id = member.id();
            let found = progress.iter().find(|p| p.name == id.name && p.version == id.version);
            let mut status = member_status(member, found, head);
            if status.lag_events > 0 {
                status.lag_seconds = self.age_seconds(status.position).await;
            }
            statuses.push(status);
        }
        statuses
    }

    /// The age of the first event after a position.
    async fn age_seconds(&self, position: u64) -> u64 {
        let page = self.reader.store().read_all(position, &Filter::default(), 1).await;
        let at =
            page.ok().and_then(|page| page.events.first()?.parse().ok().map(|record| record.at));
        let age = at.map_or(0, |at| (Utc::now() - at).num_seconds());
        u64::try_from(age).unwrap_or(0)
    }

    /// Waits until all named projections reflect a position, and says what they reflect then.
    /// Within this process a move wakes it; moves of other processes are found by looking.
    ///
    /// A name that does not exist never reflects anything.
    pub async fn wait_for(
        &self,
        names: &[&str],
        position: u64,
        wait_ms_max: u64,
    ) -> Result<u64, Behind> {
        let started = Instant::now();
        let patience = Duration::from_millis(wait_ms_max.min(WAIT_MS_MAX));
        let mut reflected = u64::MAX;
        for name in names {
            let left = patience.saturating_sub(started.elapsed());
            let Some(member) = self.member(name) else {
                return Err(behind(name, 0, position));
            };
            let reached = match timeout(left, self.reach(member, position)).await {
                Ok(reached) => reached,
                Err(_) => *member.pulse.position.borrow(),
            };
            if reached < position {
                return Err(behind(name, reached, position));
            }
            reflected = reflected.min(reached);
        }
        Ok(if names.is_empty() { position } else { reflected })
    }

    /// Returns once the projection is there.
    async fn reach(&self, member: &Member, position: u64) -> u64 {
        let mut moves = member.pulse.position.subscribe();
        loop {
            let known = *moves.borrow_and_update();
            if member.pulse.runs && known >= position {
                return known;
            }
            if let Ok(found) = checkpoint::position(&self.pool, member.id()).await {
                let found = found.unwrap_or(0);
                // Our own worker may be ahead of what was read; nobody else tells us anything
                // newer.
                member.pulse.position.send_if_modified(|known| {
                    let news = if member.pulse.runs { found > *known } else { found != *known };
                    if news {
                        *known = found;
                    }
                    news
                });
                if found >= position {
                    return found;
                }
            }
            moves.borrow_and_update();
            member.pulse.hurry();
            let pause = sleep(Duration::from_millis(self.options.wait_poll_ms));
            tokio::select! {
                _ = moves.wait_for(|known| *known >= position) => {}
                () = pause => {}
            }
        }
    }

    /// What the named projections reflect, the least of them, as far as memory knows: exact for
    /// what this process runs, and what was last looked at for the rest. Unknown names reflect
    /// nothing.
    pub fn position(&self, names: &[&str]) -> u64 {
        let positions = names
            .iter()
            .map(|name| self.member(name).map_or(0, |member| *member.pulse.position.borrow()));
        positions.min().unwrap_or(0)
    }

    /// What the named projections reflect in a replica of the database, the least of them. One that
    /// is not there yet reflects nothing.
    pub async fn position_in(&self, replica: &PgPool, names: &[&str]) -> Result<u64, sqlx::Error> {
        let wanted: Vec<String> = names.iter().map(ToString::to_string).collect();
        let found = checkpoint::positions(replica, &wanted).await?;
        let position = |name: &&str| {
            let version = self.member(name)?.projection.version();
            let is_it = |(of, at, _): &&(String, i32, u64)| of == name && *at == version;
            found.iter().find(is_it).map(|(_, _, position)| *position)
        };
        Ok(names.iter().map(|name| position(name).unwrap_or(0)).min().unwrap_or(0))
    }

    /// The first parked keys of a projection, in order of their names; none for an unknown name.
    pub async fn parked(&self, name: &str) -> Result<Vec<Parked>, sqlx::Error> {
        match self.member(name) {
            Some(member) => checkpoint::parked(&self.pool, member.id(), PARKED_SHOWN_MAX).await,
            None => Ok(Vec::new()),
        }
    }
}

fn behind(name: &str, reflected: u64, wanted: u64) -> Behind {
    let lag = wanted.saturating_sub(reflected);
    Behind { name: name.to_owned(), reflected, wanted, lag }
}

fn member_status(member: &Member, found: Option<&Progress>, head: u64) -> ProjectionStatus {
    let id = member.id();
    let pulse = &member.pulse;
    let known = *pulse.position.borrow();
    let stored = found.map_or(known, |progress| progress.position);
    let position = if pulse.runs { known } else { stored };
    let rate = if pulse.runs { pulse.rate() } else { found.map_or(0, |p| p.events_per_s) };
    let vital = pulse.vital();
    let (last_error, last_error_at) = match &vital.last_error {
        Some((error, at)) => (Some(error.clone()), Some(*at)),
        None => {
            let last_error = found.and_then(|progress| progress.last_error.clone());
            (last_error, found.and_then(|progress| progress.last_error_at))
        }
    };
    let noted = found.and_then(|progress| progress.stalled_because.clone());
    let stalled_because = if pulse.runs { vital.stalled_because.clone() } else { noted };
    let lag_events = head.saturating_sub(position);
    let eta = if lag_events == 0 { Some(0) } else { lag_events.checked_div(rate) };
    ProjectionStatus {
        name: id.name.to_owned(),
        version: id.version,
        state: vital.state,
        position,
        head: head.max(position),
        lag_events,
        lag_seconds: 0,
        events_per_second: rate,
        eta_seconds: eta.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        last_error,
        last_error_at,
        stalled_because,
        parked: found.map_or(0, |progress| progress.parked),
    }
}
