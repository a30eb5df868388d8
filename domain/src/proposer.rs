//! Who proposes: CometBFT's weighted round robin, the same for everybody who knows the set.
//!
//! Does not know heights, nor who is online: whoever does not propose is passed over by the next
//! round.
//!
//! Each seat gains its power at each step; the seat with the highest priority proposes and pays the
//! power of the whole set. Over time everybody proposes in proportion to their power. What a seat
//! has gained survives a change of the set; a newcomer begins below everybody, so that leaving and
//! joining again gains nothing.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    validator_set::Member,
    values::{Address, POWER_TOTAL_MAX, Power, PublicKey, Round, ValueError, key_from_history},
};

/// By how many times the whole power priorities may be apart at most.
const PRIORITY_WINDOW: i128 = 2;

/// How soon a seat's turn comes; a decimal string in JSON, with a minus sign when negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "-30")
)]
pub struct Priority(i64);

const PRIORITY_RULE: &str = "a priority is a decimal string from -2^63 to 2^63 - 1";

impl Priority {
    /// Every i64 is a priority.
    pub const fn new(priority: i64) -> Priority {
        Priority(priority)
    }

    /// As a number.
    pub const fn value(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Priority {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Priority, ValueError> {
        let priority: i64 = text.parse().map_err(|_| ValueError::new(PRIORITY_RULE, text))?;
        // One number has one text.
        if priority.to_string() != text {
            return Err(ValueError::new(PRIORITY_RULE, text));
        }
        Ok(Priority(priority))
    }
}

impl Serialize for Priority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Priority, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A member of a set with its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Seat {
    /// Its address.
    pub address: Address,
    /// Its voting power.
    pub power: Power,
    /// How soon its turn comes.
    pub priority: Priority,
    /// Its consensus key.
    #[serde(deserialize_with = "key_from_history")]
    pub public_key: PublicKey,
}

/// Why members do not form a set that takes turns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RotationFault))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Fault {
    #[error("the set has no member")]
    Empty,
    #[error("member {member} has no power")]
    NoPower { member: Address },
    #[error("member {member} is there twice")]
    Twice { member: Address },
    #[error("the members have {found} power, more than {maximum}")]
    PowerTooLarge { found: String, maximum: String },
}

/// A set of validators that take turns, at one turn. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// In CometBFT's order: by power, the greatest first, then by address.
    seats: Vec<Seat>,
    proposer: Address,
}

impl Rotation {
    /// A set that takes turns for the first time, at its first turn.
    pub fn new(members: &[Member]) -> Result<Rotation, Fault> {
        let mut rotation = Rotation { seats: Vec::new(), proposer: Address::from_bytes([0; 20]) };
        rotation.change(members)?;
        rotation.advance(1);
        Ok(rotation)
    }

    /// A set at the turn at which it was written down; none when there is no seat.
    pub fn restored(mut seats: Vec<Seat>, proposer: Address) -> Option<Rotation> {
        seats.sort_unstable_by_key(rank);
        (!seats.is_empty()).then_some(Rotation { seats, proposer })
    }

    /// The seats, in CometBFT's order.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Whose turn it is.
    pub fn proposer(&self) -> Address {
        self.proposer
    }

    /// The power of all seats.
    pub fn total_power(&self) -> u64 {
        self.seats.iter().map(|seat| seat.power.value()).fold(0, u64::saturating_add)
    }

    /// The same set some turns later.
    #[must_use]
    pub fn after(&self, turns: u32) -> Rotation {
        let mut later = self.clone();
        (0..turns).for_each(|_| later.advance(1));
        later
    }

    /// Who proposes in a round of a height, where `self` is the set at the height's first round.
    pub fn proposer_of(&self, round: Round) -> Address {
        self.after(round.value()).proposer
    }

    /// The rotation of the next height, with `members` as its set; `self` is that of this height's
    /// first round. How many rounds this height took does not matter.
    pub fn next(&self, members: &[Member]) -> Result<Rotation, Fault> {
        let mut next = self.clone();
        if !next.consists_of(members) {
            next.change(members)?;
        }
        next.advance(1);
        Ok(next)
    }

    /// Whether exactly these are its members, with the same powers.
    fn consists_of(&self, members: &[Member]) -> bool {
        let wanted: BTreeMap<Address, &Member> =
            members.iter().map(|member| (member.address, member)).collect();
        let same = |seat: &Seat| wanted.get(&seat.address).is_some_and(|m| m.power == seat.power);
        members.len() == self.seats.len()
            && wanted.len() == self.seats.len()
            && self.seats.iter().all(same)
    }

