//! A chain of our own in the making: validators with real keys who propose and vote.
//!
//! Does not check anything itself: specifications and properties do.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    aggregate::Aggregate,
    block::{self, Block, Body, Contents, Ground, Last},
    commit::Commit,
    consensus::{self, ConsensusHeight, HeightStream, LastHeight, ProposedBlock, Start, Started},
    light::ValidatorSet,
    parameters::Parameters,
    validator_set::Member,
    values::{Address, ChainId, Hash, Height, Moment, Power, Round, Signature},
    vote::{BlockId, Proposal, Vote, VoteType},
};
use ed25519_dalek::Signer as _;

use crate::fixture::{address, key, moment, public_key, set};

pub const FOUR: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10)];

pub fn chain_id() -> ChainId {
    "node0-local".parse().unwrap()
}

pub fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}

pub fn round(number: u32) -> Round {
    Round::try_from(number).unwrap()
}

pub fn genesis_time() -> Moment {
    moment("2026-01-01T00:00:00Z")
}

/// So many milliseconds after the genesis time.
pub fn at(millis: u64) -> Moment {
    genesis_time().plus_millis(millis)
}

pub fn members(of: &[(u8, u64)]) -> Vec<Member> {
    of.iter()
        .map(|(number, power)| Member {
            address: address(*number),
            power: Power::new(*power).unwrap(),
            public_key: public_key(*number),
        })
        .collect()
}

/// Whose address it is.
pub fn number(of: Address) -> u8 {
    (1..=u8::MAX).find(|number| address(*number) == of).unwrap()
}

fn sign(by: u8, bytes: &[u8]) -> Signature {
    Signature::from_bytes(key(by).sign(bytes).to_bytes())
}

/// A vote at a height of the chain.
pub fn vote(
    by: u8,
    at_height: Height,
    kind: VoteType,
    of_round: u32,
    block_id: Option<BlockId>,
    timestamp: Moment,
) -> Vote {
    let vote = Vote::unsigned(kind, round(of_round), block_id, timestamp, address(by));
    Vote { signature: sign(by, &vote.sign_bytes(&chain_id(), at_height)), ..vote }
}

/// A proposal at a height of the chain.
pub fn proposal(
    by: u8,
    at_height: Height,
    of_round: u32,
    block_id: BlockId,
    pol_round: Option<u32>,
    timestamp: Moment,
) -> Proposal {
    let proposal = Proposal::unsigned(round(of_round), block_id, pol_round.map(round), timestamp);
    Proposal { signature: sign(by, &proposal.sign_bytes(&chain_id(), at_height)), ..proposal }
}

/// What a chain of our own stands on before its first block.
pub fn first_ground(of: &[(u8, u64)]) -> Ground {
    Ground {
        app_hash: "A0DE13083B6EE8B7".parse().unwrap(),
        chain_id: chain_id(),
        genesis_time: genesis_time(),
        height: height(1),
        last: None,
        last_results_hash: Hash::of(b""),
        next_validators_hash: set(of).hash(),
        validators: set(of),
    }
}

/// What a block is judged by, when nothing is known of transactions.
pub fn block_known(contents: &Contents, ground: &Ground) -> block::Known {
    block::Known {
        id: contents.header.hash(),
        now: genesis_time(),
        parameters: Parameters::default(),
        body: Some(contents.body.clone()),
        ground: Some(ground.clone()),
        transactions: BTreeMap::new(),
        past: BTreeMap::new(),
        punished: BTreeSet::new(),
        validators: Some(ground.validators.clone()),
    }
}

/// A block that is recorded and found valid.
pub fn valid_block(contents: &Contents, known: &block::Known) -> Block {
    let mut block = Block::default();
    for command in
        [block::Command::Propose(Box::new(contents.clone())), block::Command::Validate {}]
    {
        for event in block.decide(&command, known).unwrap() {
            block.evolve(&event);
        }
    }
    assert_eq!(block.proposed().unwrap().standing, block::Standing::Valid);
    block
}

/// What the height of `ground` starts from, and what is known of `block`.
pub fn known(ground: &Ground, last: Option<LastHeight>, now: Moment) -> consensus::Known {
    let time = ground.last.as_ref().map_or(ground.genesis_time, |last| last.time);
    let members = ground.validators.set().validators().iter().map(|validator| {
        let key: [u8; 32] = validator.pub_key.to_bytes().try_into().unwrap();
        let public_key = domain::values::PublicKey::from_bytes(key).unwrap();
        Member {
            address: public_key.address(),
            power: Power::new(validator.power()).unwrap(),
            public_key,
        }
    });
    consensus::Known {
        stream: HeightStream { chain: ground.chain_id.clone(), height: ground.height },
        now,
        parameters: Parameters::default(),
        block: None,
        head: ground.last.as_ref().map(|last| last.height),
        start: Some(Start {
            height: ground.height,
            last,
            members: members.collect(),
            time,
            validators_hash: ground.validators.hash(),
        }),
    }
}

