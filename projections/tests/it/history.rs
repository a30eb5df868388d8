//! Histories that could have happened: commands in an order of chance, decided by the domain
//! itself.
//!
//! The same seed gives the same history. Does not know read models.

use std::collections::BTreeMap;

use domain::{
    aggregate::{Aggregate, Data, Event as _},
    chain::{self, Chain, ChainStream},
    parameters::Parameters,
    validator::{self, Offence, Registration, RegistrationStep, StandingName, Validator},
    validator_set::{self, Candidate, ValidatorSet},
    values::{Address, Amount, Bps, ChainId, Epoch, Hash, Height, Moment},
};
use event_store::{NewEvent, StreamName};
use projections::event::Fact;
use uuid::Uuid;

use crate::{
    beside::Beside,
    fixture::{self, Draft},
};

/// Validators of a history.
const VALIDATORS: u8 = 12;
/// Heights in an epoch of the observed chain.
const EPOCH_HEADERS: u32 = 8;
const FOUR: &[(u8, u64)] = &[(101, 10), (102, 10), (103, 10), (104, 10)];
/// Who did some of it.
pub const PROCESS: &str = "process:penalty";

/// What one command left behind.
#[derive(Clone, Debug)]
pub struct Step {
    pub stream: StreamName,
    pub expected_version: u64,
    pub events: Vec<NewEvent>,
    pub facts: Vec<Fact>,
    pub actor: &'static str,
    /// What it came of, when a process did it.
    pub causation: Option<Uuid>,
    pub correlation: Uuid,
    pub at: Moment,
}

/// A history with the states it adds up to.
#[derive(Default)]
pub struct History {
    pub steps: Vec<Step>,
    /// Content that events name by its hash.
    pub blobs: Vec<Vec<u8>>,
    pub validators: BTreeMap<Address, Validator>,
    /// Those that were asked for alone.
    asked: BTreeMap<Address, Validator>,
    pub sets: BTreeMap<ChainId, ValidatorSet>,
    pub beside: Beside,
    /// Every epoch's stream of every observed chain.
    pub chains: BTreeMap<ChainStream, Chain>,
    versions: BTreeMap<StreamName, u64>,
    chance: u64,
    clock: i64,
    epoch: u64,
    height: u64,
}

/// 2026-01-01T00:10:00Z in microseconds.
const BEGINNING: i64 = 1_767_226_200_000_000;

impl History {
    /// Of so many commands that were accepted.
    pub fn of(seed: u64, commands: usize) -> History {
        let mut history = History::empty(seed);
        history.own_chain();
        history.observe_first();
        // Beside the rest, so that the rest is the same with and without.
        let (mut beside, mut turn) = (0, 0);
        while history.steps.len() - beside < commands {
            history.next();
            turn += 1;
            if turn % 8 == 0 {
                let before = history.steps.len();
                history.beside(turn / 8);
                beside += history.steps.len() - before;
            }
        }
        history
    }

    pub fn empty(seed: u64) -> History {
        let chance = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        History { chance, clock: BEGINNING, ..History::default() }
    }

    /// All facts in order.
    pub fn facts(&self) -> impl Iterator<Item = (&Step, &Fact)> {
        self.steps.iter().flat_map(|step| step.facts.iter().map(move |fact| (step, fact)))
    }

    /// A number below a bound, by chance (xorshift).
    pub fn pick(&mut self, bound: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % bound
    }

    /// When it is now.
    pub fn now(&self) -> Moment {
        Moment::from_micros(self.clock)
    }

    fn next(&mut self) {
        self.clock += 1_000_000;
        match self.pick(20) {
            0 => self.epoch += 1,
            1 => self.rotate(),
            2..=6 => self.chain(),
            _ => {
                let who = u8::try_from(self.pick(u64::from(VALIDATORS))).unwrap() + 1;
                let command = self.command(who);
                self.validator(who, command);
            }
        }
    }

    fn parameters() -> Parameters {
        Parameters { unbonding_epochs: 3, jail_s: 3, ..Parameters::default() }
    }

    fn epoch(&self) -> Epoch {
        Epoch::new(self.epoch).unwrap()
    }

    pub fn push(&mut self, stream: StreamName, events: Vec<NewEvent>, facts: Vec<Fact>) {
        if events.is_empty() {
            return;
        }
        let version = self.versions.entry(stream.clone()).or_default();
        let expected_version = *version;
        *version += events.len() as u64;
        let (actor, causation) = match self.clock / 1_000_000 % 4 {
            0 | 1 => ("principal-one", None),
            2 => ("principal-two", None),
            _ => (PROCESS, Some(Uuid::from_u128(u128::from(self.chance % 40)))),
        };
        let correlation = Uuid::from_u128(u128::from(self.chance % 5) + 1);
        let at = Moment::from_micros(self.clock);
        let step =
            Step { stream, expected_version, events, facts, actor, causation, correlation, at };
        self.steps.push(step);
    }

