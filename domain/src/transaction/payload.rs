//! What a transaction is to do.
//!
//! Does not do it.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

use crate::values::{Address, Algorithm, Amount, Digest, Hash, Label};

/// What is to be done. Written with its members and `type` in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Payload {
    /// Gives to another account.
    Transfer {
        /// How much.
        amount: Amount,
        /// To whom.
        to: Address,
    },
    /// Adds to a validator's own bond; only its own key can.
    Bond {
        /// How much.
        amount: Amount,
        /// The sender's own address: says that this is a validator's bond.
        validator: Address,
    },
    /// Takes from a validator's own bond; only its own key can.
    Unbond {
        /// How much.
        amount: Amount,
        /// The sender's own address.
        validator: Address,
    },
    /// Stakes on a validator.
    Delegate {
        /// How much.
        amount: Amount,
        /// On whom.
        validator: Address,
    },
    /// Takes a delegation back.
    Undelegate {
        /// How much.
        amount: Amount,
        /// From whom.
        validator: Address,
    },
    /// Notarises a document: that its digest was known at the block's time.
    Anchor {
        /// By what it was digested.
        algorithm: Algorithm,
        /// The digest.
        digest: Digest,
        /// What the sender calls it.
        label: Label,
    },
    /// Says that an anchor of one's own counts no longer.
    RevokeAnchor {
        /// The hash of the transaction that anchored.
        hash: Hash,
    },
}

impl Payload {
    /// The names of all payloads.
    pub const TYPES: &'static [&'static str] =
        &["transfer", "bond", "unbond", "delegate", "undelegate", "anchor", "revoke_anchor"];

    /// This payload's name; one of [`Payload::TYPES`].
    pub const fn type_name(&self) -> &'static str {
        match self {
            Payload::Transfer { .. } => "transfer",
            Payload::Bond { .. } => "bond",
            Payload::Unbond { .. } => "unbond",
            Payload::Delegate { .. } => "delegate",
            Payload::Undelegate { .. } => "undelegate",
            Payload::Anchor { .. } => "anchor",
            Payload::RevokeAnchor { .. } => "revoke_anchor",
        }
    }

    /// The amount it names; none when it is not about money.
    pub const fn amount(&self) -> Option<Amount> {
        match self {
            Payload::Transfer { amount, .. }
            | Payload::Bond { amount, .. }
            | Payload::Unbond { amount, .. }
            | Payload::Delegate { amount, .. }
            | Payload::Undelegate { amount, .. } => Some(*amount),
            Payload::Anchor { .. } | Payload::RevokeAnchor { .. } => None,
        }
    }

    /// What it takes from the sender's balance, the fee not counted.
    pub const fn spends(&self) -> Amount {
        match self {
            Payload::Transfer { amount, .. }
            | Payload::Bond { amount, .. }
            | Payload::Delegate { amount, .. } => *amount,
            Payload::Unbond { .. }
            | Payload::Undelegate { .. }
            | Payload::Anchor { .. }
            | Payload::RevokeAnchor { .. } => Amount::ZERO,
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.type_name();
        match self {
            Payload::Transfer { amount, to } => {
                let mut members = serializer.serialize_struct("Payload", 3)?;
                members.serialize_field("amount", amount)?;
                members.serialize_field("to", to)?;
                members.serialize_field("type", name)?;
                members.end()
            }
            Payload::Bond { amount, validator }
            | Payload::Unbond { amount, validator }
            | Payload::Delegate { amount, validator }
            | Payload::Undelegate { amount, validator } => {
                let mut members = serializer.serialize_struct("Payload", 3)?;
                members.serialize_field("amount", amount)?;
                members.serialize_field("type", name)?;
                members.serialize_field("validator", validator)?;
                members.end()
            }
            Payload::Anchor { algorithm, digest, label } => {
                let mut members = serializer.serialize_struct("Payload", 4)?;
                members.serialize_field("algorithm", algorithm)?;
                members.serialize_field("digest", digest)?;
                members.serialize_field("label", label)?;
                members.serialize_field("type", name)?;
                members.end()
            }
            Payload::RevokeAnchor { hash } => {
                let mut members = serializer.serialize_struct("Payload", 2)?;
                members.serialize_field("hash", hash)?;
                members.serialize_field("type", name)?;
                members.end()
            }
        }
    }
}
