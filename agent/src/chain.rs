//! Our own chain as a validator keeps it: every block executed by itself, on its own state.
//!
//! Does not follow, fetch or sign. Whatever the record says and this validator does not come to by
//! itself is a [`Disagreement`].

mod candidate;
mod making;

pub use candidate::Candidate;
use making::Measure;

use std::collections::BTreeMap;

use domain::{
    aggregate::Aggregate as _,
    block::{BlockProposed, Body, Past},
    chain::{BlockApplied, GenesisInitialised},
    consensus::{self, Command, ConsensusHeight, HeightStarted, HeightStream, Known, Start},
    evidence::Evidence,
    parameters,
    replica::{self, Mempool, Own},
    transaction,
    validator_set::ValidatorSetRotated,
    values::{ChainId, Hash, Height, Moment},
};

/// Of how many heights before the next one the record is kept: late precommits and contradicting
/// votes still arrive there.
const HEIGHTS_KEPT: u64 = 8;

/// What the record says, and this validator does not come to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Disagreement(pub String);

/// Our own chain after its last block, and what is about to be the next.
#[derive(Default)]
pub struct Chain {
    own: Option<Own>,
    mempool: Mempool,
    /// How large a block it makes.
    measure: Measure,
    /// The blocks that may be the next.
    candidates: BTreeMap<Hash, Candidate>,
    /// What was said at the next height and the last ones.
    records: BTreeMap<Height, ConsensusHeight>,
    /// When which set signed, as long as evidence may speak of it.
    past: BTreeMap<Height, Past>,
    /// The evidence that is in blocks already, with the height it speaks of.
    punished: BTreeMap<Hash, Height>,
}

impl Chain {
    /// Our own chain; none before its genesis.
    pub fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// Its name; none before its genesis.
    pub fn id(&self) -> Option<&ChainId> {
        self.own.as_ref().map(|own| &own.genesis.chain_id)
    }

    /// Whether something is about our own chain.
    pub fn is(&self, chain: &ChainId) -> bool {
        self.id() == Some(chain)
    }

    /// The height that comes next; none before its genesis, and after the last there can be.
    pub fn next_height(&self) -> Option<Height> {
        self.own.as_ref().and_then(|own| own.ledger.next_height())
    }

    /// How many transactions wait.
    pub fn waiting(&self) -> u32 {
        self.mempool.count()
    }

    /// What was said at a height, when it is one of the last.
    pub fn record(&self, height: Height) -> Option<&consensus::Started> {
        self.records.get(&height).and_then(ConsensusHeight::started)
    }

    /// The first chain that begins is our own.
    pub fn begin(
        &mut self,
        genesis: GenesisInitialised,
        document: &[u8],
    ) -> Result<(), Disagreement> {
        let text = std::str::from_utf8(document)
            .map_err(|fault| Disagreement(format!("The genesis document is no text: {fault}")))?;
        let own = Own::begin(genesis, text)
            .map_err(|fault| Disagreement(format!("No chain begins so: {fault}")))?;
        self.mempool = Mempool::new(own.ledger.parameters());
        self.own = Some(own);
        Ok(())
    }

    /// Something happened to an account.
    pub fn account(&mut self, event: &transaction::Event) {
        self.mempool.fold(event);
    }

    /// Other parameters were scheduled.
    pub fn governed(&mut self, change: parameters::Change) {
        if let Some(own) = &mut self.own {
            own.govern(change);
        }
    }

    /// A set was chosen.
    pub fn rotated(&mut self, rotated: &ValidatorSetRotated) -> Result<(), Disagreement> {
        let Some(own) = &mut self.own else { return Ok(()) };
        own.choose(rotated)
            .map_err(|fault| Disagreement(format!("What was chosen is no set: {fault}")))
    }

    /// A block was recorded. Only one that may be the next is of interest: whoever makes one after
    /// it has read that this one is applied.
    pub fn recorded(&mut self, block: BlockProposed) {
        if self.is(&block.chain_id) && self.next_height() == Some(block.height) {
            let hash = block.block_id.hash;
            self.candidates.entry(hash).or_insert_with(|| Candidate::recorded(block));
        }
    }

    /// Something happened at a height of our chain. What starts a height must be what this
    /// validator's own state starts it from; what is said there must be signed by who is said to.
    pub fn said(
        &mut self,
        stream: &HeightStream,
        event: &consensus::Event,
        verifies: bool,
    ) -> Result<(), Disagreement> {
        let Some(next) = self.next_height() else { return Ok(()) };
        let height = stream.height;
        if height.value() + HEIGHTS_KEPT < next.value() || height > next {
            return Ok(());
        }
        if let consensus::Event::HeightStarted(started) = event {
            self.checks_start(stream, started)?;
        }
        if let Some(record) = self.record(height) {
            candidate::checks_signature(record, event, verifies)?;
        }
        self.records.entry(height).or_default().evolve(event);
        Ok(())
    }