    /// Decides, evolves and keeps, unless it is refused.
    pub fn decide<A: Aggregate>(
        &mut self,
        state: &mut A,
        id: &A::Id,
        command: &A::Command,
        known: &A::Known,
        fact: impl Fn(A::Event) -> Fact,
    ) -> bool {
        let Ok(events) = state.decide(command, known) else { return false };
        events.iter().for_each(|event| state.evolve(event));
        let stored = events.iter().map(|event| NewEvent::new(event.name(), &Data(event)).unwrap());
        let stored = stored.collect();
        let stream = StreamName::of(A::CATEGORY, id).unwrap();
        self.push(stream, stored, events.into_iter().map(fact).collect());
        true
    }

    /// A command to a validator.
    pub fn validator(&mut self, who: u8, command: validator::Command) -> bool {
        let address = fixture::address(who);
        let known = validator::Known {
            address,
            now: Moment::from_micros(self.clock),
            parameters: History::parameters(),
            epoch: self.epoch(),
            active: 0,
            joined: 0,
        };
        let asked = self.asked.remove(&address).unwrap_or_default();
        let mut state = self.validators.remove(&address).unwrap_or(asked);
        let accepted = self.decide(&mut state, &address, &command, &known, |event| {
            Fact::Validator(address, event)
        });
        let known = if state.record().is_some() { &mut self.validators } else { &mut self.asked };
        known.insert(address, state);
        accepted
    }

    /// Registers a validator.
    pub fn register(who: u8, bond: u128) -> validator::Command {
        let chain_id: ChainId = "node0-local".parse().unwrap();
        validator::Command::Register(Box::new(Registration {
            bond: Amount::new(bond),
            commission_bps: Bps::try_from(500).unwrap(),
            contact: None,
            moniker: format!("Validator {who}").parse().unwrap(),
            operator: format!("operator-{}", who % 3).parse().unwrap(),
            proof: fixture::proof(who, &chain_id),
            public_key: fixture::public_key(who),
            reservation: Some("reservation-1".parse().unwrap()),
            website: Some("https://example.com".parse().unwrap()),
            chain_id,
        }))
    }

    /// Asks for it as one thing.
    fn ask(who: u8, bond: u128) -> validator::Command {
        match History::register(who, bond) {
            validator::Command::Register(one) => validator::Command::RequestRegistration(one),
            other => other,
        }
    }

    fn command(&mut self, who: u8) -> validator::Command {
        use validator::Command;
        let amount = Amount::new(u128::from(self.pick(5_000_000) + 1));
        let delegator = fixture::address(200 + u8::try_from(self.pick(6)).unwrap());
        let number = self.pick(1_000);
        match self.pick(27) {
            0..=2 => History::register(who, 1_000_000 + amount.value()),
            3 => Command::Activate {},
            4 => Command::UpdateProfile {
                contact: Some(format!("{number}@example.com").parse().unwrap()),
                moniker: format!("Renamed {number}").parse().unwrap(),
                website: None,
            },
            5 => Command::SetCommission {
                commission_bps: Bps::try_from(u16::try_from(450 + number % 100).unwrap()).unwrap(),
            },
            6 => Command::Bond { amount },
            7 => Command::Unbond { amount },
            8..=11 => Command::Delegate { amount, delegator },
            12 | 13 => self.undelegate(who, delegator, amount),
            14 => Command::CompleteUnbonding { epoch: self.epoch() },
            15 | 16 => Command::RecordPerformance {
                epoch: self.epoch(),
                missed: u32::try_from(number % 32).unwrap(),
                proposed: 2,
                signed: u32::try_from(32 - number % 32).unwrap(),
            },
            17 => Command::Jail { reason: format!("missed {number}").parse().unwrap() },
            18 => Command::Unjail {},
            19 | 20 => self.slash(number),
            21 => Command::InitiateExit {},
            22 | 23 => History::ask(who, 1_000_000 + amount.value()),
            24 => Command::FailRegistration {
                because: format!("because of {number}").parse().unwrap(),
                step: RegistrationStep::Activate,
            },
            25 => Command::Deregister {},
            _ => Command::CompleteExit {},
        }
    }

    /// Half of the time all of it: then the delegation is gone.
    fn undelegate(&mut self, who: u8, delegator: Address, amount: Amount) -> validator::Command {
        let record = self.validators.get(&fixture::address(who)).and_then(Validator::record);
        let all = record.map_or(Amount::ZERO, |record| record.stake.delegation(delegator));
        let amount = if self.pick(2) == 0 { all } else { amount };
        validator::Command::Undelegate { amount, delegator }
    }

    fn slash(&mut self, number: u64) -> validator::Command {
        let offence = match self.pick(8) {
            0 => Offence::Equivocation,
            1 | 2 => Offence::KeyCompromise,
            3 | 4 => Offence::Censorship,
            _ => Offence::Downtime,
        };
        let behind = self.pick(3);
        let height = self.epoch.saturating_sub(behind) * 32 + 1 + number % 32;
        validator::Command::Slash {
            evidence: Hash::of(&self.chance.to_be_bytes()),
            height: Height::new(height).unwrap(),
            offence,
        }
    }

