//! Envelopes and their signatures: the bytes that are signed, hashed and kept.
//!
//! Does not know whether the sender can pay, nor whether the nonce is the right one.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use ed25519_dalek::{Signer as _, SigningKey};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeStruct as _,
};

use super::{FeeRate, Payload};
use crate::{
    signatures,
    values::{
        Address, Amount, ChainId, Hash, Height, Memo, Nonce, PublicKey, Signature, key_from_history,
    },
};

/// The most bytes of a transaction that are read.
pub const TRANSACTION_BYTES_MAX: usize = 8_192;

/// What a sender signs. Members are declared in alphabetical order: what serde writes is canonical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Envelope {
    /// The chain that is to execute it, and no other.
    pub chain_id: ChainId,
    /// The last height at which it may be executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_height: Option<Height>,
    /// What the sender pays for it, whether it succeeds or not.
    pub fee: Amount,
    /// What the sender remarks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memo: Option<Memo>,
    /// Its place among the sender's transactions.
    pub nonce: Nonce,
    /// What is to be done.
    pub payload: Payload,
    /// Whose it is: the key that signs.
    pub sender: PublicKey,
}

impl Envelope {
    /// The bytes that the sender signs.
    pub fn sign_bytes(&self) -> Vec<u8> {
        json(self)
    }

    /// Signs it. With a key that is not the sender's the signature will not be valid.
    pub fn sign(self, key: &SigningKey) -> Transaction {
        let signature = Signature::from_bytes(key.sign(&self.sign_bytes()).to_bytes());
        Transaction::new(self, signature)
    }

    /// What it takes from the sender's balance: the fee and what the payload spends.
    pub fn cost(&self) -> Option<Amount> {
        self.fee.plus(self.payload.spends())
    }
}

/// JSON of something that has no maps and no floats.
fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers can always be written")
}

/// A signed envelope. Never changed, cheap to clone, equal when the bytes are. Says nothing about
/// being valid until it is asked ([`Transaction::verify`]).
#[derive(Clone)]
pub struct Transaction(Arc<Signed>);

struct Signed {
    bytes: Vec<u8>,
    envelope: Envelope,
    hash: Hash,
    sender: Address,
    signature: Signature,
    /// Whether the signature is valid, once somebody asked.
    valid: OnceLock<bool>,
}

impl Transaction {
    /// An envelope with a signature, valid or not.
    pub fn new(envelope: Envelope, signature: Signature) -> Transaction {
        let bytes = json(&Written { envelope: &envelope, signature: &signature });
        let (hash, sender) = (Hash::of(&bytes), envelope.sender.address());
        let valid = OnceLock::new();
        Transaction(Arc::new(Signed { bytes, envelope, hash, sender, signature, valid }))
    }

    /// Reads the bytes of a transaction: at most [`TRANSACTION_BYTES_MAX`], and exactly those that
    /// its hash is made of.
    pub fn from_bytes(bytes: &[u8]) -> Result<Transaction, Unreadable> {
        if bytes.len() > TRANSACTION_BYTES_MAX {
            return Err(Unreadable::TooLarge { bytes: bytes.len() });
        }
        let transaction: Transaction = serde_json::from_slice(bytes)
            .map_err(|fault| Unreadable::Malformed { sentence: fault.to_string() })?;
        if transaction.bytes() != bytes {
            return Err(Unreadable::NotCanonical { hash: transaction.hash() });
        }
        Ok(transaction)
    }

    /// What was signed.
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The hash of its bytes: its name.
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The sender's address.
    pub fn sender(&self) -> Address {
        self.0.sender
    }

    /// What it pays for each of its bytes.
    pub fn fee_rate(&self) -> FeeRate {
        let bytes = u32::try_from(self.0.bytes.len()).unwrap_or(u32::MAX);
        FeeRate { bytes, fee: self.0.envelope.fee }
    }

    /// Whether the signature is the sender's over the envelope, by ZIP 215. Asked again,
    /// this transaction and its clones remember the answer: verify where it is cheap to wait, and
    /// the decision does not.
    pub fn verify(&self) -> bool {
        let Signed { envelope, signature, valid, .. } = &*self.0;
        *valid.get_or_init(|| envelope.sender.verify_zip215(&envelope.sign_bytes(), signature))
    }
}

