//! Whether a block may follow the chain's head: every reason against it, at once.
//!
//! Does not execute: whether a transaction can be, is handed in.

use std::collections::BTreeSet;

use super::{
    APP_VERSION, BLOCK_VERSION, BlockProposed, BlockRejected, BlockValidated, Body, Contents,
    Event, FAULTS_MAX, Fault, Field, Ground, Header, Known, Refusal,
};
use crate::{evidence::Voter, values::Hash};

/// The verdict on a recorded block. Only what is the block's own fault speaks against it; what is
/// not at hand, or not there yet, refuses the question.
pub(super) fn judge(block: &BlockProposed, known: &Known) -> Result<Event, Refusal> {
    let body = known.body.as_ref().filter(|body| body.hash() == block.body);
    let body = body.ok_or(Refusal::BodyMissing { body: block.body })?;
    let ground = known.ground.as_ref().ok_or(Refusal::GroundMissing)?;
    let (height, next) = (block.height, ground.height);
    if height > next {
        return Err(Refusal::HeightNotReached { height, next });
    }
    let (faults, bytes) = if height < next {
        (vec![Fault::HeightOver { found: height, next }], 0)
    } else {
        check(&block.header, body, ground, known)
    };
    if faults.is_empty() {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        return Ok(Event::BlockValidated(BlockValidated { bytes }));
    }
    let faults_count = u32::try_from(faults.len()).unwrap_or(u32::MAX);
    let faults = faults.into_iter().take(FAULTS_MAX).collect();
    Ok(Event::BlockRejected(BlockRejected { faults, faults_count }))
}

/// The faults, and the block's length in bytes with its transactions.
fn check(header: &Header, body: &Body, ground: &Ground, known: &Known) -> (Vec<Fault>, u64) {
    let mut faults = header_faults(header, ground, known);
    faults.extend(time_faults(header, body, ground));
    faults.extend(last_commit_fault(body, ground));
    faults.extend(evidence_faults(body, ground, known));
    let bytes = transaction_faults(header, body, known, &mut faults);
    (faults, bytes)
}

fn header_faults(header: &Header, ground: &Ground, known: &Known) -> Vec<Fault> {
    let version = header.header().version;
    let text = |hash: Option<Hash>| hash.map_or_else(|| "none".to_owned(), |h| h.to_string());
    let last = ground.last.as_ref().map(|last| last.block_id);
    let id_text = |id: Option<crate::vote::BlockId>| {
        id.map_or_else(|| "none".to_owned(), |id| id.to_string())
    };
    let consensus_hash = Ground::consensus_hash(&known.parameters);
    let pairs = [
        (Field::BlockVersion, BLOCK_VERSION.to_string(), version.block.to_string()),
        (Field::AppVersion, APP_VERSION.to_string(), version.app.to_string()),
        (Field::ChainId, ground.chain_id.to_string(), header.chain_id().to_string()),
        (Field::LastBlockId, id_text(last), id_text(header.last_block_id())),
        (Field::AppHash, ground.app_hash.to_string(), header.app_hash().to_string()),
        (Field::ConsensusHash, consensus_hash.to_string(), text(header.consensus_hash())),
        (
            Field::LastResultsHash,
            ground.last_results_hash.to_string(),
            text(header.last_results_hash()),
        ),
        (
            Field::ValidatorsHash,
            ground.validators.hash().to_string(),
            header.validators_hash().to_string(),
        ),
        (
            Field::NextValidatorsHash,
            ground.next_validators_hash.to_string(),
            header.next_validators_hash().to_string(),
        ),
    ];
    let mut faults: Vec<Fault> = pairs
        .into_iter()
        .filter(|(_, expected, found)| expected != found)
        .map(|(field, expected, found)| Fault::HeaderMismatch { expected, field, found })
        .collect();
    let proposer = header.proposer();
    if !ground.validators.members().any(|(address, _)| address == proposer) {
        faults.push(Fault::ProposerNotInSet { proposer });
    }
    faults
}

