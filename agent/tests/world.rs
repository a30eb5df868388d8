//! Validators, the record they write to, and a wire between that delays, repeats and reorders.
//!
//! Does not check anything itself, but that no command of a validator is a fault of its own.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use agent::rounds::{Effect, LastSigned, Message, Rounds, Timer, ToSign, Words};
use domain::{
    aggregate::Aggregate as _,
    block::{self, Block, Body, Contents, Ground, Last},
    commit::Commit,
    consensus::{
        Command, ConsensusHeight, Event, HeightStream, Known, LastHeight, ProposedBlock, Start,
    },
    light::ValidatorSet,
    parameters::Parameters,
    validator_set::Member,
    values::{Address, AppHash, ChainId, Hash, Height, Moment, Power, PublicKey, Round, Signature},
    vote::{BlockId, Proposal, Vote},
};
use ed25519_dalek::{Signer as _, SigningKey};

pub const FOUR: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10)];

/// Chance that can be told again: xorshift64*.
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

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
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public_key(number: u8) -> PublicKey {
    PublicKey::from_bytes(key(number).verifying_key().to_bytes()).unwrap()
}

pub fn address(number: u8) -> Address {
    public_key(number).address()
}

pub fn sign(by: u8, bytes: &[u8]) -> Signature {
    Signature::from_bytes(key(by).sign(bytes).to_bytes())
}

fn members(of: &[(u8, u64)]) -> Vec<Member> {
    of.iter()
        .map(|(number, power)| Member {
            address: address(*number),
            power: Power::new(*power).unwrap(),
            public_key: public_key(*number),
        })
        .collect()
}

fn set(of: &[(u8, u64)]) -> ValidatorSet {
    let keys: Vec<_> = members(of).iter().map(|m| (m.public_key, m.power)).collect();
    ValidatorSet::of(&keys).unwrap()
}

/// How a world goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// One message in so many takes seconds; none when 0.
    pub slow_one_in: u64,
    /// One message in so many arrives twice; none when 0.
    pub twice_one_in: u64,
    /// One event that a validator reads in so many brings it down; none when 0.
    pub crash_one_in: u64,
    /// Who says two things at once.
    pub liar: Option<u8>,
}

/// Something that happens at some time.
enum Action {
    /// A command reaches the record of a height.
    Arrives(Height, Command),
    /// A height starts.
    Starts,
    /// A validator, in one of its lives, gets a message.
    Tells(usize, u32, Message),
    /// A validator, in one of its lives, reads on.
    Reads(usize, u32),
    /// A validator comes back.
    Returns(usize),
}

/// A validator with what it keeps durably.
pub struct Validator {
    pub number: u8,
    pub rounds: Rounds,
    pub kept: LastSigned,
    /// What was kept when this life began.
    pub kept_at_birth: LastSigned,
    /// How often it was started.
    pub life: u32,
    /// How much of the log it has read in this life.
    read: usize,
    /// How much it has read in any.
    read_ever: usize,
    /// How many lives have passed since it read something new: who reads a long height again must
    /// not be brought down for ever.
    stuck: u64,
    down: bool,
    /// How many blocks it is judging: it does not go on to another height before it has.
    judging: u32,
    /// What it was told in this life, and when.
    pub told: Vec<(Message, Moment)>,
    pub wanted: Vec<Effect>,
    pub decided: BTreeMap<Height, BlockId>,
}

pub struct World {
    pub chance: Chance,
    trouble: Trouble,
    set: &'static [(u8, u64)],
    millis: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    actions: BTreeMap<u64, Action>,
    sequence: u64,
    pub heights: BTreeMap<Height, ConsensusHeight>,
    pub log: Vec<Event>,
    ground: Ground,
    last: Option<LastHeight>,
    blocks: BTreeMap<BlockId, (Contents, ProposedBlock)>,
    pub validators: Vec<Validator>,
    pub crashes: u32,
}

