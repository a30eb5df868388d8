//! How a command to a chain is decided.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    Chain, Command, EpochClosed, EpochOpened, Event, GenesisInitialised, Kind, Known, Observed,
    Refusal, apply, fork, govern, observe,
};
use crate::{
    genesis,
    values::{Height, Moment},
};

/// Decides a command.
pub(super) fn decide(
    chain: &Chain,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::InitialiseGenesis { document } => initialise(chain, document, known),
        Command::StartObservation { anchor, epoch_headers, trusting_period_s } => {
            observe::start(chain, anchor, *epoch_headers, *trusting_period_s, known)
        }
        Command::ObserveHeader { next_validator_set, signed_header, validator_set } => {
            let given = observe::Given {
                header: signed_header,
                set: validator_set.as_ref(),
                next: next_validator_set.as_ref(),
            };
            observe::observe(chain, &given, known)
        }
        Command::CloseEpoch { next_height } => match chain {
            Chain::Native(native) => apply::close(native),
            Chain::Unbegun | Chain::Observed(_) => close(observed(chain)?, *next_height),
        },
        Command::OpenEpoch {} => open(chain, known),
        Command::ReportFork { first, second } => fork::report(observed(chain)?, first, second),
        Command::ResolveFork { height, keep, reason } => {
            fork::resolve(observed(chain)?, *height, *keep, reason)
        }
        Command::ApplyBlock { block, height, receipts_root, state_root } => {
            let claim = apply::Claim {
                block: *block,
                height: *height,
                receipts_root: *receipts_root,
                state_root: *state_root,
            };
            apply::apply(chain, &claim, known)
        }
        Command::CreateSnapshot { height } => {
            apply::snapshot(apply::native(chain)?, *height, known)
        }
        Command::ScheduleParameters {} => govern::schedule(chain, known),
        Command::PruneBefore { height } => apply::prune(apply::native(chain)?, *height),
    }
}

/// The chain as an observed one.
pub(super) fn observed(chain: &Chain) -> Result<&Observed, Refusal> {
    match chain {
        Chain::Unbegun => Err(Refusal::NotBegun),
        Chain::Native(_) => Err(Refusal::not_observed(Kind::Native)),
        Chain::Observed(observed) => Ok(observed),
    }
}

fn initialise(chain: &Chain, document: &str, known: &Known) -> Result<Vec<Event>, Refusal> {
    let report = genesis::check(document.as_bytes());
    let Some(genesis) = report.genesis.filter(|_| report.faults.is_empty()) else {
        let faults = report.faults;
        return Err(Refusal::GenesisFaulty { count: report.faults_count, faults });
    };
    match chain {
        Chain::Unbegun => {}
        Chain::Native(native) if native.genesis_hash == genesis.hash => {
            return Ok(Vec::new());
        }
        Chain::Native(_) | Chain::Observed(_) => return Err(Refusal::BegunAlready),
    }
    if genesis.chain_id != known.stream.chain {
        let expected = known.stream.chain.clone();
        return Err(Refusal::ChainMismatch { expected, found: genesis.chain_id });
    }
    let ours = genesis.ours.map_err(|sentence| Refusal::GenesisNotOurs { sentence })?;
    let epoch = genesis.initial_height.epoch(ours.parameters.epoch_blocks);
    if epoch != known.stream.epoch {
        let height = genesis.initial_height;
        return Err(Refusal::EpochMismatch { expected: epoch, found: known.stream.epoch, height });
    }
    Ok(vec![Event::GenesisInitialised(Box::new(GenesisInitialised {
        accounts: ours.accounts,
        app_hash: genesis.app_hash,
        bonded: ours.bonded,
        chain_id: genesis.chain_id,
        document_bytes: u32::try_from(document.len()).unwrap_or(u32::MAX),
        genesis_hash: genesis.hash,
        genesis_time: genesis.time,
        initial_height: genesis.initial_height,
        parameters: ours.parameters,
        supply: ours.supply,
        validators: ours.validators,
        validators_hash: ours.validators_hash,
    }))])
}

fn close(observed: &Observed, next_height: Option<Height>) -> Result<Vec<Event>, Refusal> {
    if observed.closed {
        return Ok(Vec::new());
    }
    if let Some(fork) = &observed.fork {
        return Err(Refusal::ForkUnresolved { height: fork.detected.height });
    }
    let head = observed.head.as_ref().ok_or(Refusal::NotBegun)?;
    let epoch = observed.epoch;
    // An epoch that reaches beyond the last height there can be never ends.
    let last = epoch.last_height(observed.epoch_headers);
    let skipped = last.zip(next_height).is_some_and(|(last, next)| next > last);
    if let Some(last) = last.filter(|last| head.height < *last && !skipped) {
        return Err(Refusal::EpochNotComplete { epoch, head: head.height, last });
    }
    let headers = u32::try_from(observed.hashes.len()).unwrap_or(u32::MAX);
    let closed = EpochClosed { epoch, hash: head.hash, headers, height: head.height };
    Ok(vec![Event::EpochClosed(closed)])
}

fn open(chain: &Chain, known: &Known) -> Result<Vec<Event>, Refusal> {
    match chain {
        Chain::Unbegun => opened(known).map(|event| vec![event]),
        Chain::Native(_) | Chain::Observed(_) => Err(Refusal::BegunAlready),
    }
}

/// The opening of the stream's epoch with what is carried over.
pub(super) fn opened(known: &Known) -> Result<Event, Refusal> {
    let epoch = known.stream.epoch;
    let carried = known.carried.as_ref();
    let fitting = carried.filter(|c| *c.chain_id() == known.stream.chain && c.opens(epoch));
    let carried = fitting.ok_or(Refusal::NothingCarried { epoch })?.clone();
    Ok(Event::EpochOpened(Box::new(EpochOpened { carried, epoch })))
}

/// When a header of this time can no longer be relied on.
pub(super) fn expires(time: Moment, trusting_period_s: u32) -> Moment {
    time.plus_seconds(u64::from(trusting_period_s))
}