fn time_faults(header: &Header, body: &Body, ground: &Ground) -> Vec<Fault> {
    let mut faults = Vec::new();
    let found = header.time();
    if !header.has_whole_time() {
        faults.push(Fault::TimeNotWhole);
    }
    if let Some(last) = ground.last.as_ref().filter(|last| found <= last.time) {
        faults.push(Fault::TimeNotLater { found, last: last.time });
    }
    // A last commit that is missing is a fault of its own.
    if let Some(expected) = ground.time(body).filter(|expected| *expected != found) {
        let (expected, found) = (expected.to_string(), found.to_string());
        faults.push(Fault::HeaderMismatch { expected, field: Field::Time, found });
    }
    faults
}

fn last_commit_fault(body: &Body, ground: &Ground) -> Option<Fault> {
    let (last, commit) = match (&ground.last, &body.last_commit) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Fault::LastCommitUnexpected),
        (Some(_), None) => return Some(Fault::LastCommitMissing),
        (Some(last), Some(commit)) => (last, commit),
    };
    if commit.block_id() != last.block_id || commit.height() != last.height {
        let (expected, found) = (last.block_id.hash, commit.block_id().hash);
        return Some(Fault::LastCommitElsewhere { expected, found, height: commit.height() });
    }
    let verified = commit.verify(&ground.chain_id, &last.validators);
    verified.err().map(|fault| Fault::LastCommitInvalid { fault })
}

fn evidence_faults(body: &Body, ground: &Ground, known: &Known) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let maximum = known.parameters.evidence_age_blocks_max;
    for one in &body.evidence {
        let (evidence, height) = (one.hash(), one.height());
        if !seen.insert(evidence) {
            faults.push(Fault::EvidenceTwice { evidence });
            continue;
        }
        if known.punished.contains(&evidence) {
            faults.push(Fault::EvidencePunished { evidence });
        }
        let age = ground.height.value().saturating_sub(height.value());
        if age > u64::from(maximum) {
            faults.push(Fault::EvidenceExpired { evidence, height, maximum });
            continue;
        }
        let Some(past) = known.past.get(&height).filter(|_| height < ground.height) else {
            faults.push(Fault::EvidenceNotFinal { evidence, height });
            continue;
        };
        let verified = match Voter::of(&past.validators, one.validator()) {
            Some(voter) => one.verify(&ground.chain_id, &voter, past.time),
            None => Err(crate::evidence::Fault::NotInSet { voter: one.validator() }),
        };
        if let Err(fault) = verified {
            faults.push(Fault::EvidenceInvalid { evidence, fault });
        }
    }
    faults
}

/// Collects the transactions' faults; answers with the block's length in bytes.
fn transaction_faults(header: &Header, body: &Body, known: &Known, faults: &mut Vec<Fault>) -> u64 {
    let parameters = &known.parameters;
    let found = u32::try_from(body.transactions.len()).unwrap_or(u32::MAX);
    if found > parameters.block_txs_max {
        faults.push(Fault::TooManyTransactions { found, maximum: parameters.block_txs_max });
    }
    let contents = Contents { body: body.clone(), header: header.clone() };
    let mut bytes = u64::try_from(contents.to_protobuf().len()).unwrap_or(u64::MAX);
    let mut seen = BTreeSet::new();
    for hash in &body.transactions {
        if !seen.insert(*hash) {
            faults.push(Fault::TransactionTwice { hash: *hash });
            continue;
        }
        let Some(offer) = known.transactions.get(hash) else {
            faults.push(Fault::TransactionUnknown { hash: *hash });
            continue;
        };
        bytes = bytes.saturating_add(u64::from(offer.bytes));
        if let Some(sentence) = &offer.fault {
            let (hash, sentence) = (*hash, sentence.clone());
            faults.push(Fault::TransactionInvalid { hash, sentence });
        }
    }
    if bytes > u64::from(parameters.block_bytes_max) {
        let (found, maximum) = (bytes.to_string(), parameters.block_bytes_max);
        faults.push(Fault::TooLarge { found, maximum });
    }
    bytes
}
