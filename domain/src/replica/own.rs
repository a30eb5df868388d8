//! Our own chain after its last block: what the next one stands on, and what it comes to.
//!
//! Does not know what waits, nor whether a block was agreed upon.

use std::sync::Arc;

use super::Succession;
use crate::{
    block::{BlockProposed, Body, Ground, Last},
    chain::{self, BlockApplied, GenesisInitialised},
    ledger::{BlockContext, BlockFault, Equivocation, Execution, Ledger, Unusable},
    light::ParseFault,
    parameters::Change,
    transaction::Transaction,
    validator_set::ValidatorSetRotated,
    values::{AppHash, Hash},
};

/// Our own chain after its last block. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Own {
    /// How it began.
    pub genesis: Arc<GenesisInitialised>,
    /// Its last block; none before the first.
    pub head: Option<Arc<Head>>,
    /// Its state.
    pub ledger: Ledger,
    /// Which sets sign.
    pub sets: Succession,
}

/// The last block that was applied.
#[derive(Debug)]
pub struct Head {
    /// What came of it.
    pub applied: BlockApplied,
    /// How it was recorded.
    pub proposed: BlockProposed,
}

/// Why a chain cannot begin here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it means")]
pub enum Unbegun {
    #[error("{0}")]
    Ledger(#[from] Unusable),
    #[error("its first validators are no set: {0}")]
    Set(#[from] ParseFault),
}

/// A block that was executed.
#[derive(Clone, Debug)]
pub struct Executed {
    /// What is known of it when it is applied.
    pub block: chain::Executed,
    /// The state after it.
    pub ledger: Ledger,
    /// What it came to.
    pub execution: Execution,
}

impl Executed {
    /// Whether exactly this was applied.
    pub fn is(&self, applied: &BlockApplied) -> bool {
        self.block.applied == *applied
    }

    /// The hashes of its transactions.
    pub fn transactions(&self) -> Vec<Hash> {
        self.execution.receipts.iter().map(|receipt| receipt.hash).collect()
    }
}

impl Own {
    /// The chain at its beginning, as its genesis document says.
    pub fn begin(genesis: GenesisInitialised, document: &str) -> Result<Own, Unbegun> {
        let ledger = Ledger::genesis(document)?;
        let sets = Succession::begin(&genesis)?;
        Ok(Own { genesis: Arc::new(genesis), head: None, ledger, sets })
    }

    /// A set was chosen for an epoch.
    pub fn choose(&mut self, rotated: &ValidatorSetRotated) -> Result<(), ParseFault> {
        self.sets.choose(rotated)
    }

    /// Other parameters hold from an epoch on.
    pub fn govern(&mut self, change: Change) {
        self.ledger.set_parameters(change);
    }

    /// The next block was applied, and left this state.
    pub fn goes_on(&mut self, ledger: Ledger, applied: BlockApplied, proposed: BlockProposed) {
        self.sets.advance(applied.height.next().unwrap_or(applied.height));
        self.ledger = ledger.under(&self.ledger);
        self.head = Some(Arc::new(Head { applied, proposed }));
    }

    /// What the next block must stand on; none after the last height there can be.
    pub fn ground(&self) -> Option<Ground> {
        let height = self.ledger.next_height()?;
        let root = self.ledger.root().as_bytes().to_vec();
        let last = self.head.as_ref().map(|head| Last {
            block_id: head.proposed.block_id,
            height: head.applied.height,
            time: head.applied.time,
            validators: self.sets.last.named.clone(),
        });
        let results = self.head.as_ref().map(|head| head.applied.receipts_root);
        Some(Ground {
            app_hash: AppHash::from_bytes(root).expect("32 bytes are an application's hash"),
            chain_id: self.genesis.chain_id.clone(),
            genesis_time: self.genesis.genesis_time,
            height,
            last,
            last_results_hash: results.unwrap_or_else(|| Hash::of(b"")),
            next_validators_hash: self.sets.following.named.hash(),
            validators: self.sets.current.named.clone(),
        })
    }

    /// What the next block comes to, and the bytes of its results.
    pub fn execute(
        &self,
        block: &BlockProposed,
        context: &BlockContext,
        transactions: &[Transaction],
    ) -> Result<(Executed, Vec<u8>), BlockFault> {
        let mut ledger = self.ledger.clone();
        let execution = ledger.execute(context, transactions)?;
        let results = execution.bytes();
        let header = &block.header;
        let applied = BlockApplied {
            hash: block.block_id.hash,
            height: block.height,
            last_block_hash: header.last_block_id().map(|last| last.hash),
            next_validators_hash: header.next_validators_hash(),
            proposer: block.proposer,
            receipts_root: execution.receipts_root,
            results: Hash::of(&results),
            state_root: execution.state_root,
            time: block.time,
            transactions: block.transactions,
            validators_hash: header.validators_hash(),
        };
        let state_root_before = self.ledger.root();
        let app_hash = header.app_hash().clone();
        let block = chain::Executed { app_hash, applied, state_root_before };
        Ok((Executed { block, ledger, execution }, results))
    }
}

/// What executing a block depends on besides its transactions.
pub fn context_of(block: &BlockProposed, body: &Body) -> BlockContext {
    let evidence = body.evidence.iter().map(|one| Equivocation {
        evidence: one.hash(),
        height: one.height(),
        validator: one.validator(),
    });
    BlockContext {
        evidence: evidence.collect(),
        height: block.height,
        proposer: block.proposer,
        time: block.time,
    }
}