/// Whether each signature is valid, in order; one bad one spoils no other. Those that were not
/// judged before are judged together.
pub fn verify_all(transactions: &[Transaction]) -> Vec<bool> {
    let open = transactions.iter().filter(|one| one.0.valid.get().is_none());
    let open: Vec<&Signed> = open.map(|one| &*one.0).collect();
    let items = open.iter().map(|one| signatures::Signed {
        key: one.envelope.sender,
        message: one.envelope.sign_bytes(),
        signature: one.signature,
    });
    let verdicts = signatures::verify_all(&items.collect::<Vec<_>>());
    for (one, verdict) in open.into_iter().zip(verdicts) {
        one.valid.get_or_init(|| verdict);
    }
    transactions.iter().map(Transaction::verify).collect()
}

/// Why bytes are not those of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Unreadable {
    #[error("{bytes} bytes are more than the {TRANSACTION_BYTES_MAX} of the largest transaction")]
    TooLarge { bytes: usize },
    #[error("not a transaction: {sentence}")]
    Malformed { sentence: String },
    #[error("not the canonical form of transaction {hash}")]
    NotCanonical { hash: Hash },
}

impl PartialEq for Transaction {
    fn eq(&self, other: &Transaction) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for Transaction {}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("hash", &self.0.hash)
            .field("envelope", &self.0.envelope)
            .finish_non_exhaustive()
    }
}

/// A transaction as it is written: the envelope's members, and the signature after them, which is
/// where the alphabet puts it.
struct Written<'t> {
    envelope: &'t Envelope,
    signature: &'t Signature,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let envelope = self.envelope;
        let count = 6
            + usize::from(envelope.expires_at_height.is_some())
            + usize::from(envelope.memo.is_some());
        let mut members = serializer.serialize_struct("Transaction", count)?;
        members.serialize_field("chain_id", &envelope.chain_id)?;
        if let Some(height) = &envelope.expires_at_height {
            members.serialize_field("expires_at_height", height)?;
        }
        members.serialize_field("fee", &envelope.fee)?;
        if let Some(memo) = &envelope.memo {
            members.serialize_field("memo", memo)?;
        }
        members.serialize_field("nonce", &envelope.nonce)?;
        members.serialize_field("payload", &envelope.payload)?;
        members.serialize_field("sender", &envelope.sender)?;
        members.serialize_field("signature", self.signature)?;
        members.end()
    }
}

impl Serialize for Transaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Signed { envelope, signature, .. } = &*self.0;
        Written { envelope, signature }.serialize(serializer)
    }
}

/// A signed transaction as a client sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Transaction))]
pub(super) struct Sent {
    /// The chain that is to execute it, and no other.
    chain_id: ChainId,
    /// The last height at which it may be executed.
    #[serde(default)]
    expires_at_height: Option<Height>,
    /// What the sender pays for it, whether it succeeds or not.
    fee: Amount,
    /// What the sender remarks.
    #[serde(default)]
    memo: Option<Memo>,
    /// Its place among the sender's transactions.
    nonce: Nonce,
    /// What is to be done.
    payload: Payload,
    /// Whose it is: the key that signs.
    #[serde(deserialize_with = "key_from_history")]
    sender: PublicKey,
    /// The sender's signature over the other members.
    signature: Signature,
}

impl From<Sent> for Transaction {
    fn from(sent: Sent) -> Transaction {
        let envelope = Envelope {
            chain_id: sent.chain_id,
            expires_at_height: sent.expires_at_height,
            fee: sent.fee,
            memo: sent.memo,
            nonce: sent.nonce,
            payload: sent.payload,
            sender: sent.sender,
        };
        Transaction::new(envelope, sent.signature)
    }
}

impl<'de> Deserialize<'de> for Transaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Transaction, D::Error> {
        let sent = Sent::deserialize(deserializer)?;
        PublicKey::from_bytes(*sent.sender.as_bytes()).map_err(D::Error::custom)?;
        Ok(sent.into())
    }
}

/// Reads a transaction from history: its sender's key was checked when it was accepted.
pub(super) fn from_history<'de, D: Deserializer<'de>>(d: D) -> Result<Transaction, D::Error> {
    Sent::deserialize(d).map(Transaction::from)
}
