//! Why a command to a block was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::StandingName;
use crate::{
    aggregate, light,
    values::{Hash, Height},
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the block was not proposed")]
    NotProposed,
    #[error("the block's hash is {computed}, this is the stream of block {expected}")]
    HashMismatch { computed: Hash, expected: Hash },
    #[error("the block is recorded with another body: {recorded}, not {found}")]
    BodyDiffers { found: Hash, recorded: Hash },
    #[error("the header names {named:?} as its {what}, the hash of what was given is {computed}")]
    BodyMismatch { computed: Hash, named: Option<Hash>, what: &'static str },
    #[error("the body has {found} bytes, more than {maximum}")]
    BodyTooLarge { found: usize, maximum: u32 },
    #[error("the body {body} is not at hand")]
    BodyMissing { body: Hash },
    #[error("the chain has not begun here: there is nothing to judge the block by")]
    GroundMissing,
    #[error("the block is of height {height}, the next is {next}: it cannot be judged yet")]
    HeightNotReached { height: Height, next: Height },
    #[error("the block is {standing}: only a valid one can become final or be given up")]
    NotValid { standing: StandingName },
    #[error("the validator set {hash} that the header names is not at hand")]
    ValidatorSetMissing { hash: Hash },
    #[error("the commit is for block {found} at height {height}, not for this one")]
    CommitElsewhere { found: Hash, height: Height },
    #[error("the commit is not a good one: {fault}")]
    CommitInvalid { fault: light::Fault },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::NotProposed => "not-proposed",
            Refusal::HashMismatch { .. } => "hash-mismatch",
            Refusal::BodyDiffers { .. } => "body-differs",
            Refusal::BodyMismatch { .. } => "body-mismatch",
            Refusal::BodyTooLarge { .. } => "body-too-large",
            Refusal::BodyMissing { .. } => "body-missing",
            Refusal::GroundMissing => "ground-missing",
            Refusal::HeightNotReached { .. } => "height-not-reached",
            Refusal::NotValid { .. } => "not-valid",
            Refusal::ValidatorSetMissing { .. } => "validator-set-missing",
            Refusal::CommitElsewhere { .. } => "commit-elsewhere",
            Refusal::CommitInvalid { .. } => "commit-invalid",
        }
    }
}
