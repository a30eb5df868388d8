//! Evidence that a validator voted twice: CometBFT's `DuplicateVoteEvidence`.
//!
//! Does not know what follows from it, nor whether it was punished before.
//!
//! Its bytes are those that Go writes, so that its hash is the one a CometBFT node computes: the
//! block id of a vote for nil is there and empty, and the validator's power is its own. (The
//! `tendermint` crate, which reads them, writes neither.)

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tendermint::{Vote as TmVote, evidence::DuplicateVoteEvidence, vote::Power as TmPower};
use tendermint_proto::v0_38::types as proto;

use crate::{
    commit::{signature, tendermint_height, tendermint_round},
    light::{self, ParseFault, ValidatorSet},
    values::{Address, ChainId, Hash, Height, Moment, Power, PublicKey, Round, Signature},
    vote::{BlockId, Vote, VoteType, moment, time, vote_bytes},
};

/// A validator as the set of a height has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Its place in the set's order, from 0.
    pub index: u32,
    /// Its key.
    pub public_key: PublicKey,
    /// Its power.
    pub power: Power,
    /// The power of the whole set.
    pub total_power: Power,
}

impl Voter {
    /// A validator in a set; none when it is not there.
    pub fn of(set: &ValidatorSet, address: Address) -> Option<Voter> {
        let validators = set.set().validators();
        let at = validators.iter().position(|v| v.address.as_bytes() == address.as_bytes())?;
        let key: [u8; 32] = validators[at].pub_key.to_bytes().try_into().ok()?;
        Some(Voter {
            index: u32::try_from(at).ok()?,
            public_key: PublicKey::from_bytes(key).ok()?,
            power: Power::new(validators[at].power()).ok()?,
            total_power: Power::new(set.total_power()).ok()?,
        })
    }
}

/// Why evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = EvidenceFault))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Fault {
    #[error("the two votes are for the same block")]
    SameBlock,
    #[error("the two votes are not in the order of their block ids")]
    OutOfOrder,
    #[error("the two votes differ in their {what}")]
    VotesDiffer { what: String },
    #[error("the validator is at place {expected} of the set, a vote says {found}")]
    IndexMismatch { expected: u32, found: u32 },
    #[error("the validator's power was {expected}, the evidence says {found}")]
    PowerMismatch { expected: Power, found: Power },
    #[error("the set's power was {expected}, the evidence says {found}")]
    TotalPowerMismatch { expected: Power, found: Power },
    #[error("the block's time was {expected}, the evidence says {found}")]
    TimeMismatch { expected: Moment, found: Moment },
    #[error("a vote carries an extension, which is not part of what was signed")]
    Extended,
    #[error("{voter} was not in the set")]
    NotInSet { voter: Address },
    #[error("the {which} vote's signature does not verify")]
    SignatureInvalid { which: String },
}

/// Two votes of one validator for different things in one step of one round. Cheap to clone. Its
/// JSON is the base64 of the protobuf `tendermint.types.DuplicateVoteEvidence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    inner: Arc<DuplicateVoteEvidence>,
    height: Height,
    round: Round,
    validator: Address,
}

impl Evidence {
    /// The evidence that two votes of one validator at one height are, when the block there is from
    /// `block_time`. The order in which they are given does not matter.
    pub fn of(
        height: Height,
        first: &Vote,
        second: &Vote,
        voter: &Voter,
        block_time: Moment,
    ) -> Evidence {
        let (a, b) = if order(first.block_id.as_ref()) <= order(second.block_id.as_ref()) {
            (first, second)
        } else {
            (second, first)
        };
        let vote = |vote: &Vote| TmVote {
            vote_type: vote.kind.to_tendermint(),
            height: tendermint_height(height),
            round: tendermint_round(vote.round),
            block_id: vote.block_id.map(BlockId::to_tendermint),
            timestamp: Some(time(vote.timestamp)),
            validator_address: tendermint::account::Id::new(*vote.validator.as_bytes()),
            validator_index: index(voter.index),
            signature: signature(vote.signature),
            extension: Vec::new(),
            extension_signature: None,
        };
        let inner = DuplicateVoteEvidence {
            vote_a: vote(a),
            vote_b: vote(b),
            total_voting_power: power(voter.total_power),
            validator_power: power(voter.power),
            timestamp: time(block_time),
        };
        let (round, validator) = (first.round, first.validator);
        Evidence { inner: Arc::new(inner), height, round, validator }
    }

