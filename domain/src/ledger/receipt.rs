//! What became of a transaction in a block.
//!
//! Does not know what it changed.

use serde::{Deserialize, Serialize};

use crate::{
    hashes::{ExecutionResult, results_hash},
    values::{Address, Amount, Hash, Height, Power},
};

/// What became of a transaction: it succeeded, or it failed and changed nothing but its sender's
/// nonce and what the fee took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// Why it failed; none when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The transaction's hash.
    pub hash: Hash,
}

impl Receipt {
    /// Its canonical JSON.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can always be written")
    }

    /// What CometBFT calls the result's code: 0 when it succeeded.
    pub fn code(&self) -> u32 {
        self.failure.as_ref().map_or(0, Failure::code)
    }
}

/// The root of receipts: CometBFT's hash of a block's results, each with its code and the receipt's
/// JSON as data.
pub(super) fn root(receipts: &[Receipt]) -> Hash {
    let result = |receipt: &Receipt| {
        let (code, data) = (receipt.code(), receipt.bytes());
        ExecutionResult { code, data, ..ExecutionResult::default() }
    };
    results_hash(&receipts.iter().map(result).collect::<Vec<_>>())
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "numbers", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = TransactionFailure))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Failure {
    #[error("an amount of 0 moves nothing")]
    AmountZero,
    #[error("the balance after the fee, {balance}, is less than the amount {amount}")]
    BalanceInsufficient { amount: Amount, balance: Amount },
    #[error("the bond is {validator}'s: {sender} cannot change it")]
    NotOwnBond { sender: Address, validator: Address },
    #[error("the bond would be {bond}, less than {minimum} = bond_min")]
    BondBelowMinimum { bond: Amount, minimum: Amount },
    #[error("the bond is {bond}, less than {amount}")]
    BondInsufficient { amount: Amount, bond: Amount },
    #[error("the delegation is {delegation}, less than {amount}")]
    DelegationInsufficient { amount: Amount, delegation: Amount },
    #[error("{validator} has no bond: nobody can delegate to it")]
    ValidatorUnknown { validator: Address },
    #[error("{validator} equivocated: nothing can be staked with it")]
    ValidatorTombstoned { validator: Address },
    #[error("it has {maximum} delegators, as many as there may be")]
    DelegatorsExhausted { maximum: u32 },
    #[error("a stake of {stake} would have more than {power_max} = the greatest total power")]
    StakeTooLarge { power_max: Power, stake: Amount },
    #[error("no transaction {hash} anchored anything")]
    AnchorUnknown { hash: Hash },
    #[error("the anchor is {owner}'s: nobody else can revoke it")]
    AnchorNotOwn { owner: Address },
    #[error("the anchor was revoked at height {height}")]
    AnchorRevoked { height: Height },
}

impl Failure {
    /// What CometBFT calls the result's code; never 0, and never another once a block had it.
    pub fn code(&self) -> u32 {
        match self {
            Failure::AmountZero => 1,
            Failure::BalanceInsufficient { .. } => 2,
            Failure::NotOwnBond { .. } => 3,
            Failure::BondBelowMinimum { .. } => 4,
            Failure::BondInsufficient { .. } => 5,
            Failure::DelegationInsufficient { .. } => 6,
            Failure::ValidatorUnknown { .. } => 7,
            Failure::ValidatorTombstoned { .. } => 8,
            Failure::DelegatorsExhausted { .. } => 9,
            Failure::StakeTooLarge { .. } => 10,
            Failure::AnchorUnknown { .. } => 11,
            Failure::AnchorNotOwn { .. } => 12,
            Failure::AnchorRevoked { .. } => 13,
        }
    }
}