    fn rotate(&mut self) {
        let chain: ChainId = "node0-local".parse().unwrap();
        let records = self.validators.values().filter_map(Validator::record);
        let active = records.filter(|record| record.standing.name() == StandingName::Active);
        let reduction = History::parameters().power_reduction;
        let candidates = active.map(|record| Candidate {
            address: record.address,
            power: record.stake.power(reduction),
            public_key: record.public_key,
        });
        let known = validator_set::Known {
            now: Moment::from_micros(self.clock),
            parameters: History::parameters(),
            candidates: candidates.collect(),
        };
        let mut state = self.sets.remove(&chain).unwrap_or_default();
        let epoch = match &state {
            ValidatorSet::Unchosen => self.epoch(),
            ValidatorSet::Chosen { epoch, .. } => epoch.plus(1),
        };
        let id = chain.clone();
        let command = validator_set::Command::Rotate { epoch };
        self.decide(&mut state, &chain, &command, &known, |event| {
            Fact::ValidatorSet(id.clone(), event)
        });
        self.sets.insert(chain, state);
    }

    fn stream(&self) -> ChainStream {
        let height = Height::new(self.height).unwrap();
        ChainStream::of("example-1".parse().unwrap(), height, EPOCH_HEADERS)
    }

    fn chain_command(&mut self, stream: &ChainStream, command: chain::Command) -> bool {
        let before = stream.epoch.value().checked_sub(1).map(|epoch| ChainStream {
            chain: stream.chain.clone(),
            epoch: Epoch::new(epoch).unwrap(),
        });
        let carried = before.and_then(|before| self.chains.get(&before)?.carried());
        let known = chain::Known {
            stream: stream.clone(),
            now: Moment::from_micros(self.clock),
            overrides: Default::default(),
            carried,
            executed: None,
            snapshot: None,
        };
        let mut state = self.chains.remove(stream).unwrap_or_default();
        let id = stream.clone();
        let accepted = self
            .decide(&mut state, stream, &command, &known, |event| Fact::Chain(id.clone(), event));
        if state != Chain::default() {
            self.chains.insert(stream.clone(), state);
        }
        accepted
    }

    fn observe_first(&mut self) {
        self.height = 1;
        let anchor = Draft::new(1, FOUR).block();
        let trusting_period_s = 86_400;
        let start = chain::Command::StartObservation {
            anchor,
            epoch_headers: EPOCH_HEADERS,
            trusting_period_s,
        };
        assert!(self.chain_command(&self.stream(), start));
    }

    /// The next header, as a rule; now and then a bad one or a fork.
    fn chain(&mut self) {
        let stream = self.stream();
        match self.pick(8) {
            0 => {
                let number = self.height + 1;
                let mut draft = Draft::new(number, FOUR);
                draft.app_hash = self.chance.to_be_bytes().to_vec();
                draft.signers = vec![101, 102];
                self.chain_command(&stream, observe(&draft));
            }
            1 => self.fork(&stream),
            _ => {
                let next = self.height + 1;
                let after = Height::new(next).unwrap();
                let after = ChainStream::of(stream.chain.clone(), after, EPOCH_HEADERS);
                if after != stream {
                    let close = chain::Command::CloseEpoch { next_height: None };
                    assert!(self.chain_command(&stream, close));
                    assert!(self.chain_command(&after, chain::Command::OpenEpoch {}));
                }
                assert!(self.chain_command(&after, observe(&Draft::new(next, FOUR))));
                self.height = next;
            }
        }
    }

    /// Reports a fork at the head or a little before it, and resolves it one way or the other.
    fn fork(&mut self, stream: &ChainStream) {
        let first = stream.epoch.first_height(EPOCH_HEADERS).unwrap().value();
        let height = first + self.pick(self.height - first + 1);
        let Some(Chain::Observed(observed)) = self.chains.get(stream) else { return };
        let recorded = observed.hashes.get(&Height::new(height).unwrap()).copied();
        let plain = Draft::new(height, FOUR);
        // A header that won a fork before is not the plain one: then there is nothing to report
        // with.
        if recorded != Some(plain.signed().hash()) {
            return;
        }
        let app_hash = self.chance.to_be_bytes().to_vec();
        let other = Draft { app_hash, ..plain.clone() };
        let report = chain::Command::ReportFork { first: plain.block(), second: other.block() };
        assert!(self.chain_command(stream, report));
        let keeps_other = self.pick(2) == 0;
        let keep = if keeps_other { other.signed().hash() } else { plain.signed().hash() };
        let resolve = chain::Command::ResolveFork {
            height: Height::new(height).unwrap(),
            keep,
            reason: "by chance".parse().unwrap(),
        };
        assert!(self.chain_command(stream, resolve));
        if keeps_other {
            self.height = height;
        }
    }
}

fn observe(draft: &Draft) -> chain::Command {
    let block = draft.block();
    chain::Command::ObserveHeader {
        next_validator_set: block.next_validator_set,
        signed_header: block.signed_header,
        validator_set: block.validator_set,
    }
}