    /// Reads the protobuf `tendermint.types.DuplicateVoteEvidence`.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Evidence, ParseFault> {
        let raw = proto::DuplicateVoteEvidence::decode(bytes)
            .map_err(|fault| ParseFault::new("", format!("not evidence: {fault}")))?;
        Evidence::from_raw(raw)
    }

    pub(crate) fn from_raw(raw: proto::DuplicateVoteEvidence) -> Result<Evidence, ParseFault> {
        let inner = DuplicateVoteEvidence::try_from(raw)
            .map_err(|fault| ParseFault::new("", format!("not evidence: {}", fault.detail())))?;
        Evidence::new(inner)
    }

    /// Takes evidence; refuses a height of 0, a vote without signature, and a block id without
    /// hash or parts.
    pub fn new(inner: DuplicateVoteEvidence) -> Result<Evidence, ParseFault> {
        let vote = &inner.vote_a;
        let height = Height::new(vote.height.value())
            .map_err(|fault| ParseFault::new("/vote_a/height", fault.to_string()))?;
        let round = Round::try_from(vote.round.value())
            .map_err(|fault| ParseFault::new("/vote_a/round", fault.to_string()))?;
        for (pointer, vote) in [("/vote_a", &inner.vote_a), ("/vote_b", &inner.vote_b)] {
            let signed = vote.signature.as_ref().is_some_and(|s| s.as_bytes().len() == 64);
            if !signed || vote.timestamp.is_none() {
                let sentence = "the vote is not signed with 64 bytes at a time".to_owned();
                return Err(ParseFault::new(pointer, sentence));
            }
            if vote.block_id.is_some_and(|id| BlockId::from_tendermint(&id).is_none()) {
                let sentence = "the block id has no hash or no parts".to_owned();
                return Err(ParseFault::new(pointer, sentence));
            }
        }
        let validator = light::address(vote.validator_address);
        Ok(Evidence { inner: Arc::new(inner), height, round, validator })
    }

    pub(crate) fn raw(&self) -> proto::DuplicateVoteEvidence {
        let evidence = &*self.inner;
        proto::DuplicateVoteEvidence {
            vote_a: Some(raw_vote(&evidence.vote_a)),
            vote_b: Some(raw_vote(&evidence.vote_b)),
            total_voting_power: evidence.total_voting_power.into(),
            validator_power: evidence.validator_power.into(),
            timestamp: Some(evidence.timestamp.into()),
        }
    }

    /// The protobuf `tendermint.types.DuplicateVoteEvidence` as Go writes it.
    pub fn to_protobuf(&self) -> Vec<u8> {
        self.raw().encode_to_vec()
    }

    /// SHA-256 of its bytes: names the evidence.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.to_protobuf())
    }

    /// As the `tendermint` crate has it.
    pub fn evidence(&self) -> &DuplicateVoteEvidence {
        &self.inner
    }

    /// The height at which it was voted twice.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The round in which it was voted twice.
    pub fn round(&self) -> Round {
        self.round
    }

    /// Which vote was given twice.
    pub fn kind(&self) -> VoteType {
        self.inner.vote_a.vote_type.into()
    }

    /// Who voted twice.
    pub fn validator(&self) -> Address {
        self.validator
    }

    /// The power of who voted twice, as the evidence says it.
    pub fn power(&self) -> Power {
        Power::new(self.inner.validator_power.value()).unwrap_or_default()
    }

    /// Whether it proves that `voter` voted twice at its height of this chain, where the block is
    /// from `block_time`. There is one form in which it does: the same two votes have one hash.
    pub fn verify(
        &self,
        chain_id: &ChainId,
        voter: &Voter,
        block_time: Moment,
    ) -> Result<(), Fault> {
        let evidence = &*self.inner;
        let (a, b) = (&evidence.vote_a, &evidence.vote_b);
        self.check_pair()?;
        if voter.public_key.address() != self.validator {
            return Err(Fault::NotInSet { voter: self.validator });
        }
        for vote in [a, b] {
            let (expected, found) = (voter.index, vote.validator_index.value());
            if found != expected {
                return Err(Fault::IndexMismatch { expected, found });
            }
        }
        if evidence.validator_power != power(voter.power) {
            return Err(Fault::PowerMismatch { expected: voter.power, found: self.power() });
        }
        if evidence.total_voting_power != power(voter.total_power) {
            let found = Power::new(evidence.total_voting_power.value()).unwrap_or_default();
            return Err(Fault::TotalPowerMismatch { expected: voter.total_power, found });
        }
        if evidence.timestamp != time(block_time) {
            let found = moment(evidence.timestamp);
            return Err(Fault::TimeMismatch { expected: block_time, found });
        }
        for (which, vote) in [("first", a), ("second", b)] {
            if !is_signed(vote, self.height, chain_id, &voter.public_key) {
                return Err(Fault::SignatureInvalid { which: which.to_owned() });
            }
        }
        Ok(())
    }

    /// Whether the votes exclude each other.
    fn check_pair(&self) -> Result<(), Fault> {
        let (a, b) = (&self.inner.vote_a, &self.inner.vote_b);
        for (what, same) in [
            ("height", a.height == b.height),
            ("round", a.round == b.round),
            ("type", a.vote_type == b.vote_type),
            ("validator", a.validator_address == b.validator_address),
        ] {
            if !same {
                return Err(Fault::VotesDiffer { what: what.to_owned() });
            }
        }
        for vote in [a, b] {
            if !vote.extension.is_empty() || vote.extension_signature.is_some() {
                return Err(Fault::Extended);
            }
        }
        let id = |vote: &TmVote| vote.block_id.as_ref().and_then(BlockId::from_tendermint);
        match order(id(a).as_ref()).cmp(&order(id(b).as_ref())) {
            std::cmp::Ordering::Less => Ok(()),
            std::cmp::Ordering::Equal => Err(Fault::SameBlock),
            std::cmp::Ordering::Greater => Err(Fault::OutOfOrder),
        }
    }
}