impl World {
    pub fn new(set_of: &'static [(u8, u64)], seed: u64, trouble: Trouble) -> World {
        let validators = set(set_of);
        let ground = Ground {
            app_hash: AppHash::from_bytes(vec![1]).unwrap(),
            chain_id: chain_id(),
            genesis_time: genesis_time(),
            height: height(1),
            last: None,
            last_results_hash: Hash::of(b""),
            next_validators_hash: validators.hash(),
            validators,
        };
        let validator = |(number, _): &(u8, u64)| Validator {
            number: *number,
            rounds: Rounds::new(address(*number), LastSigned::default()),
            kept: LastSigned::default(),
            kept_at_birth: LastSigned::default(),
            life: 0,
            read: 0,
            read_ever: 0,
            stuck: 0,
            down: false,
            judging: 0,
            told: Vec::new(),
            wanted: Vec::new(),
            decided: BTreeMap::new(),
        };
        let mut world = World {
            chance: Chance::of(seed),
            trouble,
            set: set_of,
            millis: 0,
            queue: BinaryHeap::new(),
            actions: BTreeMap::new(),
            sequence: 0,
            heights: BTreeMap::new(),
            log: Vec::new(),
            ground,
            last: None,
            blocks: BTreeMap::new(),
            validators: set_of.iter().map(validator).collect(),
            crashes: 0,
        };
        world.later(0, Action::Starts);
        world
    }

    pub fn now(&self) -> Moment {
        genesis_time().plus_millis(self.millis)
    }

    fn later(&mut self, millis: u64, action: Action) {
        self.sequence += 1;
        self.queue.push(Reverse((self.millis + millis, self.sequence)));
        self.actions.insert(self.sequence, action);
    }

    fn delay(&mut self) -> u64 {
        let slow = self.trouble.slow_one_in > 0 && self.chance.one_in(self.trouble.slow_one_in);
        if slow { 500 + self.chance.below(4_000) } else { 1 + self.chance.below(60) }
    }

    /// Runs until so many heights are final and read by everybody, or so many actions are done.
    pub fn run(&mut self, heights: u64, actions_max: u32) {
        for _ in 0..actions_max {
            let done = |v: &Validator| v.decided.len() as u64 >= heights;
            if self.validators.iter().all(done) {
                return;
            }
            let Some(Reverse((millis, sequence))) = self.queue.pop() else { return };
            self.millis = millis;
            let action = self.actions.remove(&sequence).unwrap();
            self.acts(action);
        }
    }

    fn acts(&mut self, action: Action) {
        match action {
            Action::Starts => self.starts(),
            Action::Arrives(height, command) => self.decides(height, &command),
            Action::Tells(at, life, message) => {
                if self.validators[at].life == life && !self.validators[at].down {
                    self.tells(at, message);
                }
            }
            Action::Reads(at, life) => self.reads(at, life),
            Action::Returns(at) => self.returns(at),
        }
    }

    fn known(&self, at_height: Height) -> Known {
        let time = self.ground.last.as_ref().map_or(genesis_time(), |last| last.time);
        Known {
            stream: HeightStream { chain: chain_id(), height: at_height },
            now: self.now(),
            parameters: Parameters::default(),
            block: None,
            head: self.ground.last.as_ref().map(|last| last.height),
            start: Some(Start {
                height: self.ground.height,
                last: self.last.clone(),
                members: members(self.set),
                time,
                validators_hash: self.ground.validators.hash(),
            }),
        }
    }

    fn starts(&mut self) {
        let at_height = self.ground.height;
        self.decides(at_height, &Command::StartHeight {});
    }

    fn decides(&mut self, at_height: Height, command: &Command) {
        let mut known = self.known(at_height);
        if let Command::Propose(proposal) = command {
            known.block = self.blocks.get(&proposal.block_id).map(|(_, block)| block.clone());
        }
        let record = self.heights.entry(at_height).or_default();
        let Ok(events) = record.decide(command, &known) else { return };
        let mut finals = None;
        for event in events {
            record.evolve(&event);
            if let Event::BlockCommitted(committed) = &event {
                finals = Some(committed.block_id);
            }
            // A validator follows one height; late precommits of earlier ones are for proposers.
            if at_height == self.ground.height {
                self.log.push(event);
            }
        }
        if let Some(block_id) = finals {
            self.is_final(at_height, block_id);
        }
        for at in 0..self.validators.len() {
            let (life, delay) = (self.validators[at].life, self.delay());
            self.later(delay, Action::Reads(at, life));
        }
    }

