//! Protocol parameters: what the setting says is scheduled on our own chain.
//!
//! Does not judge them: the setting's proposal was judged, and the chain judges again.

use domain::{
    aggregate::Aggregate as _, chain::Refusal, configuration::setting::Setting,
    parameters::Overrides,
};
use tracing::warn;

use super::{Cause, Stuck};
use crate::{error::CommandError, execute::Commands, settings::InForce as _};

/// What is followed.
pub(super) const FOLLOWED: &[&str] =
    &["setting-applied.v1", "setting-rolled-back.v1", "genesis-initialised.v1"];

/// Schedules what the setting says now.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    let stream = &cause.stored.stream;
    if stream.category() == Setting::CATEGORY && stream.id() != Overrides::KEY {
        return Ok(());
    }
    let Some(own) = commands.own_chain().await? else { return Ok(()) };
    match commands.schedule_parameters(&own.genesis.chain_id, cause.request("schedule")).await {
        Ok(_) => Ok(()),
        // Its books were closed in between: the next epoch's are opened at once.
        Err(CommandError::Refused(Refusal::EpochClosed { epoch })) => {
            Err(Stuck::Passing(format!("epoch {epoch} is closed")))
        }
        Err(CommandError::Refused(refusal)) => {
            warn!(%refusal, "the parameters that are set are not scheduled");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
