//! Epoch close: how each validator did its duties is recorded, who missed too many is punished,
//! what has matured is released, and who was leaving has left.
//!
//! Does not choose the next set: that cannot wait for an epoch's end ([`super::finality`]). Does
//! nothing for a chain on which nobody registered.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    chain::{self, ChainStream},
    consensus::{ConsensusHeight, HeightStream, Started},
    parameters::Parameters,
    transaction::{self, Account},
    validator::{Command, Offence, Record, Standing, StandingName, Validator},
    values::{Address, Bps, ChainId, Epoch, Hash, Height},
    vote::VoteType,
};

use super::{Cause, Stuck, unless_refused};
use crate::execute::Commands;

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["epoch-closed.v1"];
/// How often what has matured is released for one validator: each time a hundred entries at most.
const RELEASES_MAX: u32 = 100;

/// How a validator did at some heights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Duties {
    missed: u32,
    proposed: u32,
    signed: u32,
}

/// The heights by which downtime is judged.
struct Window {
    from: Height,
    last: Height,
    duties: BTreeMap<Address, Duties>,
}

/// Does what an epoch's end asks for.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    let chain::Event::EpochClosed(closed) = cause.read::<chain::Event>()? else { return Ok(()) };
    let stream: ChainStream =
        cause.stored.stream.id().parse().map_err(|fault| Stuck::Ended(format!("{fault}")))?;
    let Some(own) = commands.own_chain().await? else { return Ok(()) };
    let registered = commands.registered(&stream.chain).await?;
    if stream.chain != own.genesis.chain_id || registered.is_empty() {
        return Ok(());
    }
    let parameters = own.ledger.schedule().at(closed.epoch);
    let first = closed.epoch.first_height(parameters.epoch_blocks);
    let first = first.unwrap_or(own.genesis.initial_height).max(own.genesis.initial_height);
    let from = window(closed.height, own.genesis.initial_height, parameters);
    let earliest = from.unwrap_or(first).min(first);
    let heights = agreed(commands, &stream.chain, earliest, closed.height).await?;
    let duties = duties(&heights, first);
    let window =
        from.map(|from| Window { from, last: closed.height, duties: self::duties(&heights, from) });
    for record in registered {
        let close = Close { commands, cause, record: &record, epoch: closed.epoch };
        if let Some(duties) = duties.get(&record.address) {
            close.record(*duties).await?;
        }
        if let Some(window) = &window {
            close.judge_downtime(&stream.chain, window, parameters).await?;
        }
        close.release().await?;
    }
    Ok(())
}

/// The first of the heights by which downtime is judged; none while there are too few.
fn window(last: Height, initial: Height, parameters: &Parameters) -> Option<Height> {
    let blocks = u64::from(parameters.downtime_window_blocks);
    let first = Height::new((last.value() + 1).checked_sub(blocks)?).ok()?;
    (blocks > 0 && first >= initial).then_some(first)
}

/// What was said from a height to another.
async fn agreed(
    commands: &Commands,
    chain: &ChainId,
    first: Height,
    last: Height,
) -> Result<Vec<Arc<ConsensusHeight>>, Stuck> {
    let mut heights = Vec::new();
    for height in (first.value()..=last.value()).filter_map(|number| Height::new(number).ok()) {
        let stream = HeightStream { chain: chain.clone(), height };
        heights.push(commands.state::<ConsensusHeight>(&stream).await?.state);
    }
    Ok(heights)
}

/// How everybody did from a height on, by the commits.
fn duties(heights: &[Arc<ConsensusHeight>], from: Height) -> BTreeMap<Address, Duties> {
    let mut duties: BTreeMap<Address, Duties> = BTreeMap::new();
    let started = heights.iter().filter_map(|height| height.started());
    for started in started.filter(|started| started.start().height >= from) {
        count(started, &mut duties);
    }
    duties
}

fn count(started: &Started, duties: &mut BTreeMap<Address, Duties>) {
    let Some(committed) = started.committed() else { return };
    for seat in &started.start().members {
        let of = duties.entry(seat.address).or_default();
        let vote = started.vote(committed.round, VoteType::Precommit, seat.address);
        match vote.and_then(|vote| vote.block_id) {
            Some(_) => of.signed += 1,
            None => of.missed += 1,
        }
    }
    duties.entry(started.proposer(committed.round)).or_default().proposed += 1;
}

/// A validator at an epoch's end.
struct Close<'a> {
    commands: &'a Commands,
    cause: &'a Cause<'a>,
    record: &'a Record,
    epoch: Epoch,
}

impl Close<'_> {
    async fn give(&self, step: &str, command: Command) -> Result<bool, Stuck> {
        let address = self.record.address;
        let request = self.cause.request(&format!("{step}/{address}"));
        unless_refused(self.commands.execute::<Validator>(address, command, request).await)
    }

    async fn record(&self, duties: Duties) -> Result<(), Stuck> {
        let Duties { missed, proposed, signed } = duties;
        let command = Command::RecordPerformance { epoch: self.epoch, missed, proposed, signed };
        self.give("record-performance", command).await.map(drop)
    }

    /// Who missed more of the window than may be missed is punished, and what it was punished for
    /// counts no more.
    async fn judge_downtime(
        &self,
        chain: &ChainId,
        window: &Window,
        parameters: &Parameters,
    ) -> Result<(), Stuck> {
        let (from, last) = (window.from, window.last);
        if self.record.standing.name() != StandingName::Active {
            return Ok(());
        }
        let punished = self.record.offences.iter().filter(|(of, _)| *of == Offence::Downtime);
        if punished.map(|(_, height)| *height).max().is_some_and(|height| height >= from) {
            return Ok(());
        }
        let of = window.duties.get(&self.record.address).copied().unwrap_or_default();
        let total = u64::from(of.missed) + u64::from(of.signed);
        let missed_max = u64::from(parameters.downtime_missed_max_bps.value()) * total;
        if u64::from(of.missed) * u64::from(Bps::WHOLE.value()) <= missed_max {
            return Ok(());
        }
        // Its absence is its evidence: what names it is where it was not.
        let named = format!("downtime/{chain}/{}/{from}/{last}", self.record.address);
        let evidence = Hash::of(named.as_bytes());
        let command = Command::Slash { evidence, height: last, offence: Offence::Downtime };
        self.give("slash-downtime", command).await.map(drop)
    }

    /// What was set aside for whoever has left is its own again.
    async fn free(&self) -> Result<(), Stuck> {
        let Some(purpose) = self.record.reservation.clone() else { return Ok(()) };
        let address = self.record.address;
        let request = self.cause.request(&format!("release-reservation/{address}"));
        let release = transaction::Command::Release { purpose };
        let released = self.commands.execute::<Account>(address, release, request).await;
        unless_refused(released).map(drop)
    }

    /// Releases what has matured, and completes an exit that has.
    async fn release(&self) -> Result<(), Stuck> {
        let next = self.epoch.plus(1);
        let matured = self.record.stake.unbonding.keys().any(|entry| entry.matures <= next);
        for round in 0..RELEASES_MAX {
            let command = Command::CompleteUnbonding { epoch: next };
            if !matured || !self.give(&format!("complete-unbonding/{round}"), command).await? {
                break;
            }
        }
        match self.record.standing {
            Standing::Exiting { matures } if matures <= next => {
                self.give("complete-exit", Command::CompleteExit {}).await?;
                self.free().await
            }
            Standing::Registered
            | Standing::Active
            | Standing::Jailed { .. }
            | Standing::Slashed
            | Standing::Exiting { .. }
            | Standing::Exited
            | Standing::Tombstoned => Ok(()),
        }
    }
}
