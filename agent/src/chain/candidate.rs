//! A block that may be the next: recorded, judged by this validator itself, executed on its own
//! state.
//!
//! Does not believe the record's verdict, nor its roots.

use std::collections::BTreeSet;

use domain::{
    aggregate::Aggregate as _,
    block::{self, Block, BlockProposed, Body, Command, Contents, Event},
    consensus::{self, Started},
    replica::{Executed, context_of, offers, sound},
    transaction::{Transaction, verify_all},
    values::{Address, Hash, Moment},
    vote::BlockId,
};

use super::{Chain, Disagreement};

/// How many reasons against a block are told in a sentence.
const REASONS_TOLD_MAX: usize = 3;

/// A block that may be the next.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// How it was recorded.
    pub block: BlockProposed,
    /// What it holds.
    pub body: Option<Body>,
    /// What it comes to, once it was found good.
    pub executed: Option<Executed>,
}

impl Candidate {
    /// One that was recorded.
    pub fn recorded(block: BlockProposed) -> Candidate {
        Candidate { block, body: None, executed: None }
    }

    pub(super) fn missing_body(&self) -> Option<Hash> {
        self.body.is_none().then_some(self.block.body)
    }
}

impl Chain {
    /// Whether a proposed block is one to vote for, and if not, why. Its body must be at hand.
    pub fn judge(&mut self, id: BlockId) -> Result<(), String> {
        let candidate = self.candidates.get(&id.hash).ok_or("it is not recorded")?;
        if candidate.block.block_id != id {
            return Err("it is recorded with other parts".to_owned());
        }
        self.judged(id.hash, true)
    }

    /// Judges a block that is final. Whether its transactions are signed was judged by those who
    /// made it so.
    pub(super) fn judge_final(&mut self, hash: Hash) -> Result<(), Disagreement> {
        self.judged(hash, false).map_err(|because| {
            Disagreement(format!(
                "Block {hash} is final, and this validator finds it faulty: {because}."
            ))
        })
    }

    fn judged(&mut self, hash: Hash, verifies: bool) -> Result<(), String> {
        let candidate = self.candidates.get(&hash).ok_or("it is not recorded")?;
        if candidate.executed.is_some() {
            return Ok(());
        }
        let body = candidate.body.as_ref().ok_or("its body is not to be had")?;
        let executed = self.executed(&candidate.block, body, verifies)?;
        if let Some(candidate) = self.candidates.get_mut(&hash) {
            candidate.executed = Some(executed);
        }
        Ok(())
    }

    /// Everything there is against a block; what it comes to when there is nothing.
    fn executed(
        &self,
        block: &BlockProposed,
        body: &Body,
        verifies: bool,
    ) -> Result<Executed, String> {
        let own = self.own().ok_or("the chain has not begun")?;
        let parameters = own.ledger.schedule().at_height(block.height);
        checks_record(block, body, parameters.clone())?;
        let known = |hash: &Hash| {
            let found = self.mempool.known(hash).cloned();
            found.ok_or_else(|| format!("transaction {hash} is not known"))
        };
        let transactions: Vec<Transaction> =
            body.transactions.iter().map(known).collect::<Result<_, _>>()?;
        if verifies && let Some(bad) = verify_all(&transactions).iter().position(|valid| !valid) {
            let hash = transactions[bad].hash();
            return Err(format!("transaction {hash} is not signed by its sender"));
        }
        let context = context_of(block, body);
        let executed = own.execute(block, &context, &transactions);
        let offered = match &executed {
            Ok(_) => sound(&transactions),
            Err(_) => {
                let waiting = transactions.iter().map(|one| (one.hash(), one.clone())).collect();
                offers(&own.ledger, context, &body.transactions, waiting)
            }
        };
        let known = block::Known {
            id: block.block_id.hash,
            now: Moment::EPOCH,
            parameters: parameters.clone(),
            body: Some(body.clone()),
            ground: own.ground(),
            transactions: offered,
            past: self.past_of(body),
            punished: self.punished_of(body),
            validators: None,
        };
        verdict(block, &known)?;
        executed.map(|(executed, _)| executed).map_err(|fault| fault.to_string())
    }

