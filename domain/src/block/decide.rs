//! How a command to a block is decided.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    Block, BlockAbandoned, BlockFinalized, BlockProposed, Command, Contents, Event, Known,
    Proposed, Refusal, Standing, validate,
};
use crate::{
    commit::Commit,
    values::{Power, Reason},
};

/// Decides a command.
pub(super) fn decide(
    block: &Block,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Propose(contents) => propose(block, contents, known),
        Command::Validate {} => validate(proposed(block)?, known),
        Command::Finalize { commit } => finalize(proposed(block)?, commit, known),
        Command::Abandon { reason } => abandon(proposed(block)?, reason),
    }
}

fn proposed(block: &Block) -> Result<&Proposed, Refusal> {
    block.proposed().ok_or(Refusal::NotProposed)
}

fn propose(block: &Block, contents: &Contents, known: &Known) -> Result<Vec<Event>, Refusal> {
    let Contents { body, header } = contents;
    if header.hash() != known.id {
        return Err(Refusal::HashMismatch { computed: header.hash(), expected: known.id });
    }
    for (what, named, computed) in [
        ("data hash", header.data_hash(), body.data_hash()),
        ("evidence hash", header.evidence_hash(), body.evidence_hash()),
        ("last commit hash", header.last_commit_hash(), body.last_commit_hash()),
    ] {
        if named != Some(computed) {
            return Err(Refusal::BodyMismatch { computed, named, what });
        }
    }
    let bytes = body.to_protobuf();
    let maximum = known.parameters.block_bytes_max;
    let body_bytes = u32::try_from(bytes.len()).ok().filter(|found| *found <= maximum);
    let body_bytes = body_bytes.ok_or(Refusal::BodyTooLarge { found: bytes.len(), maximum })?;
    let hash = crate::values::Hash::of(&bytes);
    if let Block::Proposed(recorded) = block {
        // The header names what is in a body, not each byte of a commit's and a vote's form.
        if recorded.block.body != hash {
            let recorded = recorded.block.body;
            return Err(Refusal::BodyDiffers { found: hash, recorded });
        }
        return Ok(Vec::new());
    }
    Ok(vec![Event::BlockProposed(Box::new(BlockProposed {
        block_id: contents.id(),
        body: hash,
        body_bytes,
        chain_id: header.chain_id().clone(),
        evidence: count(body.evidence.len()),
        header: header.clone(),
        height: header.height(),
        proposer: header.proposer(),
        time: header.time(),
        transactions: count(body.transactions.len()),
    }))])
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn validate(proposed: &Proposed, known: &Known) -> Result<Vec<Event>, Refusal> {
    match proposed.standing {
        Standing::Valid | Standing::Invalid | Standing::Final(_) | Standing::Abandoned => {
            Ok(Vec::new())
        }
        Standing::Proposed => validate::judge(&proposed.block, known).map(|event| vec![event]),
    }
}

fn finalize(proposed: &Proposed, commit: &Commit, known: &Known) -> Result<Vec<Event>, Refusal> {
    let (block, header) = (&proposed.block, &proposed.block.header);
    if commit.block_id() != block.block_id || commit.height() != block.height {
        let (found, height) = (commit.block_id().hash, commit.height());
        return Err(Refusal::CommitElsewhere { found, height });
    }
    match proposed.standing {
        Standing::Valid => {}
        // Any good commit says the same; the first stays.
        Standing::Final(_) => return Ok(Vec::new()),
        Standing::Proposed | Standing::Invalid | Standing::Abandoned => {
            return Err(Refusal::NotValid { standing: proposed.standing.name() });
        }
    }
    let hash = header.validators_hash();
    let set = known.validators.as_ref().filter(|set| set.hash() == hash);
    let set = set.ok_or(Refusal::ValidatorSetMissing { hash })?;
    let tally =
        commit.verify(&block.chain_id, set).map_err(|fault| Refusal::CommitInvalid { fault })?;
    Ok(vec![Event::BlockFinalized(BlockFinalized {
        commit: commit.clone(),
        round: commit.round(),
        signed_power: Power::new(tally.signed).unwrap_or_default(),
        total_power: Power::new(tally.total).unwrap_or_default(),
    })])
}

fn abandon(proposed: &Proposed, reason: &Reason) -> Result<Vec<Event>, Refusal> {
    match proposed.standing {
        Standing::Valid => {
            Ok(vec![Event::BlockAbandoned(BlockAbandoned { reason: reason.clone() })])
        }
        Standing::Abandoned => Ok(Vec::new()),
        Standing::Proposed | Standing::Invalid | Standing::Final(_) => {
            Err(Refusal::NotValid { standing: proposed.standing.name() })
        }
    }
}
