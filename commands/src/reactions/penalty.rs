//! Penalty: whose stake a block burned for signing two things is punished as a validator, too, with
//! the same evidence, and is out of the set from the next rotation on.
//!
//! Does not look for evidence, nor verify it: heights find it, and a block that holds any that
//! proves nothing is never agreed on.

use domain::{
    block::Block,
    chain,
    validator::{Command, Offence, Validator},
};

use super::{Cause, Stuck, unless_refused};
use crate::execute::Commands;

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["block-applied.v1"];

/// Punishes whoever a block burned the stake of.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    let chain::Event::BlockApplied(applied) = cause.read::<chain::Event>()? else { return Ok(()) };
    let block = commands.state::<Block>(&applied.hash).await?;
    // Most blocks hold none, and what they came to need not be read.
    if block.state.proposed().is_some_and(|proposed| proposed.block.evidence == 0) {
        return Ok(());
    }
    for burn in commands.results(&applied).await?.burns {
        let (evidence, height) = (burn.evidence, burn.height);
        let command = Command::Slash { evidence, height, offence: Offence::Equivocation };
        let request = cause.request(&format!("slash/{evidence}"));
        // Who never registered has no standing to lose, and who was punished for it already was.
        unless_refused(commands.execute::<Validator>(burn.validator, command, request).await)?;
    }
    Ok(())
}