    /// A height starts as the domain decides it from this validator's own state.
    fn checks_start(
        &self,
        stream: &HeightStream,
        started: &HeightStarted,
    ) -> Result<(), Disagreement> {
        let Some(own) = self.own.as_ref() else { return Ok(()) };
        let Some(start) = self.start(own, stream.height) else {
            return Err(Disagreement(format!("Height {} starts too early.", stream.height)));
        };
        let known = Known {
            stream: stream.clone(),
            now: Moment::EPOCH,
            parameters: own.ledger.schedule().at_height(stream.height).clone(),
            block: None,
            head: None,
            start: Some(start),
        };
        let decided = ConsensusHeight::default().decide(&Command::StartHeight {}, &known);
        let expected = decided.map_err(|refusal| {
            Disagreement(format!("Height {} cannot start: {refusal}.", stream.height))
        })?;
        match expected.first() {
            Some(consensus::Event::HeightStarted(own)) if **own == *started => Ok(()),
            Some(_) | None => Err(Disagreement(format!(
                "Height {} starts with another set, turn or time than this validator's state says.",
                stream.height
            ))),
        }
    }

    fn start(&self, own: &Own, height: Height) -> Option<Start> {
        let members = own.sets.current.members.clone();
        let genesis = &own.genesis;
        Some(match &own.head {
            None => Start {
                height,
                last: None,
                members,
                time: genesis.genesis_time,
                validators_hash: genesis.validators_hash,
            },
            Some(head) => Start {
                height,
                last: Some(self.record(head.applied.height)?.last_height()?),
                members,
                time: head.applied.time,
                validators_hash: head.applied.next_validators_hash,
            },
        })
    }

    /// The body's hash of a block whose body is not at hand; none when it is, or when nobody
    /// recorded the block.
    pub fn missing_body(&self, block: Hash) -> Option<Hash> {
        self.candidates.get(&block).and_then(Candidate::missing_body)
    }

    /// Takes a block's body.
    pub fn body(&mut self, block: Hash, body: Body) {
        if let Some(candidate) = self.candidates.get_mut(&block) {
            candidate.body = Some(body);
        }
    }

    /// A block was applied. It must be the one that the height agreed on, and come to what it comes
    /// to here.
    pub fn applied(&mut self, applied: BlockApplied) -> Result<(), Disagreement> {
        let (hash, height) = (applied.hash, applied.height);
        let next = self.next_height();
        if next != Some(height) {
            return Err(Disagreement(format!(
                "Height {height} was applied, and the next of this validator is {next:?}."
            )));
        }
        let agreed = self.record(height).and_then(|record| record.committed());
        if agreed.is_none_or(|committed| committed.block_id.hash != hash) {
            return Err(Disagreement(format!(
                "Block {hash} was applied at height {height}, which did not agree on it."
            )));
        }
        self.judge_final(hash)?;
        let candidate = self.candidates.remove(&hash);
        let executed = candidate.and_then(|found| Some((found.executed?, found.block, found.body)));
        let Some((executed, block, body)) = executed else {
            return Err(Disagreement(format!("Block {hash} cannot be executed here.")));
        };
        if !executed.is(&applied) {
            let (own, said) = (&executed.block.applied, &applied);
            return Err(Disagreement(format!(
                "At height {height} the record says state root {} and receipts root {}, this \
                 validator comes to {} and {}: it signs nothing on a chain it does not agree with.",
                said.state_root, said.receipts_root, own.state_root, own.receipts_root
            )));
        }
        self.goes_on(executed, applied, block, body.map_or_else(Vec::new, |body| body.evidence));
        Ok(())
    }

    fn goes_on(
        &mut self,
        executed: replica::Executed,
        applied: BlockApplied,
        block: BlockProposed,
        evidence: Vec<Evidence>,
    ) {
        let (height, time) = (applied.height, applied.time);
        let agreed = self.record(height).and_then(|record| record.committed());
        if let Some(round) = agreed.map(|committed| committed.round) {
            self.measure.learns(round);
        }
        let Some(own) = &mut self.own else { return };
        self.mempool.executed(executed.transactions());
        own.goes_on(executed.ledger, applied, block);
        let validators = own.sets.last.named.clone();
        self.past.insert(height, Past { time, validators });
        self.punished.extend(evidence.iter().map(|one| (one.hash(), one.height())));
        let parameters = own.ledger.parameters();
        self.mempool.govern(parameters);
        let oldest = parameters.evidence_age_blocks_max;
        let oldest = height.value().saturating_sub(u64::from(oldest));
        self.past.retain(|height, _| height.value() >= oldest);
        self.punished.retain(|_, height| height.value() >= oldest);
        self.candidates.retain(|_, candidate| candidate.block.height > height);
        self.records.retain(|kept, _| kept.value() + HEIGHTS_KEPT > height.value());
    }

    /// How many transactions a recorded block holds.
    pub fn transactions_of(&self, block: Hash) -> u32 {
        self.candidates.get(&block).map_or(0, |candidate| candidate.block.transactions)
    }
}
