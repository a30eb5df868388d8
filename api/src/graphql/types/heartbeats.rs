//! Validators' signs of life.
//!
//! Does not know what follows from them.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use domain::consensus::Step;

use crate::{
    graphql::{
        context,
        scalars::{Address, Height, Moment, Position},
    },
    heartbeats::{self, Beat},
    problem::Problem,
};

/// What a round waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Step")]
pub enum RoundStep {
    /// For the proposal.
    Propose,
    /// For prevotes.
    Prevote,
    /// For precommits.
    Precommit,
}

/// The newest sign of life of a validator.
#[derive(SimpleObject)]
pub struct Heartbeat {
    /// The validator.
    validator: Address,
    /// When it came, by the server's clock.
    at: Moment,
    /// The height that comes next for it.
    height: Height,
    /// The round.
    round: u32,
    /// What it waits for in the round.
    step: RoundStep,
    /// How many transactions wait with it.
    mempool: Position,
    /// How many milliseconds its sign of life before took to be answered, as it says.
    latency_ms: Option<u32>,
    /// How many bytes of bodies it has received from its server since it started, as it says.
    received_bytes: Option<Position>,
    /// The version of its program.
    version: String,
}

impl From<Beat> for Heartbeat {
    fn from(beat: Beat) -> Heartbeat {
        Heartbeat {
            validator: Address(beat.validator),
            at: Moment(beat.at),
            height: Height(beat.height),
            round: beat.round.value(),
            step: beat.step.into(),
            mempool: Position(u64::from(beat.mempool)),
            latency_ms: beat.latency_ms,
            received_bytes: beat.received_bytes.map(Position),
            version: beat.version,
        }
    }
}

/// Signs of life.
#[derive(Default)]
pub struct HeartbeatQueries;

#[Object]
impl HeartbeatQueries {
    /// The newest sign of life of each validator that gave one lately, by address.
    async fn heartbeats(&self, context: &Context<'_>) -> Result<Vec<Heartbeat>> {
        let asker = context::admitted(context)?;
        let found = heartbeats::newest(&asker.app().pool).await.map_err(Problem::from)?;
        Ok(found.into_iter().map(Heartbeat::from).collect())
    }
}
