//! Our names for what the driver speaks of.
//!
//! Does not verify anything: signatures are carried along.

use std::{fmt, time::Duration};

use domain::{
    consensus::ProposalAccepted,
    proposer::{Rotation, Seat},
    values::{Address, Height, Moment, PublicKey, Round, Signature, ValueError},
    vote::{BlockId, Proposal, Vote, VoteType},
};
use malachitebft_core_types as core;
use malachitebft_core_types::{NilOrVal, Round as DriverRound, SignedExtension, Timeout};

/// The names taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement;

/// A round of ours; none for the driver's round before the first.
pub fn round(round: DriverRound) -> Option<Round> {
    round.as_u32().and_then(|round| Round::try_from(round).ok())
}

fn driver_round(round: Option<Round>) -> DriverRound {
    round.map_or(DriverRound::Nil, |round| DriverRound::new(round.value()))
}

/// A height; 0 is that of no block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(pub u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Height for At {
    const ZERO: At = At(0);
    const INITIAL: At = At(1);

    fn increment_by(&self, heights: u64) -> At {
        At(self.0.saturating_add(heights))
    }

    fn decrement_by(&self, heights: u64) -> Option<At> {
        self.0.checked_sub(heights).map(At)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A validator's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who(pub Address);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Address for Who {}

/// A block is its own name: the driver never sees more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockName(pub BlockId);

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Value for BlockName {
    type Id = BlockName;

    fn id(&self) -> BlockName {
        *self
    }
}

/// A member of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    who: Who,
    seat: Seat,
}

impl core::Validator<Agreement> for Member {
    fn address(&self) -> &Who {
        &self.who
    }

    fn public_key(&self) -> &PublicKey {
        &self.seat.public_key
    }

    fn voting_power(&self) -> u64 {
        self.seat.power.value()
    }
}

/// The set of a height, in CometBFT's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats {
    members: Vec<Member>,
    rotation: Rotation,
}

impl Seats {
    /// The set at a height's first round.
    pub fn of(rotation: &Rotation) -> Seats {
        let member = |seat: &Seat| Member { who: Who(seat.address), seat: *seat };
        Seats { members: rotation.seats().iter().map(member).collect(), rotation: rotation.clone() }
    }
}

impl core::ValidatorSet<Agreement> for Seats {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.rotation.total_power()
    }

    fn get_by_address(&self, address: &Who) -> Option<&Member> {
        self.members.iter().find(|member| member.who == *address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.members.get(index)
    }
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    pub height: At,
    pub kind: core::VoteType,
    pub round: DriverRound,
    pub value: NilOrVal<BlockName>,
    pub voter: Who,
}

impl Ballot {
    /// A recorded vote.
    pub fn of(vote: &Vote, height: Height) -> Ballot {
        Ballot {
            height: At(height.value()),
            kind: match vote.kind {
                VoteType::Prevote => core::VoteType::Prevote,
                VoteType::Precommit => core::VoteType::Precommit,
            },
            round: driver_round(Some(vote.round)),
            value: vote.block_id.map_or(NilOrVal::Nil, |id| NilOrVal::Val(BlockName(id))),
            voter: Who(vote.validator),
        }
    }
}

impl core::Vote<Agreement> for Ballot {
    fn height(&self) -> At {
        self.height
    }

    fn round(&self) -> DriverRound {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockName> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockName> {
        self.value
    }

    fn vote_type(&self) -> core::VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Who {
        &self.voter
    }

    fn extension(&self) -> Option<&SignedExtension<Agreement>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Agreement>> {
        None
    }

    /// Our votes are not extended: CometBFT's sign bytes have no room for it.
    fn extend(self, _: SignedExtension<Agreement>) -> Ballot {
        self
    }
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub height: At,
    pub pol_round: DriverRound,
    pub proposer: Who,
    pub round: DriverRound,
    pub value: BlockName,
}

impl Offer {
    /// A recorded proposal.
    pub fn of(accepted: &ProposalAccepted, height: Height) -> Offer {
        Offer {
            height: At(height.value()),
            pol_round: driver_round(accepted.pol_round),
            proposer: Who(accepted.proposer),
            round: driver_round(Some(accepted.round)),
            value: BlockName(accepted.block_id),
        }
    }

