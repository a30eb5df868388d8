//! How a validator says something: first it is kept, then it is signed, then it leaves.
//!
//! Does not know whether it should be said.

use domain::{
    consensus::{Command, Step},
    values::{Address, ChainId, Height},
    vote::{Proposal, Vote, VoteType},
};

use crate::{
    Failure, Folder, Key,
    rounds::{LastSigned, Said, ToSign, Words},
};

/// A validator's voice.
pub struct Speech {
    folder: Folder,
    key: Key,
}

impl Speech {
    /// With a key, and the folder that keeps what was signed with it.
    pub fn new(key: Key, folder: Folder) -> Speech {
        Speech { folder, key }
    }

    /// Whose it is.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// Signs something new. What was signed is durable before the signature is there.
    pub fn signs(&self, to_sign: &ToSign, chain_id: &ChainId) -> Result<Command, Failure> {
        self.folder.keep(&to_sign.last_signed)?;
        Ok(self.repeats(to_sign, chain_id))
    }

    fn repeats(&self, to_sign: &ToSign, chain_id: &ChainId) -> Command {
        to_sign.signed(self.key.sign(&to_sign.sign_bytes(chain_id)))
    }

    /// What was signed last, word for word, when it was at this height: whoever came down after
    /// signing cannot know whether it arrived.
    pub fn last(
        &self,
        last_signed: &LastSigned,
        chain_id: &ChainId,
        height: Height,
    ) -> Option<Command> {
        let said = last_signed.said().filter(|said| said.height == height)?;
        let words = words(said, self.address())?;
        let to_sign = ToSign { height, last_signed: *last_signed, words };
        Some(self.repeats(&to_sign, chain_id))
    }
}

fn words(said: &Said, by: Address) -> Option<Words> {
    let Said { block_id, pol_round, round, timestamp, .. } = *said;
    let vote = |kind| Words::Vote(Vote::unsigned(kind, round, block_id, timestamp, by));
    Some(match said.step {
        Step::Propose => {
            Words::Proposal(Proposal::unsigned(round, block_id?, pol_round, timestamp))
        }
        Step::Prevote => vote(VoteType::Prevote),
        Step::Precommit => vote(VoteType::Precommit),
    })
}