    fn past_of(
        &self,
        body: &Body,
    ) -> std::collections::BTreeMap<domain::values::Height, block::Past> {
        let heights = body.evidence.iter().map(|one| one.height());
        heights.filter_map(|height| Some((height, self.past.get(&height)?.clone()))).collect()
    }

    fn punished_of(&self, body: &Body) -> BTreeSet<Hash> {
        let named = body.evidence.iter().map(|one| one.hash());
        named.filter(|hash| self.punished.contains_key(hash)).collect()
    }
}

/// What is recorded of a block is what the domain records of its header and its body.
fn checks_record(
    block: &BlockProposed,
    body: &Body,
    parameters: domain::parameters::Parameters,
) -> Result<(), String> {
    let contents = Contents { body: body.clone(), header: block.header.clone() };
    let known = block::Known {
        id: block.block_id.hash,
        now: Moment::EPOCH,
        parameters,
        body: None,
        ground: None,
        transactions: Default::default(),
        past: Default::default(),
        punished: BTreeSet::new(),
        validators: None,
    };
    let decided = Block::default().decide(&Command::Propose(Box::new(contents)), &known);
    match decided.map_err(|refusal| refusal.to_string())?.as_slice() {
        [Event::BlockProposed(expected)] if **expected == *block => Ok(()),
        _ => Err("it is not recorded as it is".to_owned()),
    }
}

/// The domain's verdict, by what this validator knows.
fn verdict(block: &BlockProposed, known: &block::Known) -> Result<(), String> {
    let mut state = Block::default();
    state.evolve(&Event::BlockProposed(Box::new(block.clone())));
    let decided = state.decide(&Command::Validate {}, known);
    for event in decided.map_err(|refusal| refusal.to_string())? {
        if let Event::BlockRejected(rejected) = event {
            let told = rejected.faults.iter().take(REASONS_TOLD_MAX).map(ToString::to_string);
            return Err(told.collect::<Vec<_>>().join("; "));
        }
    }
    Ok(())
}

/// What is said at a height is signed by who is said to have said it.
pub(super) fn checks_signature(
    record: &Started,
    event: &consensus::Event,
    verifies: bool,
) -> Result<(), Disagreement> {
    let start = record.start();
    let (chain, height) = (&start.chain_id, start.height);
    let key = |of: Address| record.voter(of).map(|voter| voter.public_key);
    let (who, signed) = match event {
        consensus::Event::VoteCast(vote) if verifies => {
            let by = vote.validator;
            (by, key(by).is_some_and(|key| vote.is_signed_by(&key, chain, height)))
        }
        consensus::Event::ProposalAccepted(accepted) if verifies => {
            let by = record.proposer(accepted.round);
            let proposal = accepted.proposal();
            (by, key(by).is_some_and(|key| proposal.is_signed_by(&key, chain, height)))
        }
        // That a block is final is signed by those who made it so, whenever one reads it.
        consensus::Event::BlockCommitted(committed) => {
            let seats = start.members.iter().map(|seat| (seat.public_key, seat.power));
            let set = domain::replica::named(seats);
            let good = set.is_ok_and(|set| committed.commit.verify(chain, &set).is_ok());
            let named = committed.commit.block_id() == committed.block_id
                && committed.commit.height() == height;
            if good && named {
                return Ok(());
            }
            let hash = committed.block_id.hash;
            let sentence = format!("Block {hash} is said to be final at height {height} without");
            return Err(Disagreement(format!("{sentence} a commit that makes it so.")));
        }
        consensus::Event::VoteCast(_)
        | consensus::Event::ProposalAccepted(_)
        | consensus::Event::HeightStarted(_)
        | consensus::Event::RoundStarted(_)
        | consensus::Event::PolkaReached(_)
        | consensus::Event::RoundFailed(_)
        | consensus::Event::EquivocationDetected(_)
        | consensus::Event::EvidenceAccepted(_)
        | consensus::Event::VotesRefused(_) => return Ok(()),
    };
    if signed {
        return Ok(());
    }
    Err(Disagreement(format!(
        "At height {height} the record holds something that validator {who} did not sign."
    )))
}