    /// The next height stands on this block, and starts when late precommits had time to come.
    fn is_final(&mut self, at_height: Height, block_id: BlockId) {
        let (contents, _) = &self.blocks[&block_id];
        let record = self.heights[&at_height].started().unwrap();
        self.last = record.last_height();
        self.ground = Ground {
            app_hash: AppHash::from_bytes(contents.header.hash().as_bytes().to_vec()).unwrap(),
            height: at_height.next().unwrap(),
            last: Some(Last {
                block_id,
                height: at_height,
                time: contents.header.time(),
                validators: self.ground.validators.clone(),
            }),
            ..self.ground.clone()
        };
        let pause = 20 + self.chance.below(100);
        self.later(pause, Action::Starts);
    }

    /// Reads the next event; it may be the last thing that a life does.
    fn reads(&mut self, at: usize, life: u32) {
        let validator = &mut self.validators[at];
        if validator.life != life || validator.down || validator.read >= self.log.len() {
            return;
        }
        let event = self.log[validator.read].clone();
        if matches!(event, Event::HeightStarted(_)) && validator.judging > 0 {
            self.later(5, Action::Reads(at, life));
            return;
        }
        validator.read += 1;
        if validator.read > validator.read_ever {
            (validator.read_ever, validator.stuck) = (validator.read, 0);
        }
        let crash = self.trouble.crash_one_in * (1 + validator.stuck);
        let more = validator.read < self.log.len();
        self.tells(at, Message::Read(event));
        if crash > 0 && self.chance.one_in(crash) {
            self.crashes += 1;
            self.validators[at].down = true;
            let pause = 100 + self.chance.below(4_000);
            self.later(pause, Action::Returns(at));
        } else if more {
            self.later(1, Action::Reads(at, life));
        }
    }

    /// A new life knows what was kept, and reads on from the first height it did not see decided.
    fn returns(&mut self, at: usize) {
        let validator = &mut self.validators[at];
        let is_open = |event: &Event| match event {
            Event::HeightStarted(start) => !validator.decided.contains_key(&start.height),
            _ => false,
        };
        let start = self.log.iter().position(is_open).unwrap_or(self.log.len());
        (validator.down, validator.judging) = (false, 0);
        validator.life += 1;
        validator.stuck += 1;
        validator.read = start;
        validator.rounds = Rounds::new(address(validator.number), validator.kept);
        validator.kept_at_birth = validator.kept;
        validator.told.clear();
        validator.wanted.clear();
        let life = validator.life;
        self.later(1, Action::Reads(at, life));
    }

    fn tells(&mut self, at: usize, message: Message) {
        let now = self.now();
        let validator = &mut self.validators[at];
        if let Message::Judged { .. } = message {
            validator.judging -= 1;
        }
        let effects = validator.rounds.takes(&message, now);
        validator.told.push((message, now));
        validator.wanted.extend(effects.iter().cloned());
        for effect in effects {
            self.carries_out(at, effect);
        }
    }

