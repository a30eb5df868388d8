//! How the read models are.
//!
//! Does not know what they hold.

use async_graphql::{Context, Enum, Object, Result};
use projections::{ProjectionState as State, ProjectionStatus};

use crate::graphql::{
    context,
    scalars::{Moment, Position},
};

/// What a read model is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum ProjectionState {
    /// Applying what was stored before.
    CatchingUp,
    /// At the head; applies events as they come.
    Live,
    /// Something is wrong; it tries again by itself.
    Stalled,
    /// Something is wrong that only a rebuild can cure.
    Stopped,
    /// Another process runs it.
    Elsewhere,
}

/// A read model.
pub struct Projection(ProjectionStatus);

/// How a read model is.
#[Object]
impl Projection {
    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The version of its tables.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// What it is doing.
    async fn state(&self) -> ProjectionState {
        self.0.state.into()
    }

    /// It reflects every event up to here.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// The newest event of the log.
    async fn head(&self) -> Position {
        Position(self.0.head)
    }

    /// How many events it does not reflect yet.
    async fn lag_events(&self) -> Position {
        Position(self.0.lag_events)
    }

    /// The age of the oldest event it does not reflect yet, in seconds.
    async fn lag_seconds(&self) -> Position {
        Position(self.0.lag_seconds)
    }

    /// How many events it scans per second.
    async fn events_per_second(&self) -> Position {
        Position(self.0.events_per_second)
    }

    /// In how many seconds it will be at the head at this rate; null when it does not move.
    async fn eta_seconds(&self) -> Option<Position> {
        self.0.eta_seconds.map(|seconds| Position(u64::from(seconds)))
    }

    /// The last thing that went wrong.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// When that was.
    async fn last_error_at(&self) -> Option<Moment> {
        self.0.last_error_at.map(Moment)
    }

    /// Why it does not move; null while it does.
    async fn stalled_because(&self) -> Option<&str> {
        self.0.stalled_because.as_deref()
    }

    /// How many of its keys are parked.
    async fn parked(&self) -> Position {
        Position(self.0.parked)
    }
}

/// Read models.
#[derive(Default)]
pub struct ProjectionQueries;

#[Object]
impl ProjectionQueries {
    /// How all read models are.
    async fn projections(&self, context: &Context<'_>) -> Result<Vec<Projection>> {
        let asker = context::admitted(context)?;
        Ok(asker.app().projections.status().await.into_iter().map(Projection).collect())
    }
}