    /// Makes `members` its members: who stays keeps the priority, who is new begins at -1.125 times
    /// the power that all would have together before anybody left. Whose turn it is, the next step
    /// tells.
    fn change(&mut self, members: &[Member]) -> Result<(), Fault> {
        let total = checked_total(members)?;
        let before: BTreeMap<Address, Seat> =
            self.seats.iter().map(|seat| (seat.address, *seat)).collect();
        let staying: BTreeSet<Address> = members.iter().map(|member| member.address).collect();
        let leaving = self.seats.iter().filter(|seat| !staying.contains(&seat.address));
        let left: i64 = leaving.map(|seat| signed(seat.power)).fold(0, i64::saturating_add);
        let both = total.saturating_add(left);
        let newcomer = Priority(-both.saturating_add(both >> 3));
        self.seats = members
            .iter()
            .map(|member| Seat {
                address: member.address,
                power: member.power,
                priority: before.get(&member.address).map_or(newcomer, |seat| seat.priority),
                public_key: member.public_key,
            })
            .collect();
        self.rescale();
        self.centre();
        self.seats.sort_unstable_by_key(rank);
        Ok(())
    }

    /// Goes on by `turns`; the priorities are scaled and centred once, before the first.
    pub fn advance(&mut self, turns: u32) {
        self.rescale();
        self.centre();
        (0..turns).for_each(|_| self.step());
    }

    fn step(&mut self) {
        let total = i64::try_from(self.total_power()).unwrap_or(i64::MAX);
        for seat in &mut self.seats {
            seat.priority = Priority(seat.priority.0.saturating_add(signed(seat.power)));
        }
        // Among equals the smallest address is first.
        let first = self.seats.iter_mut().max_by_key(|s| (s.priority, Reverse(s.address)));
        if let Some(first) = first {
            first.priority = Priority(first.priority.0.saturating_sub(total));
            self.proposer = first.address;
        }
    }

    /// Divides all priorities by the smallest whole number that brings them within the window.
    fn rescale(&mut self) {
        let window = PRIORITY_WINDOW * i128::from(self.total_power());
        let priorities = || self.seats.iter().map(|seat| i128::from(seat.priority.0));
        let (Some(least), Some(most)) = (priorities().min(), priorities().max()) else { return };
        let apart = most - least;
        if window == 0 || apart <= window {
            return;
        }
        let ratio = (apart + window - 1) / window;
        for seat in &mut self.seats {
            // Truncated towards zero, as Go divides; a quotient is never larger than its dividend.
            let scaled = i128::from(seat.priority.0) / ratio;
            seat.priority = Priority(i64::try_from(scaled).unwrap_or(seat.priority.0));
        }
    }

    /// Moves all priorities so that their average, rounded down, is zero.
    fn centre(&mut self) {
        let sum: i128 = self.seats.iter().map(|seat| i128::from(seat.priority.0)).sum();
        let count = i128::try_from(self.seats.len().max(1)).unwrap_or(1);
        let average = i64::try_from(sum.div_euclid(count)).unwrap_or(0);
        for seat in &mut self.seats {
            seat.priority = Priority(seat.priority.0.saturating_sub(average));
        }
    }
}

fn rank(seat: &Seat) -> (Reverse<Power>, Address) {
    (Reverse(seat.power), seat.address)
}

fn signed(power: Power) -> i64 {
    i64::try_from(power.value()).unwrap_or(i64::MAX)
}

/// The power of all members, when they form a set.
fn checked_total(members: &[Member]) -> Result<i64, Fault> {
    let mut seen = BTreeSet::new();
    let mut total: u64 = 0;
    for member in members {
        if member.power == Power::ZERO {
            return Err(Fault::NoPower { member: member.address });
        }
        if !seen.insert(member.address) {
            return Err(Fault::Twice { member: member.address });
        }
        total = total.saturating_add(member.power.value());
    }
    if members.is_empty() {
        return Err(Fault::Empty);
    }
    if total > POWER_TOTAL_MAX {
        let maximum = POWER_TOTAL_MAX.to_string();
        return Err(Fault::PowerTooLarge { found: total.to_string(), maximum });
    }
    Ok(i64::try_from(total).unwrap_or(i64::MAX))
}
