//! Two different blocks never become final at one height, however messages are ordered, repeated,
//! delayed or forged, while less than a third of the power lies; and the record is what its events
//! say.
//!
//! Does not test that a height becomes final, but that many do: else nothing would be shown.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    aggregate::Aggregate as _,
    block::Contents,
    consensus::{Command, ConsensusHeight, Event, Known, ProposedBlock},
    signatures::{Signed, verify_all},
    values::{Address, is_quorum},
    vote::{
        BlockId, Vote,
        VoteType::{Precommit, Prevote},
    },
};
use proptest::prelude::*;

use crate::{
    agreement::{Chain, block_known, height, number, proposal, round, valid_block},
    fixture::address,
    spec::assert_survives_storage,
};

/// Tells seeds apart that follow one another.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Chance that can be told again: xorshift64*.
struct Chance(u64);

impl Chance {
    fn of(seed: u64) -> Chance {
        Chance(seed | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % bound
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// A validator that keeps Tendermint's rules, and has read the log up to some event.
struct Honest {
    number: u8,
    seen: ConsensusHeight,
    read: usize,
    locked: Option<(BlockId, u32)>,
    valid: Option<(BlockId, u32)>,
    /// The last round in which it proposed, prevoted and precommitted.
    proposed: Option<u32>,
    prevoted: Option<u32>,
    precommitted: Option<u32>,
    /// Breaks the rule: it forgets what it precommitted.
    forgetful: bool,
}

/// One height with everybody in it.
struct World {
    chain: Chain,
    blocks: BTreeMap<BlockId, ProposedBlock>,
    own: BTreeMap<u8, BlockId>,
    log: Vec<Event>,
    honest: Vec<Honest>,
    liars: Vec<u8>,
    wires: Vec<Command>,
    /// Every precommit for a block that was ever signed: by whom, for what, in which round.
    signed: BTreeSet<(u32, BlockId, u8)>,
    chance: Chance,
}

impl World {
    fn new(members: &[(u8, u64)], liars: &[u8], seed: u64) -> World {
        let chain = Chain::new(members);
        let made: Vec<(u8, Contents)> =
            members.iter().map(|(number, _)| (*number, chain.block(*number, None))).collect();
        let recorded = |contents: &Contents| {
            let block = valid_block(contents, &block_known(contents, &chain.ground));
            (contents.id(), ProposedBlock::of(&block).unwrap())
        };
        let mut begun = ConsensusHeight::default();
        let log = begun.decide(&Command::StartHeight {}, &chain.known).unwrap();
        log.iter().for_each(|event| begun.evolve(event));
        let honest = members.iter().filter(|(number, _)| !liars.contains(number));
        World {
            blocks: made.iter().map(|(_, contents)| recorded(contents)).collect(),
            own: made.iter().map(|(number, contents)| (*number, contents.id())).collect(),
            honest: honest
                .map(|(number, _)| Honest {
                    number: *number,
                    seen: ConsensusHeight::default(),
                    read: 0,
                    locked: None,
                    valid: None,
                    proposed: None,
                    prevoted: None,
                    precommitted: None,
                    forgetful: false,
                })
                .collect(),
            chain: Chain { height: begun, ..chain },
            log,
            liars: liars.to_vec(),
            wires: Vec::new(),
            signed: BTreeSet::new(),
            chance: Chance::of(seed),
        }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.chance.below(10) {
                0..4 => self.somebody_reads(),
                4 => self.somebody_lies(),
                5 => self.time_passes(),
                _ => self.something_arrives(),
            }
        }
    }

    /// Something on the wires reaches the record; now and then it stays there and comes again.
    fn something_arrives(&mut self) {
        if self.wires.is_empty() {
            return;
        }
        let at = self.chance.below(self.wires.len());
        let command = self.wires[at].clone();
        if !self.chance.one_in(5) {
            self.wires.swap_remove(at);
        }
        self.decide(&command);
    }

    fn decide(&mut self, command: &Command) {
        let mut known = self.chain.known.clone();
        if let Command::Propose(proposal) = command {
            known.block = self.blocks.get(&proposal.block_id).cloned();
        }
        let Ok(events) = self.chain.height.decide(command, &known) else { return };
        for event in events {
            self.chain.height.evolve(&event);
            self.log.push(event);
        }
    }

    fn time_passes(&mut self) {
        let started = self.chain.started();
        let (round, step) = (started.round(), started.step());
        let deadline = started.deadline();
        self.chain.known.now = self.chain.known.now.max(deadline);
        if self.chance.one_in(4) {
            self.decide(&Command::TimeoutRound { round, step });
        }
    }

    fn somebody_reads(&mut self) {
        let at = self.chance.below(self.honest.len());
        let more = 1 + self.chance.below(4);
        let impatient = self.chance.one_in(12);
        let upto = (self.honest[at].read + more).min(self.log.len());
        let mut messages = Vec::new();
        for event in &self.log[self.honest[at].read..upto] {
            let own = self.own[&self.honest[at].number];
            messages.extend(self.honest[at].reads(event, own, &self.chain));
        }
        self.honest[at].read = upto;
        if impatient {
            messages.extend(self.honest[at].waits_no_longer(&self.chain));
        }
        messages.into_iter().for_each(|message| self.sends(message));
    }

    fn sends(&mut self, command: Command) {
        if let Command::CastVote(vote) = &command
            && let (Precommit, Some(id)) = (vote.kind, vote.block_id)
        {
            self.signed.insert((vote.round.value(), id, number(vote.validator)));
        }
        self.wires.push(command);
    }

    /// A liar says anything, and in others' names.
    fn somebody_lies(&mut self) {
        if self.liars.is_empty() {
            return;
        }
        let liar = self.liars[self.chance.below(self.liars.len())];
        let ids: Vec<BlockId> = self.blocks.keys().copied().collect();
        let id = ids[self.chance.below(ids.len())];
        let current = usize::try_from(self.chain.started().round().value()).unwrap();
        let of_round = u32::try_from(current.saturating_sub(2) + self.chance.below(5)).unwrap();
        if self.chance.one_in(3) {
            let pol_round = self.chance.one_in(2).then(|| of_round.saturating_sub(1));
            let now = self.chain.known.now;
            let offer = proposal(liar, height(1), of_round, id, pol_round, now);
            self.sends(Command::Propose(offer));
            return;
        }
        let kind = if self.chance.one_in(2) { Prevote } else { Precommit };
        // What the round is about is the better lie.
        let proposed = self.chain.started().proposal(round(of_round)).map(|p| p.block_id);
        let id = if self.chance.one_in(4) { Some(id) } else { proposed };
        let id = id.filter(|_| !self.chance.one_in(4));
        let mut vote = self.chain.vote(liar, kind, of_round, id, 5);
        if self.chance.one_in(4) {
            let others = self.honest.len();
            vote.validator = address(self.honest[self.chance.below(others)].number);
            self.wires.push(Command::CastVote(vote));
            return;
        }
        self.sends(Command::CastVote(vote));
    }

    /// Which blocks more than two thirds of the power ever precommitted in one round.
    fn decided(&self) -> BTreeSet<BlockId> {
        let mut tally: BTreeMap<(u32, BlockId), u64> = BTreeMap::new();
        for (round, id, by) in &self.signed {
            *tally.entry((*round, *id)).or_default() += self.power(address(*by));
        }
        let total = self.chain.started().start().total_power.value();
        let quorums = tally.into_iter().filter(|(_, power)| is_quorum(*power, total));
        quorums.map(|((_, id), _)| id).collect()
    }

    fn power(&self, of: Address) -> u64 {
        self.chain.started().voter(of).map_or(0, |voter| voter.power.value())
    }
}

impl Honest {
    /// What it says when it reads an event.
    fn reads(&mut self, event: &Event, own: BlockId, chain: &Chain) -> Vec<Command> {
        self.seen.evolve(event);
        let Some(seen) = self.seen.started() else { return Vec::new() };
        let current = seen.round();
        let now = current.value();
        let mut says = Vec::new();
        if self.proposed < Some(now) && seen.proposer(current) == address(self.number) {
            self.proposed = Some(now);
            let (id, pol_round) = self.valid.map_or((own, None), |(id, of)| (id, Some(of)));
            let time = chain.known.now;
            let offer = proposal(self.number, height(1), now, id, pol_round, time);
            says.push(Command::Propose(offer));
        }
        if let Some(offer) = seen.proposal(current).filter(|_| self.prevoted < Some(now)) {
            let id = offer.block_id;
            let free = match (offer.pol_round, self.locked) {
                (_, None) => true,
                (None, Some((locked, _))) => locked == id,
                (Some(pol), Some((locked, since))) => since <= pol.value() || locked == id,
            };
            self.prevoted = Some(now);
            let vote = chain.vote(self.number, Prevote, now, Some(id).filter(|_| free), 5);
            says.push(Command::CastVote(vote));
        }
        if let Some(polka) = seen.polka(current) {
            if let Some(id) = polka.block_id.filter(|_| !self.forgetful) {
                self.valid = Some((id, now));
            }
            if self.precommitted < Some(now) {
                if let Some(id) = polka.block_id.filter(|_| !self.forgetful) {
                    self.locked = Some((id, now));
                }
                (self.prevoted, self.precommitted) = (Some(now), Some(now));
                let vote = chain.vote(self.number, Precommit, now, polka.block_id, 6);
                says.push(Command::CastVote(vote));
            }
        }
        says
    }

    /// Its own timers go off.
    fn waits_no_longer(&mut self, chain: &Chain) -> Vec<Command> {
        let Some(seen) = self.seen.started() else { return Vec::new() };
        let now = seen.round().value();
        let kind = if self.prevoted < Some(now) {
            self.prevoted = Some(now);
            Prevote
        } else if self.precommitted < Some(now) {
            self.precommitted = Some(now);
            Precommit
        } else {
            return Vec::new();
        };
        vec![Command::CastVote(chain.vote(self.number, kind, now, None, 7))]
    }
}

type Powers = &'static [(u8, u64)];

/// Sets with liars of less than a third of the power.
const WORLDS: &[(Powers, &[u8])] = &[
    (&[(1, 10), (2, 10), (3, 10), (4, 10)], &[4]),
    (&[(1, 10), (2, 10), (3, 10), (4, 10)], &[]),
    (&[(1, 1), (2, 5), (3, 7), (4, 4), (5, 2)], &[1, 4]),
    (&[(1, 34), (2, 33), (3, 33)], &[3]),
    (&[(1, 5), (2, 1)], &[2]),
];

fn check(world: &World) {
    let decided = world.decided();
    assert!(decided.len() <= 1, "two blocks: {decided:?}");
    let commits: Vec<_> = world
        .log
        .iter()
        .filter_map(|event| match event {
            Event::BlockCommitted(committed) => Some(committed.block_id),
            _ => None,
        })
        .collect();
    assert!(commits.len() <= 1);
    assert!(commits.iter().all(|id| decided.contains(id)));
    let started = world.chain.started();
    if let Some(commit) = started.commit() {
        let ground = &world.chain.ground;
        commit.verify(&ground.chain_id, &ground.validators).unwrap();
        started.committed().unwrap().commit.verify(&ground.chain_id, &ground.validators).unwrap();
    }
    // Only liars are found to have signed twice, and each piece of evidence proves it.
    for found in started.equivocations() {
        assert!(world.liars.contains(&number(found.validator)));
    }
    for evidence in started.evidence() {
        let voter = started.voter(evidence.validator()).unwrap();
        let time = started.committed().unwrap().block_time;
        evidence.verify(&world.chain.ground.chain_id, &voter, time).unwrap();
    }
    // The state is what the events say, and nothing else.
    let mut folded = ConsensusHeight::default();
    for event in &world.log {
        assert_survives_storage(event);
        folded.evolve(event);
    }
    assert_eq!(folded, world.chain.height);
    check_tallies(world);
}

/// Polkas, commits and rounds as they follow from the votes in the log, counted naively.
fn check_tallies(world: &World) {
    let started = world.chain.started();
    let total = started.start().total_power.value();
    let mut votes: Vec<&Vote> = Vec::new();
    let mut polkas = BTreeSet::new();
    for event in &world.log {
        match event {
            Event::VoteCast(vote) => {
                let twice = votes.iter().any(|other| {
                    (other.validator, other.round, other.kind)
                        == (vote.validator, vote.round, vote.kind)
                });
                assert!(!twice, "counted twice: {vote:?}");
                votes.push(vote);
            }
            Event::PolkaReached(polka) => {
                let power = power_of(world, &votes, |vote| {
                    vote.kind == Prevote
                        && vote.round == polka.round
                        && vote.block_id == polka.block_id
                });
                assert!(is_quorum(power, total) && power == polka.power.value());
                assert!(polkas.insert(polka.round));
            }
            Event::BlockCommitted(committed) => {
                let power = power_of(world, &votes, |vote| {
                    vote.kind == Precommit
                        && vote.round == committed.round
                        && vote.block_id == Some(committed.block_id)
                });
                assert!(is_quorum(power, total) && power == committed.power.value());
            }
            _ => {}
        }
    }
    for vote in &votes {
        let same = power_of(world, &votes, |other| other.agrees_with(vote));
        if vote.kind == Prevote && is_quorum(same, total) && started.committed().is_none() {
            assert!(polkas.contains(&vote.round), "a polka was overlooked");
        }
        if vote.kind == Precommit && vote.block_id.is_some() && is_quorum(same, total) {
            assert!(started.committed().is_some(), "a commit was overlooked");
        }
    }
}

fn power_of(world: &World, votes: &[&Vote], counts: impl Fn(&Vote) -> bool) -> u64 {
    votes.iter().filter(|vote| counts(vote)).map(|vote| world.power(vote.validator)).sum()
}

#[test]
fn in_many_worlds_heights_become_final_in_several_rounds_although_somebody_lies() {
    let (mut finals, mut later, mut liars, mut failed) = (0, 0, 0, 0);
    for seed in 1..=60_u64 {
        let (members, lying) = WORLDS[usize::try_from(seed).unwrap() % WORLDS.len()];
        let mut world = World::new(members, lying, seed.wrapping_mul(SPREAD));
        world.run(500);
        check(&world);
        let started = world.chain.started();
        finals += usize::from(started.committed().is_some());
        later += usize::from(started.committed().is_some_and(|c| c.round.value() > 0));
        liars += started.equivocations().count();
        failed += usize::from(started.round().value() > 0);
    }
    assert!(
        finals > 25 && later > 5 && liars > 20 && failed > 20,
        "{finals} {later} {liars} {failed}"
    );
}

#[test]
fn validators_that_forget_what_they_precommitted_are_seen_to_decide_two_blocks() {
    let forgets = |seed: u64| {
        let mut world = World::new(WORLDS[1].0, &[], seed.wrapping_mul(SPREAD));
        world.honest.iter_mut().for_each(|honest| honest.forgetful = true);
        world.run(500);
        world.decided().len()
    };
    assert!((1..=100).any(|seed| forgets(seed) > 1), "the check sees nothing");
}

/// How many schedules are tried; `make attack` tries more.
fn schedules(usual: u32) -> u32 {
    let wanted = std::env::var("NODE0_SCHEDULES").ok();
    wanted.map_or(usual, |text| text.parse().expect("a number of schedules"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: schedules(48), ..ProptestConfig::default() })]

    #[test]
    fn two_blocks_never_become_final_at_one_height(
        seed in any::<u64>(),
        which in 0..WORLDS.len(),
        steps in 50..500_usize,
    ) {
        let (members, liars) = WORLDS[which];
        let mut world = World::new(members, liars, seed);
        world.run(steps);
        check(&world);
    }

    #[test]
    fn many_votes_at_once_are_what_they_are_one_by_one(
        seed in any::<u64>(),
        count in 1..40_usize,
    ) {
        let mut world = World::new(WORLDS[0].0, WORLDS[0].1, seed);
        world.run(60);
        let mut chance = Chance::of(seed);
        let ids: Vec<BlockId> = world.blocks.keys().copied().collect();
        let votes: Vec<Vote> = (0..count).map(|_| {
            let by = u8::try_from(1 + chance.below(4)).unwrap();
            let of_round = u32::try_from(chance.below(3)).unwrap();
            let proposed = world.chain.started().proposal(round(of_round)).map(|p| p.block_id);
            let id = if chance.one_in(6) { Some(ids[0]) } else { proposed };
            let kind = if chance.one_in(2) { Prevote } else { Precommit };
            let vote = world.chain.vote(by, kind, of_round, id.filter(|_| !chance.one_in(3)), 9);
            if chance.one_in(8) { Vote { validator: address(4), ..vote } } else { vote }
        }).collect();
        let known: &Known = &world.chain.known;
        let mut one_by_one = world.chain.height.clone();
        let mut events = Vec::new();
        for vote in &votes {
            for event in one_by_one.decide(&Command::CastVote(*vote), known).unwrap_or_default() {
                one_by_one.evolve(&event);
                events.push(event);
            }
        }
        let at_once = world.chain.height.decide(&Command::CastVotes { votes }, known);
        let at_once: Vec<_> = at_once
            .unwrap_or_default()
            .into_iter()
            .filter(|event| !matches!(event, Event::VotesRefused(_)))
            .collect();
        prop_assert_eq!(at_once, events);
    }

    #[test]
    fn signatures_are_judged_together_as_each_alone(
        spoilt in proptest::collection::vec(proptest::option::weighted(0.1, 0..512_usize), 0..12),
    ) {
        use ed25519_dalek::Signer as _;
        let items: Vec<Signed> = spoilt.iter().zip(0_u8..).map(|(spoilt, index)| {
            let message = vec![index; usize::from(index)];
            let mut signature = crate::fixture::key(1 + index % 3).sign(&message).to_bytes();
            if let Some(bit) = spoilt {
                signature[bit / 8] ^= 1 << (bit % 8);
            }
            Signed {
                key: crate::fixture::public_key(1 + index % 3),
                message,
                signature: domain::values::Signature::from_bytes(signature),
            }
        }).collect();
        let alone: Vec<_> =
            items.iter().map(|item| item.key.verify_zip215(&item.message, &item.signature)).collect();
        prop_assert_eq!(&verify_all(&items), &alone);
        prop_assert!(alone.iter().zip(&spoilt).all(|(valid, spoilt)| *valid == spoilt.is_none()));
    }
}