/// A height in the making, with its chain so far.
pub struct Chain {
    pub ground: Ground,
    pub height: ConsensusHeight,
    pub known: consensus::Known,
    pub parameters: Parameters,
}

impl Chain {
    /// A chain whose first height has started.
    pub fn new(of: &[(u8, u64)]) -> Chain {
        Chain::on(first_ground(of), None, genesis_time())
    }

    fn on(ground: Ground, last: Option<LastHeight>, now: Moment) -> Chain {
        let known = known(&ground, last, now);
        let (height, parameters) = (ConsensusHeight::default(), Parameters::default());
        let mut chain = Chain { ground, height, known, parameters };
        chain.does(consensus::Command::StartHeight {});
        chain
    }

    pub fn started(&self) -> &Started {
        self.height.started().unwrap()
    }

    /// A command that is accepted; answers with the names of its events.
    pub fn does(&mut self, command: consensus::Command) -> Vec<&'static str> {
        use domain::aggregate::Event as _;
        let events = self.height.decide(&command, &self.known);
        let events = events.unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
        events.iter().for_each(|event| self.height.evolve(event));
        events.iter().map(|event| event.name().strip_suffix(".v1").unwrap()).collect()
    }

    /// Whose turn a round is.
    pub fn proposer(&self, of_round: u32) -> u8 {
        number(self.started().proposer(round(of_round)))
    }

    /// The block that a validator makes now, with this application state to tell it from others.
    pub fn block(&self, by: u8, last_commit: Option<Commit>) -> Contents {
        let body = Body { last_commit, ..Body::default() };
        self.ground.build(body, address(by), &self.parameters).unwrap()
    }

    /// A vote at this height, so many milliseconds after the last block.
    pub fn vote(
        &self,
        by: u8,
        kind: VoteType,
        of_round: u32,
        block_id: Option<BlockId>,
        after: u64,
    ) -> Vote {
        let timestamp = self.started().start().last_time.plus_millis(after);
        vote(by, self.ground.height, kind, of_round, block_id, timestamp)
    }

    /// A block is proposed in a round by the round's proposer, and recorded as valid before.
    pub fn propose(&mut self, of_round: u32, contents: &Contents) -> Vec<&'static str> {
        let block = valid_block(contents, &block_known(contents, &self.ground));
        self.known.block = ProposedBlock::of(&block);
        let by = self.proposer(of_round);
        let time = self.known.now;
        let proposal = proposal(by, self.ground.height, of_round, contents.id(), None, time);
        self.does(consensus::Command::Propose(proposal))
    }

    /// Everybody of `by` casts this vote.
    pub fn all_vote(
        &mut self,
        by: &[u8],
        kind: VoteType,
        of_round: u32,
        block_id: Option<BlockId>,
        after: u64,
    ) -> Vec<&'static str> {
        let votes = by.iter().map(|by| self.vote(*by, kind, of_round, block_id, after));
        let votes = votes.collect();
        self.does(consensus::Command::CastVotes { votes })
    }

    /// The current round's deadline passes.
    pub fn times_out(&mut self) -> Vec<&'static str> {
        let started = self.started();
        let (round, step) = (started.round(), started.step());
        self.known.now = started.deadline();
        self.does(consensus::Command::TimeoutRound { round, step })
    }

    /// The next height, once this one is final on `contents`: with this set from now on, and the
    /// next one's.
    pub fn next(&self, contents: &Contents, next_set: &ValidatorSet) -> Chain {
        let committed = self.started().committed().unwrap();
        assert_eq!(committed.block_id, contents.id());
        let validators = next_set.clone();
        let ground = Ground {
            app_hash: domain::values::AppHash::from_bytes(
                Hash::of(self.ground.app_hash.as_bytes()).as_bytes().to_vec(),
            )
            .unwrap(),
            height: self.ground.height.next().unwrap(),
            last: Some(Last {
                block_id: committed.block_id,
                height: self.ground.height,
                time: contents.header.time(),
                validators: self.ground.validators.clone(),
            }),
            next_validators_hash: validators.hash(),
            validators,
            ..self.ground.clone()
        };
        let now = self.known.now.max(contents.header.time().plus_millis(10));
        Chain::on(ground, self.started().last_height(), now)
    }
}
