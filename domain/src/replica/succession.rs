//! Which set signs which height of our own chain: the genesis set, and from an epoch's first height
//! on the one that was chosen for it in time.
//!
//! Does not choose sets. In time is before the epoch's predecessor came to its last height, in the
//! order of the log: that height's header announces the set, and everybody must say the same.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    chain::GenesisInitialised,
    light::{self, ParseFault},
    validator_set::{Member, ValidatorSetRotated},
    values::{Epoch, Height, Power, PublicKey},
};

/// A set, and as headers name it.
#[derive(Debug)]
pub struct Set {
    /// Who is in it.
    pub members: Vec<Member>,
    /// As headers name it.
    pub named: light::ValidatorSet,
}

impl Set {
    fn of(members: &[Member]) -> Result<Arc<Set>, ParseFault> {
        let named = named(members.iter().map(|member| (member.public_key, member.power)))?;
        Ok(Arc::new(Set { members: members.to_vec(), named }))
    }
}

/// Keys with their powers as headers name them.
pub fn named(
    members: impl Iterator<Item = (PublicKey, Power)>,
) -> Result<light::ValidatorSet, ParseFault> {
    light::ValidatorSet::of(&members.collect::<Vec<_>>())
}

/// The sets around the next height. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Succession {
    /// It signed the head; at the chain's first height it is the first set.
    pub last: Arc<Set>,
    /// It signs the next height.
    pub current: Arc<Set>,
    /// It signs the height after the next.
    pub following: Arc<Set>,
    /// The sets chosen for epochs that nobody has announced yet.
    chosen: BTreeMap<Epoch, Arc<Set>>,
    /// The last epoch whose set is settled.
    settled: Epoch,
    epoch_blocks: u32,
}

/// The sets around a height, as they are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sets {
    last: Vec<Member>,
    current: Vec<Member>,
    following: Vec<Member>,
    chosen: BTreeMap<Epoch, Vec<Member>>,
    settled: Epoch,
}

impl Succession {
    /// The first set signs until another is chosen in time.
    pub fn begin(genesis: &GenesisInitialised) -> Result<Succession, ParseFault> {
        let first = Set::of(&genesis.validators)?;
        let epoch_blocks = genesis.parameters.epoch_blocks;
        let second = genesis.initial_height.next().unwrap_or(genesis.initial_height);
        Ok(Succession {
            last: Arc::clone(&first),
            current: Arc::clone(&first),
            following: first,
            chosen: BTreeMap::new(),
            settled: second.epoch(epoch_blocks),
            epoch_blocks,
        })
    }

    /// As it is kept.
    pub fn sets(&self) -> Sets {
        let members = |set: &Set| set.members.clone();
        Sets {
            last: members(&self.last),
            current: members(&self.current),
            following: members(&self.following),
            chosen: self.chosen.iter().map(|(epoch, set)| (*epoch, members(set))).collect(),
            settled: self.settled,
        }
    }

    /// As it was kept, of a chain with epochs of so many blocks.
    pub fn resumed(sets: &Sets, epoch_blocks: u32) -> Result<Succession, ParseFault> {
        let chosen = sets.chosen.iter().map(|(epoch, of)| Ok((*epoch, Set::of(of)?)));
        Ok(Succession {
            last: Set::of(&sets.last)?,
            current: Set::of(&sets.current)?,
            following: Set::of(&sets.following)?,
            chosen: chosen.collect::<Result<_, ParseFault>>()?,
            settled: sets.settled,
            epoch_blocks,
        })
    }

    /// A set was chosen. For an epoch that is settled it comes too late.
    pub fn choose(&mut self, rotated: &ValidatorSetRotated) -> Result<(), ParseFault> {
        if rotated.epoch > self.settled {
            self.chosen.insert(rotated.epoch, Set::of(&rotated.members)?);
        }
        Ok(())
    }

    /// A block was applied: `next` is the height that comes next.
    pub fn advance(&mut self, next: Height) {
        self.last = std::mem::replace(&mut self.current, Arc::clone(&self.following));
        let epoch = next.next().unwrap_or(next).epoch(self.epoch_blocks);
        if epoch > self.settled {
            self.settled = epoch;
            if let Some(set) = self.chosen.remove(&epoch) {
                self.following = set;
            }
            self.chosen.retain(|chosen, _| *chosen > epoch);
        }
    }
}
