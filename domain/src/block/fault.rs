//! What can be wrong with a block.
//!
//! Does not know what follows from it.

use serde::{Deserialize, Serialize};

use crate::{
    evidence, light,
    values::{Address, Hash, Height, Moment},
};

/// A member of a header that must be what the chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HeaderField))]
pub enum Field {
    /// The application's state before the block.
    AppHash,
    /// The version of our own rules.
    AppVersion,
    /// The version of CometBFT's block protocol.
    BlockVersion,
    /// The chain.
    ChainId,
    /// The limits of a block.
    ConsensusHash,
    /// The block before.
    LastBlockId,
    /// The results of the block before.
    LastResultsHash,
    /// The set that signs the next block.
    NextValidatorsHash,
    /// The block's time.
    Time,
    /// The set that signs this block.
    ValidatorsHash,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Field::AppHash => "application hash",
            Field::AppVersion => "application version",
            Field::BlockVersion => "block version",
            Field::ChainId => "chain id",
            Field::ConsensusHash => "consensus hash",
            Field::LastBlockId => "last block id",
            Field::LastResultsHash => "last results hash",
            Field::NextValidatorsHash => "next validators hash",
            Field::Time => "time",
            Field::ValidatorsHash => "validators hash",
        })
    }
}

/// A reason against a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockFault))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Fault {
    #[error("the header's {field} is {found}, not {expected}")]
    HeaderMismatch { expected: String, field: Field, found: String },
    #[error("height {found} is over: the next is {next}")]
    HeightOver { found: Height, next: Height },
    #[error("{proposer} made the block and is not in its set")]
    ProposerNotInSet { proposer: Address },
    #[error("the block's time has a part below a microsecond")]
    TimeNotWhole,
    #[error("the block's time {found} is not after the last block's {last}")]
    TimeNotLater { found: Moment, last: Moment },
    #[error("the commit of the block before is missing, or nobody of its set signed it")]
    LastCommitMissing,
    #[error("the chain's first block has a commit of a block before")]
    LastCommitUnexpected,
    #[error("the last commit is for block {found} at height {height}, not for the head {expected}")]
    LastCommitElsewhere { expected: Hash, found: Hash, height: Height },
    #[error("the last commit is not a good one: {fault}")]
    LastCommitInvalid { fault: light::Fault },
    #[error("{found} transactions are more than {maximum}")]
    TooManyTransactions { found: u32, maximum: u32 },
    #[error("the block with its transactions has {found} bytes, more than {maximum}")]
    TooLarge { found: String, maximum: u32 },
    #[error("transaction {hash} is in the block twice")]
    TransactionTwice { hash: Hash },
    #[error("transaction {hash} is not known, or it is in a block already")]
    TransactionUnknown { hash: Hash },
    #[error("transaction {hash} cannot be executed: {sentence}")]
    TransactionInvalid { hash: Hash, sentence: String },
    #[error("evidence {evidence} is in the block twice")]
    EvidenceTwice { evidence: Hash },
    #[error("evidence {evidence} is in a block already")]
    EvidencePunished { evidence: Hash },
    #[error("evidence {evidence} is of height {height}, which is not final")]
    EvidenceNotFinal { evidence: Hash, height: Height },
    #[error("evidence {evidence} of height {height} is more than {maximum} blocks old")]
    EvidenceExpired { evidence: Hash, height: Height, maximum: u32 },
    #[error("evidence {evidence} proves nothing: {fault}")]
    EvidenceInvalid { evidence: Hash, fault: evidence::Fault },
}
