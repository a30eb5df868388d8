//! What a ledger's state is made of, and where each piece stands.
//!
//! Does not know how it comes about.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::values::{
    Address, Algorithm, Amount, Digest, Epoch, Hash, Height, Label, Moment, Nonce,
};

/// A piece of the state. Its bytes are its canonical JSON: members are declared in alphabetical
/// order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerEntry))]
pub enum Entry {
    /// An account.
    Account(Account),
    /// What is at stake with a validator.
    Validator(ValidatorStake),
    /// What somebody delegated to a validator.
    Delegation(Delegation),
    /// Stake on its way back to its owner.
    Unbonding(Unbonding),
    /// A notarised document.
    Anchor(Box<Anchor>),
    /// What was burned, of everybody's.
    Burned(Burned),
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerAccount))]
pub struct Account {
    /// Whose it is.
    pub address: Address,
    /// What it can spend.
    pub balance: Amount,
    /// The nonce of its next transaction: how many were executed.
    pub nonce: Nonce,
}

/// What is at stake with a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerValidator))]
pub struct ValidatorStake {
    /// The validator.
    pub address: Address,
    /// Its own bond.
    pub bond: Amount,
    /// The sum of all delegations to it.
    pub delegated: Amount,
    /// Whether it equivocated.
    pub tombstoned: bool,
}

/// What somebody delegated to a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerDelegation))]
pub struct Delegation {
    /// How much.
    pub amount: Amount,
    /// Whose it is.
    pub delegator: Address,
    /// The validator.
    pub validator: Address,
}

/// Stake on its way back to its owner. What began in one epoch is one entry for each owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerUnbonding))]
pub struct Unbonding {
    /// How much.
    pub amount: Amount,
    /// Whose it is; none when it was the validator's own bond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegator: Option<Address>,
    /// At the first height of this epoch it is back.
    pub matures: Epoch,
    /// The epoch in which it began.
    pub started: Epoch,
    /// The validator.
    pub validator: Address,
}

/// A notarised document: its digest was known at the time of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerAnchor))]
pub struct Anchor {
    /// By what the document was digested.
    pub algorithm: Algorithm,
    /// The digest.
    pub digest: Digest,
    /// The height of the block.
    pub height: Height,
    /// What its owner calls it.
    pub label: Label,
    /// Who anchored it, and alone can revoke it.
    pub owner: Address,
    /// At which height it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Height>,
    /// The time of the block.
    pub time: Moment,
    /// The hash of the transaction: names the anchor.
    pub transaction: Hash,
}

/// What was burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LedgerBurned))]
pub struct Burned {
    /// How much.
    pub amount: Amount,
}

/// Names an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An account.
    Account(Address),
    /// What is at stake with a validator.
    Validator(Address),
    /// What somebody delegated to a validator.
    Delegation {
        /// The validator.
        validator: Address,
        /// Whose it is.
        delegator: Address,
    },
    /// Stake on its way back.
    Unbonding {
        /// The validator.
        validator: Address,
        /// Whose it is; none for the validator's own bond.
        delegator: Option<Address>,
        /// The epoch in which it is back.
        matures: Epoch,
        /// The epoch in which it began.
        started: Epoch,
    },
    /// The anchor that a transaction made.
    Anchor(Hash),
    /// What was burned.
    Burned,
}

impl Key {
    /// Where the entry stands in the trie: SHA-256 of one byte for the kind (0 to 5, in the order
    /// above) and the bytes of what follows it: addresses and hashes as they are, epochs in eight
    /// bytes, the greatest first, and before a delegator that may be missing one byte, 0 or 1.
    pub fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        match self {
            Key::Account(address) => {
                hasher.update([0]);
                hasher.update(address.as_bytes());
            }
            Key::Validator(address) => {
                hasher.update([1]);
                hasher.update(address.as_bytes());
            }
            Key::Delegation { validator, delegator } => {
                hasher.update([2]);
                hasher.update(validator.as_bytes());
                hasher.update(delegator.as_bytes());
            }
            Key::Unbonding { validator, delegator, matures, started } => {
                hasher.update([3]);
                hasher.update(validator.as_bytes());
                hasher.update([u8::from(delegator.is_some())]);
                if let Some(delegator) = delegator {
                    hasher.update(delegator.as_bytes());
                }
                hasher.update(matures.value().to_be_bytes());
                hasher.update(started.value().to_be_bytes());
            }
            Key::Anchor(transaction) => {
                hasher.update([4]);
                hasher.update(transaction.as_bytes());
            }
            Key::Burned => hasher.update([5]),
        }
        Hash::from_bytes(hasher.finalize().into())
    }
}

impl Entry {
    /// What names it.
    pub fn key(&self) -> Key {
        match self {
            Entry::Account(account) => Key::Account(account.address),
            Entry::Validator(stake) => Key::Validator(stake.address),
            Entry::Delegation(Delegation { validator, delegator, .. }) => {
                Key::Delegation { validator: *validator, delegator: *delegator }
            }
            Entry::Unbonding(Unbonding { validator, delegator, matures, started, .. }) => {
                Key::Unbonding {
                    validator: *validator,
                    delegator: *delegator,
                    matures: *matures,
                    started: *started,
                }
            }
            Entry::Anchor(anchor) => Key::Anchor(anchor.transaction),
            Entry::Burned(_) => Key::Burned,
        }
    }

    /// Whether it holds nothing: then the state does not have it.
    pub fn is_nothing(&self) -> bool {
        match self {
            Entry::Account(account) => account.balance.is_zero() && account.nonce == Nonce::FIRST,
            Entry::Validator(stake) => {
                stake.bond.is_zero() && stake.delegated.is_zero() && !stake.tombstoned
            }
            Entry::Delegation(Delegation { amount, .. })
            | Entry::Unbonding(Unbonding { amount, .. })
            | Entry::Burned(Burned { amount }) => amount.is_zero(),
            Entry::Anchor(_) => false,
        }
    }

    /// Its canonical JSON: the value under its key.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can always be written")
    }

    /// What it is in the trie.
    pub(super) fn change(&self) -> (Hash, Option<Vec<u8>>) {
        (self.key().hash(), (!self.is_nothing()).then(|| self.bytes()))
    }
}

/// Reads a value of the trie.
pub(super) fn read(value: &[u8]) -> Entry {
    serde_json::from_slice(value).expect("the trie holds only what entries wrote")
}