    /// To be signed at this time.
    pub fn unsigned(&self, timestamp: Moment) -> Option<Proposal> {
        let pol_round = round(self.pol_round);
        Some(Proposal::unsigned(round(self.round)?, self.value.0, pol_round, timestamp))
    }
}

impl core::Proposal<Agreement> for Offer {
    fn height(&self) -> At {
        self.height
    }

    fn round(&self) -> DriverRound {
        self.round
    }

    fn value(&self) -> &BlockName {
        &self.value
    }

    fn take_value(self) -> BlockName {
        self.value
    }

    fn pol_round(&self) -> DriverRound {
        self.pol_round
    }

    fn validator_address(&self) -> &Who {
        &self.proposer
    }
}

/// Blocks do not travel in parts through the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPart {}

impl core::ProposalPart<Agreement> for NoPart {
    fn is_first(&self) -> bool {
        match *self {}
    }

    fn is_last(&self) -> bool {
        match *self {}
    }
}

/// The driver only says what is waited for; for how long, the height's start says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoTimeouts;

impl core::Timeouts<Agreement> for NoTimeouts {
    fn duration_for(&self, _: Timeout) -> Duration {
        Duration::ZERO
    }
}

/// A signature with the time that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamped {
    pub signature: Signature,
    pub timestamp: Moment,
}

/// The bytes of a signature, before those of its time.
const SIGNATURE_BYTES: usize = 64;

/// Ed25519, as in the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ed25519;

impl core::SigningScheme for Ed25519 {
    type DecodingError = ValueError;
    type Signature = Stamped;
    type PublicKey = PublicKey;
    /// The driver signs nothing, and holds no key.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Stamped, ValueError> {
        let rule = "a signature is 64 bytes, and its time 8 bytes of microseconds";
        let fault = || ValueError::new(rule, &format!("{} bytes", bytes.len()));
        let (signature, micros) = bytes.split_at_checked(SIGNATURE_BYTES).ok_or_else(fault)?;
        let micros: [u8; 8] = micros.try_into().map_err(|_| fault())?;
        let signature = signature.try_into().map_err(|_| fault())?;
        Ok(Stamped {
            signature: Signature::from_bytes(signature),
            timestamp: Moment::from_micros(i64::from_be_bytes(micros)),
        })
    }

    fn encode_signature(stamped: &Stamped) -> Vec<u8> {
        [&stamped.signature.as_bytes()[..], &stamped.timestamp.micros().to_be_bytes()].concat()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, ValueError> {
        let fault = |_| ValueError::new("a public key is 32 bytes", &format!("{}", bytes.len()));
        PublicKey::from_bytes(bytes.try_into().map_err(fault)?)
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}

impl core::Context for Agreement {
    type Address = Who;
    type Height = At;
    type ProposalPart = NoPart;
    type Proposal = Offer;
    type Validator = Member;
    type ValidatorSet = Seats;
    type Timeouts = NoTimeouts;
    type Value = BlockName;
    type Vote = Ballot;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, seats: &'a Seats, _: At, of_round: DriverRound) -> &'a Member {
        let proposer = seats.rotation.proposer_of(round(of_round).unwrap_or_default());
        let found = seats.members.iter().find(|member| member.who == Who(proposer));
        found.unwrap_or(&seats.members[0])
    }

    fn new_proposal(
        &self,
        height: At,
        round: DriverRound,
        value: BlockName,
        pol_round: DriverRound,
        proposer: Who,
    ) -> Offer {
        Offer { height, pol_round, proposer, round, value }
    }

    fn new_prevote(
        &self,
        height: At,
        round: DriverRound,
        value: NilOrVal<BlockName>,
        voter: Who,
    ) -> Ballot {
        Ballot { height, kind: core::VoteType::Prevote, round, value, voter }
    }

    fn new_precommit(
        &self,
        height: At,
        round: DriverRound,
        value: NilOrVal<BlockName>,
        voter: Who,
    ) -> Ballot {
        Ballot { height, kind: core::VoteType::Precommit, round, value, voter }
    }
}
