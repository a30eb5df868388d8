//! A block as its history tells it.
//!
//! Does not know its body: the event names it.

use serde::{Deserialize, Serialize};

use super::{BlockProposed, Event};
use crate::commit::Commit;

/// What became of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It was recorded and not judged yet.
    Proposed,
    /// Nothing speaks against it.
    Valid,
    /// Something speaks against it: it never becomes final here.
    Invalid,
    /// It is final, for ever, by this commit.
    Final(Commit),
    /// It was given up.
    Abandoned,
}

/// The name of a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockStanding))]
pub enum StandingName {
    /// Recorded and not judged yet.
    Proposed,
    /// Nothing speaks against it.
    Valid,
    /// Something speaks against it.
    Invalid,
    /// Final.
    Final,
    /// Given up.
    Abandoned,
}

impl Standing {
    /// Its name.
    pub fn name(&self) -> StandingName {
        match self {
            Standing::Proposed => StandingName::Proposed,
            Standing::Valid => StandingName::Valid,
            Standing::Invalid => StandingName::Invalid,
            Standing::Final(_) => StandingName::Final,
            Standing::Abandoned => StandingName::Abandoned,
        }
    }
}

impl std::fmt::Display for StandingName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StandingName::Proposed => "not judged yet",
            StandingName::Valid => "valid",
            StandingName::Invalid => "not valid",
            StandingName::Final => "final",
            StandingName::Abandoned => "given up",
        })
    }
}

/// A block.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Block {
    /// Nothing is recorded under this hash.
    #[default]
    Unproposed,
    /// It was recorded.
    Proposed(Box<Proposed>),
}

/// A recorded block.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// What was recorded.
    pub block: BlockProposed,
    /// What became of it.
    pub standing: Standing,
}

impl Block {
    /// What was recorded, and what became of it; none before.
    pub fn proposed(&self) -> Option<&Proposed> {
        match self {
            Block::Unproposed => None,
            Block::Proposed(proposed) => Some(proposed),
        }
    }
}

/// Applies an event.
pub(super) fn evolve(block: &mut Block, event: &Event) {
    let standing = match event {
        Event::BlockProposed(data) => {
            let proposed = Proposed { block: (**data).clone(), standing: Standing::Proposed };
            *block = Block::Proposed(Box::new(proposed));
            return;
        }
        Event::BlockValidated(_) => Standing::Valid,
        Event::BlockRejected(_) => Standing::Invalid,
        Event::BlockFinalized(data) => Standing::Final(data.commit.clone()),
        Event::BlockAbandoned(_) => Standing::Abandoned,
    };
    if let Block::Proposed(proposed) = block {
        proposed.standing = standing;
    }
}