    fn carries_out(&mut self, at: usize, effect: Effect) {
        let life = self.validators[at].life;
        match effect {
            Effect::Build { height, round } => {
                if let Some(block_id) = self.builds(at, height, self.validators[at].number) {
                    let pause = self.delay();
                    let built = Message::Built { block_id, height, round };
                    self.later(pause, Action::Tells(at, life, built));
                }
            }
            Effect::Judge { height, round, .. } => {
                let pause = 1 + self.chance.below(30);
                self.validators[at].judging += 1;
                let judged = Message::Judged { height, round, valid: true };
                self.later(pause, Action::Tells(at, life, judged));
            }
            Effect::Sign(to_sign) => self.signs(at, &to_sign),
            Effect::Wait { millis, timer } => {
                self.later(millis, Action::Tells(at, life, Message::Elapsed(timer)));
            }
            Effect::Fail { deadline, round, step } => {
                let wait = deadline.micros().saturating_sub(self.now().micros()).max(0) / 1_000;
                let wait = u64::try_from(wait).unwrap() + self.delay();
                let at_height = self.validators[at].rounds.height().unwrap().start().height;
                let command = Command::TimeoutRound { round, step };
                self.later(wait, Action::Arrives(at_height, command));
                // Should the record wait for something else by then, the timer goes off again.
                let timer =
                    Timer { height: at_height, round, step: domain::consensus::Step::Precommit };
                self.later(wait + 1_000, Action::Tells(at, life, Message::Elapsed(timer)));
            }
            Effect::Decided { block_id, height } => {
                self.validators[at].decided.insert(height, block_id);
            }
            Effect::Withheld { .. } => {}
            Effect::Disagrees { sentence } => panic!("{sentence}"),
        }
    }

    /// A block of this validator, recorded and found valid; none when the chain went on.
    fn builds(&mut self, at: usize, at_height: Height, by: u8) -> Option<BlockId> {
        if self.ground.height != at_height {
            return None;
        }
        let last_commit: Option<Commit> = self
            .ground
            .last
            .as_ref()
            .map(|last| self.heights[&last.height].started().unwrap().commit().unwrap());
        let body = Body { last_commit, ..Body::default() };
        let contents = self.ground.build(body, address(by), &Parameters::default()).unwrap();
        let known = block::Known {
            id: contents.header.hash(),
            now: self.now(),
            parameters: Parameters::default(),
            body: Some(contents.body.clone()),
            ground: Some(self.ground.clone()),
            transactions: BTreeMap::new(),
            past: BTreeMap::new(),
            punished: Default::default(),
            validators: None,
        };
        let mut block = Block::default();
        for command in
            [block::Command::Propose(Box::new(contents.clone())), block::Command::Validate {}]
        {
            block.decide(&command, &known).unwrap().iter().for_each(|event| block.evolve(event));
        }
        let recorded = ProposedBlock::of(&block).unwrap();
        assert_eq!(recorded.standing, block::StandingName::Valid, "by {at}: {block:?}");
        let id = contents.id();
        self.blocks.insert(id, (contents, recorded));
        Some(id)
    }

    /// First it is kept, then it is signed; a crash between the two loses the message.
    fn signs(&mut self, at: usize, to_sign: &ToSign) {
        let number = self.validators[at].number;
        self.validators[at].kept = to_sign.last_signed;
        self.sends(number, to_sign);
        if self.trouble.liar == Some(number) {
            self.lies(at, to_sign);
        }
    }

    fn sends(&mut self, number: u8, to_sign: &ToSign) {
        let command = to_sign.signed(sign(number, &to_sign.sign_bytes(&chain_id())));
        let delay = self.delay();
        self.later(delay, Action::Arrives(to_sign.height, command.clone()));
        let again = self.trouble.twice_one_in;
        if again > 0 && self.chance.one_in(again) {
            let delay = self.delay();
            self.later(delay, Action::Arrives(to_sign.height, command));
        }
    }

    /// Says the opposite, too.
    fn lies(&mut self, at: usize, to_sign: &ToSign) {
        let number = self.validators[at].number;
        let proposed = |world: &World, of: Round| {
            let record = world.heights.get(&to_sign.height)?.started()?;
            record.proposal(of).map(|proposal| proposal.block_id)
        };
        let words = match to_sign.words {
            Words::Vote(vote) => {
                let block_id = match vote.block_id {
                    Some(_) => None,
                    None => proposed(self, vote.round),
                };
                Words::Vote(Vote { block_id, ..vote })
            }
            Words::Proposal(proposal) => {
                let other = self.builds(at, to_sign.height, number % 4 + 1);
                let Some(block_id) = other else { return };
                Words::Proposal(Proposal { block_id, pol_round: None, ..proposal })
            }
        };
        let lie = ToSign { words, ..to_sign.clone() };
        self.sends(number, &lie);
    }
}
