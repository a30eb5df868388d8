//! Which validators form the set, epoch by epoch.
//!
//! Does not know how a validator came by its power: candidates are handed in, already active.
//!
//! The story. Once an epoch, [`Command::Rotate`] names the epoch the new set is for. It is decided
//! from the state two heights before the last of the epoch before, because that epoch's **last**
//! header must already carry the new set's hash as `next_validators_hash`: decided at the last
//! height it would be one block late, and light clients would refuse it. The first rotation takes
//! the genesis validators and knows no churn.

mod rotate;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    aggregate::{self, Aggregate},
    parameters::Parameters,
    values::{
        Address, ChainId, Epoch, Hash, Moment, POWER_TOTAL_MAX, Power, PublicKey, key_from_history,
    },
};

/// A command to a validator set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ValidatorSetCommand))]
pub enum Command {
    /// Chooses the set of an epoch, once.
    Rotate {
        /// The epoch the set is for: the one after the last that has a set.
        epoch: Epoch,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["rotate"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Rotate { .. } => "rotate",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        vec![json!({"command": "rotate", "epoch": "1"})]
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// A fact about a validator set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ValidatorSetEvent))]
pub enum Event {
    /// The set of an epoch was chosen.
    #[serde(rename = "validator-set-rotated.v1")]
    ValidatorSetRotated(ValidatorSetRotated),
}

/// The set of an epoch was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorSetRotated {
    /// The epoch the set is for.
    pub epoch: Epoch,
    /// Who was not in the set before, in the new set's order.
    pub joined: Vec<Address>,
    /// Who is no longer in the set, in the old set's order.
    pub left: Vec<Address>,
    /// The set, in CometBFT's order: by power, the greatest first, then by address.
    pub members: Vec<Member>,
    /// What a header names the set by.
    pub set_hash: Hash,
    /// The power of all members.
    pub total_power: Power,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &["validator-set-rotated.v1"];

    fn name(&self) -> &'static str {
        match self {
            Event::ValidatorSetRotated(_) => "validator-set-rotated.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::ValidatorSetRotated(data) => data.serialize(serializer),
        }
    }
}

/// A member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Member {
    /// Its address.
    pub address: Address,
    /// Its voting power.
    pub power: Power,
    /// Its consensus key.
    #[serde(deserialize_with = "key_from_history")]
    pub public_key: PublicKey,
}

/// An active validator that may be chosen.
pub type Candidate = Member;

/// Why a command to a validator set was refused.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ValidatorSetRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the sets up to epoch {last} are chosen; epoch {epoch} has one already")]
    RotatedAlready { epoch: Epoch, last: Epoch },
    #[error("the next set to be chosen is that of epoch {next}, not of epoch {epoch}")]
    EpochNotNext { epoch: Epoch, next: Epoch },
    #[error("there is no member and no candidate with power")]
    NobodyLeft,
    #[error("the candidates have more than {power_max} = the greatest total power")]
    PowerTooLarge { power_max: String },
    #[error("the set cannot be hashed: {sentence}")]
    SetInvalid { sentence: String },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::RotatedAlready { .. } => "rotated-already",
            Refusal::EpochNotNext { .. } => "epoch-not-next",
            Refusal::NobodyLeft => "nobody-left",
            Refusal::PowerTooLarge { .. } => "power-too-large",
            Refusal::SetInvalid { .. } => "set-invalid",
        }
    }
}

/// What a decision must know beyond the set's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// When it is decided.
    pub now: Moment,
    /// The protocol parameters in force.
    pub parameters: Parameters,
    /// The active validators, in any order.
    pub candidates: Vec<Candidate>,
}

/// The validator set of a chain as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ValidatorSet {
    /// No set was chosen yet.
    #[default]
    Unchosen,
    /// The set of the last epoch that has one.
    Chosen {
        /// That epoch.
        epoch: Epoch,
        /// The set, in CometBFT's order.
        members: Vec<Member>,
    },
}

impl ValidatorSet {
    /// The members, in CometBFT's order; nobody before the first rotation.
    pub fn members(&self) -> &[Member] {
        match self {
            ValidatorSet::Unchosen => &[],
            ValidatorSet::Chosen { members, .. } => members,
        }
    }
}

impl Aggregate for ValidatorSet {
    const CATEGORY: &'static str = "validator_set";
    type Id = ChainId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Rotate { epoch } => rotate(self, *epoch, known),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        facts.first().map(|fact| match fact {
            Event::ValidatorSetRotated(data) => Command::Rotate { epoch: data.epoch },
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ValidatorSetRotated(data) => {
                *self = ValidatorSet::Chosen { epoch: data.epoch, members: data.members.clone() };
            }
        }
    }
}

fn rotate(set: &ValidatorSet, epoch: Epoch, known: &Known) -> Result<Vec<Event>, Refusal> {
    if let ValidatorSet::Chosen { epoch: last, .. } = set {
        if epoch <= *last {
            return Err(Refusal::RotatedAlready { epoch, last: *last });
        }
        let next = last.plus(1);
        if epoch != next {
            return Err(Refusal::EpochNotNext { epoch, next });
        }
    }
    let before = set.members();
    let members = rotate::rotated(before, &known.candidates, &known.parameters);
    if members.is_empty() {
        return Err(Refusal::NobodyLeft);
    }
    let total_power = members.iter().fold(Power::ZERO, |sum, member| sum.and(member.power));
    if total_power.value() > POWER_TOTAL_MAX {
        return Err(Refusal::PowerTooLarge { power_max: POWER_TOTAL_MAX.to_string() });
    }
    let keys: Vec<_> = members.iter().map(|member| (member.public_key, member.power)).collect();
    let set_hash = crate::light::ValidatorSet::of(&keys)
        .map_err(|fault| Refusal::SetInvalid { sentence: fault.sentence })?
        .hash();
    Ok(vec![Event::ValidatorSetRotated(ValidatorSetRotated {
        epoch,
        joined: missing(&members, before),
        left: missing(before, &members),
        members,
        set_hash,
        total_power,
    })])
}

/// Who is among `these` and not among `those`.
fn missing(these: &[Member], those: &[Member]) -> Vec<Address> {
    let addresses: std::collections::BTreeSet<_> = those.iter().map(|m| m.address).collect();
    these.iter().map(|m| m.address).filter(|address| !addresses.contains(address)).collect()
}