fn is_signed(vote: &TmVote, height: Height, chain_id: &ChainId, key: &PublicKey) -> bool {
    let (Some(signature), Some(timestamp)) = (&vote.signature, vote.timestamp) else {
        return false;
    };
    let (Ok(round), Ok(signature)) =
        (Round::try_from(vote.round.value()), signature.as_bytes().try_into())
    else {
        return false;
    };
    let kind = vote.vote_type.into();
    let message =
        vote_bytes(chain_id.as_str(), height.value(), round, kind, vote.block_id, timestamp);
    key.verify_zip215(&message, &Signature::from_bytes(signature))
}

/// What CometBFT orders the two votes by: the block's hash and the protobuf of its parts' header;
/// nothing for nil.
fn order(id: Option<&BlockId>) -> Vec<u8> {
    let raw = BlockId::raw(id);
    let parts = raw.part_set_header.unwrap_or_default().encode_to_vec();
    [raw.hash, parts].concat()
}

fn raw_vote(vote: &TmVote) -> proto::Vote {
    let mut raw = proto::Vote::from(vote.clone());
    raw.block_id =
        Some(BlockId::raw(vote.block_id.as_ref().and_then(BlockId::from_tendermint).as_ref()));
    raw
}

fn power(power: Power) -> TmPower {
    TmPower::try_from(power.value()).expect("both end at 2^63 - 1")
}

fn index(index: u32) -> tendermint::vote::ValidatorIndex {
    tendermint::vote::ValidatorIndex::try_from(index).expect("a set has fewer than 2^31 members")
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_protobuf()))
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Evidence, D::Error> {
        let bytes = light::bytes_from_base64(deserializer)?;
        Evidence::from_protobuf(&bytes).map_err(de::Error::custom)
    }
}
